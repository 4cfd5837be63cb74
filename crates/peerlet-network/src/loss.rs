//! Loss: packets that never arrive.

use std::fmt;

use peerlet_core::runtime::PacketDrop;
use peerlet_core::{Seat, Seed};

use crate::layer::Layer;
use crate::model::{Arrival, Departure, ModelState, Packet};
use crate::probability::{Probability, ProbabilityError};

/// A model of consecutive losses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LossModel {
    /// Each with the same probability, whatever happened to others (Bernoulli).
    Independent(Probability),
    /// In bursts.
    Gilbert(Gilbert),
}

/// Loss in bursts: a chain of two states, in one of which every packet is lost, in the other none
/// (Gilbert 1960). It takes a step with each packet.
///
/// ```
/// use peerlet_network::Gilbert;
/// assert!(Gilbert::new(0.005, 3.0).is_ok());
/// assert!(Gilbert::new(0.9, 2.0).is_err(), "bursts so short cannot make such a loss");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gilbert {
    mean: Probability,
    /// How probable it is that a burst begins behind a packet that got through.
    enter: Probability,
    /// How probable it is that a burst ends behind a packet that was lost.
    leave: Probability,
}

/// Why there is no such chain.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum GilbertError {
    /// The mean is no probability.
    Mean(ProbabilityError),
    /// A burst has at least one packet.
    Burst(f64),
    /// Between bursts at least one packet gets through, so that they must be longer for this mean.
    Dense {
        /// The mean loss asked for.
        mean: f64,
        /// The shortest bursts that make it.
        least: f64,
    },
}

impl fmt::Display for GilbertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GilbertError::Mean(why) => write!(f, "the `mean` loss {why}"),
            GilbertError::Burst(burst) => {
                write!(f, "a `burst` of {burst} packets is none; give the mean length, 1 or more")
            }
            GilbertError::Dense { mean, least } => write!(
                f,
                "a mean loss of {mean} needs bursts of {least:.1} packets or more; give a longer \
                 `burst`"
            ),
        }
    }
}

impl std::error::Error for GilbertError {}

impl Gilbert {
    /// The chain that loses this share of all packets, in bursts of this many on average.
    ///
    /// # Errors
    /// When the mean is no probability below one, or bursts are too short for it.
    pub fn new(mean: f64, burst: f64) -> Result<Gilbert, GilbertError> {
        Gilbert::of(Probability::new(mean).map_err(GilbertError::Mean)?, burst)
    }

    /// As [`new`](Gilbert::new), of a mean that is a probability.
    pub(crate) fn of(share: Probability, burst: f64) -> Result<Gilbert, GilbertError> {
        let mean = share.as_f64();
        if !(burst >= 1.0 && burst.is_finite()) {
            return Err(GilbertError::Burst(burst));
        }
        let odds = mean / (1.0 - mean);
        let enter = Probability::new(odds / burst);
        let dense = |_| GilbertError::Dense { mean, least: odds };
        let leave = Probability::new(1.0 / burst).expect("bursts have a packet or more");
        Ok(Gilbert { mean: share, enter: enter.map_err(dense)?, leave })
    }

    /// Whether this packet is lost; the chain takes its step.
    #[inline]
    fn loses(self, is_bad: &mut Option<bool>, random: Seed) -> bool {
        let lost = *is_bad.get_or_insert_with(|| self.mean.happens(random.named("first").bits()));
        let flips = if lost { self.leave } else { self.enter };
        *is_bad = Some(lost != flips.happens(random.bits()));
        lost
    }
}

impl LossModel {
    /// Whether nothing is ever lost.
    pub const fn is_none(self) -> bool {
        match self {
            LossModel::Independent(probability) => probability.is_zero(),
            LossModel::Gilbert(chain) => chain.mean.is_zero(),
        }
    }

    const fn has_state(self) -> bool {
        matches!(self, LossModel::Gilbert(_))
    }

    #[inline]
    pub(crate) fn loses(self, is_bad: &mut Option<bool>, random: Seed) -> bool {
        match self {
            LossModel::Independent(probability) => probability.happens(random.bits()),
            LossModel::Gilbert(chain) => chain.loses(is_bad, random),
        }
    }
}

