//! Sorts the events of one bucket: events that are handled alike together, and those of each peer
//! by time.

use std::cmp::Ordering;
use std::mem;
use std::slice;

use peerlet_core::runtime::PackedEvent;
use peerlet_memory::{forget_all, push_within};

use crate::packed::Chunk;

/// The most bits that the counting pass looks at.
const COUNTED_MAX: u32 = 12;

/// How many lanes there are.
const LANES: usize = 8;

/// The lane of the remaining events.
const REST: usize = LANES;

/// Fewer events than this share one lane: with so few, more lanes cost more than they save.
const FEW: usize = 64;

/// How many bits a key has, and how many of these, the highest, are the destination's.
#[derive(Clone, Copy)]
pub(crate) struct Bits {
    pub(crate) key: u32,
    pub(crate) destination: u32,
}

impl Bits {
    /// How far up in an event its destination is.
    fn shift(self) -> u32 {
        PackedEvent::PLACE_SHIFT + self.key - self.destination
    }
}

/// Sorted events: those of each lane, then the rest.
pub(crate) type Lanes = [Vec<PackedEvent>; LANES + 1];

/// Sorts events in reused memory.
#[derive(Default)]
pub(crate) struct Sorter {
    /// By destination, the position of its event, if it had one in this sort.
    spots: Vec<Spot>,
    /// The number of this sort.
    sort: u32,
    /// The events that are still to be sorted.
    rest: Chunk,
    /// The group of each event.
    groups: Vec<u32>,
    /// How many events each group has, then where its next event goes.
    heads: Vec<u32>,
}

/// The position of a destination's only event, and the number of the sort.
#[derive(Clone, Copy, Default)]
struct Spot(u32);

impl Spot {
    const INDEX_BITS: u32 = 14;
    const LANE_BITS: u32 = 4;
    const SORT_BITS: u32 = 32 - Spot::INDEX_BITS - Spot::LANE_BITS;

    #[inline(always)]
    fn new(sort: u32, lane: usize, index: usize) -> Spot {
        let slot = (lane as u32) << Spot::INDEX_BITS | index as u32;
        Spot(sort << (32 - Spot::SORT_BITS) | slot)
    }

    #[inline(always)]
    fn is_of(self, sort: u32) -> bool {
        self.0 >> (32 - Spot::SORT_BITS) == sort
    }

    fn lane(self) -> usize {
        (self.0 >> Spot::INDEX_BITS) as usize & ((1 << Spot::LANE_BITS) - 1)
    }

    fn index(self) -> usize {
        self.0 as usize & ((1 << Spot::INDEX_BITS) - 1)
    }
}

impl Sorter {
    /// Moves all events out of the chunks, which are left empty, into the lanes. The events of each
    /// destination are in the order of their keys, then of `tie`.
    ///
    /// The order of destinations makes no difference. So those with a single event, as most have,
    /// are only dealt into lanes of events that are handled alike, for the sake of branch
    /// prediction. The others follow in groups of a few destinations, which are sorted.
    ///
    /// The events left in the lanes must hold no values: they are not dropped.
    pub(crate) fn sort(
        &mut self,
        chunks: &mut [Chunk],
        lanes: &mut Lanes,
        bits: Bits,
        tie: impl Fn(&PackedEvent, &PackedEvent) -> Ordering,
    ) {
        lanes.iter_mut().for_each(forget_all);
        let count = chunks.iter().map(Vec::len).sum::<usize>();
        // Where most destinations have several events, dealing is wasted work.
        if count < 1 << bits.destination.min(Spot::INDEX_BITS) {
            self.deal(chunks, lanes, bits, count);
            let mut rest = mem::take(&mut self.rest);
            self.order(slice::from_mut(&mut rest), &mut lanes[REST], bits, tie);
            self.rest = rest;
        } else {
            self.order(chunks, &mut lanes[REST], bits, tie);
        }
    }

