//! The windowed engine's queue: buckets of (window, block of peers), in a ring of windows.
//!
//! A window is no longer than the model's smallest delay, so that within one, what a peer does
//! reaches nobody else. Events for later windows are appended to their bucket and not looked at
//! before; buckets are chains of pooled chunks. What is farther ahead than the ring reaches waits by
//! revolution. What a peer makes for itself within the running window is `near`.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};
use std::mem;

use peerlet_core::{Duration, Seat, Time};

use crate::event::{Event, Key};
use crate::packed::{PLACE_BITS, Packed};

/// Events in one chunk of a bucket.
const CHUNK: usize = 64;
/// Peers in one block, unless windows are so short that blocks must be larger to hold anything.
const BLOCK_BITS: u32 = 12;
/// Windows are no longer than this.
const WIDTH_MAX: u64 = 250_000_000;
/// How far ahead the ring is to reach, within its bounds: the timers of most peers are due sooner.
const REACH: u64 = 2_000_000_000;
/// How many windows the ring has.
const SLOTS: std::ops::RangeInclusive<u64> = 16..=1024;
/// How many events of one peer are expected a second when the size of blocks is chosen.
const EVENTS_A_SECOND: u64 = 3;

/// How time and seats are cut into windows and blocks. It moves no digest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    width: u64,
    /// 2^63 / width, rounded up: exact for all that the ring reaches.
    reciprocal: u64,
    slots: u64,
    offset_bits: u32,
    block_bits: u32,
    /// The bits of a seat within its block.
    local: u32,
    blocks: usize,
}

impl Grid {
    /// The grid for a model with this lookahead.
    pub(crate) fn new(lookahead: Duration, seats: u32, threads: u32) -> Grid {
        let width = lookahead.as_nanos().clamp(1, WIDTH_MAX);
        let slots = (REACH / width).clamp(*SLOTS.start(), *SLOTS.end()).next_power_of_two();
        let offset_bits = u64::BITS - (width - 1).leading_zeros();
        // Large enough that a bucket holds a chunk of events, small enough that all threads have
        // some.
        let chunk = CHUNK as u64 * 1_000_000_000 / (EVENTS_A_SECOND * width);
        let wanted = chunk.next_power_of_two().ilog2().max(BLOCK_BITS);
        let share = (u64::from(seats) / (4 * u64::from(threads))).max(1).ilog2();
        let largest = if threads > 1 { share.min(24) } else { 24 };
        let block_bits = wanted.min(largest).min(PLACE_BITS - offset_bits);
        let blocks = (seats as usize).div_ceil(1 << block_bits).max(1);
        let reciprocal = (1u64 << 63).div_ceil(width);
        let local = (1 << block_bits) - 1;
        Grid { width, reciprocal, slots, offset_bits, block_bits, local, blocks }
    }

    pub(crate) fn blocks(&self) -> usize {
        self.blocks
    }

    /// The first seat of a block.
    pub(crate) fn first_seat(&self, block: usize) -> u32 {
        (block << self.block_bits) as u32
    }

    pub(crate) fn window_at(&self, time: Time) -> u64 {
        time.as_nanos() / self.width
    }

    pub(crate) fn window_start(&self, window: u64) -> Time {
        Time::from_nanos(window.saturating_mul(self.width))
    }

    /// How many bits tell places in one bucket apart.
    pub(crate) fn place_bits(&self) -> u32 {
        self.block_bits + self.offset_bits
    }

    /// How many of these, the highest, are the destination's.
    pub(crate) fn block_bits(&self) -> u32 {
        self.block_bits
    }

    /// The seat within its block and the offset in the window, of a handle's place.
    #[inline(always)]
    pub(crate) fn split(&self, place: u64) -> (u32, u64) {
        ((place >> self.offset_bits) as u32, place & ((1 << self.offset_bits) - 1))
    }

    #[inline(always)]
    fn join(&self, seat: Seat, offset: u64) -> u64 {
        u64::from(seat.0 & self.local) << self.offset_bits | offset
    }

