//! The ends of one seat's connections, as data: queues and retries where it sends, order and room
//! where it receives.

use std::collections::VecDeque;

use peerlet_core::runtime::{FRAME_MAX, Header, Parcel, Port, Trusted};
use peerlet_core::{Address, Duration, Map, Seat, Time};
use peerlet_measure::DropCause;

use crate::event::{AddressedMessage, Key};
use crate::signal::Queued;

/// One seat's ends of connections.
#[derive(Default)]
pub(crate) struct Connections {
    /// By destination and by the life that sends.
    pub(crate) outgoing: Map<(Address, u32), Outgoing>,
    /// Destinations given something by the event being handled.
    pub(crate) touched: Vec<(Address, u32)>,
    /// The peerlets that are about to be told that there is room, later in this instant.
    pub(crate) telling: Vec<((Address, u32), Port)>,
    /// Connections from others, by sender and number, that are held up or were refused lately.
    pub(crate) incoming: Map<(Seat, u64), Incoming>,
    /// When its link is free for the next packet of a large message, and how long the last one
    /// took.
    pub(crate) access_link: (Time, Duration),
    /// Large messages on their way to it.
    pub(crate) assembly: Assembly,
    /// Whom its socket has met, in runs that have handshakes.
    pub(crate) acquaintances: Acquaintances,
    /// The contacts that its life trusts.
    pub(crate) trusted: Trusted,
    /// When the seat's last pause ended.
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
    /// When the attempt that is being repeated was made first.
    pub(crate) since: Time,
    pub(crate) attempt: u32,
    /// The retry that is waited for, if one is.
    pub(crate) ticket: Option<u64>,
    /// The peerlets that met a full queue.
    pub(crate) refused: Vec<Port>,
    /// The size of the largest message that met it.
    pub(crate) wanted: usize,
    /// How far the message at the front is, when it is large.
    pub(crate) progress: Progress,
    /// Whether the peer trusts another identity than is at the other end.
    pub(crate) is_mistaken: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    New,
    Opening,
    Open {
        theirs: u32,
    },
    /// A message came back: what departed behind it will come back too; then the first `doomed` of
    /// the queue are reported.
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

/// How far the message at the front of a queue is, when it is large.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) credit: Credit,
    /// How many of its pieces have departed.
    pub(crate) parts: u32,
    /// How many packets had departed when the last piece was taken.
    pub(crate) taken: u64,
    /// When that was, or when the message was let start.
    pub(crate) heard: Time,
    pub(crate) window: u64,
    /// When the link is free for the next packet.
    pub(crate) pace: Time,
    /// Whether the retry that is waited for is that time, and none.
    pub(crate) paces: bool,
}

impl Progress {
    /// How many bytes of the message have departed.
    pub(crate) fn bytes(&self) -> usize {
        self.parts as usize * FRAME_MAX
    }

    /// Begins anew, with the next message or on another connection.
    pub(crate) fn reset(&mut self) {
        (self.credit, self.parts) = (Credit::None, 0);
    }

    /// Begins anew on another connection, which owes nothing to the link's last packet.
    pub(crate) fn restart(&mut self) {
        *self = Progress::default();
    }
}

/// The large messages on their way to one peer.
#[derive(Default)]
pub(crate) struct Assembly {
    /// Those that were let start, by sender and connection.
    pub(crate) started: Map<(Seat, u64), Started>,
    /// Bytes that they take of the budget.
    pub(crate) held: usize,
    /// The questions of those that wait, in order.
    pub(crate) waiting: VecDeque<(Key, Seat, AddressedMessage)>,
    /// Whether somebody looks soon for messages that stand still.
    pub(crate) watched: bool,
}

pub(crate) struct Started {
    pub(crate) total: usize,
    /// When its sender was heard last.
    pub(crate) heard: Time,
}

impl Assembly {
    pub(crate) fn remove(&mut self, connection: (Seat, u64)) {
        if let Some(started) = self.started.swap_remove(&connection) {
            self.held -= started.total;
        }
    }
}

/// What the receiver's end remembers of a connection with trouble.
#[derive(Default)]
pub(crate) struct Incoming {
    /// Until when the first message that was not let in waits for its next attempt.
    pub(crate) held_until: Time,
    pub(crate) attempt: u32,
    /// When the last message that was let in may be handled.
    pub(crate) ready: Time,
    /// Whether large messages come on it, and so whatever comes asks to be let in when what came
    /// before is through, and not before.
    pub(crate) one_by_one: bool,
    /// Whether its first packet has its turn at the link.
    pub(crate) has_turn: bool,
    /// Until when the first message that found nobody waits for its next attempt.
    pub(crate) unanswered_until: Time,
    /// How many of its attempts found nobody.
    pub(crate) unanswered: u32,
    /// Why the messages behind one that was given up are dropped as well.
    pub(crate) broken: Option<DropCause>,
    /// When the last message sent back gets back.
    pub(crate) last_return: Time,
}

impl Incoming {
    /// The last instant that anything is known about.
    pub(crate) fn last(&self) -> Time {
        self.last_return.max(self.held_until).max(self.ready).max(self.unanswered_until)
    }
}

/// What one seat knows of others' sockets.
#[derive(Default)]
pub(crate) struct Acquaintances(pub(crate) Map<Seat, Acquaintance>);

pub(crate) enum Acquaintance {
    /// Said hello, and keeps what is to depart after the answer.
    Dialled(Vec<(Header, Parcel)>),
    /// May send, and says that it is finished until that is confirmed.
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
