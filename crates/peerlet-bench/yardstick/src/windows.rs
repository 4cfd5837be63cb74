//! The fast driver, and all the unsafe code there is.
//!
//! Time is cut into windows as long as the shortest delay, so that nothing that happens in a window
//! makes anything else happen in it, and peers into blocks. What is due waits in the bucket of its
//! window and block. A window is run block by block: a bucket is sorted by (destination, time,
//! source) with one counting pass and one insertion pass, so that peers are walked in the order of
//! their addresses (only each peer's own order matters), and the peers of later events are asked
//! for ahead. Threads own blocks and meet at a barrier after each window.

use std::cell::UnsafeCell;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::random_stream::RandomStream;
use crate::program::{Event, Plan, Post, Posts, Program, Ran, SECOND, add_up};

/// How many bits of a key say who made it happen, and what.
const SOURCE_BITS: u32 = 24;
const KIND_BITS: u32 = 2;
/// How many events ahead a peer is asked for.
const AHEAD: usize = 16;
/// Up to this many events are sorted by comparing; more are counted first.
const COUNTED_MIN: usize = 48;
/// From this many on they are counted by more bits of their destination.
const FINELY_COUNTED_MIN: usize = 2_000;
const HEADS_BITS: u32 = 12;
const HEADS: usize = 1 << HEADS_BITS;
const LINE: usize = 64;
/// Empty buffers that a thread keeps: enough for the buckets of a few windows.
const POOL_MAX: usize = 8_192;

/// Something due. Its key has, from the top: the destination within its block, the time within its
/// window, the source, the kind. Its word is as posted, or where its bulk is in the bucket.
#[derive(Clone, Copy)]
struct Due {
    key: u64,
    word: u64,
}

/// How a program's virtual time and peers are cut.
struct Shape<P>(std::marker::PhantomData<P>);

impl<P: Program> Shape<P> {
    const WINDOW: u64 = P::LOOKAHEAD;
    const OFFSET_BITS: u32 = u64::BITS - (P::LOOKAHEAD - 1).leading_zeros();
    const BLOCK_BITS: u32 = u64::BITS - SOURCE_BITS - KIND_BITS - Self::OFFSET_BITS;
    const BLOCK: usize = 1 << Self::BLOCK_BITS;
    /// Windows that can be waited for, a power of two: whatever is posted in one window is due in a
    /// later one that has another slot.
    const SLOTS: usize = (P::HORIZON.div_ceil(Self::WINDOW) as usize + 1).next_power_of_two();
}

/// What one thread has for one window and block.
struct Bucket<T>(UnsafeCell<Vec<T>>);

// SAFETY: a bucket is used by one thread at a time. While window `w` runs, `Bucket::post_to` is
// called by thread `t` for its own buckets of slots other than `w % slots` only, and `Grid::take`
// for those of all threads in slot `w % slots`, for blocks that the thread owns only. Between two
// windows lies a barrier, which makes what was written before it visible after it.
unsafe impl<T: Send> Sync for Bucket<T> {}

impl<T> Bucket<T> {
    /// The bucket to post to, with room for one more.
    ///
    /// # Safety
    /// The bucket is the thread's own, it is not of the slot that runs, and the caller drops what
    /// it gets before it asks again.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    unsafe fn post_to(&self, pool: &mut Vec<Vec<T>>) -> &mut Vec<T> {
        // SAFETY: nobody else uses this bucket, as the caller promises.
        let bucket = unsafe { &mut *self.0.get() };
        if bucket.len() == bucket.capacity() {
            grow(bucket, pool);
        }
        bucket
    }
}

/// Buckets of all threads: `[thread][slot][block]`.
struct Grid<T> {
    buckets: Box<[Bucket<T>]>,
    /// Slots times blocks: how many a thread has.
    stride: usize,
}

impl<T: Copy> Grid<T> {
    fn new(threads: usize, stride: usize) -> Grid<T> {
        let buckets = (0..threads * stride).map(|_| Bucket(UnsafeCell::new(Vec::new())));
        Grid { buckets: buckets.collect(), stride }
    }

    /// The buckets of one thread.
    fn of(&self, thread: usize) -> &[Bucket<T>] {
        &self.buckets[thread * self.stride..][..self.stride]
    }

