//! The accounts of all messages: what was sent is delivered, dropped for a stated cause, or in
//! flight.

use peerlet_core::Class;

/// Why a message was dropped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DropCause {
    /// The network lost it.
    Loss,
    /// The network was partitioned.
    Partition,
    /// Nobody lived at its address when it arrived, or its sender did not live when it was sent.
    Stopped,
    /// It belonged to a connection with an older life.
    OldLife,
    /// A queue in the network was full.
    Queue,
    /// It was larger than its class allows.
    TooLarge,
    /// It could not be decoded by the peer that it came to.
    Decode,
    /// A filter took it out.
    Filtered,
    /// An address translation let nobody in.
    Nat,
    /// A reliable message that never left its sender's queue.
    Undelivered,
}

impl DropCause {
    /// All causes in the order of summaries and the digest.
    pub const ALL: [DropCause; 10] = [
        DropCause::Loss,
        DropCause::Partition,
        DropCause::Stopped,
        DropCause::OldLife,
        DropCause::Queue,
        DropCause::TooLarge,
        DropCause::Decode,
        DropCause::Filtered,
        DropCause::Nat,
        DropCause::Undelivered,
    ];

    /// The cause's name in summaries.
    pub const fn name(self) -> &'static str {
        match self {
            DropCause::Loss => "loss",
            DropCause::Partition => "partition",
            DropCause::Stopped => "stopped",
            DropCause::OldLife => "old_life",
            DropCause::Queue => "queue",
            DropCause::TooLarge => "too_large",
            DropCause::Decode => "decode",
            DropCause::Filtered => "filtered",
            DropCause::Nat => "nat",
            DropCause::Undelivered => "undelivered",
        }
    }
}

/// The account of one class of delivery.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Flow {
    /// Messages that peers sent.
    pub sent: u64,
    /// Copies that the network made.
    pub duplicated: u64,
    /// Messages that reached a handler or a task.
    pub delivered: u64,
    /// Messages that were still on their way at the end.
    pub in_flight: u64,
    /// Encoded bytes of the messages sent.
    pub bytes: u64,
    dropped: [u64; DropCause::ALL.len()],
}

impl Flow {
    /// How many were dropped for this cause.
    pub fn dropped(&self, cause: DropCause) -> u64 {
        self.dropped[cause as usize]
    }

    /// How many were dropped in all.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Whether `sent + duplicated = delivered + dropped + in flight`, exactly.
    pub fn is_balanced(&self) -> bool {
        self.sent + self.duplicated == self.delivered + self.dropped_total() + self.in_flight
    }

    /// Counts one message dropped for this cause.
    pub fn drop_for(&mut self, cause: DropCause) {
        self.dropped[cause as usize] += 1;
    }
}

/// The accounts of both classes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Ledger {
    /// Datagrams.
    pub datagram: Flow,
    /// Reliable messages.
    pub reliable: Flow,
}

impl Ledger {
    /// The account of this class.
    pub fn of(&mut self, class: Class) -> &mut Flow {
        match class {
            Class::Datagram => &mut self.datagram,
            Class::Reliable => &mut self.reliable,
        }
    }

    /// Whether both accounts balance.
    pub fn is_balanced(&self) -> bool {
        self.datagram.is_balanced() && self.reliable.is_balanced()
    }

    /// Both accounts added up.
    pub fn total(&self) -> Flow {
        let (a, b) = (&self.datagram, &self.reliable);
        Flow {
            sent: a.sent + b.sent,
            duplicated: a.duplicated + b.duplicated,
            delivered: a.delivered + b.delivered,
            in_flight: a.in_flight + b.in_flight,
            bytes: a.bytes + b.bytes,
            dropped: std::array::from_fn(|i| a.dropped[i] + b.dropped[i]),
        }
    }

    /// The drop counters in the digest's order: datagrams, then reliable messages.
    pub fn drops(&self) -> Vec<u64> {
        [self.datagram.dropped, self.reliable.dropped].concat()
    }
}
