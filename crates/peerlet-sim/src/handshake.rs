//! The handshake before the first message between two peers, simulated as QUIC makes it.
//!
//! Only in runs that ask for it: otherwise a datagram needs no connection. With handshakes, whoever
//! sends the first message to another peer says hello and keeps it until that is answered, a round
//! trip later. Then it finishes the handshake, and what it kept departs right behind. The other end
//! has met it when it hears of the finish; what overtakes that is lost. Where two dial each other
//! at once, each has met the other with the first of both handshakes that is done at its end.
//!
//! Sockets shake hands, not lives: who stopped, crashed or is paused does so, and who has met has
//! done so for all later lives.

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
/// How long the first hello waits for its answer: three times the round trip that is assumed where
/// none is known (RFC 9002, sections 6.2.1 and 6.2.2). Each further one waits twice as long.
const HELLO_WAIT: Duration = Duration::from_millis(999);
/// After how long without an answer to its hello a peer gives up, as the transport over QUIC does;
/// and the longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(4);
/// How many datagrams wait for one handshake, as in the transport over QUIC.
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

    /// Whether messages may depart to another peer, and what comes from it can be read.
    pub(crate) fn has_met(&mut self, other: Seat) -> bool {
        !self.worker.handshakes
            || other == self.seat
            || matches!(
                self.acquaintances().get(&other),
                Some(Acquaintance::Finishing | Acquaintance::Met)
            )
    }

    /// Keeps a datagram until the peer that it is for is met.
    pub(crate) fn keep(&mut self, to: Seat, header: Header, parcel: Parcel) {
        self.dial(to);
        match self.acquaintances().get_mut(&to) {
            Some(Acquaintance::Dialled(datagrams)) if datagrams.len() < DATAGRAMS_MAX => {
                datagrams.push((header, parcel));
            }
            _ => self.worker.ledger.of(Class::Datagram).drop_for(DropCause::Queue),
        }
    }

    /// Says hello to a peer, unless that was done.
    pub(crate) fn dial(&mut self, to: Seat) {
        if !self.acquaintances().contains_key(&to) {
            self.acquaintances().insert(to, Acquaintance::Dialled(Vec::new()));
            self.try_step(to, Step::Hello, 0);
        }
    }

    /// Tells the other end, and oneself when that has waited long enough. Later attempts are two
    /// packets each (RFC 9002, section 6.2.4).
    fn try_step(&mut self, to: Seat, step: Step, attempt: u32) {
        for _ in 0..=attempt.min(1) {
            self.shake(to, step);
        }
        let wait = match step {
            Step::Hello => said_for(attempt + 1).min(PATIENCE) - said_for(attempt),
            // The round trip is known by now: three of them, and each time twice as long.
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

    /// Handles a packet of a handshake, or that it is time for the next one.
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

    /// Whether the receiving side of the network lets a packet in now; it may come later.
    fn lets_in(&mut self, from: Seat, step: Step, draws: Seed) -> bool {
        if !self.worker.has_arrival {
            return true;
        }
        let (to, at) = (self.seat, self.now.time);
        match self.worker.arrive(&Packet { from, to, at, size: step.bytes(), draws }) {
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

    /// Lets what waited for a peer depart, now that it is met.
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

    /// Forgets a peer that does not answer; the next message for it dials anew.
    fn give_up_meeting(&mut self, other: Seat) {
        let known = self.acquaintances().swap_remove(&other);
        if let Some(Acquaintance::Dialled(datagrams)) = known {
            for _ in datagrams {
                self.worker.ledger.of(Class::Datagram).drop_for(DropCause::Undelivered);
            }
        }
        if self.connections().is_opening(Address::simulated(other)) {
            self.dial(other);
        }
    }
}

/// How long so many hellos wait for an answer together.
fn said_for(attempts: u32) -> Duration {
    HELLO_WAIT * ((1 << attempts) - 1)
}