/// Loses packets by a model of their sender's, their receiver's, or of the one link that they take.
///
/// Loss strikes on the way: a lost packet has used its sender's link, and one that had no path
/// anyway is counted as such. A packet that the network duplicates is lost with its copy. Bursts
/// are a sender's, over all its packets, or a link's, or a receiver's. Independent loss takes no
/// memory; bursts take 32 bytes for each side of a peer, and 8 a link.
#[derive(Clone, Debug)]
pub struct Loss {
    up: LossModel,
    down: LossModel,
    /// Links with a model of their own, which holds instead of their sender's, in order.
    links: Vec<((Seat, Seat), LossModel)>,
}

/// The chains at one side of a peer.
#[derive(Default)]
struct Chains {
    own: Option<bool>,
    /// Most peers have none.
    links: Option<Box<LinkChains>>,
}

/// The chains of links, by their indices among all.
#[derive(Default)]
struct LinkChains(Vec<(u32, Option<bool>)>);

impl Loss {
    /// Loss on the way out of each peer.
    pub fn up(model: LossModel) -> Loss {
        let none = LossModel::Independent(Probability::default());
        Loss { up: model, down: none, links: Vec::new() }
    }

    /// And on the way into each.
    #[must_use]
    pub fn and_down(self, model: LossModel) -> Loss {
        Loss { down: model, ..self }
    }

    /// And, instead of the sender's model, on the way from one peer to another.
    #[must_use]
    pub fn and_link(mut self, from: Seat, to: Seat, model: LossModel) -> Loss {
        match self.links.binary_search_by_key(&(from, to), |(link, _)| *link) {
            Ok(index) => self.links[index].1 = model,
            Err(index) => self.links.insert(index, ((from, to), model)),
        }
        self
    }

    /// Whether nothing is ever lost.
    pub fn is_none(&self) -> bool {
        let mut models = self.links.iter().map(|(_, model)| *model).chain([self.up, self.down]);
        models.all(LossModel::is_none)
    }

    /// Whether a packet is lost on its way out.
    #[inline]
    fn loses(&self, packet: &Packet, state: &mut ModelState) -> bool {
        let random = packet.random.named("loss");
        if !self.links.is_empty() {
            let link = (packet.from, packet.to);
            if let Ok(index) = self.links.binary_search_by_key(&link, |(link, _)| *link) {
                return self.loses_on(index, random, state);
            }
        }
        if !self.up.has_state() {
            return self.up.loses(&mut None, random);
        }
        self.up.loses(&mut chains(state).own, random)
    }

    fn loses_on(&self, index: usize, random: Seed, state: &mut ModelState) -> bool {
        let model = self.links[index].1;
        if !model.has_state() {
            return model.loses(&mut None, random);
        }
        let (LinkChains(links), index) =
            (&mut **chains(state).links.get_or_insert_default(), index as u32);
        let known = links.iter().position(|(link, _)| *link == index).unwrap_or_else(|| {
            links.push((index, None));
            links.len() - 1
        });
        model.loses(&mut links[known].1, random)
    }
}

/// The chains in a state, which is made when it is not there yet.
fn chains(state: &mut ModelState) -> &mut Chains {
    let state = state.get_or_insert_with(|| Box::new(Chains::default()));
    state.downcast_mut().expect("a layer gets its own state")
}

impl Layer for Loss {
    fn is_stateless(&self) -> bool {
        !self.up.has_state() && !self.has_arrival() && !self.links.iter().any(|l| l.1.has_state())
    }

    fn outbound(&self, _: Seat) -> ModelState {
        self.up.has_state().then(|| Box::new(Chains::default()) as _)
    }

    fn inbound(&self, _: Seat) -> ModelState {
        self.down.has_state().then(|| Box::new(Chains::default()) as _)
    }

    /// Independent loss on the way in is the same one step earlier, which spares the receiver's
    /// side a look at each packet.
    fn has_arrival(&self) -> bool {
        self.down.has_state()
    }

