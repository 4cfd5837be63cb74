//! The windowed engine's run: all workers go through window after window, on a thread each.
//!
//! The first worker runs on the caller's thread and leads: between windows, while the others wait,
//! it decides what comes next. Running workers share only read-only data; events for other workers'
//! peers pass through mailboxes between windows.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread;

use peerlet_core::Time;

use crate::director::{Director, Order};
use crate::grid::{Grid, share};
use crate::outcome::RunError;
use crate::packed::Chunk;
use crate::running_seats::{RunningSeats, WindowDirectives};
use crate::trace::{Handled, Trace};
use crate::watch::Watch;
use crate::worker::Worker;

/// How often a thread polls for the others before it sleeps: some tens of microseconds, longer than
/// a decision and shorter than most windows.
const SPINS: u32 = 4_000;

/// The leader's view of the run, besides its workers.
pub(crate) struct Lead<'a> {
    pub(crate) director: &'a mut Director,
    pub(crate) trace: Option<&'a mut Box<dyn Trace>>,
    pub(crate) running_seats: &'a RunningSeats,
    pub(crate) watch: &'a Watch,
    pub(crate) grid: Grid,
    /// The directives of the running window, and its end.
    pub(crate) directives: WindowDirectives,
    pub(crate) limit: Time,
}

/// The name of the further threads of a simulation that runs on this one. A hook that is told of a
/// panic can tell by it whose thread that is.
pub fn worker_name(of: thread::ThreadId) -> String {
    format!("peers of {of:?}")
}

/// Runs until just before `until`.
///
/// # Errors
/// When a peer ran out of rounds, the first of them, and when a thread cannot be started.
pub(crate) fn run(workers: &mut [Worker], mut lead: Lead<'_>, until: Time) -> Result<(), RunError> {
    let wanted = workers.len() as u32;
    let exchange = Exchange::new(workers, lead.grid, lead.watch);
    let exchange = &exchange;
    let Some((first, others)) = workers.split_first_mut() else { return Ok(()) };
    let name = worker_name(thread::current().id());
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for (worker, me) in others.iter_mut().zip(1..) {
            let builder = thread::Builder::new().name(name.clone());
            let thread = builder.spawn_scoped(scope, move || {
                let _guard = exchange.guard();
                let mut round = 0;
                while let Some(order) = exchange.next_order(round, || {}) {
                    exchange.follow(me, worker, order);
                    round += 1;
                    exchange.publish(round, me, worker);
                }
                exchange.accept(me, worker);
            });
            match thread {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    // The started threads wait for one that will never come.
                    exchange.barrier.break_up();
                    let (started, code) = (threads.len() as u32 + 1, error.raw_os_error());
                    return Err(RunError::Threads { wanted, started, code });
                }
            }
        }
        let guard = exchange.guard();
        let mut round = 0;
        while let Some(order) =
            exchange.next_order(round, || exchange.decide(round, &mut lead, until))
        {
            exchange.follow(0, first, order);
            round += 1;
            exchange.publish(round, 0, first);
            exchange.foresee(round, &mut lead, until);
        }
        exchange.accept(0, first);
        drop(guard);
        for thread in threads {
            // A panic of a handler goes on where the run was started.
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        Ok(())
    })?;
    let endless = workers.iter().filter_map(|worker| worker.state.endless).min();
    endless.map_or(Ok(()), |(at, seat)| Err(RunError::Endless { seat, at }))
}

/// The data that workers share and exchange between windows.
struct Exchange<'a> {
    grid: Grid,
    watch: &'a Watch,
    /// The blocks of each worker.
    blocks: Vec<Range<usize>>,
    /// The leader's decision, made while all others waited.
    order: RwLock<Order>,
    /// The next order if any worker has events in the very next window, as is the rule: decided
    /// before the barrier, so that a second one is not needed. By the parity of rounds, since some
    /// workers may still read a round that others have left.
    foreseen: [RwLock<Option<(u64, Order)>>; 2],
    /// The nanosecond before which a worker has no events, `u64::MAX` for none at all; by the
    /// parity of rounds as well.
    next: [Vec<AtomicU64>; 2],
    /// Whether a peer ran out of rounds.
    endless: AtomicBool,
    /// By sending and receiving worker.
    mailboxes: Vec<Mutex<Mailbox>>,
    traces: Vec<Mutex<Vec<Handled>>>,
    barrier: Barrier,
}

/// The events of one worker for another.
#[derive(Default)]
struct Mailbox {
    events: Vec<(u64, usize, Chunk)>,
    /// Empty chunks in return.
    spare: Vec<Chunk>,
}

