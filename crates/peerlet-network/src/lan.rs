//! Local networks: near within, far between, and with broadcast.

use std::ops::Range;

use peerlet_core::{Duration, Seat};

use crate::model::{Departure, Model, ModelState, Packet};

/// Local networks of this many peers each, seat by seat: seats 0 to `size - 1` are on the first
/// one.
///
/// A broadcast reaches the others on the sender's local network, each as a message of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lan {
    /// How many peers are on each; the last one may have fewer. At least 1.
    pub size: u32,
    /// How many peers there are.
    pub peers: u32,
    /// How long a message takes within one, one way.
    pub within: Duration,
    /// How long it takes from one to another, one way.
    pub between: Duration,
}

impl Lan {
    fn delay(&self, from: Seat, to: Seat) -> Duration {
        match self.local_network(from).contains(&to.0) {
            true => self.within,
            false => self.between,
        }
    }
}

impl Model for Lan {
    fn lookahead(&self) -> Duration {
        self.within.min(self.between)
    }

    fn is_stateless(&self) -> bool {
        true
    }

    fn depart(&self, packet: &Packet, _: &mut ModelState) -> Departure {
        Departure::Arrive { after: self.delay(packet.from, packet.to) }
    }

    fn round_trip(&self, from: Seat, to: Seat) -> Duration {
        self.delay(from, to) * 2
    }

    fn has_local_networks(&self) -> bool {
        true
    }

    fn local_network(&self, seat: Seat) -> Range<u32> {
        let first = seat.0 - seat.0 % self.size;
        first..self.peers.min(first.saturating_add(self.size))
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{MILLISECOND, Seed, Time};

    use super::*;

    #[test]
    fn who_is_near_is_on_the_same_network() {
        let (within, between) = (MILLISECOND, MILLISECOND * 30);
        let lan = Lan { size: 4, peers: 10, within, between };
        for (from, to) in (0..10).flat_map(|from| (0..10).map(move |to| (from, to))) {
            // The networks, written out.
            let of = |seat: u32| [0, 0, 0, 0, 1, 1, 1, 1, 2, 2][seat as usize];
            let expected = if of(from) == of(to) { within } else { between };
            let (from, to) = (Seat(from), Seat(to));
            let packet = Packet { from, to, at: Time::ZERO, size: 0, random: Seed::new(1) };
            assert_eq!(lan.depart(&packet, &mut None), Departure::Arrive { after: expected });
            assert_eq!(lan.round_trip(from, to), expected * 2);
            assert_eq!(lan.local_network(from).contains(&to.0), expected == within);
        }
        assert_eq!(lan.local_network(Seat(9)), 8..10);
        assert_eq!(lan.lookahead(), within);
    }
}
