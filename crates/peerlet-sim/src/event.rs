//! An event that waits: where it stands in the contract's order, and what it is.

use std::cmp::Ordering;

use peerlet_core::runtime::{Act, Body, Class, Header, Port};
use peerlet_core::{Address, Seat, Seed, Time, Undelivered};

use crate::signal::Signal;

/// Where an event stands: (time, round) and then, for each peer of its own, (source, seq).
///
/// The order among different peers is fixed as well, though nothing depends on it but traces: at an
/// instant, what the environment does comes first, in its own order; then peers by seat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Key {
    pub(crate) time: Time,
    pub(crate) round: u32,
    pub(crate) seat: Seat,
    /// 0 for the environment, seat + 1 for a peer.
    pub(crate) source: u32,
    pub(crate) seq: u64,
}

impl Key {
    /// Where it stands among all, as [`Handled::order`](crate::Handled) has it.
    #[inline]
    fn order(&self) -> (Time, u32, bool, u64, Seat, u32, u64) {
        let own = self.source != 0;
        let directed = if own { 0 } else { self.seq };
        (self.time, self.round, own, directed, self.seat, self.source, self.seq)
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Something that happens to a peer at its time.
#[derive(Debug)]
pub(crate) enum Event {
    /// What the environment does to it.
    Directive(Act),
    /// A peerlet's timer.
    Timer { port: Port, handle: u32, body: Body },
    /// A task's operation has waited long enough.
    Wake { task: u32, operation: u32 },
    /// A datagram of the common sort: no part of a call, not encoded, past no receiving side of the
    /// network. It goes without everything that a [`AddressedMessage`] has for those.
    Plain { port: Port, body: Body },
    /// Everything that is less common.
    Rare(Box<RareEvent>),
}

/// The events that are less common, or larger.
#[derive(Debug)]
pub(crate) enum RareEvent {
    Message(AddressedMessage),
    Writable {
        life: u32,
        port: Port,
        to: Address,
    },
    Undelivered {
        life: u32,
        to: Address,
        header: Header,
        body: Body,
        why: Undelivered,
    },
    /// Between the simulator's own ends of a connection; no peer sees it.
    Signal(Signal),
    /// A pause is over.
    Resume,
}

impl Event {
    pub(crate) fn message(message: AddressedMessage) -> Event {
        Event::Rare(Box::new(RareEvent::Message(message)))
    }

    pub(crate) fn signal(signal: Signal) -> Event {
        Event::Rare(Box::new(RareEvent::Signal(signal)))
    }

    /// The class of delivery of a message; `None` for what is no message.
    pub(crate) fn class(&self) -> Option<Class> {
        match self {
            Event::Plain { .. } => Some(Class::Datagram),
            Event::Rare(rare) => rare.class(),
            Event::Directive(_) | Event::Timer { .. } | Event::Wake { .. } => None,
        }
    }
}

impl RareEvent {
    pub(crate) fn class(&self) -> Option<Class> {
        match self {
            RareEvent::Message(message) => {
                message.delivery.is_message().then(|| message.delivery.class())
            }
            RareEvent::Writable { .. }
            | RareEvent::Undelivered { .. }
            | RareEvent::Signal(_)
            | RareEvent::Resume => None,
        }
    }
}

/// A message that is on its way.
#[derive(Debug)]
pub(crate) struct AddressedMessage {
    pub(crate) from: Address,
    pub(crate) header: Header,
    pub(crate) body: Body,
    /// Encoded bytes.
    pub(crate) size: u32,
    /// Where the network's dice for it are found.
    pub(crate) draws: Seed,
    pub(crate) delivery: Delivery,
    /// The hash of its payload; 0 unless the run encodes messages.
    pub(crate) payload: u64,
    /// Whether the receiving side of the network let it pass already.
    pub(crate) accepted: bool,
}

/// How a message travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Delivery {
    /// As a datagram, to whoever lives at the address.
    Datagram,
    /// On a connection, to one life.
    Connection {
        /// The sender's number of the connection.
        number: u64,
        /// The life that sent it.
        theirs: u32,
        /// The life that it is for.
        life: u32,
        /// Its place among the connection's messages.
        index: u64,
        departed: Time,
        part: Part,
    },
    /// To oneself.
    Loopback {
        class: Class,
        /// The life that sent it.
        life: u32,
    },
}

/// What a packet of a connection carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// A message, or the last piece of a large one.
    Message,
    /// A piece before the last.
    Piece,
    /// The question whether a message of this many bytes may start.
    Ask(u32),
}

impl Delivery {
    /// Whether it asks for a large message to start.
    pub(crate) fn is_question(self) -> bool {
        matches!(self, Delivery::Connection { part: Part::Ask(_), .. })
    }

    /// Whether a message travels: its pieces but the last are none.
    pub(crate) fn is_message(self) -> bool {
        !matches!(self, Delivery::Connection { part: Part::Piece | Part::Ask(_), .. })
    }

    pub(crate) fn class(self) -> Class {
        match self {
            Delivery::Datagram => Class::Datagram,
            Delivery::Connection { .. } => Class::Reliable,
            Delivery::Loopback { class, .. } => class,
        }
    }
}
