//! The observation of a shard's running peers, at set instants.

use std::sync::Arc;

use peerlet_core::Time;
use peerlet_core::property::PeerView;

use crate::observer::Observer;

/// A shard's observer, if it has one, and the next instant of observation.
#[derive(Default)]
pub(crate) struct Observation {
    observer: Option<Arc<dyn Observer>>,
    next: Option<Time>,
}

impl Observation {
    pub(crate) fn new(observer: Option<Arc<dyn Observer>>) -> Observation {
        let next = observer.as_ref().and_then(|observer| observer.after(None));
        Observation { observer, next }
    }

    /// The next instant of observation.
    pub(super) fn next(&self) -> Option<Time> {
        self.next
    }

    /// Shows the peers to the observer for the next instant, if that has come. True if it has: then
    /// another instant may be due as well.
    pub(super) fn show(
        &mut self,
        now: Time,
        peers: &mut dyn Iterator<Item = PeerView<'_>>,
    ) -> bool {
        let Some(at) = self.next.filter(|at| *at <= now) else { return false };
        let Some(observer) = &self.observer else { return false };
        observer.observe(at, peers);
        self.next = observer.after(Some(at));
        true
    }
}
