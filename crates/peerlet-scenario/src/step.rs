//! The entries of a timeline: one step each.

use peerlet_core::{Seat, Time};

/// The most starts and stops that churn may add: 1.6 GB of them.
pub const ENTRIES_MAX: usize = 100_000_000;

/// One entry of a timeline: 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimelineEntry {
    /// When.
    pub at: Time,
    /// Its effect.
    pub step: Step,
}

/// The effect of an entry of a timeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// The seat starts: for the first time, or by churn.
    Start(Seat),
    /// The seat stops in order, by churn.
    Stop(Seat),
    /// The seat crashes, or one that has stopped loses its state, by churn.
    Crash(Seat),
    /// The event with this index happens.
    Event(u32),
}

impl Step {
    /// Where it stands among the steps of its instant. A seat that stops may lose its state then.
    pub(crate) fn order(self) -> (bool, u32, bool) {
        match self {
            Step::Start(seat) | Step::Stop(seat) => (false, seat.0, false),
            Step::Crash(seat) => (false, seat.0, true),
            Step::Event(index) => (true, index, false),
        }
    }
}
