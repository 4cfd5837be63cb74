//! The real world as one peer sees it while it handles one event.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use peerlet_core::runtime::{
    Alarm, Body, Class, Clock, Entropy, Header, MetricIndex, Network, Parcel, Port, Record, Swept,
    Tampering, Tampers, World,
};
use peerlet_core::{
    Address, Contact, DATAGRAM_MAX, Identity, Map, Refusal, Seat, Seats, Seed, Time, TrustError,
};
use peerlet_measure::{DropCause, Ledger, Recorder};
use ring::rand::{SecureRandom, SystemRandom};

use crate::connection::{Connections, SendError};
use crate::frame::{Frame, Kind, Message, Tag};
use crate::seats::{SeatMap, SeatsNow};
use crate::shard::timers::Timers;
use crate::transport::Outbound;

/// The warning, given once, about a peerlet that broadcasts and did not declare that it does.
const NO_LOCAL_NETWORK: &str = "a broadcast reaches nobody: there is no local network here; let \
                                whoever broadcasts say so: `about.needs(Need::Broadcast)`";

/// The warning, given once, about a peerlet that trusts a contact and did not declare that it does.
const NO_IDENTITIES: &str = "a contact is not verified: UDP has no identities; run over QUIC, and \
                             let whoever trusts contacts say so: `about.needs(Need::Identity)`";

/// Something that a peer does to itself at once.
pub(crate) enum Soon {
    Message { header: Header, class: Class, body: Body },
    Alarm(Alarm),
}

/// Warnings that were given; each is given once.
#[derive(Default)]
pub(crate) struct Warned {
    /// A broadcast reaches nobody.
    broadcast: bool,
    /// A contact is not verified.
    trust: bool,
}

/// The state of a shard apart from its peers, on which their worlds act.
pub(crate) struct ShardState {
    /// The time of the event being handled.
    pub(crate) now: Time,
    pub(crate) socket: SocketAddr,
    pub(crate) identity: Identity,
    pub(crate) tag: Tag,
    pub(crate) seed: Seed,
    pub(crate) secrets: SystemRandom,
    pub(crate) seats: Arc<SeatMap>,
    pub(crate) timers: Timers,
    /// Whether a peer handles what waited for the end of its pause.
    pub(crate) is_catching_up: bool,
    /// Messages and alarms of peers to themselves that are due at once, by row and life.
    pub(crate) soon: VecDeque<(usize, u32, Soon)>,
    pub(crate) outbox: Vec<Outbound>,
    pub(crate) connections: Connections,
    /// The peerlets that met a full queue, by slot and destination.
    pub(crate) refused: Map<(u32, Address), Vec<Port>>,
    /// Whether the transport knows who is at the other end.
    pub(crate) has_identities: bool,
    pub(crate) warned: Warned,
    /// Peers that tamper with what they send, by slot.
    pub(crate) tampers: Map<u32, Tampers>,
    pub(crate) ledger: Ledger,
    pub(crate) recorder: Recorder,
}

impl ShardState {
    pub(crate) fn set_tampering(&mut self, slot: u32, tampering: Tampering) {
        let seed = self.seed.named("tamper").at(u64::from(slot));
        self.tampers.entry(slot).or_insert_with(|| Tampers::new(seed)).set(tampering);
    }
}

/// The world of one peer while it handles one event.
pub(crate) struct LiveWorld<'a> {
    pub(crate) state: &'a mut ShardState,
    pub(crate) seats: SeatsNow<'a>,
    pub(crate) seat: Seat,
    pub(crate) row: usize,
    pub(crate) life: u32,
    pub(crate) alive: bool,
}

impl LiveWorld<'_> {
    fn own(&self) -> Address {
        Address::new(self.state.socket, self.seat.0)
    }

    fn send_to_self(&mut self, class: Class, header: Header, parcel: &mut Parcel) {
        let body = parcel.take();
        let soon = Soon::Message { header, class, body };
        self.state.soon.push_back((self.row, self.life, soon));
    }

    /// Enters a message into the accounts; `None` when it is dropped at once.
    fn enter(&mut self, class: Class, size: usize, limit: usize) -> Option<()> {
        let flow = self.state.ledger.of(class);
        flow.sent += 1;
        flow.bytes += size as u64;
        let cause = if size > limit {
            DropCause::TooLarge
        } else if !self.alive {
            DropCause::Stopped
        } else {
            return Some(());
        };
        flow.drop_for(cause);
        None
    }
}

impl Clock for LiveWorld<'_> {
    fn now(&self) -> Time {
        self.state.now
    }

    fn set_alarm(&mut self, at: Time, alarm: Alarm) {
        if at <= self.state.now {
            self.state.soon.push_back((self.row, self.life, Soon::Alarm(alarm)));
        } else {
            self.state.timers.push(at, self.row, self.life, alarm);
        }
    }

    fn settled(&self) -> Time {
        // What a shard is late with, and what waited for the end of a pause, is still to come.
        if !self.state.soon.is_empty() || self.state.is_catching_up {
            return Time::ZERO;
        }
        self.state.timers.next().map_or(self.state.now, |next| next.min(self.state.now))
    }

    fn swept(&self) -> Swept {
        self.state.timers.swept()
    }
}

