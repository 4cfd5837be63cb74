//! Connections: reliable delivery between two lives, as a machine without sockets, clocks or tasks.
//!
//! The shard feeds it messages to send, frames that arrived, broken links, lives that begin and
//! end, and the time; it takes out [`Effect`]s. A transport gives ordered streams while a link
//! lasts. This machine adds what the contract says on top: connections belong to two lives, survive
//! a broken link for a while, hold a sender back, and tell it what is not known to be delivered.

mod assembly;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod outgoing;
mod receiving;
mod sending;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use peerlet_core::runtime::{FRAME_MAX, Trusted};
use peerlet_core::{Address, Duration, Identity, MESSAGE_MAX, Time, TrustError, Undelivered};

use crate::counters::{Counters, SocketDrop};
use crate::frame::{ConnectionPosition, Frame, Kind, Message, Part, Tag};
pub use assembly::Budget;
use assembly::Put;
use receiving::Receiving;
use sending::{OutgoingKey, Sending};

/// Messages that one destination's queue holds before it is full: the contract's default.
pub const QUEUE_MESSAGES_MAX: usize = 256;
/// Bytes that one destination's queue holds before it is full: the contract's default.
pub const QUEUE_BYTES_MAX: usize = 1024 * 1024;
/// Messages of one connection that are under way without acknowledgement: at 100 ms a round trip,
/// 10,000 a second.
pub const WINDOW_MESSAGES_MAX: usize = 1024;
/// Bytes of one connection that are under way without acknowledgement, about a mebibyte: four of
/// the longest frames with their heads. At 100 ms a round trip these are 10 MB a second, as much as
/// a stream of QUIC may have ahead of its reader. More would only wait for the socket, beyond the
/// reach of a crash.
pub const WINDOW_BYTES_MAX: usize = 4 * (FRAME_MAX + 64);
/// Bytes to one process that are under way without acknowledgement, over all connections: what a
/// transport may have to hold.
pub const LINK_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Connections that a machine sends on: a thousand destinations for each of a thousand peers, at
/// about 300 bytes.
pub const SENDING_MAX: usize = 1 << 20;
/// Connections that a machine receives on, at about 100 bytes.
pub const RECEIVING_MAX: usize = 1 << 20;
/// Connections from one process: a sixteenth of all, so that one process cannot take them from the
/// others.
pub const RECEIVING_PER_LINK_MAX: usize = 1 << 16;

/// The configuration of the machine.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionConfig {
    /// The experiment.
    pub tag: Tag,
    /// Chosen at random by each process, so that one that starts again does not number connections
    /// as before.
    pub nonce: u32,
    /// How long a connection waits for an acknowledgement before it gives up
    /// (`connection.timeout`).
    pub timeout: Duration,
    /// How many messages a destination's queue holds.
    pub queue_messages: usize,
    /// How many bytes a destination's queue holds; a message that is larger is taken when nothing
    /// else waits.
    pub queue_bytes: usize,
    /// How long a message may be, both ways.
    pub message_max: usize,
}

impl ConnectionConfig {
    /// The contract's limits, for this experiment.
    pub const fn new(tag: Tag, nonce: u32) -> ConnectionConfig {
        ConnectionConfig {
            tag,
            nonce,
            timeout: Duration::from_secs(10),
            queue_messages: QUEUE_MESSAGES_MAX,
            queue_bytes: QUEUE_BYTES_MAX,
            message_max: MESSAGE_MAX,
        }
    }
}

/// An effect that the shard is to carry out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Send a frame on the ordered stream of this pair of slots (ours first).
    Transmit {
        /// The other process.
        to: SocketAddr,
        /// Our slot and theirs.
        pair: (u32, u32),
        /// The only process that it may go to, if our peer trusts one there.
        identity: Option<Identity>,
        /// The frame.
        frame: Vec<u8>,
    },
    /// Tell the peer that a message is not known to be delivered.
    Undelivered {
        /// Our peer's slot.
        slot: u32,
        /// The address that the message was for.
        to: Address,
        /// The message.
        message: Message<Bytes>,
        /// The reason.
        why: Undelivered,
    },
    /// Count messages that waited when their peer crashed; no handler is called.
    Dropped {
        /// How many.
        messages: u64,
    },
    /// Tell the peer, which was refused before, that half of the destination's queue is free.
    Writable {
        /// Our peer's slot.
        slot: u32,
        /// The destination.
        to: Address,
    },
}