    #[inline(always)]
    fn block_of(&self, seat: Seat) -> usize {
        (seat.0 >> self.block_bits) as usize
    }

    /// How many windows ahead this is, for less than the ring's reach.
    #[inline(always)]
    fn windows_in(&self, ahead: u64) -> u64 {
        ((u128::from(ahead << 1) * u128::from(self.reciprocal)) >> 64) as u64
    }
}

pub(crate) type Chunk = Vec<Packed>;

/// The events of one window and block: full chunks in no order, and one that is being filled.
#[derive(Default)]
struct Bucket {
    tail: Chunk,
    full: Vec<Chunk>,
}

/// An event of a peer's own in the running window.
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

/// What is farther ahead than the ring reaches.
struct Far {
    first: u64,
    events: Vec<(Key, Event)>,
}

/// Gives a bucket an empty chunk.
#[cold]
#[inline(never)]
fn grow(
    bucket: &mut Bucket,
    pool: &mut Vec<Chunk>,
    in_use: &mut usize,
    occupied: &mut [u64],
    slot: usize,
) {
    let chunk = pool.pop().unwrap_or_else(|| Vec::with_capacity(CHUNK));
    *in_use += 1;
    let full = mem::replace(&mut bucket.tail, chunk);
    if full.capacity() > 0 {
        bucket.full.push(full);
    }
    occupied[slot / 64] |= 1 << (slot % 64);
}

/// The events that one worker's peers wait for, or made for others.
pub(crate) struct Ring {
    grid: Grid,
    /// By block, then slot: as many slots as there are windows.
    slot_bits: u32,
    slot_mask: u64,
    buckets: Vec<Bucket>,
    /// Which slots have events, a bit each.
    occupied: Vec<u64>,
    far: BTreeMap<u64, Far>,
    near: BinaryHeap<Near>,
    pool: Vec<Chunk>,
    /// How far ahead of the window's start the ring reaches.
    reach: u64,
    /// Chunks in buckets.
    in_use: usize,
    /// The window that runs or ran last.
    window: u64,
    start: u64,
    /// What of the window comes later than this waits for the next run.
    limit: Time,
}

impl Ring {
    pub(crate) fn new(grid: Grid) -> Ring {
        let buckets = grid.slots as usize * grid.blocks;
        Ring {
            slot_bits: grid.slots.ilog2(),
            slot_mask: grid.slots - 1,
            buckets: (0..buckets).map(|_| Bucket::default()).collect(),
            occupied: vec![0; (grid.slots as usize).div_ceil(64)],
            far: BTreeMap::new(),
            near: BinaryHeap::new(),
            pool: Vec::new(),
            reach: grid.slots * grid.width,
            in_use: 0,
            window: 0,
            start: 0,
            limit: Time::ZERO,
            grid,
        }
    }

    pub(crate) fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The start of the running window.
    pub(crate) fn start(&self) -> Time {
        Time::from_nanos(self.start)
    }

    #[inline]
    fn slot(&self, window: u64) -> usize {
        (window & self.slot_mask) as usize
    }

    #[inline]
    fn index(&self, slot: usize, block: usize) -> usize {
        block << self.slot_bits | slot
    }

    /// Puts in an event that an event of the running window makes.
    pub(crate) fn push(&mut self, key: Key, event: Event) {
        let ahead = key.time.as_nanos() - self.start;
        if ahead >= self.reach {
            return self.push_far(key, event);
        }
        let windows = self.grid.windows_in(ahead);
        if windows == 0 && key.time < self.limit {
            return self.push_near(key, event);
        }
        self.push_bucket(key, ahead - windows * self.grid.width, windows, event);
    }

