//! Many runs, several at once, under one monitor.

use std::num::NonZero;
use std::thread;

use peerlet_run::run_parallel;

use crate::failure::Failure;
use crate::terminal::monitor::Monitor;
use crate::terminal::status;

/// How many runs go on at once: as many as the option says, or as there are cores; one where each
/// run has several threads.
pub(crate) fn at_once(asked: Option<u32>, threads: u32) -> usize {
    match (asked, threads) {
        (Some(asked), _) => asked as usize,
        (None, 1) => thread::available_parallelism().map_or(1, NonZero::get),
        (None, _) => 1,
    }
}

/// Runs simulations in parallel, `at_once` at a time, and returns their results in order. A label
/// precedes the log lines and the errors of each. After an interrupt none begins, and the results
/// are fewer than the jobs.
///
/// # Errors
/// The failure of the earliest job that failed. None begins after it, and those that are under way
/// are waited for.
pub(crate) fn run_batch<J: Sync, T: Send>(
    jobs: &[J],
    at_once: usize,
    monitor: &Monitor,
    label: impl Fn(&J) -> String + Sync,
    run: impl Fn(&J) -> Result<T, Failure> + Sync,
) -> Result<Vec<T>, Failure> {
    let at_once = at_once.clamp(1, jobs.len().max(1));
    // Where one run has the process to itself, its own threads are labeled as well.
    let set_label = if at_once == 1 { status::label } else { status::label_thread };
    let ran = run_parallel(
        jobs.iter(),
        at_once,
        || !monitor.is_interrupted(),
        |job| {
            set_label(&label(job));
            let ran = run(job);
            set_label("");
            ran
        },
    );
    let labeled = jobs.iter().zip(ran);
    labeled.map(|(job, ran)| ran.inspect_err(|_| status::label(&label(job)))).collect()
}
