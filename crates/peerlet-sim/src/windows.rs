//! Runs one worker's blocks through a window: gather, sort, handle.

use peerlet_core::{Seat, Time};

use crate::chart::Doings;
use crate::event::{Event, Key};
use crate::fabric::Queue;
use crate::grid::Grid;
use crate::packed::{PLACE_SHIFT, PLAIN, Packed, Rank, TIMER};
use crate::ring::{Chunk, Near, Ring};
use crate::sort::{self, INDEX_BITS, INDICES, sort};
use crate::watch::Watch;
use crate::worker::Worker;

/// So many events ahead, what they need is asked for.
const PREFETCH: usize = 12;

/// What is used again from block to block.
#[derive(Default)]
pub(crate) struct Scratch {
    chunks: Vec<Chunk>,
    batch: Vec<Packed>,
    handles: Vec<u64>,
    sorting: sort::Scratch,
    ties: Vec<(Rank, u64)>,
}

impl Worker {
    pub(crate) fn ring(&mut self) -> &mut Ring {
        match &mut self.fabric.queue {
            Queue::Ring(ring) => ring,
            Queue::Heap(_) => unreachable!("the windowed engine's workers have rings"),
        }
    }

    /// Runs what the window has for these blocks before `limit`.
    pub(crate) fn run_window(
        &mut self,
        window: u64,
        (from, limit): (Time, Time),
        doings: &Doings,
        blocks: std::ops::Range<usize>,
        scratch: &mut Scratch,
        watch: &Watch,
    ) {
        self.fabric.recorder.close_epoch(from);
        self.fabric.lookahead = self.fabric.model.lookahead().max(peerlet_core::NANOSECOND);
        self.fabric.doings = doings.clone();
        self.ring().begin(window, limit);
        let seats = self.fabric.seats.clone();
        for planned in doings.iter().filter(|planned| seats.contains(&planned.seat.0)) {
            let event = Event::Directive(planned.act.clone());
            self.ring().push_now(Worker::key_of(planned), event);
        }
        for block in blocks {
            let before = self.events;
            self.ring().take(block, &mut scratch.chunks);
            if !scratch.chunks.is_empty() {
                let Scratch { chunks, batch, .. } = scratch;
                chunks.iter_mut().for_each(|chunk| batch.append(chunk));
                self.ring().recycle(chunks);
                self.run_block(block, limit, scratch);
                scratch.batch.clear();
                watch.add_events(self.events - before);
            }
        }
        self.fabric.doings = Doings::default();
    }

    fn run_block(&mut self, block: usize, limit: Time, scratch: &mut Scratch) {
        let grid = *self.ring().grid();
        let start = self.ring().start().as_nanos();
        let first = grid.first_seat(block);
        let (seats, stamped) = (self.fabric.seats.clone(), self.is_stamped());
        let Scratch { batch, handles, sorting, ties, .. } = scratch;
        let at = |place: u64| {
            let (local, offset) = grid.split(place);
            (Seat(first.wrapping_add(local)), Time::from_nanos(start.wrapping_add(offset)))
        };
        if batch.len() > INDICES {
            return self.run_crowd(at, limit, batch);
        }
        order(batch, handles, (sorting, ties), &grid, |place| at(place).0);
        for (i, handle) in handles.iter().enumerate() {
            if let Some(later) = handles.get(i + PREFETCH) {
                let (local, _) = grid.split(later >> INDEX_BITS);
                let port = packed(batch, *later).port();
                self.prefetch((first - seats.start + local) as usize, port);
            }
            let place = handle >> INDEX_BITS;
            let (seat, time) = at(place);
            let packed = packed_mut(batch, *handle);
            if time >= limit {
                let packed = packed.leave();
                self.ring().push_back(seat, packed, place);
                continue;
            }
            if has_near(&self.fabric.queue) {
                let key = packed.key(seat, time);
                self.run_near(|near| near.seat != seat || *near < key);
            }
            match packed.kind() {
                PLAIN if !stamped => {
                    let port = packed.port();
                    let (source, seq, body) = packed.parts();
                    self.plain(Key { time, round: 0, seat, source, seq }, port, body);
                }
                TIMER if !stamped => {
                    let (port, source) = (packed.port(), seat.0.wrapping_add(1));
                    let (handle, seq, body) = packed.parts();
                    self.timer(Key { time, round: 0, seat, source, seq }, port, handle, body);
                }
                _ => {
                    let (key, event) = packed.unpack(seat, time);
                    self.happen(key, event);
                }
            }
        }
        if has_near(&self.fabric.queue) {
            self.run_near(|_| true);
        }
    }

    /// Runs a block with more events than handles can tell apart: by a heap.
    #[cold]
    fn run_crowd(&mut self, at: impl Fn(u64) -> (Seat, Time), limit: Time, batch: &mut [Packed]) {
        for packed in batch {
            let place = packed.place_high() >> PLACE_SHIFT;
            let (seat, time) = at(place);
            if time >= limit {
                let packed = packed.leave();
                self.ring().push_back(seat, packed, place);
            } else {
                let (key, event) = packed.unpack(seat, time);
                self.ring().push_near(key, event);
            }
        }
        self.run_near(|_| true);
    }

    /// Handles events that the peer at hand made for itself in the running window.
    #[inline(never)]
    fn run_near(&mut self, wanted: impl Fn(&Key) -> bool) {
        while let Some(Near { key, event }) = self.ring().pop_near_if(&wanted) {
            self.happen(key, event);
        }
    }
}

#[inline(always)]
fn has_near(queue: &Queue) -> bool {
    matches!(queue, Queue::Ring(ring) if ring.has_near())
}

#[inline(always)]
fn packed(batch: &[Packed], handle: u64) -> &Packed {
    &batch[handle as usize & (INDICES - 1)]
}

#[inline(always)]
fn packed_mut(batch: &mut [Packed], handle: u64) -> &mut Packed {
    &mut batch[handle as usize & (INDICES - 1)]
}

/// Fills `handles` with one handle an event, in the contract's order for each seat.
fn order(
    batch: &[Packed],
    handles: &mut Vec<u64>,
    (sorting, ties): (&mut sort::Scratch, &mut Vec<(Rank, u64)>),
    grid: &Grid,
    seat_at: impl Fn(u64) -> Seat,
) {
    handles.clear();
    handles.extend(batch.iter().zip(0..).map(|(packed, index)| packed.place_high() | index));
    if !sort(handles, sorting, grid.place_bits(), grid.block_bits()) {
        return;
    }
    // Events of one peer at one instant are rare, but they may be many.
    let mut i = 1;
    while i < handles.len() {
        let place = handles[i] >> INDEX_BITS;
        if handles[i - 1] >> INDEX_BITS != place {
            i += 1;
            continue;
        }
        let (from, seat) = (i - 1, seat_at(place));
        while i < handles.len() && handles[i] >> INDEX_BITS == place {
            i += 1;
        }
        let ranked = handles[from..i].iter().map(|h| (packed(batch, *h).rank(seat), *h));
        ties.clear();
        ties.extend(ranked);
        ties.sort_unstable();
        for (handle, (_, sorted)) in handles[from..i].iter_mut().zip(&*ties) {
            *handle = *sorted;
        }
        i += 1;
    }
}