    /// Moves what one thread has at this place to the end of a bucket; the emptied buffer goes into
    /// the pool, up to this many.
    ///
    /// # Safety
    /// The caller owns the place's block, its slot is that of the window that runs, and the pool is
    /// the caller's own.
    unsafe fn take(&self, thread: usize, place: usize, into: &mut Vec<T>, pool: &mut Vec<Vec<T>>) {
        // SAFETY: nobody else uses this bucket, as the caller promises.
        let bucket = unsafe { &mut *self.of(thread)[place].0.get() };
        if into.is_empty() {
            std::mem::swap(into, bucket);
        } else {
            into.extend_from_slice(bucket);
        }
        let mut spare = std::mem::take(bucket);
        // Bounded: with threads, buffers drift from pool to pool.
        if spare.capacity() > 0 && pool.len() < POOL_MAX.min(self.stride / 8) {
            spare.clear();
            pool.push(spare);
        }
    }
}

/// Gives a full bucket more room: by halves, so that little is left over.
#[cold]
#[inline(never)]
fn grow<T>(bucket: &mut Vec<T>, pool: &mut Vec<Vec<T>>) {
    match pool.pop() {
        Some(spare) if bucket.capacity() == 0 => *bucket = spare,
        spare => {
            pool.extend(spare);
            bucket.reserve_exact(bucket.capacity() / 2 + 8);
        }
    }
}

/// The buckets of all threads.
struct Exchange<B> {
    due: Grid<Due>,
    /// Bulk waits in the bucket of the same place; the word of what is due says where in it.
    bulk: Grid<B>,
    blocks: usize,
    threads: usize,
}

/// Where one thread posts: its own buckets of later windows.
struct Desk<'e, P: Program> {
    exchange: &'e Exchange<P::Bulk>,
    /// This thread's buckets.
    due: &'e [Bucket<Due>],
    bulk: &'e [Bucket<P::Bulk>],
    blocks: usize,
    peers: u32,
    /// The end of the running window: nothing is posted for an earlier time.
    from: u64,
    pool: Vec<Vec<Due>>,
    bulk_pool: Vec<Vec<P::Bulk>>,
}

impl<'e, P: Program> Desk<'e, P> {
    fn new(exchange: &'e Exchange<P::Bulk>, thread: usize, peers: u32) -> Desk<'e, P> {
        Desk {
            exchange,
            due: exchange.due.of(thread),
            bulk: exchange.bulk.of(thread),
            blocks: exchange.blocks,
            peers,
            from: 0,
            pool: Vec::new(),
            bulk_pool: Vec::new(),
        }
    }

    /// Where a post belongs, and its key.
    #[inline(always)]
    fn place(&self, post: &Post) -> (usize, u64) {
        let Post { at, to, from, kind, .. } = *post;
        // A time too late would wrap around to the slot that runs.
        let span = (Shape::<P>::SLOTS as u64 - 1) * Shape::<P>::WINDOW;
        let ahead = at.wrapping_sub(self.from);
        assert!(ahead < span && to < self.peers, "{post:?} is beyond what a program may post");
        let slot = (at / Shape::<P>::WINDOW) as usize % Shape::<P>::SLOTS;
        let (block, local) = (to >> Shape::<P>::BLOCK_BITS, to % Shape::<P>::BLOCK as u32);
        let key = u64::from(local) << (Shape::<P>::OFFSET_BITS + SOURCE_BITS + KIND_BITS)
            | (at % Shape::<P>::WINDOW) << (SOURCE_BITS + KIND_BITS)
            | u64::from(from) << KIND_BITS
            | kind;
        (slot * self.blocks + block as usize, key)
    }

    /// Puts something due where it belongs.
    #[inline(always)]
    fn put(&mut self, place: usize, due: Due) {
        // SAFETY: `place` asserts that the window is later than the running one, and by less than
        // there are slots: the slot is another one. The bucket is used for this line.
        unsafe { self.due[place].post_to(&mut self.pool) }.push(due);
    }

    /// Gathers what is due for a block now.
    ///
    /// # Safety
    /// The block is this thread's, the slot is that of the running window.
    unsafe fn take(&mut self, slot: usize, block: usize, batch: &mut Batch<P::Bulk>) {
        let (exchange, place) = (self.exchange, slot * self.blocks + block);
        batch.due.clear();
        batch.bulk.clear();
        for thread in 0..exchange.threads {
            let (old, shift) = (batch.due.len(), batch.bulk.len() as u64);
            // SAFETY: as the caller promises.
            unsafe { exchange.due.take(thread, place, &mut batch.due, &mut self.pool) };
            if P::BULK_KINDS != 0 {
                // Words of kinds without bulk mean nothing in such a program.
                batch.due[old..].iter_mut().for_each(|due| due.word += shift);
                // SAFETY: as the caller promises.
                unsafe { exchange.bulk.take(thread, place, &mut batch.bulk, &mut self.bulk_pool) };
            }
        }
    }
}

impl<P: Program> Posts<P::Bulk> for Desk<'_, P> {
    #[inline(always)]
    fn post(&mut self, post: Post) {
        let (place, key) = self.place(&post);
        self.put(place, Due { key, word: post.word });
    }

