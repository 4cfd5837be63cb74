//! Shares of a shard's work: how much is done between two looks at the sockets.

use std::time::{Duration, Instant};

/// Events of one kind, what is due and what arrived, that a shard handles before it looks at the
/// other kind: each at a few microseconds.
const EVENTS: u32 = 256;
/// How long they may take, where handlers are slow: ten times what waking up a thread costs.
pub(super) const TIME: Duration = Duration::from_micros(500);
/// Events that peers make for themselves at once, handled after each other event: a peer that
/// answers itself without end gets sixteen events for each of the others' one.
pub(super) const SOON: usize = 16;
/// Frames that wait to be sent, above which the transport takes them before anything is handled.
pub(super) const OUTBOX_MAX: usize = 4_096;

/// The work that is left of one share.
pub(super) struct Share {
    events: u32,
    until: Instant,
}

impl Share {
    pub(super) fn new() -> Share {
        Share { events: EVENTS, until: Instant::now() + TIME }
    }

    /// Takes one event of it; false when it is used up. The first is always there.
    pub(super) fn take(&mut self) -> bool {
        let is_left = self.events > 0 && (self.events == EVENTS || Instant::now() < self.until);
        self.events = self.events.saturating_sub(1);
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_bounded_in_events_and_in_time() {
        let hour = Instant::now() + Duration::from_secs(3_600);
        let mut share = Share { until: hour, ..Share::new() };
        assert_eq!((0..1_000).filter(|_| share.take()).count(), EVENTS as usize);
        let mut share = Share { until: Instant::now(), ..Share::new() };
        assert_eq!((0..1_000).filter(|_| share.take()).count(), 1, "it goes on all the same");
    }
}
