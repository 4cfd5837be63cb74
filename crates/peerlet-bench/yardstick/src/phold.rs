//! PHOLD (Fujimoto 1990): whoever gets a message sends one on, to anybody, after a random time.

use crate::random_stream::RandomStream;
use crate::program::{Event, Post, Posts, Program, SECOND};

/// A fixed population of messages that travel without end.
#[derive(Clone, Copy)]
pub(crate) struct Phold {
    pub(crate) peers: u32,
    pub(crate) population: u32,
}

/// What a peer keeps.
#[derive(Clone, Copy, Default)]
pub(crate) struct Relay {
    random: RandomStream,
    relayed: u64,
}

/// The shortest delay: 0.1 s.
const LOOKAHEAD: u64 = SECOND / 10;
/// Delays are uniform up to this much longer.
const SPREAD: u64 = SECOND;

impl Phold {
    #[inline(always)]
    fn send(&self, random: &mut RandomStream, me: u32, now: u64, posts: &mut impl Posts<()>) {
        let to = random.other(me, self.peers);
        let at = now + LOOKAHEAD + random.below(SPREAD);
        posts.post(Post { at, to, from: me, kind: 0, word: 0 });
    }
}

impl Program for Phold {
    type Peer = Relay;
    type Bulk = ();
    const LOOKAHEAD: u64 = LOOKAHEAD;
    const HORIZON: u64 = LOOKAHEAD + SPREAD;

    fn start(&self, me: u32, mut random: RandomStream, posts: &mut impl Posts<()>) -> Relay {
        for _ in 0..self.population {
            self.send(&mut random, me, 0, posts);
        }
        Relay { random, relayed: 0 }
    }

    #[inline(always)]
    fn handle(&self, peer: &mut Relay, event: Event<'_, ()>, posts: &mut impl Posts<()>) -> bool {
        peer.relayed += 1;
        self.send(&mut peer.random, event.me, event.now, posts);
        true
    }

    fn hash(peer: &Relay) -> u64 {
        peer.random.state() ^ (peer.relayed << 32)
    }
}
