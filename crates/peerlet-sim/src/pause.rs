//! Paused peers: their events wait until the instant at which they resume.

use peerlet_core::runtime::Class;
use peerlet_core::{Map, Seat, Time};

use crate::event::{Delivery, Event, Key, RareEvent};

/// How many datagrams wait for a paused peer: about as many as Linux's default socket buffer holds.
/// More are dropped.
const HELD_MAX: usize = 256;

/// The paused peers of a worker: few at a time.
#[derive(Default)]
pub(crate) struct Pauses {
    by_seat: Map<Seat, Held>,
}

/// A paused peer and its waiting events.
pub(crate) struct Held {
    /// When it resumes, unless its life ends before.
    pub(crate) until: Time,
    /// The number of its life's first event.
    pub(crate) born: u64,
    /// In order.
    pub(crate) events: Vec<(Key, Event)>,
    datagrams: usize,
}

impl Pauses {
    #[inline]
    pub(crate) fn is_paused(&self, seat: Seat) -> bool {
        !self.by_seat.is_empty() && self.by_seat.contains_key(&seat)
    }

    /// When a paused peer resumes.
    pub(crate) fn until(&self, seat: Seat) -> Option<Time> {
        self.by_seat.get(&seat).map(|held| held.until)
    }

    /// The number of the first event of a paused peer's life.
    pub(crate) fn born(&self, seat: Seat) -> Option<u64> {
        self.by_seat.get(&seat).map(|held| held.born)
    }

    /// Begins a pause.
    pub(crate) fn begin(&mut self, seat: Seat, until: Time, born: u64) {
        let held = Held { until, born, events: Vec::new(), datagrams: 0 };
        self.by_seat.insert(seat, held);
    }

    /// Holds an event back; returns a datagram for which there is no room.
    pub(crate) fn hold(&mut self, key: Key, event: Event) -> Option<Event> {
        let Some(held) = self.by_seat.get_mut(&key.seat) else { return Some(event) };
        if is_datagram(&event) {
            if held.datagrams == HELD_MAX {
                return Some(event);
            }
            held.datagrams += 1;
        }
        held.events.push((key, event));
        None
    }

    /// Ends a pause, if there is one that ends at `now`; without `now`, any.
    pub(crate) fn end(&mut self, seat: Seat, now: Option<Time>) -> Option<Held> {
        let held = self.by_seat.get(&seat)?;
        if now.is_some_and(|now| now != held.until) {
            return None;
        }
        self.by_seat.swap_remove(&seat)
    }

    /// The last event that waits for a paused peer.
    #[cfg(feature = "injected-bugs")]
    pub(crate) fn last_of(&self, seat: Seat) -> Option<&Event> {
        self.by_seat.get(&seat)?.events.last().map(|(_, event)| event)
    }

    /// All waiting events.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.by_seat.values().flat_map(|held| &held.events).map(|(_, event)| event)
    }
}

/// Whether it is a datagram from another peer.
fn is_datagram(event: &Event) -> bool {
    match event {
        Event::Plain { .. } => true,
        Event::Rare(rare) => match &**rare {
            RareEvent::Message(message) => matches!(message.delivery, Delivery::Datagram),
            _ => false,
        },
        _ => event.class() == Some(Class::Datagram),
    }
}
