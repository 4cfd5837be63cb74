//! Runs of a few peers, for tests of how they go and end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use peerlet_core::runtime::{Act, Directive};
use peerlet_core::{SECOND, Seat, Time};
use peerlet_live::{LiveError, LiveOutcome, LiveSetup, Notice};
use tokio::sync::watch;

/// No run of these tests takes longer, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Longer than anybody waits.
pub const LONG: peerlet_core::Duration = peerlet_core::Duration::from_secs(3_600);

/// Starts of these seats at time zero.
pub fn starts(seats: std::ops::Range<u32>) -> Vec<Directive> {
    let start = |seat| Directive { at: Time::ZERO, seat: Seat(seat), act: Act::Start };
    seats.map(start).collect()
}

/// Runs to the end, which comes by itself.
pub fn run(setup: LiveSetup, directives: Vec<Directive>) -> Result<LiveOutcome, LiveError> {
    let (_keep, stop) = watch::channel(false);
    runtime().block_on(run_until_stopped(setup, directives, stop))
}

/// Few threads, so that tests leave each other some.
pub fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime can be made")
}

/// Runs until its end, or until it is stopped.
pub async fn run_until_stopped(
    setup: LiveSetup,
    directives: Vec<Directive>,
    stop: watch::Receiver<bool>,
) -> Result<LiveOutcome, LiveError> {
    let run = peerlet_live::run(setup, directives, stop);
    tokio::time::timeout(PATIENCE, run).await.expect("it ends")
}

/// Lines that a run gave notice of.
#[derive(Clone, Default, Debug)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    /// What a run takes to give notice.
    pub fn notice(&self) -> Notice {
        let lines = self.0.clone();
        Arc::new(move |line| lines.lock().expect("nobody panics").push(line.to_owned()))
    }

    /// The first line with this text in it.
    pub fn find(&self, text: &str) -> Option<String> {
        let lines = self.0.lock().expect("nobody panics");
        lines.iter().find(|line| line.contains(text)).cloned()
    }

    /// Waits for a line with this text in it.
    pub async fn wait_for(&self, text: &str) -> String {
        let found = async {
            loop {
                if let Some(line) = self.find(text) {
                    return line;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("there is notice")
    }
}

/// How long a second is, for what happens at a time of the run.
pub fn seconds(count: u64) -> Time {
    Time::ZERO + SECOND * count
}
