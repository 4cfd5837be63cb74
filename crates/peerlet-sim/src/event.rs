//! An event that waits: where it stands in the contract's order, and what it is.

use std::cmp::Ordering;

use peerlet_core::runtime::{Act, Body, Class, Header, Port};
use peerlet_core::{Address, Seat, Seed, Time, Undelivered};

use crate::link::{Part, Signal};

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
    /// network. It goes without everything that a [`Letter`] has for those.
    Plain { port: Port, body: Body },
    /// Everything that is less common.
    Rest(Box<Rest>),
}

/// The events that are less common, or larger.
#[derive(Debug)]
pub(crate) enum Rest {
    Letter(Letter),
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
    pub(crate) fn letter(letter: Letter) -> Event {
        Event::Rest(Box::new(Rest::Letter(letter)))
    }

    pub(crate) fn signal(signal: Signal) -> Event {
        Event::Rest(Box::new(Rest::Signal(signal)))
    }

    /// The class of delivery of a message; `None` for what is no message.
    pub(crate) fn class(&self) -> Option<Class> {
        match self {
            Event::Plain { .. } => Some(Class::Datagram),
            Event::Rest(rest) => rest.class(),
            Event::Directive(_) | Event::Timer { .. } | Event::Wake { .. } => None,
        }
    }
}

impl Rest {
    pub(crate) fn class(&self) -> Option<Class> {
        match self {
            Rest::Letter(letter) => letter.way.is_message().then(|| letter.way.class()),
            Rest::Writable { .. } | Rest::Undelivered { .. } | Rest::Signal(_) | Rest::Resume => {
                None
            }
        }
    }
}

/// A message that is on its way.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) from: Address,
    pub(crate) header: Header,
    pub(crate) body: Body,
    /// Encoded bytes.
    pub(crate) size: u32,
    /// Where the network's dice for it are found.
    pub(crate) draws: Seed,
    pub(crate) way: Way,
    /// The hash of its payload; 0 unless the run encodes messages.
    pub(crate) payload: u64,
    /// Whether the receiving side of the network let it pass already.
    pub(crate) accepted: bool,
}

/// How a message travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
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
    Home {
        class: Class,
        /// The life that sent it.
        life: u32,
    },
}

impl Way {
    /// Whether it asks for a large message to start.
    pub(crate) fn is_question(self) -> bool {
        matches!(self, Way::Connection { part: Part::Ask(_), .. })
    }

    /// Whether a message travels: its pieces but the last are none.
    pub(crate) fn is_message(self) -> bool {
        !matches!(self, Way::Connection { part: Part::Piece | Part::Ask(_), .. })
    }

    pub(crate) fn class(self) -> Class {
        match self {
            Way::Datagram => Class::Datagram,
            Way::Connection { .. } => Class::Reliable,
            Way::Home { class, .. } => class,
        }
    }
}
