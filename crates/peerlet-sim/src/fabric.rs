//! Everything between the peers: the queue of events, the network model, the accounts, and each
//! seat's counters.

use peerlet_core::{
    Address, Body, Class, DATAGRAM_MAX, Duration, Encoded, Header, NANOSECOND, Parcel, Seat, Seed,
    State, Time, Undelivered,
};
use peerlet_measure::{DropCause, Ledger, Recorder};
use peerlet_network::{Arrival, Cause, Departure, Model, Packet};

use crate::digest::{SeatDigest, fold};
use crate::link::Links;
use crate::queue::{Event, Key, Letter, Queue, Way};
use crate::seats::Chart;

/// More rounds than this in one instant are a peer that answers itself without end.
pub(crate) const ROUNDS_MAX: u32 = 10_000;

/// The seat that the environment counts as: no seat.
pub(crate) const ENVIRONMENT: u32 = 0;

/// An instant and the round within it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Moment {
    pub(crate) time: Time,
    pub(crate) round: u32,
}

/// What the engine keeps of one seat, besides its peerlets.
pub(crate) struct Place {
    pub(crate) state: State,
    pub(crate) life: u32,
    /// How many events it made.
    seq: u64,
    /// How many packets it gave to the network.
    packets: u64,
    /// How often it drew a secret.
    pub(crate) secrets: u64,
    pub(crate) digest: SeatDigest,
    /// Over the payloads of what was delivered, with `--wire`.
    pub(crate) payloads: u64,
    outbound: peerlet_network::State,
    inbound: peerlet_network::State,
    pub(crate) links: Option<Box<Links>>,
}

/// What lies between the peers.
pub(crate) struct Fabric {
    pub(crate) seed: Seed,
    network_seed: Seed,
    pub(crate) queue: Queue,
    pub(crate) model: Box<dyn Model>,
    pub(crate) lookahead: Duration,
    pub(crate) places: Vec<Place>,
    pub(crate) chart: Chart,
    pub(crate) ledger: Ledger,
    pub(crate) recorder: Recorder,
    pub(crate) wire: bool,
    pub(crate) connection_timeout: Duration,
    /// The first peer that ran out of rounds.
    pub(crate) endless: Option<(Seat, Time)>,
}

impl Fabric {
    pub(crate) fn new(
        seed: Seed,
        model: Box<dyn Model>,
        seats: u32,
        recorder: Recorder,
        wire: bool,
        connection_timeout: Duration,
    ) -> Fabric {
        let place = |seat| Place {
            state: State::Absent,
            life: 0,
            seq: 0,
            packets: 0,
            secrets: 0,
            digest: SeatDigest::default(),
            payloads: 0,
            outbound: model.outbound(Seat(seat)),
            inbound: model.inbound(Seat(seat)),
            links: None,
        };
        Fabric {
            seed,
            network_seed: seed.named("network"),
            queue: Queue::default(),
            lookahead: model.lookahead().max(NANOSECOND),
            places: (0..seats).map(place).collect(),
            model,
            chart: Chart::new(seats),
            ledger: Ledger::default(),
            recorder,
            wire,
            connection_timeout,
            endless: None,
        }
    }

    pub(crate) fn place(&mut self, seat: Seat) -> &mut Place {
        &mut self.places[seat.index()]
    }

    /// Puts an event that `maker` makes now into the queue of `seat`. What falls on this very
    /// instant, which only a peer's own events can, comes one round later.
    pub(crate) fn post(&mut self, maker: Seat, now: Moment, seat: Seat, at: Time, event: Event) {
        debug_assert!(at > now.time || maker == seat, "only own events fall on their own instant");
        let round = if at <= now.time { now.round + 1 } else { 0 };
        if round > ROUNDS_MAX {
            self.endless.get_or_insert((seat, now.time));
            return;
        }
        let place = self.place(maker);
        let seq = place.seq;
        place.seq += 1;
        let time = at.max(now.time);
        self.queue.push(Key { time, round, seat, source: maker.0 + 1, seq }, event);
    }

