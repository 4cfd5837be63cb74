//! Gossip with messages of 200 bytes.

use crate::random_stream::RandomStream;
use crate::gossip::{ACK, Gossip, Gossiper, PING, TIMER};
use crate::program::{Event, Post, Posts, Program, SECOND};

/// The payload of a message: 25 words.
pub(crate) type Words = [u64; 25];

/// Gossip whose counter travels in 200 bytes.
#[derive(Clone, Copy)]
pub(crate) struct Large(pub(crate) Gossip);

impl Program for Large {
    type Peer = Gossiper;
    type Bulk = Words;
    const BULK_KINDS: u64 = 1 << PING | 1 << ACK;

    fn start(&self, me: u32, mut random: RandomStream, posts: &mut impl Posts<Words>) -> Gossiper {
        posts.post(Post { at: random.below(SECOND), to: me, from: me, kind: TIMER, word: 0 });
        Gossiper { random, ..Gossiper::default() }
    }

    #[inline(always)]
    fn handle(
        &self,
        peer: &mut Gossiper,
        event: Event<'_, Words>,
        posts: &mut impl Posts<Words>,
    ) -> bool {
        let Event { now, me, from, .. } = event;
        match (event.kind, event.bulk) {
            (PING, Some(words)) => {
                peer.received = words.iter().fold(peer.received, |sum, word| sum + word);
                let at = peer.arrival(now);
                posts.post_bulk(Post { at, to: from, from: me, kind: ACK, word: 0 }, words);
            }
            (ACK, Some(words)) => peer.acked += words[24],
            _ => {
                let to = peer.random.other(me, self.0.peers);
                peer.sent += 1;
                let at = peer.arrival(now);
                let words = [peer.sent; 25];
                posts.post_bulk(Post { at, to, from: me, kind: PING, word: 0 }, &words);
                posts.post(Post { at: now + SECOND, to: me, from: me, kind: TIMER, word: 0 });
            }
        }
        true
    }

    fn hash(peer: &Gossiper) -> u64 {
        peer.hash()
    }
}
