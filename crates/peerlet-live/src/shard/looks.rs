//! Looks at the running peers of a shard, at the instants that are set.

use std::sync::Arc;

use peerlet_core::Time;
use peerlet_core::property::PeerView;

use crate::look::Look;

/// Who looks at a shard, and when next.
#[derive(Default)]
pub(crate) struct Looks {
    look: Option<Arc<dyn Look>>,
    next: Option<Time>,
}

impl Looks {
    pub(crate) fn new(look: Option<Arc<dyn Look>>) -> Looks {
        let next = look.as_ref().and_then(|look| look.after(None));
        Looks { look, next }
    }

    /// The instant of the next look.
    pub(super) fn next(&self) -> Option<Time> {
        self.next
    }

    /// Lets peers be looked at for the next instant, if it has come by now. There may be another
    /// one then.
    pub(super) fn show(
        &mut self,
        now: Time,
        peers: &mut dyn Iterator<Item = PeerView<'_>>,
    ) -> bool {
        let Some(at) = self.next.filter(|at| *at <= now) else { return false };
        let Some(look) = &self.look else { return false };
        look.look(at, peers);
        self.next = look.after(Some(at));
        true
    }
}
