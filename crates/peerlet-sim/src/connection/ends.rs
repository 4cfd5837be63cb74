//! The ends of one seat's connections, as data: queues and retries where it sends, order and room
//! where it receives.

use std::collections::VecDeque;

use peerlet_core::runtime::{FRAME_MAX, Header, Parcel, Port, Trusted};
use peerlet_core::{Address, Duration, Map, Seat, Time};
use peerlet_measure::DropCause;

use crate::event::{AddressedMessage, Key};
use crate::signal::Queued;

/// The ends of one seat's connections.
#[derive(Default)]
pub(crate) struct Connections {
    /// By destination and sending life.
    pub(crate) outgoing: Map<(Address, u32), Outgoing>,
    /// Destinations to which the current event queued messages.
    pub(crate) touched: Vec<(Address, u32)>,
    /// The peerlets that will be told of room later in this instant.
    pub(crate) telling: Vec<((Address, u32), Port)>,
    /// Incoming connections, by sender and number, that are held up or were refused lately.
    pub(crate) incoming: Map<(Seat, u64), Incoming>,
    /// When the access link is free for the next packet of a large message, and the duration of
    /// the last one.
    pub(crate) access_link: (Time, Duration),
    /// Large messages in transit to this seat.
    pub(crate) assembly: Assembly,
    /// The handshakes of its socket, in runs that have them.
    pub(crate) acquaintances: Acquaintances,
    /// The contacts that its life trusts.
    pub(crate) trusted: Trusted,
    /// The end of the seat's last pause.
    pub(crate) resumed: Option<Time>,
    /// The number that the last connection was given.
    pub(crate) last_number: u64,
    /// The number that the last retry was given.
    pub(crate) last_ticket: u64,
}

impl Connections {
    /// How many messages wait in queues.
    pub(crate) fn queued(&self) -> u64 {
        self.outgoing.values().map(|end| end.queue.len() as u64).sum()
    }

    /// Whether a connection to this address is being opened.
    pub(crate) fn is_opening(&self, to: Address) -> bool {
        let mut ends = self.outgoing.iter();
        ends.any(|(key, end)| key.0 == to && end.phase == Phase::Opening)
    }
}

/// The sender's end of a connection.
pub(crate) struct Outgoing {
    pub(crate) number: u64,
    pub(crate) phase: Phase,
    pub(crate) queue: VecDeque<Queued>,
    pub(crate) bytes: usize,
    /// How many messages departed.
    pub(crate) departed: u64,
    pub(crate) last_departure: Time,
    pub(crate) last_arrival: Time,
    /// The time of the first of the current attempts.
    pub(crate) since: Time,
    pub(crate) attempt: u32,
    /// The pending retry, if any.
    pub(crate) ticket: Option<u64>,
    /// The peerlets that met a full queue.
    pub(crate) refused: Vec<Port>,
    /// The size of the largest message that met it.
    pub(crate) wanted: usize,
    /// The progress of the message at the front, if it is large.
    pub(crate) progress: Progress,
    /// Whether the peer trusts an identity other than the one at the other end.
    pub(crate) is_mistaken: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    New,
    Opening,
    Open {
        theirs: u32,
    },
    /// A message came back, and those that departed behind it will; then the first `doomed` of the
    /// queue are reported.
    Failing {
        doomed: usize,
    },
}

