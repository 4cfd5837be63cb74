//! A trial of one scenario: it is run in several variants, each checked against everything that
//! holds for any run.

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
use crate::checker::{self, CheckerConfig, History};
use crate::expected::ExpectedLifecycle;
use crate::generate::scenario::GeneratedScenario;

/// A scenario on trial.
pub struct Trial<'a> {
    /// The peerlets and models that scenarios can name.
    pub experiment: &'a Experiment,
    /// Changes the setup of each run; for tests.
    pub alter: &'a Alter,
    /// Attends to each run, and may end it early.
    pub attend: &'a Attend<'a>,
    /// Whether the trial includes the slower variants: encoded messages, the expanded scenario.
    pub is_thorough: bool,
}

/// The result of a trial.
#[derive(Clone, Copy, Default, Debug)]
pub struct Score {
    /// Events of one run.
    pub events: u64,
    /// Statements of the contract that checkers saw hold, over all runs.
    pub checked: u64,
}

/// The reason why a trial failed or ended.
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

/// A variant of a run; all must have the same outcome.
#[derive(Clone, Copy)]
struct Variant {
    name: &'static str,
    engine: Engine,
    threads: u32,
    wire: bool,
}

const FIRST: Variant =
    Variant { name: "with 1 thread", engine: Engine::Windowed, threads: 1, wire: false };
const TWO: Variant = Variant { name: "with 2 threads", threads: 2, ..FIRST };
const REFERENCE: Variant =
    Variant { name: "by the reference engine", engine: Engine::Reference, ..FIRST };
const WIRE: Variant = Variant { name: "with encoded messages", wire: true, ..FIRST };
const EXPANDED: Variant = Variant { name: "as expanded", ..FIRST };

/// The common part of all runs of a scenario.
struct PreparedScenario {
    plan: Plan,
    expected: Arc<ExpectedLifecycle>,
    config: CheckerConfig,
    /// The seats whose checkers have the optional sibling.
    with_sibling: SeatSet,
}

impl Trial<'_> {
    /// Tries a generated scenario.
    pub(crate) fn try_generated(&self, generated: &GeneratedScenario) -> Result<Score, Flaw> {
        let prepared = self.prepare(Source::new("random scenario", generated.text()))?;
        let (first, mut score) = self.try_prepared(&prepared)?;
        let timeline = prepared.plan.timeline();
        let Some(expanded) = generated.expanded(&prepared.plan.scenario, timeline) else {
            return Ok(score);
        };
        let again = self.prepare(Source::new("random scenario, expanded", expanded))?;
        let same = again.plan.directives().eq(prepared.plan.directives());
        if !same || again.plan.timeline().to_string() != timeline.to_string() {
            return Err(Flaw::Broken("its expansion reads as another timeline".to_owned()));
        }
        if self.is_thorough {
            score.checked += self.compare((&prepared, FIRST), &first, (&again, EXPANDED))?;
        }
        Ok(score)
    }

    /// Tries a given scenario.
    pub fn try_source(&self, source: Source) -> Result<Score, Flaw> {
        Ok(self.try_prepared(&self.prepare(source)?)?.1)
    }

    /// Runs a scenario in all variants and compares; returns the first variant's outcome and the
    /// score.
    fn try_prepared(&self, prepared: &PreparedScenario) -> Result<(Outcome, Score), Flaw> {
        let (first, mut checked) = self.run(prepared, FIRST, None)?;
        let wire = self.is_thorough.then_some(WIRE);
        for variant in [TWO, REFERENCE].into_iter().chain(wire) {
            checked += self.compare((prepared, FIRST), &first, (prepared, variant))?;
        }
        let score = Score { events: first.events, checked };
        Ok((first, score))
    }

    fn prepare(&self, source: Source) -> Result<PreparedScenario, Flaw> {
        let mut plan =
            Plan::new(self.experiment, source, &[], World::Sim).map_err(Flaw::Refused)?;
        let scenario = &plan.scenario;
        let (peers, duration) = (scenario.peers, scenario.duration);
        let expected = Arc::new(ExpectedLifecycle::new(peers, plan.directives(), duration));
        let lookahead = plan.model(self.experiment).map_err(Flaw::Refused)?.lookahead();
        let config = checker_config(&plan, lookahead);
        let with_sibling = seats_with_sibling(&plan.scenario);
        let timeline = plan.shared_timeline();
        let nobody =
            Arc::new(History::new(expected.clone(), timeline, config, with_sibling.clone(), 0));
        plan.admit(&checker::alone(&nobody), Setup::gives()).map_err(Flaw::Refused)?;
        Ok(PreparedScenario { plan, expected, config, with_sibling })
    }

    /// Runs one more variant and compares; returns how many statements were seen to hold.
    fn compare(
        &self,
        (first_prepared, first_variant): (&PreparedScenario, Variant),
        first: &Outcome,
        (prepared, variant): (&PreparedScenario, Variant),
    ) -> Result<u64, Flaw> {
        let (outcome, checked) = self.run(prepared, variant, None)?;
        let sum = |o: &Outcome| (o.digest, o.events, o.ledger, o.idle_directives, o.late_answers);
        if sum(first) == sum(&outcome) {
            return Ok(checked);
        }
        let [one, other] =
            [(first_prepared, first_variant), (prepared, variant)].map(|(prepared, variant)| {
                let events = Recorded::default();
                // A failure was reported by the run without a trace, or is reported now.
                drop(self.run(prepared, variant, Some(Box::new(events.clone()))));
                events.0.take()
            });
        let digests = format!("{} and {}", outcome.digest, first.digest);
        Err(Flaw::Nondeterminism(format!(
            "the run {} differs from the one {}, digests {digests}: {}",
            variant.name,
            first_variant.name,
            difference(&other, &one)
        )))
    }

    /// Runs once; returns the outcome, and how many statements were seen to hold.
    fn run(
        &self,
        prepared: &PreparedScenario,
        variant: Variant,
        trace: Option<Box<dyn Trace>>,
    ) -> Result<(Outcome, u64), Flaw> {
        let broken = |what: String| Flaw::Broken(format!("{what} ({})", variant.name));
        let PreparedScenario { plan, expected, config, with_sibling } = prepared;
        let (scenario, watch) = (&plan.scenario, Arc::new(Watch::default()));
        let timeline = plan.shared_timeline();
        let (expected, with_sibling, peers) =
            (expected.clone(), with_sibling.clone(), scenario.peers);
        let history = Arc::new(History::new(expected, timeline, *config, with_sibling, peers));
        let options = SimOptions {
            engine: variant.engine,
            threads: variant.threads,
            wire: variant.wire,
            trace,
            watch: watch.clone(),
            ..SimOptions::default()
        };
        let setup = peerlet_run::simulated(self.experiment, plan, options);
        let mut setup = setup.map_err(|problems| broken(problems.render(false)))?;
        let (below, on_top) = (setup.build, history.clone());
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
            let location =
                watch.panicked().map(|location| format!(", {location}")).unwrap_or_default();
            broken(format!("it panicked: {}{location}", words_of(&*panic)))
        })?;
        let outcome = ran.map_err(broken)?;
        let (breaches, checked) = history.verify(outcome.end);
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

