//! Looks at the running peers of a process, at set instants, for whoever checks them.

use peerlet_core::Time;
use peerlet_core::property::PeerView;

/// Looks at the running peers of each shard, between their events.
///
/// The instants are the same for all shards, by the clock of the run. A shard that was late looks
/// once for each instant that has passed.
pub trait Look: Send + Sync {
    /// The run begins, with this many shards.
    fn begin(&self, shards: u32);
    /// The instant after this one, or the first one, at which each shard is looked at; `None` where
    /// there is no more.
    fn after(&self, last: Option<Time>) -> Option<Time>;
    /// Looks at all running peers of one shard, in the order of their seats, for this instant.
    fn look(&self, at: Time, peers: &mut dyn Iterator<Item = PeerView<'_>>);
}
