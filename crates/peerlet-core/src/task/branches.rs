//! Futures that are awaited together; only those that were woken are polled.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::wake::{Branch, ReadyFutures, Waits};
use crate::map::Map;

/// Futures of one type that are waited for at once. Each has a place: how many came before it.
pub(super) struct Branches<F> {
    ready_futures: Arc<ReadyFutures>,
    all: Map<u64, One<F>>,
    next: u64,
    /// The indices of operations without a waker.
    untold: Vec<u64>,
    /// Whether one of them waits for something that is not the peer's.
    is_misused: bool,
    /// Kept without a word in that case, so that the task learns of it.
    misused: Option<Waker>,
}

struct One<F> {
    future: Pin<Box<F>>,
    branch: Arc<Branch>,
}

// Futures are pinned in their own boxes.
impl<F> Unpin for Branches<F> {}

impl<F> Branches<F> {
    pub(super) fn new() -> Branches<F> {
        let (all, untold) = (Map::default(), Vec::new());
        Branches {
            ready_futures: Arc::default(),
            all,
            next: 0,
            untold,
            is_misused: false,
            misused: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Puts one more in; returns its place.
    pub(super) fn push(&mut self, future: F) -> u64 {
        let place = self.next;
        self.next += 1;
        let branch = Branch::new(&self.ready_futures, place);
        self.all.insert(place, One { future: Box::pin(future), branch });
        place
    }
}

impl<F: Future> Branches<F> {
    /// Begins to look at them: at those that were woken, and at those that nothing would wake.
    pub(super) fn begin(&mut self) {
        self.untold.drain(..).for_each(|place| self.ready_futures.push(place));
    }

    /// Goes on to look at them, in the order of their places, until one is ready; that one is taken
    /// out. `None` when all others wait.
    pub(super) fn next_ready(&mut self) -> Option<(u64, F::Output)> {
        while let Some(place) = self.ready_futures.pop() {
            let Some(one) = self.all.get_mut(&place) else { continue };
            let waker = Waker::from(one.branch.clone());
            let poll = one.future.as_mut().poll(&mut Context::from_waker(&waker));
            if let Poll::Ready(output) = poll {
                self.all.swap_remove(&place);
                return Some((place, output));
            }
            drop(waker);
            match one.branch.waits() {
                Waits::Told => {}
                Waits::Untold => self.untold.push(place),
                Waits::Elsewhere => self.is_misused = true,
            }
        }
        None
    }

    /// Waits, now that none is ready.
    pub(super) fn wait(&mut self, cx: &mut Context<'_>) {
        if self.is_misused {
            self.misused = Some(cx.waker().clone());
        }
        self.ready_futures.set_parent(self.untold.is_empty().then_some(cx.waker()));
    }
}
