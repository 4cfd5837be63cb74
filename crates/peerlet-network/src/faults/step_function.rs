//! Properties of seats as step functions of time.

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Seat, Time};

/// One property: for each seat, the values that it takes in order of time.
pub(super) struct StepFunction<V> {
    /// The first seat of each run of seats with one history, ascending.
    firsts: Vec<u32>,
    histories: Vec<Vec<(Time, V)>>,
}

impl<V: Copy> StepFunction<V> {
    /// The history that these changes make, which are in order of time.
    pub(super) fn new<'a>(
        changes: impl Iterator<Item = (Time, &'a SeatSet, V)>,
    ) -> StepFunction<V> {
        let changes: Vec<(Time, &SeatSet, V)> = changes.collect();
        let ranges = changes.iter().flat_map(|(_, seats, _)| seats.ranges());
        let mut firsts: Vec<u32> =
            ranges.flat_map(|range| [*range.start(), range.end().saturating_add(1)]).collect();
        firsts.sort_unstable();
        firsts.dedup();
        let mut histories = vec![Vec::new(); firsts.len()];
        for (at, seats, value) in changes {
            for range in seats.ranges() {
                let from = firsts.partition_point(|first| first < range.start());
                let to = firsts.partition_point(|first| first <= range.end());
                histories[from..to].iter_mut().for_each(|history| history.push((at, value)));
            }
        }
        StepFunction { firsts, histories }
    }

    fn history(&self, seat: Seat) -> &[(Time, V)] {
        if self.firsts.is_empty() {
            return &[];
        }
        let run = self.firsts.partition_point(|first| *first <= seat.0);
        run.checked_sub(1).map_or(&[], |run| &self.histories[run])
    }

    /// The value that holds for a seat at an instant; `None` before the first.
    #[inline]
    pub(super) fn at(&self, seat: Seat, at: Time) -> Option<V> {
        let history = self.history(seat);
        let done = history.partition_point(|(since, _)| *since <= at);
        done.checked_sub(1).map(|last| history[last].1)
    }

    /// When, after an instant, a value holds for a seat that is as wanted.
    pub(super) fn next(&self, seat: Seat, at: Time, wanted: impl Fn(V) -> bool) -> Option<Time> {
        let later = self.history(seat).iter().filter(|(since, _)| *since > at);
        later.filter(|(_, value)| wanted(*value)).map(|(since, _)| *since).next()
    }

    /// Whether any seat ever has such a value.
    pub(super) fn any(&self, is_such: impl Fn(V) -> bool) -> bool {
        self.histories.iter().flatten().any(|(_, value)| is_such(*value))
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::Seed;

    use super::*;

    #[test]
    fn the_last_change_before_an_instant_holds() {
        let mut rng = Seed::new(4).rng();
        for _ in 0..50 {
            let mut some = || {
                let ranges = (0..1 + rng.below(3)).map(|_| {
                    let first = rng.below(40) as u32;
                    first..=first + rng.below(10) as u32
                });
                SeatSet::from_ranges(ranges.collect::<Vec<_>>())
            };
            let sets: Vec<SeatSet> = (0..8).map(|_| some()).collect();
            let at = |i: usize| Time::from_nanos(10 * (i as u64 / 2));
            let changes = sets.iter().enumerate().map(|(i, seats)| (at(i), seats, i));
            let function = StepFunction::new(changes.clone());
            for seat in (0..60).map(Seat) {
                for now in (0..50).map(Time::from_nanos) {
                    let holds = |(since, seats, _): &(Time, &SeatSet, usize)| {
                        *since <= now && seats.contains(seat)
                    };
                    let expected = changes.clone().filter(holds).map(|(.., i)| i).next_back();
                    assert_eq!(function.at(seat, now), expected, "{seat} {now}");
                    let next = changes.clone().find(|(since, seats, i)| {
                        *since > now && seats.contains(seat) && i % 3 == 0
                    });
                    assert_eq!(function.next(seat, now, |i| i % 3 == 0), next.map(|(at, ..)| at));
                }
            }
        }
        let none = StepFunction::<u32>::new(std::iter::empty());
        assert!(none.at(Seat(0), Time::MAX).is_none() && !none.any(|_| true));
    }
}
