//! Acts at cuts, and runs of one event after the other.

use peerlet_core::runtime::{Act, SeatSet, State};
use peerlet_core::{Context, Duration, MICROSECOND, MILLISECOND, NANOSECOND, SECOND, Seat, Time};
use peerlet_network::{
    AddFaultError, Change, Constant, Faults, Layers, LossModel, Model, PairDelays, Probability,
};
use peerlet_sim::{ActError, Engine, Simulation, StepError};

use crate::actor::{Actor, Happened, SAID, Stage, at, cue};
use crate::random_faults::each;
use crate::worlds::{Way, World};

/// A world in which an act makes an event for a peer of another thread, in a window whose events
/// had been handed over before, with others of that peer after it.
const ACROSS: u64 = 9_932_316_855_385_411_190;

#[test]
fn acts_at_cuts_are_the_same_in_both_engines_and_any_number_of_threads() {
    let check = |world: &World, several: u32| {
        let expected = world.run_acting(Way::REFERENCE);
        world.run_acting(Way::threads(1)).assert_is(&expected, "one thread");
        let who = format!("{several} threads");
        world.run_acting(Way::threads(several)).assert_is(&expected, &who);
    };
    check(&World::drawn(ACROSS), 3);
    each(10, World::drawn, |world, number| check(world, 2 + (number % 3) as u32));
}

#[test]
fn a_run_in_single_steps_is_the_same() {
    each(4, World::drawn, |world, _| {
        let (whole, stepped) = (world.run(Way::REFERENCE, false), world.run_stepping());
        let (Some(whole), Some(stepped)) = (whole.whole(), stepped.whole()) else { return };
        assert_eq!((whole.0.digest, whole.0.events), (stepped.0.digest, stepped.0.events));
        assert_eq!(whole.1, stepped.1);
    });
}

/// What is sent at a cut within a window reaches peers of other threads, who were given their
/// events of the next window before.
#[test]
fn messages_from_a_cut_reach_other_threads() {
    const SEATS: u32 = 64;
    let run = |engine, threads| {
        let mut stage = Stage::new(SEATS, SECOND, |ctx, _, what| match what {
            Happened::Start => {
                ctx.every(MILLISECOND * 10, 0);
                ctx.after(MICROSECOND * 5_200, 1);
            }
            Happened::Timer(1) => drop(ctx.every(MILLISECOND * 10, 0)),
            _ => {}
        });
        (stage.setup.engine, stage.setup.threads) = (engine, threads);
        // Windows last 2^22 ns, a little less.
        let delay = MICROSECOND * 4_200;
        let (mut simulation, _) = stage.over(Constant { delay }).simulation();
        for n in 1..60 {
            simulation
                .run_until(Time::ZERO + MICROSECOND * (10_000 * n + 100))
                .expect("it goes on");
            let all = |_: &mut Actor, ctx: &mut Context<Actor>| {
                (0..SEATS).for_each(|to| ctx.send(at(to), (1, String::new())));
            };
            simulation.with(Seat(n as u32), all).expect("it runs");
        }
        let outcome = simulation.run().expect("it ends");
        assert_eq!(outcome.ledger.datagram.delivered, 59 * u64::from(SEATS));
        outcome.digest
    };
    let expected = run(Engine::Reference, 1);
    for threads in 1..5 {
        assert_eq!(run(Engine::Windowed, threads), expected, "{threads} threads");
    }
}

/// Counts its timers; each makes another one at once, and one after 10 ms.
fn ticking(engine: Engine) -> Simulation {
    let mut stage = Stage::new(3, SECOND, |ctx, _, what| match what {
        Happened::Start => drop(ctx.after(MILLISECOND * 10, 0)),
        Happened::Timer(0) => {
            ctx.measure(SAID, 1.0);
            ctx.after(Duration::ZERO, 1);
            ctx.after(MILLISECOND * 10, 0);
        }
        _ => {}
    });
    stage.setup.engine = engine;
    stage.simulation().0
}

fn ms(ms: u64) -> Time {
    Time::ZERO + MILLISECOND * ms
}

