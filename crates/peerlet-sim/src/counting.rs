//! Counting the messages of each peer, and what has to be seen for that.

use peerlet_core::Seat;
use peerlet_core::runtime::Class;

use crate::peer_counts::PeerCounts;
use crate::worker_state::WorkerState;

impl WorkerState {
    /// Begins to keep events for a trace, and to count the messages of each peer, before anything
    /// has happened. Nothing that is counted takes a short way.
    pub(crate) fn attend(&mut self, is_traced: bool, counts_peers: bool) {
        self.trace = is_traced.then(Vec::new);
        if counts_peers {
            self.peer_counts = Some(vec![PeerCounts::default(); self.seat_states.len()]);
            self.plain = false;
        }
        self.is_attended = self.needs_attention();
    }

    /// Whether there is work after each event.
    pub(crate) fn needs_attention(&self) -> bool {
        self.trace.is_some() || self.peer_counts.is_some()
    }

    /// Counts a message that a peer sent.
    #[inline]
    pub(crate) fn count_sent(&mut self, seat: Seat, size: usize) {
        let row = self.row(seat);
        if let Some(counts) = self.peer_counts.as_mut().and_then(|counts| counts.get_mut(row)) {
            counts.sent += 1;
            counts.bytes += size as u64;
        }
    }

    /// Takes a message that a peer sends into the account of its class, and counts it.
    pub(crate) fn account_sent(&mut self, class: Class, seat: Seat, size: usize) {
        let flow = self.ledger.of(class);
        flow.sent += 1;
        flow.bytes += size as u64;
        self.count_sent(seat, size);
    }

    /// Counts a message that a peer handled; one fewer where nobody did after all.
    #[inline]
    pub(crate) fn count_delivered(&mut self, row: usize, is_handled: bool) {
        if let Some(counts) = self.peer_counts.as_mut().and_then(|counts| counts.get_mut(row)) {
            match is_handled {
                true => counts.delivered += 1,
                false => counts.delivered -= 1,
            }
        }
    }
}