/// The state of a slot of ours whose peer runs or has crashed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Local {
    Running(u32),
    Crashed,
}

/// All reliable connections of a shard's peers, both ways.
///
/// A connection is opened by the sender (`Open`, answered by `Opened` or `Reset`) and has no end of
/// its own. Its messages are numbered from a start that no other connection shares; the receiver
/// takes the next one only, and acknowledges once a batch. After a broken link, or a while without
/// news, the sender asks again (`Open` with the life it knows) and sends again what `Opened` shows
/// missing: neither a lost acknowledgement nor a careless link can lose a message.
///
/// A message longer than [`FRAME_MAX`] is cut into pieces, each with a number of its own. Before
/// the first one the sender asks (`Ask`), and the receiver lets it start when it has room for the
/// whole message (`Grant`).
///
/// ```
/// # use peerlet_core::{Address, Time};
/// # use peerlet_core::runtime::{Call};
/// # use peerlet_live::{Effect, Frame, Kind, Message, ConnectionConfig, Connections, Tag};
/// let mut connections = Connections::new(ConnectionConfig::new(Tag::of("hello", &[]), 7));
/// connections.started(0, 1);
/// let to: Address = "192.0.2.1:7000/3".parse()?;
/// let message = Message { port: 0, call: Call::None, body: "hi".into() };
/// connections.send(Time::ZERO, 0, to, message)?;
/// // First use asks for a connection; the message follows when it is there.
/// let Some(Effect::Transmit { frame, .. }) = connections.poll() else { panic!("no frame") };
/// assert!(matches!(Frame::parse(&frame)?.kind, Kind::Open(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Connections {
    config: ConnectionConfig,
    /// Slots that are missing here have stopped, or were never started.
    locals: BTreeMap<u32, Local>,
    /// The contacts that lives of ours trust, by slot.
    trusted: BTreeMap<u32, Trusted>,
    sending: Sending,
    receiving: Receiving,
    effects: Effects,
}

/// The effects and counters that all parts of the machine write to.
#[derive(Debug)]
struct Effects {
    tag: Tag,
    queue: VecDeque<Effect>,
    counters: Counters,
}

impl Effects {
    /// Sends a frame of our `slot`, living its `life`, to another peer.
    fn transmit(&mut self, slot: u32, life: u32, to: Address, kind: Kind<'_>) {
        self.transmit_to(None, OutgoingKey { slot, life, to }, kind);
    }

    /// As [`transmit`](Effects::transmit), to one process only where one is given.
    fn transmit_to(&mut self, identity: Option<Identity>, key: OutgoingKey, kind: Kind<'_>) {
        let OutgoingKey { slot, life, to } = key;
        let frame = Frame { tag: self.tag, from: slot, to: to.slot(), life, kind }.to_vec();
        let (pair, to) = ((slot, to.slot()), to.socket());
        self.queue.push_back(Effect::Transmit { to, pair, identity, frame });
    }
}

impl Connections {
    /// A machine without peers and connections, with a budget of its own for large messages.
    pub fn new(config: ConnectionConfig) -> Connections {
        let effects =
            Effects { tag: config.tag, queue: VecDeque::new(), counters: Counters::default() };
        Connections {
            config,
            locals: BTreeMap::new(),
            trusted: BTreeMap::new(),
            sending: Sending::new(config),
            receiving: Receiving::new(config.timeout),
            effects,
        }
    }

    /// The same machine, which shares this budget with others of its process.
    pub fn sharing(mut self, budget: Budget) -> Connections {
        self.receiving.set_budget(budget);
        self
    }

    /// A peer of ours begins this life.
    pub fn started(&mut self, slot: u32, life: u32) {
        self.end(slot, false);
        self.locals.insert(slot, Local::Running(life));
    }

