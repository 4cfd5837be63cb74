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
use crate::seat_state::{SeatState, identity_of};
use crate::worker_state::{Moment, WorkerState};

/// The warning, given once, when a peerlet broadcasts without having declared the need.
const NO_LOCAL_NETWORKS: &str = "a broadcast reaches nobody: the network has no local ones; choose \
                                 the model `lan`, and let whoever broadcasts say so: \
                                 `about.needs(Need::Broadcast)`";

/// The warning, given once, when a peerlet trusts a contact without having declared the need.
const NO_IDENTITIES: &str = "a contact is not verified: the transport has no identities; choose \
                             QUIC, and let whoever trusts contacts say so: \
                             `about.needs(Need::Identity)`";

/// The world of one peer during one event; a batch reuses it for event after event.
pub(crate) struct SimWorld<'a> {
    pub(crate) worker: &'a mut WorkerState,
    pub(crate) row: usize,
    pub(crate) seat: Seat,
    pub(crate) now: Moment,
    /// The number of the directive that is being carried out, if that is the event.
    pub(crate) directive: Option<u64>,
    /// The seat's digest before the event that was booked last.
    pub(crate) before: SeatDigest,
}

impl<'a> SimWorld<'a> {
    #[inline(always)]
    pub(crate) fn new(
        worker: &'a mut WorkerState,
        seat: Seat,
        now: Moment,
        directive: Option<u64>,
    ) -> SimWorld<'a> {
        SimWorld { row: worker.row(seat), worker, seat, now, directive, before: SeatDigest(0) }
    }

    /// The engine state of this peer.
    #[inline(always)]
    pub(crate) fn seat_state(&mut self) -> &mut SeatState {
        &mut self.worker.seat_states[self.row]
    }

    /// Takes an event and books it. False if the event is not a common one, or must not be taken
    /// yet.
    #[inline(always)]
    fn take<const SHOWN: bool>(&mut self, event: &PackedEvent, row: u32, later: u32) -> bool {
        let worker = &mut *self.worker;
        prefetch(&worker.seat_states, later as usize);
        let (seat, time) = worker.batch.view().of_row(event, row);
        let row = row as usize;
        let Some(seat_state) = worker.seat_states.get_mut(row) else { return false };
        let (seq, port) = (u64::from(event.mark()), event.port());
        let (is_ready, booked) = match event.kind() {
            PackedEvent::DATAGRAM => {
                (seat_state.awake, Booked::datagram(event.word().wrapping_add(1), seq, port))
            }
            PackedEvent::TIMER => {
                (seq >= seat_state.born, Booked::timer(seat.0.wrapping_add(1), seq, port))
            }
            _ => return false,
        };
        // A near event of the peer may come before its next one: then the rest waits.
        if !is_ready || time >= worker.queue.common_until() {
            return false;
        }
        (self.row, self.seat, self.now.time, worker.at) = (row, seat, time, time);
        self.book::<SHOWN>(booked);
        true
    }

    /// Takes an event when there is work between events.
    #[inline(never)]
    fn take_slowly(&mut self, event: &PackedEvent, row: u32, later: u32) -> bool {
        self.worker.flush();
        self.take::<true>(event, row, later)
    }
}

impl Clock for SimWorld<'_> {
    fn now(&self) -> Time {
        self.now.time
    }

    fn settled(&self) -> Time {
        // Events that waited for the end of a pause share one instant, in later rounds.
        if self.now.round == 0 { self.now.time } else { Time::ZERO }
    }

    fn swept(&self) -> Swept {
        self.worker.swept
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

impl Network for SimWorld<'_> {
    fn contact(&self) -> Contact {
        let identity = identity_of(self.worker.seed, self.seat);
        Contact { address: Address::simulated(self.seat), identity }
    }

    fn address(&self) -> Address {
        Address::simulated(self.seat)
    }

    fn send(&mut self, to: Address, header: Header, parcel: Parcel) {
        self.send_datagram(to, header, parcel);
    }

    fn broadcast(&mut self, header: Header, parcel: Parcel) {
        if !self.worker.model.has_local_networks() {
            if !self.worker.warned.broadcast.swap(true, Relaxed) {
                tracing::warn!(seat = self.seat.0, "{NO_LOCAL_NETWORKS}");
            }
            return;
        }
        let mut bytes = Vec::new();
        parcel.encode(&mut bytes);
        for seat in self.worker.model.local_network(self.seat) {
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
        if trusted == Err(TrustError::NoIdentities) && !self.worker.warned.trust.swap(true, Relaxed)
        {
            tracing::warn!(seat = self.seat.0, "{NO_IDENTITIES}");
        }
        trusted
    }
}

impl Entropy for SimWorld<'_> {
    fn seed(&self, life: u32) -> Seed {
        self.worker.seed.named("peer").at(u64::from(self.seat.0)).at(u64::from(life))
    }

    fn secret(&mut self, into: &mut [u8]) {
        let life = self.seat_state().life;
        let seed = self.seed(life).named("secret");
        for chunk in into.chunks_mut(8) {
            let seat_state = self.seat_state();
            let bits = seed.at(seat_state.secrets.into()).bits();
            seat_state.secrets = seat_state.secrets.wrapping_add(1);
            chunk.copy_from_slice(&bits.to_le_bytes()[..chunk.len()]);
        }
    }
}

impl Record for SimWorld<'_> {
    fn record(&mut self, metric: MetricIndex, quanta: i64) {
        let (metric, now) = (usize::from(metric.0), self.now.time);
        self.worker.recorder.measure(metric, self.seat, quanta, now);
    }
}

impl World for SimWorld<'_> {
    fn seat(&self) -> Seat {
        self.seat
    }

    fn seats(&self) -> &dyn Seats {
        self
    }

    fn take_event(&mut self, event: &PackedEvent, row: u32, later: u32) -> bool {
        if self.worker.is_attended {
            return self.take_slowly(event, row, later);
        }
        self.take::<false>(event, row, later)
    }

    fn pass_event(&mut self, event: &PackedEvent) {
        #[cfg(feature = "injected-bugs")]
        if self.worker.keeps(event) {
            return;
        }
        self.strike_out((event.kind() == PackedEvent::DATAGRAM).then_some(Class::Datagram));
    }
}

impl Seats for SimWorld<'_> {
    fn count(&self) -> u32 {
        self.worker.running_seats.seats()
    }

    fn address(&self, seat: Seat) -> Option<Address> {
        (seat.0 < self.worker.running_seats.seats()).then(|| Address::simulated(seat))
    }

    fn running(&self, seat: Seat) -> bool {
        let decided = self.worker.directives.running(seat, self.now.time, self.directive);
        decided.unwrap_or_else(|| self.worker.running_seats.is_running(seat))
    }
}
