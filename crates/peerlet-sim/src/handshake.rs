//! The handshake before the first message between two peers, simulated as QUIC makes it.
//!
//! Only in runs that ask for it: otherwise a datagram needs no connection. With handshakes, whoever
//! sends the first message to another peer waits for a round trip; then what waited departs. The
//! other end has met the sender when the first of that comes. Two that dial each other at once meet
//! when the first of both is done. Sockets answer, not lives: who stopped, crashed or is paused
//! still shakes hands, and who has met has done so for all later lives.

use peerlet_core::{Address, Class, Duration, Header, Map, Parcel, Seat};
use peerlet_measure::DropCause;

use crate::event::Event;
use crate::here::Here;
use crate::link::Signal;

/// The size of a handshake's first packet, and of its answer (RFC 9000, section 14.1).
pub(crate) const HANDSHAKE_BYTES: u32 = 1200;
/// How long the first attempt waits for its answer; each further one waits twice as long. Three
/// times the round trip that is assumed where none is known (RFC 9002, sections 6.2.1 and 6.2.2).
const FIRST_WAIT: Duration = Duration::from_millis(999);
/// After how long without an answer what waits is given up, as by the transport over QUIC.
const PATIENCE: Duration = Duration::from_secs(4);
/// How many datagrams wait for one handshake, as in the transport over QUIC.
const DATAGRAMS_MAX: usize = 64;

/// What the two ends of a handshake tell each other and themselves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Handshake {
    /// To the other end: answer.
    Hello,
    /// To whoever said hello: go on.
    Welcome,
    /// To oneself: that attempt has waited long enough.
    Again { with: Seat, attempt: u32 },
}

/// What one seat knows of others' sockets.
#[derive(Default)]
pub(crate) struct Acquaintances(Map<Seat, Acquaintance>);

enum Acquaintance {
    /// Said hello, and keeps what is to depart after the answer.
    Dialled(Vec<(Header, Vec<u8>)>),
    Met,
}

impl Acquaintances {
    /// How many datagrams wait.
    pub(crate) fn waiting(&self) -> u64 {
        let count = |known: &Acquaintance| match known {
            Acquaintance::Dialled(datagrams) => datagrams.len() as u64,
            Acquaintance::Met => 0,
        };
        self.0.values().map(count).sum()
    }
}

impl Here<'_> {
    fn acquaintances(&mut self) -> &mut Acquaintances {
        &mut self.links().acquaintances
    }

    /// Whether messages may depart to another peer now.
    pub(crate) fn has_met(&mut self, other: Seat) -> bool {
        !self.fabric.handshakes
            || matches!(self.acquaintances().0.get(&other), Some(Acquaintance::Met))
    }

    /// Keeps a datagram until the peer that it is for is met.
    pub(crate) fn keep(&mut self, to: Seat, header: Header, parcel: &Parcel) {
        self.dial(to);
        let Some(Acquaintance::Dialled(datagrams)) = self.acquaintances().0.get_mut(&to) else {
            return;
        };
        if datagrams.len() < DATAGRAMS_MAX {
            let mut bytes = Vec::new();
            parcel.encode(&mut bytes);
            datagrams.push((header, bytes));
        } else {
            self.fabric.ledger.of(Class::Datagram).drop_for(DropCause::Queue);
        }
    }

    /// Says hello to a peer that is not met, unless that was done.
    pub(crate) fn dial(&mut self, to: Seat) {
        if !self.acquaintances().0.contains_key(&to) {
            self.acquaintances().0.insert(to, Acquaintance::Dialled(Vec::new()));
            self.say_hello(to, 0);
        }
    }

    fn say_hello(&mut self, to: Seat, attempt: u32) {
        self.shake(to, Handshake::Hello);
        let wait = waits(attempt + 1).min(PATIENCE) - waits(attempt);
        let again = Handshake::Again { with: to, attempt };
        self.post(self.seat, self.now.time + wait, Event::signal(Signal::Handshake(again)));
    }

    /// Sends a packet of a handshake; it can be lost like any other.
    fn shake(&mut self, to: Seat, handshake: Handshake) {
        self.signal(to, Signal::Handshake(handshake));
    }

    /// Handles a packet of a handshake.
    pub(crate) fn shake_hands(&mut self, source: Seat, handshake: Handshake) {
        match handshake {
            Handshake::Hello => self.shake(source, Handshake::Welcome),
            Handshake::Welcome => self.meet(source),
            Handshake::Again { with, attempt } => {
                if self.has_met(with) {
                    return;
                }
                if waits(attempt + 1) < PATIENCE {
                    self.say_hello(with, attempt + 1);
                } else {
                    self.give_up_meeting(with);
                }
            }
        }
    }

    /// Lets what waited for a peer depart, now that it is met.
    pub(crate) fn meet(&mut self, other: Seat) {
        if self.has_met(other) {
            return;
        }
        let known = self.acquaintances().0.insert(other, Acquaintance::Met);
        if let Some(Acquaintance::Dialled(datagrams)) = known {
            for (header, bytes) in datagrams {
                self.send_out(other, header, &mut Parcel::encoded(bytes));
            }
        }
        self.open_waiting(Address::simulated(other));
    }

    fn give_up_meeting(&mut self, other: Seat) {
        let Some(Acquaintance::Dialled(datagrams)) = self.acquaintances().0.swap_remove(&other)
        else {
            return;
        };
        for _ in datagrams {
            self.fabric.ledger.of(Class::Datagram).drop_for(DropCause::Undelivered);
        }
    }
}

/// How long so many attempts wait together.
fn waits(attempts: u32) -> Duration {
    FIRST_WAIT * ((1 << attempts) - 1)
}
