//! As many events as the workload has, whoever runs it.

use peerlet_bench::case::{Case, Engine, Plan, Workload};
use peerlet_bench::child::run;
use peerlet_bench::sample::Sample;

const PEERS: u32 = 300;
const SECONDS: u32 = 20;

fn plan(threads: u32, seed: u64) -> Plan {
    Plan { peers: PEERS, seconds: SECONDS, threads, seed, population: 2 }
}

fn sample(engine: Engine, workload: Workload, plan: Plan) -> Sample {
    run(&Case { engine, workload, plan }).expect("a run goes through")
}

/// How many events are expected on average, and by how much one run may be off: five standard
/// deviations, rounded up.
fn expected(workload: Workload) -> (f64, f64) {
    let (peers, seconds) = (f64::from(PEERS), f64::from(SECONDS));
    match workload {
        // Phases below a second: each timer is due once in every second.
        Workload::Timers => (peers * seconds, 0.0),
        // As many pings as ticks but for those of the last 0.1 s, on average; answers 0.2 s.
        Workload::Gossip | Workload::Large | Workload::Kinds => {
            (peers * (3.0 * seconds - 0.3), 5.0 * (peers * 0.3).sqrt())
        }
        Workload::Three => (3.0 * peers * (3.0 * seconds - 0.3), 5.0 * (peers * 0.9).sqrt()),
        // Two messages a peer, 0.6 s a hop, from time zero: a renewal process of delays uniform in
        // 0.1 to 1.1 s. By then it is stationary: t/m + s^2/(2 m^2) - 1/2 events a message, of
        // variance about t s^2/m^3.
        Workload::Phold => {
            let (m, square) = (0.6, 1.0 / 12.0);
            let each = seconds / m + square / (2.0 * m * m) - 0.5;
            let variance = seconds * square / (m * m * m);
            (2.0 * peers * each, 5.0 * (2.0 * peers * variance).sqrt())
        }
        // A phase, then three events each 1.2 s: a wake, a question 0.1 s later, an answer.
        Workload::Tasks => (peers * 3.0 * seconds / 1.2, peers * 1.5),
        // Each lookup is a timer, as many hops as the distance has bits, and an answer; those that
        // begin too late for their k-th delivery, 0.1 s each, lack it.
        Workload::Lookups => {
            let deliveries = || (1..PEERS).map(|distance| f64::from(distance.count_ones() + 1));
            let mean = |of: &dyn Fn(f64) -> f64| deliveries().map(of).sum::<f64>() / (peers - 1.0);
            let (lookups, each) = (peers * seconds, mean(&|n| n));
            let variance = mean(&|n| (n - each).powi(2));
            let late = mean(&|n| 0.1 * n * (n + 1.0) / 2.0);
            (lookups * (1.0 + each) - peers * late, 5.0 * (lookups * variance + peers).sqrt())
        }
    }
}

fn check(engine: Engine, workload: Workload, plan: Plan) -> Sample {
    let sample = sample(engine, workload, plan);
    let (mean, off) = expected(workload);
    let distance = (sample.events as f64 - mean).abs();
    let name = workload.name();
    assert!(distance <= off, "{engine}, {name}: {} events, not {mean} ± {off}", sample.events);
    sample
}

#[test]
fn loops_and_peerlets_have_the_events_of_the_workload() {
    for workload in Workload::ALL {
        for engine in [Engine::Loop, Engine::Heap, Engine::Peerlet, Engine::Reference] {
            check(engine, workload, plan(1, 3));
        }
    }
}

#[test]
fn other_simulators_have_the_events_of_the_workload() {
    for engine in [Engine::Simcore, Engine::Nexosim] {
        for workload in [Workload::Gossip, Workload::Phold] {
            check(engine, workload, plan(1, 4));
        }
    }
    // A message leaves and arrives at the end of a tick; the bounds are wider than that.
    let small = Plan { peers: 20, seconds: 3, ..plan(1, 4) };
    let events = sample(Engine::Turmoil, Workload::Gossip, small).events as f64;
    assert!((events - 20.0 * (3.0 * 3.0 - 0.3)).abs() < 5.0 * 3.0, "{events}");
}

#[test]
fn hashes_depend_on_the_seed_and_on_nothing_else() {
    for workload in Workload::ALL.into_iter().filter(|workload| *workload != Workload::Timers) {
        for engine in [Engine::Loop, Engine::Peerlet] {
            let first = sample(engine, workload, plan(1, 5)).hash;
            let name = workload.name();
            assert_eq!(sample(engine, workload, plan(1, 5)).hash, first, "{engine}, {name}");
            assert_eq!(sample(engine, workload, plan(2, 5)).hash, first, "{engine}, {name}");
            assert_ne!(sample(engine, workload, plan(1, 6)).hash, first, "{engine}, {name}");
        }
    }
}

#[test]
fn both_engines_have_one_digest() {
    for workload in Workload::ALL {
        let windowed = sample(Engine::Peerlet, workload, plan(1, 7)).hash;
        let simple = sample(Engine::Reference, workload, plan(1, 7)).hash;
        assert_eq!(windowed, simple, "{}", workload.name());
    }
}

#[test]
fn lookups_take_as_many_hops_whoever_runs_them() {
    let bits: u32 = (1..PEERS).map(u32::count_ones).sum();
    let mean = f64::from(bits) / f64::from(PEERS - 1);
    for engine in [Engine::Loop, Engine::Peerlet] {
        let hops = sample(engine, Workload::Lookups, plan(1, 8)).hops.expect("lookups were made");
        assert!((hops - mean).abs() < 0.1, "{engine}: {hops}, not {mean}");
    }
}