/// An act that is asked for within an instant is done at the end of the instant.
#[test]
fn acts_after_a_step_wait_for_the_next_cut() {
    let mut stepped = ticking(Engine::Reference);
    while stepped.now() < ms(20) {
        assert_eq!(stepped.step(), Ok(true));
    }
    let before = stepped.events();
    assert_eq!(stepped.act(Seat(1), Act::Crash), Ok(()));
    assert_eq!(stepped.with(Seat(1), |_: &mut Actor, _| ()), Err(ActError::WithinAnInstant));
    assert_eq!((stepped.state(Seat(1)), stepped.events()), (State::Running, before));
    while stepped.now() == ms(20) {
        assert_eq!(stepped.step(), Ok(true));
    }
    assert_eq!(stepped.state(Seat(1)), State::Absent, "it crashed before the next instant");
    let mut plain = ticking(Engine::Windowed);
    plain.run_until(ms(20) + NANOSECOND).expect("nobody is endless");
    plain.act(Seat(1), Act::Crash).expect("it is at a cut");
    // The others' timers of 20 ms, each with the one that it made, come before the crash.
    assert_eq!(plain.events(), before + 5 + 1);
    let outcomes = [stepped, plain].map(|simulation| simulation.run().expect("it ends"));
    assert_eq!(outcomes[0].digest, outcomes[1].digest);
}

#[test]
fn what_cannot_be_done_is_refused_and_changes_nothing() {
    let mut simulation = ticking(Engine::Windowed);
    let call =
        |simulation: &mut Simulation, seat| simulation.with(Seat(seat), |_: &mut Actor, _| ());
    assert_eq!(simulation.step(), Err(StepError::Engine));
    assert_eq!(call(&mut simulation, 0), Err(ActError::NotRunning(Seat(0))), "nothing began");
    simulation.run_until(ms(15)).expect("nobody is endless");
    assert_eq!(call(&mut simulation, 3), Err(ActError::NoSeat(Seat(3), 3)));
    assert_eq!(call(&mut simulation, 0), Ok(()));
    simulation.act(Seat(0), Act::Pause(SECOND)).expect("it is at a cut");
    assert_eq!(call(&mut simulation, 0), Err(ActError::Paused(Seat(0))));
    let all = SeatSet::all(3);
    let closed = simulation.change_network(&all, Change::Slow(2 << 16));
    assert_eq!(closed, Err(ActError::Network(AddFaultError::Closed)));
    simulation.run_until(Time::MAX).expect("nobody is endless");
    assert_eq!(simulation.act(Seat(0), Act::Start), Err(ActError::Over));
    assert_eq!(simulation.finish().end, ms(1_000));
}

/// Seat 0 says something to seat 1 every 100 ms.
fn talking(engine: Engine) -> Simulation {
    let mut stage = Stage::new(2, SECOND * 4, |ctx, _, what| match what {
        Happened::Start if ctx.seat() == Seat(0) => drop(ctx.every(MILLISECOND * 100, 0)),
        Happened::Timer(_) | Happened::Command => ctx.send(at(1), Default::default()),
        Happened::Message(..) => ctx.measure(SAID, 1.0),
        _ => {}
    });
    stage.setup.engine = engine;
    let inner = PairDelays::open(Box::new(Constant { delay: MILLISECOND * 5 }), &[]);
    let faults = Box::new(Faults::open(&[], 2));
    stage.setup.model = Box::new(Layers::around(Box::new(inner) as Box<dyn Model>, vec![faults]));
    stage.simulation().0
}

