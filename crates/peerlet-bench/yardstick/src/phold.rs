//! PHOLD (Fujimoto 1990): whoever gets a message sends one on, to anybody, after a random time.

use crate::dice::Dice;
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
    dice: Dice,
    relayed: u64,
}

/// The shortest delay: 0.1 s.
const LOOKAHEAD: u64 = SECOND / 10;
/// Delays are uniform up to this much longer.
const SPREAD: u64 = SECOND;

impl Phold {
    #[inline(always)]
    fn send(&self, dice: &mut Dice, me: u32, now: u64, posts: &mut impl Posts<()>) {
        let to = dice.other(me, self.peers);
        let at = now + LOOKAHEAD + dice.below(SPREAD);
        posts.post(Post { at, to, from: me, kind: 0, word: 0 });
    }
}

impl Program for Phold {
    type Peer = Relay;
    type Bulk = ();
    const LOOKAHEAD: u64 = LOOKAHEAD;
    const HORIZON: u64 = LOOKAHEAD + SPREAD;

    fn start(&self, me: u32, mut dice: Dice, posts: &mut impl Posts<()>) -> Relay {
        for _ in 0..self.population {
            self.send(&mut dice, me, 0, posts);
        }
        Relay { dice, relayed: 0 }
    }

    #[inline(always)]
    fn handle(&self, peer: &mut Relay, event: Event<'_, ()>, posts: &mut impl Posts<()>) -> bool {
        peer.relayed += 1;
        self.send(&mut peer.dice, event.me, event.now, posts);
        true
    }

    fn hash(peer: &Relay) -> u64 {
        peer.dice.state() ^ (peer.relayed << 32)
    }
}
