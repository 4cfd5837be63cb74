//! Stacks that differ from seat to seat: whoever brings the events, on however many threads, seen
//! or not, they come to the same.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use peerlet_core::runtime::{Act, Call, Directive};
use peerlet_core::{
    Context, Duration, MILLISECOND, Nothing, Peer, Peerlet, Rng, SECOND, Seat, Seed, Task, Time,
};
use peerlet_measure::Ledger;
use peerlet_network::{Constant, Model, Uniform};
use peerlet_sim::{Digest, Engine, EventKind, Handled, Outcome, Setup, Simulation, Trace};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::acting_siblings::{Activity, KINDS, memory, peer};
use crate::random_faults::{choose, each};

/// Seats with stacks of their own, generated from one seed.
#[derive(Debug)]
pub struct Stacks {
    seed: u64,
    activity: Activity,
    /// The stacks of each group; groups alternate.
    groups: Vec<Vec<usize>>,
    delay: (Duration, Duration),
    duration: Duration,
    directives: Vec<Directive>,
}

impl Stacks {
    pub fn drawn(seed: u64) -> Stacks {
        let rng = &mut Seed::new(seed).named("stacks").rng();
        let seats = 2 + rng.below(8) as u32;
        let group = |rng: &mut Rng| {
            let mut kinds: Vec<usize> = (0..KINDS).collect();
            rng.shuffle(&mut kinds);
            kinds.truncate(1 + rng.index(KINDS));
            kinds
        };
        let groups = (0..2 + rng.below(3)).map(|_| group(rng)).collect();
        let duration = MILLISECOND * choose(rng, [80, 160]);
        let shortest = MILLISECOND * choose(rng, [17, 35, 35]);
        let spread = MILLISECOND * choose(rng, [0, 0, 20]);
        let activity = Activity { seats, pause: MILLISECOND * choose(rng, [20, 40]) };
        let directives = directives(rng, seats, duration);
        let delay = (shortest, shortest + spread);
        Stacks { seed, activity, groups, delay, duration, directives }
    }

    pub fn seats(&self) -> u32 {
        self.activity.seats
    }

    /// The outcome, with a trace.
    pub fn traced(&self, trace: Box<dyn Trace>) -> Outcome {
        self.simulate(REFERENCE, Some(trace)).0
    }

    fn run(&self, way: Way) -> Ran {
        let seen = Seen::default();
        let trace: Option<Box<dyn Trace>> =
            if way.is_traced { Some(Box::new(seen.clone())) } else { None };
        let (outcome, memories) = match way.is_stamped {
            true => with_default(Listener, || self.simulate(way, trace)),
            false => self.simulate(way, trace),
        };
        Ran { outcome, memories, events: seen.0.take() }
    }

    /// The outcome, and all memories.
    fn simulate(&self, way: Way, trace: Option<Box<dyn Trace>>) -> (Outcome, Vec<u64>) {
        let (activity, groups, (min, max)) = (self.activity, self.groups.clone(), self.delay);
        let model: Box<dyn Model> = match min == max {
            true => Box::new(Constant { delay: min }),
            false => Box::new(Uniform { min, max }),
        };
        let setup = Setup {
            seed: self.seed,
            model,
            engine: way.engine,
            threads: way.threads,
            wire: way.wire,
            trace,
            ..Setup::new(activity.seats, self.duration, move |seat| {
                peer(&groups[seat.index() % groups.len()], activity)
            })
        };
        let directives = self.directives.clone();
        let mut simulation = Simulation::new(setup, directives).expect("these stacks can run");
        simulation.run_until(Time::MAX).expect("nobody is endless");
        let memories = (0..activity.seats).map(|seat| memory(&simulation, Seat(seat))).collect();
        (simulation.finish(), memories)
    }
}

fn directives(rng: &mut Rng, seats: u32, duration: Duration) -> Vec<Directive> {
    let start = |seat| Directive { at: Time::ZERO, seat: Seat(seat), act: Act::Start };
    let mut all: Vec<Directive> = (0..seats).map(start).collect();
    for _ in 0..rng.below(8) {
        let seat = Seat(rng.below(seats.into()) as u32);
        let at = Time::ZERO + MILLISECOND * rng.below(duration.as_nanos() / 1_000_000);
        let acts = match rng.below(5) {
            0 => vec![Act::Stop, Act::Start],
            1 => vec![Act::Crash, Act::Start],
            2 => vec![Act::Stop],
            _ => vec![Act::Pause(MILLISECOND * rng.below(60))],
        };
        all.extend(acts.into_iter().map(|act| Directive { at, seat, act }));
    }
    all.sort_by_key(|directive| directive.at);
    all
}

/// How stacks are run.
#[derive(Clone, Copy, Debug)]
struct Way {
    engine: Engine,
    threads: u32,
    is_traced: bool,
    /// As with `-v`.
    is_stamped: bool,
    wire: bool,
}

const REFERENCE: Way =
    Way { engine: Engine::Reference, threads: 1, is_traced: false, is_stamped: false, wire: false };

