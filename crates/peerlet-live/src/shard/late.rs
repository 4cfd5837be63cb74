//! How late a shard is for what is due, and the time that it lost by that.

use std::ops::Range;
use std::time::Instant;

use peerlet_core::runtime::{Handler, Location, Port};
use peerlet_core::{Duration, MILLISECOND, Time};

use crate::monitor::{Delays, LOST_AFTER, Late};
use crate::shard::Shard;

/// How often a shard that has nothing to do wakes up all the same, so that it knows whether it
/// could.
pub(super) const HEARTBEAT: Duration = Duration::from_nanos(500 * MILLISECOND.as_nanos());

/// A shard's record of its own lateness.
#[derive(Default)]
pub(crate) struct Punctuality {
    /// When it was to be back at the latest; `None` before its first iteration, where it came late.
    pub(super) due: Option<Time>,
    pub(super) delays: Delays,
    /// The handler that took longest since it had looked last.
    slowest: Option<(Location, Duration)>,
    /// In which it did not run.
    lost: Vec<Range<Time>>,
}

impl Punctuality {
    /// How much of a span was lost.
    pub(super) fn lost_in(&self, span: Range<Time>) -> Duration {
        let overlap = |lost: &Range<Time>| {
            let (from, to) = (lost.start.max(span.start), lost.end.min(span.end));
            to.as_nanos().saturating_sub(from.as_nanos())
        };
        Duration::from_nanos(self.lost.iter().map(overlap).sum())
    }
}

impl Shard {
    /// Notes how late it is, at the beginning of an iteration. A second or more that was missed is
    /// time in which nothing was measured.
    pub(super) fn look_at_the_clock(&mut self) {
        let now = self.state.now;
        let slowest = self.late.slowest.take();
        let Some(due) = self.late.due.take().filter(|due| *due <= now) else { return };
        let late = now - due;
        self.late.delays.lateness.note(late);
        let lost = due..now.min(self.end);
        if late <= LOST_AFTER || lost.is_empty() {
            return;
        }
        self.state.recorder.absent(lost.clone());
        self.late.lost.push(lost);
        let back = Instant::now();
        let due = back.checked_sub(late.into()).unwrap_or(back);
        self.monitor.tell(Late { shard: self.number, due, back, at: now, slowest });
    }

    /// Notes a handler that took long.
    pub(super) fn note_blocked(
        &mut self,
        row: usize,
        handler: Handler,
        port: Option<Port>,
        took: std::time::Duration,
    ) {
        let registry = self.host.registry();
        let only = registry.entries().len() == 1;
        let port = port.or_else(|| only.then_some(Port(0)));
        let peerlet = port.and_then(|port| Some(registry.entry(port)?.name()));
        let (seat, life, time) = (self.seats[row], self.host.life(row), self.state.now);
        let location = Location { seat, life, peerlet, handler, time };
        let took = Duration::from(took);
        self.late.delays.note_blocked(location, took);
        if self.late.slowest.is_none_or(|(_, longest)| took > longest) {
            self.late.slowest = Some((location, took));
        }
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::SECOND;

    use super::*;

    #[test]
    fn time_is_lost_where_spans_meet() {
        let at = |seconds| Time::ZERO + SECOND * seconds;
        let lost = vec![at(3)..at(8), at(12)..at(14)];
        let late = Punctuality { lost, ..Punctuality::default() };
        for (from, to, seconds) in [(0, 3, 0), (0, 5, 2), (4, 5, 1), (5, 13, 4), (0, 20, 7)] {
            assert_eq!(late.lost_in(at(from)..at(to)), SECOND * seconds, "{from} to {to}");
        }
    }
}
