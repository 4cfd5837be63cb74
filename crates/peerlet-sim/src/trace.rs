//! Every event that was handled, for whoever wants to look: files, comparisons, scripts.

use std::io::{self, Write};

use peerlet_core::{Seat, Time};

use crate::digest::EventKind;

/// One event that a peer handled, in the terms of the contract's order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handled {
    /// When, in the engine's time.
    pub time: Time,
    /// In which round of that instant.
    pub round: u32,
    /// Who handled it.
    pub seat: Seat,
    /// What it was.
    pub kind: EventKind,
    /// Who made it: 0 for the environment, seat + 1 for a peer.
    pub source: u32,
    /// The source's own count of events it made.
    pub seq: u64,
    /// The life that handled it.
    pub life: u32,
    /// The hash of a message's encoded payload, when the run encodes messages; otherwise 0. The
    /// digest leaves it out, so that encoding moves no digest.
    pub payload: u64,
}

impl Handled {
    /// Where the event stands in a run: by instant; first what the environment does, in its own
    /// order; then by seat, and for each seat in the contract's order.
    pub(crate) fn order(&self) -> (Time, u32, bool, u64, Seat, u32, u64) {
        let own = self.source != 0;
        let directed = if own { 0 } else { self.seq };
        (self.time, self.round, own, directed, self.seat, self.source, self.seq)
    }
}

/// Sees every event after it was handled, in the engine's order.
pub trait Trace {
    /// One event was handled.
    fn handled(&mut self, event: &Handled);

    /// The run is over: what the digest holds besides events. `drops` are the drop counters and
    /// `measures` the measures' integers, both in the digest's order.
    fn finished(&mut self, drops: &[u64], measures: &[u64]) {
        let _ = (drops, measures);
    }
}

/// Writes events as JSON lines:
/// `{"time":0,"round":0,"seat":3,"kind":"start","source":0,"seq":3,"life":1}`, and at the end one
/// line with `seats`, `drops` and `measures`. From these a script can recompute the digest.
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

    /// Flushes what was written.
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
        self.write(&format!(
            "{{\"time\":{time},\"round\":{round},\"seat\":{seat},\"kind\":\"{kind}\",\
             \"source\":{source},\"seq\":{seq},\"life\":{life}}}\n"
        ));
    }

    fn finished(&mut self, drops: &[u64], measures: &[u64]) {
        let seats = self.seats;
        self.write(&format!(
            "{{\"seats\":{seats},\"drops\":{drops:?},\"measures\":{measures:?}}}\n"
        ));
    }
}
