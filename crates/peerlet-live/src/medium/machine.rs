//! The machine's own share in the fates of an emulation's packets: its lateness before the measured
//! part, and the packets that it lost.

use super::lateness::Lateness;

/// Lateness between time zero and the end of the warm-up. It shapes the state that the measured
/// part begins with, so it makes a run void as well.
#[derive(Clone, Debug, Default)]
pub struct WarmUp {
    /// How late packets were handed to the operating system.
    pub lateness: Lateness,
    /// How late they were read off the sockets.
    pub read: Lateness,
}

/// Packets that the machine lost, not the network, between time zero and the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lost {
    /// Packets that did not fit the emulator's queue, because it was given more than it could look
    /// at.
    pub queue: u64,
    /// Packets that the operating system refused to take.
    pub refused: u64,
    /// Packets of an emulation that the operating system took and no peer read: the buffer of the
    /// receiver's socket was full, or its peer did not get to read it before the end.
    pub unread: u64,
}

impl Lost {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.queue + self.refused + self.unread
    }
}