    /// A peer of ours has stopped: from now on its senders get a reset. Its own messages still go
    /// out.
    pub fn stopped(&mut self, slot: u32) {
        self.end(slot, false);
    }

    /// A peer of ours has crashed: its senders hear nothing. What has left it goes on; what waits
    /// in its queues is dropped, and with it a large message of which pieces wait.
    pub fn crashed(&mut self, slot: u32) {
        self.end(slot, true);
        self.locals.insert(slot, Local::Crashed);
    }

    fn end(&mut self, slot: u32, crashed: bool) {
        self.trusted.remove(&slot);
        if let Some(Local::Running(life)) = self.locals.remove(&slot) {
            // What arrived in time is acknowledged before the life's connections are forgotten.
            self.receiving.acknowledge(&mut self.effects);
            self.receiving.forget(slot);
            let messages = self.sending.orphan(slot, life, crashed);
            if messages > 0 {
                self.effects.queue.push_back(Effect::Dropped { messages });
            }
        }
    }

    /// From now on, until its life ends, what our peer in `slot` sends to this address is for this
    /// process only; with `None`, for whoever is there.
    ///
    /// # Errors
    /// When it trusts too many.
    pub fn trust(
        &mut self,
        slot: u32,
        at: Address,
        identity: Option<Identity>,
    ) -> Result<(), TrustError> {
        let Some(Local::Running(life)) = self.locals.get(&slot) else { return Ok(()) };
        let trusted = self.trusted.entry(slot).or_default();
        trusted.set(at, identity)?;
        if trusted.is_empty() {
            self.trusted.remove(&slot);
        }
        self.sending.trust(OutgoingKey { slot, life: *life, to: at }, identity);
        Ok(())
    }

    /// The only process that our peer in `slot` reaches at this address, if it trusts one there.
    pub fn trusted(&self, slot: u32, at: Address) -> Option<Identity> {
        if self.trusted.is_empty() {
            return None;
        }
        self.trusted.get(&slot)?.identity(at)
    }

    /// A frame of this pair of slots, ours first, was for one process only and was not sent, since
    /// another one is there.
    pub fn mistaken(&mut self, to: SocketAddr, (ours, theirs): (u32, u32), identity: Identity) {
        let to = Address::new(to, theirs);
        self.sending.mistaken(ours, to, identity, &mut self.effects);
    }

    /// Sends a message of our peer in `slot`; a full queue calls for [`Effect::Writable`] later.
    ///
    /// # Errors
    /// When it cannot be taken; nothing has happened then.
    pub fn send(
        &mut self,
        now: Time,
        slot: u32,
        to: Address,
        message: Message<Bytes>,
    ) -> Result<(), SendError> {
        let Some(Local::Running(life)) = self.locals.get(&slot) else {
            return Err(SendError::NotRunning);
        };
        if message.body.len() > self.config.message_max {
            return Err(SendError::TooLarge);
        }
        let (key, trusted) = (OutgoingKey { slot, life: *life, to }, self.trusted(slot, to));
        self.sending.send(now, (key, trusted), message, &mut self.effects)
    }

