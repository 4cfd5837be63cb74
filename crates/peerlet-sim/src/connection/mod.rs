//! Reliable delivery between lives, simulated.
//!
//! The sender's end opens a connection (a round trip), then sends messages one by one. The model
//! says at departure whether an attempt is lost; the sender's end then waits and tries again, and
//! all messages behind wait with it, so order is kept. The receiver's end checks that a message is
//! for the current life; otherwise the message travels back and is reported. No delivered message
//! is ever reported.

pub(crate) mod ends;
mod large;
mod queueing;
mod trust;

use peerlet_core::runtime::{Class, State};
use peerlet_core::{Address, Duration, NANOSECOND, Seat, Time, Undelivered};
use peerlet_measure::DropCause;
use peerlet_network::Departure;

use self::ends::{Connections, Outgoing, Phase};
use self::large::Next;
use crate::event::{AddressedMessage, Delivery, Event, Part};
use crate::signal::{CONTROL_BYTES, Queued, Signal};
use crate::sim_world::SimWorld;
use crate::worker_state::WorkerState;

/// The shortest wait before a lost attempt is repeated.
const RETRY_MIN: Duration = Duration::from_millis(10);

impl WorkerState {
    /// Sends the reliable messages that events queued, now that they were handled.
    #[inline(always)]
    pub(crate) fn flush(&mut self) {
        if !self.queued.is_empty() {
            self.flush_queued();
        }
    }

    #[inline(never)]
    fn flush_queued(&mut self) {
        for (seat, now) in std::mem::take(&mut self.queued) {
            SimWorld::new(self, seat, now, None).flush();
        }
        self.is_attended = self.needs_attention();
    }
}

