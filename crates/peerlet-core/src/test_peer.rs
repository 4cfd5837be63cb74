//! A single peerlet in a test: its messages in, its messages out, and time under the test's
//! control.

use std::cell::Ref;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::address::{Address, Contact, Identity, Seat};
use crate::command::Value;
use crate::host::Host;
use crate::life::State;
use crate::parcel::{Body, Call, Class, Header, MetricIndex, Parcel, Port, Undelivered};
use crate::peer::Peer;
use crate::peerlet::Peerlet;
use crate::random::{Rng, Seed};
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::time::{Duration, Time};
use crate::trust::{TrustError, Trusted};
use crate::wire::{self, DATAGRAM_MAX, MESSAGE_MAX, Message};
use crate::world::{Alarm, Clock, Entropy, Network, Record, Seats, Swept, World};

/// A peer for tests, with one peerlet under test and any number of siblings.
///
/// ```
/// use peerlet_core::{Context, Nothing, Peerlet, SECOND, TestPeer};
///
/// #[derive(Default)]
/// struct Ticker { ticks: u32 }
/// impl Peerlet for Ticker {
///     const NAME: &'static str = "ticker";
///     type Message = Nothing;
///     type Timer = ();
///     fn start(&mut self, ctx: &mut Context<Self>) {
///         ctx.every(SECOND, ());
///     }
///     fn timer(&mut self, _: &mut Context<Self>, (): ()) {
///         self.ticks += 1;
///     }
/// }
///
/// let mut peer = TestPeer::new(Ticker::default());
/// peer.advance(SECOND * 3);
/// assert_eq!(peer.peerlet().ticks, 3);
/// ```
pub struct TestPeer<P: Peerlet> {
    host: Host,
    port: Port,
    world: Bench,
    peerlet: std::marker::PhantomData<fn() -> P>,
}

impl<P: Peerlet> TestPeer<P> {
    /// A started peer with this peerlet alone.
    ///
    /// # Panics
    /// Panics when the peerlet uses siblings: give them with [`beside`](TestPeer::beside).
    pub fn new(peerlet: P) -> TestPeer<P> {
        TestPeer::beside(Peer::new(), peerlet)
    }

    /// A started peer with this peerlet on top of the siblings.
    ///
    /// # Panics
    /// Panics when the stack cannot run, and says why.
    pub fn beside(siblings: Peer, peerlet: P) -> TestPeer<P> {
        let peer = siblings.with(peerlet);
        let mut registry = Registry::new();
        registry.add(&peer).unwrap_or_else(|e| panic!("{e}"));
        let port = registry.port_named(P::NAME).expect("the peerlet was just added");
        let mut host = Host::new(Arc::new(registry), 1);
        let mut world = Bench::new(port);
        host.start(0, &mut world, || peer);
        TestPeer { host, port, world, peerlet: std::marker::PhantomData }
    }

    /// The address of some other peer: the same for the same number.
    pub fn stranger(&self, number: u32) -> Address {
        Address::simulated(Seat(number))
    }

    /// The peer's own address.
    pub fn address(&self) -> Address {
        self.world.contact().address
    }

    /// The peer's time.
    pub fn now(&self) -> Time {
        self.world.now
    }

    /// Starts the peer again after [`stop`](TestPeer::stop). Nothing happens while it lives.
    pub fn start(&mut self) {
        if self.host.state(0) != State::Running {
            self.world.life = self.host.life(0) + 1;
            self.world.trusted = Trusted::default();
            self.host.start(0, &mut self.world, Peer::new);
        }
    }

    /// Stops the peer in order.
    pub fn stop(&mut self) {
        self.host.stop(0, &mut self.world);
        self.world.alarms.clear();
        self.world.trusted = Trusted::default();
    }

    /// Delivers a message, encoded and decoded on its way.
    pub fn deliver(&mut self, from: Address, message: P::Message) {
        self.receive(from, Call::None, &message);
    }

    /// Delivers a message to the sibling of type `Q`, encoded and decoded on its way.
    ///
    /// # Panics
    /// Panics when the peer has no such sibling.
    #[track_caller]
    pub fn deliver_to<Q: Peerlet>(&mut self, from: Address, message: Q::Message) {
        let port = self.port_of::<Q>();
        self.receive_at(port, from, Call::None, encoded(&message));
    }

    #[track_caller]
    fn port_of<Q: Peerlet>(&self) -> Port {
        let port = self.host.registry().port_named(Q::NAME);
        port.unwrap_or_else(|| panic!("the peer has no `{}`; put it beside", Q::NAME))
    }

    /// Delivers a question; the peerlet's [`reply`](crate::Context::reply) is among
    /// [`sent`](TestPeer::sent).
    pub fn ask(&mut self, from: Address, message: P::Message) {
        self.receive(from, Call::Question(1), &message);
    }