impl Outgoing {
    pub(crate) fn new(number: u64) -> Outgoing {
        Outgoing {
            number,
            phase: Phase::New,
            queue: VecDeque::new(),
            bytes: 0,
            departed: 0,
            last_departure: Time::ZERO,
            last_arrival: Time::ZERO,
            since: Time::ZERO,
            attempt: 0,
            ticket: None,
            refused: Vec::new(),
            wanted: 0,
            progress: Progress::default(),
            is_mistaken: false,
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Queued> {
        let message = self.queue.pop_front()?;
        self.bytes -= message.size as usize - self.progress.bytes();
        self.progress.reset();
        Some(message)
    }
}

/// Whether the large message at the front of a queue may start.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Credit {
    #[default]
    None,
    Asked,
    Granted,
}

/// The progress of a large message at the front of a queue.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) credit: Credit,
    /// How many of its pieces have departed.
    pub(crate) parts: u32,
    /// How many packets had departed when the last piece was acknowledged.
    pub(crate) taken: u64,
    /// When that was, or when the start was granted.
    pub(crate) heard: Time,
    pub(crate) window: u64,
    /// When the link is free for the next packet.
    pub(crate) pace: Time,
    /// Whether the pending retry is that time rather than a retry.
    pub(crate) paces: bool,
}

impl Progress {
    /// How many bytes of the message have departed.
    pub(crate) fn bytes(&self) -> usize {
        self.parts as usize * FRAME_MAX
    }

    /// Starts over, with the next message or on another connection.
    pub(crate) fn reset(&mut self) {
        (self.credit, self.parts) = (Credit::None, 0);
    }

    /// Starts over on another connection, which need not wait for the last packet.
    pub(crate) fn restart(&mut self) {
        *self = Progress::default();
    }
}

/// The large messages in transit to one peer.
#[derive(Default)]
pub(crate) struct Assembly {
    /// Those whose start was granted, by sender and connection.
    pub(crate) started: Map<(Seat, u64), Started>,
    /// The bytes of the budget that they hold.
    pub(crate) held: usize,
    /// The pending requests to start, in order.
    pub(crate) waiting: VecDeque<(Key, Seat, AddressedMessage)>,
    /// Whether a look for messages without progress is scheduled.
    pub(crate) watched: bool,
}

pub(crate) struct Started {
    pub(crate) total: usize,
    /// When its sender was last heard.
    pub(crate) heard: Time,
}

impl Assembly {
    pub(crate) fn remove(&mut self, connection: (Seat, u64)) {
        if let Some(started) = self.started.swap_remove(&connection) {
            self.held -= started.total;
        }
    }
}

/// The receiver's end of a connection that is not simply open.
#[derive(Default)]
pub(crate) struct Incoming {
    /// The next attempt of the first message that was rejected.
    pub(crate) held_until: Time,
    pub(crate) attempt: u32,
    /// When the last admitted message may be handled.
    pub(crate) ready: Time,
    /// Whether it carries large messages: each packet then asks for admission only when the one
    /// before it is through.
    pub(crate) one_by_one: bool,
    /// Whether its first packet has its turn at the access link.
    pub(crate) has_turn: bool,
    /// The next attempt of the first message that found nobody.
    pub(crate) unanswered_until: Time,
    /// How many of its attempts found nobody.
    pub(crate) unanswered: u32,
    /// The cause for which messages behind one that was given up are dropped.
    pub(crate) broken: Option<DropCause>,
    /// When the last returned message reaches its sender.
    pub(crate) last_return: Time,
}

impl Incoming {
    /// The last instant that matters to this end.
    pub(crate) fn last(&self) -> Time {
        self.last_return.max(self.held_until).max(self.ready).max(self.unanswered_until)
    }
}

/// The handshakes of one seat's socket with others.
#[derive(Default)]
pub(crate) struct Acquaintances(pub(crate) Map<Seat, Acquaintance>);

pub(crate) enum Acquaintance {
    /// Said hello, and keeps the datagrams that are to depart after the answer.
    Dialled(Vec<(Header, Parcel)>),
    /// May send, and repeats the finish until that is confirmed.
    Finishing,
    Met,
}

impl Acquaintances {
    /// How many datagrams wait.
    pub(crate) fn waiting(&self) -> u64 {
        let count = |known: &Acquaintance| match known {
            Acquaintance::Dialled(datagrams) => datagrams.len() as u64,
            Acquaintance::Finishing | Acquaintance::Met => 0,
        };
        self.0.values().map(count).sum()
    }
}