#[test]
fn the_network_changes_from_the_cut_on() {
    for engine in [Engine::Windowed, Engine::Reference] {
        let mut simulation = talking(engine);
        let first = SeatSet::from_ranges([0..=0]);
        let mut phase = |until: u64, change: Option<Change>| {
            simulation.run_until(ms(until)).expect("nobody is endless");
            let change = change.map(|change| simulation.change_network(&first, change));
            assert!(change.is_none_or(|change| change == Ok(())));
            simulation.ledger().datagram.delivered
        };
        let lost =
            |p| Change::Loss(LossModel::Independent(Probability::new(p).expect("it is one")));
        // Timers at 100, 200 ... 1,000 ms; the one at the cut departs after the change.
        assert_eq!(phase(1_000, Some(lost(1.0))), 9);
        assert_eq!(phase(2_000, Some(lost(0.0))), 9);
        let others = SeatSet::from_ranges([1..=1]);
        let slow = Change::PairDelay { others: others.clone(), delay: Some(MILLISECOND * 150) };
        assert_eq!(phase(2_950, Some(slow)), 19);
        assert_eq!(phase(3_060, None), 19, "on its way for 150 ms");
        assert_eq!(phase(3_260, None), 21);
        let short = Change::PairDelay { others, delay: Some(MILLISECOND) };
        let refused = simulation.change_network(&first, short);
        let (delay, lookahead) = (MILLISECOND, MILLISECOND * 5);
        let below = AddFaultError::BelowLookahead { delay, lookahead };
        assert_eq!(refused, Err(ActError::Network(below)));
        let clog = simulation.change_network(&first, Change::Clog);
        assert_eq!(clog, Err(ActError::Network(AddFaultError::InFlight)));
    }
}

/// Looking, measuring and summing up change nothing.
#[test]
fn measures_can_be_had_on_the_way() {
    let mut simulation = ticking(Engine::Windowed);
    simulation.run_until(ms(505)).expect("nobody is endless");
    let count: u64 = simulation.measures().epochs().map(|e| e.accumulators[0].count()).sum();
    assert_eq!(count, 3 * 50);
    assert_eq!(simulation.peerlets::<Actor>().count(), 3);
    let whole = ticking(Engine::Windowed).run().expect("it ends");
    assert_eq!(simulation.run().expect("it ends").digest, whole.digest);
}

/// What is done after a step is done in its order, faults of the network among it.
#[test]
fn what_waits_for_a_cut_keeps_its_order() {
    let delivered = |is_stepped: bool| {
        let mut simulation = talking(Engine::Reference);
        match is_stepped {
            true => while simulation.now() < ms(300) && simulation.step() == Ok(true) {},
            false => simulation.run_until(ms(300) + NANOSECOND).expect("nobody is endless"),
        }
        let say = cue();
        simulation.act(Seat(0), say.clone()).expect("it may");
        let lost = Change::Loss(LossModel::Independent(Probability::new(1.0).expect("it is one")));
        simulation.change_network(&SeatSet::all(2), lost).expect("it may");
        simulation.act(Seat(0), say).expect("it may");
        let outcome = simulation.run().expect("it ends");
        (outcome.digest, outcome.ledger.datagram.delivered)
    };
    // Three by timers, and one by the first command.
    assert_eq!(delivered(false).1, 4);
    assert_eq!(delivered(true), delivered(false));
}

#[test]
fn changes_that_no_scenario_can_write_are_refused() {
    let mut simulation = talking(Engine::Windowed);
    let mut refused = |change| simulation.change_network(&SeatSet::all(2), change);
    let network = |error| Err(ActError::Network(error));
    assert_eq!(refused(Change::Slow(1)), network(AddFaultError::Slow));
    let always = Probability::new(1.0).expect("it is one");
    assert_eq!(refused(Change::Corrupt(always, u32::MAX)), network(AddFaultError::Bits));
    assert_eq!(refused(Change::Corrupt(always, 3)), Ok(()));
}

/// Nothing goes on after a peer that made events for itself without end.
#[test]
fn an_endless_peer_ends_the_run_for_good() {
    for engine in [Engine::Windowed, Engine::Reference] {
        let mut stage = Stage::new(2, SECOND, |ctx, _, what| match what {
            Happened::Start => drop(ctx.every(MILLISECOND * 10, 0)),
            Happened::Timer(_) if ctx.seat() == Seat(1) => drop(ctx.after(Duration::ZERO, 1)),
            _ => {}
        });
        stage.setup.engine = engine;
        let mut simulation = stage.simulation().0;
        let first = simulation.run_until(ms(100)).expect_err("seat 1 is endless");
        assert_eq!(simulation.run_until(ms(200)), Err(first), "{engine:?}");
        assert_eq!(simulation.act(Seat(0), Act::Stop), Err(ActError::Over));
    }
}