    /// Takes a frame that came from this process, and gives back the message that is now to be
    /// delivered to the peer in `frame.to`.
    ///
    /// The caller has checked that the frame is of this experiment, and that its slot belongs to
    /// the process it came from. Frames of other kinds than those of connections do nothing here.
    pub fn receive<'a>(
        &mut self,
        now: Time,
        from: SocketAddr,
        frame: &Frame<'a>,
    ) -> Option<Message<Cow<'a, [u8]>>> {
        let address = Address::new(from, frame.from);
        match frame.kind {
            Kind::Open(position) => self.open(from, frame, position),
            Kind::Data(position, message) => {
                let Message { port, call, body } = message;
                let body = Cow::Borrowed(body);
                return self.data(from, frame, position).then_some(Message { port, call, body });
            }
            Kind::Piece(position, part, message) => {
                return self.piece(now, from, frame, (position, part), message);
            }
            Kind::Ask(position, total) => self.ask(now, from, frame, position, total),
            Kind::Grant(position, total) => {
                let key = OutgoingKey { slot: frame.to, life: position.life, to: address };
                let asked = (position.seq, total);
                self.sending.granted(now, key, frame.life, asked, &mut self.effects);
            }
            Kind::Opened(position) | Kind::Ack(position) | Kind::Reset(position) => {
                let key = OutgoingKey { slot: frame.to, life: position.life, to: address };
                let effects = &mut self.effects;
                match frame.kind {
                    Kind::Opened(_) => {
                        self.sending.opened(now, key, frame.life, position.seq, effects)
                    }
                    Kind::Ack(_) => self.sending.acked(now, key, frame.life, position.seq, effects),
                    _ => self.sending.reset(key, frame.life, position.seq, effects),
                }
            }
            Kind::Datagram(_) | Kind::Control(_) => {}
        }
        None
    }

    fn open(&mut self, from: SocketAddr, frame: &Frame<'_>, position: ConnectionPosition) {
        let key = (frame.to, frame.from, frame.life);
        let last = match self.locals.get(&frame.to) {
            Some(Local::Running(life)) if position.life == 0 => {
                let Some(last) = self.receiving.open(from, key, position.seq, *life) else {
                    return self.effects.counters.add(SocketDrop::Queue, 1);
                };
                Some((*life, last))
            }
            Some(Local::Running(life)) if position.life == *life => {
                self.receiving.last(from, key).map(|last| (*life, last))
            }
            _ => None,
        };
        let Some((life, seq)) = last else { return self.refuse(from, frame, position) };
        let opened = Kind::Opened(ConnectionPosition { life: frame.life, seq });
        self.effects.transmit(frame.to, life, Address::new(from, frame.from), opened);
    }

    /// Whether the message in this frame is to be delivered.
    fn data(&mut self, from: SocketAddr, frame: &Frame<'_>, position: ConnectionPosition) -> bool {
        let key = (frame.to, frame.from, frame.life);
        let here = self.locals.get(&frame.to) == Some(&Local::Running(position.life));
        let taken = if here { self.receiving.take(from, key, position.seq) } else { None };
        match taken {
            Some(Ordering::Equal) => return true,
            Some(Ordering::Less) => self.effects.counters.add(SocketDrop::Duplicate, 1),
            Some(Ordering::Greater) => self.effects.counters.add(SocketDrop::Link, 1),
            None => {
                let running = matches!(self.locals.get(&frame.to), Some(Local::Running(_)));
                let cause = if running { SocketDrop::OldLife } else { SocketDrop::Stopped };
                self.effects.counters.add(cause, 1);
                self.refuse(from, frame, position);
            }
        }
        false
    }

    /// The message that is whole with this piece, if one is.
    fn piece<'a>(
        &mut self,
        now: Time,
        from: SocketAddr,
        frame: &Frame<'a>,
        (position, part): (ConnectionPosition, Part),
        message: Message<&'a [u8]>,
    ) -> Option<Message<Cow<'a, [u8]>>> {
        if !self.data(from, frame, position) {
            return None;
        }
        let origin = (from, (frame.to, frame.from, frame.life));
        match self.receiving.put(now, origin, (position.seq, part), message) {
            Put::More => None,
            Put::Whole(Message { port, call, body }) => {
                Some(Message { port, call, body: Cow::Owned(body) })
            }
            Put::Wrong => {
                self.effects.counters.add(SocketDrop::Decode, 1);
                self.refuse(from, frame, position);
                None
            }
        }
    }

    /// Answers a sender that wants to start a large message.
    fn ask(
        &mut self,
        now: Time,
        from: SocketAddr,
        frame: &Frame<'_>,
        position: ConnectionPosition,
        total: u32,
    ) {
        let key = (frame.to, frame.from, frame.life);
        let here = self.locals.get(&frame.to) == Some(&Local::Running(position.life));
        if (FRAME_MAX + 1..=self.config.message_max).contains(&(total as usize)) {
            let asked = (position.seq, total);
            if here && self.receiving.ask(now, (from, key), asked, &mut self.effects) {
                return;
            }
        } else {
            self.effects.counters.add(SocketDrop::TooLarge, 1);
        }
        self.refuse(from, frame, position);
    }

    /// Tells the sender of a frame that the life it looks for is not here; a crashed peer tells
    /// nothing.
    fn refuse(&mut self, from: SocketAddr, frame: &Frame<'_>, position: ConnectionPosition) {
        if self.locals.get(&frame.to) != Some(&Local::Crashed) {
            let reset = Kind::Reset(ConnectionPosition { life: frame.life, seq: position.seq });
            self.effects.transmit(frame.to, position.life, Address::new(from, frame.from), reset);
        }
    }

    /// There is a link to this process: connections that it sends on may go on.
    pub fn link_up(&mut self, with: SocketAddr) {
        self.receiving.link_up(with);
    }

    /// The link to this process broke, or could not be made: what was under way on it may be lost.
    pub fn link_lost(&mut self, now: Time, with: SocketAddr) {
        self.receiving.link_lost(now + self.config.timeout, with);
        self.sending.link_lost(now, with, &mut self.effects);
    }

    /// The link to this process could not be made since one of the two does not let the other in:
    /// what is given up before it is heard comes back with that reason.
    pub fn kept_out(&mut self, with: SocketAddr) {
        self.sending.kept_out(with);
    }

    /// The link to this process takes no more for now.
    pub fn blocked(&mut self, link: SocketAddr) {
        self.sending.blocked(link);
    }

    /// The link to this process takes more again.
    pub fn unblocked(&mut self, link: SocketAddr) {
        self.sending.unblocked(link, &mut self.effects);
    }

    /// Acknowledges what was taken since the last call: to be called at the end of each batch.
    pub fn flush(&mut self, now: Time) {
        self.receiving.acknowledge(&mut self.effects);
        self.receiving.start_waiting(now, &mut self.effects);
    }

    /// Whether all that was sent has arrived.
    #[cfg(test)]
    pub(crate) fn is_settled(&self) -> bool {
        self.sending.is_settled()
    }

    /// How long a message may be.
    pub fn message_max(&self) -> usize {
        self.config.message_max
    }

    /// When [`timer`](Connections::timer) is to be called next, if nothing happens before.
    pub fn deadline(&self) -> Option<Time> {
        self.sending.deadline().into_iter().chain(self.receiving.deadline()).min()
    }

    /// Does what is due by now.
    pub fn timer(&mut self, now: Time) {
        self.receiving.timer(now, &mut self.effects);
        self.sending.timer(now, &mut self.effects);
    }

    /// Whether one of our peers, or of those that have ended, has a message that is not known to
    /// have arrived.
    pub fn is_sending(&self) -> bool {
        self.sending.has_messages()
    }

    /// Whether there is something to do.
    pub fn has_effects(&self) -> bool {
        !self.effects.queue.is_empty()
    }

    /// The next thing to do, in the order in which things came about.
    pub fn poll(&mut self) -> Option<Effect> {
        self.effects.queue.pop_front()
    }

    /// The counters of what was dropped.
    pub fn counters(&self) -> &Counters {
        &self.effects.counters
    }
}

/// Why a message was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The destination's queue is full; `writable` will be called.
    Full,
    /// There are [`SENDING_MAX`] connections.
    TooMany,
    /// The message is longer than [`ConnectionConfig::message_max`].
    TooLarge,
    /// Nobody lives in the sending slot.
    NotRunning,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Full => f.write_str("the destination's queue is full; wait for `writable`"),
            SendError::TooMany => write!(
                f,
                "there are {SENDING_MAX} reliable connections; talk to fewer peers reliably"
            ),
            SendError::TooLarge => {
                f.write_str("the message is longer than this run allows; send it in parts")
            }
            SendError::NotRunning => {
                f.write_str("the sending peer is not running; start it before it sends")
            }
        }
    }
}

impl std::error::Error for SendError {}

/// How long the first question goes unanswered before it is asked again; doubled each time up to
/// the next constant.
const RETRY: Duration = Duration::from_millis(500);
/// How long any question goes unanswered: a partition is found healed within this time.
const RETRY_MAX: Duration = Duration::from_secs(1);
/// How long a connection without messages is kept; the next message opens it anew.
const IDLE_MAX: Duration = Duration::from_secs(60);
