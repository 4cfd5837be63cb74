//! Many runs, several at once, under one monitor.

use std::num::NonZero;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

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

/// Runs these jobs, so many at once, and begins them in order. What one says is labeled. `None`
/// stands for those that were not begun, since the process was interrupted.
///
/// # Errors
/// The failure of the earliest job that failed. None is begun after one, and those that go on are
/// waited for.
pub(crate) fn run_batch<J: Sync, T: Send>(
    jobs: &[J],
    at_once: usize,
    monitor: &Monitor,
    label: impl Fn(&J) -> String + Sync,
    run: impl Fn(&J) -> Result<T, Failure> + Sync,
) -> Result<Vec<Option<T>>, Failure> {
    let next = Mutex::new(0..jobs.len());
    let done: Mutex<Vec<Option<Result<T, Failure>>>> =
        Mutex::new(jobs.iter().map(|_| None).collect());
    let at_once = at_once.clamp(1, jobs.len().max(1));
    // Where one run has the process to itself, its own threads are labeled as well.
    let set_label = if at_once == 1 { status::label } else { status::label_thread };
    let work = || {
        while !monitor.is_interrupted()
            && let Some(index) = { lock(&next).next() }
        {
            set_label(&label(&jobs[index]));
            let ran = run(&jobs[index]);
            set_label("");
            if ran.is_err() {
                lock(&next).start = jobs.len();
            }
            lock(&done)[index] = Some(ran);
        }
    };
    thread::scope(|scope| {
        for _ in 1..at_once {
            // Where the system refuses a thread, the others do its share.
            if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    let mut all = Vec::new();
    for (job, ran) in jobs.iter().zip(done.into_inner().unwrap_or_else(PoisonError::into_inner)) {
        all.push(ran.transpose().inspect_err(|_| status::label(&label(job)))?);
    }
    Ok(all)
}

/// Nobody panics while they have it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
