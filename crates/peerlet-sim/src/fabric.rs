//! Everything between the peers of one worker and all others: its queue of events, the network
//! model, the accounts, and each seat's counters.

use std::sync::Arc;

use peerlet_core::{
    Address, Body, Call, Class, DATAGRAM_MAX, Duration, Header, NANOSECOND, Parcel, Port, Seat,
    Seed, State, Time, Undelivered,
};
use peerlet_measure::{DropCause, Ledger, Recorder};
use peerlet_memory::{prefetch, push_within};
use peerlet_network::{Arrival, Cause, Departure, Model, Packet};

use crate::chart::{Chart, Doings};
use crate::digest::{SeatDigest, fold};
use crate::event::{Event, Key, Letter, Rest, Way};
use crate::heap::Heap;
use crate::link::Links;
use crate::packed::Packed;
use crate::ring::{Chunk, Ring};

/// More rounds than this in one instant are a peer that answers itself without end.
pub(crate) const ROUNDS_MAX: u32 = 10_000;

/// An instant and the round within it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Moment {
    pub(crate) time: Time,
    pub(crate) round: u32,
}

/// What the engine keeps of one seat, besides its peerlets: one line of the cache.
#[repr(align(64))]
pub(crate) struct Place {
    pub(crate) digest: SeatDigest,
    /// How many events it made.
    seq: u64,
    /// How many packets it gave to the network.
    packets: u64,
    /// The number of its life's first event: timers of older lives are known by theirs.
    pub(crate) born: u64,
    pub(crate) rare: Option<Box<Rare>>,
    /// Where the network's dice for its packets are found.
    draws: Seed,
    pub(crate) life: u32,
    pub(crate) state: State,
}

/// What most seats do without.
#[derive(Default)]
pub(crate) struct Rare {
    /// How often it drew a secret.
    pub(crate) secrets: u64,
    pub(crate) links: Option<Box<Links>>,
}

impl Place {
    fn new(draws: Seed) -> Place {
        Place {
            digest: SeatDigest(0),
            seq: 0,
            packets: 0,
            born: 0,
            rare: None,
            draws,
            life: 0,
            state: State::Absent,
        }
    }

    #[inline]
    pub(crate) fn links(&mut self) -> Option<&mut Links> {
        self.rare.as_mut()?.links.as_deref_mut()
    }
}

/// The events that wait.
pub(crate) enum Queue {
    Heap(Heap),
    Ring(Ring),
}

/// What every worker of a run is given.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) seed: Seed,
    pub(crate) model: Arc<dyn Model>,
    pub(crate) chart: Arc<Chart>,
    pub(crate) wire: bool,
    pub(crate) connection_timeout: Duration,
}

/// What lies between the peers of one worker and all others.
pub(crate) struct Fabric {
    pub(crate) seed: Seed,
    network_seed: Seed,
    pub(crate) queue: Queue,
    pub(crate) model: Arc<dyn Model>,
    pub(crate) lookahead: Duration,
    /// Whether a datagram needs nothing but itself.
    plain: bool,
    pub(crate) has_arrival: bool,
    /// The seat of the first place.
    first: u32,
    pub(crate) places: Vec<Place>,
    /// The models' states, by place; nothing where models have none.
    outbound: Vec<peerlet_network::State>,
    inbound: Vec<peerlet_network::State>,
    /// The digests over the payloads that were delivered, by place; nothing without `--wire`.
    pub(crate) payloads: Vec<u64>,
    pub(crate) chart: Arc<Chart>,
    pub(crate) doings: Doings,
    pub(crate) ledger: Ledger,
    pub(crate) recorder: Recorder,
    pub(crate) wire: bool,
    pub(crate) connection_timeout: Duration,
    /// The first peer that ran out of rounds.
    pub(crate) endless: Option<(Time, Seat)>,
}

impl Fabric {
    pub(crate) fn new(
        common: Common,
        seats: std::ops::Range<u32>,
        recorder: Recorder,
        queue: Queue,
    ) -> Fabric {
        let Common { seed, model, chart, wire, connection_timeout } = common;
        let rows = seats.len();
        let has_arrival = model.has_arrival();
        let mut fabric = Fabric {
            seed,
            network_seed: seed.named("network"),
            queue,
            lookahead: model.lookahead().max(NANOSECOND),
            plain: !wire && !has_arrival,
            has_arrival,
            first: seats.start,
            places: Vec::with_capacity(rows),
            outbound: states(seats.clone().map(|seat| model.outbound(Seat(seat)))),
            inbound: states(seats.clone().map(|seat| model.inbound(Seat(seat)))),
            payloads: if wire { vec![0; rows] } else { Vec::new() },
            model,
            chart,
            doings: Doings::default(),
            ledger: Ledger::default(),
            recorder,
            wire,
            connection_timeout,
            endless: None,
        };
        let network = fabric.network_seed;
        fabric.places.extend(seats.map(|seat| Place::new(network.at(u64::from(seat)))));
        fabric
    }

