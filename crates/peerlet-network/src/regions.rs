//! Regions with one delay between any two of them, and one within each.

use std::fmt;

use peerlet_core::{Duration, Seat, Seed};

use crate::model::{Departure, Model, ModelState, Packet};
use crate::shares;

/// How many stock regions there are.
pub const REGIONS: usize = 6;

/// Their names: North America, Europe, South America, Asia and Pacific, Japan, Australia.
pub const REGION_NAMES: [&str; REGIONS] = ["NA", "EU", "SA", "AP", "JP", "AU"];

/// The most regions of one's own: a seat's region takes a byte.
pub const REGIONS_MAX: usize = 256;

/// Round trips between regions in 2019, in milliseconds (SimBlock, Apache-2.0).
const ROUND_TRIPS: [[u64; REGIONS]; REGIONS] = [
    [32, 124, 184, 198, 151, 189],
    [124, 11, 227, 237, 252, 294],
    [184, 227, 88, 325, 301, 322],
    [198, 237, 325, 85, 58, 198],
    [151, 252, 301, 58, 12, 126],
    [189, 294, 322, 198, 126, 16],
];

/// A network of regions: the delay between two peers' regions is that of every message from one to
/// the other. It takes a byte a peer.
pub struct Regions {
    of: Vec<u8>,
    /// How many regions there are.
    count: usize,
    /// The delays, one way, row by row.
    delays: Vec<Duration>,
    floor: Duration,
}

/// The stock delays, one way, row by row.
pub(crate) fn stock() -> Vec<Duration> {
    ROUND_TRIPS.iter().flatten().map(|ms| Duration::from_micros(ms * 500)).collect()
}

/// The region that the seed gives a seat, in relation to these shares.
///
/// # Panics
/// Panics when all shares are zero.
pub(crate) fn sample(shares: &[u32], seed: Seed, seat: Seat) -> usize {
    let mut rng = seed.at(u64::from(seat.0)).rng();
    let index = shares::sample(shares.iter().copied(), &mut rng);
    index.expect("no region has a share; give at least one")
}

impl Regions {
    /// So many peers, spread over the stock regions in relation to these shares.
    ///
    /// # Panics
    /// Panics when all shares are zero and there is a peer.
    #[track_caller]
    pub fn new(shares: [u32; REGIONS], seed: Seed, peers: u32, floor: Duration) -> Regions {
        let of = (0..peers).map(|seat| sample(&shares, seed, Seat(seat)) as u8).collect();
        Regions { of, count: REGIONS, delays: stock(), floor }
    }

    /// Peers in these regions, with the delays between them row by row. Delays shorter than `floor`
    /// are raised to it.
    ///
    /// # Panics
    /// Panics when the delays are no square, or a peer is in a region that they do not have.
    #[track_caller]
    pub fn own(of: Vec<u8>, delays: Vec<Duration>, floor: Duration) -> Regions {
        let count = delays.len().isqrt();
        assert!(count * count == delays.len(), "{} delays are no square", delays.len());
        assert!(of.iter().all(|region| usize::from(*region) < count), "there are {count} regions");
        Regions { of, count, delays, floor }
    }

    /// The region of a seat: a row of the delays, and of the stock ones an index into
    /// [`REGION_NAMES`].
    pub fn region(&self, seat: Seat) -> usize {
        self.of[seat.index()].into()
    }

    #[inline]
    fn one_way(&self, from: Seat, to: Seat) -> Duration {
        self.delays[self.region(from) * self.count + self.region(to)].max(self.floor)
    }
}

impl Model for Regions {
    fn lookahead(&self) -> Duration {
        self.delays.iter().copied().min().unwrap_or(Duration::ZERO).max(self.floor)
    }

    fn is_stateless(&self) -> bool {
        true
    }

    fn depart(&self, packet: &Packet, _: &mut ModelState) -> Departure {
        Departure::Arrive { after: self.one_way(packet.from, packet.to) }
    }

    fn round_trip(&self, from: Seat, to: Seat) -> Duration {
        self.one_way(from, to) + self.one_way(to, from)
    }
}

impl fmt::Debug for Regions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Regions")
            .field("peers", &self.of.len())
            .field("regions", &self.count)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{MILLISECOND, Time};

    use super::*;

    #[test]
    fn the_table_is_symmetric() {
        for (a, row) in ROUND_TRIPS.iter().enumerate() {
            for (b, round_trip) in row.iter().enumerate() {
                assert_eq!(*round_trip, ROUND_TRIPS[b][a], "{a} {b}");
            }
        }
    }

    #[test]
    fn delays_are_the_tables() {
        let regions = Regions::new([1; REGIONS], Seed::new(1), 10_000, MILLISECOND);
        let some = |region: usize| {
            let is_there = |seat: &Seat| regions.region(*seat) == region;
            (0..10_000).map(Seat).filter(is_there).take(2).collect::<Vec<_>>()
        };
        for (a, row) in ROUND_TRIPS.iter().enumerate() {
            for (b, round_trip) in row.iter().enumerate() {
                let (from, to) = (some(a)[0], some(b)[1]);
                let packet = Packet { from, to, at: Time::ZERO, size: 0, random: Seed::new(0) };
                let after = Duration::from_micros(round_trip * 500);
                assert_eq!(regions.depart(&packet, &mut None), Departure::Arrive { after });
                assert!(after >= regions.lookahead());
                assert_eq!(regions.round_trip(from, to), after * 2);
            }
        }
        let counts = (0..10_000).map(|seat| regions.region(Seat(seat)));
        let in_europe = counts.filter(|region| *region == 1).count();
        // Five standard deviations of a binomial around 1,667 of 10,000 are 186.
        assert!(in_europe.abs_diff(1_667) < 186, "{in_europe}");
    }

    #[test]
    fn shares_and_floor_are_kept() {
        let japan = Regions::new([0, 0, 0, 0, 7, 0], Seed::new(1), 50, MILLISECOND * 40);
        assert!((0..50).all(|seat| japan.region(Seat(seat)) == 4));
        assert_eq!(japan.lookahead(), MILLISECOND * 40);
        assert_eq!(japan.round_trip(Seat(0), Seat(1)), MILLISECOND * 80);
    }

    #[test]
    fn regions_of_ones_own_have_delays_by_direction() {
        let delays = [2, 30, 40, 5].map(|ms| MILLISECOND * ms).to_vec();
        let own = Regions::own(vec![0, 1, 1], delays, MILLISECOND * 3);
        let after = |from, to| own.one_way(Seat(from), Seat(to));
        assert_eq!((after(0, 1), after(1, 0)), (MILLISECOND * 30, MILLISECOND * 40));
        assert_eq!(after(1, 2), MILLISECOND * 5, "the diagonal is the delay within a region");
        assert_eq!(own.round_trip(Seat(0), Seat(1)), MILLISECOND * 70);
        assert_eq!(own.lookahead(), MILLISECOND * 3);
    }
}
