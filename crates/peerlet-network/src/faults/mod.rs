//! Changes of the network while a scenario runs: cuts, loss, slow peers and so on.
//!
//! All of it is known before the run, as a list with times. So the layer that does it is a pure
//! function of the packet like any other: the fate of a packet that departs at an instant is
//! decided by what holds then.

mod change;
mod cuts;
mod delays;
mod open;
mod pairs;
mod step_function;

use std::any::Any;
use std::fmt;

use peerlet_core::runtime::PacketDrop;
use peerlet_core::runtime::SeatSet;
use peerlet_core::{Duration, Seat, Time};

pub use change::{CALLS, CallEntry, Change, FaultError, Ways};
pub use delays::PairDelays;
pub use open::{AddFaultError, add_fault, check_fault};

use crate::access::{ACCESS_OVERHEAD, ACCESS_QUEUE};
use crate::bottleneck::{Bottleneck, Pace};
use crate::layer::Layer;
use crate::loss::LossModel;
use crate::model::{Arrival, Departure, ModelState, Packet};
use crate::probability::Probability;
use crate::units::Rate;
use cuts::Cuts;
use open::Open;
use pairs::Pairs;
use step_function::StepFunction;

/// A change of the network that peers see from an instant on.
#[derive(Clone, PartialEq, Debug)]
pub struct Fault {
    /// When.
    pub at: Time,
    /// Whose packets are treated otherwise from then on.
    pub seats: SeatSet,
    /// How.
    pub change: Change,
}

/// Treats packets as the faults of a scenario say, each from its instant on.
///
/// A packet's fate depends on the faults in force when it departs, except for a cut that is
/// marked to hit what is on its way. It takes a few words for each run of seats with the same
/// history, and 32 bytes for each side of a peer whose rate was ever limited or that lost packets
/// in bursts.
pub struct Faults {
    cuts: Cuts,
    loss: StepFunction<LossModel>,
    loss_in: StepFunction<Probability>,
    pair_loss: Pairs<Probability>,
    corrupt: StepFunction<(Probability, u32)>,
    duplicate: StepFunction<Probability>,
    reorder: StepFunction<(Probability, Duration)>,
    jitter: StepFunction<Duration>,
    slow: StepFunction<u32>,
    up: StepFunction<Option<Rate>>,
    down: StepFunction<Option<Rate>>,
    clog: StepFunction<bool>,
    /// Whether anybody's packets are lost in bursts, or leave or come in at a limited rate.
    has_bursts: bool,
    has_up: bool,
    has_down: bool,
    /// The faults themselves, where more may come while it is in use.
    open: Option<Open>,
}

/// The state of one side of a peer.
#[derive(Default)]
struct Kept {
    is_bad: Option<bool>,
    bottleneck: Bottleneck,
}

fn kept(state: &mut ModelState) -> &mut Kept {
    let state = state.get_or_insert_with(|| Box::new(Kept::default()));
    state.downcast_mut().expect("a layer gets its own state")
}

impl Faults {
    /// The layer that does this, in order of time, those of one instant in the order given; for so
    /// many peers.
    pub fn new(faults: &[Fault], peers: u32) -> Faults {
        let mut faults: Vec<&Fault> = faults.iter().collect();
        faults.sort_by_key(|fault| fault.at);
        let cuts = faults.iter().filter_map(|fault| cuts::CutChange::of(fault, peers));
        macro_rules! step_function {
            ($($pattern:pat => $value:expr),+) => {
                StepFunction::new(faults.iter().filter_map(|fault| match fault.change {
                    $($pattern => Some((fault.at, &fault.seats, $value)),)+
                    _ => None,
                }))
            };
        }
        let pair_loss = faults.iter().filter_map(|fault| match &fault.change {
            Change::PairLoss { others, probability } => {
                Some((fault.at, &fault.seats, others, *probability))
            }
            _ => None,
        });
        let pair_loss = Pairs::new(pair_loss);
        let loss = step_function!(Change::Loss(model) => model);
        let up = step_function!(Change::Bandwidth { up, .. } => up);
        let down = step_function!(Change::Bandwidth { down, .. } => down);
        Faults {
            cuts: Cuts::new(cuts.collect()),
            has_bursts: loss.any(|model| matches!(model, LossModel::Gilbert(_))),
            has_up: up.any(|rate| rate.is_some()),
            has_down: down.any(|rate| rate.is_some()),
            loss,
            pair_loss,
            up,
            down,
            loss_in: step_function!(Change::LossIn(probability) => probability),
            corrupt: step_function!(Change::Corrupt(probability, bits) => (probability, bits)),
            duplicate: step_function!(Change::Duplicate(probability) => probability),
            reorder: step_function!(Change::Reorder(probability, by) => (probability, by)),
            jitter: step_function!(Change::Jitter(most) => most),
            slow: step_function!(Change::Slow(factor) => factor),
            clog: step_function!(Change::Clog => true, Change::Release => false),
            open: None,
        }
    }

