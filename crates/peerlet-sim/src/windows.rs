//! Runs one worker's blocks through a window: gather, sort, handle.

use std::mem;
use std::ops::Range;

use peerlet_core::runtime::{Depth, PackedEvents};
use peerlet_core::{Seat, Time};
use peerlet_memory::prefetch;

use crate::calendar_queue::Near;
use crate::event::{Event, Key};
use crate::packed::{Chunk, prefetch_box, unpack};
use crate::running_seats::WindowDirectives;
use crate::sim_world::SimWorld;
use crate::watch::Watch;
use crate::worker::Worker;
use crate::worker_state::{Moment, WorkerState};

/// The prefetch distance, in events, of the last data that a less common event needs; the data on
/// the way to it is prefetched two, three and four times as far ahead.
const SOON: usize = 3;

impl Worker {
    /// Runs the window's events of these blocks before `limit`.
    pub(crate) fn run_window(
        &mut self,
        window: u64,
        (from, limit): (Time, Time),
        directives: &WindowDirectives,
        blocks: Range<usize>,
        watch: &Watch,
    ) {
        let state = &mut self.state;
        state.recorder.close_epoch(from);
        state.ask_lookahead();
        state.directives = directives.clone();
        state.queue.begin(window, limit);
        let seats = state.seats.clone();
        for planned in directives.iter().filter(|planned| seats.contains(&planned.seat.0)) {
            let event = Event::Directive(planned.act.clone());
            state.queue.push_now(Worker::key_of(planned), event);
        }
        let mut chunks = mem::take(&mut state.chunks);
        for block in blocks {
            self.state.queue.take(block, &mut chunks);
            if !chunks.is_empty() {
                let before = self.state.events;
                self.run_block(block, &mut chunks);
                self.state.queue.recycle(&mut chunks);
                watch.add_events(self.state.events - before);
            }
        }
        self.state.chunks = chunks;
        self.state.empty_outbox();
        self.state.queue.end();
        self.sweep(limit);
        self.state.directives = WindowDirectives::default();
    }

    fn run_block(&mut self, block: usize, chunks: &mut [Chunk]) {
        let state = &mut self.state;
        state.batch.fill(chunks, block, state.queue.start());
        #[cfg(feature = "injected-bugs")]
        if state.has_bug(crate::injected_bugs::InjectedBug::WrongTieBreak) {
            state.batch.break_ties();
        }
        for lane in state.batch.lanes() {
            self.host.look_ahead(lane, state.batch.view().rows, |row| {
                prefetch(&state.seat_states, row as usize);
            });
        }
        loop {
            while self.state.is_common_next() && self.run_lane() {}
            if !self.step() {
                break;
            }
        }
        self.run_near(|_| true);
    }

    /// Handles events of the batch's lane, as long as they are common ones. True if that was to its
    /// end.
    fn run_lane(&mut self) -> bool {
        let batch = &mut self.state.batch;
        let rows = batch.view().rows;
        let (mut all, next) = batch.lend();
        let mut events = PackedEvents { all: &mut all, next, rows };
        let now = Moment { time: Time::ZERO, round: 0 };
        let mut world = SimWorld::new(&mut self.state, Seat(0), now, None);
        self.host.run(&mut world, &mut events);
        let taken = events.next;
        self.state.flush();
        self.state.batch.give_back(all, taken)
    }

    /// Handles the next event of any kind; false if there is none.
    fn step(&mut self) -> bool {
        self.look_ahead();
        let Some((seat, time, event)) = self.state.batch.pop() else { return false };
        if !self.state.queue.is_near(time) {
            self.state.queue.push_back(seat, time, event);
            return true;
        }
        let (key, event) = unpack(event, seat, time);
        self.run_near(|near| near.seat != key.seat || *near < key);
        self.happen(key, event);
        true
    }

    /// Prefetches the data of less common events.
    fn look_ahead(&self) {
        let WorkerState { batch, seat_states, .. } = &self.state;
        let (events, rows) = (batch.rest(), batch.view().rows);
        events.get(2 * SOON).into_iter().for_each(prefetch_box);
        for (steps, depth) in (1..).zip([Depth::Future, Depth::Task, Depth::Rare, Depth::Life]) {
            let Some(event) = events.get(steps * SOON) else { break };
            let row = rows.of(event);
            if depth == Depth::Life {
                prefetch(seat_states, row as usize);
            }
            self.host.prefetch(row, depth);
        }
    }

    /// Handles events that the current peer made for itself in the running window.
    fn run_near(&mut self, wanted: impl Fn(&Key) -> bool) {
        while let Some(Near { key, event }) = self.state.queue.pop_near_if(&wanted) {
            self.happen(key, event);
        }
    }
}