impl Network for LiveWorld<'_> {
    fn contact(&self) -> Contact {
        Contact { address: self.own(), identity: self.state.identity }
    }

    fn send(&mut self, to: Address, header: Header, mut parcel: Parcel) {
        let size = parcel.encoded_len();
        if self.enter(Class::Datagram, size, DATAGRAM_MAX).is_none() {
            return;
        }
        if to == self.own() {
            return self.send_to_self(Class::Datagram, header, &mut parcel);
        }
        let bodies = self.bodies(header.port, &parcel);
        let flow = &mut self.state.ledger.datagram;
        if bodies.is_empty() {
            flow.drop_for(DropCause::Filtered);
        }
        for again in bodies.iter().skip(1) {
            flow.sent += 1;
            flow.bytes += again.len() as u64;
        }
        let trusted = self.state.connections.trusted(self.seat.0, to);
        let Header { port, call } = header;
        for body in &bodies {
            let kind = Kind::Datagram(Message { port: port.0, call, body: &body[..] });
            let (from, life) = (self.seat.0, self.life);
            let frame = Frame { tag: self.state.tag, from, to: to.slot(), life, kind };
            let frame = Bytes::from(frame.to_vec());
            let to = to.socket();
            self.state.outbox.push(match trusted {
                None => Outbound::Datagram { to, frame },
                Some(identity) => Outbound::Trusted { to, identity, pair: None, frame },
            });
        }
    }

    fn broadcast(&mut self, header: Header, parcel: Parcel) {
        let mut bytes = Vec::new();
        parcel.encode(&mut bytes);
        let Some(local) = self.state.seats.local_network(self.seat) else {
            if !std::mem::replace(&mut self.state.warned.broadcast, true) {
                tracing::warn!("{NO_LOCAL_NETWORK}");
            }
            return;
        };
        let own = self.seat.0;
        for seat in local.filter(|seat| *seat != own) {
            let Some(socket) = self.state.seats.socket(Seat(seat)) else { continue };
            self.send(Address::new(socket, seat), header, Parcel::encoded(bytes.clone()));
        }
    }

    fn send_reliably(
        &mut self,
        to: Address,
        header: Header,
        parcel: &mut Parcel,
    ) -> Result<(), Refusal> {
        let (size, max) = (parcel.encoded_len(), self.state.connections.message_max());
        if size > max {
            return Err(Refusal::TooLarge { size, max });
        }
        if to == self.own() || !self.alive {
            if self.enter(Class::Reliable, size, max).is_some() {
                self.send_to_self(Class::Reliable, header, parcel);
            }
            return Ok(());
        }
        let mut bodies = self.bodies(header.port, parcel).into_iter();
        let Some(body) = bodies.next() else {
            // It is as if it had been sent.
            let flow = self.state.ledger.of(Class::Reliable);
            (flow.sent, flow.bytes) = (flow.sent + 1, flow.bytes + size as u64);
            flow.drop_for(DropCause::Filtered);
            return Ok(());
        };
        self.send_body(to, header, body)?;
        for again in bodies {
            // There is no room for what nobody asked for: it is not sent then.
            self.send_body(to, header, again).ok();
        }
        Ok(())
    }

    fn trust(&mut self, at: Address, identity: Option<Identity>) -> Result<(), TrustError> {
        if !self.state.has_identities {
            if !std::mem::replace(&mut self.state.warned.trust, true) {
                tracing::warn!("{NO_IDENTITIES}");
            }
            return Err(TrustError::NoIdentities);
        }
        self.state.connections.trust(self.seat.0, at, identity)
    }
}

impl LiveWorld<'_> {
    /// The encoded bodies that are sent for a message: its own, or those of a peer that tampers.
    fn bodies(&mut self, port: Port, parcel: &Parcel) -> Vec<Vec<u8>> {
        let tampers = match self.state.tampers.is_empty() {
            true => None,
            false => self.state.tampers.get_mut(&self.seat.0),
        };
        let instead = tampers.and_then(|tampers| tampers.tamper(port, parcel));
        instead.unwrap_or_else(|| {
            let mut body = Vec::with_capacity(parcel.encoded_len());
            parcel.encode(&mut body);
            vec![body]
        })
    }

    /// Queues a reliable message for another peer.
    fn send_body(&mut self, to: Address, header: Header, body: Vec<u8>) -> Result<(), Refusal> {
        let size = body.len();
        let message = Message { port: header.port.0, call: header.call, body: body.into() };
        let (slot, now) = (self.seat.0, self.state.now);
        let taken = self.state.connections.send(now, slot, to, message);
        if taken == Err(SendError::Full) {
            let ports = self.state.refused.entry((slot, to)).or_default();
            if !ports.contains(&header.port) {
                ports.push(header.port);
            }
            return Err(Refusal::QueueFull);
        }
        let flow = self.state.ledger.of(Class::Reliable);
        flow.sent += 1;
        flow.bytes += size as u64;
        match taken {
            Ok(()) => {}
            Err(SendError::TooLarge) => flow.drop_for(DropCause::TooLarge),
            Err(SendError::NotRunning) => flow.drop_for(DropCause::Stopped),
            Err(SendError::TooMany | SendError::Full) => flow.drop_for(DropCause::Queue),
        }
        Ok(())
    }
}

impl Entropy for LiveWorld<'_> {
    fn seed(&self, life: u32) -> Seed {
        self.state.seed.named("peer").at(u64::from(self.seat.0)).at(u64::from(life))
    }

    fn secret(&mut self, into: &mut [u8]) {
        self.state.secrets.fill(into).expect("the operating system has randomness");
    }
}

impl Record for LiveWorld<'_> {
    fn record(&mut self, metric: MetricIndex, quanta: i64) {
        let (metric, now) = (usize::from(metric.0), self.state.now);
        self.state.recorder.measure(metric, self.seat, quanta, now);
    }
}

impl World for LiveWorld<'_> {
    fn seat(&self) -> Seat {
        self.seat
    }

    fn seats(&self) -> &dyn Seats {
        &self.seats
    }
}
