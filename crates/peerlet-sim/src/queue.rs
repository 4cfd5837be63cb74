//! The events that wait, in the contract's order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use peerlet_core::{Address, Alarm, Body, Class, Header, Port, Seat, Time, Undelivered};

use crate::link::Signal;

/// Where an event stands: (time, round) and then, for each peer of its own, (source, seq).
///
/// The seat comes before the source, so that the order among different peers is fixed as well,
/// though nothing depends on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key {
    pub(crate) time: Time,
    pub(crate) round: u32,
    pub(crate) seat: Seat,
    /// 0 for the environment, seat + 1 for a peer.
    pub(crate) source: u32,
    pub(crate) seq: u64,
}

/// A message that is on its way.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) from: Address,
    pub(crate) header: Header,
    pub(crate) body: Body,
    /// Encoded bytes.
    pub(crate) size: u32,
    /// Where the network's dice for it are found.
    pub(crate) draws: peerlet_core::Seed,
    pub(crate) way: Way,
    /// The hash of its payload; 0 unless the run encodes messages.
    pub(crate) payload: u64,
    /// Whether the receiving side of the network let it pass already.
    pub(crate) accepted: bool,
}

/// How a message travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// As a datagram, to whoever lives at the address.
    Datagram,
    /// On a connection, to one life.
    Connection {
        /// The sender's number of the connection.
        number: u64,
        /// The life that sent it.
        theirs: u32,
        /// The life that it is for.
        life: u32,
        /// Its place among the connection's messages.
        index: u64,
        departed: Time,
    },
    /// To oneself.
    Home {
        class: Class,
        /// The life that sent it.
        life: u32,
    },
}

impl Way {
    pub(crate) fn class(self) -> Class {
        match self {
            Way::Datagram => Class::Datagram,
            Way::Connection { .. } => Class::Reliable,
            Way::Home { class, .. } => class,
        }
    }
}

/// Something that happens to a peer at its time.
#[derive(Debug)]
pub(crate) enum Event {
    Letter(Letter),
    Alarm {
        life: u32,
        alarm: Alarm,
    },
    Writable {
        life: u32,
        port: Port,
        to: Address,
    },
    Undelivered {
        life: u32,
        to: Address,
        header: Header,
        body: Body,
        why: Undelivered,
    },
    /// Between the simulator's own ends of a connection; no peer sees it.
    Signal(Signal),
}

/// All events that wait: a heap of small keys, the events themselves beside it.
#[derive(Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<(Key, u32)>>,
    events: Vec<Option<Event>>,
    free: Vec<u32>,
}

impl Queue {
    pub(crate) fn push(&mut self, key: Key, event: Event) {
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                self.events.push(None);
                u32::try_from(self.events.len() - 1).expect("fewer than 2^32 events wait")
            }
        };
        self.events[place as usize] = Some(event);
        self.heap.push(Reverse((key, place)));
    }

    /// Takes the first event, if it is earlier than `end`.
    pub(crate) fn pop_before(&mut self, end: Time) -> Option<(Key, Event)> {
        let Reverse((key, _)) = self.heap.peek()?;
        if key.time >= end {
            return None;
        }
        let Reverse((key, place)) = self.heap.pop()?;
        self.free.push(place);
        let event = self.events[place as usize].take();
        Some((key, event.expect("a key has its event")))
    }

    /// All events that wait, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::Seed;

    use super::*;

    /// An event that can be told apart from others.
    fn event(number: u32) -> Event {
        let to = Address::simulated(Seat(number));
        Event::Writable { life: 1, port: Port(0), to }
    }

    fn number(event: &Event) -> u32 {
        match event {
            Event::Writable { to, .. } => to.slot(),
            other => panic!("nobody pushed {other:?}"),
        }
    }

    /// All keys out of few times, rounds, seats, sources and numbers, in order.
    fn keys() -> Vec<Key> {
        let mut keys = Vec::new();
        for bits in 0..3u32.pow(5) {
            let digit = |place: u32| bits / 3u32.pow(place) % 3;
            keys.push(Key {
                time: Time::from_nanos(u64::from(digit(4))),
                round: digit(3),
                seat: Seat(digit(2)),
                source: digit(1),
                seq: u64::from(digit(0)),
            });
        }
        keys
    }

    #[test]
    fn order_does_not_depend_on_insertion() {
        let keys = keys();
        assert!(keys.is_sorted_by(|a, b| a < b));
        for seed in 0..50 {
            let mut shuffled: Vec<usize> = (0..keys.len()).collect();
            Seed::new(seed).rng().shuffle(&mut shuffled);
            let mut queue = Queue::default();
            for place in shuffled {
                queue.push(keys[place], event(place as u32));
            }
            for (place, expected) in keys.iter().enumerate() {
                let (key, event) = queue.pop_before(Time::MAX).unwrap();
                assert_eq!((key, number(&event)), (*expected, place as u32), "seed {seed}");
            }
            assert!(queue.pop_before(Time::MAX).is_none());
        }
    }

    /// Pushes and pops by turns, as a run does; places are used again and lose nothing.
    #[test]
    fn places_are_used_again() {
        let (mut queue, mut rng, mut now) = (Queue::default(), Seed::new(7).rng(), 0);
        let mut waiting = std::collections::BTreeMap::new();
        for seq in 0..20_000 {
            let time = Time::from_nanos(now + rng.below(50));
            let key = Key { time, round: 0, seat: Seat(0), source: 1, seq };
            queue.push(key, event(seq as u32));
            waiting.insert(key, seq as u32);
            while rng.chance(0.5) {
                let end = Time::from_nanos(now + 25);
                let Some((key, event)) = queue.pop_before(end) else { break };
                assert!(key.time < end);
                assert_eq!(waiting.pop_first(), Some((key, number(&event))));
                now = key.time.as_nanos();
            }
            assert_eq!(queue.iter().count(), waiting.len());
        }
        assert!(queue.events.len() < 5_000, "{} places", queue.events.len());
    }
}
