//! Messages longer than a piece: their segmentation, flow control and pacing.
//!
//! The sender asks before the first piece, and starts when the receiver has room for the whole
//! message. Requests and pieces are packets like any other: they are lost and retried, admitted in
//! order, and returned where they find another life. Each piece departs when the one before it has
//! left the sender's access link, as far as its arrival tells, and with few unacknowledged pieces.
//! The message itself goes with its last piece.

use peerlet_core::runtime::{Body, FRAME_MAX, Header, MESSAGE_MAX_LIMIT};
use peerlet_core::{Address, Duration, Seat, Time, Undelivered};

use super::ends::{Assembly, Credit, Outgoing, Phase, Started};
use crate::event::{AddressedMessage, Delivery, Event, Key, Part};
use crate::signal::{CONTROL_BYTES, Queued, Signal};
use crate::sim_world::SimWorld;

/// The window of unacknowledged pieces, while they are acknowledged fast: a mebibyte, as much as a
/// live stream may hold.
const WINDOW: u64 = 4;
/// The window at the start of a message: others depart while the first passes the access links of
/// both sides.
const WINDOW_AT_START: u64 = 3;
/// The fraction of the timeout within which a piece must be acknowledged for a window of more than
/// one: each must arrive before its own timeout.
const FAST: u64 = 8;
/// The bytes of large messages that one peer, a process of its own, assembles at a time.
const BUDGET: usize = MESSAGE_MAX_LIMIT;

/// The next step of a queue.
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

    /// The next packet that may depart.
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

    /// Takes out the content of a part that departs now and arrives at `at`: the message goes with
    /// its last piece.
    pub(super) fn take(
        &mut self,
        part: Part,
        at: Time,
        round_trip: Duration,
    ) -> Option<(Header, Body, u64)> {
        let (header, is_large) = (self.queue.front()?.header, self.is_large());
        // Without the delay of an empty packet, the rest is the time on the sender's access link.
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

    /// Whether the due retry is the time of the next piece rather than a retry; resets that.
    pub(super) fn take_pace(&mut self) -> bool {
        std::mem::take(&mut self.progress.paces)
    }
}

impl SimWorld<'_> {
    /// Delays the next packet until the access link is free.
    pub(super) fn wait_for_link(&mut self, key: (Address, u32), until: Time) {
        if let Some(end) = self.end(key) {
            end.progress.paces = true;
        }
        self.retry_at(key, until);
    }

    /// The receiver grants the start of a large message.
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

    /// The receiver acknowledges this piece and all before it.
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

    /// Handles a packet that is not yet a message.
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

    /// A message arrived: if it was a large one, others may start.
    pub(crate) fn message_came(&mut self, source: Seat, delivery: Delivery) {
        let Delivery::Connection { number, .. } = delivery else { return };
        let Some(connections) = self.seat_state().connections() else { return };
        if connections.assembly.started.contains_key(&(source, number)) {
            connections.assembly.remove((source, number));
            self.start_waiting();
        }
    }

    /// Grants pending requests to start, as far as there is room.
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

    /// How long a large message may make no progress: its sender has given up long before.
    fn stands_still_after(&self) -> Duration {
        self.worker.connection_timeout * 2
    }

    /// Frees the room of messages without progress, since others wait for it.
    pub(super) fn look_for_idle(&mut self) {
        let (now, patience) = (self.now.time, self.stands_still_after());
        let assembly = &mut self.connections().assembly;
        assembly.watched = false;
        let idle = assembly.started.iter().filter(|(_, started)| started.heard + patience <= now);
        let idle: Vec<_> = idle.map(|(connection, _)| *connection).collect();
        idle.into_iter().for_each(|connection| assembly.remove(connection));
        self.start_waiting();
    }

    /// The peer's life is over. A stop rejects the pending requests; after a crash they find
    /// nobody.
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
