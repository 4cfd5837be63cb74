//! The handshake before the first message between two peers, modeled on QUIC.
//!
//! Only runs that ask for it have handshakes: otherwise a datagram needs no connection. The sender
//! of the first message to another peer says hello and keeps the message until that is answered, a
//! round trip later. Then it finishes the handshake, and the kept messages depart right behind. The
//! other end has met it when the finish arrives; datagrams that overtake the finish are lost. Where
//! two peers dial each other at once, each has met the other with the first of both handshakes that
//! completes at its end.
//!
//! Handshakes are between sockets, not lives: a stopped, crashed or paused peer completes them too,
//! and they hold for all later lives.

use peerlet_core::runtime::{Class, Header, Parcel};
use peerlet_core::{Address, Duration, Map, Seat, Seed};
use peerlet_measure::DropCause;
use peerlet_network::{Arrival, Departure, Packet};

use crate::connection::ends::Acquaintance;
use crate::event::Event;
use crate::signal::{Handshake, Signal, Step};
use crate::sim_world::SimWorld;

/// The size of a packet of a handshake, as padded (RFC 9000, section 14.1).
const PADDED_BYTES: u32 = 1200;
/// The size of the packet that confirms one.
const CONFIRMING_BYTES: u32 = 64;
/// The wait for the answer to the first hello: three times the round trip that is assumed where
/// none is known (RFC 9002, sections 6.2.1 and 6.2.2). It doubles with each further hello.
const HELLO_WAIT: Duration = Duration::from_millis(999);
/// The time without an answer after which a peer gives up, as the QUIC transport does; also the
/// longest wait for any step.
const PATIENCE: Duration = Duration::from_secs(4);
/// How many datagrams wait for one handshake, as in the QUIC transport.
const DATAGRAMS_MAX: usize = 64;

impl Step {
    fn bytes(self) -> u32 {
        match self {
            Step::Hello | Step::Welcome | Step::Finished => PADDED_BYTES,
            Step::Confirmed => CONFIRMING_BYTES,
        }
    }
}

