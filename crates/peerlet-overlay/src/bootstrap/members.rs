//! The server's list of peers: bounded, and quick to sample from at random.

use std::collections::BTreeMap;

use peerlet_core::{Address, Rng, Time};

/// How far a peer has come in its present life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// It announced itself once, and may have found nobody yet.
    New,
    /// It was the first, and knows it.
    Founder,
    /// It has learned of others, and announced itself again afterwards.
    Settled,
}

/// A peer that announced itself.
#[derive(Clone, Copy, Debug)]
struct Member {
    peer: Address,
    heard: Time,
    standing: Standing,
}

/// Peers, when they were last heard, and how far they have come.
///
/// Those that are new stand behind all others, so that either kind can be sampled alone. The map is
/// ordered and not hashed: strangers choose its keys.
#[derive(Clone, Default, Debug)]
pub(super) struct Members {
    list: Vec<Member>,
    /// How many at the start of the list are not new.
    settled: usize,
    indices: BTreeMap<Address, usize>,
}

impl Members {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// A peer was heard. A new one for which there is no room takes the place of any other, so that
    /// the list stays a fair sample of those heard.
    pub(super) fn hear(
        &mut self,
        peer: Address,
        standing: Standing,
        now: Time,
        max: usize,
        rng: &mut Rng,
    ) {
        if let Some(index) = self.indices.get(&peer) {
            self.list[*index].heard = now;
            self.set_standing(peer, standing);
            return;
        }
        if self.list.len() >= max {
            self.remove_at(rng.index(self.list.len()));
        }
        self.indices.insert(peer, self.list.len());
        self.list.push(Member { peer, heard: now, standing: Standing::New });
        self.set_standing(peer, standing);
        debug_assert!(self.list.len() <= max, "members are more than {max}");
        debug_assert_eq!(self.list.len(), self.indices.len(), "each member has its index");
    }

    /// How far this peer has come; `None` for a stranger.
    pub(super) fn standing(&self, peer: Address) -> Option<Standing> {
        self.indices.get(&peer).map(|index| self.list[*index].standing)
    }

    pub(super) fn set_standing(&mut self, peer: Address, standing: Standing) {
        let Some(index) = self.indices.get(&peer).copied() else { return };
        let was_new = index >= self.settled;
        self.list[index].standing = standing;
        match standing {
            Standing::New if !was_new => {
                self.settled -= 1;
                self.swap(index, self.settled);
            }
            Standing::Founder | Standing::Settled if was_new => {
                self.swap(index, self.settled);
                self.settled += 1;
            }
            _ => {}
        }
    }

    pub(super) fn remove(&mut self, peer: Address) {
        if let Some(index) = self.indices.get(&peer) {
            self.remove_at(*index);
        }
    }

    /// Up to `count` members that are not new, or that are, in random order, but for one; those no
    /// longer fresh are removed when they are met.
    pub(super) fn sample(
        &mut self,
        new: bool,
        count: usize,
        except: Address,
        is_fresh: impl Fn(Time) -> bool,
        rng: &mut Rng,
    ) -> Vec<Address> {
        let mut sample = Vec::with_capacity(count.min(self.list.len()));
        let mut index = if new { self.settled } else { 0 };
        loop {
            let end = if new { self.list.len() } else { self.settled };
            if index >= end || sample.len() >= count {
                return sample;
            }
            self.swap(index, index + rng.index(end - index));
            let Member { peer, heard, .. } = self.list[index];
            if !is_fresh(heard) {
                self.remove_at(index);
                continue;
            }
            if peer != except {
                sample.push(peer);
            }
            index += 1;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.list.swap(a, b);
        for index in [a, b] {
            self.indices.insert(self.list[index].peer, index);
        }
    }

    fn remove_at(&mut self, mut index: usize) {
        if index < self.settled {
            self.settled -= 1;
            self.swap(index, self.settled);
            index = self.settled;
        }
        let Member { peer, .. } = self.list.swap_remove(index);
        self.indices.remove(&peer);
        if let Some(moved) = self.list.get(index) {
            self.indices.insert(moved.peer, index);
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

    fn any_standing(rng: &mut Rng) -> Standing {
        [Standing::New, Standing::Founder, Standing::Settled][rng.index(3)]
    }

    /// Does random things, and checks after each that list and map agree.
    #[test]
    fn list_and_places_agree() {
        let mut rng = Seed::new(1).rng();
        let mut members = Members::default();
        for step in 0..2_000 {
            let (now, any) = (Time::ZERO + SECOND * step, peer(rng.below(40) as u32));
            let (standing, new) = (any_standing(&mut rng), rng.chance(0.5));
            match rng.below(4) {
                0 => members.remove(any),
                1 => members.hear(any, standing, now, 20, &mut rng),
                2 => members.set_standing(any, standing),
                _ => {
                    let fresh = |heard| now.since(heard) <= SECOND * 50;
                    let sample = members.sample(new, 5, any, fresh, &mut rng);
                    assert!(sample.len() <= 5 && !sample.contains(&any));
                    let is_new = |peer: &Address| members.standing(*peer) == Some(Standing::New);
                    assert!(sample.iter().all(|peer| is_new(peer) == new));
                }
            }
            assert!(members.len() <= 20 && members.indices.len() == members.len());
            for (index, member) in members.list.iter().enumerate() {
                assert_eq!(members.indices[&member.peer], index);
                assert_eq!(member.standing == Standing::New, index >= members.settled);
            }
        }
    }

    #[test]
    fn samples_are_fair() {
        for (new, standing) in [(true, Standing::New), (false, Standing::Settled)] {
            let mut rng = Seed::new(2).rng();
            let mut members = Members::default();
            (0..10).for_each(|n| members.hear(peer(n), standing, Time::ZERO, 10, &mut rng));
            let mut counts = [0u32; 10];
            for _ in 0..9_000 {
                for member in members.sample(new, 3, peer(0), |_| true, &mut rng) {
                    counts[member.slot() as usize] += 1;
                }
            }
            // Each of nine comes in a third of the samples: 3,000 times, and five standard
            // deviations of the binomial are 224.
            assert_eq!(counts[0], 0);
            assert!(counts[1..].iter().all(|c| c.abs_diff(3_000) < 224), "{counts:?}");
        }
    }
}
