//! Six regions of the world, with one round trip between any two of them.

use std::fmt;

use peerlet_core::{Duration, Seat, Seed};

use crate::model::{Departure, Model, Packet, State};
use crate::shares;

/// How many regions there are.
pub const REGIONS: usize = 6;

/// Their names: North America, Europe, South America, Asia and Pacific, Japan, Australia.
pub const REGION_NAMES: [&str; REGIONS] = ["NA", "EU", "SA", "AP", "JP", "AU"];

/// Round trips between regions in 2019, in milliseconds (SimBlock, Apache-2.0).
const ROUND_TRIPS: [[u64; REGIONS]; REGIONS] = [
    [32, 124, 184, 198, 151, 189],
    [124, 11, 227, 237, 252, 294],
    [184, 227, 88, 325, 301, 322],
    [198, 237, 325, 85, 58, 198],
    [151, 252, 301, 58, 12, 126],
    [189, 294, 322, 198, 126, 16],
];

/// A network of regions: half of the round trip between two peers' regions is their delay, for
/// every message and both ways. It takes a byte a peer.
///
/// A peer's region is drawn from the seed.
pub struct Regions {
    of: Vec<u8>,
    floor: Duration,
}

impl Regions {
    /// So many peers, spread over the regions in relation to these shares.
    ///
    /// # Panics
    /// Panics when all shares are zero and there is a peer.
    #[track_caller]
    pub fn new(shares: [u32; REGIONS], seed: Seed, peers: u32, floor: Duration) -> Regions {
        let region = |seat: u32| {
            let mut rng = seed.at(u64::from(seat)).rng();
            let drawn = shares::drawn(shares.into_iter(), &mut rng);
            drawn.expect("no region has a share; give at least one") as u8
        };
        Regions { of: (0..peers).map(region).collect(), floor }
    }

    /// The region of a seat: an index into [`REGION_NAMES`].
    pub fn region(&self, seat: Seat) -> usize {
        self.of[seat.index()].into()
    }

    #[inline]
    fn one_way(&self, from: Seat, to: Seat) -> Duration {
        let round_trip = ROUND_TRIPS[self.region(from)][self.region(to)];
        Duration::from_micros(round_trip * 500).max(self.floor)
    }
}

impl Model for Regions {
    fn lookahead(&self) -> Duration {
        let shortest = ROUND_TRIPS.iter().flatten().min().expect("there are regions");
        Duration::from_micros(shortest * 500).max(self.floor)
    }

    fn is_stateless(&self) -> bool {
        true
    }

    fn depart(&self, packet: &Packet, _: &mut State) -> Departure {
        Departure::Arrive { after: self.one_way(packet.from, packet.to) }
    }

    fn round_trip(&self, from: Seat, to: Seat) -> Duration {
        self.one_way(from, to) * 2
    }
}

impl fmt::Debug for Regions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Regions").field("peers", &self.of.len()).finish_non_exhaustive()
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
                let packet = Packet { from, to, at: Time::ZERO, size: 0, draws: Seed::new(0) };
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
}