    #[inline(always)]
    fn post_bulk(&mut self, post: Post, bulk: &P::Bulk) {
        let (place, key) = self.place(&post);
        // SAFETY: as in `put`.
        let bulks = unsafe { self.bulk[place].post_to(&mut self.bulk_pool) };
        let word = bulks.len() as u64;
        bulks.push(*bulk);
        self.put(place, Due { key, word });
    }
}

/// What is due for one block in one window.
struct Batch<B> {
    due: Vec<Due>,
    bulk: Vec<B>,
}

/// What sorting needs.
struct Sorter {
    heads: Box<[u32; HEADS]>,
    scratch: Vec<Due>,
}

impl Sorter {
    fn new() -> Sorter {
        Sorter { heads: Box::new([0; HEADS]), scratch: Vec::new() }
    }

    /// One counting pass on the destination, then insertion: few events share a destination.
    fn sort(&mut self, due: &mut Vec<Due>) {
        match due.len() {
            0..COUNTED_MIN => due.sort_unstable_by_key(|due| due.key),
            COUNTED_MIN..FINELY_COUNTED_MIN => self.count::<8>(due),
            _ => self.count::<HEADS_BITS>(due),
        }
    }

    fn count<const BITS: u32>(&mut self, due: &mut Vec<Due>) {
        let head_of = |due: &Due| (due.key >> (u64::BITS - BITS)) as usize;
        let heads = &mut *self.heads;
        heads[..1 << BITS].fill(0);
        for one in due.iter() {
            heads[head_of(one)] += 1;
        }
        let mut sum = 0;
        for head in &mut heads[..1 << BITS] {
            sum += std::mem::replace(head, sum);
        }
        self.scratch.clear();
        self.scratch.resize(due.len(), Due { key: 0, word: 0 });
        let scratch = &mut self.scratch[..];
        for one in due.iter() {
            let head = &mut heads[head_of(one)];
            scratch[*head as usize] = *one;
            *head += 1;
        }
        for i in 1..scratch.len() {
            let (one, mut j) = (scratch[i], i);
            while j > 0 && scratch[j - 1].key > one.key {
                scratch[j] = scratch[j - 1];
                j -= 1;
            }
            if j < i {
                scratch[j] = one;
            }
        }
        std::mem::swap(due, &mut self.scratch);
    }
}

/// Asks for an item of a slice, all its lines.
#[inline(always)]
fn prefetch<T>(items: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    if index < items.len() {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let first = (&raw const items[index]).cast::<i8>();
        for line in 0..size_of::<T>().div_ceil(LINE) {
            // SAFETY: a prefetch reads nothing; any address may be asked for.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(line * LINE)) };
        }
    }
}

/// Where threads wait for each other.
struct Barrier {
    waiting: AtomicUsize,
    generation: AtomicUsize,
    threads: usize,
}

impl Barrier {
    fn wait(&self) {
        if self.threads == 1 {
            return;
        }
        let generation = self.generation.load(Ordering::Acquire);
        if self.waiting.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.waiting.store(0, Ordering::Relaxed);
            self.generation.store(generation + 1, Ordering::Release);
            return;
        }
        let mut spins = 0u32;
        while self.generation.load(Ordering::Acquire) == generation {
            spins += 1;
            if spins > 2_000 {
                std::thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
        }
    }
}

