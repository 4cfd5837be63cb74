//! The monitor: a thread beside simulations that shows their progress and stops them on a signal.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use peerlet_report::rss_bytes;
use peerlet_run::threads::refused;
use peerlet_sim::Watch;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

use crate::failure::Failure;
use crate::terminal::progress::{self, Progress, Sample};
use crate::terminal::signals::{self, Interrupts};
use crate::terminal::status;

/// How often a run is looked at.
const TICK: Duration = Duration::from_millis(200);
/// Runs that take less show nothing.
const SILENT: Duration = Duration::from_secs(1);

/// Keeps watch over simulations: shows their progress, and ends them early when this process is
/// interrupted or asked to end. A second time ends the process at once.
pub(crate) struct Monitor {
    shared: Arc<Mutex<Shared>>,
    shows_progress: bool,
    /// Dropped, it ends the thread.
    over: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// State shared by the monitor's thread and the run.
#[derive(Default)]
struct Shared {
    is_interrupted: bool,
    /// The runs that are under way, in the order in which they began.
    runs: BTreeMap<u64, Attended>,
    /// How many have begun.
    begun: u64,
}

struct Attended {
    watch: Arc<Watch>,
    progress: Progress,
    begun: Instant,
}

impl Monitor {
    /// From now on the process ends in order when it is interrupted.
    pub(crate) fn start(shows_progress: bool) -> Result<Monitor, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(refused("the monitor's runtime"))?;
        let interrupts = {
            let _entered = runtime.enter();
            Interrupts::new().map_err(refused("signals"))?
        };
        let shared = Arc::new(Mutex::new(Shared::default()));
        let (over, is_over) = oneshot::channel();
        let keep = keep_watch(shared.clone(), interrupts, is_over, shows_progress);
        let thread = Builder::new()
            .name("monitor".to_owned())
            .spawn(move || runtime.block_on(keep))
            .map_err(refused("the monitor's thread"))?;
        Ok(Monitor { shared, shows_progress, over: Some(over), thread: Some(thread) })
    }

    /// Attends to a run from here on, until what is returned is dropped.
    pub(crate) fn attend(&self, watch: Arc<Watch>, progress: Progress) -> Attention<'_> {
        let mut shared = lock(&self.shared);
        if shared.is_interrupted {
            watch.stop();
        }
        let number = shared.begun;
        shared.begun += 1;
        shared.runs.insert(number, Attended { watch, progress, begun: Instant::now() });
        Attention { monitor: self, number }
    }

    /// Whether somebody asked for the end.
    pub(crate) fn is_interrupted(&self) -> bool {
        lock(&self.shared).is_interrupted
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(thread) = self.thread.take() {
            // If it panicked, its output may be incomplete; the run's is not.
            thread.join().ok();
        }
    }
}

/// A run is attended to as long as this lives.
pub(crate) struct Attention<'a> {
    monitor: &'a Monitor,
    number: u64,
}

impl Drop for Attention<'_> {
    fn drop(&mut self) {
        let mut shared = lock(&self.monitor.shared);
        shared.runs.remove(&self.number);
        // Where it shows nothing, the line may be somebody else's.
        if self.monitor.shows_progress {
            status::clear();
        }
    }
}

async fn keep_watch(
    shared: Arc<Mutex<Shared>>,
    mut interrupts: Interrupts,
    mut is_over: oneshot::Receiver<()>,
    shows_progress: bool,
) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = &mut is_over => return,
            () = interrupts.next() => lock(&shared).interrupt(),
            _ = ticks.tick(), if shows_progress => lock(&shared).show_progress(),
        }
    }
}

impl Shared {
    fn interrupt(&mut self) {
        if self.is_interrupted {
            status::clear();
            signals::exit();
        }
        self.is_interrupted = true;
        status::say("stopping: partial results follow; a second signal ends the process at once");
        self.runs.values().for_each(|run| run.watch.stop());
    }

    fn show_progress(&mut self) {
        for Attended { watch, progress, begun } in self.runs.values_mut() {
            let now = watch.now();
            let stalled =
                progress.look(Sample { after: begun.elapsed(), now, events: watch.events() });
            // A run that is ending adds up, and its time stands still.
            if let Some(word) = stalled.filter(|_| !watch.is_stopped()) {
                status::say(&word);
            }
        }
        let shown = self.runs.values().filter(|run| run.begun.elapsed() >= SILENT);
        let shown: Vec<&Progress> = shown.map(|run| &run.progress).collect();
        if !shown.is_empty() {
            status::show(&progress::line(&shown, rss_bytes()));
        }
    }
}

/// A panic elsewhere left nothing half-done in a shared.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
