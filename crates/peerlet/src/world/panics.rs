//! A handler's panic in a simulation: caught, and reported once, with its place and the command
//! that repeats it.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use peerlet_core::Where;
use peerlet_sim::Watch;

use crate::output::again::again;
use crate::output::status;
use crate::run::Failure;

/// How many runs keep the words of panics for themselves just now.
static KEEPING: AtomicUsize = AtomicUsize::new(0);
/// The words that were kept, each with a backtrace where one was asked for.
static KEPT: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// Runs a simulation; `seed` is its seed, and `is_one_of_many` says that the command runs others.
pub(crate) fn catch<T>(
    watch: &Watch,
    (seed, is_one_of_many): (u64, bool),
    run: impl FnOnce() -> T,
) -> Result<T, Failure> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match KEEPING.load(Ordering::SeqCst) {
            0 => usual(info),
            _ => kept().push(words(info)),
        }));
    });
    KEEPING.fetch_add(1, Ordering::SeqCst);
    // Nothing of a run that panicked is looked at again.
    let ran = catch_unwind(AssertUnwindSafe(run));
    KEEPING.fetch_sub(1, Ordering::SeqCst);
    let kept = std::mem::take(&mut *kept());
    let (mut said, backtraces): (Vec<String>, Vec<String>) = kept.into_iter().unzip();
    said.dedup();
    match ran {
        Ok(result) => {
            // They were of other threads, and ended no run.
            said.iter().for_each(|words| status::say(&format!("a thread panicked: {words}")));
            Ok(result)
        }
        Err(_) => {
            let again = again(is_one_of_many.then_some(seed));
            let again = again.map(|again| format!("\n  again: {again}")).unwrap_or_default();
            let place = watch.panicked().map_or_else(String::new, |place| in_words(&place));
            let (said, backtraces) = (said.join("; and "), backtraces.concat());
            Err(Failure::Panicked(format!(
                "a handler panicked: {said}\n  {place}seed {seed}{again}{backtraces}"
            )))
        }
    }
}

/// Where a panic came from, in words that end with a comma.
fn in_words(place: &Where) -> String {
    let Where { seat, life, peerlet, handler, time } = place;
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

/// A panic elsewhere left nothing half-done in a list.
fn kept() -> MutexGuard<'static, Vec<(String, String)>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}
