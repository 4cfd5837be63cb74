//! Who should answer: the seats in order of their places on the ring, as no peer can know them.

use std::sync::{Arc, RwLock};

use peerlet_core::{Duration, SECOND, Seat, Seats, Time};

use crate::ring::RingId;

/// How often seats are asked again where addresses were not known: live, they come in one by one.
const REBUILD_PERIOD: Duration = SECOND;

/// Finds the running seat nearest to a key. Clones share one table: it is the same for all.
#[derive(Clone, Default, Debug)]
pub(super) struct Oracle {
    table: Arc<RwLock<Table>>,
}

/// Places in order.
#[derive(Default, Debug)]
struct Table {
    /// How many seats there were, and when they were asked.
    count: u32,
    at: Time,
    places: Vec<(RingId, Seat)>,
}

impl Oracle {
    /// The seat that should answer for the key; `None` where none runs.
    pub(super) fn responsible(&self, seats: &dyn Seats, key: RingId, now: Time) -> Option<Seat> {
        let table = self.table.read().expect("building a table does not panic");
        if table.is_current(seats, now) {
            return table.nearest(seats, key);
        }
        drop(table);
        let mut table = self.table.write().expect("building a table does not panic");
        if !table.is_current(seats, now) {
            *table = Table::new(seats, now);
        }
        table.nearest(seats, key)
    }
}

impl Table {
    fn new(seats: &dyn Seats, now: Time) -> Table {
        let count = seats.count();
        let place = |seat| seats.address(seat).map(|address| (RingId::of(address), seat));
        let mut places: Vec<_> = (0..count).map(Seat).filter_map(place).collect();
        places.sort_unstable();
        Table { count, at: now, places }
    }

    fn is_current(&self, seats: &dyn Seats, now: Time) -> bool {
        let complete = self.places.len() == self.count as usize;
        self.count == seats.count() && (complete || now.since(self.at) < REBUILD_PERIOD)
    }

    /// Goes from the key both ways to the first seat that runs.
    fn nearest(&self, seats: &dyn Seats, key: RingId) -> Option<Seat> {
        let start = self.places.partition_point(|(id, _)| *id < key);
        let (before, after) = self.places.split_at(start);
        let running = |place: &&(RingId, Seat)| seats.running(place.1);
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
