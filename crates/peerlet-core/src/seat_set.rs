//! Sets of seats.

use std::fmt;
use std::ops::RangeInclusive;

use crate::address::Seat;
use crate::random::Seed;

/// A set of seats, kept as ascending ranges with gaps between them: a million seats in a row cost 8
/// bytes.
///
/// ```
/// use peerlet_core::Seat;
/// use peerlet_core::runtime::SeatSet;
/// let seats: SeatSet = [7, 4, 8, 0, 9].map(Seat).into_iter().collect();
/// assert_eq!(seats.to_string(), "0,4,7-9");
/// assert!(seats.contains(Seat(8)) && !seats.contains(Seat(5)));
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SeatSet {
    ranges: Vec<(u32, u32)>,
}

impl SeatSet {
    /// All seats of this many peers.
    pub fn all(peers: u32) -> SeatSet {
        SeatSet::from_ranges(peers.checked_sub(1).map(|last| 0..=last))
    }

    /// The seats in any of these ranges.
    pub fn from_ranges(ranges: impl IntoIterator<Item = RangeInclusive<u32>>) -> SeatSet {
        let mut sorted: Vec<_> = ranges.into_iter().filter(|range| !range.is_empty()).collect();
        sorted.sort_unstable_by_key(|range| *range.start());
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for range in sorted {
            let (first, last) = range.into_inner();
            match ranges.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => ranges.push((first, last)),
            }
        }
        SeatSet { ranges }
    }

    /// How many seats there are.
    pub fn len(&self) -> usize {
        self.ranges.iter().map(|(first, last)| (last - first) as usize + 1).sum()
    }

    /// Whether there is no seat.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether this seat is among them.
    pub fn contains(&self, seat: Seat) -> bool {
        let at = self.ranges.partition_point(|(_, last)| *last < seat.0);
        self.ranges.get(at).is_some_and(|(first, _)| *first <= seat.0)
    }

    /// The seats, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Seat> {
        self.ranges.iter().flat_map(|(first, last)| *first..=*last).map(Seat)
    }

    /// The ranges that they are in, ascending, with gaps between them.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u32>> {
        self.ranges.iter().map(|(first, last)| *first..=*last)
    }

    /// The seats that are not among `others`.
    pub fn without(&self, others: &SeatSet) -> SeatSet {
        let mut ranges = Vec::new();
        let mut at = 0;
        for &(mut first, last) in &self.ranges {
            while others.ranges.get(at).is_some_and(|(_, other_last)| *other_last < first) {
                at += 1;
            }
            for &(from, to) in &others.ranges[at..] {
                if from > last || first > last {
                    break;
                }
                if from > first {
                    ranges.push((first, from - 1));
                }
                first = to.saturating_add(1);
            }
            if first <= last {
                ranges.push((first, last));
            }
        }
        SeatSet { ranges }
    }

    /// The seats that are among either.
    pub fn union(&self, others: &SeatSet) -> SeatSet {
        let both = self.ranges.iter().chain(&others.ranges);
        SeatSet::from_ranges(both.map(|(first, last)| *first..=*last))
    }

    /// `count` of the seats, chosen at random: each seat has a random number of its own below
    /// `seed`, and the lowest are chosen. So another seat changes at most one of the choices.
    pub fn draw(&self, count: usize, seed: Seed) -> SeatSet {
        if count >= self.len() {
            return self.clone();
        }
        let numbered = |seat: Seat| (seed.at(u64::from(seat.0)).bits(), seat);
        let mut seats: Vec<_> = self.iter().map(numbered).collect();
        seats.select_nth_unstable(count);
        seats[..count].iter().map(|(_, seat)| *seat).collect()
    }
}

impl FromIterator<Seat> for SeatSet {
    fn from_iter<I: IntoIterator<Item = Seat>>(seats: I) -> SeatSet {
        SeatSet::from_ranges(seats.into_iter().map(|seat| seat.0..=seat.0))
    }
}

impl fmt::Display for SeatSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_subtracted_and_united() {
        let a = SeatSet::from_ranges([0..=9, 20..=29, 40..=40]);
        let b = SeatSet::from_ranges([0..=0, 5..=21, 25..=25, 29..=50]);
        let expected = a.iter().filter(|seat| !b.contains(*seat)).collect();
        assert_eq!(a.without(&b), expected);
        assert_eq!(a.union(&b), a.iter().chain(b.iter()).collect());
        assert!(SeatSet::all(0).is_empty() && a.without(&SeatSet::all(100)).is_empty());
    }

    #[test]
    fn one_more_seat_changes_one_winner() {
        let seed = Seed::new(1).named("draw");
        let (few, many) = (SeatSet::all(1000).draw(100, seed), SeatSet::all(1001).draw(100, seed));
        assert_eq!((few.len(), many.len()), (100, 100));
        assert!(few.without(&many).len() <= 1);
    }
}
