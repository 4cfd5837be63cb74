//! Runs on real sockets.

use peerlet::Plan;
use peerlet::live::{LiveOutcome, LiveSetup};
use peerlet_core::runtime::Directive;
use tokio::runtime::{Builder, Runtime};

/// A runtime of few threads, so that tests leave each other some.
pub fn runtime() -> Runtime {
    let builder = &mut Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime can be made")
}

/// Runs what a plan does to peers to its end.
pub fn run(setup: LiveSetup, plan: &Plan) -> LiveOutcome {
    direct(setup, plan.directives().collect())
}

/// Does this to peers, until the run's end.
pub fn direct(setup: LiveSetup, directives: Vec<Directive>) -> LiveOutcome {
    let (_keep, stop) = tokio::sync::watch::channel(false);
    runtime().block_on(peerlet::live::run(setup, directives, stop)).expect("it can run")
}