    /// The seat's place among those of this worker.
    #[inline(always)]
    pub(crate) fn row(&self, seat: Seat) -> usize {
        (seat.0 - self.first) as usize
    }

    /// The seats of this worker.
    pub(crate) fn seats(&self) -> std::ops::Range<u32> {
        self.first..self.first + self.places.len() as u32
    }

    #[inline(always)]
    pub(crate) fn place(&mut self, seat: Seat) -> &mut Place {
        let row = self.row(seat);
        &mut self.places[row]
    }

    /// Puts an event that `maker` makes now into the queue of `seat`. What falls on this very
    /// instant, which only a peer's own events can, comes one round later.
    pub(crate) fn post(&mut self, maker: Seat, now: Moment, seat: Seat, at: Time, event: Event) {
        debug_assert!(at > now.time || maker == seat, "only own events fall on their own instant");
        let round = if at <= now.time { now.round + 1 } else { 0 };
        if round > ROUNDS_MAX {
            return self.give_up(seat, now.time);
        }
        let place = self.place(maker);
        let seq = place.seq;
        place.seq += 1;
        let time = at.max(now.time);
        self.push(Key { time, round, seat, source: maker.0 + 1, seq }, event);
    }

    /// Sets a timer of a seat's own.
    #[inline]
    pub(crate) fn set_timer(
        &mut self,
        seat: Seat,
        now: Moment,
        at: Time,
        (port, handle): (Port, u32),
        body: &mut Body,
    ) {
        let row = self.row(seat);
        let place = &mut self.places[row];
        if let Queue::Ring(ring) = &mut self.queue
            && at > now.time
            && let Ok(seq) = u32::try_from(place.seq)
            && let Some((chunk, at)) = ring.chunk_for(seat, at)
        {
            place.seq = u64::from(seq) + 1;
            return push(chunk, Packed::timer(at, port, handle, seq, body.leave()));
        }
        let body = body.leave();
        self.post(seat, now, seat, at, Event::Timer { port, handle, body });
    }

    /// Lets a datagram of the common sort arrive.
    #[inline]
    fn post_plain(
        &mut self,
        (maker, row): (Seat, usize),
        now: Moment,
        (seat, at): (Seat, Time),
        port: Port,
        parcel: &mut Parcel,
    ) {
        let place = &mut self.places[row];
        if let Queue::Ring(ring) = &mut self.queue
            && let Ok(seq) = u32::try_from(place.seq)
            && let Some((chunk, at)) = ring.chunk_for(seat, at)
        {
            place.seq = u64::from(seq) + 1;
            let source = maker.0.wrapping_add(1);
            return push(chunk, Packed::plain(at, port, source, seq, parcel.take()));
        }
        self.post(maker, now, seat, at, Event::Plain { port, body: parcel.take() });
    }

    pub(crate) fn push(&mut self, key: Key, event: Event) {
        match &mut self.queue {
            Queue::Ring(ring) => ring.push(key, event),
            Queue::Heap(heap) => heap.push(key, event),
        }
    }

    #[cold]
    fn give_up(&mut self, seat: Seat, at: Time) {
        self.endless = self.endless.into_iter().chain([(at, seat)]).min();
    }

    /// Asks the model for the fate of one packet, with the next dice of this pair.
    pub(crate) fn depart(
        &mut self,
        from: Seat,
        to: Seat,
        at: Time,
        size: u32,
    ) -> (Departure, Seed) {
        let row = self.row(from);
        let draws = self.next_draws(row, to);
        let packet = Packet { from, to, at, size, draws };
        let fate = self.ask(row, &packet);
        (self.checked(fate), draws)
    }

    /// Where the dice of a seat's next packet are found.
    #[inline(always)]
    fn next_draws(&mut self, row: usize, to: Seat) -> Seed {
        let place = &mut self.places[row];
        let draws = place.draws.at(u64::from(to.0)).at(place.packets);
        place.packets = place.packets.wrapping_add(1);
        draws
    }

