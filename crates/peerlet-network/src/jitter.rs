//! Messages that take longer than others on the same way.

use peerlet_core::Duration;

use crate::distribution::Quantiles;
use crate::layer::Layer;
use crate::model::{Departure, ModelState, Packet};
use crate::probability::Probability;

/// Adds a time of its own to each packet's way. It takes 17 KB, and nothing a peer.
#[derive(Debug)]
pub struct Jitter {
    /// Where the times are sampled.
    pub extra: Quantiles,
}

impl Layer for Jitter {
    fn is_stateless(&self) -> bool {
        true
    }

    #[inline]
    fn depart(&self, packet: &Packet, fate: Departure, _: &mut ModelState) -> Departure {
        fate.later(self.extra.sample(packet.random.named("jitter").bits()))
    }
}

/// Holds some packets up, so that others overtake them. It takes nothing a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reorder {
    /// How probable it is that a packet is held up.
    pub probability: Probability,
    /// The longest time, itself excluded; all shorter ones are as probable.
    pub by: Duration,
}

impl Layer for Reorder {
    fn is_stateless(&self) -> bool {
        true
    }

    #[inline]
    fn depart(&self, packet: &Packet, fate: Departure, _: &mut ModelState) -> Departure {
        let random = packet.random.named("reorder");
        match self.probability.happens(random.bits()) {
            true => fate.later(Duration::from_nanos(random.rng().below(self.by.as_nanos()))),
            false => fate,
        }
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{MILLISECOND, Seat, Seed, Time};

    use super::*;
    use crate::distribution::Distribution;

    fn extra(layer: &dyn Layer, i: u64) -> Duration {
        let random = Seed::new(3).at(0).at(1).at(i);
        let packet = Packet { from: Seat(0), to: Seat(1), at: Time::ZERO, size: 0, random };
        match layer.depart(&packet, Departure::Arrive { after: MILLISECOND }, &mut None) {
            Departure::Arrive { after } => after - MILLISECOND,
            fate => panic!("it only delays: {fate:?}"),
        }
    }

    #[test]
    fn jitter_follows_its_distribution() {
        let mean = MILLISECOND * 4;
        let jitter = Jitter { extra: Distribution::Exponential { mean }.table().unwrap() };
        let sum: u64 = (0..40_000).map(|i| extra(&jitter, i).as_nanos()).sum();
        // Five standard deviations of the mean of 40,000 are 2.5 %.
        assert!((sum / 40_000).abs_diff(mean.as_nanos()) < mean.as_nanos() / 40, "{sum}");
    }

    #[test]
    fn some_are_held_up() {
        let (probability, by) = (Probability::new(0.1).unwrap(), MILLISECOND * 20);
        let reorder = Reorder { probability, by };
        let mut held: Vec<Duration> = (0..50_000).map(|i| extra(&reorder, i)).collect();
        held.retain(|extra| *extra > Duration::ZERO);
        // Five standard deviations of a binomial around 5,000 of 50,000 are 335.
        assert!(held.len().abs_diff(5_000) < 335, "{}", held.len());
        assert!(held.iter().all(|extra| *extra < by));
        let long = held.iter().filter(|extra| **extra > by / 2).count();
        assert!(long.abs_diff(held.len() / 2) < 250, "{long}");
    }
}