    /// Deals events into lanes, as long as each is the only one of its destination; the others
    /// become the rest.
    fn deal(&mut self, chunks: &mut [Chunk], lanes: &mut Lanes, bits: Bits, count: usize) {
        self.begin(1 << bits.destination);
        let Sorter { spots, rest, sort, .. } = self;
        let (spots, sort, shift) = (&mut spots[..1 << bits.destination], *sort, bits.shift());
        let mask = if count < FEW { 0 } else { LANES - 1 };
        for chunk in chunks {
            for event in chunk.iter_mut() {
                let (lane, spot) =
                    (event.family() & mask, &mut spots[event.place_from(shift) as usize]);
                let events = &mut lanes[lane];
                if !spot.is_of(sort) && events.len() < events.capacity() {
                    *spot = Spot::new(sort, lane, events.len());
                    let dealt = push_within(events, || event.leave());
                    debug_assert!(dealt.is_ok(), "the lane has room");
                } else {
                    Dealt { lanes, spots, rest, sort, shift }.add_slowly(event, lane);
                }
            }
            forget_all(chunk);
        }
    }

    /// Begins a sort among this many destinations.
    fn begin(&mut self, destinations: usize) {
        if self.spots.len() < destinations {
            self.spots.resize(destinations, Spot::default());
        }
        self.sort += 1;
        if self.sort >> Spot::SORT_BITS > 0 {
            self.spots.fill(Spot::default());
            self.sort = 1;
        }
    }

    /// Moves all events out of the chunks, which are left empty, into order.
    fn order(
        &mut self,
        chunks: &mut [Chunk],
        into: &mut Vec<PackedEvent>,
        bits: Bits,
        tie: impl Fn(&PackedEvent, &PackedEvent) -> Ordering,
    ) {
        let count = self.group(chunks, bits);
        into.resize_with(count, PackedEvent::default);
        let mut sum = 0u32;
        for head in &mut self.heads {
            sum = sum.wrapping_add(mem::replace(head, sum));
        }
        let mut groups = self.groups.iter();
        for chunk in chunks {
            for (event, group) in chunk.iter_mut().zip(&mut groups) {
                let head = &mut self.heads[*group as usize];
                let slot = &mut into[*head as usize];
                *head = head.wrapping_add(1);
                // The slot holds nothing to drop, so it is not read.
                mem::forget(mem::replace(slot, event.leave()));
            }
            forget_all(chunk);
        }
        // Each head is now the end of its group.
        let mut from = 0;
        for end in &self.heads {
            let group = &mut into[from..*end as usize];
            if group.len() > 1 {
                let by_key = |a: &PackedEvent, b: &PackedEvent| a.place_high().cmp(&b.place_high());
                group.sort_unstable_by(|a, b| by_key(a, b).then_with(|| tie(a, b)));
            }
            from = *end as usize;
        }
    }

    /// Finds the group of each event, and counts those of each group: groups of neighbors, about
    /// half as many as events. Returns the number of events.
    fn group(&mut self, chunks: &[Chunk], bits: Bits) -> usize {
        let count = chunks.iter().map(Vec::len).sum::<usize>();
        let counted = (count / 2).max(2).ilog2().min(COUNTED_MAX).min(bits.key);
        let shift = PackedEvent::PLACE_SHIFT + bits.key - counted;
        self.heads.clear();
        self.heads.resize(1 << counted, 0);
        self.groups.clear();
        self.groups.reserve(count);
        for event in chunks.iter().flatten() {
            let group = event.place_from(shift) as usize;
            self.heads[group] += 1;
            self.groups.push(group as u32);
        }
        count
    }
}

/// The state of dealing.
struct Dealt<'a> {
    lanes: &'a mut Lanes,
    spots: &'a mut [Spot],
    rest: &'a mut Vec<PackedEvent>,
    sort: u32,
    shift: u32,
}

