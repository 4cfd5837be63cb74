//! The server's list of peers: bounded, and quick to draw a random sample from.

use std::collections::BTreeMap;

use peerlet_core::{Address, Rng, Time};

/// Peers, and when they were last heard.
///
/// The map is ordered and not hashed: strangers choose its keys.
#[derive(Clone, Default, Debug)]
pub(super) struct Members {
    list: Vec<(Address, Time)>,
    places: BTreeMap<Address, usize>,
}

impl Members {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// A peer was heard. A new one for which there is no room takes the place of any other, so that
    /// the list stays a fair sample of those heard.
    pub(super) fn hear(&mut self, peer: Address, now: Time, max: usize, rng: &mut Rng) {
        if let Some(place) = self.places.get(&peer) {
            self.list[*place].1 = now;
            return;
        }
        if self.list.len() >= max {
            self.remove_at(rng.index(self.list.len()));
        }
        self.places.insert(peer, self.list.len());
        self.list.push((peer, now));
        debug_assert!(self.list.len() <= max, "members are more than {max}");
        debug_assert_eq!(self.list.len(), self.places.len(), "each member has its place");
    }

    pub(super) fn remove(&mut self, peer: Address) {
        if let Some(place) = self.places.get(&peer) {
            self.remove_at(*place);
        }
    }

    /// Up to `count` members in random order, but for one; those no longer fresh are removed when
    /// they are met.
    pub(super) fn sample(
        &mut self,
        count: usize,
        except: Address,
        is_fresh: impl Fn(Time) -> bool,
        rng: &mut Rng,
    ) -> Vec<Address> {
        let mut sample = Vec::with_capacity(count.min(self.list.len()));
        let mut place = 0;
        while place < self.list.len() && sample.len() < count {
            self.swap(place, place + rng.index(self.list.len() - place));
            let (peer, heard) = self.list[place];
            if !is_fresh(heard) {
                self.remove_at(place);
                continue;
            }
            if peer != except {
                sample.push(peer);
            }
            place += 1;
        }
        sample
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.list.swap(a, b);
        for place in [a, b] {
            self.places.insert(self.list[place].0, place);
        }
    }

    fn remove_at(&mut self, place: usize) {
        let (peer, _) = self.list.swap_remove(place);
        self.places.remove(&peer);
        if let Some((moved, _)) = self.list.get(place) {
            self.places.insert(*moved, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{SECOND, Seat, Seed};

    use super::*;

    fn peer(n: u32) -> Address {
        Address::simulated(Seat(n))
    }

    /// Does random things, and checks after each that list and map agree.
    #[test]
    fn list_and_places_agree() {
        let mut rng = Seed::new(1).rng();
        let mut members = Members::default();
        for step in 0..2_000 {
            let (now, any) = (Time::ZERO + SECOND * step, peer(rng.below(40) as u32));
            match rng.below(3) {
                0 => members.remove(any),
                1 => members.hear(any, now, 20, &mut rng),
                _ => {
                    let fresh = |heard| now.since(heard) <= SECOND * 50;
                    let sample = members.sample(5, any, fresh, &mut rng);
                    assert!(sample.len() <= 5 && !sample.contains(&any));
                }
            }
            assert!(members.len() <= 20 && members.places.len() == members.len());
            for (peer, place) in &members.places {
                assert_eq!(members.list[*place].0, *peer);
            }
        }
    }

    #[test]
    fn samples_are_fair() {
        let mut rng = Seed::new(2).rng();
        let mut members = Members::default();
        (0..10).for_each(|n| members.hear(peer(n), Time::ZERO, 10, &mut rng));
        let mut counts = [0u32; 10];
        for _ in 0..9_000 {
            for drawn in members.sample(3, peer(0), |_| true, &mut rng) {
                counts[drawn.slot() as usize] += 1;
            }
        }
        // Each of nine comes in a third of the samples: 3,000 times, and five standard deviations
        // of the binomial are 224.
        assert_eq!(counts[0], 0);
        assert!(counts[1..].iter().all(|c| c.abs_diff(3_000) < 224), "{counts:?}");
    }
}
