//! An event as the windowed engine stores it: 40 bytes, most of them the message.

use peerlet_core::{Act, Body, Port, Seat, Time};

use crate::event::{Event, Key, Rest};

/// How many bits of a packed event's head say where in its bucket's window and block it stands.
pub(crate) const PLACE_BITS: u32 = 44;
/// Below the place: the port (16 bits) and the kind (4 bits).
pub(crate) const PLACE_SHIFT: u32 = 64 - PLACE_BITS;

const KIND_BITS: u32 = 4;

const DIRECTIVE: u64 = 0;
/// A timer, as in [`Event::Timer`].
pub(crate) const TIMER: u64 = 1;
const WAKE: u64 = 2;
/// A datagram, as in [`Event::Plain`].
pub(crate) const PLAIN: u64 = 3;
const REST: u64 = 4;
/// Too much to pack, such as a number of more than 32 bits: in a box.
const WIDE: u64 = 5;

/// An event in a bucket, where the bucket says the rest of its key.
#[derive(Debug)]
pub(crate) struct Packed {
    /// The place (destination, then offset in the window), the port and the kind.
    head: u64,
    /// The source, where it is not known otherwise; a timer's handle.
    source: u32,
    seq: u32,
    body: Body,
}

/// What is too much for the common form.
struct Wide {
    source: u32,
    seq: u64,
    event: Event,
}

/// The order of events of one peer at one instant.
pub(crate) type Rank = (u32, u64);

impl Packed {
    /// Packs an event; everything of the key that its bucket knows is left out.
    pub(crate) fn new(key: &Key, place: u64, event: Event) -> Packed {
        debug_assert!(place >> PLACE_BITS == 0 && key.round == 0, "a place has {PLACE_BITS} bits");
        let Ok(seq) = u32::try_from(key.seq) else { return Packed::wide(key, place, event) };
        let (kind, source, body) = match event {
            Event::Timer { port, handle, body } => {
                return Packed::timer(place, port, handle, seq, body);
            }
            Event::Plain { port, body } => {
                return Packed::plain(place, port, key.source, seq, body);
            }
            Event::Wake { task, operation } => (WAKE, key.source, Body::value((task, operation))),
            Event::Rest(rest) => (REST, key.source, Body::value(rest)),
            Event::Directive(act) => (DIRECTIVE, key.source, Body::value(act)),
        };
        Packed { head: place << PLACE_SHIFT | kind, source, seq, body }
    }

    #[inline(always)]
    pub(crate) fn timer(place: u64, port: Port, handle: u32, seq: u32, body: Body) -> Packed {
        let head = place << PLACE_SHIFT | u64::from(port.0) << KIND_BITS | TIMER;
        Packed { head, source: handle, seq, body }
    }

    #[inline(always)]
    pub(crate) fn plain(place: u64, port: Port, source: u32, seq: u32, body: Body) -> Packed {
        let head = place << PLACE_SHIFT | u64::from(port.0) << KIND_BITS | PLAIN;
        Packed { head, source, seq, body }
    }

    #[cold]
    fn wide(key: &Key, place: u64, event: Event) -> Packed {
        let wide = Wide { source: key.source, seq: key.seq, event };
        let body = Body::value(Box::new(wide));
        Packed { head: place << PLACE_SHIFT | WIDE, source: 0, seq: 0, body }
    }

    /// The place in the high bits, zeros below.
    #[inline(always)]
    pub(crate) fn place_high(&self) -> u64 {
        self.head >> PLACE_SHIFT << PLACE_SHIFT
    }

    /// The peerlet that it is for; 0 where that is not known without a look inside.
    #[inline(always)]
    pub(crate) fn port(&self) -> Port {
        Port((self.head >> KIND_BITS) as u16)
    }

    /// The same event with its place in another grid.
    pub(crate) fn at_place(self, place: u64) -> Packed {
        let low = self.head & ((1 << PLACE_SHIFT) - 1);
        Packed { head: place << PLACE_SHIFT | low, ..self }
    }

    /// Takes the event out as it is: nothing is left where it was stored.
    pub(crate) fn leave(&mut self) -> Packed {
        Packed { body: self.body.leave(), ..*self }
    }

