//! Threads and descriptors, checked before a run begins: a container or a shell may limit them. An
//! error names the limit and the remedy.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, scope};
use std::{fmt, io};

/// `EMFILE` and `ENFILE`, the same numbers on every Unix; `WSAEMFILE` on Windows.
const TOO_MANY_FILES: &[i32] = if cfg!(unix) { &[24, 23] } else { &[10_024] };

/// The name of the threads on which the peers of a run on real sockets live.
pub const PEERS: &str = "peers";

/// Threads of a run on real sockets besides those of its runtime: the one that takes signals, the
/// monitor, and the one that carries packets where a model does.
const ON_SOCKETS: usize = 3;

/// The system did not give what a run needs: threads or descriptors.
#[derive(Debug)]
pub struct SystemLimit {
    message: String,
}

impl fmt::Display for SystemLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for SystemLimit {}

/// Checks that this process can start this many threads more, by starting them.
///
/// # Errors
/// When the system refuses one of them.
pub fn make_sure(count: usize) -> Result<(), SystemLimit> {
    let gate = Mutex::new(());
    let held = gate.lock().unwrap_or_else(PoisonError::into_inner);
    scope(|scope| {
        let mut refused = None;
        for started in 0..count {
            if let Err(error) = Builder::new().spawn_scoped(scope, || drop(gate.lock())) {
                let message = format!(
                    "of {count} threads that this needs, {started} could be started: {error}; {}",
                    remedy(&error)
                );
                refused = Some(SystemLimit { message });
                break;
            }
        }
        drop(held);
        refused.map_or(Ok(()), Err)
    })
}

/// How many threads the runtime of a run on real sockets has.
pub fn of_runtime() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Checks that a run on real sockets can have its threads.
pub fn make_sure_on_sockets() -> Result<(), SystemLimit> {
    make_sure(of_runtime() + ON_SOCKETS)
}

/// Makes the runtime of a run on real sockets.
#[cfg(feature = "live")]
pub fn runtime() -> Result<tokio::runtime::Runtime, SystemLimit> {
    make_sure_on_sockets()?;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let builder = builder.worker_threads(of_runtime()).thread_name(PEERS);
    builder.enable_all().build().map_err(refused("the run's threads"))
}

/// The system refused this: an error with its remedy.
pub fn refused(what: &'static str) -> impl FnOnce(io::Error) -> SystemLimit {
    move |error| SystemLimit { message: format!("{what}: {error}; {}", remedy(&error)) }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(code) if TOO_MANY_FILES.contains(&code) => {
            "raise the limit of open files (`ulimit -n`)"
        }
        _ => {
            "raise the limit of threads (`ulimit -u`, or a container's `pids` limit), or take fewer"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_can_be_had_are_had() {
        assert!(make_sure(0).is_ok() && make_sure(20).is_ok());
    }

    #[test]
    fn refusals_have_a_remedy() {
        for (code, remedy) in [(24, "`ulimit -n`"), (11, "`ulimit -u`")] {
            let message = refused("this")(io::Error::from_raw_os_error(code)).to_string();
            assert!(message.starts_with("this: ") && message.contains(remedy), "{message}");
        }
    }
}