    fn is_lost(&self, packet: &Packet, state: &mut ModelState) -> bool {
        let (from, to, at) = (packet.from, packet.to, packet.at);
        let random = packet.random.named("fault-loss");
        let lost = match self.loss.at(from, at) {
            Some(model @ LossModel::Gilbert(_)) => model.loses(&mut kept(state).is_bad, random),
            Some(model) => model.loses(&mut None, random),
            None => false,
        };
        let random = || packet.random.named("fault-loss-in").bits();
        let lost = lost
            || self.loss_in.at(to, at).is_some_and(|probability| probability.happens(random()));
        let random = || packet.random.named("fault-pair-loss").bits();
        let pair = self.pair_loss.at(from, to, at);
        lost || pair.is_some_and(|probability| probability.happens(random()))
    }

    /// How much longer the packet takes than what is inside says, of ways that can differ between
    /// copies.
    fn extra(&self, packet: &Packet) -> Duration {
        let (from, at) = (packet.from, packet.at);
        let mut extra = Duration::ZERO;
        if let Some((probability, by)) = self.reorder.at(from, at) {
            let random = packet.random.named("fault-reorder");
            if probability.happens(random.bits()) {
                extra = Duration::from_nanos(random.rng().below(by.as_nanos()));
            }
        }
        if let Some(most) = self.jitter.at(from, at) {
            let mut rng = packet.random.named("fault-jitter").rng();
            extra = extra + Duration::from_nanos(rng.below(most.as_nanos().saturating_add(1)));
        }
        extra
    }

    /// The fate of a packet that gets through, in as many copies as it has.
    fn shape(&self, packet: &Packet, fate: Departure) -> Departure {
        let (from, to, at) = (packet.from, packet.to, packet.at);
        let mut fate = fate.later(self.extra(packet));
        if let (Departure::Arrive { after }, Some((probability, bits))) =
            (fate, self.corrupt.at(from, at))
            && probability.happens(packet.random.named("fault-corrupt").bits())
        {
            fate = Departure::Damaged { after, bits };
        }
        if let (Departure::Arrive { after: first }, Some(probability)) =
            (fate, self.duplicate.at(from, at))
        {
            let random = packet.random.named("fault-duplicate");
            if probability.happens(random.bits()) {
                let more = Duration::from_nanos(random.rng().below(first.as_nanos()));
                fate = Departure::Twice { first, second: first + more };
            }
        }
        for factor in [self.slow.at(from, at), self.slow.at(to, at)].into_iter().flatten() {
            fate = fate.map(|after| {
                let nanos = (u128::from(after.as_nanos()) * u128::from(factor)) >> 16;
                Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
            });
        }
        fate
    }
}

/// How long a packet waits for a line with this rate; `None` when its queue is full.
fn wait(rate: Option<Option<Rate>>, packet: &Packet, state: &mut ModelState) -> Option<Duration> {
    let Some(Some(rate)) = rate else { return Some(Duration::ZERO) };
    let bytes = u64::from(packet.size) + u64::from(ACCESS_OVERHEAD);
    kept(state).bottleneck.pass(bytes, Pace::new(rate, ACCESS_QUEUE), packet.at)
}

impl Layer for Faults {
    fn needs_size(&self) -> bool {
        self.has_up || self.has_down
    }

    fn is_stateless(&self) -> bool {
        !self.needs_size() && !self.has_bursts && self.open.is_none()
    }

    fn has_arrival(&self) -> bool {
        self.has_down
    }

