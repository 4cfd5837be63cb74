//! A thread that watches a run on real sockets: whether the whole process stood still, and which
//! shard was late while it did not.
//!
//! It does nothing but wake up ten times a second. Where it does not, nobody in the process ran:
//! the process was suspended, or the machine gave it no time. Each time it also hands the runtime
//! an empty task, so that a thread of the runtime looks at the sockets even when the one that was
//! to is kept by a handler.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use peerlet_core::Time;
use peerlet_core::runtime::Location;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::medium::Lateness;

/// How often the monitor wakes up.
const TICK: Duration = Duration::from_millis(100);
/// A shard or a process that is later than this has lost time: what would have happened in it did
/// not.
pub(crate) const LOST_AFTER: peerlet_core::Duration = peerlet_core::Duration::from_secs(1);
/// A handler that takes longer is counted and named.
pub(crate) const BLOCKED_AFTER: Duration = Duration::from_millis(100);
/// Lines that one run says about shards that are late; a machine that is too slow has no end of
/// them.
const SAID_MAX: u32 = 20;

/// How late the shards of a process were, and why.
#[derive(Clone, Debug, Default)]
pub struct Delays {
    /// How late shards were for what was due.
    pub lateness: Lateness,
    /// How often the whole process stood still for more than a second.
    pub suspensions: u32,
    /// For how long in all.
    pub suspended: peerlet_core::Duration,
    /// Handlers that took more than 100 ms.
    pub blocked: u64,
    /// The one that took longest, and how long.
    pub slowest: Option<(Location, peerlet_core::Duration)>,
}

impl Delays {
    /// Notes a handler that took long.
    pub(crate) fn note_blocked(&mut self, location: Location, took: peerlet_core::Duration) {
        self.blocked += 1;
        if self.slowest.is_none_or(|(_, longest)| took > longest) {
            self.slowest = Some((location, took));
        }
    }

    /// Takes in those of another shard.
    pub(crate) fn add(&mut self, other: &Delays) {
        self.lateness.merge(&other.lateness);
        self.suspensions += other.suspensions;
        self.suspended = self.suspended + other.suspended;
        self.blocked += other.blocked;
        let longer = |(_, took): &(Location, peerlet_core::Duration)| {
            self.slowest.is_none_or(|(_, longest)| *took > longest)
        };
        self.slowest = other.slowest.filter(longer).or(self.slowest);
    }
}

/// A shard that was late.
pub(crate) struct Late {
    pub(crate) shard: u32,
    /// When it was to be back, and when it was.
    pub(crate) due: Instant,
    pub(crate) back: Instant,
    /// The same in the run's time.
    pub(crate) at: Time,
    /// A handler that took long since it had looked last.
    pub(crate) slowest: Option<(Location, peerlet_core::Duration)>,
}

enum MonitorReport {
    Late(Late),
    End,
}

/// The handle by which shards report that they were late.
#[derive(Clone)]
pub(crate) struct MonitorHandle(Sender<MonitorReport>);

impl MonitorHandle {
    pub(crate) fn tell(&self, late: Late) {
        // Without a monitor the run is over.
        self.0.send(MonitorReport::Late(late)).ok();
    }
}

/// The monitor of one run.
pub(crate) struct Monitor {
    tell: Sender<MonitorReport>,
    thread: JoinHandle<Still>,
}

impl Monitor {
    /// Begins to watch; the runtime is kept awake as well.
    pub(crate) fn start(
        runtime: Handle,
        zero: watch::Receiver<Option<Instant>>,
    ) -> io::Result<Monitor> {
        let (tell, told) = mpsc::channel();
        let watcher = Watcher { runtime, zero, still: Still::default(), said: 0 };
        let thread = Builder::new().name("monitor".to_owned()).spawn(move || watcher.run(&told))?;
        Ok(Monitor { tell, thread })
    }

    pub(crate) fn handle(&self) -> MonitorHandle {
        MonitorHandle(self.tell.clone())
    }

    /// Ends it; how often and how long the process stood still.
    pub(crate) fn finish(self) -> (u32, peerlet_core::Duration) {
        self.tell.send(MonitorReport::End).ok();
        let still = self.thread.join().unwrap_or_default();
        (still.times, still.in_all.into())
    }
}

/// When the process stood still.
#[derive(Default)]
struct Still {
    times: u32,
    in_all: Duration,
    last: Option<(Instant, Instant)>,
}

impl Still {
    /// Whether most of this span is one in which the process stood still.
    fn explains(&self, late: &Late) -> bool {
        let Some((from, to)) = self.last else { return false };
        let both = to.min(late.back).saturating_duration_since(from.max(late.due));
        both * 2 > late.back.saturating_duration_since(late.due)
    }
}

struct Watcher {
    runtime: Handle,
    zero: watch::Receiver<Option<Instant>>,
    still: Still,
    said: u32,
}

impl Watcher {
    fn run(mut self, told: &Receiver<MonitorReport>) -> Still {
        let mut last = Instant::now();
        loop {
            let told = told.recv_timeout(TICK);
            let now = Instant::now();
            self.look(last, now);
            last = now;
            drop(self.runtime.spawn(async {}));
            match told {
                Ok(MonitorReport::Late(late)) => self.late(&late),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(MonitorReport::End) | Err(RecvTimeoutError::Disconnected) => return self.still,
            }
        }
    }

    /// Sees whether anything ran since it looked last.
    fn look(&mut self, last: Instant, now: Instant) {
        let Some(zero) = *self.zero.borrow() else { return };
        let from = last.max(zero);
        let stood = now.saturating_duration_since(from);
        if stood <= Duration::from(LOST_AFTER) {
            return;
        }
        self.still.times += 1;
        self.still.in_all += stood;
        self.still.last = Some((from, now));
        tracing::warn!(
            "this process stood still for {:.1} s, until {:.1} s of the run: it was suspended, or \
             the machine gave it no time",
            stood.as_secs_f64(),
            now.saturating_duration_since(zero).as_secs_f64()
        );
    }

    fn late(&mut self, late: &Late) {
        if self.still.explains(late) {
            return;
        }
        self.said += 1;
        if self.said > SAID_MAX {
            return;
        }
        let (shard, by) = (late.shard, late.back.saturating_duration_since(late.due));
        let (by, at) = (by.as_secs_f64(), late.at.as_secs_f64());
        match &late.slowest {
            Some((location, took)) => tracing::warn!(
                "shard {shard} was {by:.1} s late at {at:.1} s: a handler took {:.1} s \
                 ({location}); let handlers return at once",
                took.as_secs_f64()
            ),
            None => tracing::warn!(
                "shard {shard} was {by:.1} s late at {at:.1} s, with no handler that took long: it \
                 has more to do than it can, or another one keeps its thread"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stood_still_is_told_from_what_was_blocked() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let late = |due, back| Late {
            shard: 0,
            due: at(due),
            back: at(back),
            at: Time::ZERO,
            slowest: None,
        };
        let mut still = Still::default();
        assert!(!still.explains(&late(3, 8)), "it ran");
        still.last = Some((at(3), at(8)));
        assert!(still.explains(&late(3, 8)) && still.explains(&late(4, 8)));
        assert!(!still.explains(&late(8, 12)) && !still.explains(&late(6, 12)));
    }
}