    /// Asks the model for the fate of one packet, with the next dice of this pair.
    pub(crate) fn depart(
        &mut self,
        from: Seat,
        to: Seat,
        at: Time,
        size: u32,
    ) -> (Departure, Seed) {
        let place = &mut self.places[from.index()];
        let pair = self.network_seed.at(u64::from(from.0)).at(u64::from(to.0));
        let draws = pair.at(place.packets);
        place.packets += 1;
        let packet = Packet { from, to, at, size, draws };
        let fate = self.model.depart(&packet, &mut place.outbound);
        let checked = |after: Duration| {
            assert!(
                after >= self.lookahead || after.as_nanos() == 0 && self.lookahead <= NANOSECOND,
                "the network model says {after}, less than its own lookahead of {}",
                self.lookahead
            );
            after.max(NANOSECOND)
        };
        let fate = match fate {
            Departure::Arrive { after } => Departure::Arrive { after: checked(after) },
            Departure::Twice { first, second } => {
                Departure::Twice { first: checked(first), second: checked(second) }
            }
            Departure::Drop(cause) => Departure::Drop(cause),
        };
        (fate, draws)
    }

    /// Asks the receiving side of the model whether a message that arrives gets through.
    pub(crate) fn arrive(&mut self, from: Seat, to: Seat, at: Time, letter: &Letter) -> Arrival {
        let packet = Packet { from, to, at, size: letter.size, draws: letter.draws };
        self.model.arrive(&packet, &mut self.places[to.index()].inbound)
    }

    /// Takes a message out of its sender's hands, as a value or encoded, with the hash of its
    /// payload when encoded.
    pub(crate) fn body(&self, parcel: &mut dyn Parcel) -> (Body, u64) {
        if !self.wire {
            return (parcel.take(), 0);
        }
        let mut bytes = Vec::new();
        parcel.encode(&mut bytes);
        let payload = payload_hash(&bytes);
        (Body::encoded(bytes), payload)
    }

    /// Sends a datagram.
    pub(crate) fn send(
        &mut self,
        seat: Seat,
        now: Moment,
        to: Address,
        header: Header,
        parcel: &mut dyn Parcel,
    ) {
        let from = Address::simulated(seat);
        let size = parcel.encoded_len();
        let running = self.place(seat).state == State::Running;
        let flow = self.ledger.of(Class::Datagram);
        flow.sent += 1;
        flow.bytes += size as u64;
        if size > DATAGRAM_MAX {
            return flow.drop_for(DropCause::TooLarge);
        }
        if !running {
            return flow.drop_for(DropCause::Stopped);
        }
        let size = size as u32;
        let letter = |fabric: &Fabric, parcel: &mut dyn Parcel, way, draws| {
            let (body, payload) = fabric.body(parcel);
            Letter { from, header, body, size, draws, way, payload, accepted: false }
        };
        if to == from {
            let home = Way::Home { class: Class::Datagram, life: self.place(seat).life };
            let letter = letter(self, parcel, home, self.network_seed);
            return self.post(seat, now, seat, now.time, Event::Letter(letter));
        }
        let Some(dest) = self.chart.seat_at(to) else {
            return self.ledger.of(Class::Datagram).drop_for(DropCause::Stopped);
        };
        let (fate, draws) = self.depart(seat, dest, now.time, size);
        match fate {
            Departure::Drop(cause) => {
                self.ledger.of(Class::Datagram).drop_for(drop_cause(cause));
            }
            Departure::Arrive { after } => {
                let letter = letter(self, parcel, Way::Datagram, draws);
                self.post(seat, now, dest, now.time + after, Event::Letter(letter));
            }
            Departure::Twice { first, second } => {
                self.ledger.of(Class::Datagram).duplicated += 1;
                let mut bytes = Vec::new();
                parcel.encode(&mut bytes);
                let mut copy = Encoded(bytes);
                let twin = letter(self, &mut copy, Way::Datagram, draws);
                self.post(seat, now, dest, now.time + first, Event::Letter(twin));
                let letter = letter(self, parcel, Way::Datagram, draws);
                self.post(seat, now, dest, now.time + second, Event::Letter(letter));
            }
        }
    }

    /// Notes a life's beginning or end.
    pub(crate) fn set_state(&mut self, seat: Seat, state: State, life: u32) {
        let place = self.place(seat);
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
            let event = Event::Undelivered { life, to, header, body, why };
            self.post(seat, now, seat, now.time, event);
        }
    }

    /// Counts the messages that are still on their way.
    pub(crate) fn count_in_flight(&mut self) {
        let letters = self.queue.iter().filter_map(|event| match event {
            Event::Letter(letter) => Some(letter.way.class()),
            _ => None,
        });
        for class in letters {
            self.ledger.of(class).in_flight += 1;
        }
        let waiting = self.places.iter().filter_map(|place| place.links.as_ref());
        self.ledger.reliable.in_flight += waiting.map(|links| links.queued()).sum::<u64>();
    }
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