    /// Answers the last question that the peerlet asked this peer.
    ///
    /// # Panics
    /// Panics when it never asked.
    pub fn answer(&mut self, from: Address, message: P::Message) {
        let id = self.asked(from);
        self.receive(from, Call::Answer(id), &message);
    }

    /// Says that the answer to the last question that the peerlet asked this peer is too large to
    /// be sent.
    ///
    /// # Panics
    /// Panics when it never asked.
    pub fn answer_too_large(&mut self, from: Address) {
        let id = self.asked(from);
        self.receive_encoded(from, Call::NoAnswer(id), Vec::new());
    }

    /// The number of the last question that the peerlet asked this peer.
    fn asked(&self, from: Address) -> u32 {
        let asked = self.world.asked.iter().rev().find(|(to, _)| *to == from);
        asked.expect("a question is asked before it is answered").1
    }

    /// How many answers came when nobody waited for them any more: see
    /// [`Host::late_answers`].
    pub fn late_answers(&self) -> u64 {
        self.host.late_answers()
    }

    /// How many timers and waits of tasks are kept until they are due. Those that were canceled, or
    /// are obsolete for another reason, are swept out whenever the number has doubled since the
    /// last time.
    pub fn waiting(&self) -> usize {
        self.world.alarms.len()
    }

    /// How many timers are noted as canceled, so that they do not fire when they are due.
    pub fn cancelled(&self) -> usize {
        self.host.cancelled(0)
    }

    fn receive(&mut self, from: Address, call: Call, message: &P::Message) {
        self.receive_encoded(from, call, encoded(message));
    }

    fn receive_encoded(&mut self, from: Address, call: Call, bytes: Vec<u8>) {
        self.receive_at(self.port, from, call, bytes);
    }

    fn receive_at(&mut self, port: Port, from: Address, call: Call, bytes: Vec<u8>) {
        self.sweep();
        let header = Header { port, call };
        let (world, mut body) = (&mut self.world, Body::encoded(bytes));
        if self.host.state(0) == State::Running {
            let delivered = self.host.message(0, world, from, header, Class::Datagram, &mut body);
            delivered.unwrap_or_else(|e| panic!("the message does not survive its encoding: {e}"));
        }
    }

    /// Reports a reliable message as undelivered.
    pub fn undelivered(&mut self, to: Address, message: P::Message, why: Undelivered) {
        let header = Header { port: self.port, call: Call::None };
        let (world, body) = (&mut self.world, Body::value(message));
        let told = self.host.undelivered(0, world, to, header, body, why);
        told.expect("a value needs no decoding");
    }

    /// Calls a command as a scenario would.
    ///
    /// # Panics
    /// Panics when the peerlet has no such command or takes other arguments.
    pub fn command(&mut self, name: &str, arguments: &[Value]) {
        let registry = self.host.registry().clone();
        let entry = registry.entry(self.port).expect("the peerlet is registered");
        let signature = entry.commands().iter().find(|s| s.name() == name);
        let signature = signature.unwrap_or_else(|| panic!("`{}` has no `{name}`", P::NAME));
        let command = signature.call(arguments).unwrap_or_else(|e| panic!("{e}"));
        self.host.command(0, &mut self.world, self.port, &command);
    }

    /// Lets time pass: timers and tasks that are due in between run in order.
    pub fn advance(&mut self, duration: impl Into<Duration>) {
        let until = self.world.now + duration.into();
        loop {
            self.sweep();
            let Some(entry) = self.world.alarms.first_entry() else { break };
            let (at, _) = *entry.key();
            if at > until {
                break;
            }
            let (life, alarm) = entry.remove();
            self.world.now = at;
            if self.host.expects(0, life, &alarm) {
                self.host.alarm(0, &mut self.world, alarm);
            }
        }
        self.world.now = until;
    }

    /// Drops alarms that mean nothing any more, when many wait.
    fn sweep(&mut self) {
        let TestPeer { host, world, .. } = self;
        if world.alarms.len() >= world.sweep_at {
            world.alarms.retain(|_, (life, alarm)| host.expects(0, *life, alarm));
            world.sweep_at = SWEEP_MIN.max(world.alarms.len() * 2);
            world.swept = Swept { at: world.now, beyond: world.now };
        }
    }

    /// The messages that the peerlet sent since the last call, in order, by either class of
    /// delivery. Messages of siblings are left to [`sent_by`](TestPeer::sent_by). Datagrams longer
    /// than [`DATAGRAM_MAX`] are left out: no world delivers them.
    pub fn sent(&mut self) -> Vec<(Address, P::Message)> {
        self.sent_by::<P>()
    }

