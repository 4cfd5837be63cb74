//! A pending event and its key in the contract's order.

use std::cmp::Ordering;

use peerlet_core::runtime::{Act, Body, Class, Header, Port};
use peerlet_core::{Address, Seat, Seed, Time, Undelivered};

use crate::signal::Signal;

/// The position of an event in the order: (time, round), and then (source, seq) within each peer.
///
/// The order among peers is fixed as well, though only traces depend on it: at an instant, acts of
/// the environment come first, in their own order, then peers by seat.
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
    /// The position among all events, the same as [`Handled::order`](crate::Handled).
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
    /// An act of the environment.
    Directive(Act),
    /// A peerlet's timer.
    Timer { port: Port, handle: u32, body: Body },
    /// A task's operation has waited long enough.
    Wake { task: u32, operation: u32 },
    /// A plain datagram: no part of a call, not encoded, and not subject to the receiving side of
    /// the network. It needs none of the fields that an [`AddressedMessage`] has for those.
    Plain { port: Port, body: Body },
    /// A less common event.
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
    /// A signal between the two ends of a connection; no peer sees it.
    Signal(Signal),
    /// The end of a pause.
    Resume,
    /// An event of a later round, made at a cut: its queue has room for round 0 only until then.
    Later(Key, Event),
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
            RareEvent::Later(_, event) => event.class(),
        }
    }
}

/// A message in transit.
#[derive(Debug)]
pub(crate) struct AddressedMessage {
    pub(crate) from: Address,
    pub(crate) header: Header,
    pub(crate) body: Body,
    /// Encoded bytes.
    pub(crate) size: u32,
    /// The seed of the network's random stream for it.
    pub(crate) draws: Seed,
    pub(crate) delivery: Delivery,
    /// The hash of its payload; 0 unless the run encodes messages.
    pub(crate) payload: u64,
    /// Whether the receiving side of the network has accepted it already.
    pub(crate) accepted: bool,
}

/// How a message is delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Delivery {
    /// As a datagram, to the life that runs at the address.
    Datagram,
    /// On a connection, to one life.
    Connection {
        /// The sender's number of the connection.
        number: u64,
        /// The life that sent it.
        theirs: u32,
        /// The life that it is for.
        life: u32,
        /// Its index among the connection's messages.
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

/// The content of a packet on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// A message, or the last piece of a large one.
    Message,
    /// A piece before the last.
    Piece,
    /// The request to start a message of this many bytes.
    Ask(u32),
}

impl Delivery {
    /// Whether it is a request to start a large message.
    pub(crate) fn is_question(self) -> bool {
        matches!(self, Delivery::Connection { part: Part::Ask(_), .. })
    }

    /// Whether it carries a message: only the last piece of a large one does.
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
