//! Runs of plans on real sockets.

use peerlet::Plan;
use peerlet::live::{LiveOutcome, LiveSetup};

/// Runs what a plan does to peers to its end.
pub fn run(setup: LiveSetup, plan: &Plan) -> LiveOutcome {
    // Few threads, so that tests leave each other some.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let (_keep, stop) = tokio::sync::watch::channel(false);
    let directives = plan.directives().collect();
    runtime.block_on(peerlet::live::run(setup, directives, stop)).expect("it can run")
}
