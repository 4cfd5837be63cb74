//! A network in parts, each of which is measured by itself as well.

use std::sync::Arc;

use peerlet_core::Seat;
use peerlet_core::runtime::SeatSet;

use crate::metric_entry::MetricEntry;

/// The most parts of a network, the rest not counted.
pub const PARTS_MAX: usize = 64;

/// The name of the part of all seats that are in no other.
const REST: &str = "others";

/// The parts of a network: each seat is in one of them.
///
/// ```
/// use peerlet_core::Seat;
/// use peerlet_core::runtime::SeatSet;
/// use peerlet_measure::Split;
/// let east = SeatSet::from_ranges([0..=9]);
/// let split = Split::new([("east".to_owned(), east)], 20).expect("they share no seat");
/// assert_eq!(split.names(), ["east", "others"]);
/// assert_eq!((split.part_of(Seat(9)), split.part_of(Seat(10))), (0, 1));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Split {
    names: Arc<[String]>,
    parts: Arc<[u8]>,
}

impl Split {
    /// A split of this many seats into named parts; those in none are one more, `others`.
    ///
    /// # Errors
    /// The first seat that is in two parts, and their indices.
    ///
    /// # Panics
    /// Panics when there are more than [`PARTS_MAX`].
    pub fn new(
        parts: impl IntoIterator<Item = (String, SeatSet)>,
        seats: u32,
    ) -> Result<Split, (Seat, usize, usize)> {
        const NONE: u8 = u8::MAX;
        let mut of = vec![NONE; seats as usize];
        let mut names = Vec::new();
        for (index, (name, within)) in parts.into_iter().enumerate() {
            assert!(index < PARTS_MAX, "a network has at most {PARTS_MAX} parts");
            for seat in within.iter().filter(|seat| seat.0 < seats) {
                let part = &mut of[seat.0 as usize];
                if *part != NONE {
                    return Err((seat, usize::from(*part), index));
                }
                *part = index as u8;
            }
            names.push(name);
        }
        if of.contains(&NONE) {
            let rest = names.len() as u8;
            of.iter_mut().filter(|part| **part == NONE).for_each(|part| *part = rest);
            names.push(REST.to_owned());
        }
        Ok(Split { names: names.into(), parts: of.into() })
    }

    /// The names of the parts.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The part of a seat, by its index.
    ///
    /// # Panics
    /// Panics when there is no such seat.
    #[inline]
    pub fn part_of(&self, seat: Seat) -> usize {
        usize::from(self.parts[seat.0 as usize])
    }

    /// The metrics of the whole network, and behind them those of each part.
    pub(crate) fn table(&self, whole: &[MetricEntry]) -> Vec<MetricEntry> {
        let parts = self.names.iter().zip(1..).flat_map(|(name, block)| {
            whole.iter().map(move |entry| MetricEntry {
                full_name: named(&entry.full_name, name),
                part_of: entry.part_of.map(|parent| parent + block * whole.len()),
                group: Some(name.as_str().into()),
                ..entry.clone()
            })
        });
        whole.iter().cloned().chain(parts).collect()
    }
}

/// The name of a metric in a part of the network: the part is its first tag.
fn named(metric: &str, part: &str) -> String {
    match metric.split_once('{') {
        Some((name, tags)) => format!("{name}{{group={part},{tags}"),
        None => format!("{metric}{{group={part}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_in_one_part() {
        let parts = |ranges: &[(u32, u32)]| {
            let named =
                |(from, to): &(u32, u32)| (format!("{from}"), SeatSet::from_ranges([*from..=*to]));
            Split::new(ranges.iter().map(named).collect::<Vec<_>>(), 10)
        };
        assert_eq!(parts(&[(0, 4), (4, 10)]), Err((Seat(4), 0, 1)));
        let whole = parts(&[(0, 3), (4, 12)]).expect("they share no seat");
        assert_eq!(whole.names(), ["0", "4"], "there is no rest");
    }
}
