//! A simulation that a program goes through step by step.

use std::cell::Ref;
use std::sync::Arc;
use std::time::Instant;

use peerlet_core::runtime::{Act, SeatSet, State};
use peerlet_core::{Address, Context, Duration, NANOSECOND, Peerlet, Seat, Time};
use peerlet_measure::{Ledger, Measurements, Summary};
use peerlet_network::Change;
use peerlet_scenario::{Problem, Source};
use peerlet_sim::{Simulation, Watch};

use crate::error::RunError;
use crate::experiment::Experiment;
use crate::inspection::Inspection;
use crate::panics::{self, PanicReport};
use crate::plan::{Deed, Plan};
use crate::properties::PropertyReport;
use crate::results::{PeerState, Results, Seen};
use crate::setup::{self, SimOptions};
use crate::world::World;

/// A simulation that stands at an instant, where it may be looked at and acted on.
///
/// It goes on to an instant, a *cut*: all events before it have been handled, and none of it.
/// Whatever is done there comes after all events before and before all events of that instant. The
/// results do not depend on the number of threads, nor on where a run is only looked at. It stays
/// on the thread that began it.
///
/// A hundred peers, of which one crashes:
/// ```
/// # use peerlet_core::{Context, Nothing, Peer, Peerlet};
/// # #[derive(Default)]
/// # struct Clock { ticks: u32 }
/// # impl Peerlet for Clock {
/// #     const NAME: &'static str = "clock";
/// #     type Message = Nothing;
/// #     type Timer = ();
/// #     fn start(&mut self, ctx: &mut Context<Self>) { ctx.every(SECOND, ()); }
/// #     fn timer(&mut self, _: &mut Context<Self>, (): ()) { self.ticks += 1; }
/// # }
/// use peerlet_core::{SECOND, Seat};
/// use peerlet_run::Experiment;
///
/// let experiment = Experiment::new("clock").peer(|_seat| Peer::new().with(Clock::default()));
/// let mut run = experiment.sim("peers = 100\nfor = \"60s\"\njoin = \"0s\"").start()?;
/// run.run_for(SECOND * 10)?;
/// assert!(run.peerlets::<Clock>().all(|(_, clock)| clock.ticks == 9));
/// run.crash(Seat(7))?;
/// let is_late = |run: &peerlet_run::SimRun| run.peerlets::<Clock>().any(|(_, c)| c.ticks > 30);
/// assert!(run.run_until_holds(SECOND, is_late)?);
/// assert_eq!((run.now().as_secs_f64(), run.peerlets::<Clock>().count()), (32.0, 99));
/// let ticks = run.with(Seat(3), |clock: &mut Clock, _ctx| std::mem::take(&mut clock.ticks))?;
/// assert_eq!(ticks, 31);
/// let results = run.finish()?;
/// assert!(results.digest.is_some());
/// # Ok::<(), peerlet_run::RunError>(())
/// ```
pub struct SimRun {
    plan: Plan,
    simulation: Simulation,
    watch: Arc<Watch>,
    inspection: Inspection,
    threads: u32,
    /// The real time that it took so far.
    seconds: f64,
    thread_panics: Vec<String>,
    /// The panic after which nothing of it can be used.
    panicked: Option<PanicReport>,
    /// The error at which it ended.
    broken: Option<peerlet_sim::RunError>,
}

impl SimRun {
    /// A simulation of this plan, at time zero.
    ///
    /// # Errors
    /// When the plan is for another world, its network cannot be built, or a stack cannot run.
    pub fn new(
        experiment: &Experiment,
        plan: Plan,
        mut options: SimOptions,
    ) -> Result<SimRun, RunError> {
        RunError::check_world(plan.world, World::Sim)?;
        let (threads, watch) = (options.threads.max(1), options.watch.clone());
        let inspection = Inspection::of(&plan, options.links.take());
        let setup = setup::simulated_over(plan.open_model(experiment)?, &plan, options);
        let made = || Simulation::new(setup, plan.directives());
        let made = panics::catch(&watch, plan.scenario.seed, made).map_err(RunError::Panicked)?;
        let (simulation, thread_panics) = (made.0.map_err(RunError::Setup)?, made.1);
        let panicked = None;
        Ok(SimRun {
            inspection,
            plan,
            simulation,
            watch,
            threads,
            seconds: 0.0,
            thread_panics,
            panicked,
            broken: None,
        })
    }

    /// The plan that it follows.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The instant that it has reached; after a [`step`](SimRun::step), that of the last event.
    pub fn now(&self) -> Time {
        self.simulation.now()
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.simulation.now() >= self.simulation.end()
    }

    /// How many events have been handled.
    pub fn events(&self) -> u64 {
        self.simulation.events()
    }

    /// Goes on until just before `time`, or to the end if that is earlier. On the way its
    /// properties are checked; it stands still where the verdict on one is known that the scenario
    /// is to [stop at](SimRun::stopped_by), and goes on when it is called again.
    ///
    /// # Errors
    /// When a handler panics, peers send to themselves without end, or the system refuses threads.
    pub fn run_until(&mut self, time: Time) -> Result<(), RunError> {
        let ran =
            self.inspected(|simulation, inspection| inspection.run_until(simulation, time))?;
        self.broken = ran.err();
        ran.map_err(RunError::Simulation)
    }

