//! Wakers: how a combinator learns which of its futures to poll, and how a future that is not the
//! peer's is detected.
//!
//! A task's own futures keep a waker as a [`Kept`] only, which announces itself to the waker's
//! owner. The owner can therefore distinguish an announced clone from one kept by somebody else,
//! who waits for something that is not the peer's.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::mem;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Wake, Waker};

/// A waker that is kept until it is woken. Dropping it wakes it: whoever gave it out looks again.
pub(super) struct Kept(Option<Waker>);

impl Kept {
    /// Keeps a waker of [`Anchor`] or [`Branch`] and announces that.
    pub(super) fn new(waker: &Waker) -> Kept {
        waker.wake_by_ref();
        Kept(Some(waker.clone()))
    }

    pub(super) fn is(&self, waker: &Waker) -> bool {
        self.0.as_ref().is_some_and(|kept| kept.will_wake(waker))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

/// The owner of the wakers with which tasks are polled. A task is polled at each event of its own,
/// so these wake nothing.
#[derive(Default)]
pub(crate) struct Anchor {
    kept: AtomicUsize,
}

impl Wake for Anchor {
    fn wake(self: Arc<Self>) {
        self.kept.fetch_sub(1, Relaxed);
    }

    /// Somebody keeps a clone.
    fn wake_by_ref(self: &Arc<Self>) {
        self.kept.fetch_add(1, Relaxed);
    }
}

impl Anchor {
    /// Whether somebody keeps a waker who never said so.
    pub(super) fn is_misused(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) != 1 + self.kept.load(Relaxed)
    }
}

/// The futures of one combinator, as far as wakers need to know them.
#[derive(Default)]
pub(super) struct ReadyFutures(Mutex<Places>);

#[derive(Default)]
struct Places {
    /// The places of futures that are to be looked at, the first one on top.
    ready: BinaryHeap<Reverse<u64>>,
    /// Wakes whatever holds the combinator.
    parent: Option<Kept>,
}

impl ReadyFutures {
    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.lock().expect("nothing panics while it holds a combinator's places")
    }

    /// Lets the future in this place be looked at.
    pub(super) fn push(&self, place: u64) {
        let parent = {
            let mut places = self.places();
            places.ready.push(Reverse(place));
            places.parent.take()
        };
        // It may wake others, which is no business of this lock.
        drop(parent);
    }

    /// Takes the first future that is to be looked at.
    pub(super) fn pop(&self) -> Option<u64> {
        self.places().ready.pop().map(|Reverse(place)| place)
    }

    /// From now on this is woken when a future is to be looked at.
    pub(super) fn set_parent(&self, parent: Option<&Waker>) {
        let mut places = self.places();
        let is_known = match (&places.parent, parent) {
            (Some(kept), Some(parent)) => kept.is(parent),
            (None, None) => true,
            _ => false,
        };
        if !is_known {
            let before = mem::replace(&mut places.parent, parent.map(Kept::new));
            drop(places);
            drop(before);
        }
    }
}

/// One future of a combinator: the owner of the wakers with which it is polled.
pub(super) struct Branch {
    ready_futures: Arc<ReadyFutures>,
    place: u64,
    kept: AtomicUsize,
    /// Whether it is among those to be looked at, or is looked at just now.
    queued: AtomicBool,
}

/// How a future waits that was polled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// For something that wakes it.
    Told,
    /// For nothing that would ever wake it: it is looked at every time.
    Untold,
    /// For something that is not the peer's.
    Elsewhere,
}

impl Wake for Branch {
    fn wake(self: Arc<Self>) {
        self.kept.fetch_sub(1, Relaxed);
        if !self.queued.swap(true, Relaxed) {
            self.ready_futures.push(self.place);
        }
    }

    /// Somebody keeps a clone.
    fn wake_by_ref(self: &Arc<Self>) {
        self.kept.fetch_add(1, Relaxed);
    }
}

impl Branch {
    /// A branch that is to be looked at.
    pub(super) fn new(ready_futures: &Arc<ReadyFutures>, place: u64) -> Arc<Branch> {
        ready_futures.push(place);
        let (kept, queued) = (AtomicUsize::new(0), AtomicBool::new(true));
        Arc::new(Branch { ready_futures: ready_futures.clone(), place, kept, queued })
    }

    /// How it waits, now that it was polled. One that is told is woken from now on.
    pub(super) fn waits(self: &Arc<Self>) -> Waits {
        let kept = self.kept.load(Relaxed);
        if Arc::strong_count(self) != 1 + kept {
            return Waits::Elsewhere;
        }
        if kept == 0 {
            return Waits::Untold;
        }
        self.queued.store(false, Relaxed);
        Waits::Told
    }
}
