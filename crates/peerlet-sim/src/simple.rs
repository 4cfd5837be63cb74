//! The reference engine: one heap, one event after the other, every directive a cut.
//!
//! It is slow and short. The windowed engine must always come to the same digest.

use peerlet_core::{Seat, Time};

use crate::director::Director;
use crate::event::{Event, Key};
use crate::running_seats::{Planned, RunningSeats};
use crate::trace::Trace;
use crate::watch::Watch;
use crate::worker::Worker;

/// Runs until just before `until`; returns the first peer that ran out of rounds.
pub(crate) fn run(
    worker: &mut Worker,
    director: &mut Director,
    mut trace: Option<&mut Box<dyn Trace>>,
    (running_seats, watch): (&RunningSeats, &Watch),
    until: Time,
) -> Result<(), (Time, Seat)> {
    while director.now < until && !watch.is_stopped() {
        let (now, before) = (director.now, worker.state.events);
        worker.state.recorder.close_epoch(now);
        worker.state.ask_lookahead();
        while let Some(planned) = director.next_before(Time::from_nanos(now.as_nanos() + 1)) {
            // A directive's effect, the end of a pause, may fall on this instant.
            let key = Worker::key_of(&planned);
            while let Some((key, event)) = pop_if(worker, |earlier| *earlier < key) {
                worker.happen(key, event);
                show(worker, &mut trace);
            }
            direct(worker, running_seats, planned);
            show(worker, &mut trace);
        }
        let next = director.next_cut().min(until);
        while let Some((key, event)) = pop_if(worker, |key| key.time < next) {
            let time = key.time;
            worker.happen(key, event);
            worker.sweep(time);
            show(worker, &mut trace);
            if let Some(endless) = worker.state.endless {
                return Err(endless);
            }
        }
        director.now = next;
        watch.reached(next);
        watch.add_events(worker.state.events - before);
    }
    Ok(())
}

/// Shows the handled events to the trace at once.
fn show(worker: &mut Worker, trace: &mut Option<&mut Box<dyn Trace>>) {
    if let (Some(trace), Some(handled)) = (trace, &mut worker.state.trace) {
        handled.drain(..).for_each(|handled| trace.handled(&handled));
    }
}

fn direct(worker: &mut Worker, running_seats: &RunningSeats, planned: Planned) {
    let (key, seat, running) = (Worker::key_of(&planned), planned.seat, planned.leaves_running());
    if running == Some(true) {
        running_seats.set_running(seat, true);
    }
    worker.direct(key, planned.act);
    if running == Some(false) {
        running_seats.set_running(seat, false);
    }
}

fn pop_if(worker: &mut Worker, is_wanted: impl Fn(&Key) -> bool) -> Option<(Key, Event)> {
    worker.state.heap.as_mut()?.pop_if(is_wanted)
}
