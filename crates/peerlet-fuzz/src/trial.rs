//! One scenario, run in several ways and held to everything that can be said of any run.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Duration, MILLISECOND, Seed, Time};
use peerlet_run::{Experiment, Plan, SimOptions, World};
use peerlet_scenario::{Action, Problems, Scenario, Source};
use peerlet_sim::{Engine, Handled, Outcome, Setup, Simulation, Trace, Watch};

use super::{Alter, Attend};
use crate::checker::{self, Book, Habits};
use crate::expected::Almanac;
use crate::generate::scenario::Drawn;

/// A scenario on trial.
pub struct Trial<'a> {
    /// What scenarios can name.
    pub experiment: &'a Experiment,
    /// Changes the setup of each run; for tests.
    pub alter: &'a Alter,
    /// Attends to each run, and may end it early.
    pub attend: &'a Attend<'a>,
    /// Whether more is tried than on every scenario: encoded messages, the run of the expansion.
    pub is_thorough: bool,
}

/// What a trial came to.
#[derive(Clone, Copy, Default, Debug)]
pub struct Score {
    /// Events of one run.
    pub events: u64,
    /// Statements of the contract that witnesses saw hold, over all runs.
    pub checked: u64,
}

/// Why a trial ended.
#[derive(Debug)]
pub enum Flaw {
    /// Something does not hold.
    Broken(String),
    /// Two runs differ.
    Nondeterminism(String),
    /// It cannot be run.
    Refused(Problems),
    /// Somebody asked for the end.
    Interrupted,
}

/// A way to run a scenario; all come to the same.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    engine: Engine,
    threads: u32,
    wire: bool,
}

const FIRST: Way = Way { name: "with 1 thread", engine: Engine::Windowed, threads: 1, wire: false };
const TWO: Way = Way { name: "with 2 threads", threads: 2, ..FIRST };
const REFERENCE: Way = Way { name: "by the reference engine", engine: Engine::Reference, ..FIRST };
const WIRE: Way = Way { name: "with encoded messages", wire: true, ..FIRST };
const EXPANDED: Way = Way { name: "as expanded", ..FIRST };

/// What a scenario's runs have in common.
struct Cast {
    plan: Plan,
    almanac: Arc<Almanac>,
    habits: Habits,
    /// The seats whose witnesses have mates.
    mates: SeatSet,
}

