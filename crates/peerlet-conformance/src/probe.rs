//! The probe: a peerlet that runs a case's closures and records its events.

use std::sync::Arc;

use peerlet_core::runtime::FRAME_MAX;
use peerlet_core::{
    Address, Command, Context, Description, Kind, Metric, Need, Nothing, Peerlet, Seat, Seats,
    Signature, Undelivered,
};
use serde::{Deserialize, Serialize};

use crate::journal::{Journal, Observation, Observed};

/// A message between probes: a number, and ballast to reach a size.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Message {
    /// Tells messages apart.
    pub number: u64,
    /// Makes the message as large as the case wants.
    pub ballast: String,
}

impl From<u64> for Message {
    fn from(number: u64) -> Message {
        Message { number, ballast: String::new() }
    }
}

impl Message {
    /// A message with this much ballast, which differs by message and position.
    pub fn large(number: u64, ballast: usize) -> Message {
        let mut bytes = vec![b'a' + (number % 26) as u8; ballast];
        let pieces = bytes.chunks_mut(1_000).enumerate();
        pieces.for_each(|(index, bytes)| bytes[0] = b'a' + (index % 26) as u8);
        Message { number, ballast: String::from_utf8(bytes).expect("letters are text") }
    }

    /// Whether it is not as it was sent, as far as its ballast is more than a piece.
    fn is_damaged(&self) -> bool {
        self.ballast.len() > FRAME_MAX && *self != Message::large(self.number, self.ballast.len())
    }
}

/// A local event between the peerlets of a probing peer.
pub struct Changed(pub u64);

/// How many messages a probe got.
pub(crate) const GOT: Metric = Metric::counter("got").help("messages received");
/// The numbers of the messages a probe got.
pub(crate) const NUMBER: Metric = Metric::histogram("number").quantum(1.0);

type Act<A, const RELIABLE: bool> = Arc<dyn Fn(&mut Context<Prober<RELIABLE>>, A) + Send + Sync>;

/// A probe that needs reliable delivery.
pub type Probe = Prober<true>;

/// A probe for worlds that may lack reliable delivery: it sends datagrams only.
pub type LooseProbe = Prober<false>;

/// Records each event in the journal, then runs the case's closure for it.
#[derive(Clone)]
pub struct Prober<const RELIABLE: bool> {
    journal: Journal,
    on_start: Option<Act<(), RELIABLE>>,
    on_stop: Option<Act<(), RELIABLE>>,
    on_message: Option<Act<(Address, u64), RELIABLE>>,
    on_timer: Option<Act<u64, RELIABLE>>,
    on_undelivered: Option<Act<(Address, u64), RELIABLE>>,
    on_writable: Option<Act<Address, RELIABLE>>,
    on_heard: Option<Act<u64, RELIABLE>>,
    on_command: Option<Act<Command, RELIABLE>>,
}

macro_rules! on {
    ($name:ident, $argument:ty, $doc:literal) => {
        #[doc = $doc]
        pub fn $name(
            mut self,
            act: impl Fn(&mut Context<Prober<RELIABLE>>, $argument) + Send + Sync + 'static,
        ) -> Prober<RELIABLE> {
            self.$name = Some(Arc::new(act));
            self
        }
    };
}

impl<const RELIABLE: bool> Prober<RELIABLE> {
    /// A probe that only records its events.
    pub fn new(journal: &Journal) -> Prober<RELIABLE> {
        Prober {
            journal: journal.clone(),
            on_start: None,
            on_stop: None,
            on_message: None,
            on_timer: None,
            on_undelivered: None,
            on_writable: None,
            on_heard: None,
            on_command: None,
        }
    }

    on!(on_start, (), "Sets the closure that runs when a life begins.");
    on!(on_stop, (), "Sets the closure that runs when a life ends by a stop.");
    on!(on_message, (Address, u64), "Sets the closure that runs when a message comes.");
    on!(on_timer, u64, "Sets the closure that runs when a timer is due.");
    on!(on_undelivered, (Address, u64), "Sets the closure that runs when a message is reported.");
    on!(on_writable, Address, "Sets the closure that runs when a full queue is half free.");
    on!(on_heard, u64, "Sets the closure that runs when it hears an event.");
    on!(on_command, Command, "Sets the closure that runs when the scenario calls a command.");

    /// Records an event, then runs the case's closure.
    fn note<A>(
        &self,
        ctx: &mut Context<Self>,
        observed: Observed,
        act: &Option<Act<A, RELIABLE>>,
        argument: A,
    ) {
        self.journal.write(Observation { seat: ctx.seat(), at: ctx.now(), observed });
        if let Some(act) = act {
            act(ctx, argument);
        }
    }
}

