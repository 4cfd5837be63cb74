//! What a workload is to a driver.

use crate::random_stream::RandomStream;

/// A second of virtual time, in nanoseconds.
pub(crate) const SECOND: u64 = 1_000_000_000;
/// The shortest delay of a message but in PHOLD.
pub(crate) const DELAY_MIN: u64 = 50_000_000;
/// How much longer the longest one is.
pub(crate) const DELAY_SPREAD: u64 = 100_000_000;

/// What is run, and how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The number of peers, at least two, at most 2^24.
    pub peers: u32,
    /// The virtual time in seconds.
    pub seconds: u32,
    /// How many threads share the peers.
    pub threads: u32,
    /// What everything is drawn from.
    pub seed: u64,
    /// How many messages a peer PHOLD starts with.
    pub population: u32,
}

/// What came out of a run.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ran {
    /// How many events happened: timers that were due and messages that were delivered.
    pub events: u64,
    /// How long it took to make the peers and their first events.
    pub set_up: std::time::Duration,
    /// How long the run took, and adding up its hash.
    pub wall: std::time::Duration,
    /// Over the state of all peers at the end.
    pub hash: u64,
    /// How many lookups were answered, and their hops; nothing but in that workload.
    pub answers: u64,
    /// The sum of the hops of those lookups.
    pub hops: u64,
}

/// What a peer makes happen later.
#[derive(Clone, Copy, Debug)]
pub struct Post {
    /// When, in nanoseconds.
    pub at: u64,
    /// To whom; a timer is to oneself.
    pub to: u32,
    /// By whom.
    pub from: u32,
    /// What: a number below four of the program's choice.
    pub kind: u64,
    /// More of it.
    pub word: u64,
}

/// Where a peer leaves what it makes happen.
pub trait Posts<B> {
    /// Something without bulk.
    fn post(&mut self, post: Post);
    /// Something with bulk; its word is not kept.
    fn post_bulk(&mut self, post: Post, bulk: &B);
}

/// Something that happens to a peer now.
#[derive(Clone, Copy, Debug)]
pub struct Event<'b, B> {
    /// The time in nanoseconds.
    pub now: u64,
    /// The peer.
    pub me: u32,
    /// Who made it happen.
    pub from: u32,
    /// As posted.
    pub kind: u64,
    /// As posted, unless there is bulk.
    pub word: u64,
    /// As posted.
    pub bulk: Option<&'b B>,
}

/// One workload: what its peers are and do.
pub trait Program: Copy + Send + Sync {
    /// What one peer keeps.
    type Peer: Send;
    /// What is too large for a word; `()` where there is none.
    type Bulk: Copy + Send;
    /// Nothing is posted for an earlier time than this far ahead.
    const LOOKAHEAD: u64 = DELAY_MIN;
    /// Nothing is posted for as late a time as this far ahead.
    const HORIZON: u64 = SECOND + 1;
    /// The kinds that carry bulk, one bit each.
    const BULK_KINDS: u64 = 0;

    /// A peer at time zero; here it may post for any time before the horizon.
    fn start(
        &self,
        me: u32,
        random: RandomStream,
        posts: &mut impl Posts<Self::Bulk>,
    ) -> Self::Peer;

    /// Lets something happen to a peer. Tells whether it counts as an event.
    fn handle(
        &self,
        peer: &mut Self::Peer,
        event: Event<'_, Self::Bulk>,
        posts: &mut impl Posts<Self::Bulk>,
    ) -> bool;

    /// The peer's part of the hash.
    fn hash(peer: &Self::Peer) -> u64;

    /// How many lookups of the peer were answered, and their hops.
    fn lookups(_peer: &Self::Peer) -> (u64, u64) {
        (0, 0)
    }
}

/// Adds up what the peers have at the end: hash, answers, hops.
pub(crate) fn add_up<P: Program>(peers: &[P::Peer]) -> (u64, u64, u64) {
    peers.iter().fold((0, 0, 0), |(hash, answers, hops), peer| {
        let hash: u64 = hash.rotate_left(5).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ P::hash(peer);
        let more = P::lookups(peer);
        (hash, answers + more.0, hops + more.1)
    })
}
