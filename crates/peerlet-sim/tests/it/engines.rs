//! The windowed engine beside the reference: the same events, in any number of threads.

use peerlet_core::{Duration, Seat, Seed, Time};
use peerlet_sim::{Digest, Engine, Handled, Outcome};

use crate::actor::{Log, Stage};
use crate::random_faults::{Plan, each_plan};

/// Compares two traces and says where they part.
fn assert_same(expected: &[Handled], seen: &[Handled], who: &str) {
    for (place, (expected, seen)) in expected.iter().zip(seen).enumerate() {
        assert_eq!(seen, expected, "{who}: event {place} differs");
    }
    assert_eq!(seen.len(), expected.len(), "{who}: one run is longer");
}

/// What happened to each seat, seats ascending: peers of different threads write at their own pace.
fn by_seat(log: &Log) -> Vec<(Time, Seat, crate::actor::Happened)> {
    let mut entries = log.entries();
    entries.sort_by_key(|(_, seat, _)| *seat);
    entries
}

fn sum(outcome: &Outcome) -> (Digest, u64, u64, u64) {
    (outcome.digest, outcome.events, outcome.idle_directives, outcome.late_answers)
}

#[test]
fn engines_agree_event_by_event() {
    each_plan(Plan::stormy, |plan| {
        let (expected, reference) = plan.run(|stage| stage.setup.engine = Engine::Reference);
        for threads in 1..=4 {
            let (outcome, log) = plan.run(|stage| stage.setup.threads = threads);
            let who = format!("{threads} threads");
            assert_same(&reference.trace(), &log.trace(), &who);
            assert_eq!(by_seat(&log), by_seat(&reference), "{who}");
            assert_eq!(sum(&outcome), sum(&expected), "{who}");
            assert_eq!(outcome.ledger, expected.ledger, "{who}");
            assert_eq!(outcome.measures, expected.measures, "{who}");
        }
        let wired = |engine, threads| {
            let wired = plan.run(|stage| {
                stage.setup.engine = engine;
                stage.setup.threads = threads;
                stage.setup.wire = true;
            });
            (wired.0.digest, wired.0.payload_digest)
        };
        assert_eq!(wired(Engine::Windowed, 3), wired(Engine::Reference, 1));
    });
}

/// Stops at instants anywhere, in windows and at their edges, and goes on.
fn run_in_pieces(stage: Stage, seed: u64) -> (Outcome, Log) {
    let (mut rng, end) = (Seed::new(seed).named("pieces").rng(), stage.setup.duration);
    let (mut simulation, log) = stage.simulation();
    let mut now = Time::ZERO;
    while now < Time::ZERO + end {
        let step = match rng.below(3) {
            0 => rng.below(3_000_000),
            1 => 5_000_000 * rng.below(20),
            _ => rng.below(end.as_nanos() / 4),
        };
        now += Duration::from_nanos(step);
        simulation.run_until(now).expect("no actor is endless");
        assert_eq!(simulation.now(), now.min(Time::ZERO + end));
    }
    (simulation.finish(), log)
}

#[test]
fn cuts_anywhere_change_nothing() {
    each_plan(Plan::stormy, |plan| {
        let (expected, reference) = plan.run(|stage| stage.setup.engine = Engine::Reference);
        let short_epochs = plan.run(|stage| {
            stage.setup.engine = Engine::Reference;
            stage.setup.epoch = Duration::from_nanos(33_333_333);
        });
        for threads in [1, 2] {
            let mut stage = plan.stage(plan.seed);
            stage.setup.threads = threads;
            let (outcome, log) = run_in_pieces(stage, plan.seed);
            assert_same(&reference.trace(), &log.trace(), &format!("{threads} threads"));
            assert_eq!(sum(&outcome), sum(&expected));

            let mut stage = plan.stage(plan.seed);
            stage.setup.threads = threads;
            stage.setup.epoch = Duration::from_nanos(33_333_333);
            let (outcome, _) = run_in_pieces(stage, plan.seed + 1);
            assert_eq!(sum(&outcome), sum(&short_epochs.0), "with short epochs");
            assert_eq!(outcome.measures, short_epochs.0.measures, "with short epochs");
        }
    });
}

#[test]
#[should_panic(expected = "an actor that falters")]
fn a_panic_of_a_peer_ends_the_run_of_all_threads() {
    let mut stage = Stage::new(40, Duration::from_nanos(1_000_000_000), |ctx, _, _| {
        assert!(ctx.seat() != Seat(37), "an actor that falters");
        ctx.after(Duration::from_nanos(1_000_000), 0);
    });
    stage.setup.threads = 4;
    stage.run();
}
