//! The peers that this peer heard directly and recently, and which of them are neighbors.
//!
//! It is a plain value: it knows no clock and sends nothing. Each peer in it was heard within the
//! allowed silence, so its gossip is fresh, and gossip about dead peers dies out.

use std::collections::BTreeMap;

use peerlet_core::{Address, Duration, Time};

use super::Neighbor;
use crate::ring::RingId;

/// How many peers are remembered: 48 neighbors at most (twice 16 random, twice 8 on the ring) and
/// some passers-by, which are the first to be dropped.
const KNOWN_MAX: usize = 64;

/// One peer that was heard.
#[derive(Clone, Copy, Debug)]
struct Known {
    id: RingId,
    heard: Time,
    random: bool,
    suspected: bool,
}

/// The peers heard lately, of whom the nearest on each side are ring neighbors.
#[derive(Clone, Default, Debug)]
pub(super) struct KnownPeers {
    me: RingId,
    /// How many ring neighbors there are to be on each side.
    side: usize,
    peers: BTreeMap<Address, Known>,
    /// Clockwise neighbors, the nearest first.
    successors: Vec<(RingId, Address)>,
    /// Counterclockwise neighbors, the nearest first.
    predecessors: Vec<(RingId, Address)>,
    /// Whether neighbors may have changed since somebody asked.
    changed: bool,
}

impl KnownPeers {
    pub(super) fn new(me: RingId, side: usize) -> KnownPeers {
        KnownPeers { me, side, ..KnownPeers::default() }
    }

    /// Whether neighbors may have changed since this was asked last.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    pub(super) fn me(&self) -> RingId {
        self.me
    }

    pub(super) fn successors(&self) -> impl Iterator<Item = Address> {
        self.successors.iter().map(|(_, peer)| *peer)
    }

    pub(super) fn predecessors(&self) -> impl Iterator<Item = Address> {
        self.predecessors.iter().map(|(_, peer)| *peer)
    }

    pub(super) fn random(&self) -> impl Iterator<Item = Address> {
        self.peers.iter().filter(|(_, known)| known.random).map(|(peer, _)| *peer)
    }

    pub(super) fn knows(&self, peer: Address) -> bool {
        self.peers.contains_key(&peer)
    }

    pub(super) fn is_random(&self, peer: Address) -> bool {
        self.peers.get(&peer).is_some_and(|known| known.random)
    }

    pub(super) fn is_neighbor(&self, peer: Address) -> bool {
        self.peers.get(&peer).is_some_and(|known| self.counts(peer, known))
    }

    fn counts(&self, peer: Address, known: &Known) -> bool {
        known.random || self.ring().any(|near| near == peer)
    }

    /// Ring neighbors of both sides; in a small ring some are on both.
    pub(super) fn ring(&self) -> impl Iterator<Item = Address> {
        self.successors().chain(self.predecessors())
    }

    /// All neighbors, in order of their addresses.
    pub(super) fn neighbors(&self) -> impl Iterator<Item = Neighbor> {
        let counted = self.peers.iter().filter(|(peer, known)| self.counts(**peer, known));
        counted.map(|(peer, known)| Neighbor {
            address: *peer,
            id: known.id,
            random: known.random,
            suspected: known.suspected,
        })
    }

    /// Whether it is within its bounds, and ring neighbors are peers that were heard.
    pub(super) fn is_sound(&self, random_max: usize) -> bool {
        let sides = [&self.successors, &self.predecessors];
        self.peers.len() <= KNOWN_MAX
            && self.random().count() <= random_max
            && sides.iter().all(|side| side.len() <= self.side)
            && self.ring().all(|near| self.knows(near))
    }

    /// A peer was heard directly.
    pub(super) fn hear(&mut self, peer: Address, now: Time) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.heard = now;
            known.suspected = false;
            return;
        }
        if self.peers.len() >= KNOWN_MAX {
            self.drop_passer_by();
        }
        let known = Known { id: RingId::of(peer), heard: now, random: false, suspected: false };
        let nearer = self.improves(known.id);
        self.peers.insert(peer, known);
        if nearer {
            self.arrange();
        }
    }

    /// Makes room: whoever is no neighbor and was silent longest goes.
    fn drop_passer_by(&mut self) {
        let idle = self.peers.iter().filter(|(peer, known)| !self.counts(**peer, known));
        if let Some((peer, _)) = idle.min_by_key(|(_, known)| known.heard) {
            let peer = *peer;
            self.peers.remove(&peer);
        }
    }

    pub(super) fn remove(&mut self, peer: Address) {
        let Some(known) = self.peers.remove(&peer) else { return };
        self.changed |= known.random;
        if self.ring().any(|near| near == peer) {
            self.arrange();
        }
    }

    pub(super) fn set_random(&mut self, peer: Address, random: bool) {
        if let Some(known) = self.peers.get_mut(&peer) {
            self.changed |= known.random != random;
            known.random = random;
        }
    }

    /// Marks a peer, until it is heard again, that did not do what a living one does.
    pub(super) fn suspect(&mut self, peer: Address) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.suspected = true;
        }
    }

    /// When the first neighbor will have been silent for this long; `None` without neighbors.
    pub(super) fn silent_at(&self, silence: Duration) -> Option<Time> {
        let heard = self.neighbors().filter_map(|n| Some(self.peers.get(&n.address)?.heard));
        heard.min().map(|heard| heard + silence)
    }

    /// The peers that were silent for this long.
    pub(super) fn silent(&self, now: Time, silence: Duration) -> Vec<Address> {
        let silent = self.peers.iter().filter(|(_, known)| now.since(known.heard) >= silence);
        silent.map(|(peer, _)| *peer).collect()
    }

    /// Whether a peer at this position would be a ring neighbor.
    pub(super) fn improves(&self, id: RingId) -> bool {
        let (side, me) = (self.side.wrapping_sub(1), self.me);
        let clockwise = |(far, _): &(RingId, Address)| me.clockwise(id) < me.clockwise(*far);
        let counterclockwise = |(far, _): &(RingId, Address)| id.clockwise(me) < far.clockwise(me);
        self.successors.get(side).is_none_or(clockwise)
            || self.predecessors.get(side).is_none_or(counterclockwise)
    }

    /// The known peers nearest to this position on each side, up to `side` each, but for one.
    pub(super) fn nearest(&self, id: RingId, side: usize, except: Address) -> Vec<Address> {
        let others = self.peers.iter().filter(|(peer, _)| **peer != except);
        let sorted = clockwise_from(id, others.map(|(peer, known)| (known.id, *peer)));
        let from_end = sorted.len().saturating_sub(side).max(side.min(sorted.len()));
        let both = sorted[..side.min(sorted.len())].iter().chain(&sorted[from_end..]);
        both.map(|(_, peer)| *peer).collect()
    }

    /// Chooses the ring neighbors anew.
    fn arrange(&mut self) {
        self.changed = true;
        let known = self.peers.iter().map(|(peer, known)| (known.id, *peer));
        let sorted = clockwise_from(self.me, known);
        let side = self.side.min(sorted.len());
        self.successors = sorted[..side].to_vec();
        self.predecessors = sorted.iter().rev().take(side).copied().collect();
    }
}

