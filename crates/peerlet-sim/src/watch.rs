//! The view of a run from outside: its progress, an early end, and the origin of a panic.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use peerlet_core::Time;
use peerlet_core::runtime::Location;

/// A view of a run from outside: its progress, and a way to end it.
///
/// Share it in an [`Arc`](std::sync::Arc) with [`Setup::watch`](crate::Setup::watch) and look at it
/// from another thread. Only ending the run changes its digest.
///
/// ```
/// use std::sync::Arc;
/// use peerlet_core::{Peer, SECOND};
/// use peerlet_sim::{Setup, Simulation, Watch};
///
/// let watch = Arc::new(Watch::default());
/// let mut setup = Setup::new(3, SECOND * 60, |_seat| Peer::new());
/// setup.watch = watch.clone();
/// watch.stop();
/// let outcome = Simulation::new(setup, [])?.run()?;
/// assert!(outcome.end < peerlet_core::Time::ZERO + SECOND * 60);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default, Debug)]
pub struct Watch {
    now: AtomicU64,
    events: AtomicU64,
    stop: AtomicBool,
    panicked: OnceLock<Location>,
}

impl Watch {
    /// The instant before which all events have been handled.
    pub fn now(&self) -> Time {
        Time::from_nanos(self.now.load(Ordering::Relaxed))
    }

    /// The number of handled events. It may be ahead of [`now`](Watch::now).
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Ends the run early, at an instant of the engine's choice, with the outcome of a run planned
    /// to end there.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether the run is to end early.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The location of the panic that ended the run, if it was in a peer's handler. The panic
    /// itself resumes in [`Simulation::run`](crate::Simulation::run).
    pub fn panicked(&self) -> Option<Location> {
        self.panicked.get().copied()
    }

    /// Notes the location of a panic; the first is kept.
    pub(crate) fn note_panic(&self, location: Location) {
        self.panicked.get_or_init(|| location);
    }

    pub(crate) fn reached(&self, now: Time) {
        self.now.store(now.as_nanos(), Ordering::Relaxed);
    }

    pub(crate) fn add_events(&self, count: u64) {
        self.events.fetch_add(count, Ordering::Relaxed);
    }
}
