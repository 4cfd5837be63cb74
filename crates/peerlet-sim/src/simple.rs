//! The reference engine: one heap, one event after the other, every directive a cut.
//!
//! It is slow and short. The windowed engine must always come to the same digest.

use peerlet_core::{NANOSECOND, Time};

use crate::director::Director;
use crate::event::{Event, Key};
use crate::outcome::RunError;
use crate::running_seats::RunningSeats;
use crate::trace::Trace;
use crate::watch::Watch;
use crate::worker::{ENVIRONMENT, Worker};

/// Runs until just before `until`.
pub(crate) fn run(
    worker: &mut Worker,
    director: &mut Director,
    mut trace: Option<&mut Box<dyn Trace>>,
    (running_seats, watch): (&RunningSeats, &Watch),
    until: Time,
) -> Result<(), RunError> {
    while step(worker, director, trace.as_deref_mut(), (running_seats, watch), until)?.is_some() {}
    Ok(())
}

/// Handles the next event or directive before `until`, and returns its instant; `None` when there
/// is none left. A run that is watched ends at cuts only.
pub(crate) fn step(
    worker: &mut Worker,
    director: &mut Director,
    trace: Option<&mut Box<dyn Trace>>,
    (running_seats, watch): (&RunningSeats, &Watch),
    until: Time,
) -> Result<Option<Time>, RunError> {
    let before = worker.state.events;
    let time = loop {
        let now = director.now;
        if now >= until || (worker.is_at_cut && watch.is_stopped()) {
            return Ok(None);
        }
        if worker.is_at_cut {
            worker.state.recorder.close_epoch(now);
            worker.state.ask_lookahead();
            worker.is_at_cut = false;
        }
        if let Some((time, seq, seat)) = director.peek_before(now + NANOSECOND) {
            let key = Key { time, round: 0, seat, source: ENVIRONMENT, seq };
            // A directive's effect, the end of a pause, may fall on this instant.
            match pop_if(worker, |earlier| *earlier < key) {
                Some((key, event)) => worker.happen(key, event),
                None => {
                    let planned = director.next_before(now + NANOSECOND);
                    worker.carry_out(planned.expect("it was seen"), running_seats);
                }
            }
            break now;
        }
        let next = director.next_cut().min(until);
        if let Some((key, event)) = pop_if(worker, |key| key.time < next) {
            let time = key.time;
            worker.happen(key, event);
            worker.sweep(time);
            break time;
        }
        (director.now, worker.is_at_cut) = (next, true);
        watch.reached(next);
    };
    watch.add_events(worker.state.events - before);
    worker.show(trace);
    match worker.state.endless {
        Some((at, seat)) => Err(RunError::Endless { seat, at }),
        None => Ok(Some(time)),
    }
}

fn pop_if(worker: &mut Worker, is_wanted: impl Fn(&Key) -> bool) -> Option<(Key, Event)> {
    worker.state.heap.as_mut()?.pop_if(is_wanted)
}