impl Trial<'_> {
    /// Tries a scenario that was drawn.
    pub(crate) fn try_drawn(&self, drawn: &Drawn) -> Result<Score, Flaw> {
        let cast = self.cast(Source::new("random scenario", drawn.text()))?;
        let (first, mut score) = self.try_cast(&cast)?;
        let timeline = cast.plan.timeline();
        let Some(expanded) = drawn.expanded(&cast.plan.scenario, timeline) else {
            return Ok(score);
        };
        let again = self.cast(Source::new("random scenario, expanded", expanded))?;
        let same = again.plan.directives().eq(cast.plan.directives());
        if !same || again.plan.timeline().to_string() != timeline.to_string() {
            return Err(Flaw::Broken("its expansion reads as another timeline".to_owned()));
        }
        if self.is_thorough {
            score.checked += self.compare((&cast, FIRST), &first, (&again, EXPANDED))?;
        }
        Ok(score)
    }

    /// Tries a scenario of somebody's own.
    pub fn try_source(&self, source: Source) -> Result<Score, Flaw> {
        Ok(self.try_cast(&self.cast(source)?)?.1)
    }

    /// Runs a scenario in all ways and compares; the first way's outcome and the score.
    fn try_cast(&self, cast: &Cast) -> Result<(Outcome, Score), Flaw> {
        let (first, mut checked) = self.run(cast, FIRST, None)?;
        let wire = self.is_thorough.then_some(WIRE);
        for way in [TWO, REFERENCE].into_iter().chain(wire) {
            checked += self.compare((cast, FIRST), &first, (cast, way))?;
        }
        let score = Score { events: first.events, checked };
        Ok((first, score))
    }

    fn cast(&self, source: Source) -> Result<Cast, Flaw> {
        let mut plan =
            Plan::new(self.experiment, source, &[], World::Sim).map_err(Flaw::Refused)?;
        let scenario = &plan.scenario;
        let (peers, duration) = (scenario.peers, scenario.duration);
        let almanac = Arc::new(Almanac::new(peers, plan.directives(), duration));
        let lookahead = plan.model(self.experiment).map_err(Flaw::Refused)?.lookahead();
        let habits = habits(&plan, lookahead);
        let mates = mates(&plan.scenario);
        let timeline = plan.shared_timeline();
        let nobody = Arc::new(Book::new(almanac.clone(), timeline, habits, mates.clone(), 0));
        plan.admit(&checker::alone(&nobody), Setup::gives()).map_err(Flaw::Refused)?;
        Ok(Cast { plan, almanac, habits, mates })
    }

    /// Runs in one more way and compares; how many statements were seen to hold.
    fn compare(
        &self,
        (first_cast, first_way): (&Cast, Way),
        first: &Outcome,
        (cast, way): (&Cast, Way),
    ) -> Result<u64, Flaw> {
        let (outcome, checked) = self.run(cast, way, None)?;
        let sum = |o: &Outcome| (o.digest, o.events, o.ledger, o.idle_directives, o.late_answers);
        if sum(first) == sum(&outcome) {
            return Ok(checked);
        }
        let [one, other] = [(first_cast, first_way), (cast, way)].map(|(cast, way)| {
            let events = Recorded::default();
            // What is wrong with it was said by the run without a trace, or is said now.
            drop(self.run(cast, way, Some(Box::new(events.clone()))));
            events.0.take()
        });
        let digests = format!("{} and {}", outcome.digest, first.digest);
        Err(Flaw::Nondeterminism(format!(
            "the run {} differs from the one {}, digests {digests}: {}",
            way.name,
            first_way.name,
            difference(&other, &one)
        )))
    }

    /// Runs once; the outcome, and how many statements were seen to hold.
    fn run(
        &self,
        cast: &Cast,
        way: Way,
        trace: Option<Box<dyn Trace>>,
    ) -> Result<(Outcome, u64), Flaw> {
        let broken = |what: String| Flaw::Broken(format!("{what} ({})", way.name));
        let Cast { plan, almanac, habits, mates } = cast;
        let (scenario, watch) = (&plan.scenario, Arc::new(Watch::default()));
        let timeline = plan.shared_timeline();
        let (almanac, mates, peers) = (almanac.clone(), mates.clone(), scenario.peers);
        let book = Arc::new(Book::new(almanac, timeline, *habits, mates, peers));
        let options = SimOptions {
            engine: way.engine,
            threads: way.threads,
            wire: way.wire,
            trace,
            watch: watch.clone(),
        };
        let setup = peerlet_run::simulated(self.experiment, plan, options);
        let mut setup = setup.map_err(|problems| broken(problems.render(false)))?;
        let (below, on_top) = (setup.build, book.clone());
        setup.build = Box::new(move |seat| {
            let mut peer = below(seat);
            checker::top(&on_top, seat).into_iter().for_each(|peerlet| peer.push(peerlet));
            peer
        });
        (self.alter)(&mut setup);
        let (mut setup, mut ran) = (Some(setup), None);
        let mut once = || {
            let setup = setup.take()?;
            ran = Some(catch_unwind(AssertUnwindSafe(|| {
                let simulation =
                    Simulation::new(setup, plan.directives()).map_err(|e| e.to_string())?;
                simulation.run().map_err(|e| e.to_string())
            })));
            Some(())
        };
        let end = Time::ZERO + scenario.duration;
        (self.attend)(watch.clone(), end, &mut || _ = once());
        let ran = ran.expect("whoever attends to a run calls it");
        if watch.is_stopped() {
            return Err(Flaw::Interrupted);
        }
        let ran = ran.map_err(|panic| {
            let place = watch.panicked().map(|place| format!(", {place}")).unwrap_or_default();
            broken(format!("it panicked: {}{place}", words_of(&*panic)))
        })?;
        let outcome = ran.map_err(broken)?;
        let (breaches, checked) = book.judge(outcome.end);
        if let Some(breach) = breaches.first() {
            return Err(broken(format!("seat {} at {}: {}", breach.seat, breach.at, breach.what)));
        }
        let ledger = &outcome.ledger;
        for (class, flow) in
            [("datagrams", &ledger.datagram), ("reliable messages", &ledger.reliable)]
        {
            if !flow.is_balanced() {
                return Err(broken(format!("the account of {class} does not balance: {flow:?}")));
            }
        }
        Ok((outcome, checked))
    }
}

