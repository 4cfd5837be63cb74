//! Messages that are longer than a piece: how they are cut, when they may start, and at which pace
//! their pieces depart.
//!
//! The sender asks before the first piece, and starts when the receiver has room for the whole
//! message. Question and pieces are packets like any other: they are lost and tried again, let in
//! in order, and sent back where they find another life. Each piece departs when the one before it
//! has left the sender's link, so far as its arrival tells, and with few of them not yet taken. The
//! message itself goes with its last piece.

use peerlet_core::runtime::{Body, FRAME_MAX, Header, MESSAGE_MAX_LIMIT};
use peerlet_core::{Address, Duration, Seat, Time, Undelivered};

use super::CONTROL_BYTES;
use super::ends::{Assembly, Credit, Outgoing, Phase, Started};
use crate::event::{AddressedMessage, Delivery, Event, Key, Part};
use crate::signal::{Queued, Signal};
use crate::sim_world::SimWorld;

/// Pieces under way that were not taken yet, while they are taken fast: a mebibyte, as much as a
/// stream may hold live.
const WINDOW: u64 = 4;
/// The same at the start of a message: others leave while the first is on its way through the links
/// of both sides.
const WINDOW_AT_START: u64 = 3;
/// The part of a connection's time in which a piece must be taken for more than one to be under
/// way: each has to be in before its own time is over.
const FAST: u64 = 8;
/// Bytes of large messages that one peer, a process of its own, puts together at a time.
const BUDGET: usize = MESSAGE_MAX_LIMIT;

/// What a queue has next.
pub(super) enum Next {
    Nothing,
    NotBefore(Time),
    Packet(u32, Part),
}

impl Outgoing {
    /// Whether the message at the front is longer than a piece.
    pub(super) fn is_large(&self) -> bool {
        self.queue.front().is_some_and(|message| message.size as usize > FRAME_MAX)
    }

    /// What may depart next.
    pub(super) fn next(&self, now: Time) -> Next {
        let Some(size) = self.queue.front().map(|message| message.size) else {
            return Next::Nothing;
        };
        if now < self.progress.pace {
            return Next::NotBefore(self.progress.pace);
        }
        if size as usize <= FRAME_MAX {
            return Next::Packet(size, Part::Message);
        }
        match self.progress.credit {
            Credit::None => Next::Packet(CONTROL_BYTES, Part::Ask(size)),
            Credit::Asked => Next::Nothing,
            Credit::Granted if self.departed >= self.progress.taken + self.progress.window => {
                Next::Nothing
            }
            Credit::Granted => match size as usize - self.progress.bytes() {
                rest @ 0..=FRAME_MAX => Next::Packet(rest as u32, Part::Message),
                _ => Next::Packet(FRAME_MAX as u32, Part::Piece),
            },
        }
    }

    /// Takes out what departs now as this part and arrives `at` its time: the message goes with its
    /// last piece.
    pub(super) fn take(
        &mut self,
        part: Part,
        at: Time,
        round_trip: Duration,
    ) -> Option<(Header, Body, u64)> {
        let (header, is_large) = (self.queue.front()?.header, self.is_large());
        // The way of an empty packet is left out: the rest is the time on the sender's link.
        let free = Time::ZERO + at.since(Time::ZERO + round_trip / 2);
        match part {
            Part::Message => {
                let Queued { header, body, payload, .. } = self.pop()?;
                if is_large {
                    self.progress.pace = free;
                }
                return Some((header, body, payload));
            }
            Part::Piece => {
                self.progress.parts += 1;
                self.bytes -= FRAME_MAX;
                self.progress.pace = free;
            }
            Part::Ask(_) => self.progress.credit = Credit::Asked,
        }
        Some((header, Body::empty(), 0))
    }

    /// Whether the retry that is due is no retry, but the time of the next piece; asked once.
    pub(super) fn take_pace(&mut self) -> bool {
        std::mem::take(&mut self.progress.paces)
    }
}

