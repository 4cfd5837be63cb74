//! Networks where the delay of each message is sampled from a distribution.

use peerlet_core::{Duration, Seat};

use crate::distribution::Quantiles;
use crate::model::{Departure, Model, ModelState, Packet};

/// Samples each delay from one distribution for all pairs. It takes 17 KB, and nothing a peer.
#[derive(Debug)]
pub struct Sampled {
    /// Where the delays, one way, are sampled.
    pub delays: Quantiles,
    /// Shorter delays are raised to this, which gives an engine a lookahead worth having.
    pub floor: Duration,
}

impl Model for Sampled {
    fn lookahead(&self) -> Duration {
        self.delays.shortest().max(self.floor)
    }

    fn is_stateless(&self) -> bool {
        true
    }

    #[inline]
    fn depart(&self, packet: &Packet, _: &mut ModelState) -> Departure {
        let delay = self.delays.sample(packet.random.named("delay").bits());
        Departure::Arrive { after: delay.max(self.floor) }
    }

    /// Twice the median.
    fn round_trip(&self, _: Seat, _: Seat) -> Duration {
        self.delays.median().max(self.floor) * 2
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{MILLISECOND, Seed, Time};

    use super::*;
    use crate::distribution::Distribution;

    #[test]
    fn delays_follow_the_distribution_and_the_floor() {
        let distribution = Distribution::Lognormal { median: MILLISECOND * 20, sigma: 1.0 };
        let (delays, floor) = (distribution.table().unwrap(), MILLISECOND * 5);
        let model = Sampled { delays, floor };
        assert_eq!(
            (model.lookahead(), model.round_trip(Seat(0), Seat(1))),
            (floor, MILLISECOND * 40)
        );
        let (mut raised, mut long) = (0u64, 0u64);
        for i in 0..40_000 {
            let random = Seed::new(5).at(0).at(1).at(i);
            let packet = Packet { from: Seat(0), to: Seat(1), at: Time::ZERO, size: 0, random };
            let Departure::Arrive { after } = model.depart(&packet, &mut None) else {
                panic!("nothing is lost")
            };
            assert!(after >= floor);
            raised += u64::from(after == floor);
            long += u64::from(after > MILLISECOND * 20);
        }
        // Five standard deviations of binomials around 3,313 (the normal's 8.3 %) and a half.
        assert!(raised.abs_diff(3_313) < 276, "{raised}");
        assert!(long.abs_diff(20_000) < 500, "{long}");
    }

    #[test]
    fn a_distribution_with_a_shortest_delay_needs_no_floor() {
        let distribution = Distribution::Pareto { min: MILLISECOND * 30, shape: 2.5 };
        let model = Sampled { delays: distribution.table().unwrap(), floor: MILLISECOND };
        assert_eq!(model.lookahead(), MILLISECOND * 30);
    }
}