    /// What is known so far of the properties that are checked.
    pub fn properties(&self) -> Vec<PropertyReport> {
        self.inspection.reports()
    }

    /// The property that the scenario stops at, once the verdict on it is known.
    pub fn stopped_by(&self) -> Option<&str> {
        self.inspection.stopped_by()
    }

    /// The states of the peers in these seats, as their peerlets tell them.
    pub fn states(&self, seats: &SeatSet) -> Vec<PeerState> {
        let there = seats.iter().filter(|seat| seat.0 < self.simulation.seats());
        there.map(|seat| PeerState::of(&self.simulation, seat)).collect()
    }

    /// Goes on for this long, or to the end if that is earlier.
    ///
    /// # Errors
    /// As [`run_until`](SimRun::run_until).
    pub fn run_for(&mut self, duration: impl Into<Duration>) -> Result<(), RunError> {
        self.run_until(self.now() + duration.into())
    }

    /// Goes on until a condition holds, which is judged now and at every whole multiple of `every`
    /// from now on. False when it did not hold at the end either.
    ///
    /// At time zero no peer runs yet, and a condition on *all running peers* holds: count them.
    ///
    /// # Errors
    /// As [`run_until`](SimRun::run_until).
    ///
    /// # Panics
    /// Panics when `every` is zero.
    pub fn run_until_holds(
        &mut self,
        every: impl Into<Duration>,
        mut condition: impl FnMut(&SimRun) -> bool,
    ) -> Result<bool, RunError> {
        let every = every.into();
        assert!(
            every > Duration::ZERO,
            "a condition is judged after some time; give more than zero"
        );
        loop {
            if condition(self) {
                return Ok(true);
            }
            let before = self.now();
            self.run_for(every)?;
            // It is over, or its watch stopped it.
            if self.now() == before {
                return Ok(false);
            }
        }
    }

    /// Handles the next event or act of the scenario; false when there is none left. What is done
    /// to the run then waits until all events of that instant are handled. Properties are not
    /// checked between steps: checks that steps pass over are made at the next cut.
    ///
    /// # Errors
    /// When the engine is not the reference engine; and as [`run_until`](SimRun::run_until).
    pub fn step(&mut self) -> Result<bool, RunError> {
        self.watched(Simulation::step)?.map_err(RunError::Step)
    }

    /// Whether the peer in this seat lives.
    ///
    /// # Panics
    /// Panics when there is no such seat.
    pub fn state(&self, seat: Seat) -> State {
        self.simulation.state(seat)
    }

    /// The address of the peer in this seat; `None` where there is no such seat.
    pub fn address(&self, seat: Seat) -> Option<Address> {
        (seat.0 < self.simulation.seats()).then(|| Address::simulated(seat))
    }

    /// The seats whose peers run, in order.
    pub fn running(&self) -> impl Iterator<Item = Seat> {
        let seats = (0..self.simulation.seats()).map(Seat);
        seats.filter(|seat| self.simulation.state(*seat) == State::Running)
    }

