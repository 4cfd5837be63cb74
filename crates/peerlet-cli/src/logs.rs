//! Logs on standard error.

use tracing::level_filters::LevelFilter;
use tracing::subscriber::NoSubscriber;

use crate::terminal::status;

/// Does something again that has been done before, and logs nothing this time.
pub(crate) fn unlogged<R>(act: impl FnOnce() -> R) -> R {
    tracing::subscriber::with_default(NoSubscriber::new(), act)
}

/// Begins to write logs: warnings, and more with each `-v`; with `-q` errors only. Peers' lines are
/// stamped with virtual time, seat and life from `-v` on.
pub(crate) fn start(verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, 2) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    // Another subscriber may be there already, in a test for one: it keeps its place.
    drop(
        tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(|| status::Log)
            .with_ansi(false)
            .without_time()
            .with_target(false)
            // A standard error that takes nothing must not end the run.
            .log_internal_errors(false)
            .try_init(),
    );
}
