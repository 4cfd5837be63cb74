//! The stored form of an event: a [`PackedEvent`], completed by what its bucket implies.

use peerlet_core::runtime::{Act, Body, Class, PackedEvent};
use peerlet_core::{Seat, Time};
use peerlet_memory::prefetch_line;

use crate::event::{Event, Key, RareEvent};

// Kinds of events besides plain datagrams, as in `Event::Plain`, and timers.
const DIRECTIVE: u8 = PackedEvent::OWN;
const WAKE: u8 = PackedEvent::OWN + 1;
const RARE: u8 = PackedEvent::OWN + 2;
/// Too large to pack, such as a number of more than 32 bits: in a box.
const WIDE: u8 = PackedEvent::OWN + 3;

/// An event that does not fit the packed form.
struct Wide {
    source: u32,
    seq: u64,
    event: Event,
}

/// Events of one bucket, as many as the grid says.
pub(crate) type Chunk = Vec<PackedEvent>;

/// The order of events of one peer at one instant: the source, then its number.
pub(crate) type Rank = (u32, u64);

/// Packs an event without the parts of its key that its bucket implies.
pub(crate) fn pack(key: &Key, key_bits: u64, event: Event) -> PackedEvent {
    debug_assert!(key_bits >> PackedEvent::PLACE_BITS == 0 && key.round == 0, "the key fits");
    let Ok(seq) = u32::try_from(key.seq) else {
        let wide = Wide { source: key.source, seq: key.seq, event };
        return PackedEvent::own(key_bits, WIDE, 0, 0, Body::value(Box::new(wide)));
    };
    let (kind, body) = match event {
        Event::Timer { port, handle, body } => {
            return PackedEvent::timer(key_bits, port, handle, seq, body);
        }
        Event::Plain { port, body } => {
            return PackedEvent::datagram(key_bits, port, Seat(key.source - 1), seq, body);
        }
        Event::Wake { task, operation } => (WAKE, Body::value((task, operation))),
        Event::Rare(rare) => (RARE, Body::value(rare)),
        Event::Directive(act) => (DIRECTIVE, Body::value(act)),
    };
    PackedEvent::own(key_bits, kind, key.source, seq, body)
}

/// The class of delivery of a message; `None` for what is no message.
pub(crate) fn class(event: &PackedEvent) -> Option<Class> {
    match event.kind() {
        PackedEvent::DATAGRAM => Some(Class::Datagram),
        RARE => event.body().get::<Box<RareEvent>>()?.class(),
        WIDE => event.body().get::<Box<Wide>>()?.event.class(),
        _ => None,
    }
}

/// Prefetches the boxed part of an event.
pub(crate) fn prefetch_box(event: &PackedEvent) {
    if let Some(rare) = event.body().get::<Box<RareEvent>>() {
        (0..size_of::<RareEvent>().div_ceil(64)).for_each(|line| prefetch_line(&**rare, line));
    }
}

/// The rank of an event among those of this seat at its instant.
pub(crate) fn rank(event: &PackedEvent, seat: Seat) -> Rank {
    match event.kind() {
        PackedEvent::TIMER => (seat.0 + 1, u64::from(event.mark())),
        PackedEvent::DATAGRAM => (event.word() + 1, u64::from(event.mark())),
        WIDE => {
            let wide = event.body().get::<Box<Wide>>().expect("a wide event is in its box");
            (wide.source, wide.seq)
        }
        _ => (event.word(), u64::from(event.mark())),
    }
}

/// Unpacks an event of this seat and instant.
pub(crate) fn unpack(mut packed: PackedEvent, seat: Seat, time: Time) -> (Key, Event) {
    const KNOWN: &str = "an event holds what its kind says";
    let (source, seq) = rank(&packed, seat);
    let key = Key { time, round: 0, seat, source, seq };
    let (kind, port, word) = (packed.kind(), packed.port(), packed.word());
    let body = packed.body_mut();
    let event = match kind {
        PackedEvent::TIMER => Event::Timer { port, handle: word, body: body.leave() },
        PackedEvent::DATAGRAM => Event::Plain { port, body: body.leave() },
        WAKE => {
            let (task, operation) = body.extract().expect(KNOWN);
            Event::Wake { task, operation }
        }
        RARE => Event::Rare(body.extract().expect(KNOWN)),
        DIRECTIVE => Event::Directive(body.extract::<Act>().expect(KNOWN)),
        _ => body.extract::<Box<Wide>>().expect(KNOWN).event,
    };
    (key, event)
}

#[cfg(test)]
mod tests {
    use peerlet_core::runtime::Port;

    use super::*;

    fn round_trip(seq: u64, event: Event) -> (Key, Event) {
        let seat = Seat(70_000);
        let time = Time::from_nanos(12_345);
        let key = Key { time, round: 0, seat, source: 70_001, seq };
        let packed = pack(&key, 99, event);
        assert_eq!(packed.place_high() >> PackedEvent::PLACE_SHIFT, 99);
        assert_eq!(rank(&packed, seat), (key.source, key.seq));
        let (back, event) = unpack(packed, seat, time);
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
    }
}
