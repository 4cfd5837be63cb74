//! The stored form of an event, for runtimes that have very many.

use std::fmt;

use crate::address::Seat;
use crate::parcel::{Body, Port};

/// A waiting event: 40 bytes, most of them the message's or the timer's value.
///
/// [`Host::run`] understands timers, and datagrams that are part of no call, and runs many of them
/// in a row. A runtime may store other events in the same form, with kinds of its own.
///
/// [`Host::run`]: crate::runtime::Host::run
pub struct PackedEvent {
    /// The place, the port and the kind, from the highest bits down.
    head: u64,
    word: u32,
    mark: u32,
    body: Body,
}

/// Events in a row: see [`Host::run`].
///
/// [`Host::run`]: crate::runtime::Host::run
pub struct PackedEvents<'a> {
    /// All of them, in order.
    pub all: &'a mut [PackedEvent],
    /// The first that is to be run.
    pub next: usize,
    /// How the peers' rows are found.
    pub rows: RowOf,
}

/// How many events ahead data is prefetched.
pub(crate) const AHEAD: usize = 12;

/// How the rows of events are found: in the high bits of their places.
#[derive(Clone, Copy, Debug)]
pub struct RowOf {
    shift: u32,
    base: u32,
}

impl RowOf {
    /// A row is the place without this many low bits, and `base` more, modulo 2^32.
    pub fn new(low_bits: u32, base: u32) -> RowOf {
        RowOf { shift: PackedEvent::PLACE_SHIFT + low_bits, base }
    }

    /// The row of an event's peer.
    #[inline(always)]
    pub fn of(self, event: &PackedEvent) -> u32 {
        ((event.head >> (self.shift & 63)) as u32).wrapping_add(self.base)
    }
}

const KIND_BITS: u32 = 4;

/// So many bits of a kind tell a runtime's own apart.
const OWN_BITS: u32 = KIND_BITS - 1;

impl PackedEvent {
    /// How many bits of a place are kept.
    pub const PLACE_BITS: u32 = 64 - PackedEvent::PLACE_SHIFT;
    /// The position of these bits in [`place_high`](PackedEvent::place_high).
    pub const PLACE_SHIFT: u32 = 16 + KIND_BITS;
    /// The kind of datagrams.
    pub const DATAGRAM: u8 = 0;
    /// The kinds that are a runtime's own begin here and end before timers.
    pub const OWN: u8 = 1;
    /// The kind of timers.
    pub const TIMER: u8 = 1 << OWN_BITS;

    /// A datagram for this peerlet, sent by the peer at this seat's
    /// [simulated](crate::Address::simulated) address. `place` and `mark` are the runtime's own.
    #[inline(always)]
    pub fn datagram(place: u64, port: Port, from: Seat, mark: u32, body: Body) -> PackedEvent {
        PackedEvent { head: head(place, port, PackedEvent::DATAGRAM), word: from.0, mark, body }
    }

    /// A timer of this peerlet, with the life's own number of it.
    #[inline(always)]
    pub fn timer(place: u64, port: Port, handle: u32, mark: u32, body: Body) -> PackedEvent {
        PackedEvent { head: head(place, port, PackedEvent::TIMER), word: handle, mark, body }
    }

    /// An event of the runtime's own kind.
    pub fn own(place: u64, kind: u8, word: u32, mark: u32, body: Body) -> PackedEvent {
        debug_assert!((PackedEvent::OWN..PackedEvent::TIMER).contains(&kind), "a kind of its own");
        PackedEvent { head: head(place, Port(0), kind), word, mark, body }
    }

    /// The place in the high bits, zeros below.
    #[inline(always)]
    pub fn place_high(&self) -> u64 {
        self.head >> PackedEvent::PLACE_SHIFT << PackedEvent::PLACE_SHIFT
    }