impl<'a> Exchange<'a> {
    fn new(workers: &mut [Worker], grid: Grid, watch: &'a Watch) -> Exchange<'a> {
        let count = workers.len();
        let next = |worker: &mut Worker| AtomicU64::new(next_nanos(worker));
        Exchange {
            grid,
            watch,
            blocks: (0..count).map(|worker| share(grid.blocks(), worker, count)).collect(),
            order: RwLock::new(Order::End),
            foreseen: [RwLock::new(None), RwLock::new(None)],
            next: [(); 2].map(|()| workers.iter_mut().map(next).collect()),
            endless: AtomicBool::new(false),
            mailboxes: (0..count * count).map(|_| Mutex::default()).collect(),
            traces: (0..count).map(|_| Mutex::default()).collect(),
            barrier: Barrier::new(count),
        }
    }

    /// Waits for all other workers; false if one of them will never come.
    fn wait(&self) -> bool {
        self.barrier.wait()
    }

    fn guard(&self) -> Guard<'_> {
        Guard(&self.barrier)
    }

    /// The next order; `None` for the end. `lead` is called where the leader must decide first.
    fn next_order(&self, round: usize, lead: impl FnOnce()) -> Option<Order> {
        if !self.wait() {
            return None;
        }
        if let Some((window, order)) = &*read(&self.foreseen[round % 2]) {
            let is_directed =
                matches!(order, Order::Run { directives, .. } if !directives.is_empty());
            let is_first = |time: Time| self.grid.window_at(time) == *window;
            if is_directed || self.first_time(round).is_some_and(is_first) {
                return Some(order.clone());
            }
        }
        lead();
        if !self.wait() {
            return None;
        }
        let order = read(&self.order).clone();
        (!matches!(order, Order::End)).then_some(order)
    }

    /// The instant before which no worker has events.
    fn first_time(&self, round: usize) -> Option<Time> {
        let next = self.next[round % 2].iter().map(|next| next.load(Ordering::Acquire)).min();
        next.filter(|next| *next != u64::MAX).map(Time::from_nanos)
    }

    /// Publishes the instant before which a worker has no events.
    fn publish(&self, round: usize, me: usize, worker: &mut Worker) {
        self.next[round % 2][me].store(next_nanos(worker), Ordering::Release);
    }

    /// Decides the next order, while all others wait.
    fn decide(&self, round: usize, lead: &mut Lead<'_>, until: Time) {
        self.conclude(lead);
        if let Some((window, _)) = &*read(&self.foreseen[round % 2]) {
            lead.director.handed_up_to(*window);
        }
        let order = if self.is_over(lead) {
            Order::End
        } else {
            let (next, alone) = (self.first_time(round), self.blocks.len() == 1);
            lead.director.decide(&self.grid, next, until, alone)
        };
        if let Order::Run { directives, limit, .. } = &order {
            (lead.directives, lead.limit) = (directives.clone(), *limit);
        }
        *write(&self.order) = order;
    }

    /// Decides the next order on the assumption that it is the next window.
    fn foresee(&self, round: usize, lead: &mut Lead<'_>, until: Time) {
        let mut foreseen = write(&self.foreseen[round % 2]);
        *foreseen = None;
        // The set of running seats, and traces, change only while all workers wait.
        if !lead.directives.is_empty() || lead.trace.is_some() || self.is_over(lead) {
            return;
        }
        if let Some((window, order)) = lead.director.foresee(&self.grid, until) {
            if let Order::Run { directives, limit, .. } = &order {
                (lead.directives, lead.limit) = (directives.clone(), *limit);
            }
            *foreseen = Some((window, order));
        }
    }

    fn is_over(&self, lead: &Lead<'_>) -> bool {
        lead.watch.is_stopped() || self.endless.load(Ordering::Relaxed)
    }

    /// Applies the effects of the order that was carried out.
    fn conclude(&self, lead: &mut Lead<'_>) {
        for planned in std::mem::take(&mut lead.directives).iter() {
            if let Some(running) = planned.leaves_running() {
                lead.running_seats.set_running(planned.seat, running);
            }
        }
        if let Some(trace) = &mut lead.trace {
            let mut seen: Vec<Handled> = Vec::new();
            self.traces.iter().for_each(|handled| seen.append(&mut lock(handled)));
            seen.sort_unstable_by_key(Handled::order);
            seen.iter().for_each(|handled| trace.handled(handled));
        }
        lead.watch.reached(lead.limit);
    }

    /// Carries out a worker's part of an order.
    fn follow(&self, me: usize, worker: &mut Worker, order: Order) {
        self.accept(me, worker);
        match order {
            Order::End => {}
            Order::HandOver { window } => {
                worker.state.queue.advance(window);
                self.hand_over(me, worker, window);
            }
            Order::Run { window, from, limit, directives } => {
                let (blocks, watch) = (self.blocks[me].clone(), self.watch);
                if me == 0 {
                    watch.reached(from);
                }
                worker.run_window(window, (from, limit), &directives, blocks, watch);
                // If the window was cut short, new events may be for the rest of it.
                self.hand_over(me, worker, window);
                self.hand_over(me, worker, window + 1);
                if worker.state.endless.is_some() {
                    self.endless.store(true, Ordering::Relaxed);
                }
                if let Some(trace) = &mut worker.state.trace {
                    lock(&self.traces[me]).append(trace);
                }
            }
        }
    }