impl SimWorld<'_> {
    fn acquaintances(&mut self) -> &mut Map<Seat, Acquaintance> {
        &mut self.connections().acquaintances.0
    }

    /// Whether messages to another peer may depart, and those from it can be decrypted.
    pub(crate) fn has_met(&mut self, other: Seat) -> bool {
        !self.worker.handshakes
            || other == self.seat
            || matches!(
                self.acquaintances().get(&other),
                Some(Acquaintance::Finishing | Acquaintance::Met)
            )
    }

    /// Keeps a datagram until the handshake with its destination is done.
    pub(crate) fn keep(&mut self, to: Seat, header: Header, parcel: Parcel) {
        self.dial(to);
        match self.acquaintances().get_mut(&to) {
            Some(Acquaintance::Dialled(datagrams)) if datagrams.len() < DATAGRAMS_MAX => {
                datagrams.push((header, parcel));
            }
            _ => {
                self.tell_kept(to, (header, &parcel), DropCause::Queue);
                self.worker.ledger.of(Class::Datagram).drop_for(DropCause::Queue);
            }
        }
    }

    /// Begins a handshake with a peer, unless there was one.
    pub(crate) fn dial(&mut self, to: Seat) {
        if !self.acquaintances().contains_key(&to) {
            self.acquaintances().insert(to, Acquaintance::Dialled(Vec::new()));
            self.try_step(to, Step::Hello, 0);
        }
    }

    /// Sends a step to the other end, and schedules the next attempt. Later attempts are two
    /// packets each (RFC 9002, section 6.2.4).
    fn try_step(&mut self, to: Seat, step: Step, attempt: u32) {
        for _ in 0..=attempt.min(1) {
            self.shake(to, step);
        }
        let wait = match step {
            Step::Hello => said_for(attempt + 1).min(PATIENCE) - said_for(attempt),
            // The round trip is known by now: three of them, doubling.
            _ => (self.patience(self.seat, Some(to), 0) * 2 * (1 << attempt.min(20))).min(PATIENCE),
        };
        self.post_handshake(self.seat, wait, Handshake::Again { with: to, step, attempt });
    }

    fn post_handshake(&mut self, seat: Seat, after: Duration, handshake: Handshake) {
        self.post(seat, self.now.time + after, Event::signal(Signal::Handshake(handshake)));
    }

    /// Sends a packet of a handshake; it can be lost like any other.
    fn shake(&mut self, to: Seat, step: Step) {
        let (fate, draws) = self.depart(to, step.bytes());
        match fate {
            Departure::Arrive { after } | Departure::Twice { first: after, .. } => {
                let packet = Handshake::Packet { from: self.seat, step, draws, accepted: false };
                self.post_handshake(to, after, packet);
            }
            Departure::Damaged { .. } | Departure::Drop(_) => {}
        }
    }

    /// Handles a packet of a handshake, or the time for the next attempt.
    pub(crate) fn shake_hands(&mut self, handshake: Handshake) {
        match handshake {
            Handshake::Packet { from, step, draws, accepted } => {
                if accepted || self.lets_in(from, step, draws) {
                    self.take_step(from, step);
                }
            }
            Handshake::Again { with, step, attempt } => {
                match (step, self.acquaintances().get(&with)) {
                    (Step::Hello, Some(Acquaintance::Dialled(_)))
                        if said_for(attempt + 1) >= PATIENCE =>
                    {
                        self.give_up_meeting(with);
                    }
                    (Step::Hello, Some(Acquaintance::Dialled(_)))
                    | (Step::Finished, Some(Acquaintance::Finishing)) => {
                        self.try_step(with, step, attempt + 1);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Whether the receiving side of the network admits a packet now; it may be delayed.
    fn lets_in(&mut self, from: Seat, step: Step, draws: Seed) -> bool {
        if !self.worker.has_arrival {
            return true;
        }
        let (to, at) = (self.seat, self.now.time);
        match self.worker.arrive(&Packet { from, to, at, size: step.bytes(), random: draws }) {
            Arrival::Accept { after: Duration::ZERO } => true,
            Arrival::Accept { after } => {
                let packet = Handshake::Packet { from, step, draws, accepted: true };
                self.post_handshake(to, after, packet);
                false
            }
            Arrival::Drop(_) => false,
        }
    }

    fn take_step(&mut self, from: Seat, step: Step) {
        match step {
            Step::Hello => self.shake(from, Step::Welcome),
            Step::Welcome => {
                if let Some(Acquaintance::Dialled(_)) = self.acquaintances().get(&from) {
                    self.try_step(from, Step::Finished, 0);
                    self.meet(from, Acquaintance::Finishing);
                }
            }
            Step::Finished => {
                self.shake(from, Step::Confirmed);
                self.meet(from, Acquaintance::Met);
            }
            Step::Confirmed => {
                if let Some(Acquaintance::Finishing) = self.acquaintances().get(&from) {
                    self.acquaintances().insert(from, Acquaintance::Met);
                }
            }
        }
    }

    /// Sends what was kept for a peer, now that the handshake is done.
    fn meet(&mut self, other: Seat, acquaintance: Acquaintance) {
        let had_met = self.has_met(other);
        let known = self.acquaintances().insert(other, acquaintance);
        if let Some(Acquaintance::Dialled(datagrams)) = known {
            for (header, parcel) in datagrams {
                self.send_out(other, header, parcel);
            }
        }
        if !had_met {
            self.open_waiting(Address::simulated(other));
        }
    }

    /// Tells that a datagram did not get beyond the handshake.
    fn tell_kept(&mut self, to: Seat, (header, parcel): (Header, &Parcel), cause: DropCause) {
        let of = (header, Class::Datagram);
        self.tell_sent(Some(to), of, parcel, None);
        self.tell_dropped(Some(to), of, (parcel, cause), None);
    }

    /// Forgets a peer that does not answer; the next message for it dials anew.
    fn give_up_meeting(&mut self, other: Seat) {
        let known = self.acquaintances().swap_remove(&other);
        if let Some(Acquaintance::Dialled(datagrams)) = known {
            for (header, parcel) in datagrams {
                self.tell_kept(other, (header, &parcel), DropCause::Undelivered);
                self.worker.ledger.of(Class::Datagram).drop_for(DropCause::Undelivered);
            }
        }
        if self.connections().is_opening(Address::simulated(other)) {
            self.dial(other);
        }
    }
}

/// The sum of the waits of this many hellos.
fn said_for(attempts: u32) -> Duration {
    HELLO_WAIT * ((1 << attempts) - 1)
}
