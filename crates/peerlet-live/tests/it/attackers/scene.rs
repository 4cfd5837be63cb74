//! An attack program's surroundings: whom it attacks, when it begins, and how fast it goes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::meter::Counts;

/// The time that a program makes up for when it comes late: a backlog is no rate.
const BACKLOG: Duration = Duration::from_millis(20);

/// An attack program's argument.
pub struct Scene {
    /// Seat 0's process.
    pub first: SocketAddr,
    /// The seats that are free for it, where it takes part.
    pub seats: (u32, u32),
    pub counts: Arc<Counts>,
    rate: u32,
    ready: watch::Sender<bool>,
    second: watch::Receiver<Option<SocketAddr>>,
    /// When the tick with number `done` was due.
    since: Instant,
    done: u64,
}

/// The way to tell an attack program to begin.
pub struct Cue {
    pub counts: Arc<Counts>,
    ready: watch::Receiver<bool>,
    second: watch::Sender<Option<SocketAddr>>,
}

impl Scene {
    /// A scene with this many ticks a second, and the cue for it.
    pub fn new(first: SocketAddr, seats: (u32, u32), rate: u32) -> (Scene, Cue) {
        let (ready, is_ready) = watch::channel(false);
        let (begin, second) = watch::channel(None);
        let counts = Arc::<Counts>::default();
        let cue = Cue { counts: counts.clone(), ready: is_ready, second: begin };
        (Scene { first, seats, counts, rate, ready, second, since: Instant::now(), done: 0 }, cue)
    }

    /// Says that all is prepared, and waits for the cue; gives the address of the second process.
    pub async fn begin(&mut self) -> SocketAddr {
        self.ready.send_replace(true);
        let second = self.second.wait_for(Option::is_some).await.map(|second| *second);
        (self.since, self.done) = (Instant::now(), 0);
        second.ok().flatten().expect("a cue that is dropped ends the program")
    }

    /// Waits for the next tick.
    pub async fn tick(&mut self) {
        let rate = u128::from(self.rate);
        loop {
            let due = (self.since.elapsed().as_nanos() * rate / 1_000_000_000) as u64;
            let backlog = (BACKLOG.as_nanos() * rate / 1_000_000_000) as u64 + 1;
            self.done = self.done.max(due.saturating_sub(backlog));
            if self.done < due {
                self.done += 1;
                self.counts.tick();
                return;
            }
            sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Cue {
    /// Waits until the program has prepared all.
    pub async fn ready(&mut self) {
        self.ready.wait_for(|ready| *ready).await.expect("the program goes on");
    }

    /// Lets the program begin.
    pub fn begin(&self, second: SocketAddr) {
        self.second.send_replace(Some(second));
    }
}
