//! The alarms of a shard's peers, by the time at which they are due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use peerlet_core::{Alarm, Time};

/// An alarm with the life that set it.
pub(crate) struct Waiting {
    pub(crate) due: Time,
    serial: u64,
    pub(crate) row: usize,
    pub(crate) life: u32,
    pub(crate) alarm: Alarm,
}

/// All alarms that wait. Those due at one instant come in the order in which they were set.
#[derive(Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<Waiting>>,
    serial: u64,
}

impl Timers {
    pub(crate) fn push(&mut self, due: Time, row: usize, life: u32, alarm: Alarm) {
        self.serial += 1;
        self.heap.push(Reverse(Waiting { due, serial: self.serial, row, life, alarm }));
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(waiting)| waiting.due)
    }

    pub(crate) fn pop_due(&mut self, now: Time) -> Option<Waiting> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(waiting)| waiting)
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Waiting) -> bool {
        (self.due, self.serial) == (other.due, other.serial)
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Waiting) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Waiting) -> std::cmp::Ordering {
        (self.due, self.serial).cmp(&(other.due, other.serial))
    }
}
