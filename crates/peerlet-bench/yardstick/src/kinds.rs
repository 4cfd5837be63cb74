//! Gossip with 64 kinds of messages: 32 kinds of pings, each with an answer of its own kind.

use crate::random_stream::RandomStream;
use crate::gossip::{ACK, Gossip, Gossiper, PING, TIMER};
use crate::program::{Event, Post, Posts, Program, SECOND};

/// How many kinds of pings there are.
const PINGS: u64 = 32;
/// Which kind a message is stands above the counter.
const SHIFT: u32 = 56;

/// Gossip whose messages take turns in what they are.
#[derive(Clone, Copy)]
pub(crate) struct Kinds(pub(crate) Gossip);

impl Program for Kinds {
    type Peer = Gossiper;
    type Bulk = ();

    fn start(&self, me: u32, random: RandomStream, posts: &mut impl Posts<()>) -> Gossiper {
        self.0.start(me, random, posts)
    }

    #[inline(always)]
    fn handle(
        &self,
        peer: &mut Gossiper,
        event: Event<'_, ()>,
        posts: &mut impl Posts<()>,
    ) -> bool {
        let Event { now, me, from, word, .. } = event;
        let (kind, count) = (word >> SHIFT, word & ((1 << SHIFT) - 1));
        match event.kind {
            TIMER => {
                let to = peer.random.other(me, self.0.peers);
                peer.sent += 1;
                let (at, word) = (peer.arrival(now), (peer.sent % PINGS) << SHIFT | peer.sent);
                posts.post(Post { at, to, from: me, kind: PING, word });
                posts.post(Post { at: now + SECOND, to: me, from: me, kind: TIMER, word: 0 });
            }
            PING => {
                peer.received += count + kind;
                let at = peer.arrival(now);
                posts.post(Post { at, to: from, from: me, kind: ACK, word });
            }
            _ => peer.acked += 1 + kind,
        }
        true
    }

    fn hash(peer: &Gossiper) -> u64 {
        peer.hash()
    }
}
