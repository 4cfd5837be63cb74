//! The alarms of a shard's peers, by the time at which they are due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use peerlet_core::Time;
use peerlet_core::runtime::{Alarm, Swept};

/// An alarm with the life that set it.
pub(crate) struct WaitingAlarm {
    pub(crate) due: Time,
    serial: u64,
    pub(crate) row: usize,
    pub(crate) life: u32,
    pub(crate) alarm: Alarm,
}

/// So many alarms wait before they are looked through for those that mean nothing any more.
const SWEEP_MIN: usize = 1_024;

/// All alarms that wait. Those due at one instant come in the order in which they were set.
#[derive(Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<WaitingAlarm>>,
    serial: u64,
    /// How many waited after the last look through them.
    kept: usize,
    /// When that was.
    swept: Swept,
}

impl Timers {
    pub(crate) fn push(&mut self, due: Time, row: usize, life: u32, alarm: Alarm) {
        self.serial += 1;
        self.heap.push(Reverse(WaitingAlarm { due, serial: self.serial, row, life, alarm }));
    }

    /// Drops the alarms that are of no use, if the number of those that wait has doubled since the
    /// last time: memory follows what is of use, and each alarm pays for one look.
    pub(crate) fn sweep(&mut self, now: Time, mut is_of_use: impl FnMut(&WaitingAlarm) -> bool) {
        if self.heap.len() >= SWEEP_MIN.max(self.kept * 2) {
            self.heap.retain(|Reverse(waiting)| is_of_use(waiting));
            self.kept = self.heap.len();
            self.swept = Swept { at: now, beyond: now };
        }
    }

    /// When those of no use were dropped last.
    pub(crate) fn swept(&self) -> Swept {
        self.swept
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(waiting)| waiting.due)
    }

    pub(crate) fn pop_due(&mut self, now: Time) -> Option<WaitingAlarm> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(waiting)| waiting)
    }
}

impl PartialEq for WaitingAlarm {
    fn eq(&self, other: &WaitingAlarm) -> bool {
        (self.due, self.serial) == (other.due, other.serial)
    }
}

impl Eq for WaitingAlarm {}

impl PartialOrd for WaitingAlarm {
    fn partial_cmp(&self, other: &WaitingAlarm) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for WaitingAlarm {
    fn cmp(&self, other: &WaitingAlarm) -> std::cmp::Ordering {
        (self.due, self.serial).cmp(&(other.due, other.serial))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_what_is_of_use() {
        let mut timers = Timers::default();
        let mut most = 0;
        for n in 0..1_000_000u32 {
            let due = Time::from_nanos(1_000_000_000 + u64::from(n));
            timers.push(due, 0, 1, Alarm::Wake { task: n, operation: 1 });
            // Every thousandth is still waited for.
            timers.sweep(Time::from_nanos(n.into()), |waiting| match waiting.alarm {
                Alarm::Wake { task, .. } => task % 1_000 == 0,
                Alarm::Timer { .. } => unreachable!("none was set"),
            });
            most = most.max(timers.heap.len());
        }
        assert!(most <= 2 * 1_024, "{most} waited at once");
        let mut left = std::iter::from_fn(|| timers.pop_due(Time::MAX)).map(|waiting| waiting.due);
        assert!((0..1_000).all(|n| left.any(|due| due.as_nanos() == 1_000_000_000 + n * 1_000)));
    }
}
