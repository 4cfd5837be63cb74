//! Panics of a run: each is caught and reported once, with its place.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread::ThreadId;

use peerlet_core::runtime::Location;
use peerlet_sim::Watch;

use crate::threads::PEERS;

/// The simulations that keep the words of panics for themselves just now.
static SIMULATIONS: Mutex<Vec<Keeping>> = Mutex::new(Vec::new());
/// How many runs on real sockets keep the words of panics of their own threads just now.
static KEEPING_OWN: AtomicUsize = AtomicUsize::new(0);
/// The words that runs on real sockets kept, each with a backtrace where one was asked for.
static KEPT: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// A simulation, and the words of panics on its threads.
struct Keeping {
    thread: ThreadId,
    /// The name of its other threads.
    workers: String,
    kept: Vec<(String, String)>,
}

/// The panic that ended a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PanicReport {
    /// The message, with its place in the program and in the run.
    pub message: String,
    /// Backtraces, where they were asked for; each begins on a line of its own.
    pub backtraces: String,
    /// Messages of other threads that panicked, each with its place in the program.
    pub others: Vec<String>,
}

impl fmt::Display for PanicReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.message, self.backtraces)
    }
}

/// Runs a simulation with this seed. Beside its result are the messages of threads that panicked
/// and ended no run.
pub fn catch<T>(
    watch: &Watch,
    seed: u64,
    run: impl FnOnce() -> T,
) -> Result<(T, Vec<String>), PanicReport> {
    install();
    let thread = std::thread::current().id();
    let workers = peerlet_sim::worker_name(thread);
    lock(&SIMULATIONS).push(Keeping { thread, workers, kept: Vec::new() });
    // Nothing of a run that panicked is looked at again.
    let ran = catch_unwind(AssertUnwindSafe(run));
    let mut all = lock(&SIMULATIONS);
    let index = all.iter().rposition(|keeping| keeping.thread == thread);
    let kept = index.map(|index| all.swap_remove(index).kept).unwrap_or_default();
    drop(all);
    let (mut said, backtraces): (Vec<String>, Vec<String>) = kept.into_iter().unzip();
    said.dedup();
    match ran {
        Ok(result) => Ok((result, said)),
        Err(_) => {
            let place = watch.panicked().map_or_else(String::new, |place| in_words(&place));
            let said = said.join("; and ");
            let message = format!("a handler panicked: {said}\n  {place}seed {seed}");
            Err(PanicReport { message, backtraces: backtraces.concat(), others: Vec::new() })
        }
    }
}

/// Has the words of panics kept while somebody wants them.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !keep_in_simulation(info) {
                let is_own = KEEPING_OWN.load(Ordering::SeqCst) > 0 && is_of_the_run();
                match is_own {
                    true => lock(&KEPT).push(words(info)),
                    false => usual(info),
                }
            }
        }));
    });
}

/// Keeps the words of a panic for the simulation on whose thread it is; false where it is on none.
fn keep_in_simulation(info: &PanicHookInfo<'_>) -> bool {
    let current = std::thread::current();
    let is_of = |keeping: &&mut Keeping| {
        keeping.thread == current.id() || current.name() == Some(&keeping.workers)
    };
    match lock(&SIMULATIONS).iter_mut().rev().find(is_of) {
        Some(keeping) => keeping.kept.push(words(info)),
        None => return false,
    }
    true
}

/// Whether this is one of the threads on which a run on real sockets calls a program.
fn is_of_the_run() -> bool {
    let current = std::thread::current();
    matches!(current.name(), Some(PEERS | "network" | "monitor" | "main"))
}

#[cfg(feature = "live")]
/// Runs on real sockets, and keeps what its own threads say of panics: the run reports the one that
/// ended it.
pub fn keep_on_sockets<T>(run: impl FnOnce() -> T) -> (T, Kept) {
    install();
    KEEPING_OWN.fetch_add(1, Ordering::SeqCst);
    let ran = run();
    KEEPING_OWN.fetch_sub(1, Ordering::SeqCst);
    (ran, Kept(std::mem::take(&mut *lock(&KEPT))))
}

#[cfg(feature = "live")]
/// The messages of panics on real sockets, each with a backtrace where one was asked for.
pub struct Kept(Vec<(String, String)>);

#[cfg(feature = "live")]
impl Kept {
    /// The report of the panic with this message that ended the run; `told` says where in the run
    /// it was.
    pub fn report(&self, message: &str, told: &dyn fmt::Display) -> PanicReport {
        PanicReport {
            message: format!("{told}{}", self.place_of(message)),
            backtraces: self.0.iter().map(|(_, backtrace)| backtrace.as_str()).collect(),
            others: self.others(Some(message)),
        }
    }

    /// The place in the program of the panic with this message, in brackets.
    fn place_of(&self, message: &str) -> &str {
        let mut places = self.0.iter().filter_map(|(words, _)| words.strip_prefix(message));
        places.find(|place| place.is_empty() || place.starts_with(" (")).unwrap_or_default()
    }

    /// The messages of the other panics, each with its place in the program.
    pub fn others(&self, reported: Option<&str>) -> Vec<String> {
        let is_other = |words: &&String| reported.is_none_or(|told| !words.starts_with(told));
        let others = self.0.iter().map(|(words, _)| words).filter(is_other);
        let mut others: Vec<_> = others.cloned().collect();
        others.dedup();
        others
    }
}

/// Where a panic came from, in words that end with a comma.
fn in_words(place: &Location) -> String {
    let Location { seat, life, peerlet, handler, time } = place;
    let peerlet = peerlet.map(|name| format!("peerlet `{name}`, ")).unwrap_or_default();
    format!("seat {}, life {life}, {peerlet}handler `{}`, at {time}, ", seat.0, handler.name())
}

/// The words of a panic with its place in the program; and a backtrace where one is asked for.
fn words(info: &PanicHookInfo<'_>) -> (String, String) {
    let text = info.payload_as_str().unwrap_or("without a word");
    let place = info.location().map(|place| format!(" ({place})")).unwrap_or_default();
    let backtrace = Backtrace::capture();
    let backtrace = match backtrace.status() {
        BacktraceStatus::Captured => format!("\n{backtrace}"),
        _ => String::new(),
    };
    (format!("{text}{place}"), backtrace)
}

/// Locks: a panic elsewhere left nothing half-done in a list.
fn lock<T>(list: &Mutex<T>) -> MutexGuard<'_, T> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}
