//! Why a network drops a packet: models decide it, the accounts of messages count it.

use std::fmt;

/// Why a model dropped a packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PacketDrop {
    /// The network lost it by chance.
    Loss,
    /// A queue was full.
    Queue,
    /// No path leads from the sender to the receiver.
    Partition,
    /// The receiver's address translation let nobody in.
    Nat,
}

impl PacketDrop {
    /// All causes, in the order of their declaration.
    pub const ALL: [PacketDrop; 4] =
        [PacketDrop::Loss, PacketDrop::Queue, PacketDrop::Partition, PacketDrop::Nat];

    /// The cause's name in counters and summaries.
    pub const fn name(self) -> &'static str {
        match self {
            PacketDrop::Loss => "loss",
            PacketDrop::Queue => "queue",
            PacketDrop::Partition => "partition",
            PacketDrop::Nat => "nat",
        }
    }
}

impl fmt::Display for PacketDrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
