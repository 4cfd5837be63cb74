//! The windowed engine's calendar queue: buckets of (window, block of peers), in a ring of windows.
//!
//! A window is no longer than the model's smallest delay, so that a peer's actions within a window
//! reach no other peer before its end. Events for later windows are appended to their bucket, a
//! chain of pooled chunks, and not read until that window runs. Events beyond the ring's reach are
//! kept by revolution (`far`). A peer's own events within the running window are `near`.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};
use std::mem;

use peerlet_core::runtime::PackedEvent;
use peerlet_core::{NANOSECOND, Seat, Time};

use crate::event::{Event, Key};
use crate::grid::Grid;
use crate::packed::{Chunk, class, pack};

/// The events of one window and block: full chunks in no order, and one that is being filled.
#[derive(Default)]
struct Bucket {
    tail: Chunk,
    full: Vec<Chunk>,
}

/// A peer's own event in the running window.
pub(crate) struct Near {
    pub(crate) key: Key,
    pub(crate) event: Event,
}

impl PartialEq for Near {
    fn eq(&self, other: &Near) -> bool {
        self.key == other.key
    }
}

impl Eq for Near {}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Near) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The earliest first.
impl Ord for Near {
    fn cmp(&self, other: &Near) -> Ordering {
        other.key.cmp(&self.key)
    }
}

/// The number of far events from which obsolete ones are swept out.
const SWEEP_MIN: usize = 4_096;

/// Events beyond the ring's reach, of one revolution.
struct Far {
    first: u64,
    events: Vec<(Key, Event)>,
}

/// Gives a bucket an empty chunk.
#[cold]
#[inline(never)]
fn grow(
    bucket: &mut Bucket,
    size: usize,
    pool: &mut Vec<Chunk>,
    in_use: &mut usize,
    occupied: &mut [u64],
    slot: usize,
) {
    let chunk = pool.pop().unwrap_or_else(|| Vec::with_capacity(size));
    *in_use += 1;
    let full = mem::replace(&mut bucket.tail, chunk);
    if full.capacity() > 0 {
        bucket.full.push(full);
    }
    occupied[slot / 64] |= 1 << (slot % 64);
}

/// The pending events that one worker's peers wait for, or made for others.
pub(crate) struct CalendarQueue {
    grid: Grid,
    /// By block, then slot: as many slots as there are windows.
    slot_bits: u32,
    slot_mask: u64,
    buckets: Vec<Bucket>,
    /// Which slots have events, a bit each.
    occupied: Vec<u64>,
    far: BTreeMap<u64, Far>,
    /// How many far events there are, and how many there were after the last sweep.
    far_events: usize,
    far_kept: usize,
    near: BinaryHeap<Near>,
    pool: Vec<Chunk>,
    /// Chunks in buckets.
    in_use: usize,
    /// The window that runs or ran last.
    window: u64,
    /// Events of the window from this instant on wait for its next run.
    limit: Time,
    /// The instant of the first of those, other workers' events included; while it is known.
    left: Option<Time>,
    /// The batch's events before this instant may be handled without a look at anything else: the
    /// limit; or zero, while an event is near or if each event is handled alone.
    common_until: Time,
    is_single: bool,
}

impl CalendarQueue {
    pub(crate) fn new(grid: Grid) -> CalendarQueue {
        let buckets = grid.slots as usize * grid.blocks;
        CalendarQueue {
            slot_bits: grid.slots.ilog2(),
            slot_mask: grid.slots - 1,
            buckets: (0..buckets).map(|_| Bucket::default()).collect(),
            occupied: vec![0; (grid.slots as usize).div_ceil(64)],
            far: BTreeMap::new(),
            far_events: 0,
            far_kept: 0,
            near: BinaryHeap::new(),
            pool: Vec::new(),
            in_use: 0,
            window: 0,
            limit: Time::ZERO,
            left: None,
            common_until: Time::ZERO,
            is_single: false,
            grid,
        }
    }

    /// From now on each event is handled alone.
    pub(crate) fn go_singly(&mut self) {
        self.is_single = true;
    }

    pub(crate) fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The start of the running window.
    pub(crate) fn start(&self) -> Time {
        self.grid.window_start(self.window)
    }

    #[inline]
    fn slot(&self, window: u64) -> usize {
        (window & self.slot_mask) as usize
    }

