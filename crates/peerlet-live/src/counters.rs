//! What was dropped, by cause: nothing is lost in silence.

use crate::frame::FrameError;

/// Why something was dropped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cause {
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
    /// [`Handshake`](Cause::Handshake) that failed.
    Admission,
}

impl Cause {
    /// All causes, in the order of their declaration.
    pub const ALL: [Cause; 16] = [
        Cause::Decode,
        Cause::Version,
        Cause::Experiment,
        Cause::TooLarge,
        Cause::Queue,
        Cause::Link,
        Cause::Handshake,
        Cause::Forged,
        Cause::Stopped,
        Cause::OldLife,
        Cause::Duplicate,
        Cause::Unsupported,
        Cause::Unfinished,
        Cause::Stranger,
        Cause::Identity,
        Cause::Admission,
    ];

    /// The cause's name in summaries.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Decode => "decode",
            Cause::Version => "version",
            Cause::Experiment => "experiment",
            Cause::TooLarge => "too_large",
            Cause::Queue => "queue",
            Cause::Link => "link",
            Cause::Handshake => "handshake",
            Cause::Forged => "forged",
            Cause::Stopped => "stopped",
            Cause::OldLife => "old_life",
            Cause::Duplicate => "duplicate",
            Cause::Unsupported => "unsupported",
            Cause::Unfinished => "unfinished",
            Cause::Stranger => "stranger",
            Cause::Identity => "identity",
            Cause::Admission => "admission",
        }
    }
}

impl From<FrameError> for Cause {
    fn from(error: FrameError) -> Cause {
        match error {
            FrameError::Version(_) => Cause::Version,
            FrameError::TooLarge(_) => Cause::TooLarge,
            _ => Cause::Decode,
        }
    }
}

/// How much was dropped, by cause.
///
/// ```
/// use peerlet_live::{Cause, Counters};
/// let (mut all, mut shard) = (Counters::default(), Counters::default());
/// shard.add(Cause::Queue, 2);
/// all.merge(&shard);
/// assert_eq!(all.get(Cause::Queue), 2);
/// assert_eq!(all.iter().filter(|(_, n)| *n > 0).count(), 1);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters([u64; Cause::ALL.len()]);

impl Counters {
    /// Counts `n` more drops of this cause.
    pub fn add(&mut self, cause: Cause, n: u64) {
        let count = &mut self.0[cause as usize];
        *count = count.saturating_add(n);
    }

    /// How many were dropped for this cause.
    pub fn get(&self, cause: Cause) -> u64 {
        self.0[cause as usize]
    }

    /// Adds another's counts to these.
    pub fn merge(&mut self, other: &Counters) {
        other.iter().for_each(|(cause, n)| self.add(cause, n));
    }

    /// All causes with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Cause, u64)> + '_ {
        Cause::ALL.into_iter().zip(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_counts_in_its_own_place() {
        let mut counters = Counters::default();
        for (i, cause) in Cause::ALL.into_iter().enumerate() {
            counters.add(cause, i as u64);
        }
        let mut twice = counters;
        twice.merge(&counters);
        for (i, (cause, n)) in twice.iter().enumerate() {
            assert_eq!((cause, n), (Cause::ALL[i], 2 * i as u64), "{}", cause.name());
        }
        let names: std::collections::BTreeSet<_> = Cause::ALL.map(Cause::name).into();
        assert_eq!(names.len(), Cause::ALL.len());
    }
}
