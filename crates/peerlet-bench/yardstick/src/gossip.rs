//! Each second every peer sends a counter to a random other one, which adds it up and answers.

use crate::random_stream::RandomStream;
use crate::program::{DELAY_MIN, DELAY_SPREAD, Event, Post, Posts, Program, SECOND};

pub(crate) const TIMER: u64 = 0;
pub(crate) const PING: u64 = 1;
pub(crate) const ACK: u64 = 2;

/// The workload that simulators are compared on.
#[derive(Clone, Copy)]
pub(crate) struct Gossip {
    pub(crate) peers: u32,
}

/// What a peer keeps: 32 bytes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Gossiper {
    pub(crate) random: RandomStream,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) acked: u64,
}

impl Gossiper {
    /// When a message sent now arrives.
    #[inline(always)]
    pub(crate) fn arrival(&mut self, now: u64) -> u64 {
        now + DELAY_MIN + self.random.below(DELAY_SPREAD)
    }

    pub(crate) fn hash(&self) -> u64 {
        self.random.state() ^ self.received ^ (self.acked << 32) ^ self.sent
    }
}

impl Program for Gossip {
    type Peer = Gossiper;
    type Bulk = ();

    fn start(&self, me: u32, mut random: RandomStream, posts: &mut impl Posts<()>) -> Gossiper {
        posts.post(Post { at: random.below(SECOND), to: me, from: me, kind: TIMER, word: 0 });
        Gossiper { random, ..Gossiper::default() }
    }

    #[inline(always)]
    fn handle(
        &self,
        peer: &mut Gossiper,
        event: Event<'_, ()>,
        posts: &mut impl Posts<()>,
    ) -> bool {
        let Event { now, me, from, word, .. } = event;
        match event.kind {
            TIMER => {
                let to = peer.random.other(me, self.peers);
                peer.sent += 1;
                let at = peer.arrival(now);
                posts.post(Post { at, to, from: me, kind: PING, word: peer.sent });
                posts.post(Post { at: now + SECOND, to: me, from: me, kind: TIMER, word: 0 });
            }
            PING => {
                peer.received += word;
                let at = peer.arrival(now);
                posts.post(Post { at, to: from, from: me, kind: ACK, word });
            }
            _ => peer.acked += 1,
        }
        true
    }

    fn hash(peer: &Gossiper) -> u64 {
        peer.hash()
    }
}
