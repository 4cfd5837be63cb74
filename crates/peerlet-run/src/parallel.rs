//! Independent jobs on several threads.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// Runs jobs on up to `at_once` threads, this one among them, and returns their results in order.
/// Jobs begin in order. None begins after one that failed, nor once `may_begin`
/// is false; those that are under way are waited for.
pub fn run_parallel<J: Send, T: Send, E: Send>(
    jobs: impl Iterator<Item = J> + Send,
    at_once: usize,
    may_begin: impl Fn() -> bool + Sync,
    run: impl Fn(J) -> Result<T, E> + Sync,
) -> Vec<Result<T, E>> {
    let next = Mutex::new(Some(jobs.enumerate()));
    let done = Mutex::new(BTreeMap::new());
    let work = || {
        while may_begin()
            && let Some((index, job)) = { lock(&next).as_mut().and_then(Iterator::next) }
        {
            let ran = run(job);
            if ran.is_err() {
                *lock(&next) = None;
            }
            lock(&done).insert(index, ran);
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
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

/// Nobody panics while they have it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_jobs() {
        for at_once in [1, 2, 7] {
            let ran = run_parallel(0..100, at_once, || true, |job| Ok::<_, ()>(job * 2));
            assert!(ran.into_iter().map(Result::unwrap).eq((0..100).map(|job| job * 2)));
        }
    }

    #[test]
    fn nothing_begins_after_a_failure_or_an_end() {
        let ran = run_parallel(0.., 3, || true, |job| if job == 5 { Err(job) } else { Ok(job) });
        // The jobs have no end, so that this came to one says that none began any more.
        assert!(ran.contains(&Err(5)));
        let begun = AtomicUsize::new(0);
        let may_begin = || begun.fetch_add(1, Ordering::Relaxed) < 4;
        assert_eq!(run_parallel(0.., 2, may_begin, Ok::<i32, ()>).len(), 4);
    }
}