    /// Puts the events that other workers' peers have in this window into their mailboxes.
    fn hand_over(&self, me: usize, worker: &mut Worker, window: u64) {
        let count = self.blocks.len();
        for to in (0..count).filter(|to| *to != me) {
            let mailbox = &mut *lock(&self.mailboxes[me * count + to]);
            worker.state.queue.refill(&mut mailbox.spare);
            worker.state.queue.hand_over(window, self.blocks[to].clone(), &mut mailbox.events);
        }
    }

    /// Takes in the events from this worker's mailboxes.
    fn accept(&self, me: usize, worker: &mut Worker) {
        let count = self.blocks.len();
        for from in (0..count).filter(|from| *from != me) {
            let mailbox = &mut *lock(&self.mailboxes[from * count + me]);
            worker.state.queue.spare(mailbox.events.len(), &mut mailbox.spare);
            for (window, block, chunk) in mailbox.events.drain(..) {
                worker.state.queue.accept(window, block, chunk);
            }
        }
    }
}

fn next_nanos(worker: &mut Worker) -> u64 {
    worker.state.queue.next().map_or(u64::MAX, Time::as_nanos)
}

/// Locks, even if a thread panicked: it left nothing half-done, and the run is about to end.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// A barrier that spins for a moment, since windows are short, then sleeps, since there may be more
/// threads than cores, and that releases all threads when one of them panics.
struct Barrier {
    threads: usize,
    /// How often to poll before sleeping.
    spins: u32,
    waiting: AtomicUsize,
    generation: AtomicUsize,
    /// How many are asleep, or about to be.
    asleep: AtomicUsize,
    broken: AtomicBool,
    /// Held while falling asleep, so that no thread does so while others are woken.
    change: Mutex<()>,
    changed: Condvar,
}

impl Barrier {
    fn new(threads: usize) -> Barrier {
        // The system is asked once: that reads files, and a run may have very many parts.
        static CORES: OnceLock<usize> = OnceLock::new();
        let cores = *CORES.get_or_init(|| thread::available_parallelism().map_or(1, usize::from));
        Barrier {
            threads,
            spins: if threads <= cores { SPINS } else { 0 },
            waiting: AtomicUsize::new(0),
            generation: AtomicUsize::new(0),
            asleep: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            change: Mutex::new(()),
            changed: Condvar::new(),
        }
    }

    /// Waits for all threads; false if one of them will never come.
    fn wait(&self) -> bool {
        if self.threads == 1 {
            return true;
        }
        let generation = self.generation.load(Ordering::Acquire);
        if self.waiting.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.waiting.store(0, Ordering::Relaxed);
            // A thread that counts itself asleep later sees the new generation before it sleeps.
            self.generation.store(generation + 1, Ordering::SeqCst);
            if self.asleep.load(Ordering::SeqCst) > 0 {
                drop(lock(&self.change));
                self.changed.notify_all();
            }
            return !self.is_broken();
        }
        let is_over = || self.generation.load(Ordering::SeqCst) != generation || self.is_broken();
        for _ in 0..self.spins {
            if is_over() {
                return !self.is_broken();
            }
            std::hint::spin_loop();
        }
        let mut change = lock(&self.change);
        self.asleep.fetch_add(1, Ordering::SeqCst);
        while !is_over() {
            change = self.changed.wait(change).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.fetch_sub(1, Ordering::Relaxed);
        !self.is_broken()
    }

    /// Releases all waiting threads: one will never come.
    fn break_up(&self) {
        let change = lock(&self.change);
        self.broken.store(true, Ordering::Release);
        drop(change);
        self.changed.notify_all();
    }

    fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }
}

/// Breaks up the barrier when its thread panics.
struct Guard<'a>(&'a Barrier);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.break_up();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_passes_alone() {
        let (barrier, passed) = (Barrier::new(3), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for iteration in 0..1_000 {
                        assert!(passed.fetch_add(1, Ordering::SeqCst) < 3 * (iteration + 1));
                        assert!(barrier.wait());
                        assert!(passed.load(Ordering::SeqCst) >= 3 * (iteration + 1));
                        assert!(barrier.wait());
                    }
                });
            }
        });
        assert_eq!(passed.load(Ordering::SeqCst), 3_000);
    }

    #[test]
    fn a_thread_that_never_came_lets_the_others_go() {
        let barrier = Barrier::new(3);
        thread::scope(|scope| {
            let waiting = [(); 2].map(|()| scope.spawn(|| barrier.wait()));
            barrier.break_up();
            assert!(waiting.into_iter().all(|thread| !thread.join().unwrap()));
        });
    }

    #[test]
    fn a_panic_lets_the_others_go() {
        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            let waits = scope.spawn(|| barrier.wait());
            let panics = scope.spawn(|| {
                let _guard = Guard(&barrier);
                panic!("on purpose");
            });
            assert!(panics.join().is_err());
            assert!(!waits.join().unwrap());
        });
    }
}
