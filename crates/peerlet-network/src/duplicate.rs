//! Messages that arrive twice.

use std::any::Any;
use std::ops::Range;

use peerlet_core::{Duration, Seat, Time};

use crate::model::{Arrival, Departure, Model, ModelState, Packet};
use crate::probability::Probability;
use crate::seat_states::SeatStates;

/// Sends some packets of a model on their way a second time, with a delay of their own. It takes
/// nothing a peer.
///
/// The layers around this use the same random streams for both copies; so a lost packet is lost
/// with its copy.
#[derive(Debug)]
pub struct Duplicated {
    /// Decides how long each copy takes.
    pub inner: Box<dyn Model>,
    /// How probable it is that a packet is sent twice.
    pub probability: Probability,
}

impl Duplicated {
    #[inline]
    fn happens(&self, packet: &Packet) -> bool {
        self.probability.happens(packet.random.named("duplicate").bits())
    }

    /// The fate of a duplicated packet, given that of its first copy.
    fn both(&self, first: Departure, packet: &Packet, state: &mut ModelState) -> Departure {
        let second_packet = Packet { random: packet.random.named("twin"), ..*packet };
        match (first, self.inner.depart(&second_packet, state)) {
            (Departure::Arrive { after: first }, Departure::Arrive { after: second }) => {
                Departure::Twice { first, second }
            }
            // Where one copy is not an ordinary one, there is only the other.
            (Departure::Drop(_), second) => second,
            (first, _) => first,
        }
    }
}

impl Model for Duplicated {
    fn lookahead(&self) -> Duration {
        self.inner.lookahead()
    }

    fn needs_size(&self) -> bool {
        self.inner.needs_size()
    }

    fn is_stateless(&self) -> bool {
        self.inner.is_stateless()
    }

    fn outbound(&self, seat: Seat) -> ModelState {
        self.inner.outbound(seat)
    }

    fn inbound(&self, seat: Seat) -> ModelState {
        self.inner.inbound(seat)
    }

    fn has_arrival(&self) -> bool {
        self.inner.has_arrival()
    }

    fn depart(&self, packet: &Packet, state: &mut ModelState) -> Departure {
        let first = self.inner.depart(packet, state);
        if self.happens(packet) { self.both(first, packet, state) } else { first }
    }

    fn depart_all(&self, packets: &[Packet], states: &mut SeatStates, fates: &mut Vec<Departure>) {
        if !self.is_stateless() {
            let each = |p: &Packet| states.with(p.from, |state| self.depart(p, state));
            return fates.extend(packets.iter().map(each));
        }
        let from = fates.len();
        self.inner.depart_all(packets, states, fates);
        for (packet, fate) in packets.iter().zip(&mut fates[from..]) {
            if self.happens(packet) {
                *fate = self.both(*fate, packet, &mut None);
            }
        }
    }

    fn arrive(&self, packet: &Packet, state: &mut ModelState) -> Arrival {
        self.inner.arrive(packet, state)
    }

    fn has_local_networks(&self) -> bool {
        self.inner.has_local_networks()
    }

    fn local_network(&self, seat: Seat) -> Range<u32> {
        self.inner.local_network(seat)
    }

    fn round_trip(&self, from: Seat, to: Seat) -> Duration {
        self.inner.round_trip(from, to)
    }

    fn is_cut(&self, from: Seat, to: Seat, at: Time) -> bool {
        self.inner.is_cut(from, to, at)
    }

    fn open_parts(&mut self, show: &mut dyn FnMut(&mut dyn Any)) {
        self.inner.open_parts(show);
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{MILLISECOND, Seed, Time};

    use super::*;
    use crate::delay::Uniform;
    use peerlet_core::runtime::PacketDrop;

    const INNER: Uniform = Uniform { min: MILLISECOND, max: Duration::from_millis(9) };

    fn packet(i: u64) -> Packet {
        let random = Seed::new(4).at(0).at(1).at(i);
        Packet { from: Seat(0), to: Seat(1), at: Time::ZERO, size: 0, random }
    }

    fn duplicated(probability: f64) -> Duplicated {
        let probability = Probability::new(probability).unwrap();
        Duplicated { inner: Box::new(INNER), probability }
    }

    #[test]
    fn copies_have_delays_of_their_own() {
        let (model, mut twice, mut apart) = (duplicated(0.2), 0u64, 0u64);
        for i in 0..20_000 {
            match model.depart(&packet(i), &mut None) {
                Departure::Twice { first, second } => {
                    twice += 1;
                    apart += u64::from(first != second);
                    assert_eq!(
                        Departure::Arrive { after: first },
                        INNER.depart(&packet(i), &mut None)
                    );
                }
                fate => assert_eq!(fate, INNER.depart(&packet(i), &mut None)),
            }
        }
        // Five standard deviations of a binomial around 4,000 of 20,000 are 283.
        assert!(twice.abs_diff(4_000) < 283 && apart == twice, "{twice} {apart}");
    }

    #[test]
    fn many_depart_as_each_does() {
        let model = duplicated(0.3);
        let packets: Vec<Packet> = (0..1_000).map(packet).collect();
        let expected: Vec<_> = packets.iter().map(|p| model.depart(p, &mut None)).collect();
        let (mut states, mut fates) =
            (SeatStates::default(), vec![Departure::Drop(PacketDrop::Nat)]);
        model.depart_all(&packets, &mut states, &mut fates);
        assert_eq!(fates[0], Departure::Drop(PacketDrop::Nat), "what was there is left alone");
        assert_eq!(fates[1..], expected);
    }
}
