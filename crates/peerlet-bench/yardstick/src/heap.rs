//! The textbook's driver: one binary heap, one event after the other.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Instant;

use crate::random_stream::RandomStream;
use crate::program::{Event, Plan, Post, Posts, Program, Ran, SECOND, add_up};

/// Something due, in the order of (time, destination, source, kind).
struct Due<B> {
    post: Post,
    bulk: Option<B>,
}

impl<B> Due<B> {
    fn key(&self) -> (u64, u32, u32, u64) {
        (self.post.at, self.post.to, self.post.from, self.post.kind)
    }
}

impl<B> PartialEq for Due<B> {
    fn eq(&self, other: &Due<B>) -> bool {
        self.key() == other.key()
    }
}

impl<B> Eq for Due<B> {}

impl<B> PartialOrd for Due<B> {
    fn partial_cmp(&self, other: &Due<B>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<B> Ord for Due<B> {
    /// The earliest is the greatest, as the heap wants it.
    fn cmp(&self, other: &Due<B>) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl<B: Copy> Posts<B> for BinaryHeap<Due<B>> {
    fn post(&mut self, post: Post) {
        self.push(Due { post, bulk: None });
    }

    fn post_bulk(&mut self, post: Post, bulk: &B) {
        self.push(Due { post, bulk: Some(*bulk) });
    }
}

/// Runs a program to the end of the plan; on one thread, whatever it says.
pub(crate) fn run<P: Program>(program: P, plan: &Plan) -> Ran {
    let began = Instant::now();
    let mut heap = BinaryHeap::new();
    let mut peers: Vec<P::Peer> =
        (0..plan.peers)
            .map(|me| program.start(me, RandomStream::new(plan.seed, me), &mut heap))
            .collect();
    let set_up = began.elapsed();

    let began = Instant::now();
    let (end, mut events) = (u64::from(plan.seconds) * SECOND, 0);
    while let Some(Due { post, bulk }) = heap.pop() {
        let Post { at: now, to: me, from, kind, word } = post;
        if now >= end {
            break;
        }
        let event = Event { now, me, from, kind, word, bulk: bulk.as_ref() };
        events += u64::from(program.handle(&mut peers[me as usize], event, &mut heap));
    }
    let (hash, answers, hops) = add_up::<P>(&peers);
    Ran { events, set_up, wall: began.elapsed(), hash, answers, hops }
}
