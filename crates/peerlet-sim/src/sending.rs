//! What a peer makes while it handles an event: timers, datagrams, and whatever else waits.

use peerlet_core::{
    Address, Body, Call, Class, DATAGRAM_MAX, Header, Parcel, Port, Seat, Seed, State, Time,
    Undelivered,
};
use peerlet_measure::DropCause;
use peerlet_memory::push_within;
use peerlet_network::{Arrival, Departure, Packet};

use crate::digest::fold;
use crate::event::{Event, Key, Letter, Rest, Way};
use crate::fabric::{Queue, drop_cause};
use crate::here::Here;
use crate::packed::Packed;
use crate::ring::Chunk;

/// More rounds than this in one instant are a peer that answers itself without end.
const ROUNDS_MAX: u32 = 10_000;

impl Here<'_> {
    /// Puts an event that the peer makes now into the queue of `seat`. What falls on this very
    /// instant, which only a peer's own events can, comes one round later.
    pub(crate) fn post(&mut self, seat: Seat, at: Time, event: Event) {
        let now = self.now;
        debug_assert!(at > now.time || self.seat == seat, "only own events fall on now");
        let round = if at <= now.time { now.round + 1 } else { 0 };
        if round > ROUNDS_MAX {
            return self.fabric.give_up(seat, now.time);
        }
        let seq = self.place.seq;
        self.place.seq += 1;
        let (time, source) = (at.max(now.time), self.seat.0 + 1);
        self.fabric.push(Key { time, round, seat, source, seq }, event);
    }

    /// Sets a timer of the peer's own.
    #[inline(always)]
    pub(crate) fn set_timer(&mut self, at: Time, port: Port, handle: u32, body: &mut Body) {
        if let Queue::Ring(ring) = &mut self.fabric.queue
            && at > self.now.time
            && let Ok(seq) = u32::try_from(self.place.seq)
            && let Some((chunk, place)) = ring.chunk_for(self.seat, at)
        {
            self.place.seq = u64::from(seq) + 1;
            return push(chunk, Packed::timer(place, port, handle, seq, body.leave()));
        }
        self.post(self.seat, at, Event::Timer { port, handle, body: body.leave() });
    }

    /// Lets a datagram of the common sort arrive.
    #[inline(always)]
    fn post_plain(&mut self, seat: Seat, at: Time, port: Port, parcel: &mut Parcel) {
        if let Queue::Ring(ring) = &mut self.fabric.queue
            && let Ok(seq) = u32::try_from(self.place.seq)
            && let Some((chunk, place)) = ring.chunk_for(seat, at)
        {
            self.place.seq = u64::from(seq) + 1;
            let source = self.seat.0.wrapping_add(1);
            return push(chunk, Packed::plain(place, port, source, seq, parcel.take()));
        }
        self.post(seat, at, Event::Plain { port, body: parcel.take() });
    }

    /// Takes a message out of its sender's hands, as a value or encoded, with the hash of its
    /// payload when encoded.
    pub(crate) fn body(&self, parcel: &mut Parcel) -> (Body, u64) {
        if !self.fabric.wire {
            return (parcel.take(), 0);
        }
        let mut bytes = Vec::new();
        parcel.encode(&mut bytes);
        let payload = payload_hash(&bytes);
        (Body::encoded(bytes), payload)
    }

    /// Sends a datagram.
    #[inline(always)]
    pub(crate) fn send_datagram(&mut self, to: Address, header: Header, parcel: &mut Parcel) {
        let size = parcel.encoded_len();
        let running = self.place.state == State::Running;
        let flow = &mut self.fabric.ledger.datagram;
        flow.sent += 1;
        flow.bytes += size as u64;
        if size > DATAGRAM_MAX {
            return flow.drop_for(DropCause::TooLarge);
        }
        if !running {
            return flow.drop_for(DropCause::Stopped);
        }
        let size = size as u32;
        let Some(dest) = self.fabric.chart.seat_at(to) else {
            return self.fabric.ledger.of(Class::Datagram).drop_for(DropCause::Stopped);
        };
        if dest == self.seat {
            return self.send_home(header, parcel, size);
        }
        let packet = self.packet(dest, size);
        match self.fabric.ask(&packet) {
            Departure::Arrive { after }
                if after >= self.fabric.lookahead
                    && self.fabric.plain
                    && header.call == Call::None =>
            {
                self.post_plain(dest, self.now.time + after, header.port, parcel);
            }
            fate => self.send_packet(fate, packet, header, parcel),
        }
    }

    /// Sends a datagram whose fate is none of the common sort.
    #[inline(never)]
    fn send_packet(
        &mut self,
        fate: Departure,
        packet: Packet,
        header: Header,
        parcel: &mut Parcel,
    ) {
        let Packet { to: dest, size, draws, .. } = packet;
        let now = self.now.time;
        match self.fabric.checked(fate) {
            Departure::Arrive { after } => {
                let event = self.datagram(header, parcel, size, draws);
                self.post(dest, now + after, event);
            }
            Departure::Drop(cause) => {
                self.fabric.ledger.of(Class::Datagram).drop_for(drop_cause(cause));
            }
            Departure::Twice { first, second } => {
                self.fabric.ledger.of(Class::Datagram).duplicated += 1;
                let mut bytes = Vec::new();
                parcel.encode(&mut bytes);
                let mut copy = Parcel::encoded(bytes);
                let twin = self.datagram(header, &mut copy, size, draws);
                self.post(dest, now + first, twin);
                let datagram = self.datagram(header, parcel, size, draws);
                self.post(dest, now + second, datagram);
            }
        }
    }

    #[cold]
    fn send_home(&mut self, header: Header, parcel: &mut Parcel, size: u32) {
        let way = Way::Home { class: Class::Datagram, life: self.place.life };
        let ((body, payload), from) = (self.body(parcel), Address::simulated(self.seat));
        let draws = self.fabric.seed;
        let letter = Letter { from, header, body, size, draws, way, payload, accepted: false };
        self.post(self.seat, self.now.time, Event::letter(letter));
    }

    /// A datagram with all that a letter has.
    #[inline(never)]
    fn datagram(&self, header: Header, parcel: &mut Parcel, size: u32, draws: Seed) -> Event {
        let ((body, payload), from) = (self.body(parcel), Address::simulated(self.seat));
        let way = Way::Datagram;
        Event::letter(Letter { from, header, body, size, draws, way, payload, accepted: false })
    }

    /// Asks the model for the fate of one packet, with the next dice of this pair.
    pub(crate) fn depart(&mut self, to: Seat, size: u32) -> (Departure, Seed) {
        let packet = self.packet(to, size);
        let fate = self.fabric.ask(&packet);
        (self.fabric.checked(fate), packet.draws)
    }

    /// The peer's next packet.
    #[inline(always)]
    fn packet(&mut self, to: Seat, size: u32) -> Packet {
        let draws = self.place.draws.at(u64::from(to.0)).at(self.place.packets);
        self.place.packets = self.place.packets.wrapping_add(1);
        Packet { from: self.seat, to, at: self.now.time, size, draws }
    }

    /// Asks the receiving side of the model whether a message that arrives here gets through.
    pub(crate) fn arrive(&mut self, from: Seat, letter: &Letter) -> Arrival {
        let (to, at) = (self.seat, self.now.time);
        let packet = Packet { from, to, at, size: letter.size, draws: letter.draws };
        self.fabric.arrive(&packet)
    }

    /// Reports a reliable message that its connection could not deliver, if the life that sent it
    /// still lives.
    pub(crate) fn report(
        &mut self,
        life: u32,
        to: Address,
        (header, body): (Header, Body),
        why: Undelivered,
    ) {
        if self.place.state == State::Running && self.place.life == life {
            let event = Rest::Undelivered { life, to, header, body, why };
            self.post(self.seat, self.now.time, Event::Rest(Box::new(event)));
        }
    }
}

/// Puts an event into a chunk that has room.
#[inline(always)]
fn push(chunk: &mut Chunk, packed: Packed) {
    assert!(push_within(chunk, packed).is_ok(), "a chunk that is offered has room");
}

/// The hash of a payload.
pub(crate) fn payload_hash(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(bytes.len() as u64, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        fold(hash, u64::from_le_bytes(word))
    })
}