impl SimWorld<'_> {
    /// Waits with what is next until the link is free.
    pub(super) fn wait_for_link(&mut self, key: (Address, u32), until: Time) {
        if let Some(end) = self.end(key) {
            end.progress.paces = true;
        }
        self.retry_at(key, until);
    }

    /// The receiver lets the sender's large message start.
    pub(super) fn granted(&mut self, key: (Address, u32), number: u64) {
        let now = self.now.time;
        let Some(end) = self.end(key).filter(|end| end.number == number) else { return };
        if end.progress.credit == Credit::Asked {
            let (taken, progress) = (end.departed, &mut end.progress);
            (progress.credit, progress.window) = (Credit::Granted, WINDOW_AT_START);
            (progress.taken, progress.heard) = (taken, now);
            self.go_on_with(key);
        }
    }

    /// The receiver has taken this piece and all before it.
    pub(super) fn piece_taken(&mut self, key: (Address, u32), number: u64, index: u64) {
        let (now, timeout) = (self.now.time, self.worker.connection_timeout);
        let Some(end) = self.end(key).filter(|end| end.number == number) else { return };
        let progress = &mut end.progress;
        let is_fast = now.since(progress.heard) * FAST <= timeout;
        progress.window = if is_fast { WINDOW } else { 1 };
        (progress.taken, progress.heard) = (progress.taken.max(index + 1), now);
        self.go_on_with(key);
    }

    fn go_on_with(&mut self, key: (Address, u32)) {
        if let Some(Phase::Open { theirs }) = self.end(key).map(|end| end.phase) {
            self.depart_queue(key, theirs);
        }
    }

    /// Takes in a packet that is not yet a message.
    pub(crate) fn take_part(&mut self, key: Key, source: Seat, message: AddressedMessage) {
        let Delivery::Connection { number, theirs, index, part, .. } = message.delivery else {
            return;
        };
        match part {
            Part::Message => {}
            Part::Ask(_) => {
                self.connections().assembly.waiting.push_back((key, source, message));
                self.start_waiting();
            }
            Part::Piece => {
                let now = self.now.time;
                let started = self.connections().assembly.started.get_mut(&(source, number));
                if let Some(started) = started {
                    started.heard = now;
                }
                let to = Address::simulated(self.seat);
                let taken = Signal::PieceTaken { to, number, life: theirs, index };
                let at = now + self.return_delay(self.seat, source);
                self.post(source, at, Event::signal(taken));
            }
        }
    }

    /// A message has come: when it was a large one, others may start.
    pub(crate) fn message_came(&mut self, source: Seat, delivery: Delivery) {
        let Delivery::Connection { number, .. } = delivery else { return };
        let Some(connections) = self.seat_state().connections() else { return };
        if connections.assembly.started.contains_key(&(source, number)) {
            connections.assembly.remove((source, number));
            self.start_waiting();
        }
    }

    /// Lets those start that wait, as far as there is room.
    fn start_waiting(&mut self) {
        let now = self.now.time;
        loop {
            let assembly = &mut self.connections().assembly;
            let Some((_, source, message)) = assembly.waiting.front() else { return };
            let (source, delivery) = (*source, message.delivery);
            let Delivery::Connection { number, theirs, part: Part::Ask(total), .. } = delivery
            else {
                return;
            };
            let total = total as usize;
            if assembly.held + total > BUDGET {
                break;
            }
            assembly.waiting.pop_front();
            assembly.remove((source, number));
            assembly.held += total;
            assembly.started.insert((source, number), Started { total, heard: now });
            let granted =
                Signal::Granted { to: Address::simulated(self.seat), number, life: theirs };
            let at = now + self.return_delay(self.seat, source);
            self.post(source, at, Event::signal(granted));
        }
        if !std::mem::replace(&mut self.connections().assembly.watched, true) {
            let at = now + self.stands_still_after();
            self.post(self.seat, at, Event::signal(Signal::LookForIdle));
        }
    }

    /// How long a large message may stand still: its sender has given up long before.
    fn stands_still_after(&self) -> Duration {
        self.worker.connection_timeout * 2
    }

    /// Gives back the room of messages that stand still, since others wait for it.
    pub(super) fn look_for_idle(&mut self) {
        let (now, patience) = (self.now.time, self.stands_still_after());
        let assembly = &mut self.connections().assembly;
        assembly.watched = false;
        let idle = assembly.started.iter().filter(|(_, started)| started.heard + patience <= now);
        let idle: Vec<_> = idle.map(|(connection, _)| *connection).collect();
        idle.into_iter().for_each(|connection| assembly.remove(connection));
        self.start_waiting();
    }

    /// The peer's life is over: nothing more comes for it. Of those that wait, its stop tells them;
    /// by a crash they find nobody.
    pub(super) fn end_assembly(&mut self, crashed: bool) {
        let assembly = &mut self.connections().assembly;
        let watched = assembly.watched;
        let over = std::mem::replace(assembly, Assembly { watched, ..Assembly::default() });
        let now = self.now;
        for (key, source, message) in over.waiting {
            if crashed {
                let key = Key { time: now.time, round: now.round + 1, ..key };
                self.worker.push(key, Event::message(message));
            } else {
                self.send_back(source, message, Undelivered::Reset);
            }
        }
    }
}
