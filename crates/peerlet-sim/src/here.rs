//! The simulated world as one peer sees it while it handles one event.

use peerlet_core::{
    Address, Alarm, Clock, Contact, Entropy, Full, Header, Identity, MetricIndex, Network, Parcel,
    Record, Seat, Seats, Seed, Time, World,
};

use crate::event::Event;
use crate::fabric::{Fabric, Moment};
use crate::place::Place;

/// One peer, one event: where it is and when.
pub(crate) struct Here<'a> {
    pub(crate) fabric: &'a mut Fabric,
    pub(crate) place: &'a mut Place,
    pub(crate) seat: Seat,
    pub(crate) now: Moment,
    /// The environment's number of what it does to the peer just now, if that is what happens.
    pub(crate) doing: Option<u64>,
}

impl Clock for Here<'_> {
    fn now(&self) -> Time {
        self.now.time
    }

    fn set_alarm(&mut self, at: Time, mut alarm: Alarm) {
        match &mut alarm {
            Alarm::Timer { port, handle, body } => {
                self.set_timer(at, *port, *handle, body);
            }
            Alarm::Wake { task, operation } => {
                let (task, operation) = (*task, *operation);
                let event = Event::Wake { task, operation };
                self.post(self.seat, at, event);
            }
        }
    }
}

impl Network for Here<'_> {
    fn contact(&self) -> Contact {
        // A simulated process holds one peer; its identity is drawn like everything else.
        let seed = self.fabric.seed.named("identity").at(u64::from(self.seat.0));
        let mut identity = [0; 32];
        for (word, bytes) in identity.chunks_mut(8).enumerate() {
            bytes.copy_from_slice(&seed.at(word as u64).bits().to_le_bytes());
        }
        Contact { address: Address::simulated(self.seat), identity: Identity(identity) }
    }

    fn address(&self) -> Address {
        Address::simulated(self.seat)
    }

    fn send(&mut self, to: Address, header: Header, parcel: &mut Parcel) {
        self.send_datagram(to, header, parcel);
    }

    fn send_reliably(
        &mut self,
        to: Address,
        header: Header,
        parcel: &mut Parcel,
    ) -> Result<(), Full> {
        self.queue_reliably(to, header, parcel)
    }
}

impl Entropy for Here<'_> {
    fn seed(&self, life: u32) -> Seed {
        self.fabric.seed.named("peer").at(u64::from(self.seat.0)).at(u64::from(life))
    }

    fn secret(&mut self, into: &mut [u8]) {
        let seed = self.seed(self.place.life).named("secret");
        for chunk in into.chunks_mut(8) {
            let rare = self.place.rare.get_or_insert_default();
            let bits = seed.at(rare.secrets).bits();
            rare.secrets += 1;
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