    fn push_bucket(&mut self, key: Key, offset: u64, windows: u64, event: Event) {
        let slot = self.slot(self.window + windows);
        let index = self.index(slot, self.grid.block_of(key.seat));
        let place = self.grid.join(key.seat, offset);
        let bucket = &mut self.buckets[index];
        if bucket.tail.len() == bucket.tail.capacity() {
            grow(bucket, &mut self.pool, &mut self.in_use, &mut self.occupied, slot);
        }
        bucket.tail.push(Packed::new(&key, place, event));
    }

    /// The chunk that takes an event of this seat and time, and its place there; `None` when the
    /// event takes the long way. The chunk has room.
    #[inline(always)]
    pub(crate) fn chunk_for(&mut self, seat: Seat, time: Time) -> Option<(&mut Chunk, u64)> {
        let ahead = time.as_nanos().wrapping_sub(self.start);
        if ahead >= self.reach {
            return None;
        }
        let windows = self.grid.windows_in(ahead);
        if windows == 0 && time < self.limit {
            return None;
        }
        let place = self.grid.join(seat, ahead.wrapping_sub(windows.wrapping_mul(self.grid.width)));
        let slot = (self.window.wrapping_add(windows) & self.slot_mask) as usize;
        let bucket = &mut self.buckets[self.grid.block_of(seat) << self.slot_bits | slot];
        if bucket.tail.len() == bucket.tail.capacity() {
            grow(bucket, &mut self.pool, &mut self.in_use, &mut self.occupied, slot);
        }
        Some((&mut bucket.tail, place))
    }

    /// Puts in an event that is to be handled before the block at hand is done.
    #[inline(never)]
    pub(crate) fn push_near(&mut self, key: Key, event: Event) {
        self.near.push(Near { key, event });
    }

    /// Puts in an event of the running window that is not its peer's own doing.
    pub(crate) fn push_now(&mut self, key: Key, event: Event) {
        self.push_bucket(key, key.time.as_nanos() - self.start, 0, event);
    }

    /// Puts an event of the running window back, for its next run.
    pub(crate) fn push_back(&mut self, seat: Seat, packed: Packed, place: u64) {
        let slot = self.slot(self.window);
        let index = self.index(slot, self.grid.block_of(seat));
        let bucket = &mut self.buckets[index];
        if bucket.tail.len() == bucket.tail.capacity() {
            grow(bucket, &mut self.pool, &mut self.in_use, &mut self.occupied, slot);
        }
        bucket.tail.push(packed.at_place(place));
    }

    #[cold]
    #[inline(never)]
    fn push_far(&mut self, key: Key, event: Event) {
        let window = self.grid.window_at(key.time);
        let far = self.far.entry(window / self.grid.slots);
        let far = far.or_insert_with(|| Far { first: window, events: Vec::new() });
        far.first = far.first.min(window);
        far.events.push((key, event));
    }

    /// The first window that has events, not before the one that ran last.
    pub(crate) fn next_window(&self) -> Option<u64> {
        let far = self.far.first_key_value().map(|(_, far)| far.first);
        let slots = self.grid.slots;
        let here = self.window & (slots - 1);
        let set = |slot: u64| self.occupied[(slot / 64) as usize] >> (slot % 64) & 1 == 1;
        let mut ahead = 0;
        let ring = loop {
            if ahead >= slots {
                break None;
            }
            let slot = (here + ahead) & (slots - 1);
            if set(slot) {
                break Some(self.window + ahead);
            }
            // Words without any bit are skipped whole.
            let is_empty = slot % 64 == 0 && self.occupied[(slot / 64) as usize] == 0;
            ahead += if is_empty { 64.min(slots) } else { 1 };
        };
        ring.into_iter().chain(far).min()
    }

    /// Goes to a window, to run what of it comes before `limit`.
    pub(crate) fn begin(&mut self, window: u64, limit: Time) {
        self.advance(window);
        self.limit = limit;
        let slot = self.slot(window);
        self.occupied[slot / 64] &= !(1 << (slot % 64));
    }

