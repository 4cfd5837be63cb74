//! Live runs of one process, as their users start them.

use peerlet::live::{LiveOutcome, LiveSetup};
use peerlet::measure::Summary;
use peerlet::prelude::*;
use peerlet_core::runtime::{Act, Directive};

fn run(setup: LiveSetup, seats: u32) -> LiveOutcome {
    let start = |seat| Directive { at: Time::ZERO, seat: Seat(seat), act: Act::Start };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let (_keep, stop) = tokio::sync::watch::channel(false);
    let run = peerlet::live::run(setup, (0..seats).map(start).collect(), stop);
    runtime.block_on(run).expect("it can run")
}

/// Bound to all addresses, with nobody to tell which one others see, peers still find each other.
#[test]
fn a_process_alone_may_bind_to_all_addresses() {
    let stack = |_| Peer::new().with(Bootstrap::default()).with(Neighbors::default());
    let setup = LiveSetup {
        bind: "0.0.0.0:0".parse().expect("an address"),
        shards: 2,
        ..LiveSetup::new("all addresses", 6, SECOND * 2, stack)
    };
    let outcome = run(setup, 6);
    let summary = Summary::of(&outcome.measures);
    assert!(summary.rows["neighbors/found"].sum >= 6.0, "{summary}");
}