    #[inline]
    fn depart(&self, packet: &Packet, fate: Departure, state: &mut ModelState) -> Departure {
        if !fate.arrives() {
            return fate;
        }
        let is_lost_there = |model: LossModel| match model {
            LossModel::Independent(probability) if !probability.is_zero() => {
                probability.happens(packet.random.named("loss-down").bits())
            }
            _ => false,
        };
        match self.loses(packet, state) || is_lost_there(self.down) {
            true => Departure::Drop(PacketDrop::Loss),
            false => fate,
        }
    }

    fn arrive(&self, packet: &Packet, fate: Arrival, state: &mut ModelState) -> Arrival {
        if matches!(fate, Arrival::Drop(_)) || !self.down.has_state() {
            return fate;
        }
        match self.down.loses(&mut chains(state).own, packet.random.named("loss-down")) {
            true => Arrival::Drop(PacketDrop::Loss),
            false => fate,
        }
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{Duration, MILLISECOND, Time};

    use super::*;
    use crate::delay::Uniform;
    use crate::layer::Layers;
    use crate::model::Model;

    const INNER: Uniform = Uniform { min: MILLISECOND, max: Duration::from_millis(9) };

    fn packet(i: u64) -> Packet {
        let random = Seed::new(11).at(0).at(1).at(i);
        Packet { from: Seat(0), to: Seat(1), at: Time::ZERO, size: 0, random }
    }

    fn independent(probability: f64) -> LossModel {
        LossModel::Independent(Probability::new(probability).unwrap())
    }

    fn gilbert(mean: f64, burst: f64) -> LossModel {
        LossModel::Gilbert(Gilbert::new(mean, burst).unwrap())
    }

    fn network(loss: Loss) -> Layers {
        Layers::around(Box::new(INNER), vec![Box::new(loss)])
    }

    fn lost(probability: f64, of: u64) -> u64 {
        let model = network(Loss::up(independent(probability)));
        let mut lost = 0;
        for i in 0..of {
            match model.depart(&packet(i), &mut None) {
                Departure::Drop(cause) => lost += u64::from(cause == PacketDrop::Loss),
                // The layer changes no other random stream.
                kept => assert_eq!(kept, INNER.depart(&packet(i), &mut None)),
            }
        }
        lost
    }

    #[test]
    fn independent_loss_takes_its_share() {
        assert_eq!(lost(0.0, 10_000), 0);
        assert_eq!(lost(1.0, 10_000), 10_000);
        // Five standard deviations of a binomial around 5,000 of 100,000 are 345.
        assert!(lost(0.05, 100_000).abs_diff(5_000) < 345);
    }

    /// Loss has a random stream of its own: slow messages are lost as often as fast ones.
    #[test]
    fn loss_does_not_depend_on_delay() {
        let model = network(Loss::up(independent(0.5)));
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

    /// The share lost, the mean length of bursts, and how many bursts there were.
    fn bursts(losses: impl Iterator<Item = bool>) -> (f64, f64, u64) {
        let (mut all, mut lost, mut bursts, mut before) = (0u64, 0u64, 0u64, false);
        for is_lost in losses {
            all += 1;
            lost += u64::from(is_lost);
            bursts += u64::from(is_lost && !before);
            before = is_lost;
        }
        (lost as f64 / all as f64, lost as f64 / bursts as f64, bursts)
    }

    #[test]
    fn gilbert_has_its_mean_and_its_bursts() {
        for (mean, burst) in [(0.005, 3.0), (0.02, 1.0), (0.1, 10.0), (0.5, 2.0)] {
            let model = network(Loss::up(gilbert(mean, burst)));
            let mut state = model.outbound(Seat(0));
            let is_lost = |i| !model.depart(&packet(i), &mut state).arrives();
            let (share, length, bursts) = bursts((0..1_000_000).map(is_lost));
            // A burst is geometric; both bounds are five standard deviations or more.
            let spread = 5.0 * ((burst * (burst - 1.0)).max(0.1) / bursts as f64).sqrt();
            assert!((length - burst).abs() < spread, "{mean} {burst}: bursts of {length}");
            let spread = 5.0 * mean * (2.0 * burst / bursts as f64 / burst + 1e-5).sqrt();
            assert!((share - mean).abs() < spread, "{mean} {burst}: {share} lost");
        }
    }

    /// The chain is in its long run from the first packet on, for every peer.
    #[test]
    fn first_packets_are_lost_as_often_as_later_ones() {
        let model = network(Loss::up(gilbert(0.3, 5.0)));
        let first = |i| !model.depart(&packet(i), &mut model.outbound(Seat(0))).arrives();
        let lost = (0..20_000).filter(|i| first(*i)).count();
        // Five standard deviations of a binomial around 6,000 of 20,000 are 324.
        assert!(lost.abs_diff(6_000) < 324, "{lost}");
    }

    #[test]
    fn links_have_chains_of_their_own() {
        let to = |to: u32, i: u64| Packet { to: Seat(to), ..packet(i) };
        let loss = Loss::up(independent(0.0))
            .and_link(Seat(0), Seat(2), gilbert(0.2, 4.0))
            .and_link(Seat(0), Seat(3), independent(1.0))
            .and_link(Seat(5), Seat(1), independent(1.0));
        let model = network(loss);
        let mut state = None;
        let mut is_lost = |seat, i| !model.depart(&to(seat, i), &mut state).arrives();
        let on_two = (0..200_000).map(|i| {
            assert!(!is_lost(1, i) && is_lost(3, i), "one link's loss is not another's");
            is_lost(2, i)
        });
        let (share, length, _) = bursts(on_two);
        assert!((share - 0.2).abs() < 0.02 && (length - 4.0).abs() < 0.2, "{share} {length}");
    }

    #[test]
    fn loss_on_the_way_in_is_the_receivers() {
        let down = network(Loss::up(independent(0.0)).and_down(independent(0.25)));
        assert!(!down.has_arrival() && down.is_stateless());
        let lost = (0..40_000).filter(|i| !down.depart(&packet(*i), &mut None).arrives()).count();
        // Five standard deviations of a binomial around 10,000 of 40,000 are 433.
        assert!(lost.abs_diff(10_000) < 433, "{lost}");

        let bursty = network(Loss::up(independent(0.0)).and_down(gilbert(0.1, 5.0)));
        assert!(bursty.has_arrival() && bursty.outbound(Seat(1)).is_none());
        let mut state = bursty.inbound(Seat(1));
        let is_lost = |i| match bursty.arrive(&packet(i), &mut state) {
            Arrival::Drop(cause) => cause == PacketDrop::Loss,
            Arrival::Accept { .. } => false,
        };
        let (share, length, _) = bursts((0..400_000).map(is_lost));
        assert!((share - 0.1).abs() < 0.01 && (length - 5.0).abs() < 0.25, "{share} {length}");
        assert!((0..1_000).all(|i| bursty.depart(&packet(i), &mut None).arrives()));
    }

    #[test]
    fn what_is_lost_already_stays_what_it_is() {
        let loss = Loss::up(independent(1.0));
        let gone = Departure::Drop(PacketDrop::Partition);
        assert_eq!(loss.depart(&packet(0), gone, &mut None), gone);
        let twice = Departure::Twice { first: MILLISECOND, second: MILLISECOND * 2 };
        assert_eq!(loss.depart(&packet(0), twice, &mut None), Departure::Drop(PacketDrop::Loss));
        let none = Loss::up(independent(0.0));
        assert_eq!(none.depart(&packet(0), twice, &mut None), twice);
        assert!(none.is_none() && !loss.is_none());
    }

    #[test]
    fn chains_that_cannot_be_are_refused() {
        let refused = |mean, burst| Gilbert::new(mean, burst).unwrap_err().to_string();
        assert_eq!(
            refused(0.1, 0.5),
            "a `burst` of 0.5 packets is none; give the mean length, 1 or more"
        );
        assert_eq!(
            refused(0.8, 2.0),
            "a mean loss of 0.8 needs bursts of 4.0 packets or more; give a longer `burst`"
        );
        assert!(refused(-0.1, 2.0).starts_with("the `mean` loss -0.1 is no probability"));
        for bad in [f64::NAN, f64::INFINITY, 0.0] {
            assert!(Gilbert::new(0.1, bad).is_err());
        }
        assert!(Gilbert::new(1.0, 5.0).is_err());
    }
}
