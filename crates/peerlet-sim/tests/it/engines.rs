//! The windowed engine beside the reference: the same events, in any number of threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use peerlet_core::{Duration, MILLISECOND, NANOSECOND, SECOND, Seat, Seed, Time};
use peerlet_network::{Constant, Departure, Model, ModelState, Packet};
use peerlet_sim::{Digest, Engine, EventKind, Outcome};

use crate::actor::{Happened, Log, Stage};
use crate::random_faults::{Plan, each};
use crate::worlds::{Way, World, assert_same};

fn sum(outcome: &Outcome) -> (Digest, u64, u64, u64) {
    (outcome.digest, outcome.events, outcome.idle_directives, outcome.late_answers)
}

/// One thread, and one more number of them in each scenario.
fn thread_counts(scenario: u64) -> [u32; 2] {
    [1, 2 + (scenario % 3) as u32]
}

#[test]
fn engines_agree_event_by_event() {
    each(12, Plan::stormy, |plan, number| {
        let (expected, reference) = plan.run(|stage| stage.setup.engine = Engine::Reference);
        for threads in thread_counts(number) {
            let (outcome, log) = plan.run(|stage| stage.setup.threads = threads);
            let who = format!("{threads} threads");
            assert_same(&reference.trace(), &log.trace(), &who);
            assert_eq!(log.by_seat(), reference.by_seat(), "{who}");
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

#[test]
fn engines_agree_on_larger_worlds() {
    each(9, World::drawn, |world, number| {
        let expected = world.run(Way::REFERENCE, true);
        let [one, several] = thread_counts(number).map(Way::threads);
        world.run(one, false).assert_is(&expected, "one thread");
        world.run(several, true).assert_is(&expected, &format!("{several:?}, in pieces"));
        match number % 3 {
            0 => world.run(one, true).assert_is(&expected, "one thread, in pieces"),
            1 => world.run(several, false).assert_is(&expected, &format!("{several:?}")),
            _ => {
                let encoded = world.run(Way::REFERENCE.encoded(), false);
                encoded.assert_is(&expected, "encoded");
                let who = format!("{several:?}, encoded");
                world.run(several.encoded(), true).assert_is(&encoded, &who);
            }
        }
    });
}

/// More events are passed over in one window than there were events before it.
#[test]
fn passed_events_are_not_counted() {
    let counted = |engine| {
        let mut stage = Stage::new(1, SECOND * 2, |ctx, _, what| {
            if matches!(what, Happened::Start) {
                let timers: Vec<_> =
                    (0..50).map(|n| ctx.after(SECOND + NANOSECOND * n, n)).collect();
                timers.into_iter().for_each(|timer| ctx.cancel(timer));
            }
        });
        stage.setup.engine = engine;
        sum(&stage.over(Constant { delay: MILLISECOND * 20 }).run().0)
    };
    assert_eq!(counted(Engine::Windowed), counted(Engine::Reference));
}

/// All kinds of events occur, so that the comparison is meaningful.
#[test]
fn larger_worlds_are_full_of_life() {
    let (mut kinds, mut rounds, mut idle, mut late, mut endless) =
        ([0; EventKind::ALL.len()], 0, 0, 0, 0);
    for seed in 0..40 {
        let ran = World::drawn(seed).run_acting(Way::REFERENCE);
        let Some((outcome, events)) = ran.whole() else {
            endless += 1;
            continue;
        };
        events.iter().for_each(|event| kinds[event.kind as usize - 1] += 1);
        rounds += events.iter().filter(|event| event.round > 0).count();
        idle += outcome.idle_directives;
        late += outcome.late_answers;
    }
    println!("{kinds:?}, rounds {rounds}, idle {idle}, late {late}, endless {endless}");
    assert!(kinds.iter().all(|count| *count >= 10), "{kinds:?} of {:?}", EventKind::ALL);
    assert!(rounds >= 1_000 && idle >= 100 && late >= 100 && endless >= 1, "something is rare");
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

/// A network whose delay, for all alike, changes when somebody says so.
#[derive(Clone, Debug)]
struct Tide(Arc<AtomicU64>);

impl Model for Tide {
    fn lookahead(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
    fn depart(&self, packet: &Packet, _: &mut ModelState) -> Departure {
        let extra = packet.random.named("tide").bits() % 1_000_000;
        Departure::Arrive { after: self.lookahead() + Duration::from_nanos(extra) }
    }
    fn round_trip(&self, _: Seat, _: Seat) -> Duration {
        self.lookahead() * 2
    }
}

#[test]
fn a_lookahead_may_shrink_at_a_cut() {
    each(12, Plan::stormy, |plan, number| {
        let run = |engine, threads| {
            let mut stage = plan.stage(plan.seed);
            let delay = Arc::new(AtomicU64::new(0));
            stage.setup.model = Box::new(Tide(delay.clone()));
            (stage.setup.engine, stage.setup.threads) = (engine, threads);
            let end = stage.setup.duration;
            // Windows are cut for the first delay.
            delay.store(50_000_000, Ordering::Relaxed);
            let (mut simulation, log) = stage.simulation();
            for (part, nanos) in [50_000_000, 7_000_000, 1, 900_000, 20_000_000].iter().enumerate()
            {
                delay.store(*nanos, Ordering::Relaxed);
                let until = Time::ZERO + end / 5 * (part as u64 + 1);
                simulation.run_until(until).expect("no actor is endless");
            }
            (simulation.finish(), log)
        };
        let (expected, reference) = run(Engine::Reference, 1);
        for threads in thread_counts(number) {
            let (outcome, log) = run(Engine::Windowed, threads);
            assert_same(&reference.trace(), &log.trace(), &format!("{threads} threads"));
            assert_eq!(sum(&outcome), sum(&expected));
        }
    });
}

#[test]
fn cuts_anywhere_change_nothing() {
    each(12, Plan::stormy, |plan, number| {
        let (expected, reference) = plan.run(|stage| stage.setup.engine = Engine::Reference);
        let short_epochs = plan.run(|stage| {
            stage.setup.engine = Engine::Reference;
            stage.setup.epoch = Duration::from_nanos(33_333_333);
        });
        for threads in thread_counts(number) {
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
fn a_panic_is_traced_to_its_peer_and_time_by_both_engines() {
    let ways = [(Engine::Windowed, 1), (Engine::Windowed, 3), (Engine::Reference, 1)];
    let places = ways.map(|(engine, threads)| {
        let mut stage = Stage::new(40, Duration::from_nanos(1_000_000_000), |ctx, _, _| {
            let at = ctx.now();
            assert!(ctx.seat() != Seat(37) || at < Time::from_nanos(5_000_000), "it falters");
            ctx.after(Duration::from_nanos(1_000_000), 0);
        });
        (stage.setup.threads, stage.setup.engine) = (threads, engine);
        let watch = stage.setup.watch.clone();
        assert!(catch_unwind(AssertUnwindSafe(|| stage.run())).is_err());
        watch.panicked().map(|place| place.to_string())
    });
    let place = "peer 37 (life 1), peerlet `actor`, handler `timer`, at 5ms";
    assert_eq!(places, [(); 3].map(|()| Some(place.to_owned())));
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
