//! Loss by chance, as a layer around any other model.

use std::fmt;

use peerlet_core::{Duration, Seat};

use crate::model::{Arrival, Cause, Departure, Model, Packet, State};
use crate::states::States;

/// A probability from 0 to 1, in steps of 2^-53, compared without floats.
///
/// ```
/// use peerlet_network::Probability;
/// assert_eq!(Probability::new(0.25)?.to_string(), "0.25");
/// assert!(Probability::new(1.5).is_err());
/// # Ok::<(), peerlet_network::ProbabilityError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Probability(u64);

/// How many steps of 2^-53 make a certainty.
const CERTAIN: u64 = 1 << 53;

impl Probability {
    /// The nearest probability to this number.
    ///
    /// # Errors
    /// Numbers below 0 or above 1, and NaN, are none.
    pub fn new(value: f64) -> Result<Probability, ProbabilityError> {
        if !(0.0..=1.0).contains(&value) {
            return Err(ProbabilityError(value));
        }
        Ok(Probability((value * CERTAIN as f64).round() as u64))
    }

    /// Whether it never happens.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether it happens this time, given 64 random bits.
    #[inline]
    pub const fn happens(self, bits: u64) -> bool {
        bits >> 11 < self.0
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0 as f64 / CERTAIN as f64).fmt(f)
    }
}

/// The number is no probability.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ProbabilityError(f64);

impl fmt::Display for ProbabilityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no probability; give a number from 0 to 1", self.0)
    }
}

impl std::error::Error for ProbabilityError {}

/// Loses each message of the inner model with the same probability, independently (Bernoulli).
///
/// Loss strikes on the way, after the inner model's own departure: a lost message has used its
/// sender's link, and one that had no path anyway is counted as such. A message that the network
/// duplicates is lost with its copy.
#[derive(Debug)]
pub struct Lossy {
    /// Decides everything else.
    pub inner: Box<dyn Model>,
    /// How probable it is that a message is lost.
    pub probability: Probability,
}

impl Lossy {
    /// What becomes of a packet for which the inner model has this.
    #[inline]
    fn after(&self, packet: &Packet, departure: Departure) -> Departure {
        let lost = self.probability.happens(packet.draws.named("loss").bits());
        match departure {
            Departure::Arrive { .. } | Departure::Twice { .. } if lost => {
                Departure::Drop(Cause::Loss)
            }
            kept => kept,
        }
    }
}

impl Model for Lossy {
    fn lookahead(&self) -> Duration {
        self.inner.lookahead()
    }

    fn needs_size(&self) -> bool {
        self.inner.needs_size()
    }

    fn outbound(&self, seat: Seat) -> State {
        self.inner.outbound(seat)
    }

    fn inbound(&self, seat: Seat) -> State {
        self.inner.inbound(seat)
    }

    fn has_arrival(&self) -> bool {
        self.inner.has_arrival()
    }

    fn depart(&self, packet: &Packet, state: &mut State) -> Departure {
        self.after(packet, self.inner.depart(packet, state))
    }

    fn depart_all(&self, packets: &[Packet], states: &mut States, fates: &mut Vec<Departure>) {
        let from = fates.len();
        self.inner.depart_all(packets, states, fates);
        for (packet, fate) in packets.iter().zip(&mut fates[from..]) {
            *fate = self.after(packet, *fate);
        }
    }

    fn arrive(&self, packet: &Packet, state: &mut State) -> Arrival {
        self.inner.arrive(packet, state)
    }