/// The seat at an address: probes know each other by seat.
fn seat_at(seats: &dyn Seats, address: Address) -> Seat {
    let mut all = (0..seats.count()).map(Seat);
    all.find(|seat| seats.address(*seat) == Some(address)).unwrap_or(Seat(u32::MAX))
}

impl<const RELIABLE: bool> Peerlet for Prober<RELIABLE> {
    const NAME: &'static str = "probe";
    type Message = Message;
    type Timer = u64;

    fn describe(about: &mut Description<Self>) {
        about
            .help("does what a case says and writes down what happens to it")
            .hears(Prober::heard)
            .measures(&GOT)
            .measures(&NUMBER)
            .command(Signature::new("note").takes("text", Kind::Text));
        if RELIABLE {
            about.needs(Need::Reliable);
        }
    }

    fn init(&mut self, ctx: &mut Context<Self>) {
        self.note(ctx, Observed::Init, &None, ());
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        self.note(ctx, Observed::Start, &self.on_start, ());
    }

    fn stop(&mut self, ctx: &mut Context<Self>) {
        self.note(ctx, Observed::Stop, &self.on_stop, ());
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: Message) {
        ctx.measure(GOT, 1.0);
        ctx.measure(NUMBER, message.number as f64);
        if message.is_damaged() {
            self.note(ctx, Observed::Note(format!("{} is damaged", message.number)), &None, ());
        }
        let observed = Observed::Message(seat_at(ctx.seats(), from), message.number);
        self.note(ctx, observed, &self.on_message, (from, message.number));
    }

    fn timer(&mut self, ctx: &mut Context<Self>, timer: u64) {
        self.note(ctx, Observed::Timer(timer), &self.on_timer, timer);
    }

    fn undelivered(
        &mut self,
        ctx: &mut Context<Self>,
        to: Address,
        message: Message,
        why: Undelivered,
    ) {
        let observed = Observed::Undelivered(seat_at(ctx.seats(), to), message.number, why);
        self.note(ctx, observed, &self.on_undelivered, (to, message.number));
    }

    fn writable(&mut self, ctx: &mut Context<Self>, to: Address) {
        let observed = Observed::Writable(seat_at(ctx.seats(), to));
        self.note(ctx, observed, &self.on_writable, to);
    }

    fn command(&mut self, ctx: &mut Context<Self>, command: &Command) {
        let observed = Observed::Command(command.text("text").to_owned());
        self.note(ctx, observed, &self.on_command, command.clone());
    }
}

impl<const RELIABLE: bool> Prober<RELIABLE> {
    fn heard(&mut self, ctx: &mut Context<Self>, changed: &Changed) {
        self.note(ctx, Observed::Heard(changed.0), &self.on_heard, changed.0);
    }
}

/// A sibling for probes: it keeps a number, tells of its changes, and writes when it starts and
/// stops.
#[derive(Clone)]
pub struct Sibling {
    journal: Journal,
    /// The number it keeps.
    pub value: u64,
}

impl Sibling {
    /// A sibling that keeps zero.
    pub fn new(journal: &Journal) -> Sibling {
        Sibling { journal: journal.clone(), value: 0 }
    }

    /// Keeps another number and tells of it.
    pub fn set(&mut self, ctx: &mut Context<Self>, value: u64) {
        self.value = value;
        ctx.emit(Changed(value));
    }

    fn note(&self, ctx: &Context<Self>, text: &str) {
        let observed = Observed::Note(text.to_owned());
        self.journal.write(Observation { seat: ctx.seat(), at: ctx.now(), observed });
    }
}

impl Peerlet for Sibling {
    const NAME: &'static str = "sibling";
    type Message = Nothing;
    type Timer = ();

    fn start(&mut self, ctx: &mut Context<Self>) {
        self.note(ctx, "sibling starts");
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        self.note(ctx, "sibling's timer");
    }

    fn stop(&mut self, ctx: &mut Context<Self>) {
        self.note(ctx, "sibling stops");
    }
}

/// A peerlet for worlds without reliable delivery: it greets every other seat once by datagram, and
/// answers.
pub struct Plain {
    journal: Journal,
}

impl Plain {
    /// A peerlet that writes whom it heard of.
    pub fn new(journal: &Journal) -> Plain {
        Plain { journal: journal.clone() }
    }
}

impl Peerlet for Plain {
    const NAME: &'static str = "plain";
    type Message = bool;
    type Timer = ();

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.after(peerlet_core::MILLISECOND * 100, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        for seat in (0..ctx.seats().count()).map(Seat) {
            match ctx.seats().address(seat) {
                Some(address) if seat != ctx.seat() => ctx.send(address, true),
                _ => {}
            }
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, greeting: bool) {
        let observed = Observed::Message(seat_at(ctx.seats(), from), u64::from(greeting));
        self.journal.write(Observation { seat: ctx.seat(), at: ctx.now(), observed });
        if greeting {
            ctx.send(from, false);
        }
    }
}
