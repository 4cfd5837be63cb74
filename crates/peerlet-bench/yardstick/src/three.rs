//! Three gossips a peer, each with a timer and counters of its own.

use crate::random_stream::RandomStream;
use crate::gossip::{ACK, Gossip, Gossiper, PING, TIMER};
use crate::program::{Event, Post, Posts, Program, SECOND};

/// Which of the three an event is for stands above the counter.
const PART_SHIFT: u32 = 56;

/// Gossip three times over.
#[derive(Clone, Copy)]
pub(crate) struct Three(pub(crate) Gossip);

impl Program for Three {
    type Peer = [Gossiper; 3];
    type Bulk = ();

    fn start(
        &self,
        me: u32,
        mut random: RandomStream,
        posts: &mut impl Posts<()>,
    ) -> [Gossiper; 3] {
        [0, 1, 2].map(|part: u64| {
            let mut random = random.split();
            let (at, word) = (random.below(SECOND), part << PART_SHIFT);
            posts.post(Post { at, to: me, from: me, kind: TIMER, word });
            Gossiper { random, ..Gossiper::default() }
        })
    }

    #[inline(always)]
    fn handle(
        &self,
        peer: &mut [Gossiper; 3],
        event: Event<'_, ()>,
        posts: &mut impl Posts<()>,
    ) -> bool {
        let Event { now, me, from, word, .. } = event;
        let part = word >> PART_SHIFT;
        let peer = &mut peer[part as usize];
        match event.kind {
            TIMER => {
                let to = peer.random.other(me, self.0.peers);
                peer.sent += 1;
                let at = peer.arrival(now);
                let counter = part << PART_SHIFT | peer.sent;
                posts.post(Post { at, to, from: me, kind: PING, word: counter });
                posts.post(Post { at: now + SECOND, to: me, from: me, kind: TIMER, word });
            }
            PING => {
                peer.received += word & ((1 << PART_SHIFT) - 1);
                let at = peer.arrival(now);
                posts.post(Post { at, to: from, from: me, kind: ACK, word });
            }
            _ => peer.acked += 1,
        }
        true
    }

    fn hash(peer: &[Gossiper; 3]) -> u64 {
        peer.iter().fold(0, |hash, part| hash.rotate_left(7) ^ part.hash())
    }
}