impl Dealt<'_> {
    /// Adds an event whose destination has others, or whose lane has no room.
    #[inline(never)]
    fn add_slowly(self, event: &mut PackedEvent, lane: usize) {
        let Dealt { lanes, spots, rest, sort, shift } = self;
        let spot = &mut spots[event.place_from(shift) as usize];
        if !spot.is_of(sort) {
            *spot = Spot::new(sort, lane, lanes[lane].len());
            return lanes[lane].push(event.leave());
        }
        let first = mem::replace(spot, Spot::new(sort, REST, 0));
        if first.lane() != REST {
            let events = &mut lanes[first.lane()];
            rest.push(events.swap_remove(first.index()));
            // The last event of the lane is there now.
            if let Some(moved) = events.get(first.index()) {
                spots[moved.place_from(shift) as usize] = first;
            }
        }
        rest.push(event.leave());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use peerlet_core::Seed;
    use peerlet_core::runtime::{Body, Port};

    use super::*;

    /// The keys and marks of each destination's events, in the order in which they stand.
    fn by_destination(keys: &[(u64, u32)], low_bits: u32) -> BTreeMap<u64, Vec<(u64, u32)>> {
        let mut found = BTreeMap::<u64, Vec<_>>::new();
        for (key, mark) in keys {
            found.entry(key.checked_shr(low_bits).unwrap_or(0)).or_default().push((*key, *mark));
        }
        found
    }

    #[test]
    fn each_destinations_events_ascend() {
        let (mut rng, mut lanes) = (Seed::new(3).rng(), Lanes::default());
        let mut sorter = Sorter::default();
        for (key, destination) in [(1, 1), (6, 1), (12, 12), (38, 12), (38, 4), (44, 20)] {
            for n in [0, 1, 2, 47, 48, 500, 5_000, 70_000] {
                for spread in [1, 2, 1 << 20, u64::MAX] {
                    let mut random = || rng.bits() % spread % (1 << key);
                    let mut expected: Vec<(u64, u32)> = (0..n).map(|i| (random(), i)).collect();
                    let event = |&(key, mark): &(u64, u32)| {
                        PackedEvent::timer(key, Port(0), 0, mark, Body::value(vec![mark]))
                    };
                    let mut chunks: Vec<Chunk> =
                        expected.chunks(64).map(|some| some.iter().map(event).collect()).collect();
                    let tie = |a: &PackedEvent, b: &PackedEvent| a.mark().cmp(&b.mark());
                    let bits = Bits { key, destination };
                    sorter.sort(&mut chunks, &mut lanes, bits, tie);
                    let count = lanes.iter().map(Vec::len).sum::<usize>();
                    assert!(count == expected.len() && chunks.iter().all(Vec::is_empty));
                    let seen: Vec<(u64, u32)> = lanes
                        .iter_mut()
                        .flatten()
                        .map(|event| {
                            assert_eq!(event.body_mut().extract(), Some(vec![event.mark()]));
                            (event.place_high() >> PackedEvent::PLACE_SHIFT, event.mark())
                        })
                        .collect();
                    expected.sort_unstable();
                    let low_bits = key - destination;
                    let [seen, expected] = [&seen, &expected].map(|s| by_destination(s, low_bits));
                    assert_eq!(seen, expected, "{n} events of {key} bits");
                }
            }
        }
    }

    #[test]
    fn numbers_of_sorts_begin_again() {
        let mut sorter = Sorter { sort: (1 << Spot::SORT_BITS) - 3, ..Sorter::default() };
        let (mut lanes, bits) = (Lanes::default(), Bits { key: 12, destination: 12 });
        for _ in 0..8 {
            let events =
                (0..600).map(|key| PackedEvent::timer(key, Port(0), 0, 0, Body::value(())));
            sorter.sort(&mut [events.collect()], &mut lanes, bits, |a, b| a.mark().cmp(&b.mark()));
            assert_eq!(lanes.each_ref().map(Vec::len), [0, 600, 0, 0, 0, 0, 0, 0, 0]);
            let taken = lanes.iter_mut().flatten().map(|event| event.leave());
            assert_eq!(taken.filter(|event| event.body().get::<()>().is_some()).count(), 600);
        }
    }
}
