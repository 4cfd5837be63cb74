//! An overlay that is laid out and not grown: the links of every seat, from the scenario's seats
//! and seed alone. No peer could know these links, so this is for workloads that begin with a
//! complete overlay, such as comparisons of networks.

use std::sync::{Arc, RwLock};

use peerlet_core::{Address, Rng, Seat, Seats, Seed};

use super::config::NeighborsConfig;
use crate::ring::RingId;

/// The links of all seats. Clones share one map: it is the same for all.
#[derive(Clone, Default, Debug)]
pub(super) struct Layout {
    map: Arc<RwLock<Option<LinkMap>>>,
}

/// The links of one seat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Links {
    /// The nearest seats on both sides of the ring.
    pub(super) ring: Vec<Address>,
    /// The random links, which the other seat has as well.
    pub(super) random: Vec<Address>,
}

#[derive(Debug)]
struct LinkMap {
    /// The seed and addresses that it was made from.
    seed: Seed,
    addresses: Vec<Address>,
    /// Seats in the order of the ring, and where each seat is in it.
    ring: Vec<u32>,
    positions: Vec<u32>,
    /// By seat: the seats at the other ends of its random links.
    random: Vec<Vec<u32>>,
}

impl Layout {
    /// The links of this seat; else a seat whose address is not known.
    pub(super) fn links(
        &self,
        seats: &dyn Seats,
        seat: Seat,
        seed: Seed,
        config: &NeighborsConfig,
    ) -> Result<Links, Seat> {
        let known = |map: &LinkMap| {
            let address =
                |seat: Seat| seats.address(seat) == map.addresses.get(seat.index()).copied();
            map.seed == seed && map.addresses.len() == seats.count() as usize && address(seat)
        };
        let map = self.map.read().expect("building a map does not panic");
        if let Some(map) = map.as_ref().filter(|map| known(map)) {
            return Ok(map.links(seat, config));
        }
        drop(map);
        let mut map = self.map.write().expect("building a map does not panic");
        if !map.as_ref().is_some_and(known) {
            *map = None;
            *map = Some(LinkMap::new(seats, seed, config.random as usize)?);
        }
        let map = map.as_ref().expect("it was just made");
        Ok(map.links(seat, config))
    }
}

impl LinkMap {
    fn new(seats: &dyn Seats, seed: Seed, links: usize) -> Result<LinkMap, Seat> {
        let all = (0..seats.count()).map(Seat);
        let addresses = all.map(|seat| seats.address(seat).ok_or(seat));
        let addresses: Vec<Address> = addresses.collect::<Result<_, _>>()?;
        let count = addresses.len() as u32;
        let mut ring: Vec<u32> = (0..count).collect();
        ring.sort_unstable_by_key(|seat| (RingId::of(addresses[*seat as usize]), *seat));
        let mut positions = vec![0; ring.len()];
        ring.iter().zip(0..).for_each(|(seat, position)| positions[*seat as usize] = position);
        let random = random_links(count, links, &mut seed.named("layout").rng());
        Ok(LinkMap { seed, addresses, ring, positions, random })
    }

    fn links(&self, seat: Seat, config: &NeighborsConfig) -> Links {
        let (count, me) = (self.ring.len(), seat.index());
        let Some(position) = self.positions.get(me).map(|position| *position as usize) else {
            return Links { ring: Vec::new(), random: Vec::new() };
        };
        let side = (config.ring as usize).min(count - 1);
        let address = |seat: u32| self.addresses[seat as usize];
        let at = |steps: usize| address(self.ring[(position + steps) % count]);
        let clockwise = (1..=side).map(at);
        let mut ring: Vec<Address> = clockwise.chain((1..=side).map(|k| at(count - k))).collect();
        ring.sort_unstable();
        ring.dedup();
        Links { ring, random: self.random[me].iter().copied().map(address).collect() }
    }
}