/// Where two runs part, in words.
fn difference(one: &[Handled], other: &[Handled]) -> String {
    let place = one.iter().zip(other).position(|(a, b)| a != b);
    let place = place.unwrap_or(one.len().min(other.len()));
    let said = |events: &[Handled]| events.get(place).map(Handled::to_string);
    match (said(one), said(other)) {
        (None, None) => {
            "all events are the same, but not what was dropped or measured, or the order \
                         in which a peer handled those of one instant"
                .to_owned()
        }
        (one, other) => {
            let [one, other] = [one, other].map(|said| said.unwrap_or("was over".to_owned()));
            format!("event {place} is\n  {one}\n  {other}")
        }
    }
}

/// The seats whose witnesses have mates: all of a group or none of it. Where there are groups, the
/// first one differs from the seats that are in none.
fn mates(scenario: &Scenario) -> SeatSet {
    let rng = &mut Seed::new(scenario.seed).named("mates").rng();
    let others = rng.chance(0.5);
    let mut mates = SeatSet::default();
    let mut rest = SeatSet::all(scenario.peers);
    for (place, group) in scenario.groups.iter().enumerate() {
        rest = rest.without(&group.seats);
        let has_mates = rng.chance(0.5);
        if (place == 0 && !others) || (place > 0 && has_mates) {
            mates = mates.union(&group.seats);
        }
    }
    if others { mates.union(&rest) } else { mates }
}

/// What the witnesses of this plan do and meet.
fn habits(plan: &Plan, lookahead: Duration) -> Habits {
    let scenario = &plan.scenario;
    let layers = scenario.network.iter().flat_map(|network| network.parameters.parts());
    let layers: Vec<_> = layers.map(|part| part.name.as_str()).collect();
    let has = |wanted: &str| {
        let is_call =
            |action: &Action| matches!(action, Action::Network { name, .. } if name == wanted);
        layers.contains(&wanted) || scenario.events.iter().any(|event| is_call(&event.action))
    };
    let seed = Seed::new(scenario.seed).named("witness");
    // Where nearly every event has a window of its own, few of them cost as much as many.
    let most = if lookahead < MILLISECOND { 250 } else { 1_800 };
    let acts = most / 6 + seed.rng().below(most - most / 6);
    let time = scenario.duration.as_nanos().saturating_mul(scenario.peers.into());
    // Whole multiples of 4 ms, so that halves of it meet at one instant.
    let period = MILLISECOND * 4 * (time / acts / 4_000_000).clamp(1, 500);
    Habits { period, has_copies: has("duplicate"), has_damage: has("corrupt") }
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without a word").to_owned()
}

/// Keeps all events of a run.
#[derive(Clone, Default)]
struct Recorded(Rc<RefCell<Vec<Handled>>>);

impl Trace for Recorded {
    fn handled(&mut self, event: &Handled) {
        // A run with encoded messages has payloads and others have none; that is no difference.
        self.0.borrow_mut().push(Handled { payload: 0, ..*event });
    }
}
