//! Peers that are paused: what comes for them waits, and falls on the instant at which they go on.

use peerlet_core::{Class, Map, SECOND, Seat, Time};

use crate::event::{Event, Key, Rest, Way};

/// How many datagrams wait for a peer that is paused: about as many as Linux's default buffer of a
/// socket holds. More are dropped.
const HELD_MAX: usize = 256;

/// When more than so many went on lately, those are forgotten for whom that was long ago.
const LATELY_MAX: usize = 1_000;

/// All peers of a worker that are paused: few at a time.
#[derive(Default)]
pub(crate) struct Pauses {
    by_seat: Map<Seat, Held>,
    /// When those went on who did so lately.
    resumed: Map<Seat, Time>,
}

/// What waits for one of them.
struct Held {
    /// When it goes on, unless its life ends before.
    until: Time,
    /// The number of its life's first event.
    born: u64,
    events: Vec<(Key, Event)>,
    datagrams: usize,
}

impl Pauses {
    #[inline]
    pub(crate) fn is_paused(&self, seat: Seat) -> bool {
        !self.by_seat.is_empty() && self.by_seat.contains_key(&seat)
    }

    /// When a peer that is paused goes on.
    pub(crate) fn until(&self, seat: Seat) -> Option<Time> {
        self.by_seat.get(&seat).map(|held| held.until)
    }

    /// Whether a peer's pause ended at this very instant.
    pub(crate) fn is_resumed(&self, seat: Seat, now: Time) -> bool {
        !self.resumed.is_empty() && self.resumed.get(&seat) == Some(&now)
    }

    /// Begins a pause.
    pub(crate) fn begin(&mut self, seat: Seat, until: Time, born: u64) {
        let held = Held { until, born, events: Vec::new(), datagrams: 0 };
        self.by_seat.insert(seat, held);
    }

    /// Lets an event wait; gives back a datagram for which there is no room.
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

    /// Ends a pause that is over at `now`, or at any time: the number of its life's first event,
    /// and what waited.
    pub(crate) fn end(
        &mut self,
        seat: Seat,
        now: Option<Time>,
    ) -> Option<(u64, Vec<(Key, Event)>)> {
        let held = self.by_seat.get(&seat)?;
        if now.is_some_and(|now| now != held.until) {
            return None;
        }
        if let Some(now) = now {
            // A worker's peers are never further apart than a window.
            if self.resumed.len() > LATELY_MAX {
                self.resumed.retain(|_, at| *at + SECOND > now);
            }
            self.resumed.insert(seat, now);
        }
        self.by_seat.swap_remove(&seat).map(|held| (held.born, held.events))
    }

    /// All that waits.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.by_seat.values().flat_map(|held| &held.events).map(|(_, event)| event)
    }
}

/// Whether it is a datagram from another peer.
fn is_datagram(event: &Event) -> bool {
    match event {
        Event::Plain { .. } => true,
        Event::Rest(rest) => match &**rest {
            Rest::Letter(letter) => matches!(letter.way, Way::Datagram),
            _ => false,
        },
        _ => event.class() == Some(Class::Datagram),
    }
}
