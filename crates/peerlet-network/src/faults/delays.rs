//! Delays of pairs that a scenario changes while it runs.

use std::any::Any;

use peerlet_core::{Duration, Seat, Time};

use super::open::OpenList;
use super::pairs::Pairs;
use super::{AddFaultError, Change, Fault};
use crate::model::{Arrival, Departure, Model, ModelState, Packet};
use crate::seat_states::SeatStates;

/// A model in which some pairs have other delays from an instant on.
///
/// The changes are known before the run, so the lookahead is the shortest of the model's own and of
/// theirs. What the model drops stays dropped. Layers go around it as around any model.
#[derive(Debug)]
pub struct PairDelays {
    inner: Box<dyn Model>,
    delays: Pairs<Option<Duration>>,
    /// The changes, where it takes more of them.
    known: Option<OpenList>,
}

impl PairDelays {
    /// Puts the changes of delays among these faults around a model; the model itself where there
    /// are none.
    pub fn around(inner: Box<dyn Model>, faults: &[Fault]) -> Box<dyn Model> {
        let delays = read(faults);
        match delays.is_empty() {
            true => inner,
            false => Box::new(PairDelays { inner, delays, known: None }),
        }
    }

    /// As [`around`](PairDelays::around), and takes [more of them](crate::add_fault) while it is in
    /// use. The lookahead stays, so none of those may be shorter.
    pub fn open(inner: Box<dyn Model>, faults: &[Fault]) -> PairDelays {
        let is_delay = |fault: &&Fault| matches!(fault.change, Change::PairDelay { .. });
        let known = OpenList::new(faults.iter().filter(is_delay).cloned().collect());
        PairDelays { inner, delays: read(faults), known: Some(known) }
    }

    /// Whether pairs may have this delay from now on.
    pub(super) fn check(&self, delay: Option<Duration>) -> Result<(), AddFaultError> {
        let lookahead = self.lookahead();
        match delay.filter(|delay| *delay < lookahead) {
            Some(delay) => Err(AddFaultError::BelowLookahead { delay, lookahead }),
            None => Ok(()),
        }
    }

    /// Takes one more change of a delay, where it is open.
    pub(super) fn add(&mut self, fault: &Fault) {
        if let Some(known) = &mut self.known {
            known.add(fault);
            self.delays = read(known.all());
        }
    }

    #[inline]
    fn changed(&self, packet: &Packet, fate: Departure) -> Departure {
        match self.delays.at(packet.from, packet.to, packet.at) {
            Some(Some(delay)) => fate.map(|_| delay),
            _ => fate,
        }
    }
}

/// The changes of delays among these faults.
fn read(faults: &[Fault]) -> Pairs<Option<Duration>> {
    let mut faults: Vec<&Fault> = faults.iter().collect();
    faults.sort_by_key(|fault| fault.at);
    Pairs::new(faults.iter().filter_map(|fault| match &fault.change {
        Change::PairDelay { others, delay } => Some((fault.at, &fault.seats, others, *delay)),
        _ => None,
    }))
}

impl Model for PairDelays {
    fn lookahead(&self) -> Duration {
        let own = self.inner.lookahead();
        self.delays.values().flatten().fold(own, Duration::min)
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
        self.changed(packet, self.inner.depart(packet, state))
    }

    fn depart_all(&self, packets: &[Packet], states: &mut SeatStates, fates: &mut Vec<Departure>) {
        let from = fates.len();
        self.inner.depart_all(packets, states, fates);
        for (packet, fate) in packets.iter().zip(&mut fates[from..]) {
            *fate = self.changed(packet, *fate);
        }
    }

    fn arrive(&self, packet: &Packet, state: &mut ModelState) -> Arrival {
        self.inner.arrive(packet, state)
    }

    fn has_local_networks(&self) -> bool {
        self.inner.has_local_networks()
    }

    fn local_network(&self, seat: Seat) -> std::ops::Range<u32> {
        self.inner.local_network(seat)
    }

    fn round_trip(&self, from: Seat, to: Seat) -> Duration {
        self.inner.round_trip(from, to)
    }

    fn is_cut(&self, from: Seat, to: Seat, at: Time) -> bool {
        self.inner.is_cut(from, to, at)
    }

    fn open_parts(&mut self, show: &mut dyn FnMut(&mut dyn Any)) {
        if self.known.is_some() {
            show(self);
        }
        self.inner.open_parts(show);
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::runtime::SeatSet;
    use peerlet_core::{MILLISECOND, SECOND, Seed, Time};

    use super::*;
    use crate::delay::Constant;

    fn fault(at: u64, seat: u32, others: [u32; 2], delay: Option<Duration>) -> Fault {
        let others = SeatSet::from_ranges([others[0]..=others[1]]);
        let change = Change::PairDelay { others, delay };
        Fault { at: Time::ZERO + SECOND * at, seats: SeatSet::from_iter([Seat(seat)]), change }
    }

    #[test]
    fn pairs_have_other_delays_from_their_instant_on() {
        let [own, short, long] = [40, 3, 500].map(|ms| MILLISECOND * ms);
        let faults = [
            fault(20, 0, [1, 1], None),
            fault(10, 0, [1, 2], Some(long)),
            fault(10, 2, [0, 0], Some(short)),
        ];
        let model = PairDelays::around(Box::new(Constant { delay: own }), &faults);
        assert_eq!(model.lookahead(), short, "the shortest of all values");
        let fates = |at| {
            let packet = |(from, to)| {
                let (at, random) = (Time::ZERO + SECOND * at, Seed::new(1));
                Packet { from: Seat(from), to: Seat(to), at, size: 0, random }
            };
            let packets = [(0, 1), (1, 0), (0, 2), (1, 2)].map(packet);
            let mut fates = Vec::new();
            model.depart_all(&packets, &mut SeatStates::default(), &mut fates);
            let each: Vec<_> = packets.iter().map(|p| model.depart(p, &mut None)).collect();
            assert_eq!(fates, each);
            let after = |fate: Departure| match fate {
                Departure::Arrive { after } => after,
                fate => panic!("{fate:?}"),
            };
            fates.into_iter().map(after).collect::<Vec<_>>()
        };
        assert_eq!(fates(9), [own; 4]);
        assert_eq!(fates(10), [long, long, short, own], "of one instant the last line holds");
        assert_eq!(fates(20), [own, own, short, own]);
    }

    #[test]
    fn without_changes_there_is_nothing_around_it() {
        let model = PairDelays::around(Box::new(Constant { delay: SECOND }), &[]);
        assert!(format!("{model:?}").starts_with("Constant"));
    }
}