    /// The messages that the sibling of type `Q` sent since the last call, as
    /// [`sent`](TestPeer::sent) gives those of the peerlet under test; at most the last
    /// 65,536.
    ///
    /// ```
    /// use peerlet_core::{Address, Context, Nothing, Peer, Peerlet, TestPeer};
    ///
    /// /// Passes every number on to its sibling, which sends it back.
    /// struct Front;
    /// impl Peerlet for Front {
    ///     const NAME: &'static str = "front";
    ///     type Message = u32;
    ///     type Timer = Nothing;
    ///     fn message(&mut self, ctx: &mut Context<Self>, from: Address, number: u32) {
    ///         ctx.of::<Back>().send(from, number);
    ///     }
    /// }
    /// #[derive(Default)]
    /// struct Back { sum: u32 }
    /// impl Peerlet for Back {
    ///     const NAME: &'static str = "back";
    ///     type Message = u32;
    ///     type Timer = Nothing;
    ///     fn message(&mut self, _: &mut Context<Self>, _: Address, number: u32) {
    ///         self.sum += number;
    ///     }
    /// }
    ///
    /// let mut peer = TestPeer::beside(Peer::new().with(Back::default()), Front);
    /// let other = peer.stranger(1);
    /// peer.deliver(other, 5);
    /// assert_eq!(peer.sent_by::<Back>(), [(other, 5)]);
    /// peer.deliver_to::<Back>(other, 7);
    /// assert_eq!(peer.sibling::<Back>().sum, 7);
    /// ```
    ///
    /// # Panics
    /// Panics when the peer has no such sibling.
    #[track_caller]
    pub fn sent_by<Q: Peerlet>(&mut self) -> Vec<(Address, Q::Message)> {
        let own = self.port_of::<Q>();
        let decode = |body: &[u8]| wire::decode(body).expect("what was encoded is decoded");
        let sent = self.world.sent.remove(&own).unwrap_or_default();
        sent.into_iter().map(|(to, body)| (to, decode(&body))).collect()
    }

    /// The messages that the peerlet broadcast since the last call, in order.
    pub fn broadcasts(&mut self) -> Vec<P::Message> {
        let mine = |(port, body): (Port, Vec<u8>)| {
            let decode = || wire::decode(&body).expect("what was encoded is decoded");
            (port == self.port).then(decode)
        };
        std::mem::take(&mut self.world.broadcast).into_iter().filter_map(mine).collect()
    }

    /// The values recorded of this metric, in units, in order. The name is the metric's own,
    /// without the peerlet's; with tags, as in `time{answer=found}`, only those with these tags.
    ///
    /// # Panics
    /// Panics when the peerlet names no such metric.
    #[track_caller]
    pub fn measured(&self, name: &str) -> Vec<f64> {
        let full = format!("{}/{name}", P::NAME);
        let registry = self.host.registry();
        let metrics = registry.metrics();
        let place = metrics.iter().position(|(known, _)| *known == full);
        let Some(place) = place else {
            panic!("`{}` names no metric `{name}` in `describe`", P::NAME)
        };
        let recorded = self.world.recorded.iter();
        let is_meant = |(index, _): &&(MetricIndex, i64)| {
            let index = usize::from(index.0);
            index == place || registry.metric_parent(index) == Some(place)
        };
        let value = |(_, quanta): &(MetricIndex, i64)| metrics[place].1.value(*quanta as f64);
        recorded.filter(is_meant).map(value).collect()
    }

    /// The contacts that the peer trusts, by address. A message to one of them is among
    /// [`sent`](TestPeer::sent) like any other; report it as [`undelivered`](TestPeer::undelivered)
    /// to say that somebody else is there.
    pub fn trusted(&self) -> Vec<Contact> {
        self.world.trusted.contacts().collect()
    }

    /// Makes the queue to every destination full, or free again.
    pub fn set_full(&mut self, full: bool) {
        self.world.full = full;
    }

    /// Refuses reliable messages of more than this many encoded bytes; at first, of more than
    /// [`MESSAGE_MAX`].
    pub fn set_message_max(&mut self, max: usize) {
        self.world.message_max = max;
    }

    /// The peerlet, to look at.
    pub fn peerlet(&self) -> Ref<'_, P> {
        self.host.peerlet(0).expect("the peerlet is on the stack")
    }

    /// The sibling of type `Q`, to look at.
    ///
    /// # Panics
    /// Panics when the peer has no such sibling.
    #[track_caller]
    pub fn sibling<Q: Peerlet>(&self) -> Ref<'_, Q> {
        let sibling = self.host.peerlet(0);
        sibling.unwrap_or_else(|| panic!("the peer has no `{}`; put it beside", Q::NAME))
    }
}

