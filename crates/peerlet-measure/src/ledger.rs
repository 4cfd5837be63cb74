//! The accounts of all messages: what was sent is delivered, dropped for a stated cause, or in
//! flight.

use peerlet_core::runtime::{Class, PacketDrop};

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
    /// A datagram to an address at which another identity was than the one that its sender trusts.
    Identity,
}

impl DropCause {
    /// All causes in the order of summaries.
    pub const ALL: [DropCause; 11] = [
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
        DropCause::Identity,
    ];

    /// The first causes, whose counts are in every digest. The others came later, and are in the
    /// digests of runs that have any.
    const DIGESTED: usize = 10;

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
            DropCause::Identity => "identity",
        }
    }
}

/// The cause in the accounts for a packet that a network model dropped.
impl From<PacketDrop> for DropCause {
    #[inline]
    fn from(cause: PacketDrop) -> DropCause {
        match cause {
            PacketDrop::Loss => DropCause::Loss,
            PacketDrop::Queue => DropCause::Queue,
            PacketDrop::Partition => DropCause::Partition,
            PacketDrop::Nat => DropCause::Nat,
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

    fn plus(&self, other: &Flow) -> Flow {
        Flow {
            sent: self.sent + other.sent,
            duplicated: self.duplicated + other.duplicated,
            delivered: self.delivered + other.delivered,
            in_flight: self.in_flight + other.in_flight,
            bytes: self.bytes + other.bytes,
            dropped: std::array::from_fn(|i| self.dropped[i] + other.dropped[i]),
        }
    }

    /// Counts one message dropped for this cause.
    pub fn drop_for(&mut self, cause: DropCause) {
        self.add_dropped(cause, 1);
    }

    /// Counts this many messages dropped for this cause.
    pub fn add_dropped(&mut self, cause: DropCause, count: u64) {
        self.dropped[cause as usize] += count;
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

    /// Adds the accounts of another shard or process.
    pub fn add(&mut self, other: &Ledger) {
        self.datagram = self.datagram.plus(&other.datagram);
        self.reliable = self.reliable.plus(&other.reliable);
    }

    /// Closes the accounts of a live run, where nobody sees what is under way: whatever was sent
    /// and is neither delivered nor dropped counts as in flight. More delivered and dropped than
    /// sent stays what it is, an account that does not balance.
    pub fn close(&mut self) {
        for flow in [&mut self.datagram, &mut self.reliable] {
            let known = flow.delivered + flow.dropped_total();
            flow.in_flight = (flow.sent + flow.duplicated).saturating_sub(known);
        }
    }

    /// Whether both accounts balance.
    pub fn is_balanced(&self) -> bool {
        self.datagram.is_balanced() && self.reliable.is_balanced()
    }

    /// Both accounts added up.
    pub fn total(&self) -> Flow {
        self.datagram.plus(&self.reliable)
    }

    /// The drop counters in the digest's order: datagrams, then reliable messages; and where a run
    /// dropped anything for its identity, the same for that cause.
    pub fn drops(&self) -> Vec<u64> {
        let flows = [&self.datagram, &self.reliable];
        let (first, later): (Vec<_>, Vec<_>) =
            flows.iter().map(|flow| flow.dropped.split_at(DropCause::DIGESTED)).unzip();
        let (mut drops, later) = (first.concat(), later.concat());
        if later.iter().any(|count| *count > 0) {
            drops.extend(later);
        }
        drops
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_balance_or_say_so() {
        let mut ledger = Ledger::default();
        let flow = ledger.of(Class::Reliable);
        (flow.sent, flow.delivered) = (5, 3);
        flow.drop_for(DropCause::OldLife);
        assert!(!ledger.is_balanced());
        ledger.close();
        assert_eq!(ledger.reliable.in_flight, 1);
        assert!(ledger.is_balanced());
        let twice = ledger;
        ledger.add(&twice);
        assert_eq!((ledger.total().sent, ledger.total().dropped_total()), (10, 2));
        ledger.of(Class::Datagram).delivered = 1;
        ledger.close();
        assert!(!ledger.is_balanced(), "more was delivered than sent");
    }

    #[test]
    fn a_packet_drop_is_counted_under_the_same_name() {
        for cause in PacketDrop::ALL {
            assert_eq!(DropCause::from(cause).name(), cause.name());
        }
    }

    #[test]
    fn every_drop_is_in_the_digest() {
        let mut ledger = Ledger::default();
        let mut all = std::collections::BTreeSet::from([ledger.drops()]);
        assert_eq!(ledger.drops().len(), 20);
        for class in [Class::Datagram, Class::Reliable] {
            for cause in DropCause::ALL {
                ledger.of(class).drop_for(cause);
                assert!(all.insert(ledger.drops()), "{cause:?}");
            }
        }
        assert_eq!(ledger.drops(), [1; 22]);
    }
}
