//! Traces of all handled events, for files, comparisons and scripts.

use std::fmt;
use std::io::{self, Write};

use peerlet_core::runtime::{Call, Port};
use peerlet_core::{Seat, Time};
use peerlet_measure::{Ledger, Measurements};

use crate::digest::EventKind;

/// One event that a peer handled, in the terms of the contract's order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handled {
    /// Its instant, in virtual time.
    pub time: Time,
    /// The round within that instant.
    pub round: u32,
    /// The seat that handled it.
    pub seat: Seat,
    /// The kind of event.
    pub kind: EventKind,
    /// Its source: 0 for the environment, seat + 1 for a peer.
    pub source: u32,
    /// Its number among the events of its source.
    pub seq: u64,
    /// The life that handled it.
    pub life: u32,
    /// The peerlet that it was for, by its number in the run's registry; `None` for the whole peer.
    pub port: Option<Port>,
    /// The call that it is part of: that of a message, of a returned message, or the question that
    /// a task waited for.
    pub call: Call,
    /// The hash of a message's encoded payload, if the run encodes messages; otherwise 0. It is not
    /// part of the digest, so that encoding does not change that.
    pub payload: u64,
}

impl Handled {
    /// The position of the event in a run: by instant; directives first, in their own order; then
    /// by seat, and for each seat in the contract's order.
    pub(crate) fn order(&self) -> (Time, u32, bool, u64, Seat, u32, u64) {
        let own = self.source != 0;
        let directed = if own { 0 } else { self.seq };
        (self.time, self.round, own, directed, self.seat, self.source, self.seq)
    }
}

impl fmt::Display for Handled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Handled { time, round, seat, kind, source, seq, life, payload, .. } = self;
        let kind = kind.name();
        write!(f, "{kind} at {time} (round {round}) on peer {}, life {life}", seat.0)?;
        if let Some(port) = self.port {
            write!(f, ", peerlet {}", port.0)?;
        }
        match self.call {
            Call::None => {}
            Call::Question(id) => write!(f, ", question {id}")?,
            Call::Answer(id) => write!(f, ", answer {id}")?,
            Call::NoAnswer(id) => write!(f, ", no answer {id}")?,
        }
        match source {
            0 => write!(f, ", made by the environment")?,
            source => write!(f, ", made by peer {}", source - 1)?,
        }
        write!(f, " as event {seq} of its own, payload {payload:016x}")
    }
}

/// Sees every event after it was handled, in the engine's order.
pub trait Trace {
    /// One event was handled.
    fn handled(&mut self, event: &Handled);

    /// The run is over; `sums` is the rest of the digest's input.
    fn finished(&mut self, sums: &Sums) {
        let _ = sums;
    }
}

/// The digest's input besides events, each in the digest's order.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Sums {
    /// The drop counters.
    pub drops: Vec<u64>,
    /// The encoded bytes that were sent, by class of delivery.
    pub bytes: Vec<u64>,
    /// The measures' integers.
    pub measures: Vec<u64>,
}

impl Sums {
    pub(crate) fn of(ledger: &Ledger, measures: &Measurements) -> Sums {
        let mut words = Vec::new();
        measures.words(&mut |word| words.push(word));
        let bytes = [ledger.datagram.bytes, ledger.reliable.bytes].into();
        Sums { drops: ledger.drops(), bytes, measures: words }
    }

    /// All of them, in the digest's order.
    pub fn words(&self) -> impl Iterator<Item = u64> {
        [&self.drops, &self.bytes, &self.measures].into_iter().flatten().copied()
    }
}

/// Writes events as JSON lines:
/// `{"time":0,"round":0,"seat":3,"kind":"start","source":0,"seq":3,"life":1}`, with `port` where
/// the event is for one peerlet and `question`, `answer` or `no_answer` where it is part of the
/// call with that number; and at the end one line with `seats`, `drops`, `bytes` and `measures`.
/// From these a script can recompute the digest.
pub struct JsonTrace<W: Write> {
    out: W,
    seats: u32,
    error: Option<io::Error>,
}

impl<W: Write> JsonTrace<W> {
    /// A trace of a run with this many seats. Give a buffered writer.
    pub fn new(out: W, seats: u32) -> JsonTrace<W> {
        JsonTrace { out, seats, error: None }
    }

    /// Flushes the writer.
    ///
    /// # Errors
    /// The first error that writing met; nothing was written after it.
    pub fn finish(mut self) -> io::Result<()> {
        match self.error.take() {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }

    fn write(&mut self, line: &str) {
        if self.error.is_none() {
            self.error = self.out.write_all(line.as_bytes()).err();
        }
    }
}

impl<W: Write> Trace for JsonTrace<W> {
    fn handled(&mut self, e: &Handled) {
        let (time, kind) = (e.time.as_nanos(), e.kind.name());
        let Handled { round, seat, source, seq, life, .. } = e;
        let port = e.port.map_or(String::new(), |port| format!(",\"port\":{}", port.0));
        let call = match e.call {
            Call::None => String::new(),
            Call::Question(id) => format!(",\"question\":{id}"),
            Call::Answer(id) => format!(",\"answer\":{id}"),
            Call::NoAnswer(id) => format!(",\"no_answer\":{id}"),
        };
        self.write(&format!(
            "{{\"time\":{time},\"round\":{round},\"seat\":{seat},\"kind\":\"{kind}\",\
             \"source\":{source},\"seq\":{seq},\"life\":{life}{port}{call}}}\n"
        ));
    }

    fn finished(&mut self, sums: &Sums) {
        let (seats, Sums { drops, bytes, measures }) = (self.seats, sums);
        self.write(&format!(
            "{{\"seats\":{seats},\"drops\":{drops:?},\"bytes\":{bytes:?},\
             \"measures\":{measures:?}}}\n"
        ));
    }
}
