//! Progress of each peer: a property that comes to hold in each life.

use peerlet_core::Time;
use peerlet_core::property::{PeerView, Violation};

use crate::properties::planned::PlannedProperty;

/// The lives of peers that were seen, each with what is known of it.
#[derive(Default)]
pub(super) struct Lives {
    /// The present life in each seat.
    of: Vec<Life>,
    /// How many lives it came to hold of.
    held: u64,
    /// The first instant at which the time of a life is over that it does not hold in.
    due: Option<Time>,
}

#[derive(Clone, Copy, Default)]
struct Life {
    /// Its number; 0 where none was seen.
    number: u32,
    has_held: bool,
    /// The instant of the first check that saw it.
    seen: Time,
}

impl Lives {
    /// How many lives it came to hold of.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// The next instant at which the time of a life is over, as known by the last check.
    pub(super) fn due(&self) -> Option<Time> {
        self.due
    }

    /// Checks the lives of these peers at this instant; a violation names those whose time is over.
    pub(super) fn check<'a>(
        &mut self,
        planned: &PlannedProperty,
        at: Time,
        is_last: bool,
        peers: impl Iterator<Item = PeerView<'a>>,
    ) -> Result<(), Violation> {
        let (property, stays) = (&planned.property, planned.property.stays());
        let mut all: Option<Violation> = None;
        self.due = None;
        for peer in peers {
            let seat = peer.seat().0 as usize;
            if self.of.len() <= seat {
                self.of.resize(seat + 1, Life::default());
            }
            let life = &mut self.of[seat];
            if life.number != peer.life() {
                *life = Life { number: peer.life(), has_held: false, seen: at };
            }
            if life.has_held && !stays {
                continue;
            }
            match property.check_peer(&peer) {
                None => {}
                Some(Ok(())) => {
                    self.held += u64::from(!life.has_held);
                    life.has_held = true;
                }
                Some(Err(own)) => {
                    let is_over = match planned.within {
                        Some(within) => at >= life.seen + within,
                        None => is_last || life.has_held,
                    };
                    if let Some(within) = planned.within.filter(|_| !is_over) {
                        let due = life.seen + within;
                        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
                    }
                    if is_over {
                        all.get_or_insert_with(Violation::of_each).add(peer.seat(), own);
                    }
                }
            }
        }
        all.map_or(Ok(()), Err)
    }
}
