//! A hostile network: it delays, loses, duplicates and refuses messages until a given instant.

use peerlet_core::{Duration, Seat, Time};
use peerlet_network::{Arrival, Departure, Model, ModelState, Packet, PacketDrop};

/// A time in which seats on different sides do not reach each other.
#[derive(Clone, Debug)]
pub struct Wall {
    pub from: Time,
    pub to: Time,
    /// One bit a seat, again from the first after 32 of them: its side.
    pub sides: u32,
}

impl Wall {
    fn stops(&self, packet: &Packet) -> bool {
        let side = |seat: Seat| self.sides >> (seat.0 % 32) & 1;
        (self.from..self.to).contains(&packet.at) && side(packet.from) != side(packet.to)
    }
}

/// Delays uniform from `min` to `max`, both inclusive, and faults on both sides of the network.
#[derive(Clone, Debug)]
pub struct HostileNetwork {
    pub min: Duration,
    pub max: Duration,
    /// How likely a departing packet is lost.
    pub loss: f64,
    /// How likely it is duplicated.
    pub twice: f64,
    /// How likely an arriving packet is not let in.
    pub refusal: f64,
    /// How likely an arriving packet waits, and for how long at most.
    pub lag: (f64, Duration),
    /// Until when all of these happen.
    pub until: Time,
    /// Packets dropped at departure.
    pub walls: Vec<Wall>,
    /// Packets dropped at arrival.
    pub gates: Vec<Wall>,
}

impl HostileNetwork {
    /// A harmless network: one delay and no faults.
    pub fn constant(delay: Duration) -> HostileNetwork {
        HostileNetwork {
            min: delay,
            max: delay,
            loss: 0.0,
            twice: 0.0,
            refusal: 0.0,
            lag: (0.0, Duration::ZERO),
            until: Time::MAX,
            walls: Vec::new(),
            gates: Vec::new(),
        }
    }

    /// The same network, but from one instant to the other nothing departs from seat 0.
    pub fn wall(mut self, from: Duration, to: Duration) -> HostileNetwork {
        self.walls.push(Wall { from: Time::ZERO + from, to: Time::ZERO + to, sides: 1 });
        self
    }

    /// The same network, but from one instant to the other nothing gets in at seat 0, nor from it
    /// to others.
    pub fn gate(mut self, from: Duration, to: Duration) -> HostileNetwork {
        self.gates.push(Wall { from: Time::ZERO + from, to: Time::ZERO + to, sides: 1 });
        self
    }
}

impl Model for HostileNetwork {
    fn lookahead(&self) -> Duration {
        self.min
    }

    fn has_arrival(&self) -> bool {
        self.refusal > 0.0 || self.lag.0 > 0.0 || !self.gates.is_empty()
    }

    fn depart(&self, packet: &Packet, _: &mut ModelState) -> Departure {
        if self.walls.iter().any(|wall| wall.stops(packet)) {
            return Departure::Drop(PacketDrop::Partition);
        }
        let mut rng = packet.random.named("weather").rng();
        let width = (self.max - self.min).as_nanos() + 1;
        let after = self.min + Duration::from_nanos(rng.below(width));
        let is_bad = packet.at < self.until;
        if is_bad && rng.chance(self.loss) {
            return Departure::Drop(PacketDrop::Loss);
        }
        if is_bad && rng.chance(self.twice) {
            let second = self.min + Duration::from_nanos(rng.below(width));
            return Departure::Twice { first: after, second };
        }
        Departure::Arrive { after }
    }

    fn arrive(&self, packet: &Packet, _: &mut ModelState) -> Arrival {
        if self.gates.iter().any(|gate| gate.stops(packet)) {
            return Arrival::Drop(PacketDrop::Nat);
        }
        let mut rng = packet.random.named("arrival").rng();
        let is_bad = packet.at < self.until;
        if is_bad && rng.chance(self.refusal) {
            return Arrival::Drop(PacketDrop::Queue);
        }
        let (chance, longest) = self.lag;
        let after = match is_bad && rng.chance(chance) {
            true => Duration::from_nanos(rng.below(longest.as_nanos() + 1)),
            false => Duration::ZERO,
        };
        Arrival::Accept { after }
    }

    fn round_trip(&self, _: Seat, _: Seat) -> Duration {
        self.min + self.max
    }
}
