//! Properties of pairs of seats as functions of time.

use std::collections::BTreeMap;

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Seat, Time};

/// Changes of so few pairs are found by the pair, and those of more by a search through them all:
/// a line may name all pairs of a large network.
const PAIRS_MAX: u64 = 1 << 10;

/// The changes of one pair in order of time, each with its index among those of all pairs.
type History<V> = Vec<(Time, usize, V)>;

/// The history of one property of pairs, which is the same both ways.
///
/// It takes 24 bytes and its value for each pair that a line with few of them names.
#[derive(Debug)]
pub(super) struct Pairs<V> {
    /// By pair, the lower seat first.
    narrow: BTreeMap<(u32, u32), History<V>>,
    /// Changes of many pairs in order of time.
    wide: Vec<Wide<V>>,
}

#[derive(Debug)]
struct Wide<V> {
    at: Time,
    index: usize,
    these: SeatSet,
    those: SeatSet,
    value: V,
}

impl<V: Copy> Pairs<V> {
    /// The history that these changes make, which are in order of time.
    pub(super) fn new<'a>(
        changes: impl Iterator<Item = (Time, &'a SeatSet, &'a SeatSet, V)>,
    ) -> Pairs<V> {
        let mut pairs = Pairs { narrow: BTreeMap::new(), wide: Vec::new() };
        for (index, (at, these, those, value)) in changes.enumerate() {
            if these.len() as u64 * those.len() as u64 > PAIRS_MAX {
                let (these, those) = (these.clone(), those.clone());
                pairs.wide.push(Wide { at, index, these, those, value });
                continue;
            }
            for (a, b) in these.iter().flat_map(|a| those.iter().map(move |b| (a, b))) {
                if a != b {
                    pairs.narrow.entry(key(a, b)).or_default().push((at, index, value));
                }
            }
        }
        pairs
    }

    /// The value that holds for a pair at an instant; `None` before the first.
    #[inline]
    pub(super) fn at(&self, a: Seat, b: Seat, at: Time) -> Option<V> {
        if self.is_empty() {
            return None;
        }
        let history = self.narrow.get(&key(a, b)).map_or(&[][..], Vec::as_slice);
        let done = history.partition_point(|(since, ..)| *since <= at);
        let narrow = done.checked_sub(1).map(|last| (history[last].1, history[last].2));
        let said = self.wide.partition_point(|wide| wide.at <= at);
        let covers = |wide: &&Wide<V>| {
            let leads = |a, b| wide.these.contains(a) && wide.those.contains(b);
            leads(a, b) || leads(b, a)
        };
        let wide = self.wide[..said].iter().rev().find(covers).map(|wide| (wide.index, wide.value));
        // Where both speak of the pair, the later line holds.
        match (narrow, wide) {
            (Some((narrow, value)), Some((wide, _))) if narrow > wide => Some(value),
            (narrow, wide) => wide.or(narrow).map(|(_, value)| value),
        }
    }

    /// Whether nothing ever changes.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.narrow.is_empty() && self.wide.is_empty()
    }

    /// All values.
    pub(super) fn values(&self) -> impl Iterator<Item = V> {
        let narrow = self.narrow.values().flatten().map(|(.., value)| *value);
        narrow.chain(self.wide.iter().map(|wide| wide.value))
    }
}

/// A pair, the lower seat first.
fn key(a: Seat, b: Seat) -> (u32, u32) {
    (a.0.min(b.0), a.0.max(b.0))
}

#[cfg(test)]
mod tests {
    use peerlet_core::Seed;

    use super::*;

    #[test]
    fn the_last_change_of_a_pair_before_an_instant_holds() {
        const SEATS: u32 = 60;
        let mut rng = Seed::new(4).rng();
        for _ in 0..20 {
            let mut some = || -> SeatSet {
                let chance = [0.03, 0.8][rng.index(2)];
                (0..SEATS).filter(|_| rng.chance(chance)).map(Seat).collect()
            };
            let sets: Vec<[SeatSet; 2]> = (0..10).map(|_| [some(), some()]).collect();
            let at = |i: usize| Time::from_nanos(10 * (i as u64 / 2));
            let changes = sets.iter().enumerate().map(|(i, [a, b])| (at(i), a, b, i));
            let pairs = Pairs::new(changes.clone());
            for (a, b) in (0..SEATS).flat_map(|a| (0..a).map(move |b| (Seat(a), Seat(b)))) {
                for now in (0..60).step_by(7).map(Time::from_nanos) {
                    let holds = |(since, these, those, _): &(Time, &SeatSet, &SeatSet, usize)| {
                        let leads = |a, b| these.contains(a) && those.contains(b);
                        *since <= now && (leads(a, b) || leads(b, a))
                    };
                    let expected = changes.clone().filter(holds).map(|(.., i)| i).next_back();
                    assert_eq!(pairs.at(a, b, now), expected, "{a} {b} {now}");
                    assert_eq!(pairs.at(b, a, now), expected);
                }
            }
        }
        assert!(Pairs::<u32>::new(std::iter::empty()).is_empty());
    }
}