/// All ways, each seen and unseen; one of them stamped and one with encoded messages.
fn ways(number: u64) -> Vec<Way> {
    let windowed = |threads| Way { engine: Engine::Windowed, threads, ..REFERENCE };
    let engines = [REFERENCE, windowed(1), windowed(2), windowed(3), windowed(4)];
    let one = engines[(number % 5) as usize];
    let traced = |way| Way { is_traced: true, ..way };
    let others = [Way { is_stamped: true, ..one }, Way { wire: true, ..one }];
    engines.into_iter().chain(engines.map(traced)).chain(others).collect()
}

/// A run that is over.
struct Ran {
    outcome: Outcome,
    memories: Vec<u64>,
    events: Vec<Handled>,
}

impl Ran {
    /// The values that must be equal.
    fn sum(&self) -> (Digest, [u64; 3], Ledger, &[u64]) {
        let Outcome { digest, events, late_answers, idle_directives, ledger, .. } = &self.outcome;
        let counts = [*events, *late_answers, *idle_directives];
        (*digest, counts, *ledger, &self.memories)
    }
}

#[derive(Clone, Default)]
struct Seen(Rc<RefCell<Vec<Handled>>>);

impl Trace for Seen {
    fn handled(&mut self, event: &Handled) {
        self.0.borrow_mut().push(*event);
    }
}

/// Somebody who wants to read logs, and forgets them.
struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }
    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::INFO)
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn stacks_come_to_the_same_in_every_way() {
    each(300, Stacks::drawn, |stacks, number| {
        let expected = stacks.run(REFERENCE);
        for way in ways(number).into_iter().skip(1) {
            let ran = stacks.run(way);
            assert_eq!(ran.sum(), expected.sum(), "{way:?}");
            assert_eq!(ran.outcome.measures, expected.outcome.measures, "{way:?}");
        }
    });
}

/// All events that are to be compared occur.
#[test]
fn stacks_are_full_of_life() {
    let (mut rounds, mut calls, mut counts) = (0, 0, [0; EventKind::ALL.len()]);
    let (mut decode, mut groups) = (0, BTreeSet::new());
    for seed in 0..80 {
        let stacks = Stacks::drawn(seed);
        let ran = stacks.run(Way { is_traced: true, ..REFERENCE });
        ran.events.iter().for_each(|event| counts[event.kind as usize - 1] += 1);
        rounds = ran.events.iter().map(|event| event.round).fold(rounds, u32::max);
        calls += ran.events.iter().filter(|event| event.call != Call::None).count();
        decode += ran.outcome.ledger.total().dropped(peerlet_measure::DropCause::Decode);
        groups.extend(stacks.groups);
    }
    println!("{counts:?} of {:?}, {rounds} rounds, {calls} of calls, {decode}", EventKind::ALL);
    let none = [EventKind::Command, EventKind::Writable, EventKind::Tamper, EventKind::Closure];
    for (kind, count) in EventKind::ALL.into_iter().zip(counts) {
        assert!(none.contains(&kind) || count >= 10, "{kind:?} came {count} times");
    }
    assert!(rounds >= 39 && calls >= 100 && decode >= 100 && groups.len() > 60, "{rounds}");
}

/// Acts for a sibling that its peer may not have, in one of several ways.
struct Lone {
    action: u32,
}

impl Peerlet for Lone {
    const NAME: &'static str = "lone";
    type Message = Nothing;
    type Timer = ();

    fn start(&mut self, ctx: &mut Context<Self>) {
        if !ctx.has::<Missing>() {
            ctx.after(MILLISECOND * 70, ());
        }
    }
    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let own = ctx.address();
        match self.action {
            0 => _ = ctx.of::<Missing>().after(MILLISECOND, ()),
            1 => _ = ctx.of::<Missing>().every(MILLISECOND, ()),
            2 => _ = ctx.of::<Missing>().spawn(|_: Task<Missing>| async {}),
            3 => ctx.of::<Missing>().send(own, 1),
            _ => _ = ctx.of::<Missing>().send_reliably(own, 1),
        }
    }
}

struct Missing;

impl Peerlet for Missing {
    const NAME: &'static str = "missing";
    type Message = u32;
    type Timer = ();
}

#[test]
fn nobody_acts_for_a_sibling_that_is_not_there() {
    let run = |way: Way, action| {
        let build = move |seat: Seat| match seat.0 {
            3 => Peer::new().with(Lone { action }),
            _ => Peer::new().with(Missing).with(Lone { action }),
        };
        let mut setup = Setup::new(6, SECOND, build);
        (setup.engine, setup.threads, setup.wire) = (way.engine, way.threads, way.wire);
        if way.is_traced {
            setup.trace = Some(Box::new(Seen::default()));
        }
        let start = |seat| Directive { at: Time::ZERO, seat: Seat(seat), act: Act::Start };
        let simulation = Simulation::new(setup, (0..6).map(start)).expect("these stacks can run");
        let panic = catch_unwind(AssertUnwindSafe(|| simulation.run().map(|ran| ran.digest)))
            .expect_err("there is nobody to act for");
        panic.downcast_ref::<String>().expect("a panic has words").clone()
    };
    for (way, action) in ways(1).into_iter().zip((0..5).cycle()) {
        assert_eq!(
            run(way, action),
            "peer 3 (life 1) has no `missing`, and its `lone` acts as `missing` at 70ms; put \
             `missing` on the stack of this seat and say `about.uses`, or ask `ctx.has` before \
             `ctx.of`",
            "{way:?}"
        );
    }
}
