//! The simulated world as one peer sees it while it handles one event.

use std::sync::atomic::Ordering::Relaxed;

use peerlet_core::runtime::{
    Alarm, Body, Class, Clock, Entropy, Header, MetricIndex, Network, PackedEvent, Parcel, Port,
    Record, Swept, World,
};
use peerlet_core::{Address, Contact, Identity, Refusal, Seat, Seats, Seed, Time, TrustError};
use peerlet_memory::prefetch;

use crate::books::Booked;
use crate::digest::SeatDigest;
use crate::event::Event;
use crate::fabric::{Fabric, Moment};
use crate::link::identity_of;
use crate::place::Place;

/// What is said once when a peerlet broadcasts that did not say that it needs to.
const NO_LOCAL_NETWORKS: &str = "a broadcast reaches nobody: the network has no local ones; choose \
                                 the model `lan`, and let whoever broadcasts say so: \
                                 `about.needs(Need::Broadcast)`";

/// What is said once when a peerlet trusts a contact that did not say that it needs to.
const NO_IDENTITIES: &str = "a contact is not verified: the transport has no identities; choose \
                             QUIC, and let whoever trusts contacts say so: \
                             `about.needs(Need::Identity)`";

/// One peer, one event: where it is and when. It goes from turn to turn of a batch.
pub(crate) struct Here<'a> {
    pub(crate) fabric: &'a mut Fabric,
    pub(crate) row: usize,
    pub(crate) seat: Seat,
    pub(crate) now: Moment,
    /// The environment's number of what it does to the peer just now, if that is what happens.
    pub(crate) doing: Option<u64>,
    /// The seat's digest before the event that was booked last.
    pub(crate) before: SeatDigest,
}

impl<'a> Here<'a> {
    #[inline(always)]
    pub(crate) fn new(
        fabric: &'a mut Fabric,
        seat: Seat,
        now: Moment,
        doing: Option<u64>,
    ) -> Here<'a> {
        Here { row: fabric.row(seat), fabric, seat, now, doing, before: SeatDigest(0) }
    }

    /// What the engine keeps of this peer.
    #[inline(always)]
    pub(crate) fn place(&mut self) -> &mut Place {
        &mut self.fabric.places[self.row]
    }

    /// Takes a turn and puts it into the books. False when the turn is not of the common sort, or
    /// not to be taken yet.
    #[inline(always)]
    fn take<const SHOWN: bool>(&mut self, turn: &PackedEvent, row: u32, later: u32) -> bool {
        let fabric = &mut *self.fabric;
        prefetch(&fabric.places, later as usize);
        let (seat, time) = fabric.batch.view().of_row(turn, row);
        let row = row as usize;
        let Some(place) = fabric.places.get_mut(row) else { return false };
        let (seq, port) = (u64::from(turn.mark()), turn.port());
        let (is_ready, booked) = match turn.kind() {
            PackedEvent::DATAGRAM => {
                (place.awake, Booked::datagram(turn.word().wrapping_add(1), seq, port))
            }
            PackedEvent::TIMER => {
                (seq >= place.born, Booked::timer(seat.0.wrapping_add(1), seq, port))
            }
            _ => return false,
        };
        // What a peer made for itself may come before its next event: then the rest waits.
        if !is_ready || time >= fabric.ring.common_until() {
            return false;
        }
        (self.row, self.seat, self.now.time, fabric.at) = (row, seat, time, time);
        self.book::<SHOWN>(booked);
        true
    }

    /// Takes a turn when something is to be done between turns.
    #[inline(never)]
    fn take_slowly(&mut self, turn: &PackedEvent, row: u32, later: u32) -> bool {
        self.fabric.flush();
        self.take::<true>(turn, row, later)
    }
}

