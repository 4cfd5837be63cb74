//! The two simplest delays: always the same, or uniform between two bounds.

use peerlet_core::{Duration, Seat};

use crate::model::{Departure, Model, ModelState, Packet};

/// Every message takes the same time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Constant {
    /// That time, one way.
    pub delay: Duration,
}

impl Model for Constant {
    fn lookahead(&self) -> Duration {
        self.delay
    }

    fn is_stateless(&self) -> bool {
        true
    }

    fn depart(&self, _packet: &Packet, _state: &mut ModelState) -> Departure {
        Departure::Arrive { after: self.delay }
    }

    fn round_trip(&self, _from: Seat, _to: Seat) -> Duration {
        self.delay * 2
    }
}

/// Every message takes its own time, uniform from `min` inclusive to `max` exclusive.
///
/// With equal bounds, and with bounds the wrong way round, every message takes `min`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Uniform {
    /// The shortest delay, one way.
    pub min: Duration,
    /// The end of the longest delays, one way.
    pub max: Duration,
}

impl Model for Uniform {
    fn lookahead(&self) -> Duration {
        self.min
    }

    fn is_stateless(&self) -> bool {
        true
    }

    fn depart(&self, packet: &Packet, _state: &mut ModelState) -> Departure {
        let width = (self.max - self.min).as_nanos();
        let sample = u128::from(packet.random.named("delay").bits());
        // The high word of the product is uniform below `width`, biased by at most width / 2^64.
        let extra = ((sample * u128::from(width)) >> 64) as u64;
        Departure::Arrive { after: self.min + Duration::from_nanos(extra) }
    }

    fn round_trip(&self, _from: Seat, _to: Seat) -> Duration {
        self.min + self.max.max(self.min)
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{MILLISECOND, SECOND, Seed, Time};

    use super::*;

    fn delays(model: &dyn Model, count: u64) -> Vec<Duration> {
        let (from, to) = (Seat(0), Seat(1));
        let delay = |i| {
            let random = Seed::new(5).at(0).at(1).at(i);
            let packet = Packet { from, to, at: Time::ZERO, size: 0, random };
            match model.depart(&packet, &mut None) {
                Departure::Arrive { after } => after,
                fate => panic!("lost: {fate:?}"),
            }
        };
        (0..count).map(delay).collect()
    }

    #[test]
    fn constant_is_constant() {
        let model = Constant { delay: MILLISECOND * 50 };
        assert_eq!(delays(&model, 3), [MILLISECOND * 50; 3]);
        assert_eq!(model.lookahead(), MILLISECOND * 50);
        assert_eq!(model.round_trip(Seat(0), Seat(1)), MILLISECOND * 100);
    }

    #[test]
    fn uniform_covers_its_range_evenly() {
        let model = Uniform { min: MILLISECOND * 50, max: MILLISECOND * 150 };
        let mut counts = [0u32; 10];
        for delay in delays(&model, 100_000) {
            assert!((model.min..model.max).contains(&delay), "{delay}");
            counts[((delay - model.min).as_nanos() / 10_000_000) as usize] += 1;
        }
        // Five standard deviations of a binomial around 10,000 are 474.
        assert!(counts.iter().all(|&c| c.abs_diff(10_000) < 474), "{counts:?}");
        assert_eq!(model.round_trip(Seat(0), Seat(1)), MILLISECOND * 200);
    }

    #[test]
    fn uniform_reaches_both_ends() {
        let min = SECOND;
        let seen = delays(&Uniform { min, max: min + Duration::from_nanos(2) }, 100);
        assert!(seen.contains(&min) && seen.contains(&(min + Duration::from_nanos(1))));
        assert!(seen.iter().all(|&d| d < min + Duration::from_nanos(2)));
        assert_eq!(delays(&Uniform { min, max: min }, 3), [min; 3]);
        assert_eq!(delays(&Uniform { min, max: Duration::ZERO }, 3), [min; 3]);
        let widest = Uniform { min: Duration::ZERO, max: Duration::MAX };
        assert!(delays(&widest, 9).iter().any(|&d| d > Duration::MAX / 2));
    }
}
