//! The responsible seat for a key: all seats in ring order, which no peer can know.

use std::sync::{Arc, RwLock};

use peerlet_core::{Duration, SECOND, Seat, Seats, Time};

use crate::ring::RingId;

/// How often seats are asked again where addresses were not known: live, they come in one by one.
const REBUILD_PERIOD: Duration = SECOND;

/// Finds the running seat nearest to a key. Clones share one order of seats.
#[derive(Clone, Default, Debug)]
pub(super) struct Oracle {
    order: Arc<RwLock<RingOrder>>,
}

/// The seats in the order of their positions on the ring.
#[derive(Default, Debug)]
struct RingOrder {
    /// How many seats there were, and when they were asked.
    count: u32,
    at: Time,
    positions: Vec<(RingId, Seat)>,
}

impl Oracle {
    /// The seat that should answer for the key; `None` where none runs.
    pub(super) fn responsible(&self, seats: &dyn Seats, key: RingId, now: Time) -> Option<Seat> {
        let order = self.order.read().expect("building an order does not panic");
        if order.is_current(seats, now) {
            return order.nearest(seats, key);
        }
        drop(order);
        let mut order = self.order.write().expect("building an order does not panic");
        if !order.is_current(seats, now) {
            *order = RingOrder::new(seats, now);
        }
        order.nearest(seats, key)
    }
}

impl RingOrder {
    fn new(seats: &dyn Seats, now: Time) -> RingOrder {
        let count = seats.count();
        let position = |seat| seats.address(seat).map(|address| (RingId::of(address), seat));
        let mut positions: Vec<_> = (0..count).map(Seat).filter_map(position).collect();
        positions.sort_unstable();
        RingOrder { count, at: now, positions }
    }

    fn is_current(&self, seats: &dyn Seats, now: Time) -> bool {
        let complete = self.positions.len() == self.count as usize;
        self.count == seats.count() && (complete || now.since(self.at) < REBUILD_PERIOD)
    }

    /// Goes from the key both ways to the first seat that runs.
    fn nearest(&self, seats: &dyn Seats, key: RingId) -> Option<Seat> {
        let start = self.positions.partition_point(|(id, _)| *id < key);
        let (before, after) = self.positions.split_at(start);
        let running = |position: &&(RingId, Seat)| seats.running(position.1);
        let clockwise = after.iter().chain(before).find(running);
        let counterclockwise = before.iter().rev().chain(after.iter().rev()).find(running);
        let both = clockwise.into_iter().chain(counterclockwise);
        both.min_by_key(|(id, _)| id.closeness(key)).map(|(_, seat)| *seat)
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{Address, Seed};

    use super::*;

    /// Seats of which some run and the first few have an address.
    struct Some(Vec<bool>, u32);

    impl Seats for Some {
        fn count(&self) -> u32 {
            self.0.len() as u32
        }
        fn address(&self, seat: Seat) -> Option<Address> {
            (seat.0 < self.1).then(|| Address::simulated(seat))
        }
        fn running(&self, seat: Seat) -> bool {
            self.0[seat.index()]
        }
    }

    fn by_hand(seats: &Some, key: RingId) -> Option<Seat> {
        let running = (0..seats.1).map(Seat).filter(|seat| seats.running(*seat));
        running.min_by_key(|seat| RingId::of(Address::simulated(*seat)).closeness(key))
    }

    #[test]
    fn the_nearest_running_seat_is_responsible() {
        let mut rng = Seed::new(3).rng();
        for _ in 0..300 {
            let (share, count) = (rng.unit(), rng.below(30) as u32);
            let seats = Some((0..count).map(|_| rng.chance(share)).collect(), count);
            let key = RingId(rng.bits());
            let found = Oracle::default().responsible(&seats, key, Time::ZERO);
            assert_eq!(found, by_hand(&seats, key));
        }
    }

    #[test]
    fn addresses_that_come_later_are_learned() {
        let oracle = Oracle::default();
        let mut seats = Some(vec![true; 20], 10);
        let key = RingId::of(Address::simulated(Seat(15)));
        let late = by_hand(&seats, key);
        assert_eq!(oracle.responsible(&seats, key, Time::ZERO), late);
        seats.1 = 20;
        assert_eq!(oracle.responsible(&seats, key, Time::ZERO), late);
        assert_eq!(
            oracle.clone().responsible(&seats, key, Time::ZERO + SECOND),
            Option::Some(Seat(15))
        );
    }
}
