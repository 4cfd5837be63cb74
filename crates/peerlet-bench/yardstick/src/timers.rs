//! Timers only: each peer's is due once a second.

use crate::random_stream::RandomStream;
use crate::program::{Event, Post, Posts, Program, SECOND};

/// Nobody sends anything.
#[derive(Clone, Copy)]
pub(crate) struct Timers;

impl Program for Timers {
    /// How often it was due.
    type Peer = u64;
    type Bulk = ();

    fn start(&self, me: u32, mut random: RandomStream, posts: &mut impl Posts<()>) -> u64 {
        posts.post(Post { at: random.below(SECOND), to: me, from: me, kind: 0, word: 0 });
        0
    }

    #[inline(always)]
    fn handle(&self, peer: &mut u64, event: Event<'_, ()>, posts: &mut impl Posts<()>) -> bool {
        *peer += 1;
        let Event { now, me, .. } = event;
        posts.post(Post { at: now + SECOND, to: me, from: me, kind: 0, word: 0 });
        true
    }

    fn hash(peer: &u64) -> u64 {
        *peer
    }
}