    fn round_trip(&self, from: Seat, to: Seat) -> Duration {
        self.inner.round_trip(from, to)
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{MILLISECOND, Seed, Time};

    use super::*;
    use crate::delay::Uniform;

    const INNER: Uniform = Uniform { min: MILLISECOND, max: Duration::from_millis(9) };

    fn packet(i: u64) -> Packet {
        let draws = Seed::new(11).at(0).at(1).at(i);
        Packet { from: Seat(0), to: Seat(1), at: Time::ZERO, size: 0, draws }
    }

    #[test]
    fn many_depart_as_each_does() {
        let probability = Probability::new(0.3).unwrap();
        let model = Lossy { inner: Box::new(INNER), probability };
        let packets: Vec<Packet> = (0..1_000).map(packet).collect();
        let expected: Vec<_> = packets.iter().map(|p| model.depart(p, &mut None)).collect();
        let (mut states, mut fates) = (States::default(), vec![Departure::Drop(Cause::Nat)]);
        model.depart_all(&packets, &mut states, &mut fates);
        assert_eq!(fates[0], Departure::Drop(Cause::Nat), "what was there before is left alone");
        assert_eq!(fates[1..], expected);
    }

    fn lost(probability: f64, of: u64) -> u64 {
        let probability = Probability::new(probability).unwrap();
        let model = Lossy { inner: Box::new(INNER), probability };
        let mut lost = 0;
        for i in 0..of {
            match model.depart(&packet(i), &mut None) {
                Departure::Drop(cause) => lost += u64::from(cause == Cause::Loss),
                // The layer moves nobody's dice.
                kept => assert_eq!(kept, INNER.depart(&packet(i), &mut None)),
            }
        }
        lost
    }

    #[test]
    fn loses_its_share() {
        assert_eq!(lost(0.0, 10_000), 0);
        assert_eq!(lost(1.0, 10_000), 10_000);
        // Five standard deviations of a binomial around 5,000 of 100,000 are 345.
        assert!(lost(0.05, 100_000).abs_diff(5_000) < 345);
    }

    /// The dice of loss are its own: slow messages are lost as often as fast ones.
    #[test]
    fn loss_does_not_depend_on_delay() {
        let probability = Probability::new(0.5).unwrap();
        let model = Lossy { inner: Box::new(INNER), probability };
        let (mut kept, mut fast) = (0u64, 0u64);
        for i in 0..20_000 {
            if let Departure::Arrive { after } = model.depart(&packet(i), &mut None) {
                kept += 1;
                fast += u64::from(after < MILLISECOND * 5);
            }
        }
        // Five standard deviations of a binomial of 10,000 halves are 250.
        assert!(kept.abs_diff(2 * fast) < 2 * 250, "{fast} of {kept}");
    }

    /// Gives each packet the same fate, counts them, and asks for sizes and arrivals.
    #[derive(Debug)]
    struct Fated(Departure);

    impl Model for Fated {
        fn lookahead(&self) -> Duration {
            MILLISECOND
        }
        fn needs_size(&self) -> bool {
            true
        }
        fn outbound(&self, seat: Seat) -> State {
            Some(Box::new(seat.0))
        }
        fn inbound(&self, seat: Seat) -> State {
            Some(Box::new(seat.0))
        }
        fn has_arrival(&self) -> bool {
            true
        }
        fn depart(&self, _packet: &Packet, state: &mut State) -> Departure {
            let count = state.as_mut().and_then(|s| s.downcast_mut::<u32>());
            *count.expect("the state that outbound made") += 1;
            self.0
        }
        fn arrive(&self, _packet: &Packet, _state: &mut State) -> Arrival {
            Arrival::Drop(Cause::Nat)
        }
        fn round_trip(&self, _from: Seat, _to: Seat) -> Duration {
            MILLISECOND * 3
        }
    }

    #[test]
    fn passes_everything_else_on() {
        let model = Lossy {
            inner: Box::new(Fated(Departure::Drop(Cause::Partition))),
            probability: Probability::new(1.0).unwrap(),
        };
        let mut state = model.outbound(Seat(7));
        assert_eq!(model.depart(&packet(0), &mut state), Departure::Drop(Cause::Partition));
        assert_eq!(state.and_then(|s| s.downcast_ref().copied()), Some(8u32));
        assert!(model.inbound(Seat(7)).is_some() && model.needs_size() && model.has_arrival());
        assert_eq!(model.arrive(&packet(0), &mut None), Arrival::Drop(Cause::Nat));
        assert_eq!(model.lookahead(), MILLISECOND);
        assert_eq!(model.round_trip(Seat(0), Seat(1)), MILLISECOND * 3);
    }

    #[test]
    fn a_duplicate_is_lost_with_its_message() {
        let twice = Departure::Twice { first: MILLISECOND, second: MILLISECOND * 2 };
        let fate = |probability| {
            let probability = Probability::new(probability).unwrap();
            let model = Lossy { inner: Box::new(Fated(twice)), probability };
            model.depart(&packet(0), &mut model.outbound(Seat(0)))
        };
        assert_eq!(fate(0.0), twice);
        assert_eq!(fate(1.0), Departure::Drop(Cause::Loss));
    }

    #[test]
    fn refuses_what_is_no_probability() {
        for bad in [-0.1, 1.000_001, f64::NAN, f64::INFINITY] {
            let error = Probability::new(bad).unwrap_err().to_string();
            assert!(error.ends_with("is no probability; give a number from 0 to 1"), "{error}");
        }
        assert!(Probability::new(0.0).unwrap().is_zero());
        assert!(Probability::new(1.0).unwrap().happens(u64::MAX));
        assert!(Probability::new(0.5).unwrap().happens((1 << 63) - 1));
        assert!(!Probability::new(0.5).unwrap().happens(1 << 63));
    }
}
