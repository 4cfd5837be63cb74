//! Asks a random peer, waits for its answer, sleeps a second, and so on: by hand, a machine of
//! states with a time-out for each question.

use crate::random_stream::RandomStream;
use crate::program::{DELAY_MIN, DELAY_SPREAD, Event, Post, Posts, Program, SECOND};

const WAKE: u64 = 0;
const QUESTION: u64 = 1;
const ANSWER: u64 = 2;
const TIMEOUT: u64 = 3;

/// One question after the other.
#[derive(Clone, Copy)]
pub(crate) struct Tasks {
    pub(crate) peers: u32,
}

/// What a peer keeps.
#[derive(Clone, Copy, Default)]
pub(crate) struct Asker {
    random: RandomStream,
    /// The number of the latest question.
    asked: u64,
    /// Whether it waits for the answer.
    waits: bool,
    answers: u64,
    served: u64,
}

impl Asker {
    #[inline(always)]
    fn arrival(&mut self, now: u64) -> u64 {
        now + DELAY_MIN + self.random.below(DELAY_SPREAD)
    }
}

impl Program for Tasks {
    type Peer = Asker;
    type Bulk = ();

    fn start(&self, me: u32, mut random: RandomStream, posts: &mut impl Posts<()>) -> Asker {
        posts.post(Post { at: random.below(SECOND), to: me, from: me, kind: WAKE, word: 0 });
        Asker { random, ..Asker::default() }
    }

    #[inline(always)]
    fn handle(&self, peer: &mut Asker, event: Event<'_, ()>, posts: &mut impl Posts<()>) -> bool {
        let Event { now, me, from, word, .. } = event;
        let wake = Post { at: now + SECOND, to: me, from: me, kind: WAKE, word: 0 };
        let current = peer.waits && word == peer.asked;
        match event.kind {
            WAKE => {
                let to = peer.random.other(me, self.peers);
                peer.asked += 1;
                peer.waits = true;
                let (at, word) = (peer.arrival(now), peer.asked);
                posts.post(Post { at, to, from: me, kind: QUESTION, word });
                posts.post(Post { kind: TIMEOUT, word, ..wake });
            }
            QUESTION => {
                peer.served += 1;
                let at = peer.arrival(now);
                posts.post(Post { at, to: from, from: me, kind: ANSWER, word });
            }
            // A time-out after the answer is no event, as in every simulator with timers that are
            // taken back.
            ANSWER | TIMEOUT if !current => return false,
            kind => {
                peer.waits = false;
                peer.answers += u64::from(kind == ANSWER);
                posts.post(wake);
            }
        }
        true
    }

    fn hash(peer: &Asker) -> u64 {
        peer.random.state() ^ peer.asked ^ (peer.answers << 20) ^ (peer.served << 40)
    }
}