    fn depart(&self, packet: &Packet, fate: Departure, state: &mut ModelState) -> Departure {
        let (from, to, at) = (packet.from, packet.to, packet.at);
        if !fate.arrives() {
            return fate;
        }
        if self.cuts.are_cut(from, to, at) {
            return Departure::Drop(PacketDrop::Partition);
        }
        if self.is_lost(packet, state) {
            return Departure::Drop(PacketDrop::Loss);
        }
        let mut fate = self.shape(packet, fate);
        match wait(self.up.at(from, at), packet, state) {
            Some(wait) => fate = fate.later(wait),
            None => return Departure::Drop(PacketDrop::Queue),
        }
        if self.clog.at(from, at) == Some(true) {
            // A packet that is never released is on its way when the run ends.
            let release = self.clog.next(from, at, |is_clogged| !is_clogged);
            fate = fate.later(release.unwrap_or(Time::MAX).since(at));
        }
        let on_its_way = |after: Duration| self.cuts.hit(from, to, at, at + after);
        match fate {
            Departure::Arrive { after } | Departure::Damaged { after, .. } if on_its_way(after) => {
                Departure::Drop(PacketDrop::Partition)
            }
            Departure::Twice { first, second } => match (on_its_way(first), on_its_way(second)) {
                (true, true) => Departure::Drop(PacketDrop::Partition),
                (true, false) => Departure::Arrive { after: second },
                (false, true) => Departure::Arrive { after: first },
                (false, false) => fate,
            },
            _ => fate,
        }
    }

    fn arrive(&self, packet: &Packet, fate: Arrival, state: &mut ModelState) -> Arrival {
        if matches!(fate, Arrival::Drop(_)) {
            return fate;
        }
        match wait(self.down.at(packet.to, packet.at), packet, state) {
            Some(wait) => fate.later(wait),
            None => Arrival::Drop(PacketDrop::Queue),
        }
    }

    fn is_cut(&self, from: Seat, to: Seat, at: Time) -> bool {
        self.cuts.are_cut(from, to, at)
    }

    fn open_parts(&mut self, show: &mut dyn FnMut(&mut dyn Any)) {
        if self.open.is_some() {
            show(self);
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("cuts", &self.cuts).finish_non_exhaustive()
    }
}

/// The seats that are not among these.
fn others(seats: &SeatSet, peers: u32) -> SeatSet {
    SeatSet::all(peers).without(seats)
}

#[cfg(test)]
mod tests {
    use peerlet_core::{MILLISECOND, Rng, SECOND, Seat, Seed};

    use super::*;
    use crate::loss::Gilbert;

    const AFTER: Duration = Duration::from_millis(40);

    fn packet(from: u32, to: u32, at: Time, i: u64) -> Packet {
        let random = Seed::new(6).at(u64::from(from)).at(u64::from(to)).at(i);
        Packet { from: Seat(from), to: Seat(to), at, size: 36, random }
    }

    fn second(second: u64) -> Time {
        Time::ZERO + SECOND * second
    }

    fn fault(at: u64, seats: std::ops::RangeInclusive<u32>, change: Change) -> Fault {
        Fault { at: second(at), seats: SeatSet::from_ranges([seats]), change }
    }

    fn probability(p: f64) -> Probability {
        Probability::new(p).unwrap()
    }

    fn fate(faults: &Faults, from: u32, to: u32, at: Time) -> Departure {
        let after = Departure::Arrive { after: AFTER };
        faults.depart(&packet(from, to, at, 0), after, &mut None)
    }

