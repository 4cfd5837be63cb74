//! Sweeps obsolete timers and waits of tasks out of the queue.

use peerlet_core::Time;
use peerlet_core::runtime::{Host, Swept};

use crate::event::{Event, Key};
use crate::worker::Worker;
use crate::worker_state::WorkerState;

impl Worker {
    /// Drops obsolete timers and waits of tasks, when many are pending. None of them would be an
    /// event. All events before `now` have been handled.
    pub(crate) fn sweep(&mut self, now: Time) {
        let Worker { host, state, .. } = self;
        let WorkerState { queue, heap, seat_states, pauses, seats, swept, .. } = state;
        let keep = |key: &Key, event: &Event| {
            let row = key.seat.0.wrapping_sub(seats.start) as usize;
            // Messages for other workers' peers are in the queue as well.
            let Some(seat_state) = seat_states.get(row) else { return true };
            is_of_use(host, row, pauses.born(key.seat).unwrap_or(seat_state.born), key, event)
        };
        let beyond = match heap {
            Some(heap) => heap.sweep(keep).then_some(now),
            None => queue.sweep(keep).then(|| queue.reach()),
        };
        if let Some(beyond) = beyond {
            *swept = Swept { at: now, beyond };
        }
    }

    /// Whether an event for a paused peer is not obsolete. Only such events wait for the end of the
    /// pause; otherwise the number of rounds would depend on earlier sweeps.
    pub(crate) fn is_worth_holding(&mut self, key: &Key, event: &Event) -> bool {
        let row = self.state.row(key.seat);
        let born = self.state.pauses.born(key.seat).unwrap_or(self.state.seat_states[row].born);
        is_of_use(&mut self.host, row, born, key, event)
    }
}

/// Whether an event is of use to its peer, whose life's first event is `born`: canceled timers and
/// finished waits are not, nor any of older lives.
fn is_of_use(host: &mut Host, row: usize, born: u64, key: &Key, event: &Event) -> bool {
    match event {
        Event::Timer { handle, .. } => key.seq >= born && !host.is_cancelled(row, *handle),
        Event::Wake { task, operation } => key.seq >= born && host.is_open(row, *task, *operation),
        Event::Directive(_) | Event::Plain { .. } | Event::Rare(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use peerlet_core::runtime::{Act, Directive};
    use peerlet_core::{Context, HOUR, Nothing, Peer, Peerlet, SECOND, Seat, Task, Time, TimerId};

    use crate::{Engine, Setup, Simulation};

    /// Every second: sets timers that are due days later and takes them back, in all ways there
    /// are, and waits as a task for what comes much sooner.
    #[derive(Default)]
    struct Restless {
        timers: Vec<TimerId>,
        /// Far away, and taken back long ago.
        old: VecDeque<TimerId>,
    }

    impl Peerlet for Restless {
        const NAME: &'static str = "restless";
        type Message = Nothing;
        type Timer = u32;

        fn start(&mut self, ctx: &mut Context<Self>) {
            ctx.every(SECOND, 0);
            // Of no use in the next life.
            (0..100).for_each(|_| _ = ctx.after(HOUR * 240, 1));
        }

        fn timer(&mut self, ctx: &mut Context<Self>, timer: u32) {
            assert_eq!(timer, 0, "it was taken back");
            self.timers.iter().for_each(|timer| ctx.cancel(*timer));
            self.old.extend(self.timers.drain(..));
            self.old.drain(..self.old.len().saturating_sub(4_000)).for_each(|old| ctx.cancel(old));
            for _ in 0..10 {
                self.timers.push(ctx.after(HOUR * 24, 2));
                self.timers.push(ctx.every(HOUR * 24, 3));
            }
            // They are gone when they are taken back for the second time.
            let gone = ctx.every(SECOND / 4, 4);
            ctx.cancel(gone);
            self.timers.push(gone);
            ctx.spawn(|task: Task<Self>| async move {
                let naps = [task.sleep(HOUR * 24), task.sleep(SECOND / 2)];
                peerlet_core::race(naps).await;
            });
        }
    }

    fn check(engine: Engine) {
        let mut setup = Setup::new(2, HOUR * 3, |_| Peer::new().with(Restless::default()));
        setup.engine = engine;
        let minute = |n: u64| Time::ZERO + SECOND * 60 * n;
        let directives = (0..180).flat_map(|n| {
            // One peer lives on, the other one is restarted every minute.
            let act = |seat, act| Directive { at: minute(n), seat: Seat(seat), act };
            let start = act(1, Act::Start);
            match n {
                0 => vec![act(0, Act::Start), start],
                _ => vec![act(1, Act::Stop), start],
            }
        });
        let directives: Vec<_> = directives.collect();
        let mut simulation = Simulation::new(setup, directives).expect("it can run");
        let (mut waiting, mut noted) = (0, 0);
        for n in 1..180 {
            simulation.run_until(minute(n)).expect("it ends");
            let worker = &simulation.workers()[0];
            let heap = worker.state.heap.as_ref().map_or(0, |heap| heap.iter().count());
            waiting = waiting.max(worker.state.queue.far_events() + heap);
            noted = noted.max(worker.host.cancelled(0).max(worker.host.cancelled(1)));
        }
        // Without a look through them, there would be half a million.
        assert!(waiting <= 8_192, "{waiting} timers and waits were kept");
        assert!(noted <= 8_192, "{noted} notes were kept");
    }

    #[test]
    fn hours_of_timers_taken_back_leave_nothing_behind() {
        check(Engine::Windowed);
    }

    #[test]
    fn nor_do_they_in_the_reference_engine() {
        check(Engine::Reference);
    }
}