/// Runs a program to the end of the plan.
pub(crate) fn run<P: Program>(program: P, plan: &Plan) -> Ran {
    let began = Instant::now();
    let (count, threads) = (plan.peers as usize, plan.threads.max(1) as usize);
    let blocks = count.div_ceil(Shape::<P>::BLOCK);
    let grid = Shape::<P>::SLOTS * blocks;
    let bulk = Grid::new(threads, if P::BULK_KINDS == 0 { 0 } else { grid });
    let exchange = Exchange { due: Grid::new(threads, grid), bulk, blocks, threads };
    let first = |thread: usize| blocks * thread / threads;
    let mut peers = Vec::with_capacity(count);
    for thread in 0..threads {
        let mut desk = Desk::<P>::new(&exchange, thread, plan.peers);
        let end = (first(thread + 1) * Shape::<P>::BLOCK).min(count);
        for me in peers.len() as u32..end as u32 {
            peers.push(program.start(me, RandomStream::new(plan.seed, me), &mut desk));
        }
    }
    let set_up = began.elapsed();

    let began = Instant::now();
    let windows = u64::from(plan.seconds) * SECOND / Shape::<P>::WINDOW;
    let barrier =
        Barrier { waiting: AtomicUsize::new(0), generation: AtomicUsize::new(0), threads };
    let mut rest = peers.as_mut_slice();
    let mut owner = |thread: usize| {
        let blocks = first(thread)..first(thread + 1);
        let share = ((blocks.end - blocks.start) * Shape::<P>::BLOCK).min(rest.len());
        let (mine, others) = std::mem::take(&mut rest).split_at_mut(share);
        rest = others;
        let desk = Desk::new(&exchange, thread, plan.peers);
        Owner { program, peers: mine, blocks, desk, barrier: &barrier }
    };
    let here = owner(0);
    let events = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|thread| {
                let owner = owner(thread);
                scope.spawn(move || owner.run(windows))
            })
            .collect();
        let sum = here.run(windows);
        let ran = others.into_iter().map(|other| other.join().expect("a thread runs to its end"));
        ran.fold(sum, |sum, events| sum + events)
    });
    let (hash, answers, hops) = add_up::<P>(&peers);
    Ran { events, set_up, wall: began.elapsed(), hash, answers, hops }
}

/// One thread's share.
struct Owner<'a, P: Program> {
    program: P,
    /// The peers of its blocks.
    peers: &'a mut [P::Peer],
    blocks: Range<usize>,
    desk: Desk<'a, P>,
    barrier: &'a Barrier,
}

impl<P: Program> Owner<'_, P> {
    /// Runs this many windows. Tells how many events happened.
    fn run(mut self, windows: u64) -> u64 {
        let mut batch = Batch { due: Vec::new(), bulk: Vec::new() };
        let (mut sorter, mut events) = (Sorter::new(), 0);
        for window in 0..windows {
            self.desk.from = (window + 1) * Shape::<P>::WINDOW;
            let slot = window as usize % Shape::<P>::SLOTS;
            for block in self.blocks.clone() {
                // SAFETY: the block is this thread's; the window is the running one, on every
                // thread, until all have reached the barrier.
                unsafe { self.desk.take(slot, block, &mut batch) };
                sorter.sort(&mut batch.due);
                events += self.run_block(block, window * Shape::<P>::WINDOW, &batch);
            }
            self.barrier.wait();
        }
        events
    }

    /// Lets one block's sorted events of a window happen.
    fn run_block(&mut self, block: usize, base: u64, batch: &Batch<P::Bulk>) -> u64 {
        let first = (block - self.blocks.start) * Shape::<P>::BLOCK;
        let last = (first + Shape::<P>::BLOCK).min(self.peers.len());
        let peers = &mut self.peers[first..last];
        let local = |key: u64| (key >> (u64::BITS - Shape::<P>::BLOCK_BITS)) as usize;
        let mut ignored = 0;
        for (i, due) in batch.due.iter().enumerate() {
            if let Some(later) = batch.due.get(i + AHEAD) {
                prefetch(peers, local(later.key));
                if P::BULK_KINDS != 0 {
                    prefetch(&batch.bulk, later.word as usize);
                }
            }
            let kind = due.key % (1 << KIND_BITS);
            let offset =
                due.key >> (SOURCE_BITS + KIND_BITS) & ((1 << Shape::<P>::OFFSET_BITS) - 1);
            let has_bulk = P::BULK_KINDS >> kind & 1 == 1;
            let event = Event {
                now: base + offset,
                me: (block * Shape::<P>::BLOCK + local(due.key)) as u32,
                from: (due.key >> KIND_BITS & ((1 << SOURCE_BITS) - 1)) as u32,
                kind,
                word: due.word,
                bulk: if has_bulk { Some(&batch.bulk[due.word as usize]) } else { None },
            };
            let peer = &mut peers[local(due.key)];
            if !self.program.handle(peer, event, &mut self.desk) {
                ignored += 1;
            }
        }
        batch.due.len() as u64 - ignored
    }
}