    /// The class of delivery of a message; `None` for what is no message.
    pub(crate) fn class(&self) -> Option<peerlet_core::Class> {
        match self.kind() {
            PLAIN => Some(peerlet_core::Class::Datagram),
            REST => self.body.get::<Box<Rest>>()?.class(),
            WIDE => self.body.get::<Box<Wide>>()?.event.class(),
            _ => None,
        }
    }

    /// Where it stands among the events of this seat at its instant.
    pub(crate) fn rank(&self, seat: Seat) -> Rank {
        match self.kind() {
            TIMER => (seat.0 + 1, u64::from(self.seq)),
            WIDE => {
                let wide = self.body.get::<Box<Wide>>().expect("a wide event is in its box");
                (wide.source, wide.seq)
            }
            _ => (self.source, u64::from(self.seq)),
        }
    }

    #[inline(always)]
    pub(crate) fn kind(&self) -> u64 {
        self.head & ((1 << KIND_BITS) - 1)
    }

    /// A timer's or a plain datagram's word (handle or source), number and body.
    #[inline(always)]
    pub(crate) fn parts(&mut self) -> (u32, u64, &mut Body) {
        (self.source, u64::from(self.seq), &mut self.body)
    }

    /// Takes the event out: nothing is left where it was stored.
    pub(crate) fn unpack(&mut self, seat: Seat, time: Time) -> (Key, Event) {
        const KNOWN: &str = "an event holds what its kind says";
        let (source, seq, port) = (self.source, u64::from(self.seq), self.port());
        let key = Key { time, round: 0, seat, source, seq };
        let event = match self.kind() {
            TIMER => {
                let body = self.body.leave();
                let key = Key { source: seat.0 + 1, ..key };
                return (key, Event::Timer { port, handle: source, body });
            }
            PLAIN => Event::Plain { port, body: self.body.leave() },
            WAKE => {
                let (task, operation) = self.body.extract().expect(KNOWN);
                Event::Wake { task, operation }
            }
            REST => Event::Rest(self.body.extract().expect(KNOWN)),
            DIRECTIVE => Event::Directive(self.body.extract::<Act>().expect(KNOWN)),
            _ => {
                let wide: Box<Wide> = self.body.extract().expect(KNOWN);
                let Wide { source, seq, event } = *wide;
                return (Key { source, seq, ..key }, event);
            }
        };
        (key, event)
    }

    /// The key, for comparing.
    pub(crate) fn key(&self, seat: Seat, time: Time) -> Key {
        let (source, seq) = self.rank(seat);
        Key { time, round: 0, seat, source, seq }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(seq: u64, event: Event) -> (Key, Event) {
        let seat = Seat(70_000);
        let time = Time::from_nanos(12_345);
        let key = Key { time, round: 0, seat, source: 70_001, seq };
        let mut packed = Packed::new(&key, 99, event);
        assert_eq!(packed.place_high() >> PLACE_SHIFT, 99);
        assert_eq!(packed.rank(seat), (key.source, key.seq));
        let (back, event) = packed.unpack(seat, time);
        assert_eq!(back, key);
        (back, event)
    }

    #[test]
    fn what_is_packed_comes_back() {
        for seq in [0, 7, u64::from(u32::MAX), u64::from(u32::MAX) + 1, u64::MAX] {
            let body = || Body::value((seq, 3u64));
            let timer = Event::Timer { port: Port(u16::MAX), handle: u32::MAX, body: body() };
            let (_, Event::Timer { port, handle, body: mut kept }) = round_trip(seq, timer) else {
                panic!("a timer stays one")
            };
            assert_eq!((port, handle), (Port(u16::MAX), u32::MAX));
            assert_eq!(kept.extract::<(u64, u64)>().unwrap(), (seq, 3));
            let plain = Event::Plain { port: Port(5), body: body() };
            assert!(matches!(round_trip(seq, plain), (_, Event::Plain { port: Port(5), .. })));
            let wake = Event::Wake { task: 8, operation: 9 };
            let woken = round_trip(seq, wake).1;
            assert!(matches!(woken, Event::Wake { task: 8, operation: 9 }));
            let act = round_trip(seq, Event::Directive(Act::Crash)).1;
            assert!(matches!(act, Event::Directive(Act::Crash)));
        }
        assert_eq!(size_of::<Packed>(), 40);
    }
}
