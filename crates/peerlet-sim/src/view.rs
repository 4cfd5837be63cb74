//! A simulation at a cut, as properties see it.

use peerlet_core::property::{MessageCounts, PeerSource, WorldSource};
use peerlet_core::{NANOSECOND, Seat, Time};

use crate::simulation::Simulation;

impl WorldSource for Simulation {
    fn now(&self) -> Time {
        Simulation::now(self)
    }

    fn seats(&self) -> u32 {
        Simulation::seats(self)
    }

    fn peer(&self, seat: Seat) -> (&dyn PeerSource, usize) {
        let (worker, row) = self.worker_of(seat);
        (&worker.host, row)
    }

    fn messages(&self) -> MessageCounts {
        let all = self.ledger().total();
        MessageCounts {
            sent: all.sent,
            duplicated: all.duplicated,
            delivered: all.delivered,
            dropped: all.dropped_total(),
            bytes: all.bytes,
        }
    }

    fn is_cut(&self, from: Seat, to: Seat) -> bool {
        // What happens to the network at this instant has not happened yet.
        let before = Simulation::now(self).since(Time::ZERO).saturating_sub(NANOSECOND);
        self.director.model.is_cut(from, to, Time::ZERO + before)
    }
}