    /// What the model says, not checked yet.
    #[inline(always)]
    fn ask(&mut self, row: usize, packet: &Packet) -> Departure {
        match self.outbound.get_mut(row) {
            None => self.ask_stateless(row, packet),
            Some(state) => self.model.depart(packet, state),
        }
    }

    #[inline(always)]
    fn ask_stateless(&mut self, row: usize, packet: &Packet) -> Departure {
        let mut state = None;
        let fate = self.model.depart(packet, &mut state);
        if state.is_some() {
            keep(&mut self.outbound, state, row, self.places.len());
        }
        fate
    }

    /// A delay of nothing becomes one of a nanosecond; any other that is shorter than the lookahead
    /// is a mistake of the model's.
    fn checked(&self, fate: Departure) -> Departure {
        let check = |after: Duration| {
            assert!(
                after >= self.lookahead || after.as_nanos() == 0 && self.lookahead <= NANOSECOND,
                "the network model says {after}, less than its own lookahead of {}",
                self.lookahead
            );
            after.max(NANOSECOND)
        };
        match fate {
            Departure::Arrive { after } => Departure::Arrive { after: check(after) },
            Departure::Twice { first, second } => {
                Departure::Twice { first: check(first), second: check(second) }
            }
            Departure::Drop(_) => fate,
        }
    }

    /// Asks the receiving side of the model whether a message that arrives gets through.
    pub(crate) fn arrive(&mut self, from: Seat, to: Seat, at: Time, letter: &Letter) -> Arrival {
        let packet = Packet { from, to, at, size: letter.size, draws: letter.draws };
        let row = self.row(to);
        if let Some(state) = self.inbound.get_mut(row) {
            return self.model.arrive(&packet, state);
        }
        let mut state = None;
        let fate = self.model.arrive(&packet, &mut state);
        keep(&mut self.inbound, state, row, self.places.len());
        fate
    }

    /// Takes a message out of its sender's hands, as a value or encoded, with the hash of its
    /// payload when encoded.
    pub(crate) fn body(&self, parcel: &mut Parcel) -> (Body, u64) {
        if !self.wire {
            return (parcel.take(), 0);
        }
        let mut bytes = Vec::new();
        parcel.encode(&mut bytes);
        let payload = payload_hash(&bytes);
        (Body::encoded(bytes), payload)
    }

    /// Sends a datagram.
    #[inline]
    pub(crate) fn send(
        &mut self,
        seat: Seat,
        now: Moment,
        to: Address,
        header: Header,
        parcel: &mut Parcel,
    ) {
        let size = parcel.encoded_len();
        let row = self.row(seat);
        let running = self.places[row].state == State::Running;
        let flow = &mut self.ledger.datagram;
        flow.sent += 1;
        flow.bytes += size as u64;
        if size > DATAGRAM_MAX {
            return flow.drop_for(DropCause::TooLarge);
        }
        if !running {
            return flow.drop_for(DropCause::Stopped);
        }
        let size = size as u32;
        let Some(dest) = self.chart.seat_at(to) else {
            return self.ledger.of(Class::Datagram).drop_for(DropCause::Stopped);
        };
        if dest == seat {
            return self.send_home(seat, now, header, parcel, size);
        }
        let draws = self.next_draws(row, dest);
        let packet = Packet { from: seat, to: dest, at: now.time, size, draws };
        match self.ask(row, &packet) {
            Departure::Arrive { after }
                if after >= self.lookahead && self.plain && header.call == Call::None =>
            {
                let arrival = (dest, now.time + after);
                self.post_plain((seat, row), now, arrival, header.port, parcel);
            }
            fate => self.send_packet(now, fate, packet, header, parcel),
        }
    }

    /// Sends a datagram whose fate is none of the common sort.
    #[inline(never)]
    fn send_packet(
        &mut self,
        now: Moment,
        fate: Departure,
        packet: Packet,
        header: Header,
        parcel: &mut Parcel,
    ) {
        let Packet { from: seat, to: dest, size, draws, .. } = packet;
        match self.checked(fate) {
            Departure::Arrive { after } => {
                let event = self.datagram(seat, header, parcel, size, draws);
                self.post(seat, now, dest, now.time + after, event);
            }
            Departure::Drop(cause) => {
                self.ledger.of(Class::Datagram).drop_for(drop_cause(cause));
            }
            Departure::Twice { first, second } => {
                self.ledger.of(Class::Datagram).duplicated += 1;
                let mut bytes = Vec::new();
                parcel.encode(&mut bytes);
                let mut copy = Parcel::encoded(bytes);
                let twin = self.datagram(seat, header, &mut copy, size, draws);
                self.post(seat, now, dest, now.time + first, twin);
                let datagram = self.datagram(seat, header, parcel, size, draws);
                self.post(seat, now, dest, now.time + second, datagram);
            }
        }
    }

