//! The digest: one number, equal for equal runs.

use std::fmt;

use peerlet_core::runtime::Call;

use crate::trace::Handled;

/// Multiplies two words and folds the product onto itself: the step of every digest.
///
/// The keys are digits of pi, so that no plain input makes either factor zero.
#[inline]
pub const fn fold(a: u64, b: u64) -> u64 {
    let product = (a ^ 0x243F_6A88_85A3_08D3) as u128 * (b ^ 0x1319_8A2E_0370_7344) as u128;
    (product >> 64) as u64 ^ product as u64
}

/// The kind of an event that a peer handled. The numbers are part of the digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum EventKind {
    /// A message arrived.
    Deliver = 1,
    /// A timer was due.
    Timer = 2,
    /// The scenario called a command.
    Command = 3,
    /// A life began.
    Start = 4,
    /// A life ended by a stop.
    Stop = 5,
    /// A life ended by a crash.
    Crash = 6,
    /// A reliable message was reported.
    Undelivered = 7,
    /// The wait of a task's operation was over.
    Wake = 8,
    /// Half of a full queue is free again.
    Writable = 9,
    /// The peer was paused.
    Pause = 10,
    /// The peer resumed.
    Resume = 11,
    /// The peer's tampering changed.
    Tamper = 12,
    /// The program that steps the run called a closure on a peerlet.
    Closure = 13,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [EventKind; 13] = [
        EventKind::Deliver,
        EventKind::Timer,
        EventKind::Command,
        EventKind::Start,
        EventKind::Stop,
        EventKind::Crash,
        EventKind::Undelivered,
        EventKind::Wake,
        EventKind::Writable,
        EventKind::Pause,
        EventKind::Resume,
        EventKind::Tamper,
        EventKind::Closure,
    ];

    /// The kind's name in traces.
    pub const fn name(self) -> &'static str {
        match self {
            EventKind::Deliver => "deliver",
            EventKind::Timer => "timer",
            EventKind::Command => "command",
            EventKind::Start => "start",
            EventKind::Stop => "stop",
            EventKind::Crash => "crash",
            EventKind::Undelivered => "undelivered",
            EventKind::Wake => "wake",
            EventKind::Writable => "writable",
            EventKind::Pause => "pause",
            EventKind::Resume => "resume",
            EventKind::Tamper => "tamper",
            EventKind::Closure => "closure",
        }
    }
}

/// The digest of one seat's events, in the order it handled them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct SeatDigest(pub(crate) u64);

impl SeatDigest {
    /// Takes in one event: two folds of (time), (source, round, kind), (seq) and (part, port,
    /// life), and where it is part of a call a third one of the call's number. Kinds without a
    /// port have a zero there.
    #[inline(always)]
    pub(crate) fn add(&mut self, event: &Handled) {
        let (part, call) = match event.call {
            Call::None => (0, 0),
            Call::Question(id) => (1, u64::from(id)),
            Call::Answer(id) => (2, u64::from(id)),
            Call::NoAnswer(id) => (3, u64::from(id)),
        };
        let port = event.port.map_or(0, |port| u64::from(port.0));
        let what = u64::from(event.source) << 32 | u64::from(event.round) << 8 | event.kind as u64;
        let whose = part << 48 | port << 32 | u64::from(event.life);
        let h = fold(self.0 ^ event.time.as_nanos(), what);
        self.0 = fold(h ^ event.seq, whose);
        if part != 0 {
            self.0 = fold(self.0, call);
        }
    }
}

/// The digest of a run, 64 bits: over the seats' digests in order, the drop counters, the bytes of
/// each class of delivery and the measures' integers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub u64);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use peerlet_core::runtime::Port;
    use peerlet_core::{Seat, Time};

    #[test]
    fn every_field_counts() {
        let event = Handled {
            time: Time::from_nanos(5),
            round: 0,
            seat: Seat(1),
            kind: EventKind::Deliver,
            source: 2,
            seq: 3,
            life: 1,
            port: Some(Port(1)),
            call: Call::None,
            payload: 0,
        };
        let digest = |event: Handled| {
            let mut seat = SeatDigest::default();
            seat.add(&event);
            seat.0
        };
        let others = [
            Handled { time: Time::from_nanos(6), ..event },
            Handled { round: 1, ..event },
            Handled { kind: EventKind::Timer, ..event },
            Handled { source: 3, ..event },
            Handled { seq: 4, ..event },
            Handled { life: 2, ..event },
            Handled { port: Some(Port(2)), ..event },
            Handled { call: Call::Question(0), ..event },
            Handled { call: Call::Question(1), ..event },
            Handled { call: Call::Answer(0), ..event },
            Handled { call: Call::Answer(1), ..event },
            Handled { call: Call::NoAnswer(1), ..event },
        ];
        let all: BTreeSet<u64> = others.into_iter().chain([event]).map(digest).collect();
        assert_eq!(all.len(), others.len() + 1);
    }
}