    /// The place without its low bits: `shift` is at least
    /// [`PLACE_SHIFT`](PackedEvent::PLACE_SHIFT), and as many bits more are left out.
    #[inline(always)]
    pub fn place_from(&self, shift: u32) -> u64 {
        debug_assert!((PackedEvent::PLACE_SHIFT..64).contains(&shift), "nothing but the place");
        self.head >> (shift & 63)
    }

    /// The kind of the event.
    #[inline(always)]
    pub fn kind(&self) -> u8 {
        self.head as u8 & ((1 << KIND_BITS) - 1)
    }

    /// A number that is the same for events that are handled alike: the timers of a peerlet, or all
    /// other events for it. Different ports have different numbers.
    #[inline(always)]
    pub fn family(&self) -> usize {
        (self.head as u32 & ((1 << PackedEvent::PLACE_SHIFT) - 1)) as usize >> OWN_BITS
    }

    /// Whether it is a datagram or a timer: nothing of the runtime's own.
    #[inline(always)]
    pub fn is_common(&self) -> bool {
        self.head & ((1 << OWN_BITS) - 1) == 0
    }

    /// The peerlet that it is for.
    #[inline(always)]
    pub fn port(&self) -> Port {
        Port((self.head >> KIND_BITS) as u16)
    }

    /// A datagram's sender; a timer's handle.
    #[inline(always)]
    pub fn word(&self) -> u32 {
        self.word
    }

    /// The runtime's own.
    #[inline(always)]
    pub fn mark(&self) -> u32 {
        self.mark
    }

    /// The value.
    #[inline(always)]
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The value, to take it out.
    #[inline(always)]
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// Takes the event out as it is: nothing is left where it was stored.
    pub fn leave(&mut self) -> PackedEvent {
        PackedEvent { body: self.body.leave(), ..*self }
    }
}

/// A event that holds nothing.
impl Default for PackedEvent {
    fn default() -> PackedEvent {
        PackedEvent { head: 0, word: 0, mark: 0, body: Body::empty() }
    }
}

#[inline(always)]
fn head(place: u64, port: Port, kind: u8) -> u64 {
    place << PackedEvent::PLACE_SHIFT | u64::from(port.0) << KIND_BITS | u64::from(kind)
}

impl fmt::Debug for PackedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.head >> PackedEvent::PLACE_SHIFT;
        f.debug_struct("PackedEvent")
            .field("kind", &self.kind())
            .field("port", &self.port())
            .field("place", &place)
            .field("word", &self.word)
            .field("mark", &self.mark)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_was_put_in() {
        assert_eq!(size_of::<PackedEvent>(), 40);
        let place = (1 << PackedEvent::PLACE_BITS) - 3;
        let mut event = PackedEvent::datagram(place, Port(u16::MAX), Seat(7), 9, Body::value(5u8));
        let seen = |event: &PackedEvent| (event.kind(), event.port(), event.word(), event.mark());
        assert_eq!(event.place_high() >> PackedEvent::PLACE_SHIFT, place);
        assert_eq!(seen(&event), (PackedEvent::DATAGRAM, Port(u16::MAX), 7, 9));
        let mut taken = event.leave();
        assert!(event.body().get::<u8>().is_none() && seen(&event) == seen(&taken));
        assert_eq!(taken.body_mut().extract::<u8>(), Some(5));
        let timer = PackedEvent::timer(0, Port(3), u32::MAX, u32::MAX, Body::value(()));
        assert_eq!(seen(&timer), (PackedEvent::TIMER, Port(3), u32::MAX, u32::MAX));
        let row = |low_bits, base| RowOf::new(low_bits, base).of(&taken);
        assert_eq!((row(40, 5), row(42, u32::MAX)), (0b1111 + 5, 0b11 - 1));
        let own = PackedEvent::own(1, 7, 2, 3, Body::value(()));
        assert_eq!(seen(&own), (7, Port(0), 2, 3));
        assert!(event.is_common() && timer.is_common() && !own.is_common());
        let families = [&event, &timer, &own].map(|event| event.family());
        assert_eq!(families, [2 * usize::from(u16::MAX), 2 * 3 + 1, 0]);
    }
}
