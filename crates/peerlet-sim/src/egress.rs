//! The sending side: timers, datagrams and other events that a peer makes while it handles one.

use std::mem;

use peerlet_core::runtime::{Body, Call, Class, Header, PackedEvent, Parcel, Port, State};
use peerlet_core::{Address, DATAGRAM_MAX, Seat, Seed, Time, Undelivered};
use peerlet_measure::DropCause;
use peerlet_memory::push_within;
use peerlet_network::{Arrival, Departure, Packet, damage};

use crate::digest::fold;
use crate::event::{AddressedMessage, Delivery, Event, Key, RareEvent};
use crate::sim_world::SimWorld;
use crate::worker_state::WorkerState;

/// A peer with more rounds than this in one instant triggers itself endlessly.
const ROUNDS_MAX: u32 = 10_000;

impl SimWorld<'_> {
    /// Queues an event that the peer makes now for `seat`. An event of this very instant, which can
    /// only be the peer's own, comes one round later.
    pub(crate) fn post(&mut self, seat: Seat, at: Time, event: Event) {
        let seq = self.number();
        self.post_as(seq, seat, at, event);
    }

    /// The peer's number for the next event that it makes.
    fn number(&mut self) -> u64 {
        let seat_state = self.seat_state();
        let seq = seat_state.seq;
        seat_state.seq = seq.wrapping_add(1);
        seq
    }

    fn post_as(&mut self, seq: u64, seat: Seat, at: Time, event: Event) {
        let now = self.now;
        debug_assert!(at > now.time || self.seat == seat, "only own events fall on now");
        let round = if at <= now.time { now.round + 1 } else { 0 };
        if round > ROUNDS_MAX {
            return self.worker.give_up(seat, now.time);
        }
        let (time, source) = (at.max(now.time), self.seat.0 + 1);
        self.worker.push(Key { time, round, seat, source, seq }, event);
    }

    /// Sets a timer of the peer.
    #[inline(always)]
    pub(crate) fn post_timer(&mut self, at: Time, port: Port, handle: u32, mut body: Body) {
        let worker = &mut *self.worker;
        if let Some(seat_state) = worker.seat_states.get_mut(self.row)
            && let Ok(seq) = u32::try_from(seat_state.seq)
            && worker.heap.is_none()
            && let Some((chunk, at)) = worker.queue.room_at(self.seat, at)
            && push_within(chunk, || PackedEvent::timer(at, port, handle, seq, body.leave()))
                .is_ok()
        {
            seat_state.seq = u64::from(seq) + 1;
            return mem::forget(body);
        }
        self.post_timer_slowly(at, port, handle, body);
    }

    /// Sets a timer that is near or far, or for which there is no room yet.
    #[cold]
    #[inline(never)]
    fn post_timer_slowly(&mut self, at: Time, port: Port, handle: u32, body: Body) {
        self.post(self.seat, at, Event::Timer { port, handle, body });
    }

    /// Takes the message out of a parcel, as a value or encoded, with the hash of its encoded
    /// payload.
    pub(crate) fn body(&self, parcel: &mut Parcel) -> (Body, u64) {
        if !self.worker.wire {
            return (parcel.take(), 0);
        }
        let mut bytes = Vec::new();
        parcel.encode(&mut bytes);
        let payload = payload_hash(&bytes);
        (Body::encoded(bytes), payload)
    }

    /// Sends a datagram.
    #[inline(always)]
    pub(crate) fn send_datagram(&mut self, to: Address, header: Header, mut parcel: Parcel) {
        let (worker, dest) = (&mut *self.worker, Seat(to.slot()));
        let (size, seats) = (parcel.encoded_len(), worker.seats_of_all);
        if let Some(seat_state) = worker.seat_states.get_mut(self.row)
            && seat_state.state == State::Running
            && let Ok(seq) = u32::try_from(seat_state.seq)
            && worker.plain
            && header.call == Call::None
            && size <= DATAGRAM_MAX
            && dest.0 < seats
            && dest != self.seat
            && to == Address::simulated(dest)
            && let Some(room) = worker.outbox.room()
        {
            let flow = &mut worker.ledger.datagram;
            flow.sent = flow.sent.wrapping_add(1);
            flow.bytes = flow.bytes.wrapping_add(size as u64);
            seat_state.seq = u64::from(seq) + 1;
            let (from, at, draws) = (self.seat, self.now.time, seat_state.next_draws(dest));
            let packet = Packet { from, to: dest, at, size: size as u32, random: draws };
            room.put(packet, &mut parcel, seq, header.port);
            return mem::forget(parcel);
        }
        self.send_slowly(to, header, parcel);
    }

    /// Sends a datagram that is not a common one, or finds the outbox full.
    #[cold]
    #[inline(never)]
    fn send_slowly(&mut self, to: Address, header: Header, mut parcel: Parcel) {
        if self.worker.outbox.room().is_none() {
            self.worker.empty_outbox();
            return self.send_datagram(to, header, parcel);
        }
        let (worker, size) = (&mut *self.worker, parcel.encoded_len());
        worker.account_sent(Class::Datagram, self.seat, size);
        let (runs, dest) = (
            worker.seat_states[self.row].state == State::Running,
            worker.running_seats.seat_at(to),
        );
        let dest = match dest {
            _ if size > DATAGRAM_MAX => {
                return self.drop_unsent(dest, header, &parcel, DropCause::TooLarge);
            }
            Some(dest) if runs => dest,
            _ => return self.drop_unsent(dest, header, &parcel, DropCause::Stopped),
        };
        if dest == self.seat {
            return self.send_to_self(Class::Datagram, header, &mut parcel, size as u32);
        }
        let Some(instead) = worker.tamper(self.seat, header.port, &parcel) else {
            return self.send_to(dest, header, parcel);
        };
        if instead.is_empty() {
            self.drop_unsent(Some(dest), header, &parcel, DropCause::Filtered);
        }
        for (i, bytes) in instead.into_iter().enumerate() {
            if i > 0 {
                self.worker.account_sent(Class::Datagram, self.seat, bytes.len());
            }
            self.send_to(dest, header, Parcel::encoded(bytes));
        }
    }

    /// Drops a datagram before it enters the network.
    fn drop_unsent(&mut self, to: Option<Seat>, header: Header, parcel: &Parcel, why: DropCause) {
        self.tell_sent(to, (header, Class::Datagram), parcel, None);
        self.tell_dropped(to, (header, Class::Datagram), (parcel, why), None);
        self.worker.ledger.datagram.drop_for(why);
    }

    /// Sends a datagram to another peer, unless its sender trusts another identity to be there.
    fn send_to(&mut self, dest: Seat, header: Header, parcel: Parcel) {
        match self.is_mistaken(Address::simulated(dest)) {
            true => {
                let (of, why) = ((header, Class::Datagram), DropCause::Identity);
                self.tell_sent(Some(dest), of, &parcel, None);
                self.tell_dropped(Some(dest), of, (&parcel, why), None);
                self.refuse_datagram(dest);
            }
            false => self.send_out(dest, header, parcel),
        }
    }

    /// Sends a datagram to another peer, or keeps it until the handshake with that one is done.
    pub(crate) fn send_out(&mut self, dest: Seat, header: Header, mut parcel: Parcel) {
        if !self.has_met(dest) {
            return self.keep(dest, header, parcel);
        }
        let (from, at, size) = (self.seat, self.now.time, parcel.encoded_len() as u32);
        let draws = self.seat_state().next_draws(dest);
        self.send_packet(Packet { from, to: dest, at, size, random: draws }, header, &mut parcel);
    }

    /// Sends a datagram that cannot wait in the outbox.
    #[inline(never)]
    fn send_packet(&mut self, packet: Packet, header: Header, parcel: &mut Parcel) {
        let Packet { to: dest, size, random: draws, .. } = packet;
        let (seq, now) = (self.number(), self.now.time);
        self.worker.empty_outbox();
        let of = (header, Class::Datagram);
        self.tell_sent(Some(dest), of, parcel, Some(seq));
        match self.worker.depart(&packet) {
            Departure::Arrive { after } => {
                let event = self.datagram(header, parcel, size, draws);
                self.post_as(seq, dest, now + after, event);
            }
            Departure::Drop(cause) => {
                self.tell_dropped(Some(dest), of, (parcel, cause.into()), Some(seq));
                self.worker.ledger.of(Class::Datagram).drop_for(cause.into());
            }
            Departure::Damaged { after, bits } => {
                let mut bytes = Vec::new();
                parcel.encode(&mut bytes);
                damage(&mut bytes, bits, draws);
                let mut damaged = Parcel::encoded(bytes);
                let event = self.datagram(header, &mut damaged, size, draws);
                self.post_as(seq, dest, now + after, event);
            }
            // Both copies are the same event of the sender.
            Departure::Twice { first, second } => {
                self.worker.ledger.of(Class::Datagram).duplicated += 1;
                let mut bytes = Vec::new();
                parcel.encode(&mut bytes);
                let mut copy = Parcel::encoded(bytes);
                let copied = self.datagram(header, &mut copy, size, draws);
                self.post_as(seq, dest, now + first, copied);
                let datagram = self.datagram(header, parcel, size, draws);
                self.post_as(seq, dest, now + second, datagram);
            }
        }
    }

    /// Sends a message from the peer to itself.
    #[cold]
    pub(crate) fn send_to_self(
        &mut self,
        class: Class,
        header: Header,
        parcel: &mut Parcel,
        size: u32,
    ) {
        let delivery = Delivery::Loopback { class, life: self.seat_state().life };
        let number = self.seat_state().seq;
        self.tell_sent(Some(self.seat), (header, class), parcel, Some(number));
        let ((body, payload), from) = (self.body(parcel), Address::simulated(self.seat));
        let draws = self.worker.seed;
        let message = AddressedMessage {
            from,
            header,
            body,
            size,
            draws,
            delivery,
            payload,
            accepted: false,
        };
        self.post(self.seat, self.now.time, Event::message(message));
    }

    /// A datagram as an event, with all that its admission needs.
    fn datagram(&self, header: Header, parcel: &mut Parcel, size: u32, draws: Seed) -> Event {
        let WorkerState { wire, has_arrival, handshakes, .. } = *self.worker;
        let is_told = self.worker.story.is_some();
        if !wire && !has_arrival && !handshakes && !is_told && header.call == Call::None {
            return Event::Plain { port: header.port, body: parcel.take() };
        }
        let ((body, payload), from) = (self.body(parcel), Address::simulated(self.seat));
        let delivery = Delivery::Datagram;
        Event::message(AddressedMessage {
            from,
            header,
            body,
            size,
            draws,
            delivery,
            payload,
            accepted: false,
        })
    }

    /// Asks the model for the fate of one packet, with the next random stream of this pair.
    pub(crate) fn depart(&mut self, to: Seat, size: u32) -> (Departure, Seed) {
        self.worker.empty_outbox();
        let (from, at, draws) = (self.seat, self.now.time, self.seat_state().next_draws(to));
        (self.worker.depart(&Packet { from, to, at, size, random: draws }), draws)
    }

    /// Asks the receiving side of the model whether a message that arrives here is accepted.
    pub(crate) fn arrive(&mut self, from: Seat, message: &AddressedMessage) -> Arrival {
        let (to, at) = (self.seat, self.now.time);
        let packet = Packet { from, to, at, size: message.size, random: message.draws };
        self.worker.arrive(&packet)
    }

    /// Reports a reliable message that its connection could not deliver, if the life that sent it
    /// still runs.
    pub(crate) fn report(
        &mut self,
        life: u32,
        to: Address,
        (header, body): (Header, Body),
        why: Undelivered,
    ) {
        if self.seat_state().state == State::Running && self.seat_state().life == life {
            let event = RareEvent::Undelivered { life, to, header, body, why };
            self.post(self.seat, self.now.time, Event::Rare(Box::new(event)));
        }
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
