//! Lookups in a ring with fingers: each hop goes as far as a power of two can without going past.

use crate::random_stream::RandomStream;
use crate::program::{DELAY_MIN, DELAY_SPREAD, Event, Post, Posts, Program, SECOND};

const TIMER: u64 = 0;
const FIND: u64 = 1;
const FOUND: u64 = 2;

/// One lookup a second and peer.
#[derive(Clone, Copy)]
pub(crate) struct Lookups {
    pub(crate) peers: u32,
}

/// What a peer keeps.
#[derive(Clone, Copy, Default)]
pub(crate) struct Finder {
    random: RandomStream,
    forwarded: u64,
    answers: u64,
    hops: u64,
}

/// A question on its way: 24 bits who is looked for, 24 bits who asks, 16 bits how many hops.
#[derive(Clone, Copy)]
struct Find {
    target: u32,
    origin: u32,
    hops: u64,
}

impl Find {
    #[inline(always)]
    fn of(word: u64) -> Find {
        let mask = 0xff_ffff;
        let (target, origin) = ((word & mask) as u32, (word >> 24 & mask) as u32);
        Find { target, origin, hops: word >> 48 }
    }

    #[inline(always)]
    fn word(self) -> u64 {
        u64::from(self.target) | u64::from(self.origin) << 24 | self.hops << 48
    }
}

impl Lookups {
    /// The finger that leads closest to the target without going past it.
    #[inline(always)]
    fn next(&self, me: u32, target: u32) -> u32 {
        let distance = if target > me { target - me } else { target + self.peers - me };
        let next = me + (1 << distance.ilog2());
        if next >= self.peers { next - self.peers } else { next }
    }

    #[inline(always)]
    fn forward(
        &self,
        peer: &mut Finder,
        (now, me): (u64, u32),
        find: Find,
        posts: &mut impl Posts<()>,
    ) {
        let at = now + DELAY_MIN + peer.random.below(DELAY_SPREAD);
        let (to, word) = (self.next(me, find.target), Find { hops: find.hops + 1, ..find }.word());
        posts.post(Post { at, to, from: me, kind: FIND, word });
    }
}

impl Program for Lookups {
    type Peer = Finder;
    type Bulk = ();

    fn start(&self, me: u32, mut random: RandomStream, posts: &mut impl Posts<()>) -> Finder {
        posts.post(Post { at: random.below(SECOND), to: me, from: me, kind: TIMER, word: 0 });
        Finder { random, ..Finder::default() }
    }

    #[inline(always)]
    fn handle(&self, peer: &mut Finder, event: Event<'_, ()>, posts: &mut impl Posts<()>) -> bool {
        let Event { now, me, word, .. } = event;
        match event.kind {
            TIMER => {
                let target = peer.random.other(me, self.peers);
                self.forward(peer, (now, me), Find { target, origin: me, hops: 0 }, posts);
                posts.post(Post { at: now + SECOND, to: me, from: me, kind: TIMER, word: 0 });
            }
            FIND => {
                let find = Find::of(word);
                if find.target == me {
                    let at = now + DELAY_MIN + peer.random.below(DELAY_SPREAD);
                    let (to, word) = (find.origin, find.hops);
                    posts.post(Post { at, to, from: me, kind: FOUND, word });
                } else {
                    peer.forwarded += 1;
                    self.forward(peer, (now, me), find, posts);
                }
            }
            _ => {
                peer.answers += 1;
                peer.hops += word;
            }
        }
        true
    }

    fn hash(peer: &Finder) -> u64 {
        peer.random.state() ^ peer.forwarded ^ (peer.answers << 20) ^ (peer.hops << 40)
    }

    fn lookups(peer: &Finder) -> (u64, u64) {
        (peer.answers, peer.hops)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hop_comes_closer_and_none_goes_past() {
        let ring = Lookups { peers: 13 };
        for me in 0..13 {
            for target in (0..13).filter(|target| *target != me) {
                let distance = |from: u32| (target + 13 - from) % 13;
                let (mut here, mut hops) = (me, 0);
                while here != target {
                    let next = ring.next(here, target);
                    assert!(distance(next) < distance(here), "{me} to {target} by {next}");
                    (here, hops) = (next, hops + 1);
                }
                assert_eq!(hops, distance(me).count_ones(), "{me} to {target}");
            }
        }
    }
}