    /// Goes to a window, before which there are no events left anywhere.
    pub(crate) fn advance(&mut self, window: u64) {
        self.window = window;
        self.start = self.grid.window_start(window).as_nanos();
        while let Some(far) = self.far.first_entry() {
            if *far.key() > window / self.grid.slots {
                break;
            }
            for (key, event) in far.remove().events {
                let ahead = key.time.as_nanos() - self.start;
                let windows = self.grid.windows_in(ahead);
                self.push_bucket(key, ahead - windows * self.grid.width, windows, event);
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

    /// Takes chunks back whose events were handled.
    pub(crate) fn recycle(&mut self, chunks: &mut Vec<Chunk>) {
        self.in_use = self.in_use.saturating_sub(chunks.len());
        // Memory follows what is alive: a pool that outgrows it is given back.
        let room = 256 + self.in_use / 2;
        for mut chunk in chunks.drain(..) {
            chunk.clear();
            if self.pool.len() < room {
                self.pool.push(chunk);
            }
        }
    }

    /// Takes the events out that a window has for these blocks, which are another worker's.
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

    /// Takes out what a window has that its revolution has not brought into the ring yet.
    #[cold]
    fn hand_over_far(
        &mut self,
        window: u64,
        blocks: &std::ops::Range<usize>,
        into: &mut Vec<(u64, usize, Chunk)>,
    ) {
        let (grid, start) = (self.grid, self.grid.window_start(window));
        let Some(far) = self.far.get_mut(&(window / grid.slots)) else { return };
        let is_theirs = |(key, _): &mut (Key, Event)| {
            grid.window_at(key.time) == window && blocks.contains(&grid.block_of(key.seat))
        };
        for (key, event) in far.events.extract_if(.., is_theirs) {
            let place = grid.join(key.seat, key.time.since(start).as_nanos());
            let packed = Packed::new(&key, place, event);
            let block = grid.block_of(key.seat);
            match into.last_mut().filter(|last| (last.0, last.1) == (window, block)) {
                Some((_, _, chunk)) if chunk.len() < CHUNK => chunk.push(packed),
                _ => {
                    let mut chunk = self.pool.pop().unwrap_or_else(|| Vec::with_capacity(CHUNK));
                    chunk.push(packed);
                    into.push((window, block, chunk));
                }
            }
        }
    }

    /// Takes in a chunk of events that another worker's peers made.
    pub(crate) fn accept(&mut self, window: u64, block: usize, chunk: Chunk) {
        let slot = self.slot(window);
        self.occupied[slot / 64] |= 1 << (slot % 64);
        self.in_use += 1;
        let index = self.index(slot, block);
        self.buckets[index].full.push(chunk);
    }

    /// Gives up to so many spare chunks, to whoever gave as many full ones.
    pub(crate) fn spare(&mut self, count: usize, into: &mut Vec<Chunk>) {
        let from = self.pool.len().saturating_sub(count);
        into.extend(self.pool.drain(from..));
    }

    /// Takes spare chunks in.
    pub(crate) fn refill(&mut self, spare: &mut Vec<Chunk>) {
        self.pool.append(spare);
    }

    /// Whether a peer has events of its own left in the running window.
    #[inline(always)]
    pub(crate) fn has_near(&self) -> bool {
        !self.near.is_empty()
    }

    /// Takes the first event of a peer's own in the running window, if `wanted`.
    pub(crate) fn pop_near_if(&mut self, wanted: impl FnOnce(&Key) -> bool) -> Option<Near> {
        self.near.peek().is_some_and(|near| wanted(&near.key)).then(|| self.near.pop())?
    }

    /// All messages that wait, by class, counted.
    pub(crate) fn count(&self, mut message: impl FnMut(peerlet_core::Class)) {
        for bucket in &self.buckets {
            let events = bucket.full.iter().flatten().chain(&bucket.tail);
            events.filter_map(Packed::class).for_each(&mut message);
        }
        let far = self.far.values().flat_map(|far| &far.events);
        far.filter_map(|(_, event)| event.class()).for_each(&mut message);
    }
}
