//! The reference engine's queue: one heap in the contract's order, simple on purpose.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::event::{Event, Key};

/// The number of pending events from which obsolete ones are swept out.
const SWEEP_MIN: usize = 4_096;

/// All pending events: a heap of small keys, with the events themselves beside it.
#[derive(Default)]
pub(crate) struct Heap {
    heap: BinaryHeap<Reverse<(Key, u32)>>,
    events: Vec<Option<Event>>,
    free: Vec<u32>,
    /// How many were pending after the last sweep.
    kept: usize,
}

impl Heap {
    pub(crate) fn push(&mut self, key: Key, event: Event) {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.events.push(None);
                u32::try_from(self.events.len() - 1).expect("fewer than 2^32 events wait")
            }
        };
        self.events[index as usize] = Some(event);
        self.heap.push(Reverse((key, index)));
    }

    /// Takes the first event, if `is_wanted`.
    pub(crate) fn pop_if(&mut self, is_wanted: impl Fn(&Key) -> bool) -> Option<(Key, Event)> {
        let Reverse((key, _)) = self.heap.peek()?;
        if !is_wanted(key) {
            return None;
        }
        let Reverse((key, index)) = self.heap.pop()?;
        self.free.push(index);
        let event = self.events[index as usize].take();
        Some((key, event.expect("a key has its event")))
    }

    /// Drops obsolete events, if the number of pending ones has doubled since the last sweep; false
    /// if it has not.
    pub(crate) fn sweep(&mut self, mut is_of_use: impl FnMut(&Key, &Event) -> bool) -> bool {
        if self.heap.len() < SWEEP_MIN.max(self.kept * 2) {
            return false;
        }
        let Heap { heap, events, free, kept } = self;
        heap.retain(|Reverse((key, index))| {
            let event = &mut events[*index as usize];
            let is_kept = event.as_ref().is_some_and(|event| is_of_use(key, event));
            if !is_kept {
                *event = None;
                free.push(*index);
            }
            is_kept
        });
        *kept = heap.len();
        true
    }

    /// All pending events, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{Seat, Seed, Time};

    use super::*;

    #[test]
    fn obsolete_events_are_swept_out() {
        let mut heap = Heap::default();
        let is_of_use = |_: &Key, event: &Event| number(event).is_multiple_of(100);
        for n in 0..100_000u32 {
            let time = Time::from_nanos(u64::from(n % 977));
            let key = Key { time, round: 0, seat: Seat(0), source: 1, seq: n.into() };
            heap.push(key, event(n));
            heap.sweep(is_of_use);
            assert!(heap.events.len() <= SWEEP_MIN && heap.heap.len() < SWEEP_MIN);
        }
        heap.kept = 0;
        (0..SWEEP_MIN as u32).for_each(|n| {
            let key = Key { time: Time::ZERO, round: 0, seat: Seat(1), source: 2, seq: n.into() };
            heap.push(key, event(n));
        });
        heap.sweep(is_of_use);
        let left = std::iter::from_fn(|| heap.pop_if(|_| true));
        let left: Vec<_> = left.map(|(_, event)| number(&event)).collect();
        assert!(left.iter().all(|n| n.is_multiple_of(100)));
        assert_eq!(left.len(), 1_000 + SWEEP_MIN.div_ceil(100));
    }

    /// An event that can be told apart from others.
    fn event(number: u32) -> Event {
        Event::Wake { task: number, operation: 0 }
    }

    fn number(event: &Event) -> u32 {
        match event {
            Event::Wake { task, .. } => *task,
            other => panic!("nobody pushed {other:?}"),
        }
    }

    /// All keys out of few times, rounds, seats, sources and numbers, in order.
    fn keys() -> Vec<Key> {
        let mut keys = Vec::new();
        for (time, round) in (0..3).flat_map(|time| (0..3).map(move |round| (time, round))) {
            let time = Time::from_nanos(time);
            let mut add = |seat, source, seq| {
                keys.push(Key { time, round, seat: Seat(seat), source, seq });
            };
            let pairs = || (0..3).flat_map(|a| (0..3).map(move |b| (a, b)));
            pairs().for_each(|(seq, seat)| add(seat, 0, seq.into()));
            for seat in 0..3 {
                pairs().for_each(|(source, seq)| add(seat, source + 1, seq.into()));
            }
        }
        keys
    }

    #[test]
    fn order_does_not_depend_on_insertion() {
        let keys = keys();
        assert!(keys.is_sorted_by(|a, b| a < b));
        for seed in 0..50 {
            let mut shuffled: Vec<usize> = (0..keys.len()).collect();
            Seed::new(seed).rng().shuffle(&mut shuffled);
            let mut queue = Heap::default();
            for index in shuffled {
                queue.push(keys[index], event(index as u32));
            }
            for (index, expected) in keys.iter().enumerate() {
                let (key, event) = queue.pop_if(|_| true).unwrap();
                assert_eq!((key, number(&event)), (*expected, index as u32), "seed {seed}");
            }
            assert!(queue.pop_if(|_| true).is_none());
        }
    }

    /// Pushes and pops by turns, as a run does; indices are reused and lose nothing.
    #[test]
    fn indices_are_reused() {
        let (mut queue, mut rng, mut now) = (Heap::default(), Seed::new(7).rng(), 0);
        let mut waiting = std::collections::BTreeMap::new();
        for seq in 0..20_000 {
            let time = Time::from_nanos(now + rng.below(50));
            let key = Key { time, round: 0, seat: Seat(0), source: 1, seq };
            queue.push(key, event(seq as u32));
            waiting.insert(key, seq as u32);
            while rng.chance(0.5) {
                let end = Time::from_nanos(now + 25);
                let Some((key, event)) = queue.pop_if(|key| key.time < end) else { break };
                assert!(key.time < end);
                assert_eq!(waiting.pop_first(), Some((key, number(&event))));
                now = key.time.as_nanos();
            }
            assert_eq!(queue.iter().count(), waiting.len());
        }
        assert!(queue.events.len() < 5_000, "{} indices", queue.events.len());
    }
}
