//! Observers of the running peers of a process, which see them between events.

use peerlet_core::Time;
use peerlet_core::property::PeerView;

/// Observes the running peers of each shard, between their events, at set instants.
///
/// The instants are the same for all shards, by the clock of the run. A shard that falls behind is
/// observed once for each instant that has passed.
pub trait Observer: Send + Sync {
    /// The run begins, with this many shards.
    fn begin(&self, shards: u32);
    /// The next instant after this one, or the first instant if there is none before; `None` when
    /// no more follow.
    fn after(&self, last: Option<Time>) -> Option<Time>;
    /// Observes the running peers of one shard, in the order of their seats, for this instant.
    fn observe(&self, at: Time, peers: &mut dyn Iterator<Item = PeerView<'_>>);
}
