//! The detector of overlapping handlers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts how often a handler of a peer began while another one of the same peer was still running.
///
/// ```
/// use peerlet_conformance::Overlap;
/// let overlap = Overlap::default();
/// overlap.during(|| overlap.during(|| ()));
/// assert_eq!((overlap.handlers(), overlap.overlaps()), (2, 1));
/// ```
#[derive(Clone, Default)]
pub struct Overlap(Arc<Counts>);

#[derive(Default)]
struct Counts {
    busy: AtomicBool,
    handlers: AtomicU64,
    overlaps: AtomicU64,
}

impl Overlap {
    /// Runs one handler of the peer under watch.
    pub fn during<R>(&self, handler: impl FnOnce() -> R) -> R {
        self.0.handlers.fetch_add(1, Ordering::Relaxed);
        let free = !self.0.busy.swap(true, Ordering::AcqRel);
        if !free {
            self.0.overlaps.fetch_add(1, Ordering::Relaxed);
        }
        let result = handler();
        if free {
            self.0.busy.store(false, Ordering::Release);
        }
        result
    }

    /// How many handlers ran.
    pub fn handlers(&self) -> u64 {
        self.0.handlers.load(Ordering::Relaxed)
    }

    /// How many of them began while another was running.
    pub fn overlaps(&self) -> u64 {
        self.0.overlaps.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    /// A toy runtime that breaks the rule, as one with a thread pool for callbacks does: handlers
    /// of one peer on two threads. The barrier makes them meet inside.
    #[test]
    fn a_runtime_that_breaks_the_rule_is_caught() {
        let (overlap, inside) = (Overlap::default(), Barrier::new(2));
        let worker = || {
            for _ in 0..100 {
                overlap.during(|| {
                    inside.wait();
                    inside.wait();
                });
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(worker);
            scope.spawn(worker);
        });
        assert_eq!(overlap.handlers(), 200);
        assert!(overlap.overlaps() >= 100, "{}", overlap.overlaps());
    }

    #[test]
    fn a_runtime_that_keeps_the_rule_is_clean() {
        let overlap = Overlap::default();
        for _ in 0..100 {
            overlap.during(|| ());
        }
        assert_eq!((overlap.handlers(), overlap.overlaps()), (100, 0));
    }
}