    /// Every pair, at every instant, over random cuts and heals: against a table of pairs that is
    /// changed by each in its turn.
    #[test]
    fn cuts_are_right_pair_by_pair() {
        const PEERS: u32 = 12;
        let mut rng = Seed::new(3).rng();
        for _ in 0..40 {
            let some = |rng: &mut Rng| -> SeatSet {
                (0..PEERS).filter(|_| rng.chance(0.3)).map(Seat).collect()
            };
            let faults: Vec<Fault> = (0..10)
                .map(|i| {
                    let seats = some(&mut rng);
                    let from = rng.chance(0.6).then(|| some(&mut rng));
                    let ways = [Ways::Both, Ways::Out, Ways::In][rng.index(3)];
                    let change = match rng.chance(0.6) {
                        true => Change::Cut { from, ways, in_flight: false },
                        false => Change::Heal { from },
                    };
                    Fault { at: second(1 + i / 2), seats, change }
                })
                .collect();
            let layer = Faults::new(&faults, PEERS);
            let mut cut = [[false; PEERS as usize]; PEERS as usize];
            for now in 0..8 {
                for Fault { seats, change, .. } in faults.iter().filter(|f| f.at == second(now)) {
                    for (a, b) in (0..PEERS).flat_map(|a| (0..PEERS).map(move |b| (a, b))) {
                        let in_a = seats.contains(Seat(a));
                        let is_other = |named: &Option<SeatSet>, unnamed: bool| {
                            named.as_ref().map_or(unnamed, |named| named.contains(Seat(b)))
                        };
                        let (a, b) = (a as usize, b as usize);
                        match change {
                            Change::Cut { from, ways, .. }
                                if in_a && is_other(from, !seats.contains(Seat(b as u32))) =>
                            {
                                cut[a][b] |= *ways != Ways::In;
                                cut[b][a] |= *ways != Ways::Out;
                            }
                            Change::Heal { from } if in_a && is_other(from, true) => {
                                (cut[a][b], cut[b][a]) = (false, false);
                            }
                            _ => {}
                        }
                    }
                }
                for (a, row) in (0..).zip(&cut) {
                    for (b, is_cut) in (0..).zip(row).filter(|(b, _)| *b != a) {
                        let seen = fate(&layer, a, b, second(now) + MILLISECOND);
                        let gone = Departure::Drop(PacketDrop::Partition);
                        assert_eq!(seen == gone, *is_cut, "{a} to {b} at {now}: {faults:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_cut_lets_through_what_is_on_its_way_unless_it_is_marked() {
        for in_flight in [false, true] {
            let cut = Change::Cut { from: None, ways: Ways::Both, in_flight };
            let layer = Faults::new(&[fault(10, 0..=4, cut)], 10);
            let fate_before = |before: Duration| {
                fate(&layer, 0, 9, Time::from_nanos(10_000_000_000 - before.as_nanos()))
            };
            assert!(fate_before(AFTER + MILLISECOND).arrives());
            assert_eq!(fate_before(MILLISECOND * 39).arrives(), !in_flight);
            assert!(!fate_before(Duration::ZERO).arrives(), "the environment comes first");
            assert!(fate(&layer, 0, 4, second(11)).arrives(), "within the cut all is well");
        }
    }

    #[test]
    fn shares_are_lost_damaged_and_doubled_from_their_instant_on() {
        let faults = [
            fault(10, 0..=0, Change::Loss(LossModel::Independent(probability(0.3)))),
            fault(10, 2..=2, Change::LossIn(probability(0.2))),
            fault(10, 3..=3, Change::Corrupt(probability(0.4), 2)),
            fault(10, 4..=4, Change::Duplicate(probability(0.5))),
            fault(10, 5..=5, Change::Loss(LossModel::Gilbert(Gilbert::new(0.1, 4.0).unwrap()))),
            fault(20, 0..=9, Change::Loss(LossModel::Independent(probability(0.0)))),
            fault(
                10,
                6..=6,
                Change::PairLoss {
                    others: SeatSet::from_ranges([7..=7]),
                    probability: probability(0.6),
                },
            ),
        ];
        let layer = Faults::new(&faults, 10);
        let mut state = None;
        let mut fates = |from, to, at| -> Vec<Departure> {
            let fate = |i| {
                let arrives = Departure::Arrive { after: AFTER };
                layer.depart(&packet(from, to, at, i), arrives, &mut state)
            };
            (0..20_000).map(fate).collect()
        };
        let share = |fates: &[Departure], is_such: fn(&Departure) -> bool| {
            fates.iter().filter(|fate| is_such(fate)).count() as f64 / fates.len() as f64
        };
        let lost = |fate: &Departure| *fate == Departure::Drop(PacketDrop::Loss);
        let near = |seen: f64, expected: f64| (seen - expected).abs() < 0.018;
        assert_eq!(share(&fates(0, 1, second(9)), lost), 0.0);
        assert!(near(share(&fates(0, 1, second(11)), lost), 0.3));
        assert_eq!(share(&fates(0, 1, second(21)), lost), 0.0);
        assert!(near(share(&fates(1, 2, second(11)), lost), 0.2));
        assert!(near(share(&fates(0, 2, second(11)), lost), 1.0 - 0.7 * 0.8));
        assert!(near(share(&fates(5, 1, second(11)), lost), 0.1));
        for (from, to) in [(6, 7), (7, 6)] {
            assert!(near(share(&fates(from, to, second(11)), lost), 0.6));
        }
        assert_eq!(share(&fates(6, 8, second(11)), lost), 0.0);
        let damaged = |fate: &Departure| matches!(fate, Departure::Damaged { bits: 2, .. });
        assert!(near(share(&fates(3, 1, second(11)), damaged), 0.4));
        let twice = |fate: &Departure| match fate {
            Departure::Twice { first, second } => *first == AFTER && *second < AFTER * 2,
            _ => false,
        };
        assert!(near(share(&fates(4, 1, second(11)), twice), 0.5));
    }

    #[test]
    fn slow_peers_late_packets_and_clogs() {
        let slow = |factor: f64| Change::Slow((factor * 65_536.0) as u32);
        let faults = [
            fault(10, 0..=1, slow(10.0)),
            fault(20, 1..=1, slow(1.0)),
            fault(30, 0..=0, Change::Clog),
            fault(40, 0..=0, Change::Release),
            fault(30, 5..=5, Change::Jitter(MILLISECOND * 7)),
            fault(30, 6..=6, Change::Reorder(probability(1.0), MILLISECOND * 9)),
            fault(50, 7..=7, Change::Clog),
        ];
        let layer = Faults::new(&faults, 10);
        let after = |from, to, at| match fate(&layer, from, to, at) {
            Departure::Arrive { after } => after,
            fate => panic!("{fate:?}"),
        };
        assert_eq!(after(0, 5, second(9)), AFTER);
        assert_eq!((after(0, 5, second(11)), after(5, 0, second(11))), (AFTER * 10, AFTER * 10));
        assert_eq!(after(0, 1, second(11)), AFTER * 100, "both of them are slow");
        assert_eq!(after(0, 1, second(21)), AFTER * 10);
        assert_eq!(after(0, 5, second(33)), AFTER * 10 + SECOND * 7, "held until the release");
        assert_eq!(after(4, 0, second(33)), AFTER * 10, "not on the way in");
        let jitter = after(5, 4, second(33)) - AFTER;
        assert!(jitter > Duration::ZERO && jitter <= MILLISECOND * 7);
        assert!((AFTER..AFTER + MILLISECOND * 9).contains(&after(6, 4, second(33))));
        assert!(after(7, 4, second(51)) > SECOND * 1_000_000, "never released");
    }

    #[test]
    fn rates_are_limited_from_their_instant_on() {
        let rate = |bits| Some(Rate::bits(bits));
        let limit = |up, down| Change::Bandwidth { up, down };
        let faults = [
            fault(10, 0..=0, limit(rate(800_000), None)),
            fault(10, 1..=1, limit(None, rate(80_000))),
            fault(20, 0..=9, limit(None, None)),
        ];
        let layer = Faults::new(&faults, 10);
        assert!(layer.needs_size() && layer.has_arrival() && !layer.is_stateless());
        let (mut up, mut down) = (None, None);
        let mut times = |at| {
            let fate = Departure::Arrive { after: AFTER };
            let fate = layer.depart(&packet(0, 1, at, 0), fate, &mut up);
            let accept = Arrival::Accept { after: Duration::ZERO };
            (fate, layer.arrive(&packet(0, 1, at, 0), accept, &mut down))
        };
        // A packet of 36 bytes is charged 100: a millisecond up, ten down.
        for i in 1..=3 {
            let (after, wait) = (AFTER + MILLISECOND * i, MILLISECOND * 10 * i);
            let expected = (Departure::Arrive { after }, Arrival::Accept { after: wait });
            assert_eq!(times(second(11)), expected);
        }
        let free = (Departure::Arrive { after: AFTER }, Arrival::Accept { after: Duration::ZERO });
        assert_eq!((times(second(9)), times(second(20))), (free, free));
    }

    #[test]
    fn nothing_done_is_nothing_changed() {
        let layer = Faults::new(&[], 10);
        assert!(layer.is_stateless() && !layer.needs_size() && !layer.has_arrival());
        assert_eq!(fate(&layer, 0, 1, second(1)), Departure::Arrive { after: AFTER });
    }
}