    /// The peerlet of type `P` in this seat, to look at; `None` where there is none. That of a
    /// stopped peer is there as well.
    ///
    /// # Panics
    /// Panics when there is no such seat.
    pub fn peerlet<P: Peerlet>(&self, seat: Seat) -> Option<Ref<'_, P>> {
        self.simulation.peerlet(seat)
    }

    /// The peerlets of type `P` of all running peers, to look at, in the order of seats.
    pub fn peerlets<P: Peerlet>(&self) -> impl Iterator<Item = (Seat, Ref<'_, P>)> {
        self.simulation.peerlets()
    }

    /// Calls a closure on the peerlet of type `P` of a running peer, with its context. What it
    /// sends, sets, spawns and records counts as if a handler had done it.
    ///
    /// # Errors
    /// When the peer does not run, is paused or has no such peerlet, and after a
    /// [`step`](SimRun::step). The closure is not called then. When it panics.
    pub fn with<P: Peerlet, R>(
        &mut self,
        seat: Seat,
        closure: impl FnOnce(&mut P, &mut Context<'_, '_, P>) -> R,
    ) -> Result<R, RunError> {
        self.watched(|simulation| simulation.with(seat, closure))?.map_err(RunError::Act)
    }

    /// Starts the peer in this seat; does nothing where it runs.
    ///
    /// # Errors
    /// When there is no such seat, the run is over, or a handler panics.
    pub fn start(&mut self, seat: Seat) -> Result<(), RunError> {
        self.act(seat, Act::Start)
    }

    /// Stops the peer in this seat, in order: its state is kept.
    ///
    /// # Errors
    /// As [`start`](SimRun::start).
    pub fn stop(&mut self, seat: Seat) -> Result<(), RunError> {
        self.act(seat, Act::Stop)
    }

    /// Crashes the peer in this seat: no handler runs, and its state is lost.
    ///
    /// # Errors
    /// As [`start`](SimRun::start).
    pub fn crash(&mut self, seat: Seat) -> Result<(), RunError> {
        self.act(seat, Act::Crash)
    }

    /// Does to the peer in this seat what a scenario's event can do.
    ///
    /// # Errors
    /// As [`start`](SimRun::start).
    pub fn act(&mut self, seat: Seat, act: Act) -> Result<(), RunError> {
        self.watched(|simulation| simulation.act(seat, act))?.map_err(RunError::Act)
    }

    /// Changes the network for these seats, from now on. It takes time in proportion to the changes
    /// so far, the scenario's included.
    ///
    /// # Errors
    /// When the change concerns messages that are on their way (a clog, a release, a cut marked
    /// `in-flight`), when a pair's delay is shorter than any that the run began with, and when the
    /// run is over.
    pub fn change_network(&mut self, seats: &SeatSet, change: Change) -> Result<(), RunError> {
        self.simulation.change_network(seats, change).map_err(RunError::Act)
    }

    /// Does what an event line of a scenario says, without its time: `PEERS CALL`, such as
    /// `0-9 Peer.crash()` or `10% Network.loss(0.2)`. Shares are chosen at random, by the seed, the
    /// instant and the call: the same line chooses the same peers again at the same instant.
    ///
    /// # Errors
    /// When the line cannot be read, or no peer could take its command; nothing is done then. And
    /// as [`start`](SimRun::start) and [`change_network`](SimRun::change_network).
    pub fn event(&mut self, line: &str) -> Result<(), RunError> {
        let mut deeds = Vec::new();
        for event in self.plan.scenario.events_at(self.now(), line)? {
            deeds.extend(self.plan.resolve_event(&event).map_err(|(message, help)| {
                Problem::new(&Source::new("event line", line), 0..line.len(), message, help)
            })?);
        }
        deeds.into_iter().try_for_each(|deed| match deed {
            Deed::Peer(seat, act) => self.act(seat, act),
            Deed::Network(fault) => self.change_network(&fault.seats, fault.change),
        })
    }

    /// All that was measured so far, epoch by epoch.
    pub fn measures(&self) -> Measurements {
        self.inspection.beside(&self.simulation.measures(), self.simulation.now())
    }

    /// All metrics so far, over the epochs after the warm-up, in units.
    pub fn summary(&self) -> Summary {
        Summary::of(&self.measures())
    }

    /// The accounts of messages so far; what is in flight is not counted.
    pub fn ledger(&self) -> Ledger {
        self.simulation.ledger()
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// As [`run_until`](SimRun::run_until).
    pub fn run(mut self) -> Result<Results, RunError> {
        self.run_until(Time::MAX)?;
        self.finish()
    }

    /// Ends it here. Where this is earlier than planned, its expectations are not judged.
    ///
    /// # Errors
    /// As [`run_until`](SimRun::run_until), for the rest of an instant after a
    /// [`step`](SimRun::step).
    pub fn finish(mut self) -> Result<Results, RunError> {
        match self.simulation.is_within_an_instant() {
            true => self.run_until(self.now() + NANOSECOND)?,
            false => self.watched(|_| ())?,
        }
        if let Some(error) = self.broken {
            return Err(RunError::Simulation(error));
        }
        let SimRun { plan, simulation, inspection, threads, seconds, thread_panics, .. } = self;
        let duration = plan.scenario.duration;
        let accounts = inspection.accounts(simulation.now(), simulation.ledger());
        let mut outcome = simulation.finish();
        outcome.measures = inspection.beside(&outcome.measures, outcome.end);
        let results = Results::simulated(plan, threads, outcome, seconds);
        let stopped = inspection.stopped_by().filter(|_| results.end < Time::ZERO + duration);
        let stopped = stopped.map(|name| format!("the verdict on `{name}` is known"));
        let states = Vec::new();
        let seen = Seen { properties: inspection.reports(), stopped, states, accounts };
        Ok(results.seen(seen).with_thread_panics(thread_panics))
    }

    /// Does something that runs peers: takes its time, and catches panics.
    fn watched<T>(&mut self, run: impl FnOnce(&mut Simulation) -> T) -> Result<T, RunError> {
        self.inspected(|simulation, _| run(simulation))
    }

    /// The same, with what looks at the peers.
    fn inspected<T>(
        &mut self,
        run: impl FnOnce(&mut Simulation, &mut Inspection) -> T,
    ) -> Result<T, RunError> {
        if let Some(report) = &self.panicked {
            return Err(RunError::Panicked(report.clone()));
        }
        let (watch, seed, begun) = (&self.watch, self.plan.scenario.seed, Instant::now());
        let ran = panics::catch(watch, seed, || run(&mut self.simulation, &mut self.inspection));
        self.seconds += begun.elapsed().as_secs_f64();
        let (result, panics) = ran.map_err(|report| {
            self.panicked = Some(report.clone());
            RunError::Panicked(report)
        })?;
        self.thread_panics.extend(panics);
        Ok(result)
    }
}