    #[cold]
    fn send_home(
        &mut self,
        seat: Seat,
        now: Moment,
        header: Header,
        parcel: &mut Parcel,
        size: u32,
    ) {
        let way = Way::Home { class: Class::Datagram, life: self.place(seat).life };
        let ((body, payload), from) = (self.body(parcel), Address::simulated(seat));
        let draws = self.network_seed;
        let letter = Letter { from, header, body, size, draws, way, payload, accepted: false };
        self.post(seat, now, seat, now.time, Event::letter(letter));
    }

    /// A datagram with all that a letter has.
    #[inline(never)]
    fn datagram(
        &self,
        seat: Seat,
        header: Header,
        parcel: &mut Parcel,
        size: u32,
        draws: Seed,
    ) -> Event {
        let ((body, payload), from) = (self.body(parcel), Address::simulated(seat));
        let way = Way::Datagram;
        Event::letter(Letter { from, header, body, size, draws, way, payload, accepted: false })
    }

    /// Asks the cache to load what an event of this seat needs.
    #[inline(always)]
    pub(crate) fn prefetch(&self, row: usize) {
        prefetch(&self.places, row);
    }

    /// Notes a life's beginning or end.
    pub(crate) fn set_state(&mut self, seat: Seat, state: State, life: u32) {
        let place = self.place(seat);
        if place.life != life {
            place.born = place.seq;
        }
        (place.state, place.life) = (state, life);
    }

    /// Reports a reliable message that its connection could not deliver, if the life that sent it
    /// still lives.
    pub(crate) fn report(
        &mut self,
        seat: Seat,
        now: Moment,
        life: u32,
        to: Address,
        (header, body): (Header, Body),
        why: Undelivered,
    ) {
        let place = self.place(seat);
        if place.state == State::Running && place.life == life {
            let event = Rest::Undelivered { life, to, header, body, why };
            self.post(seat, now, seat, now.time, Event::Rest(Box::new(event)));
        }
    }

    /// Counts the messages that are still on their way.
    pub(crate) fn count_in_flight(&mut self) {
        let ledger = &mut self.ledger;
        let message = |class| ledger.of(class).in_flight += 1;
        match &self.queue {
            Queue::Ring(ring) => ring.count(message),
            Queue::Heap(heap) => heap.iter().filter_map(Event::class).for_each(message),
        }
        let waiting = self.places.iter_mut().filter_map(Place::links);
        self.ledger.reliable.in_flight += waiting.map(|links| links.queued()).sum::<u64>();
    }
}

/// Puts an event into a chunk that has room.
#[inline(always)]
fn push(chunk: &mut Chunk, packed: Packed) {
    assert!(push_within(chunk, packed).is_ok(), "a chunk that is offered has room");
}

/// Keeps a state that a model made for a peer to which it gave none at the start.
fn keep(
    states: &mut Vec<peerlet_network::State>,
    state: peerlet_network::State,
    row: usize,
    rows: usize,
) {
    if state.is_some() {
        states.resize_with(rows, || None);
        states[row] = state;
    }
}

/// The states that a model gives its peers; none at all where it gives nothing to anybody.
fn states(given: impl Iterator<Item = peerlet_network::State>) -> Vec<peerlet_network::State> {
    let states: Vec<_> = given.collect();
    if states.iter().any(Option::is_some) { states } else { Vec::new() }
}

/// The ledger's name for why a model dropped something.
pub(crate) fn drop_cause(cause: Cause) -> DropCause {
    match cause {
        Cause::Loss => DropCause::Loss,
        Cause::Queue => DropCause::Queue,
        Cause::Partition => DropCause::Partition,
        Cause::Nat => DropCause::Nat,
    }
}

/// The hash of a payload.
pub(crate) fn payload_hash(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(bytes.len() as u64, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        fold(hash, u64::from_le_bytes(word))
    })
}
