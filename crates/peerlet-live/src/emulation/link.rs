//! The emulated links between sockets: the fates of packets, as a machine without threads, sockets
//! or clocks.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::net::SocketAddr;

use peerlet_core::{Duration, Seat, Seed, Time};
use peerlet_measure::Flow;
use peerlet_network::{Arrival, Departure, Model, Packet, PacketDrop, SeatStates};

use super::packet::STAMP_LEN;
use crate::medium::Packets;

/// Packets on their way: at 1.2 kB each, 1.2 GB. A network that holds more drops them (`queue`).
const WAITING_MAX: usize = 1 << 20;
/// The bytes of a packet in front of UDP's payload: IP's and UDP's heads.
const HEADS: usize = 28;
/// The default overhead that a model with rates adds to each message. A packet shows all its bytes,
/// so they must not be charged twice.
const CHARGED: usize = peerlet_network::ACCESS_OVERHEAD as usize;

/// Flips this many bits of the messages in a packet, chosen at random from this seed.
pub(crate) type Damage = fn(&mut [u8], u32, Seed);

/// A packet that a socket was given. Instants count from the epoch of the run.
pub(super) struct DepartingPacket {
    pub(super) at: Time,
    pub(super) from: Seat,
    pub(super) to: (Seat, SocketAddr),
    /// With room for the stamp in front.
    pub(super) bytes: Vec<u8>,
    /// How many datagrams of peers are in it, where that can be seen.
    pub(super) datagrams: u32,
}

/// A packet on its way.
struct WaitingPacket {
    due: Time,
    /// In which order it was given: what is due at one instant goes in that order.
    number: u64,
    given: DepartingPacket,
    draws: Seed,
    /// Whether the network is done with it, on the receiver's side as well.
    is_in: bool,
}

impl Ord for WaitingPacket {
    /// The earliest is the greatest, for a heap that has its greatest on top.
    fn cmp(&self, other: &WaitingPacket) -> Ordering {
        (other.due, other.number).cmp(&(self.due, self.number))
    }
}

