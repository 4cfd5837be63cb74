//! Runs one worker's blocks through a window: gather, sort, handle.

use std::mem;
use std::ops::Range;

use peerlet_core::runtime::{Depth, PackedEvents};
use peerlet_core::{Seat, Time};
use peerlet_memory::prefetch;

use crate::chart::Doings;
use crate::event::{Event, Key};
use crate::fabric::{Fabric, Moment};
use crate::here::Here;
use crate::packed::{prefetch_box, unpack};
use crate::ring::{Chunk, Near};
use crate::watch::Watch;
use crate::worker::Worker;

/// So many events ahead, the cache is asked for the last of what those of the less common sort
/// need; and for where to find it twice, three and four times as many.
const SOON: usize = 3;

impl Worker {
    /// Runs what the window has for these blocks before `limit`.
    pub(crate) fn run_window(
        &mut self,
        window: u64,
        (from, limit): (Time, Time),
        doings: &Doings,
        blocks: Range<usize>,
        watch: &Watch,
    ) {
        let fabric = &mut self.fabric;
        fabric.recorder.close_epoch(from);
        fabric.ask_lookahead();
        fabric.doings = doings.clone();
        fabric.ring.begin(window, limit);
        let seats = fabric.seats.clone();
        for planned in doings.iter().filter(|planned| seats.contains(&planned.seat.0)) {
            let event = Event::Directive(planned.act.clone());
            fabric.ring.push_now(Worker::key_of(planned), event);
        }
        let mut chunks = mem::take(&mut fabric.chunks);
        for block in blocks {
            self.fabric.ring.take(block, &mut chunks);
            if !chunks.is_empty() {
                let before = self.fabric.events;
                self.run_block(block, &mut chunks);
                self.fabric.ring.recycle(&mut chunks);
                watch.add_events(self.fabric.events - before);
            }
        }
        self.fabric.chunks = chunks;
        self.fabric.empty_outbox();
        self.fabric.ring.end();
        self.sweep(limit);
        self.fabric.doings = Doings::default();
    }

    fn run_block(&mut self, block: usize, chunks: &mut [Chunk]) {
        let fabric = &mut self.fabric;
        fabric.batch.fill(chunks, block, fabric.ring.start());
        #[cfg(feature = "planted")]
        if fabric.plants(crate::planted::Planted::WrongTieBreak) {
            fabric.batch.break_ties();
        }
        for lane in fabric.batch.lanes() {
            self.host.look_ahead(lane, fabric.batch.view().rows, |row| {
                prefetch(&fabric.places, row as usize);
            });
        }
        loop {
            while self.fabric.is_common_next() && self.run_lane() {}
            if !self.step() {
                break;
            }
        }
        self.run_near(|_| true);
    }

    /// Handles events of the batch's lane, as long as they are of the common sort. Whether that was
    /// to its end.
    fn run_lane(&mut self) -> bool {
        let batch = &mut self.fabric.batch;
        let rows = batch.view().rows;
        let (mut all, next) = batch.lend();
        let mut turns = PackedEvents { all: &mut all, next, rows };
        let now = Moment { time: Time::ZERO, round: 0 };
        let mut here = Here::new(&mut self.fabric, Seat(0), now, None);
        self.host.run(&mut here, &mut turns);
        let taken = turns.next;
        self.fabric.flush();
        self.fabric.batch.give_back(all, taken)
    }

    /// Handles the next event, whatever it is; false when there is none.
    fn step(&mut self) -> bool {
        self.look_ahead();
        let Some((seat, time, turn)) = self.fabric.batch.pop() else { return false };
        if !self.fabric.ring.is_near(time) {
            self.fabric.ring.push_back(seat, time, turn);
            return true;
        }
        let (key, event) = unpack(turn, seat, time);
        self.run_near(|near| near.seat != key.seat || *near < key);
        self.happen(key, event);
        true
    }

    /// Asks the cache for what events of the less common sort will need.
    fn look_ahead(&self) {
        let Fabric { batch, places, .. } = &self.fabric;
        let (turns, rows) = (batch.rest(), batch.view().rows);
        turns.get(2 * SOON).into_iter().for_each(prefetch_box);
        for (steps, depth) in (1..).zip([Depth::Future, Depth::Task, Depth::Rare, Depth::Life]) {
            let Some(turn) = turns.get(steps * SOON) else { break };
            let row = rows.of(turn);
            if depth == Depth::Life {
                prefetch(places, row as usize);
            }
            self.host.prefetch(row, depth);
        }
    }

    /// Handles events that the peer at hand made for itself in the running window.
    fn run_near(&mut self, wanted: impl Fn(&Key) -> bool) {
        while let Some(Near { key, event }) = self.fabric.ring.pop_near_if(&wanted) {
            self.happen(key, event);
        }
    }
}
