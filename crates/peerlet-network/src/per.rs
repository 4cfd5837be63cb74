//! Delays that belong to a pair of peers: sampled once, and the same for every message.

use peerlet_core::{Duration, Seat, Seed};
use serde::Deserialize;

use crate::layer::Layer;
use crate::model::{Departure, Model, ModelState, Packet};

/// How often a distribution is sampled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// For each message.
    #[default]
    Message,
    /// Once for each pair of peers, the same both ways and for the whole run.
    Pair,
}

/// Samples what is inside once for each pair, by the seed and the two seats in either order. What
/// is inside must keep no state. It takes nothing a pair.
#[derive(Debug)]
pub struct PerPair<M> {
    /// The model or layer whose samples belong to pairs.
    pub inner: M,
    /// Where the samples of pairs come from.
    pub seed: Seed,
}

impl<M> PerPair<M> {
    /// The packet as what is inside sees it: with the random stream of its pair.
    #[inline]
    fn paired(&self, packet: &Packet) -> Packet {
        Packet { random: self.random(packet.from, packet.to), ..*packet }
    }

    fn random(&self, a: Seat, b: Seat) -> Seed {
        self.seed.at(u64::from(a.min(b).0)).at(u64::from(a.max(b).0))
    }
}

impl Model for PerPair<Box<dyn Model>> {
    fn lookahead(&self) -> Duration {
        self.inner.lookahead()
    }

    fn is_stateless(&self) -> bool {
        true
    }

    #[inline]
    fn depart(&self, packet: &Packet, _: &mut ModelState) -> Departure {
        self.inner.depart(&self.paired(packet), &mut None)
    }

    fn round_trip(&self, from: Seat, to: Seat) -> Duration {
        let at = peerlet_core::Time::ZERO;
        let packet = Packet { from, to, at, size: 0, random: self.random(from, to) };
        match self.inner.depart(&packet, &mut None) {
            Departure::Arrive { after } => after * 2,
            _ => self.inner.round_trip(from, to),
        }
    }
}

impl Layer for PerPair<Box<dyn Layer>> {
    fn is_stateless(&self) -> bool {
        true
    }

    #[inline]
    fn depart(&self, packet: &Packet, fate: Departure, _: &mut ModelState) -> Departure {
        self.inner.depart(&self.paired(packet), fate, &mut None)
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{MILLISECOND, Time};

    use super::*;
    use crate::delay::Uniform;
    use crate::distribution::Distribution;
    use crate::jitter::Jitter;

    fn after(model: &dyn Model, from: u32, to: u32, i: u64) -> Duration {
        let random = Seed::new(5).at(from.into()).at(to.into()).at(i);
        let packet = Packet { from: Seat(from), to: Seat(to), at: Time::ZERO, size: 0, random };
        match model.depart(&packet, &mut None) {
            Departure::Arrive { after } => after,
            fate => panic!("lost: {fate:?}"),
        }
    }

    #[test]
    fn a_pair_has_one_delay_both_ways() {
        let uniform = Uniform { min: MILLISECOND * 10, max: MILLISECOND * 110 };
        let inner: Box<dyn Model> = Box::new(uniform);
        let model = PerPair { inner, seed: Seed::new(3) };
        assert_eq!(model.lookahead(), MILLISECOND * 10);
        let mut counts = [0u32; 10];
        for (a, b) in (1..200).flat_map(|a| (0..a).map(move |b| (a, b))) {
            let delay = after(&model, a, b, 0);
            assert_eq!([after(&model, a, b, 1), after(&model, b, a, 7)], [delay; 2]);
            assert_eq!(model.round_trip(Seat(b), Seat(a)), delay * 2);
            counts[((delay - uniform.min).as_nanos() / 10_000_000) as usize] += 1;
        }
        // Five standard deviations of a binomial around 1,990 of 19,900 are 212.
        assert!(counts.iter().all(|&count| count.abs_diff(1_990) < 212), "{counts:?}");
        assert_ne!(after(&uniform, 1, 0, 0), after(&uniform, 1, 0, 1), "without, each has its own");
    }

    #[test]
    fn layers_are_sampled_by_pair_as_well() {
        let extra = Distribution::Exponential { mean: MILLISECOND }.table().unwrap();
        let inner: Box<dyn Layer> = Box::new(Jitter { extra });
        let layer = PerPair { inner, seed: Seed::new(3) };
        let fate = |from, to, i| {
            let random = Seed::new(i);
            let packet = Packet { from: Seat(from), to: Seat(to), at: Time::ZERO, size: 0, random };
            layer.depart(&packet, Departure::Arrive { after: MILLISECOND }, &mut None)
        };
        assert_eq!(fate(1, 2, 0), fate(2, 1, 1));
        assert_ne!(fate(1, 2, 0), fate(1, 3, 0));
    }
}