impl PartialOrd for WaitingPacket {
    fn partial_cmp(&self, other: &WaitingPacket) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for WaitingPacket {
    fn eq(&self, other: &WaitingPacket) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for WaitingPacket {}

/// A packet that is due at its receiver's socket.
pub(super) struct DuePacket {
    pub(super) at: Time,
    pub(super) from: Seat,
    pub(super) to: SocketAddr,
    /// With room for the stamp in front.
    pub(super) bytes: Vec<u8>,
}

/// The network between the sockets: the model, its states, and the packets on their way.
pub(super) struct EmulatedLinks {
    model: Box<dyn Model>,
    seed: Seed,
    damage: Damage,
    outbound: SeatStates,
    inbound: SeatStates,
    /// By seat: how many packets departed.
    counts: Vec<u64>,
    waiting: BinaryHeap<WaitingPacket>,
    number: u64,
    /// When time is zero, counted from the epoch of the run.
    zero: Option<Time>,
    /// Whether it leaves packets alone that depart before time zero or after the run's end.
    spares_others: bool,
    /// How many of those that wait departed before the run's end.
    before_end: usize,
    end: Time,
    packets: Packets,
    /// The account of the datagrams that can be seen in packets.
    datagrams: Flow,
}

impl EmulatedLinks {
    pub(super) fn new(
        model: Box<dyn Model>,
        seed: Seed,
        seats: u32,
        end: Time,
        damage: Damage,
        spares_others: bool,
    ) -> EmulatedLinks {
        EmulatedLinks {
            outbound: SeatStates::new(0..seats, |seat| model.outbound(seat)),
            inbound: SeatStates::new(0..seats, |seat| model.inbound(seat)),
            model,
            seed,
            damage,
            counts: vec![0; seats as usize],
            waiting: BinaryHeap::new(),
            number: 0,
            zero: None,
            spares_others,
            before_end: 0,
            end,
            packets: Packets::default(),
            datagrams: Flow::default(),
        }
    }

    pub(super) fn set_zero(&mut self, zero: Time) {
        self.zero = Some(zero);
    }

    /// Whether time was zero by this instant.
    pub(super) fn has_begun(&self, at: Time) -> bool {
        self.zero.is_some_and(|zero| at >= zero)
    }

    /// The scenario's time: zero as long as it has not begun.
    pub(super) fn time(&self, at: Time) -> Time {
        self.zero.map_or(Time::ZERO, |zero| Time::ZERO + at.since(zero))
    }

    /// When the next packet is due, or is to be looked at.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.waiting.peek().map(|waiting| waiting.due)
    }

    fn is_over(&self, at: Time) -> bool {
        self.zero.is_some() && self.time(at) >= self.end
    }

    /// Whether the run was over at that instant, and nothing is on its way that departed before its
    /// end. All that departed by then must be known.
    pub(super) fn is_quiet(&self, known_until: Time) -> bool {
        self.before_end == 0 && self.is_over(known_until)
    }

    /// A packet departs.
    pub(super) fn depart(&mut self, mut given: DepartingPacket) {
        self.packets.sent += 1;
        let (from, to) = (given.from, given.to.0);
        let count = &mut self.counts[from.index()];
        let draws = self.seed.at(u64::from(from.0)).at_pair(u64::from(to.0), *count);
        *count += 1;
        if self.spares_others
            && (self.zero.is_none_or(|zero| given.at < zero) || self.is_over(given.at))
        {
            return self.wait(given, Duration::ZERO, draws, true);
        }
        if given.datagrams > 0 && self.is_over(given.at) {
            // A peer's last words, a moment too late for anybody to look: they stay on their way.
            self.packets.waiting += 1;
            self.datagrams.in_flight += u64::from(given.datagrams);
            return;
        }
        let packet = self.packet(&given, given.at, draws);
        let EmulatedLinks { model, outbound, .. } = self;
        match outbound.with(from, |state| model.depart(&packet, state)) {
            Departure::Arrive { after } => self.wait(given, after, draws, false),
            Departure::Twice { first, second } => {
                self.packets.duplicated += 1;
                self.datagrams.duplicated += u64::from(given.datagrams);
                let DepartingPacket { at, from, to, datagrams, .. } = given;
                let copy = DepartingPacket { at, from, to, bytes: given.bytes.clone(), datagrams };
                self.wait(given, first, draws, false);
                self.wait(copy, second, draws, false);
            }
            Departure::Damaged { after, bits } => {
                self.packets.damaged += 1;
                (self.damage)(&mut given.bytes[STAMP_LEN..], bits, draws);
                self.wait(given, after, draws, false);
            }
            Departure::Drop(cause) => self.drop(&given, cause),
        }
    }

    fn packet(&self, given: &DepartingPacket, at: Time, draws: Seed) -> Packet {
        let size = (given.bytes.len() - STAMP_LEN + HEADS).saturating_sub(CHARGED) as u32;
        Packet { from: given.from, to: given.to.0, at: self.time(at), size, random: draws }
    }

    fn wait(&mut self, given: DepartingPacket, after: Duration, draws: Seed, is_in: bool) {
        if self.waiting.len() >= WAITING_MAX {
            return self.drop(&given, PacketDrop::Queue);
        }
        self.wait_until(given.at + after, given, draws, is_in);
    }

    fn wait_until(&mut self, due: Time, given: DepartingPacket, draws: Seed, is_in: bool) {
        self.before_end += usize::from(self.time(given.at) < self.end);
        self.number += 1;
        self.waiting.push(WaitingPacket { due, number: self.number, given, draws, is_in });
    }

    fn drop(&mut self, given: &DepartingPacket, cause: PacketDrop) {
        self.packets.drop_for(cause);
        self.datagrams.add_dropped(cause.into(), u64::from(given.datagrams));
    }

    /// The next packet that is due by now, if there is one.
    pub(super) fn next(&mut self, now: Time) -> Option<DuePacket> {
        loop {
            if self.next_due()? > now {
                return None;
            }
            let WaitingPacket { due, given, draws, is_in, .. } = self.waiting.pop()?;
            self.before_end -= usize::from(self.time(given.at) < self.end);
            let after = match is_in || !self.model.has_arrival() {
                true => Duration::ZERO,
                false => match self.arrive(&given, due, draws) {
                    Arrival::Accept { after } => after,
                    Arrival::Drop(cause) => {
                        self.drop(&given, cause);
                        continue;
                    }
                },
            };
            if after > Duration::ZERO {
                self.wait_until(due + after, given, draws, true);
                continue;
            }
            self.packets.carried += 1;
            let DepartingPacket { from, to: (_, to), bytes, .. } = given;
            return Some(DuePacket { at: due, from, to, bytes });
        }
    }

    fn arrive(&mut self, given: &DepartingPacket, at: Time, draws: Seed) -> Arrival {
        let packet = self.packet(given, at, draws);
        let EmulatedLinks { model, inbound, .. } = self;
        inbound.with(given.to.0, |state| model.arrive(&packet, state))
    }

    /// The accounts of all packets, and of the datagrams that could be seen in them.
    pub(super) fn finish(mut self) -> (Packets, Flow) {
        self.packets.waiting += self.waiting.len() as u64;
        let datagrams = |waiting: &WaitingPacket| u64::from(waiting.given.datagrams);
        self.datagrams.in_flight += self.waiting.iter().map(datagrams).sum::<u64>();
        (self.packets, self.datagrams)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use peerlet_core::MILLISECOND;
    use peerlet_core::runtime::SeatSet;
    use peerlet_network::{
        Change, Constant, Fault, Faults, Layers, LossModel, Probability, Rate, Ways,
    };

    use super::*;

    const DELAY: Duration = Duration::from_millis(30);
    /// The run's epoch lies before time zero.
    const ZERO: Time = Time::from_nanos(7_000_000);

    fn at(millis: u64) -> Time {
        ZERO + MILLISECOND * millis
    }

    fn socket(seat: u32) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 1_000 + seat as u16).into()
    }