/// These peers in the order in which they are met, going clockwise from a position.
pub(super) fn clockwise_from(
    id: RingId,
    peers: impl Iterator<Item = (RingId, Address)>,
) -> Vec<(RingId, Address)> {
    let mut sorted: Vec<_> = peers.collect();
    sorted.sort_unstable_by_key(|(at, peer)| (id.clockwise(*at), *peer));
    sorted
}

#[cfg(test)]
mod tests {
    use peerlet_core::{SECOND, Seat, Seed};

    use super::*;

    const ME: Address = Address::simulated(Seat(0));

    fn known(side: usize) -> KnownPeers {
        KnownPeers::new(RingId::of(ME), side)
    }

    fn peer(n: u64) -> Address {
        Address::simulated(Seat(n as u32))
    }

    /// Hears and loses peers at random, and compares the ring with one sorted from scratch.
    #[test]
    fn ring_neighbors_are_always_the_nearest_known() {
        let (mut known, mut rng) = (known(3), Seed::new(4).rng());
        for _ in 0..3_000 {
            let any = peer(1 + rng.below(30));
            if rng.chance(0.5) {
                known.remove(any)
            } else {
                known.hear(any, Time::ZERO)
            }
            let all = known.peers.iter().map(|(peer, known)| (known.id, *peer));
            let sorted = clockwise_from(known.me, all);
            assert!(known.successors().eq(sorted.iter().take(3).map(|(_, peer)| *peer)));
            assert!(known.predecessors().eq(sorted.iter().rev().take(3).map(|(_, peer)| *peer)));
        }
    }

    #[test]
    fn strangers_do_not_push_neighbors_out() {
        let mut known = known(2);
        known.hear(peer(1), Time::ZERO);
        known.set_random(peer(1), true);
        for n in 2..1_000 {
            known.hear(peer(n), Time::ZERO + SECOND * n);
            assert!(known.peers.len() <= KNOWN_MAX);
        }
        assert!(known.is_random(peer(1)));
        let mut all: Vec<_> = (1..1_000).map(|n| (RingId::of(peer(n)), peer(n))).collect();
        all = clockwise_from(known.me, all.into_iter());
        assert!(known.successors().eq(all[..2].iter().map(|(_, peer)| *peer)));
    }

    #[test]
    fn the_nearest_on_both_sides_come_once() {
        let mut known = known(2);
        (1..6).for_each(|n| known.hear(peer(n), Time::ZERO));
        for side in 1..6 {
            let mut near = known.nearest(RingId::of(peer(9)), side, peer(3));
            near.sort_unstable();
            near.dedup();
            assert_eq!(near.len(), (2 * side).min(4));
        }
        let id = RingId::of(peer(2));
        assert_eq!(known.nearest(id, 1, ME)[0], peer(2), "who is there is nearest");
    }

    #[test]
    fn the_silent_are_found_and_the_heard_are_not_suspected() {
        let mut known = known(2);
        (1..3).for_each(|n| known.hear(peer(n), Time::ZERO));
        known.suspect(peer(1));
        assert!(known.neighbors().any(|neighbor| neighbor.suspected));
        known.hear(peer(1), Time::ZERO + SECOND);
        assert!(!known.neighbors().any(|neighbor| neighbor.suspected));
        let silent = |secs| known.silent(Time::ZERO + SECOND * secs, SECOND * 3);
        assert_eq!([silent(2), silent(3)], [vec![], vec![peer(2)]]);
    }
}
