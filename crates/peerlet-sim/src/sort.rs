//! Puts the events of one bucket into order: what is handled alike together, and each peer's own by
//! time.

use std::cmp::Ordering;
use std::mem;

use peerlet_core::Turn;
use peerlet_memory::forget_all;

use crate::ring::Chunk;

/// The most bits that the counting pass looks at.
const COUNTED_MAX: u32 = 12;

/// How many lanes there are.
const LANES: usize = 8;

/// How places are read: they have so many bits, of which these, the highest, are the destination's.
#[derive(Clone, Copy)]
pub(crate) struct Bits {
    pub(crate) place: u32,
    pub(crate) destination: u32,
}

/// Sorts events, with memory that it uses again.
#[derive(Default)]
pub(crate) struct Sorter {
    /// For each destination, the number of its last event, if it had one in this sort.
    last: Vec<u32>,
    /// How many events there were in earlier sorts, since all of `last` was zero: less than any
    /// number of this one.
    earlier: u32,
    /// The group of each event.
    groups: Vec<u32>,
    /// How many events each group has, then where its next event goes.
    heads: Vec<u32>,
}

impl Sorter {
    /// Moves all events out of the chunks, which are left empty, to the front of `into`; returns
    /// how many they are. Each destination's own stand in the order of their places, then as `tie`
    /// says.
    ///
    /// Which destination comes first makes no difference. So those that have a single event, as
    /// most do, are only dealt into lanes of events that are handled alike, for the sake of the
    /// processor's guesses, and within a lane into groups of neighbors, for the sake of the cache.
    /// The others follow, in groups of few destinations, which are sorted.
    ///
    /// What `into` held must hold no values any more: nothing of it is dropped.
    pub(crate) fn sort(
        &mut self,
        chunks: &mut [Chunk],
        into: &mut Vec<Turn>,
        bits: Bits,
        tie: impl Fn(&Turn, &Turn) -> Ordering,
    ) -> usize {
        let count = chunks.iter().map(Vec::len).sum();
        if into.len() < count {
            into.resize_with(count, Turn::default);
        }
        let lanes = self.group(chunks, bits, count);
        let (heads, into) = (&mut self.heads[..], &mut into[..count]);
        let mut sum = 0u32;
        for head in &mut *heads {
            sum = sum.wrapping_add(mem::replace(head, sum));
        }
        let mut groups = self.groups.iter();
        for chunk in chunks {
            for (turn, group) in chunk.iter_mut().zip(&mut groups) {
                let head = &mut heads[*group as usize];
                let place = &mut into[*head as usize];
                *head = head.wrapping_add(1);
                debug_assert!(place.body().is_plain(), "what was there was taken out");
                // Nothing is left there to be dropped, so it is not looked at.
                mem::forget(mem::replace(place, turn.leave()));
            }
            forget_all(chunk);
        }
        // By now, each head is where its group ends.
        for ends in heads[lanes - 1..].windows(2) {
            let group = &mut into[ends[0] as usize..ends[1] as usize];
            if group.len() > 1 {
                let by_place = |a: &Turn, b: &Turn| a.place_high().cmp(&b.place_high());
                group.sort_unstable_by(|a, b| by_place(a, b).then_with(|| tie(a, b)));
            }
        }
        count
    }