    #[inline]
    fn index(&self, slot: usize, block: usize) -> usize {
        block << self.slot_bits | slot
    }

    /// Adds an event made by an event of the running window.
    pub(crate) fn push(&mut self, key: Key, event: Event) {
        if self.is_near(key.time) {
            return self.push_near(key, event);
        }
        self.push_later(key, event);
    }

    /// Whether an instant is before the end of this run of the window.
    #[inline(always)]
    pub(crate) fn is_near(&self, time: Time) -> bool {
        time < self.limit
    }

    /// Adds an event that is not for this run of the window.
    fn push_later(&mut self, key: Key, event: Event) {
        if self.reaches(key.time) {
            self.push_now(key, event);
        } else {
            self.push_far(key, event);
        }
    }

    /// Whether the ring has a window for this instant.
    #[inline(always)]
    pub(crate) fn reaches(&self, time: Time) -> bool {
        self.grid.window_at(time).wrapping_sub(self.window) < self.grid.slots
    }

    /// The chunk for an event of this seat and instant, and the event's key bits there; `None` for
    /// an event that is near or far, or where the chunk has no room.
    #[inline(always)]
    pub(crate) fn room_at(&mut self, seat: Seat, time: Time) -> Option<(&mut Chunk, u64)> {
        let window = self.grid.window_at(time);
        let is_reached = time >= self.limit && window.wrapping_sub(self.window) < self.grid.slots;
        let slot = (window & self.slot_mask) as usize;
        let bucket = self.buckets.get_mut(self.grid.block_of(seat) << self.slot_bits | slot)?;
        let has_room = is_reached && bucket.tail.len() < bucket.tail.capacity();
        has_room.then(|| (&mut bucket.tail, self.grid.key_bits(seat, time)))
    }

    /// The chunk for an event of this seat and instant, which the ring reaches, and the event's
    /// key bits there. The chunk has room.
    fn make_room(&mut self, seat: Seat, time: Time) -> (&mut Chunk, u64) {
        let slot = (self.grid.window_at(time) & self.slot_mask) as usize;
        let bucket = &mut self.buckets[self.grid.block_of(seat) << self.slot_bits | slot];
        if bucket.tail.len() == bucket.tail.capacity() {
            grow(
                bucket,
                self.grid.chunk,
                &mut self.pool,
                &mut self.in_use,
                &mut self.occupied,
                slot,
            );
        }
        (&mut bucket.tail, self.grid.key_bits(seat, time))
    }

    /// Adds an event that is due before the current block is done.
    #[inline(never)]
    fn push_near(&mut self, key: Key, event: Event) {
        self.near.push(Near { key, event });
        self.common_until = Time::ZERO;
    }

    /// Adds an event of the running window that its peer did not make itself.
    pub(crate) fn push_now(&mut self, key: Key, event: Event) {
        let (chunk, key_bits) = self.make_room(key.seat, key.time);
        chunk.push(pack(&key, key_bits, event));
    }

    /// Puts an event of the running window back, for its next run.
    pub(crate) fn push_back(&mut self, seat: Seat, time: Time, event: PackedEvent) {
        self.make_room(seat, time).0.push(event);
    }

    #[cold]
    #[inline(never)]
    fn push_far(&mut self, key: Key, event: Event) {
        let window = self.grid.window_at(key.time);
        let far = self.far.entry(window / self.grid.slots);
        let far = far.or_insert_with(|| Far { first: window, events: Vec::new() });
        far.first = far.first.min(window);
        far.events.push((key, event));
        self.far_events += 1;
    }

    /// Drops obsolete far events, if their number has doubled since the last sweep: memory is
    /// proportional to the useful ones, at amortized constant cost. False if it has not.
    pub(crate) fn sweep(&mut self, mut is_of_use: impl FnMut(&Key, &Event) -> bool) -> bool {
        if self.far_events < SWEEP_MIN.max(self.far_kept * 2) {
            return false;
        }
        for far in self.far.values_mut() {
            far.events.retain(|(key, event)| is_of_use(key, event));
            let windows = far.events.iter().map(|(key, _)| self.grid.window_at(key.time));
            far.first = windows.min().unwrap_or(far.first);
        }
        self.far.retain(|_, far| !far.events.is_empty());
        self.far_events = self.far.values().map(|far| far.events.len()).sum();
        self.far_kept = self.far_events;
        true
    }

