//! Panics of runs in one process: each is reported by its own run.

use std::thread;

use peerlet_core::{Context, Nothing, Peer, Peerlet, SECOND, Seat};
use peerlet_run::{Experiment, RunError};

/// Panics in seat 70 after three seconds, with the number of its run.
struct Falters(u64);

impl Peerlet for Falters {
    const NAME: &'static str = "falters";
    type Message = Nothing;
    type Timer = ();

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.after(SECOND * 3, ());
    }
    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        assert!(ctx.seat() != Seat(70) || self.0 == 0, "run {} falters", self.0);
    }
}

fn experiment(number: u64) -> Experiment {
    Experiment::new("falters").peer(move |_| Peer::new().with(Falters(number)))
}

const SCENARIO: &str = "peers = 100\nfor = \"10s\"\njoin = \"0s\"\n";

fn report(error: RunError) -> String {
    let RunError::Panicked(report) = error else { panic!("{error}") };
    assert!(report.others.is_empty());
    report.message
}

#[test]
fn runs_at_once_report_their_own_panics() {
    thread::scope(|scope| {
        let run = |number: u64| {
            move || {
                let threads = 1 + (number % 3) as u32;
                experiment(number).sim(SCENARIO).threads(threads).seed(number).run()
            }
        };
        let runs: Vec<_> = (0..8).map(|number| (number, scope.spawn(run(number)))).collect();
        // A panic elsewhere is none of theirs.
        let other = scope.spawn(|| panic!("somebody else's"));
        for (number, run) in runs {
            match run.join().expect("it is caught") {
                Ok(results) => assert!(number == 0 && results.thread_panics.is_empty()),
                Err(error) => {
                    let message = report(error);
                    assert!(message.contains(&format!("run {number} falters (")), "{message}");
                    assert!(message.contains("seat 70, life 1, peerlet `falters`"), "{message}");
                    assert!(message.contains(&format!("seed {number}")), "{message}");
                    assert_eq!(message.matches("falters (").count(), 1, "{message}");
                }
            }
        }
        assert!(other.join().is_err());
    });
}

#[test]
fn a_run_that_panicked_is_of_no_further_use() {
    let mut run = experiment(5).sim(SCENARIO).start().expect("it can begin");
    run.run_for(SECOND * 2).expect("not yet");
    let first = report(run.run_for(SECOND * 2).expect_err("it panics"));
    let again = report(run.with(Seat(1), |_: &mut Falters, _| ()).expect_err("it panicked"));
    assert_eq!(first, again);
    assert_eq!(report(run.finish().expect_err("it panicked")), first);
}

#[test]
fn a_closure_that_panics_is_reported_with_its_place() {
    let mut run = experiment(0).sim(SCENARIO).start().expect("it can begin");
    run.run_for(SECOND).expect("it goes on");
    let called = run.with(Seat(9), |_: &mut Falters, _| panic!("on purpose"));
    let message = report(called.expect_err("it panicked"));
    assert!(message.contains("on purpose (crates/peerlet-run/tests/it/panics.rs:"), "{message}");
    assert!(message.contains("seat 9, life 1, peerlet `falters`, handler `closure`"), "{message}");
}

#[test]
fn a_stack_that_cannot_be_built_is_reported() {
    let experiment = Experiment::new("falters").peer(|seat| {
        assert!(seat != Seat(3), "no stack for {seat}");
        Peer::new().with(Falters(0))
    });
    let whole = experiment.sim(SCENARIO).run().map(drop);
    let stepped = experiment.sim(SCENARIO).start().and_then(|mut run| run.run_for(SECOND));
    for error in [whole, stepped] {
        let error = error.expect_err("it panics").to_string();
        assert!(error.contains("no stack for 3"), "{error}");
    }
}