fn encoded<M: Message>(message: &M) -> Vec<u8> {
    let mut bytes = Vec::new();
    wire::encode(message, &mut bytes).unwrap_or_else(|e| panic!("{e}"));
    bytes
}

/// How many messages of a sibling are kept, the last ones: a long test may never ask for them.
const SENT_MAX: usize = 65_536;

/// So many alarms wait before they are looked through.
const SWEEP_MIN: usize = 1_024;

/// The world of a test peer: nothing moves but by the test's hand.
struct Bench {
    now: Time,
    life: u32,
    alarms: BTreeMap<(Time, u64), (u32, Alarm)>,
    /// How many alarms wait when they are looked through next for those that mean nothing any more.
    sweep_at: usize,
    /// When that was last.
    swept: Swept,
    serial: u64,
    /// The peerlet under test.
    tested: Port,
    sent: BTreeMap<Port, VecDeque<(Address, Vec<u8>)>>,
    broadcast: Vec<(Port, Vec<u8>)>,
    asked: Vec<(Address, u32)>,
    recorded: Vec<(MetricIndex, i64)>,
    secret: Rng,
    full: bool,
    message_max: usize,
    trusted: Trusted,
}

impl Bench {
    fn new(tested: Port) -> Bench {
        Bench {
            now: Time::ZERO,
            life: 1,
            alarms: BTreeMap::new(),
            sweep_at: SWEEP_MIN,
            swept: Swept::default(),
            serial: 0,
            tested,
            sent: BTreeMap::new(),
            broadcast: Vec::new(),
            asked: Vec::new(),
            recorded: Vec::new(),
            secret: Seed::new(1).named("secret").rng(),
            full: false,
            message_max: MESSAGE_MAX,
            trusted: Trusted::default(),
        }
    }
}

impl Clock for Bench {
    fn now(&self) -> Time {
        self.now
    }

    fn set_alarm(&mut self, at: Time, alarm: Alarm) {
        self.serial += 1;
        self.alarms.insert((at.max(self.now), self.serial), (self.life, alarm));
    }

    fn swept(&self) -> Swept {
        self.swept
    }
}

impl Bench {
    /// Notes what is sent.
    fn note(&mut self, to: Address, header: Header, parcel: &Parcel) {
        let mut bytes = Vec::new();
        parcel.encode(&mut bytes);
        match header.call {
            Call::Question(id) => self.asked.push((to, id)),
            Call::NoAnswer(_) => return,
            Call::None | Call::Answer(_) => {}
        }
        let sent = self.sent.entry(header.port).or_default();
        if header.port != self.tested && sent.len() >= SENT_MAX {
            sent.pop_front();
        }
        sent.push_back((to, bytes));
    }
}

impl Network for Bench {
    fn contact(&self) -> Contact {
        Contact { address: Address::simulated(Seat(0)), identity: Identity([0; 32]) }
    }

    fn send(&mut self, to: Address, header: Header, parcel: Parcel) {
        if parcel.encoded_len() <= DATAGRAM_MAX {
            self.note(to, header, &parcel);
        }
    }

    fn broadcast(&mut self, header: Header, parcel: Parcel) {
        let mut bytes = Vec::new();
        parcel.encode(&mut bytes);
        self.broadcast.push((header.port, bytes));
    }

    fn send_reliably(
        &mut self,
        to: Address,
        header: Header,
        parcel: &mut Parcel,
    ) -> Result<(), Refusal> {
        let size = parcel.encoded_len();
        if size > self.message_max {
            return Err(Refusal::TooLarge { size, max: self.message_max });
        }
        if self.full {
            return Err(Refusal::QueueFull);
        }
        self.note(to, header, parcel);
        Ok(())
    }

    fn trust(&mut self, at: Address, identity: Option<Identity>) -> Result<(), TrustError> {
        self.trusted.set(at, identity)
    }
}

impl Entropy for Bench {
    fn seed(&self, life: u32) -> Seed {
        Seed::new(1).at(u64::from(life))
    }

    fn secret(&mut self, into: &mut [u8]) {
        use rand::Rng as _;
        self.secret.fill_bytes(into);
    }
}

impl Record for Bench {
    fn record(&mut self, metric: MetricIndex, quanta: i64) {
        self.recorded.push((metric, quanta));
    }
}

impl Seats for Bench {
    fn count(&self) -> u32 {
        1
    }

    fn address(&self, seat: Seat) -> Option<Address> {
        (seat == Seat(0)).then(|| Address::simulated(seat))
    }

    fn running(&self, seat: Seat) -> bool {
        seat == Seat(0)
    }
}

impl World for Bench {
    fn seat(&self) -> Seat {
        Seat(0)
    }

    fn seats(&self) -> &dyn Seats {
        self
    }
}