impl SimWorld<'_> {
    pub(crate) fn connections(&mut self) -> &mut Connections {
        self.seat_state().connections.get_or_insert_default()
    }

    fn end(&mut self, key: (Address, u32)) -> Option<&mut Outgoing> {
        self.seat_state().connections()?.outgoing.get_mut(&key)
    }

    /// Whether a connection is being opened for the fourth time.
    #[cfg(feature = "injected-bugs")]
    pub(crate) fn opens_again(&mut self, key: (Address, u32)) -> bool {
        self.end(key).is_some_and(|end| end.phase == Phase::Opening && end.attempt == 3)
    }

    /// Sends the messages that an event queued.
    fn flush(&mut self) {
        let Some(connections) = self.seat_state().connections() else { return };
        for key in std::mem::take(&mut connections.touched) {
            match self.end(key).map(|end| end.phase) {
                Some(Phase::New) => self.open(key),
                Some(Phase::Open { theirs }) => self.depart_queue(key, theirs),
                Some(Phase::Opening | Phase::Failing { .. }) | None => {}
            }
        }
    }

    /// The seat's life ends. After a stop, queued messages still depart, and their fate is not
    /// reported. A crash drops them.
    pub(crate) fn end_connections(&mut self, crashed: bool) {
        self.forget_trusted();
        let Some(connections) = self.seat_state().connections() else { return };
        connections.touched.clear();
        let mut lost = 0;
        if crashed {
            lost = connections.queued();
            connections.outgoing.clear();
        } else {
            connections.outgoing.retain(|_, end| !end.queue.is_empty());
        }
        self.end_assembly(crashed);
        for _ in 0..lost {
            self.worker.ledger.of(Class::Reliable).drop_for(DropCause::Undelivered);
        }
    }

    /// The wait between an attempt and the next one.
    pub(crate) fn patience(&self, from: Seat, to: Option<Seat>, attempt: u32) -> Duration {
        let round_trip = to.map_or(Duration::ZERO, |to| self.worker.model.round_trip(from, to));
        let first = (round_trip + round_trip / 2).max(RETRY_MIN);
        first * (1u64 << attempt.min(40))
    }

    /// Sets the timer for the next attempt. Doubling does not skip the last attempt that leaves
    /// time for an answer, so a fault that heals in time loses nothing. The last attempt is at the
    /// timeout.
    fn retry_later(&mut self, key: (Address, u32)) {
        let dest = self.worker.running_seats.seat_at(key.0);
        let Some((since, attempt)) = self.end(key).map(|end| (end.since, end.attempt)) else {
            return;
        };
        let timeout = self.worker.connection_timeout;
        // The answer may take longer than a typical one.
        let last = timeout - self.patience(self.seat, dest, 0) * 2;
        let spent = self.now.time - since;
        let next = spent + self.patience(self.seat, dest, attempt);
        let next = next.min(if spent < last { last } else { timeout });
        self.retry_at(key, since + next);
    }

    fn retry_at(&mut self, key: (Address, u32), at: Time) {
        let connections = self.connections();
        connections.last_ticket += 1;
        let ticket = connections.last_ticket;
        if let Some(end) = self.end(key) {
            end.ticket = Some(ticket);
        }
        let retry = Signal::Retry { to: key.0, life: key.1, ticket };
        self.post(self.seat, at, Event::signal(retry));
    }

    /// The instant after which no departed message of the connection can come back.
    fn settled(&mut self, key: (Address, u32)) -> Option<Time> {
        let dest = self.worker.running_seats.seat_at(key.0)?;
        let back = self.return_delay(dest, self.seat);
        let timeout = self.worker.connection_timeout;
        let waits = self.worker.has_arrival;
        let end = self.end(key).filter(|end| end.departed > 0)?;
        let over = end.last_departure + timeout;
        let handled = if waits { end.last_arrival.max(over) } else { end.last_arrival };
        Some(over.max(handled + back))
    }

    /// The delay of a reset.
    pub(crate) fn return_delay(&self, from: Seat, to: Seat) -> Duration {
        (self.worker.model.round_trip(from, to) / 2).max(self.worker.lookahead)
    }

    fn open(&mut self, key: (Address, u32)) {
        let now = self.now.time;
        let Some(end) = self.end(key) else { return };
        if end.phase != Phase::Opening {
            (end.phase, end.since, end.attempt) = (Phase::Opening, now, 0);
        }
        let number = end.number;
        if let Some(dest) = self.worker.running_seats.seat_at(key.0) {
            let open = Signal::Open { from: Address::simulated(self.seat), number, life: key.1 };
            match self.has_met(dest) {
                true => self.signal(dest, open),
                false => self.dial(dest),
            }
        }
        self.retry_later(key);
    }

    /// Opens the connections that waited for the handshake with the other end.
    pub(crate) fn open_waiting(&mut self, to: Address) {
        let ends = self.connections().outgoing.iter_mut();
        let mut waiting = Vec::new();
        for (key, end) in ends.filter(|(key, end)| key.0 == to && end.phase == Phase::Opening) {
            end.attempt = 0;
            waiting.push((*key, end.is_mistaken));
        }
        for (key, is_mistaken) in waiting {
            match is_mistaken {
                // The handshake has shown which identity is there.
                true => self.close(key, Undelivered::Identity),
                false => self.open(key),
            }
        }
    }

    /// Sends a signal to the other end; it can be lost like any packet.
    fn signal(&mut self, to: Seat, signal: Signal) {
        match self.depart(to, CONTROL_BYTES).0 {
            Departure::Arrive { after } | Departure::Twice { first: after, .. } => {
                self.post(to, self.now.time + after, Event::signal(signal));
            }
            // A damaged signal fails its checksum.
            Departure::Damaged { .. } | Departure::Drop(_) => {}
        }
    }

    fn depart_queue(&mut self, key: (Address, u32), theirs: u32) {
        let now = self.now.time;
        let Some(dest) = self.worker.running_seats.seat_at(key.0) else { return };
        while let Some(end) = self.end(key) {
            if end.ticket.is_some() {
                break;
            }
            if end.is_mistaken && !end.queue.is_empty() {
                return self.refuse_queue(key);
            }
            let (size, part) = match end.next(now) {
                Next::Nothing => break,
                Next::NotBefore(time) => {
                    self.wait_for_link(key, time);
                    break;
                }
                Next::Packet(size, part) => (size, part),
            };
            let round_trip = match end.is_large() {
                true => self.worker.model.round_trip(self.seat, dest),
                false => Duration::ZERO,
            };
            let (fate, draws) = self.depart(dest, size);
            let Some(end) = self.end(key) else { return };
            match fate {
                Departure::Arrive { after } | Departure::Twice { first: after, .. } => {
                    let at = (now + after).max(end.last_arrival);
                    let (number, index) = (end.number, end.departed);
                    (end.last_departure, end.last_arrival) = (now, at);
                    end.departed += 1;
                    end.attempt = 0;
                    let Some((header, body, payload)) = end.take(part, at, round_trip) else {
                        return;
                    };
                    let (theirs, life, departed) = (key.1, theirs, now);
                    let delivery =
                        Delivery::Connection { number, theirs, life, index, departed, part };
                    let from = Address::simulated(self.seat);
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
                    self.post(dest, at, Event::message(message));
                }
                Departure::Damaged { .. } | Departure::Drop(_) => {
                    if end.attempt == 0 {
                        end.since = now;
                    }
                    self.retry_later(key);
                }
            }
        }
        self.tell_writable(key);
        self.forget_orphan(key);
    }

    /// Forgets an end of a past life when all its messages have departed.
    fn forget_orphan(&mut self, key: (Address, u32)) {
        let alive = self.seat_state().state == State::Running && self.seat_state().life == key.1;
        if let Some(connections) = self.seat_state().connections().filter(|_| !alive)
            && connections.outgoing.get(&key).is_some_and(|end| end.queue.is_empty())
        {
            connections.outgoing.swap_remove(&key);
        }
    }

    /// Reports the first `count` queued messages, in order.
    fn fail(&mut self, key: (Address, u32), count: usize, why: Undelivered) {
        for _ in 0..count {
            let Some(message) = self.end(key).and_then(Outgoing::pop) else { break };
            self.worker.ledger.of(Class::Reliable).drop_for(DropCause::Undelivered);
            self.report(key.1, key.0, (message.header, message.body), why);
        }
    }

    /// Closes a connection on which nothing more can come back.
    fn close(&mut self, key: (Address, u32), why: Undelivered) {
        self.fail(key, usize::MAX, why);
        self.tell_writable(key);
        self.connections().outgoing.swap_remove(&key);
    }

    /// Handles a signal.
    pub(crate) fn handle_signal(&mut self, source: Seat, signal: Signal) {
        match signal {
            Signal::Handshake(handshake) => self.shake_hands(handshake),
            // It overtook the end of the handshake, and cannot be decrypted yet.
            Signal::Open { .. } if !self.has_met(source) => {}
            Signal::Open { from, number, life } => {
                let to = Address::simulated(self.seat);
                let answer = match (self.seat_state().state, self.seat_state().life) {
                    (State::Running, theirs) => Signal::Opened { to, number, life, theirs },
                    // A crashed peer is mute; one that never lived, in a process that does, is not.
                    (State::Absent, 1..) => return,
                    _ => Signal::Refused { to, number, life },
                };
                if self.worker.running_seats.seat_at(from) == Some(source) {
                    self.signal(source, answer);
                }
            }
            Signal::Opened { to, number, life, theirs } => {
                let Some(end) = self.end((to, life)) else { return };
                if end.number == number && end.phase == Phase::Opening {
                    if end.is_mistaken {
                        return self.close((to, life), Undelivered::Identity);
                    }
                    (end.phase, end.ticket, end.attempt) = (Phase::Open { theirs }, None, 0);
                    self.depart_queue((to, life), theirs);
                }
            }
            Signal::Refused { to, number, life } => {
                let Some(end) = self.end((to, life)) else { return };
                if end.number == number && end.phase == Phase::Opening {
                    let why = match end.is_mistaken {
                        true => Undelivered::Identity,
                        false => Undelivered::Reset,
                    };
                    self.close((to, life), why);
                }
            }
            Signal::Retry { to, life, ticket } => self.retry((to, life), ticket),
            Signal::Granted { to, number, life } => self.granted((to, life), number),
            Signal::PieceTaken { to, number, life, index } => {
                self.piece_taken((to, life), number, index);
            }
            Signal::PartReturned { to, number, life, index, why } => {
                self.returned((to, life), number, index, why);
            }
            Signal::LookForIdle => self.look_for_idle(),
            Signal::Returned { to, number, life, index, message, why } => {
                self.report(life, to, (message.header, message.body), why);
                self.returned((to, life), number, index, why);
            }
        }
    }

    fn retry(&mut self, key: (Address, u32), ticket: u64) {
        let now = self.now.time;
        let timeout = self.worker.connection_timeout;
        let Some(end) = self.end(key) else { return };
        if end.ticket != Some(ticket) {
            return;
        }
        end.ticket = None;
        if self.connections().resumed == Some(now) {
            // Events of the pause, such as a returned message, must be handled first.
            return self.retry_at(key, now + NANOSECOND);
        }
        let Some(end) = self.end(key) else { return };
        if end.take_pace() {
            if let Phase::Open { theirs } = end.phase {
                self.depart_queue(key, theirs);
            }
            return;
        }
        let is_mistaken = end.is_mistaken;
        if is_mistaken && self.refuses(key) {
            return;
        }
        let Some(end) = self.end(key) else { return };
        if now >= end.since + timeout {
            // Messages that departed before must be reported first, if they come back at all.
            return match self.settled(key).filter(|settled| *settled >= now) {
                Some(settled) => self.retry_at(key, settled + NANOSECOND),
                None => self.close(key, Undelivered::Timeout),
            };
        }
        end.attempt += 1;
        match end.phase {
            Phase::Opening => self.open(key),
            Phase::Open { theirs } => self.depart_queue(key, theirs),
            Phase::New | Phase::Failing { .. } => {}
        }
    }

    /// A message came back. When all departed ones are back, the queue is reported, and messages
    /// sent since open a new connection.
    fn returned(&mut self, key: (Address, u32), number: u64, index: u64, why: Undelivered) {
        let Some(end) = self.end(key).filter(|end| end.number == number) else { return };
        let doomed = match end.phase {
            Phase::Failing { doomed } => doomed,
            _ => end.queue.len(),
        };
        // A queued message never departs to an identity that its sender does not trust.
        let why = if end.is_mistaken { Undelivered::Identity } else { why };
        (end.phase, end.ticket) = (Phase::Failing { doomed }, None);
        end.take_pace();
        if index + 1 < end.departed {
            return;
        }
        self.fail(key, doomed, why);
        self.tell_writable(key);
        let connections = self.connections();
        connections.last_number += 1;
        let number = connections.last_number;
        let Some(end) = connections.outgoing.get_mut(&key) else { return };
        if end.queue.is_empty() {
            connections.outgoing.swap_remove(&key);
        } else {
            (end.number, end.phase, end.departed) = (number, Phase::New, 0);
            end.progress.restart();
            self.open(key);
        }
    }

    /// Returns a message to its sender, behind those returned before it: after a one-way delay, or,
    /// where the sender hears nothing, at its timeout.
    pub(crate) fn send_back(&mut self, source: Seat, message: AddressedMessage, why: Undelivered) {
        let Delivery::Connection { number, theirs, index, departed, part, .. } = message.delivery
        else {
            return;
        };
        let at = match why {
            Undelivered::Reset => self.now.time + self.return_delay(self.seat, source),
            // The identity at the other end is known before anything departs.
            Undelivered::Timeout | Undelivered::Identity | Undelivered::Admission => (departed
                + self.worker.connection_timeout)
                .max(self.now.time + self.worker.lookahead),
        };
        let incoming = self.incoming((source, number));
        let at = at.max(incoming.last_return);
        incoming.last_return = at;
        let AddressedMessage { header, body, size, payload, .. } = message;
        let to = Address::simulated(self.seat);
        if part != Part::Message {
            let returned = Signal::PartReturned { to, number, life: theirs, index, why };
            return self.post(source, at, Event::signal(returned));
        }
        let message = Queued { header, body, size, payload };
        let returned = Signal::Returned { to, number, life: theirs, index, message, why };
        self.post(source, at, Event::signal(returned));
    }
}
