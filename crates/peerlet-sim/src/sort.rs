//! Puts the events of one bucket into order: neighbors together, and each peer's own by time.

use std::cmp::Ordering;
use std::mem;

use peerlet_core::Turn;
use peerlet_memory::forget_all;

use crate::ring::Chunk;

/// Fewer than this are sorted by comparing, in two groups.
const FEW: usize = 48;

/// The most bits that the counting pass looks at.
const COUNTED_MAX: u32 = 12;

/// How places are read: they have so many bits, of which these, the highest, are the destination's.
#[derive(Clone, Copy)]
pub(crate) struct Bits {
    pub(crate) place: u32,
    pub(crate) destination: u32,
}

/// Moves all events out of the chunks, which are left empty, to the front of `into`; returns how
/// many they are. Those of one group of neighboring destinations stand together, and each
/// destination's own in the order of their places, then as `tie` says.
///
/// One counting pass makes about as many groups as there are events. Which of its group's peers
/// comes first makes no difference, so a group is sorted only when one of them has several events.
/// What `into` held must hold no values any more: nothing of it is dropped.
pub(crate) fn sort(
    chunks: &mut [Chunk],
    into: &mut Vec<Turn>,
    heads: &mut Vec<u32>,
    bits: Bits,
    tie: impl Fn(&Turn, &Turn) -> Ordering,
) -> usize {
    let count = chunks.iter().map(Vec::len).sum();
    if into.len() < count {
        into.resize_with(count, Turn::default);
    }
    let counted = if count < FEW { 1 } else { count.ilog2().min(COUNTED_MAX) };
    let counted = counted.min(bits.destination);
    let end = Turn::PLACE_SHIFT + bits.place;
    let (group_shift, shift) = (end - counted, end - bits.destination);
    heads.clear();
    heads.resize(1 << counted, 0);
    for turn in chunks.iter().flatten() {
        heads[(turn.place_high() >> group_shift) as usize] += 1;
    }
    let mut sum = 0u32;
    for head in heads.iter_mut() {
        sum = sum.wrapping_add(mem::replace(head, sum));
    }
    for chunk in chunks {
        for turn in chunk.iter_mut() {
            let head = &mut heads[(turn.place_high() >> group_shift) as usize];
            let place = &mut into[*head as usize];
            *head = head.wrapping_add(1);
            debug_assert!(place.body().is_plain(), "what was there was taken out");
            // Nothing is left there to be dropped, so it is not looked at.
            mem::forget(mem::replace(place, turn.leave()));
        }
        forget_all(chunk);
    }
    mend(&mut into[..count], shift, group_shift, &tie);
    count
}

/// Sorts the groups in which a destination has several events.
fn mend(turns: &mut [Turn], shift: u32, group_shift: u32, tie: &impl Fn(&Turn, &Turn) -> Ordering) {
    let (mut i, mut group, mut seen) = (0, u64::MAX, 0u64);
    while let Some(turn) = turns.get(i) {
        let place = turn.place_high();
        let now = place >> group_shift;
        // A bit for each of the group's first 64 peers; of more, some share one.
        let bit = 1 << (place >> shift & 63);
        seen = if now == group { seen } else { 0 };
        if seen & bit != 0 {
            i = mend_group(turns, i, group_shift, tie);
            (group, seen) = (u64::MAX, 0);
            continue;
        }
        (group, seen, i) = (now, seen | bit, i + 1);
    }
}

/// Sorts the group that `i` is in; returns where it ends.
#[inline(never)]
fn mend_group(
    turns: &mut [Turn],
    i: usize,
    group_shift: u32,
    tie: &impl Fn(&Turn, &Turn) -> Ordering,
) -> usize {
    let group = turns[i].place_high() >> group_shift;
    let is_same = |turn: &&Turn| turn.place_high() >> group_shift == group;
    let before = turns[..i].iter().rev().take_while(is_same).count();
    let behind = turns[i..].iter().take_while(is_same).count();
    turns[i - before..i + behind]
        .sort_unstable_by(|a, b| a.place_high().cmp(&b.place_high()).then_with(|| tie(a, b)));
    i + behind
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
        let (mut rng, mut into, mut heads) = (Seed::new(3).rng(), Vec::new(), Vec::new());
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
                    let count = sort(&mut chunks, &mut into, &mut heads, bits, tie);
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
