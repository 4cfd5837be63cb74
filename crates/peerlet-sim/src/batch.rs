//! The events of one block in the running window, in the order in which they are handled.

use std::mem;

use peerlet_core::runtime::{PackedEvent, RowOf};
use peerlet_core::{Seat, Time};

use crate::grid::Grid;
use crate::packed::{Chunk, rank};
use crate::sort::{Bits, Lanes, Sorter};

/// The events of one block in one window.
pub(crate) struct Batch {
    /// All events, one lane after the other.
    lanes: Lanes,
    /// The lane of the next event that was not taken yet.
    lane: usize,
    /// That event's index in its lane.
    next: usize,
    view: View,
    sorter: Sorter,
}

/// Turns key bits into a seat and an instant.
#[derive(Clone, Copy)]
pub(crate) struct View {
    grid: Grid,
    /// The first seat of the worker.
    first_row: u32,
    /// The first seat of the block.
    first: u32,
    /// The window's start.
    start: u64,
    pub(crate) rows: RowOf,
}

impl View {
    /// The seat and the instant of an event in this row.
    #[inline(always)]
    pub(crate) fn of_row(&self, event: &PackedEvent, row: u32) -> (Seat, Time) {
        let (_, offset) = self.grid.split(event.place_high() >> PackedEvent::PLACE_SHIFT);
        (Seat(self.first_row.wrapping_add(row)), Time::from_nanos(self.start | offset))
    }

    /// The seat and the instant of an event.
    #[inline(always)]
    pub(crate) fn at(&self, event: &PackedEvent) -> (Seat, Time) {
        let (local, offset) = self.grid.split(event.place_high() >> PackedEvent::PLACE_SHIFT);
        (Seat(self.first.wrapping_add(local)), Time::from_nanos(self.start | offset))
    }
}

impl Batch {
    /// A batch of a worker whose rows begin with this seat.
    pub(crate) fn new(grid: Grid, first_row: u32) -> Batch {
        let view = View { grid, first_row, first: 0, start: 0, rows: RowOf::new(0, 0) };
        Batch { lanes: Lanes::default(), lane: 0, next: 0, view, sorter: Sorter::default() }
    }

    /// Takes in the events of a block, in the contract's order for each seat; leaves the chunks
    /// empty.
    pub(crate) fn fill(&mut self, chunks: &mut [Chunk], block: usize, start: Time) {
        let View { grid, first_row, .. } = self.view;
        let (key, destination) = (grid.key_width(), grid.block_bits());
        let first = grid.first_seat(block);
        let rows = RowOf::new(key - destination, first.wrapping_sub(first_row));
        let view = View { grid, first_row, first, start: start.as_nanos(), rows };
        let tie = |a: &PackedEvent, b: &PackedEvent| {
            let seat = view.at(a).0;
            rank(a, seat).cmp(&rank(b, seat))
        };
        let bits = Bits { key, destination };
        self.sorter.sort(chunks, &mut self.lanes, bits, tie);
        (self.lane, self.next, self.view) = (0, 0, view);
        self.find_next();
    }

    /// Moves on to the next lane with an event, at the end of a lane.
    fn find_next(&mut self) {
        while self.next == self.lanes[self.lane].len() && self.lane + 1 < self.lanes.len() {
            (self.lane, self.next) = (self.lane + 1, 0);
        }
    }

    /// The lanes, before any event was taken.
    pub(crate) fn lanes(&self) -> &[Vec<PackedEvent>] {
        &self.lanes
    }

    /// The lanes, before any event was taken.
    #[cfg(feature = "injected-bugs")]
    pub(crate) fn lanes_mut(&mut self) -> &mut [Vec<PackedEvent>] {
        &mut self.lanes
    }

    /// How the events' key bits are read.
    #[inline(always)]
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// The events of the lane that were not taken yet.
    pub(crate) fn rest(&self) -> &[PackedEvent] {
        &self.lanes[self.lane][self.next..]
    }

    /// Lends the lane out, with the number of its events that were taken.
    pub(crate) fn lend(&mut self) -> (Vec<PackedEvent>, usize) {
        (mem::take(&mut self.lanes[self.lane]), self.next)
    }

    /// Takes the lane back, with the number of its events that were taken by now. True if all were.
    pub(crate) fn give_back(&mut self, events: Vec<PackedEvent>, taken: usize) -> bool {
        let is_over = taken == events.len();
        (self.lanes[self.lane], self.next) = (events, taken);
        self.find_next();
        is_over
    }

    /// The next event that was not taken yet.
    pub(crate) fn first(&self) -> Option<&PackedEvent> {
        self.rest().first()
    }

    /// Takes out the next event.
    pub(crate) fn pop(&mut self) -> Option<(Seat, Time, PackedEvent)> {
        let event = self.lanes[self.lane].get_mut(self.next)?;
        self.next += 1;
        let (seat, time) = self.view.at(event);
        let event = event.leave();
        self.find_next();
        Some((seat, time, event))
    }
}
