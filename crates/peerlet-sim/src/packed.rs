//! An event as the windowed engine stores it: as a [`PackedEvent`], where its bucket says the rest.

use peerlet_core::runtime::{Act, Body, Class, PackedEvent};
use peerlet_core::{Seat, Time};
use peerlet_memory::prefetch_line;

use crate::event::{Event, Key, Rest};

// Kinds of turns besides datagrams of the common sort, as in `Event::Plain`, and timers.
const DIRECTIVE: u8 = PackedEvent::OWN;
const WAKE: u8 = PackedEvent::OWN + 1;
const REST: u8 = PackedEvent::OWN + 2;
/// Too much to pack, such as a number of more than 32 bits: in a box.
const WIDE: u8 = PackedEvent::OWN + 3;

/// What is too much for the common form.
struct Wide {
    source: u32,
    seq: u64,
    event: Event,
}

/// The order of events of one peer at one instant: the source, then its number.
pub(crate) type Rank = (u32, u64);

/// Packs an event; everything of the key that its bucket knows is left out.
pub(crate) fn pack(key: &Key, place: u64, event: Event) -> PackedEvent {
    debug_assert!(place >> PackedEvent::PLACE_BITS == 0 && key.round == 0, "a place has its bits");
    let Ok(seq) = u32::try_from(key.seq) else {
        let wide = Wide { source: key.source, seq: key.seq, event };
        return PackedEvent::own(place, WIDE, 0, 0, Body::value(Box::new(wide)));
    };
    let (kind, body) = match event {
        Event::Timer { port, handle, body } => {
            return PackedEvent::timer(place, port, handle, seq, body);
        }
        Event::Plain { port, body } => {
            return PackedEvent::datagram(place, port, Seat(key.source - 1), seq, body);
        }
        Event::Wake { task, operation } => (WAKE, Body::value((task, operation))),
        Event::Rest(rest) => (REST, Body::value(rest)),
        Event::Directive(act) => (DIRECTIVE, Body::value(act)),
    };
    PackedEvent::own(place, kind, key.source, seq, body)
}

/// The class of delivery of a message; `None` for what is no message.
pub(crate) fn class(turn: &PackedEvent) -> Option<Class> {
    match turn.kind() {
        PackedEvent::DATAGRAM => Some(Class::Datagram),
        REST => turn.body().get::<Box<Rest>>()?.class(),
        WIDE => turn.body().get::<Box<Wide>>()?.event.class(),
        _ => None,
    }
}

/// Asks the cache for what an event has in a box.
pub(crate) fn prefetch_box(turn: &PackedEvent) {
    if let Some(rest) = turn.body().get::<Box<Rest>>() {
        (0..size_of::<Rest>().div_ceil(64)).for_each(|line| prefetch_line(&**rest, line));
    }
}

/// Where an event stands among those of this seat at its instant.
pub(crate) fn rank(turn: &PackedEvent, seat: Seat) -> Rank {
    match turn.kind() {
        PackedEvent::TIMER => (seat.0 + 1, u64::from(turn.mark())),
        PackedEvent::DATAGRAM => (turn.word() + 1, u64::from(turn.mark())),
        WIDE => {
            let wide = turn.body().get::<Box<Wide>>().expect("a wide event is in its box");
            (wide.source, wide.seq)
        }
        _ => (turn.word(), u64::from(turn.mark())),
    }
}

/// Unpacks an event of this seat and instant.
pub(crate) fn unpack(mut turn: PackedEvent, seat: Seat, time: Time) -> (Key, Event) {
    const KNOWN: &str = "an event holds what its kind says";
    let (source, seq) = rank(&turn, seat);
    let key = Key { time, round: 0, seat, source, seq };
    let (kind, port, word) = (turn.kind(), turn.port(), turn.word());
    let body = turn.body_mut();
    let event = match kind {
        PackedEvent::TIMER => Event::Timer { port, handle: word, body: body.leave() },
        PackedEvent::DATAGRAM => Event::Plain { port, body: body.leave() },
        WAKE => {
            let (task, operation) = body.extract().expect(KNOWN);
            Event::Wake { task, operation }
        }
        REST => Event::Rest(body.extract().expect(KNOWN)),
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
        let turn = pack(&key, 99, event);
        assert_eq!(turn.place_high() >> PackedEvent::PLACE_SHIFT, 99);
        assert_eq!(rank(&turn, seat), (key.source, key.seq));
        let (back, event) = unpack(turn, seat, time);
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