impl Clock for Here<'_> {
    fn now(&self) -> Time {
        self.now.time
    }

    fn settled(&self) -> Time {
        // What waited for the end of a pause falls on one instant, in later rounds.
        if self.now.round == 0 { self.now.time } else { Time::ZERO }
    }

    fn swept(&self) -> Swept {
        self.fabric.swept
    }

    fn set_alarm(&mut self, at: Time, alarm: Alarm) {
        match alarm {
            Alarm::Timer { port, handle, body } => self.set_timer(at, port, handle, body),
            Alarm::Wake { task, operation } => {
                self.post(self.seat, at, Event::Wake { task, operation });
            }
        }
    }

    fn set_timer(&mut self, at: Time, port: Port, handle: u32, body: Body) {
        self.post_timer(at, port, handle, body);
    }
}

impl Network for Here<'_> {
    fn contact(&self) -> Contact {
        let identity = identity_of(self.fabric.seed, self.seat);
        Contact { address: Address::simulated(self.seat), identity }
    }

    fn address(&self) -> Address {
        Address::simulated(self.seat)
    }

    fn send(&mut self, to: Address, header: Header, parcel: Parcel) {
        self.send_datagram(to, header, parcel);
    }

    fn broadcast(&mut self, header: Header, parcel: Parcel) {
        if !self.fabric.model.has_local_networks() {
            if !self.fabric.warned.broadcast.swap(true, Relaxed) {
                tracing::warn!(seat = self.seat.0, "{NO_LOCAL_NETWORKS}");
            }
            return;
        }
        let mut bytes = Vec::new();
        parcel.encode(&mut bytes);
        for seat in self.fabric.model.local_network(self.seat) {
            if seat != self.seat.0 {
                let copy = Parcel::encoded(bytes.clone());
                self.send_datagram(Address::simulated(Seat(seat)), header, copy);
            }
        }
    }

    fn send_reliably(
        &mut self,
        to: Address,
        header: Header,
        parcel: &mut Parcel,
    ) -> Result<(), Refusal> {
        self.queue_reliably(to, header, parcel)
    }

    fn trust(&mut self, at: Address, identity: Option<Identity>) -> Result<(), TrustError> {
        let trusted = self.trust_at(at, identity);
        if trusted == Err(TrustError::NoIdentities) && !self.fabric.warned.trust.swap(true, Relaxed)
        {
            tracing::warn!(seat = self.seat.0, "{NO_IDENTITIES}");
        }
        trusted
    }
}

impl Entropy for Here<'_> {
    fn seed(&self, life: u32) -> Seed {
        self.fabric.seed.named("peer").at(u64::from(self.seat.0)).at(u64::from(life))
    }

    fn secret(&mut self, into: &mut [u8]) {
        let life = self.place().life;
        let seed = self.seed(life).named("secret");
        for chunk in into.chunks_mut(8) {
            let place = self.place();
            let bits = seed.at(place.secrets.into()).bits();
            place.secrets = place.secrets.wrapping_add(1);
            chunk.copy_from_slice(&bits.to_le_bytes()[..chunk.len()]);
        }
    }
}

impl Record for Here<'_> {
    fn record(&mut self, metric: MetricIndex, quanta: i64) {
        self.fabric.recorder.measure(usize::from(metric.0), self.seat, quanta);
    }
}

impl World for Here<'_> {
    fn seat(&self) -> Seat {
        self.seat
    }

    fn seats(&self) -> &dyn Seats {
        self
    }

    fn take_event(&mut self, turn: &PackedEvent, row: u32, later: u32) -> bool {
        if self.fabric.is_attended {
            return self.take_slowly(turn, row, later);
        }
        self.take::<false>(turn, row, later)
    }

    fn pass_event(&mut self, turn: &PackedEvent) {
        #[cfg(feature = "planted")]
        if self.fabric.keeps(turn) {
            return;
        }
        self.strike_out((turn.kind() == PackedEvent::DATAGRAM).then_some(Class::Datagram));
    }
}

impl Seats for Here<'_> {
    fn count(&self) -> u32 {
        self.fabric.chart.seats()
    }

    fn address(&self, seat: Seat) -> Option<Address> {
        (seat.0 < self.fabric.chart.seats()).then(|| Address::simulated(seat))
    }

    fn running(&self, seat: Seat) -> bool {
        let decided = self.fabric.doings.running(seat, self.now.time, self.doing);
        decided.unwrap_or_else(|| self.fabric.chart.is_running(seat))
    }
}