    /// The first instant that is surely beyond the ring: events from then on are far.
    pub(crate) fn reach(&self) -> Time {
        self.grid.window_start(self.window + self.grid.slots)
    }

    /// How many events wait beyond the ring's reach.
    #[cfg(test)]
    pub(crate) fn far_events(&self) -> usize {
        self.far_events
    }

    /// A lower bound of the next event's instant: that of the first event left by the window that
    /// ran last, or the start of the first window with an event.
    pub(crate) fn next(&self) -> Option<Time> {
        let window = self.next_window()?;
        let left = self.left.filter(|_| window == self.window);
        Some(left.unwrap_or(self.grid.window_start(window)))
    }

    /// The first window with events, not before the one that ran last.
    fn next_window(&self) -> Option<u64> {
        let far = self.far.first_key_value().map(|(_, far)| far.first);
        let slots = self.grid.slots;
        let first = self.window & (slots - 1);
        let set = |slot: u64| self.occupied[(slot / 64) as usize] >> (slot % 64) & 1 == 1;
        let mut ahead = 0;
        let near = loop {
            if ahead >= slots {
                break None;
            }
            let slot = (first + ahead) & (slots - 1);
            if set(slot) {
                break Some(self.window + ahead);
            }
            // Words without any bit are skipped whole.
            let is_empty = slot.is_multiple_of(64) && self.occupied[(slot / 64) as usize] == 0;
            ahead += if is_empty { 64.min(slots) } else { 1 };
        };
        near.into_iter().chain(far).min()
    }

    /// Advances to a window, to run its events before `limit`.
    pub(crate) fn begin(&mut self, window: u64, limit: Time) {
        self.advance(window);
        (self.limit, self.left) = (limit, None);
        self.mind_near();
        let slot = self.slot(window);
        self.occupied[slot / 64] &= !(1 << (slot % 64));
    }

    /// Lets a peer act at this instant, between windows: its own events of the instant are near.
    /// Returns what [`close`](CalendarQueue::close) is to be given.
    pub(crate) fn open(&mut self, now: Time) -> Time {
        mem::replace(&mut self.limit, now + NANOSECOND)
    }

    /// Ends that; returns the peer's own events of the instant, in no order.
    pub(crate) fn close(&mut self, limit: Time) -> impl Iterator<Item = Near> {
        // Events may have joined those that a window cut short left.
        (self.limit, self.left) = (limit, None);
        let near = mem::take(&mut self.near);
        self.mind_near();
        near.into_iter()
    }

    /// Notes the first event that a window cut short leaves, before any is handed over.
    pub(crate) fn end(&mut self) {
        let slot = self.slot(self.window);
        if self.occupied[slot / 64] >> (slot % 64) & 1 == 0 {
            return;
        }
        let buckets = (0..self.grid.blocks).map(|block| &self.buckets[self.index(slot, block)]);
        let events = buckets.flat_map(|bucket| bucket.full.iter().flatten().chain(&bucket.tail));
        let offset =
            |event: &PackedEvent| self.grid.split(event.place_high() >> PackedEvent::PLACE_SHIFT).1;
        let start = self.start().as_nanos();
        self.left = events.map(offset).min().map(|offset| Time::from_nanos(start | offset));
    }

    /// Advances to a window, before which no events are left anywhere.
    pub(crate) fn advance(&mut self, window: u64) {
        self.window = window;
        while let Some(far) = self.far.first_entry() {
            if *far.key() > window / self.grid.slots {
                break;
            }
            let events = far.remove().events;
            self.far_events -= events.len();
            for (key, event) in events {
                self.push_now(key, event);
            }
        }
    }

    /// Takes the events of a block in the running window.
    #[inline]
    pub(crate) fn take(&mut self, block: usize, into: &mut Vec<Chunk>) {
        let index = self.index(self.slot(self.window), block);
        let bucket = &mut self.buckets[index];
        if bucket.tail.capacity() == 0 && bucket.full.is_empty() {
            return;
        }
        into.append(&mut bucket.full);
        if bucket.tail.capacity() > 0 {
            into.push(mem::take(&mut bucket.tail));
        }
    }

    /// Takes back chunks whose events were handled.
    pub(crate) fn recycle(&mut self, chunks: &mut Vec<Chunk>) {
        self.in_use = self.in_use.saturating_sub(chunks.len());
        // The pool shrinks with the number of chunks in use.
        let room = 256 + self.in_use / 2;
        for mut chunk in chunks.drain(..) {
            chunk.clear();
            if self.pool.len() < room {
                self.pool.push(chunk);
            }
        }
    }