    fn given(at: Time, from: u32, to: u32, len: usize) -> DepartingPacket {
        let bytes = vec![to as u8; STAMP_LEN + len];
        DepartingPacket { at, from: Seat(from), to: (Seat(to), socket(to)), bytes, datagrams: 2 }
    }

    /// The links of three seats with these faults; the run ends after a second.
    fn links(faults: &[(u64, Change)], spares_others: bool) -> EmulatedLinks {
        let all = SeatSet::all(3);
        let faults: Vec<Fault> = faults
            .iter()
            .map(|(millis, change)| Fault {
                at: Time::ZERO + MILLISECOND * *millis,
                seats: all.clone(),
                change: change.clone(),
            })
            .collect();
        let layers: Vec<Box<dyn peerlet_network::Layer>> = vec![Box::new(Faults::new(&faults, 3))];
        let model = Layers::around(Box::new(Constant { delay: DELAY }), layers);
        let end = Time::ZERO + MILLISECOND * 1_000;
        let damage = peerlet_network::damage;
        let mut links =
            EmulatedLinks::new(Box::new(model), Seed::new(1), 3, end, damage, spares_others);
        links.set_zero(ZERO);
        links
    }

    fn all_due(links: &mut EmulatedLinks, by: Time) -> Vec<(Time, u32, SocketAddr)> {
        std::iter::from_fn(|| links.next(by).map(|due| (due.at, due.from.0, due.to))).collect()
    }

    #[test]
    fn packets_come_when_they_are_due_and_in_order() {
        let mut links = links(&[], false);
        for (millis, from, to) in [(5, 0, 1), (5, 2, 1), (3, 1, 0)] {
            links.depart(given(at(millis), from, to, 100));
        }
        assert_eq!(links.next_due(), Some(at(33)));
        assert_eq!(all_due(&mut links, at(32)), []);
        assert_eq!(all_due(&mut links, at(33)), [(at(33), 1, socket(0))]);
        let rest = [(at(35), 0, socket(1)), (at(35), 2, socket(1))];
        assert_eq!(all_due(&mut links, at(50)), rest, "at one instant in the order of departure");
        assert_eq!(links.next_due(), None);
    }

    #[test]
    fn packets_meet_what_holds_when_they_depart() {
        let cut = Change::Cut { from: Some(SeatSet::all(3)), ways: Ways::Both, in_flight: false };
        let heal = Change::Heal { from: None };
        let mut links = links(&[(100, cut), (200, heal)], false);
        for millis in [99, 100, 199, 200] {
            links.depart(given(at(millis), 0, 1, 100));
        }
        let came: Vec<_> = all_due(&mut links, at(500)).iter().map(|(at, ..)| *at).collect();
        assert_eq!(came, [at(129), at(230)]);
        let (packets, datagrams) = links.finish();
        assert_eq!((packets.sent, packets.carried), (4, 2));
        assert_eq!(packets.dropped(PacketDrop::Partition), 2);
        assert_eq!(datagrams.dropped(PacketDrop::Partition.into()), 4, "two in each packet");
        assert!(packets.is_balanced());
    }

    #[test]
    fn a_link_takes_the_bytes_that_are_on_it() {
        // Ten bytes a millisecond: a packet of 172 bytes and IP's and UDP's heads takes 20 ms.
        let rate = Change::Bandwidth { up: Some(Rate::bits(80_000)), down: None };
        let mut links = links(&[(0, rate)], false);
        for _ in 0..3 {
            links.depart(given(at(10), 0, 1, 172));
        }
        let came: Vec<_> = all_due(&mut links, at(500)).iter().map(|(at, ..)| *at).collect();
        assert_eq!(came, [at(60), at(80), at(100)]);
    }

    #[test]
    fn what_is_not_of_the_run_is_spared_where_that_is_wanted() {
        for (spares_others, expected) in [(false, 0), (true, 2)] {
            let all = Probability::new(1.0).expect("a probability");
            let loss = Change::Loss(LossModel::Independent(all));
            let mut links = links(&[(0, loss)], spares_others);
            for at in [Time::ZERO, at(500), at(1_000)] {
                links.depart(given(at, 0, 1, 100));
            }
            let came: Vec<_> = all_due(&mut links, at(2_000)).iter().map(|(at, ..)| *at).collect();
            assert_eq!(came.len(), expected);
            assert!(!spares_others || came == [Time::ZERO, at(1_000)], "and at once: {came:?}");
        }
    }

    #[test]
    fn it_is_quiet_when_all_came_that_departed_before_the_end() {
        let mut links = links(&[], false);
        links.depart(given(at(990), 0, 1, 100));
        links.depart(given(at(1_001), 0, 1, 100));
        assert!(!links.is_quiet(at(1_000)));
        assert_eq!(all_due(&mut links, at(2_000)).len(), 1, "the other one stays on its way");
        assert!(!links.is_quiet(at(999)) && links.is_quiet(at(1_000)));
        let (packets, datagrams) = links.finish();
        assert_eq!((packets.waiting, datagrams.in_flight), (1, 2));
    }
}