/// Random links among seats, each known to both its ends: `links` of each seat, or all others where
/// there are no more. In each round the seats that lack some are put into random order and paired,
/// those that lack most first; a seat that has no stranger left goes without in this round. Twice
/// as many rounds as links leave out one end where their number is odd, and a few where links are
/// dense.
fn random_links(count: u32, links: usize, rng: &mut Rng) -> Vec<Vec<u32>> {
    let others = |seat| (0..count).filter(move |other| *other != seat);
    if links >= count.saturating_sub(1) as usize {
        return (0..count).map(|seat| others(seat).collect()).collect();
    }
    let mut all: Vec<Vec<u32>> = vec![Vec::new(); count as usize];
    for _ in 0..2 * links {
        let lacking = |seat: &u32| all[*seat as usize].len() < links;
        let mut left: Vec<u32> = (0..count).filter(lacking).collect();
        rng.shuffle(&mut left);
        left.sort_by_key(|seat| std::cmp::Reverse(all[*seat as usize].len()));
        while let Some(seat) = left.pop() {
            let stranger = left.iter().rposition(|other| !all[seat as usize].contains(other));
            let Some(position) = stranger else { continue };
            let other = left.remove(position);
            all[seat as usize].push(other);
            all[other as usize].push(seat);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seats that all have an address, but for those from this one on.
    struct Known(u32, u32);

    impl Seats for Known {
        fn count(&self) -> u32 {
            self.0
        }
        fn address(&self, seat: Seat) -> Option<Address> {
            (seat.0 < self.1).then(|| Address::simulated(seat))
        }
        fn running(&self, _: Seat) -> bool {
            false
        }
    }

    fn config(random: u32, ring: u32) -> NeighborsConfig {
        NeighborsConfig { random, ring, ..NeighborsConfig::default() }
    }

    fn all(count: u32, seed: u64, config: &NeighborsConfig) -> Vec<Links> {
        let (layout, seats) = (Layout::default(), Known(count, count));
        let of = |seat| layout.links(&seats, Seat(seat), Seed::new(seed), config);
        (0..count).map(of).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn links_are_known_to_both_ends_and_as_many_as_asked_for() {
        for (count, random) in [(1, 5), (2, 5), (3, 2), (16, 16), (64, 16), (65, 5), (1_000, 5)] {
            let links = all(count, 7, &config(random, 2));
            let address = |seat: usize| Address::simulated(Seat(seat as u32));
            let mut missing = 0;
            for (seat, own) in links.iter().enumerate() {
                let mut peers = own.random.clone();
                peers.sort_unstable();
                peers.dedup();
                assert_eq!(peers.len(), own.random.len(), "each once");
                assert!(!peers.contains(&address(seat)), "nobody is linked to itself");
                for peer in &peers {
                    let other = &links[peer.slot() as usize];
                    assert!(other.random.contains(&address(seat)), "{count}: {seat} and {peer}");
                }
                missing += random.min(count - 1) as usize - own.random.len();
            }
            assert!(missing <= 6, "{missing} of {count} peers' {random} links");
        }
    }

    #[test]
    fn ring_neighbors_are_the_nearest_on_both_sides() {
        let links = all(20, 1, &config(0, 3));
        let mut ring: Vec<_> = (0..20).map(|seat| Address::simulated(Seat(seat))).collect();
        ring.sort_unstable_by_key(|address| RingId::of(*address));
        for (position, address) in ring.iter().enumerate() {
            let mut near: Vec<_> =
                [1, 2, 3, 17, 18, 19].map(|steps| ring[(position + steps) % 20]).to_vec();
            near.sort_unstable();
            assert_eq!(links[address.slot() as usize], Links { ring: near, random: Vec::new() });
        }
        assert_eq!(all(2, 1, &config(0, 3))[0].ring, [Address::simulated(Seat(1))]);
        assert_eq!(all(1, 1, &config(3, 3))[0].ring, []);
    }

    #[test]
    fn the_seed_chooses_the_links() {
        let of = |seed| all(64, seed, &config(5, 2));
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        // One map serves another seed next, and the first again.
        let (layout, seats, config) = (Layout::default(), Known(64, 64), config(5, 2));
        let links = |seed| layout.links(&seats, Seat(3), Seed::new(seed), &config).unwrap();
        assert_eq!([links(1), links(2), links(1)], [1, 2, 1].map(|seed| of(seed)[3].clone()));
    }

    #[test]
    fn a_seat_that_is_not_known_is_named() {
        let links = |seats| {
            Layout::default().links(&seats, Seat(0), Seed::new(1), &config(2, 2)).unwrap_err()
        };
        assert_eq!(links(Known(10, 7)), Seat(7));
    }
}