    /// Takes out the events that a window has for these blocks of another worker.
    pub(crate) fn hand_over(
        &mut self,
        window: u64,
        blocks: std::ops::Range<usize>,
        into: &mut Vec<(u64, usize, Chunk)>,
    ) {
        if self.far.contains_key(&(window / self.grid.slots)) {
            self.hand_over_far(window, &blocks, into);
        }
        let slot = self.slot(window);
        if window - self.window >= self.grid.slots
            || self.occupied[slot / 64] >> (slot % 64) & 1 == 0
        {
            return;
        }
        for block in blocks {
            let index = self.index(slot, block);
            let bucket = &mut self.buckets[index];
            for chunk in bucket.full.drain(..) {
                self.in_use -= 1;
                into.push((window, block, chunk));
            }
            if bucket.tail.capacity() > 0 {
                self.in_use -= 1;
                into.push((window, block, mem::take(&mut bucket.tail)));
            }
        }
    }

    /// Takes out the far events of a window.
    #[cold]
    fn hand_over_far(
        &mut self,
        window: u64,
        blocks: &std::ops::Range<usize>,
        into: &mut Vec<(u64, usize, Chunk)>,
    ) {
        let grid = self.grid;
        let Some(far) = self.far.get_mut(&(window / grid.slots)) else { return };
        let is_theirs = |(key, _): &mut (Key, Event)| {
            grid.window_at(key.time) == window && blocks.contains(&grid.block_of(key.seat))
        };
        for (key, event) in far.events.extract_if(.., is_theirs) {
            self.far_events -= 1;
            let event = pack(&key, grid.key_bits(key.seat, key.time), event);
            let block = grid.block_of(key.seat);
            match into.last_mut().filter(|last| (last.0, last.1) == (window, block)) {
                Some((_, _, chunk)) if chunk.len() < grid.chunk => chunk.push(event),
                _ => {
                    let mut chunk =
                        self.pool.pop().unwrap_or_else(|| Vec::with_capacity(grid.chunk));
                    chunk.push(event);
                    into.push((window, block, chunk));
                }
            }
        }
    }

    /// Takes in a chunk of events that another worker's peers made.
    pub(crate) fn accept(&mut self, window: u64, block: usize, chunk: Chunk) {
        let slot = self.slot(window);
        self.left = self.left.filter(|_| window != self.window);
        self.occupied[slot / 64] |= 1 << (slot % 64);
        self.in_use += 1;
        let index = self.index(slot, block);
        self.buckets[index].full.push(chunk);
    }

    /// Gives up to `count` spare chunks to the worker that gave as many full ones.
    pub(crate) fn spare(&mut self, count: usize, into: &mut Vec<Chunk>) {
        let from = self.pool.len().saturating_sub(count);
        into.extend(self.pool.drain(from..));
    }

    /// Takes spare chunks in.
    pub(crate) fn refill(&mut self, spare: &mut Vec<Chunk>) {
        self.pool.append(spare);
    }

    /// The batch's events before this instant may be handled one after the other.
    #[inline(always)]
    pub(crate) fn common_until(&self) -> Time {
        self.common_until
    }

    fn mind_near(&mut self) {
        let is_common = self.near.is_empty() && !self.is_single;
        self.common_until = if is_common { self.limit } else { Time::ZERO };
    }

    /// Takes the first near event, if `wanted`.
    pub(crate) fn pop_near_if(&mut self, wanted: impl FnOnce(&Key) -> bool) -> Option<Near> {
        let near =
            self.near.peek().is_some_and(|near| wanted(&near.key)).then(|| self.near.pop())?;
        self.mind_near();
        near
    }

