//! Simulating an experiment from a program or a test.

use std::fmt::Display;
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::thread;

use peerlet_core::Duration;
use peerlet_scenario::{Override, Problem, Problems, Source};
use peerlet_sim::{Engine, Watch};

use crate::error::RunError;
use crate::experiment::Experiment;
use crate::panics;
use crate::parallel::run_parallel;
use crate::plan::Plan;
use crate::results::Results;
use crate::setup::SimOptions;
use crate::sim_run::SimRun;
use crate::simulate::simulate;
use crate::world::World;

impl Experiment {
    /// A simulation of a scenario: a text, or a file that was [opened](Source::open).
    ///
    /// Nothing runs before [`run`](Sim::run), [`start`](Sim::start) or [`seeds`](Sim::seeds).
    pub fn sim(&self, scenario: impl Into<Source>) -> Sim<'_> {
        Sim {
            experiment: self,
            source: scenario.into(),
            assignments: Vec::new(),
            engine: Engine::default(),
            threads: 1,
            wire: false,
        }
    }
}

/// A simulation that is about to begin: a scenario, with values put over those that it has.
///
/// ```
/// # use peerlet_core::{Context, Metric, Nothing, Peer, Peerlet, SECOND};
/// # struct Clock;
/// # const TICKS: Metric = Metric::counter("ticks");
/// # impl Peerlet for Clock {
/// #     const NAME: &'static str = "clock";
/// #     type Message = Nothing;
/// #     type Timer = ();
/// #     fn describe(about: &mut peerlet_core::Description<Self>) { about.measures(&TICKS); }
/// #     fn start(&mut self, ctx: &mut Context<Self>) { ctx.every(SECOND, ()); }
/// #     fn timer(&mut self, ctx: &mut Context<Self>, (): ()) { ctx.measure(TICKS, 1.0); }
/// # }
/// use peerlet_run::Experiment;
///
/// let experiment = Experiment::new("clock").peer(|_seat| Peer::new().with(Clock));
/// let scenario = "peers = 100\nfor = \"10s\"\njoin = \"0s\"";
/// let results = experiment.sim(scenario).set("network.model", "king-like").run()?;
/// assert_eq!(results.summary().rows["clock/ticks"].sum, 900.0);
///
/// // Thirty seeds, on all cores.
/// let all = experiment.sim(scenario).duration(SECOND * 5).seeds(1..=30)?;
/// assert!(all.iter().all(|run| run.summary().rows["clock/ticks"].sum == 400.0));
/// # Ok::<(), peerlet_run::RunError>(())
/// ```
#[must_use = "a simulation begins with `run`, `start` or `seeds`"]
pub struct Sim<'a> {
    experiment: &'a Experiment,
    source: Source,
    /// Values over those of the scenario, as `path=value`.
    assignments: Vec<String>,
    engine: Engine,
    threads: u32,
    wire: bool,
}

impl Sim<'_> {
    /// Puts a value over the scenario's own, under a path such as `network.loss`: as `--set` does
    /// on the command line. Without a value, as in `set("network.loss", "")`, the key is removed.
    pub fn set(mut self, path: &str, value: impl Display) -> Self {
        self.assignments.push(format!("{path}={value}"));
        self
    }

    /// Sets the number of peers.
    pub fn peers(self, peers: u32) -> Self {
        self.set("peers", peers)
    }

    /// Sets how long it runs, in virtual time.
    pub fn duration(self, duration: impl Into<Duration>) -> Self {
        self.set("for", duration.into())
    }

    /// Sets the seed of all that is random.
    pub fn seed(self, seed: u64) -> Self {
        self.set("seed", seed)
    }

    /// Sets how many threads share the peers, at most 256; 1 unless set. The results are the same.
    pub fn threads(mut self, threads: u32) -> Self {
        self.threads = threads.min(256);
        self
    }

    /// Sets the engine. The results are the same; only the reference engine goes on
    /// [one event at a time](SimRun::step).
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// Encodes and decodes every message, as on real sockets. The results are the same.
    pub fn wire(mut self) -> Self {
        self.wire = true;
        self
    }

    /// The scenario, resolved with the experiment.
    ///
    /// # Errors
    /// All problems of the scenario, each with its place.
    pub fn plan(&self) -> Result<Plan, Problems> {
        self.plan_with(None)
    }

    /// The scenario with this seed, or its own.
    fn plan_with(&self, seed: Option<u64>) -> Result<Plan, Problems> {
        let seed = seed.map(|seed| format!("seed={seed}"));
        let assignments = self.assignments.iter().chain(&seed);
        let read = |assignment: &String| Override::assign("set", assignment);
        let overrides: Vec<Override> = assignments.map(read).collect::<Result<_, _>>()?;
        Plan::new(self.experiment, self.source.clone(), &overrides, World::Sim)
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// As [`simulate`](crate::simulate).
    pub fn run(self) -> Result<Results, RunError> {
        simulate(self.experiment, self.planned(None)?, self.options())
    }

    /// Begins it at time zero, for a program that goes through it step by step.
    ///
    /// # Errors
    /// When something is wrong with the scenario, or a stack cannot run.
    pub fn start(self) -> Result<SimRun, RunError> {
        SimRun::new(self.experiment, self.planned(None)?, self.options())
    }

    /// Runs it to its end with each of these seeds, as many at once as there are cores for. The
    /// results are in the order of the seeds.
    ///
    /// # Errors
    /// The error of the lowest seed that has one; later seeds are not begun then. And when there is
    /// no seed in the range: results of no run would pass every test.
    pub fn seeds(self, seeds: RangeInclusive<u64>) -> Result<Vec<Results>, RunError> {
        if seeds.is_empty() {
            let text = format!("{}..={}", seeds.start(), seeds.end());
            let source = Source::new("seeds", text.as_str());
            let help = "put the smaller seed first";
            let problem = Problem::new(&source, 0..text.len(), "there is no seed in it", help);
            return Err(RunError::Plan(problem.into()));
        }
        let count = seeds.end().saturating_sub(*seeds.start()).saturating_add(1);
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let at_once = (cores as u64 / u64::from(self.threads.max(1))).clamp(1, count) as usize;
        run_parallel(seeds, at_once, || true, |seed| self.one(seed)).into_iter().collect()
    }

    /// The plan; the panic of a function that builds stacks is an error.
    fn planned(&self, seed: Option<u64>) -> Result<Plan, RunError> {
        let made = panics::catch(&Watch::default(), seed.unwrap_or(1), || self.plan_with(seed));
        let (plan, _) = made.map_err(RunError::Panicked)?;
        Ok(plan?)
    }

    /// Runs it with one seed.
    fn one(&self, seed: u64) -> Result<Results, RunError> {
        simulate(self.experiment, self.planned(Some(seed))?, self.options())
    }

    fn options(&self) -> SimOptions {
        let (engine, threads, wire) = (self.engine, self.threads, self.wire);
        SimOptions { engine, threads, wire, ..SimOptions::default() }
    }
}
