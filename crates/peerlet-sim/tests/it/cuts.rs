//! Cuts: where epochs end, where the world may be looked at, and where a run ends.

use peerlet_core::runtime::{Act, State};
use peerlet_core::{Duration, MILLISECOND, NANOSECOND, SECOND, Seat, Time};
use peerlet_measure::Measurements;
use peerlet_sim::Simulation;

use crate::actor::{Actor, Happened, LEVEL, SAID, Stage, cue};

/// An actor that counts its timers and commands, and sets its level to the time in milliseconds.
fn counting(seats: u32, at: &'static [u64], duration: Duration) -> Stage {
    let mut stage = Stage::new(seats, duration, move |ctx, _, what| match what {
        Happened::Start => at.iter().for_each(|at| _ = ctx.after(Duration::from_nanos(*at), 0)),
        Happened::Timer(_) | Happened::Command => {
            ctx.measure(SAID, 1.0);
            let level = ctx.now().as_nanos() / 1_000_000;
            ctx.measure(LEVEL, level as f64);
        }
        _ => {}
    });
    stage.setup.epoch = SECOND;
    stage
}

/// Each epoch's count and the sum of its levels.
fn epochs(measures: &Measurements) -> Vec<(u64, i128)> {
    let epochs = measures.epochs();
    epochs.map(|epoch| (epoch.accumulators[0].count(), epoch.accumulators[1].sum())).collect()
}

#[test]
fn epochs_are_half_open_and_the_last_one_is_kept() {
    const S: u64 = 1_000_000_000;
    const AT: &[u64] = &[0, S - 1, S, S + 1, 2 * S - 1, 2 * S, 2_500_000_000 - 1, 2_500_000_000];
    let stage = counting(1, AT, MILLISECOND * 2_500);
    let (outcome, _) = stage.then(SECOND, 0, cue()).run();
    // In the first epoch 0 and 1 s - 1 ns, in the second three timers and the command at its very
    // edge, in the third two; what falls on the end does not happen.
    assert_eq!(epochs(&outcome.measures), [(2, 999), (4, 1_999), (2, 2_499)]);
    let spans: Vec<_> = outcome.measures.epochs().map(|e| (e.from, e.to)).collect();
    let edges = [0, 1_000, 2_000, 2_500].map(|ms| Time::ZERO + MILLISECOND * ms);
    assert_eq!(spans, [(edges[0], edges[1]), (edges[1], edges[2]), (edges[2], edges[3])]);
}

#[test]
fn levels_end_with_the_life() {
    const AT: &[u64] = &[100_000_000];
    // Seat 0 stops at the edge: its level counts in the epoch before, not in the one that begins.
    // A command that reaches it then sets no level.
    let stage = counting(2, AT, SECOND * 3).then(SECOND, 0, Act::Stop);
    let (outcome, _) = stage.then(MILLISECOND * 2_500, 0, cue()).run();
    assert_eq!(epochs(&outcome.measures), [(2, 200), (0, 100), (1, 100)]);
}

fn seen(simulation: &Simulation, seat: u32) -> Option<u64> {
    simulation.peerlet::<Actor>(Seat(seat)).map(|actor| actor.seen)
}

#[test]
fn the_world_may_be_looked_at_between_events() {
    const AT: &[u64] = &[1_000_000_000, 2_000_000_000];
    let stage = counting(2, AT, SECOND * 4).then(SECOND * 2, 1, Act::Crash);
    let (mut simulation, _) = stage.then(SECOND * 3, 0, Act::Stop).simulation();
    assert_eq!((seen(&simulation, 0), simulation.state(Seat(0))), (None, State::Absent));
    let mut until = |time: Duration| {
        simulation.run_until(Time::ZERO + time).expect("it is not endless");
        let states = [0, 1].map(|seat| simulation.state(Seat(seat)));
        (simulation.now().as_nanos(), [0, 1].map(|seat| seen(&simulation, seat)), states)
    };
    use State::{Absent, Running, Stopped};
    let s = 1_000_000_000;
    assert_eq!(until(Duration::ZERO), (0, [None, None], [Absent, Absent]));
    assert_eq!(until(NANOSECOND), (1, [Some(1), Some(1)], [Running, Running]));
    // Nothing of the instant itself has happened.
    assert_eq!(until(SECOND), (s, [Some(1), Some(1)], [Running, Running]));
    assert_eq!(until(SECOND + NANOSECOND), (s + 1, [Some(2), Some(2)], [Running, Running]));
    // Time does not run backward.
    assert_eq!(until(MILLISECOND).0, s + 1);
    // The crash of 2 s comes before the timer of 2 s.
    let [two, three] = [2, 3].map(|n| SECOND * n + NANOSECOND);
    assert_eq!(until(two), (2 * s + 1, [Some(3), None], [Running, Absent]));
    // State outlives an orderly end. The stop itself is seen.
    assert_eq!(until(three), (3 * s + 1, [Some(4), None], [Stopped, Absent]));
    assert_eq!(until(SECOND * 9).0, 4 * s, "the end comes first");
    assert_eq!(simulation.finish().end, Time::ZERO + SECOND * 4);
}

#[test]
fn cuts_change_nothing() {
    const AT: &[u64] = &[5, 1_000_000_000, 1_000_000_001, 2_000_000_000, 2_999_999_999];
    let stage = || counting(3, AT, SECOND * 3).then(SECOND, 1, Act::Stop);
    let (whole, _) = stage().run();
    let (mut simulation, _) = stage().simulation();
    for nanos in [0, 1, 5, 6, 999_999_999, 1_000_000_000, 1_000_000_001, 2_000_000_000] {
        simulation.run_until(Time::from_nanos(nanos)).expect("it is not endless");
        simulation.run_until(Time::from_nanos(nanos)).expect("it is not endless");
    }
    let pieces = simulation.run().expect("it is not endless");
    assert_eq!((pieces.digest, pieces.events), (whole.digest, whole.events));
    assert_eq!(epochs(&pieces.measures), epochs(&whole.measures));
}

#[test]
fn a_run_may_end_early() {
    const AT: &[u64] = &[500_000_000, 1_500_000_000, 2_500_000_000];
    let (mut simulation, _) = counting(1, AT, SECOND * 60).simulation();
    simulation.run_until(Time::ZERO + MILLISECOND * 1_750).expect("it is not endless");
    let outcome = simulation.finish();
    assert_eq!(outcome.end, Time::ZERO + MILLISECOND * 1_750);
    assert_eq!(epochs(&outcome.measures), [(1, 500), (1, 1_500)]);
    assert_eq!(outcome.events, 3);
}