/// Describes the first difference of two runs.
fn difference(one: &[Handled], other: &[Handled]) -> String {
    let index = one.iter().zip(other).position(|(a, b)| a != b);
    let index = index.unwrap_or(one.len().min(other.len()));
    let said = |events: &[Handled]| events.get(index).map(Handled::to_string);
    match (said(one), said(other)) {
        (None, None) => {
            "all events are the same, but not what was dropped or measured, or the order \
                         in which a peer handled those of one instant"
                .to_owned()
        }
        (one, other) => {
            let [one, other] = [one, other].map(|said| said.unwrap_or("was over".to_owned()));
            format!("event {index} is\n  {one}\n  {other}")
        }
    }
}

/// The seats whose checkers have the optional sibling: all of a group or none of it. If there are
/// groups, the first one differs from the seats that are in none.
fn seats_with_sibling(scenario: &Scenario) -> SeatSet {
    let rng = &mut Seed::new(scenario.seed).named("mates").rng();
    let others = rng.chance(0.5);
    let mut with_sibling = SeatSet::default();
    let mut rest = SeatSet::all(scenario.peers);
    for (index, group) in scenario.groups.iter().enumerate() {
        rest = rest.without(&group.seats);
        let has_mates = rng.chance(0.5);
        if (index == 0 && !others) || (index > 0 && has_mates) {
            with_sibling = with_sibling.union(&group.seats);
        }
    }
    if others { with_sibling.union(&rest) } else { with_sibling }
}

/// The checkers' configuration for this plan.
fn checker_config(plan: &Plan, lookahead: Duration) -> CheckerConfig {
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
    CheckerConfig { period, has_copies: has("duplicate"), has_damage: has("corrupt") }
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without a word").to_owned()
}

/// A trace that keeps all events of a run.
#[derive(Clone, Default)]
struct Recorded(Rc<RefCell<Vec<Handled>>>);

impl Trace for Recorded {
    fn handled(&mut self, event: &Handled) {
        // Only runs with encoded messages have payloads; that is no difference.
        self.0.borrow_mut().push(Handled { payload: 0, ..*event });
    }
}