    /// Finds the group of each event, and counts those of each group. Returns the number of groups
    /// of destinations with a single event, which come first.
    fn group(&mut self, chunks: &[Chunk], bits: Bits, count: usize) -> usize {
        let counted = |groups: usize| groups.max(1).ilog2().min(COUNTED_MAX).min(bits.destination);
        let (of_lane, of_rest) = (counted(count / LANES), counted(count / 2));
        let (lane_shift, rest_shift) = (bits.destination - of_lane, bits.destination - of_rest);
        let shift = Turn::PLACE_SHIFT + bits.place - bits.destination;
        let lanes = LANES << of_lane;
        self.heads.clear();
        self.heads.resize(lanes + (1 << of_rest), 0);
        if self.groups.len() < count {
            self.groups.resize(count, 0);
        }
        let earlier = self.begin(1 << bits.destination, count);
        let (heads, groups) = (&mut self.heads[..], &mut self.groups[..count]);
        let last = &mut self.last[..1 << bits.destination];
        for (turn, i) in chunks.iter().flatten().zip(0..) {
            let destination = turn.place_from(shift) as usize;
            let before = mem::replace(&mut last[destination], earlier + i + 1);
            let mut group = lane(turn) << of_lane | destination >> lane_shift;
            if before > earlier {
                group = lanes + (destination >> rest_shift);
                let first = &mut groups[(before - earlier - 1) as usize];
                heads[*first as usize] -= 1;
                heads[group] += 1;
                *first = group as u32;
            }
            heads[group] += 1;
            groups[i as usize] = group as u32;
        }
        lanes
    }

    /// Begins to number so many events of so many destinations; returns the number before the
    /// first.
    fn begin(&mut self, destinations: usize, count: usize) -> u32 {
        if self.last.len() < destinations {
            self.last.resize(destinations, 0);
        }
        let next = self.earlier.checked_add(count as u32);
        if next.is_none() {
            self.last.fill(0);
        }
        let earlier = next.map_or(0, |_| self.earlier);
        self.earlier = next.unwrap_or(count as u32);
        earlier
    }
}

/// Events that are handled alike share a lane: messages or timers of the same peerlet.
#[inline(always)]
fn lane(turn: &Turn) -> usize {
    let kind = usize::from(turn.kind()) & 1;
    (usize::from(turn.port().0) << 1 | kind) & (LANES - 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use peerlet_core::{Body, Port, Seed};

    use super::*;

    /// The places and marks of each destination's turns, in the order in which they stand.
    fn by_destination(places: &[(u64, u32)], low_bits: u32) -> BTreeMap<u64, Vec<(u64, u32)>> {
        let mut found = BTreeMap::<u64, Vec<_>>::new();
        for (place, mark) in places {
            found
                .entry(place.checked_shr(low_bits).unwrap_or(0))
                .or_default()
                .push((*place, *mark));
        }
        found
    }

    #[test]
    fn each_destinations_events_ascend() {
        let (mut rng, mut into) = (Seed::new(3).rng(), Vec::new());
        let mut sorter = Sorter::default();
        for (place, destination) in [(1, 1), (6, 1), (12, 12), (38, 12), (38, 4), (44, 20)] {
            for n in [0, 1, 2, 47, 48, 500, 5_000, 70_000] {
                for spread in [1, 2, 1 << 20, u64::MAX] {
                    let mut draw = || rng.bits() % spread % (1 << place);
                    let mut expected: Vec<(u64, u32)> = (0..n).map(|i| (draw(), i)).collect();
                    let turn = |&(place, mark): &(u64, u32)| {
                        Turn::timer(place, Port(0), 0, mark, Body::value(vec![mark]))
                    };
                    let mut chunks: Vec<Chunk> =
                        expected.chunks(64).map(|some| some.iter().map(turn).collect()).collect();
                    let tie = |a: &Turn, b: &Turn| a.mark().cmp(&b.mark());
                    let bits = Bits { place, destination };
                    let count = sorter.sort(&mut chunks, &mut into, bits, tie);
                    assert!(count == expected.len() && chunks.iter().all(Vec::is_empty));
                    let seen: Vec<(u64, u32)> = into[..count]
                        .iter_mut()
                        .map(|turn| {
                            assert_eq!(turn.body_mut().extract(), Some(vec![turn.mark()]));
                            (turn.place_high() >> Turn::PLACE_SHIFT, turn.mark())
                        })
                        .collect();
                    expected.sort_unstable();
                    let low_bits = place - destination;
                    let [seen, expected] = [&seen, &expected].map(|s| by_destination(s, low_bits));
                    assert_eq!(seen, expected, "{n} events of {place} bits");
                }
            }
        }
    }
}
