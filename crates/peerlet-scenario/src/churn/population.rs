//! The share of seats that take part in churn, in time: growth, shrinking, a flash crowd.

use std::ops::Range;

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Duration, Seat, Seed, Time};

use crate::raw::{Part, Raw, RawValue};
use crate::reader::Reader;

/// The share of the seats that take part, between points of time linearly; before the first and
/// after the last one as there.
#[derive(Clone, PartialEq, Debug)]
pub struct Population(Vec<(Time, f64)>);

const EXAMPLE: &str = "population = [[\"0s\", \"10%\"], [\"5m\", \"100%\"]]";

impl Population {
    /// The times in which a seat takes part whose place among all is this, from 0 to 1: while the
    /// share is larger.
    pub(crate) fn windows(&self, place: f64, end: Time) -> Vec<Range<Time>> {
        let mut windows: Vec<Range<Time>> = Vec::new();
        let mut add = |from: Time, to: Time| match windows.last_mut() {
            Some(last) if last.end == from => last.end = to,
            _ if from < to => windows.push(from..to),
            _ => {}
        };
        let (first, last) = (self.0[0], self.0[self.0.len() - 1]);
        let beyond = [(Time::ZERO, first.1)].into_iter().chain(self.0.iter().copied());
        let points: Vec<(Time, f64)> = beyond.chain([(end.max(last.0), last.1)]).collect();
        for pair in points.windows(2) {
            let ((from, low), (to, high)) = (pair[0], pair[1]);
            let nanos = (to - from).as_nanos() as f64;
            let along = (place - low) / (high - low) * nanos;
            let crossed = || from + Duration::from_nanos(along.round() as u64);
            match (low > place, high > place) {
                (true, true) => add(from, to),
                (true, false) => add(from, crossed()),
                (false, true) => add(crossed(), to),
                (false, false) => {}
            }
        }
        windows.retain_mut(|window| {
            window.end = window.end.min(end);
            window.start < window.end
        });
        windows
    }

    /// The places of these seats, from 0 to 1: in random order, evenly apart. By seat.
    pub(crate) fn places(seats: &SeatSet, seed: Seed) -> Vec<(Seat, f64)> {
        let mut order: Vec<(u64, Seat)> =
            seats.iter().map(|seat| (seed.at(u64::from(seat.0)).bits(), seat)).collect();
        order.sort_unstable();
        let count = order.len() as f64;
        let placed = order.into_iter().zip(0..);
        let mut places: Vec<(Seat, f64)> =
            placed.map(|((_, seat), place)| (seat, (f64::from(place) + 0.5) / count)).collect();
        places.sort_unstable_by_key(|(seat, _)| *seat);
        places
    }

    pub(super) fn read(part: &Part, reader: &mut Reader) -> Option<Population> {
        let RawValue::List(items) = &part.raw.value else {
            reader.wrong_kind(part, "a list of points", format!("write {EXAMPLE}"));
            return None;
        };
        let points: Option<Vec<(Time, f64)>> =
            items.iter().map(|item| read_point(item, part, reader)).collect();
        let points = points?;
        if points.is_empty() {
            let message = "`population` has no points".to_owned();
            reader.refuse(&part.raw.span, message, format!("write {EXAMPLE}"));
            return None;
        }
        if let Some(place) = points.windows(2).position(|pair| pair[0].0 >= pair[1].0) {
            let message =
                format!("{} does not come after {}", points[place + 1].0, points[place].0);
            reader.refuse(&items[place + 1].span, message, "order the points by their times");
            return None;
        }
        Some(Population(points))
    }
}

/// Reads `["5m", "10%"]`.
fn read_point(item: &Raw, part: &Part, reader: &mut Reader) -> Option<(Time, f64)> {
    let RawValue::List(pair) = &item.value else {
        let message = format!("a point of `population` is {}", item.kind());
        reader.refuse(&item.span, message, format!("write {EXAMPLE}"));
        return None;
    };
    let [time, share] = pair.as_slice() else {
        let message = format!("a point of `population` has {} parts", pair.len());
        reader.refuse(&item.span, message, "write a time and a share: [\"5m\", \"10%\"]");
        return None;
    };
    let time = reader.duration(&Part { raw: time.clone(), ..part.clone() })?;
    let percent = match &share.value {
        RawValue::Text(text) => text.strip_suffix('%').and_then(|text| text.trim().parse().ok()),
        _ => None,
    };
    match percent {
        Some(percent) if (0.0..=100.0).contains(&percent) => {
            Some((Time::ZERO + time, percent / 100.0))
        }
        _ => {
            let message = "this is no share of the seats".to_owned();
            reader.refuse(&share.span, message, "write it in quotes, from \"0%\" to \"100%\"");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::SECOND;

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::ZERO + SECOND * seconds
    }

    #[test]
    fn seats_take_part_while_the_share_is_larger_than_their_place() {
        let crowd = [(10, 0.2), (20, 1.0), (30, 1.0), (40, 0.0), (50, 0.4)];
        let crowd = Population(crowd.map(|(time, share)| (at(time), share)).to_vec());
        assert_eq!(crowd.windows(0.1, at(60)), [at(0)..at(39), at(42) + SECOND / 2..at(60)]);
        assert_eq!(crowd.windows(0.6, at(60)), [at(15)..at(34)]);
        assert_eq!(crowd.windows(0.6, at(20)), [at(15)..at(20)]);
        assert_eq!(crowd.windows(0.6, at(15)), []);
        let always = Population(vec![(at(10), 1.0)]);
        assert_eq!(always.windows(0.99, at(60)), [at(0)..at(60)]);
        assert_eq!(Population(vec![(at(0), 0.0)]).windows(0.01, at(60)), []);
    }

    #[test]
    fn places_are_even_and_one_more_seat_moves_the_others_little() {
        let few = Population::places(&SeatSet::all(100), Seed::new(4));
        let many = Population::places(&SeatSet::all(101), Seed::new(4));
        assert_eq!(few.iter().filter(|(_, place)| *place < 0.3).count(), 30);
        for ((seat, place), (same, moved)) in few.iter().zip(&many) {
            assert_eq!(seat, same);
            assert!((place - moved).abs() < 0.011, "{place} {moved}");
        }
    }
}