    /// Counts all pending messages by class.
    pub(crate) fn count(&self, mut message: impl FnMut(peerlet_core::runtime::Class)) {
        for bucket in &self.buckets {
            let events = bucket.full.iter().flatten().chain(&bucket.tail);
            events.filter_map(class).for_each(&mut message);
        }
        let far = self.far.values().flat_map(|far| &far.events);
        far.filter_map(|(_, event)| event.class()).for_each(&mut message);
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{Duration, Rng, Seed};

    use super::*;
    use crate::packed::unpack;

    const WIDTHS: [u64; 8] = [1, 2, 3, 1_000, 999_983, 1 << 20, 50_000_000, 400_000_000];

    /// An event some way ahead: mostly near, sometimes far beyond the ring.
    fn random_key(rng: &mut Rng, queue: &CalendarQueue, seats: u32, seq: u64) -> Key {
        let width = queue.grid.width();
        let ahead = match rng.below(10) {
            0 => rng.below(width * queue.grid.slots * 5),
            1 => width * rng.below(queue.grid.slots + 2),
            _ => rng.below(width * 4),
        };
        let time = Time::from_nanos(queue.start().as_nanos() + width + ahead);
        Key { time, round: 0, seat: Seat(rng.below(seats.into()) as u32), source: 1, seq }
    }

    #[test]
    fn a_window_that_is_cut_short_says_when_it_goes_on() {
        let grid = Grid::new(Duration::from_nanos(1 << 20), 40, 2);
        let (mut queue, start) = (CalendarQueue::new(grid), grid.window_start(7));
        let after = |nanos: u64| start + Duration::from_nanos(nanos);
        queue.begin(7, after(10));
        queue.end();
        assert_eq!(queue.next(), None, "nothing is left");
        for (seat, nanos) in [(3, 900), (39, 70), (5, 800)] {
            let key = Key { time: after(nanos), round: 0, seat: Seat(seat), source: 1, seq: nanos };
            queue.push(key, Event::Wake { task: 0, operation: 0 });
        }
        assert_eq!(queue.next(), Some(start), "not before the window, it is only known");
        queue.end();
        assert_eq!(queue.next(), Some(after(70)));
        // Events of other workers' peers may come earlier.
        let mut handed = Vec::new();
        queue.hand_over(7, 0..grid.blocks(), &mut handed);
        let (window, block, chunk) = handed.pop().expect("there were events");
        queue.accept(window, block, chunk);
        assert_eq!(queue.next(), Some(start));
    }

    /// Each event comes out in its window, once, and none is left; two queues hand over each
    /// other's events.
    #[test]
    fn every_event_comes_in_its_window() {
        for width in WIDTHS {
            let (mut rng, seats) = (Seed::new(width).rng(), 40);
            let grid = Grid::new(Duration::from_nanos(width), seats, 2);
            let half = grid.blocks() / 2;
            let mine = [0..half, half..grid.blocks()];
            let mut queues = [CalendarQueue::new(grid), CalendarQueue::new(grid)];
            let (mut waiting, mut seq) = (BTreeMap::new(), 0);
            while seq < 2_000 || !waiting.is_empty() {
                let next = queues.iter().filter_map(CalendarQueue::next_window).min();
                assert_eq!(next.is_some(), !waiting.is_empty());
                let window = next.unwrap_or(queues[0].window + 1);
                let mut handed = Vec::new();
                for (queue, theirs) in queues.iter_mut().zip([&mine[1], &mine[0]]) {
                    queue.advance(window);
                    queue.hand_over(window, theirs.clone(), &mut handed);
                }
                for (window, block, chunk) in handed {
                    queues[usize::from(block >= half)].accept(window, block, chunk);
                }
                for (queue, mine) in queues.iter_mut().zip(&mine) {
                    let limit = grid.window_start(window + 1);
                    queue.begin(window, limit);
                    let (mut chunks, start) = (Vec::new(), queue.start().as_nanos());
                    for block in mine.clone() {
                        queue.take(block, &mut chunks);
                        for event in chunks.iter_mut().flatten() {
                            let key_bits = event.place_high() >> PackedEvent::PLACE_SHIFT;
                            let (local, offset) = grid.split(key_bits);
                            let seat = Seat(grid.first_seat(block) + local);
                            let time = Time::from_nanos(start + offset);
                            let (key, _) = unpack(event.leave(), seat, time);
                            assert_eq!(waiting.remove(&key.seq), Some(key));
                        }
                        queue.recycle(&mut chunks);
                    }
                    for _ in 0..if seq < 2_000 { rng.below(60) } else { 0 } {
                        let key = random_key(&mut rng, queue, seats, seq);
                        queue.push(key, Event::Wake { task: 0, operation: 0 });
                        waiting.insert(seq, key);
                        seq += 1;
                    }
                }
            }
            let left: usize = queues.iter().map(|queue| queue.in_use).sum();
            assert_eq!(left, 0, "all chunks are back");
        }
    }
}
