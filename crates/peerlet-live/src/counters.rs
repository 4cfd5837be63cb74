//! Counters of drops at sockets, by cause: nothing is lost in silence.

use std::sync::{Arc, Mutex, PoisonError};

use crate::frame::FrameError;

/// The cause for which a socket or a connection dropped something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SocketDrop {
    /// The bytes could not be read.
    Decode,
    /// The frame is of another version.
    Version,
    /// The frame belongs to another experiment.
    Experiment,
    /// It is larger than it may be.
    TooLarge,
    /// A queue was full.
    Queue,
    /// There was no connection, or it broke.
    Link,
    /// A connection was refused: its handshake failed or there are too many.
    Handshake,
    /// The frame's slot does not belong to the process that it came from, or the packet's code is
    /// not that of the network's secret.
    Forged,
    /// Nobody lives in the slot that it is for.
    Stopped,
    /// It is for another life than the one that lives there, or the connection is unknown.
    OldLife,
    /// It has arrived before.
    Duplicate,
    /// The transport cannot carry it.
    Unsupported,
    /// A frame began and did not end in time.
    Unfinished,
    /// It came from a process that does not take part, and was not about joining, or was too much
    /// of that.
    Stranger,
    /// It was for one process only, and another one was found at its address.
    Identity,
    /// A connection was not made since one side did not let the other in: it said so, or a proof or
    /// a list failed. Where nothing more is heard from the other side, it is a
    /// [`Handshake`](SocketDrop::Handshake) that failed.
    Admission,
}

impl SocketDrop {
    /// All causes, in the order of their declaration.
    pub const ALL: [SocketDrop; 16] = [
        SocketDrop::Decode,
        SocketDrop::Version,
        SocketDrop::Experiment,
        SocketDrop::TooLarge,
        SocketDrop::Queue,
        SocketDrop::Link,
        SocketDrop::Handshake,
        SocketDrop::Forged,
        SocketDrop::Stopped,
        SocketDrop::OldLife,
        SocketDrop::Duplicate,
        SocketDrop::Unsupported,
        SocketDrop::Unfinished,
        SocketDrop::Stranger,
        SocketDrop::Identity,
        SocketDrop::Admission,
    ];

    /// The cause's name in summaries.
    pub const fn name(self) -> &'static str {
        match self {
            SocketDrop::Decode => "decode",
            SocketDrop::Version => "version",
            SocketDrop::Experiment => "experiment",
            SocketDrop::TooLarge => "too_large",
            SocketDrop::Queue => "queue",
            SocketDrop::Link => "link",
            SocketDrop::Handshake => "handshake",
            SocketDrop::Forged => "forged",
            SocketDrop::Stopped => "stopped",
            SocketDrop::OldLife => "old_life",
            SocketDrop::Duplicate => "duplicate",
            SocketDrop::Unsupported => "unsupported",
            SocketDrop::Unfinished => "unfinished",
            SocketDrop::Stranger => "stranger",
            SocketDrop::Identity => "identity",
            SocketDrop::Admission => "admission",
        }
    }
}

impl From<FrameError> for SocketDrop {
    fn from(error: FrameError) -> SocketDrop {
        match error {
            FrameError::Version(_) => SocketDrop::Version,
            FrameError::TooLarge(_) => SocketDrop::TooLarge,
            _ => SocketDrop::Decode,
        }
    }
}

/// How much was dropped, by cause.
///
/// ```
/// use peerlet_live::{Counters, SocketDrop};
/// let (mut all, mut shard) = (Counters::default(), Counters::default());
/// shard.add(SocketDrop::Queue, 2);
/// all.merge(&shard);
/// assert_eq!(all.get(SocketDrop::Queue), 2);
/// assert_eq!(all.iter().filter(|(_, n)| *n > 0).count(), 1);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters([u64; SocketDrop::ALL.len()]);

impl Counters {
    /// Counts `n` more drops of this cause.
    pub fn add(&mut self, cause: SocketDrop, n: u64) {
        let count = &mut self.0[cause as usize];
        *count = count.saturating_add(n);
    }

    /// How many were dropped for this cause.
    pub fn get(&self, cause: SocketDrop) -> u64 {
        self.0[cause as usize]
    }

    /// Adds another's counts to these.
    pub fn merge(&mut self, other: &Counters) {
        other.iter().for_each(|(cause, n)| self.add(cause, n));
    }

    /// All causes with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (SocketDrop, u64)> + '_ {
        SocketDrop::ALL.into_iter().zip(self.0)
    }
}

/// Counters that tasks share; they touch them only when something is dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Mutex<Counters>>);

impl Tally {
    pub(crate) fn add(&self, cause: SocketDrop, n: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(cause, n);
    }

    pub(crate) fn get(&self) -> Counters {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_counts_in_its_own_place() {
        let mut counters = Counters::default();
        for (i, cause) in SocketDrop::ALL.into_iter().enumerate() {
            counters.add(cause, i as u64);
        }
        let mut twice = counters;
        twice.merge(&counters);
        for (i, (cause, n)) in twice.iter().enumerate() {
            assert_eq!((cause, n), (SocketDrop::ALL[i], 2 * i as u64), "{}", cause.name());
        }
        let names: std::collections::BTreeSet<_> = SocketDrop::ALL.map(SocketDrop::name).into();
        assert_eq!(names.len(), SocketDrop::ALL.len());
    }
}
