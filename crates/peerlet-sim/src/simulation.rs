//! A simulation: its workers, its director, and its outcome.

use std::cell::Ref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use peerlet_core::runtime::{Act, Directive, Location, State};
use peerlet_core::{Peerlet, Seat, Seed, Time};
use peerlet_measure::{Epochs, Ledger, MetricEntry, Recorder};
use peerlet_network::Fault;

use crate::calendar_queue::CalendarQueue;
use crate::digest::{Digest, fold};
use crate::director::Director;
use crate::grid::{Grid, share};
use crate::heap::Heap;
use crate::outcome::{Outcome, RunError, StepError};
use crate::peer_counts::PeerCounts;
use crate::running_seats::{RunningSeats, WindowDirectives};
use crate::seat_state::SeatState;
use crate::setup::{Engine, Setup, SetupError};
use crate::simple;
use crate::threads::{self, Lead};
use crate::trace::{Sums, Trace};
use crate::watch::Watch;
use crate::worker::Worker;
use crate::worker_state::{Common, WorkerState};

/// A run in virtual time.
///
/// [`run`](Simulation::run) goes to the end; [`run_until`](Simulation::run_until) stops at
/// an instant, at which every peerlet may be [looked at](Simulation::peerlet).
pub struct Simulation {
    pub(crate) engine: Engine,
    grid: Grid,
    /// In order of their seats.
    pub(crate) workers: Vec<Worker>,
    pub(crate) director: Director,
    pub(crate) running_seats: Arc<RunningSeats>,
    pub(crate) trace: Option<Box<dyn Trace>>,
    watch: Arc<Watch>,
    /// The position after a step: between the events of an instant.
    pub(crate) stepped: Option<Stepped>,
}

/// The position after a step.
pub(crate) struct Stepped {
    /// The instant of the event that was handled last.
    pub(crate) at: Time,
    /// What waits for the next cut: until all events of this instant are handled.
    pub(crate) waiting: Vec<Waiting>,
}

/// Something that is done at the next cut.
pub(crate) enum Waiting {
    Act(Seat, Act),
    Fault(Fault),
}

impl Simulation {
    /// A simulation of this setup, with the environment's directives in order.
    ///
    /// # Errors
    /// When a stack cannot run, or has a need that no simulation meets.
    pub fn new(
        setup: Setup,
        directives: impl IntoIterator<Item = Directive, IntoIter: Send + 'static>,
    ) -> Result<Simulation, SetupError> {
        setup.check()?;
        let registry = setup.registry()?;
        let (engine, threads) = setup.engine_and_threads();
        let mut story = setup.story;
        let end = Time::ZERO + setup.duration;
        let epochs = Epochs::new(setup.epoch, setup.from..end)?;
        let metrics = MetricEntry::table(&registry, &setup.details);
        let running_seats = Arc::new(RunningSeats::new(setup.seats));
        let build = Arc::new(setup.build);
        let common = Common {
            seed: Seed::new(setup.seed),
            model: Arc::new(setup.model),
            running_seats: running_seats.clone(),
            wire: setup.wire,
            handshakes: setup.handshakes,
            identities: setup.identities,
            connection_timeout: setup.connection_timeout,
            message_max: setup.message_max,
            codec: setup.codec,
            warned: Arc::default(),
        };
        let grid = Grid::new(common.model.lookahead(), setup.seats, threads);
        let mut worker = |number: u32| {
            let blocks = share(grid.blocks(), number as usize, threads as usize);
            let seat = |block| grid.first_seat(block).min(setup.seats);
            let seats = match engine {
                Engine::Windowed => seat(blocks.start)..seat(blocks.end),
                Engine::Reference => 0..setup.seats,
            };
            let (queue, heap) = match engine {
                Engine::Windowed => (CalendarQueue::new(grid), None),
                // Its calendar queue stays empty.
                Engine::Reference => (
                    CalendarQueue::new(Grid::new(common.model.lookahead(), 1, 1)),
                    Some(Heap::default()),
                ),
            };
            let recorder = Recorder::new(metrics.clone(), epochs).with_details(&setup.details);
            let mut state = WorkerState::new(common.clone(), seats, recorder, queue, heap);
            state.story = story.take();
            state.attend(setup.trace.is_some(), setup.details.peers);
            #[cfg(feature = "injected-bugs")]
            {
                state.injected_bug = setup.injected_bug;
            }
            Worker::new(registry.clone(), build.clone(), state)
        };
        let directives = Box::new(directives.into_iter());
        let director = Director::new(directives, &epochs, setup.seats, common.model.clone());
        Ok(Simulation {
            engine,
            grid,
            workers: (0..threads).map(&mut worker).collect(),
            director,
            running_seats,
            trace: setup.trace,
            watch: setup.watch,
            stepped: None,
        })
    }

    /// The instant up to which all events have been handled; after a [`step`](Simulation::step),
    /// the instant of the event that was handled last.
    pub fn now(&self) -> Time {
        self.stepped.as_ref().map_or(self.director.now, |stepped| stepped.at)
    }

    /// The instant at which the run ends, if nothing ends it earlier.
    pub fn end(&self) -> Time {
        self.director.end
    }

    /// The number of seats.
    pub fn seats(&self) -> u32 {
        self.running_seats.seats()
    }

    /// The workers, to look at.
    #[cfg(test)]
    pub(crate) fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// The number of events handled so far.
    pub fn events(&self) -> u64 {
        self.workers.iter().map(|worker| worker.state.events).sum()
    }

    /// Whether the peer in this seat lives.
    pub fn state(&self, seat: Seat) -> State {
        let (worker, row) = self.worker_of(seat);
        worker.host.state(row)
    }

    /// The peerlet of type `P` in this seat, to look at; `None` where there is none.
    pub fn peerlet<P: Peerlet>(&self, seat: Seat) -> Option<Ref<'_, P>> {
        let (worker, row) = self.worker_of(seat);
        worker.host.peerlet(row)
    }

    pub(crate) fn worker_of(&self, seat: Seat) -> (&Worker, usize) {
        let worker = self.workers.iter().find(|w| w.state.seats.contains(&seat.0));
        let worker = worker.unwrap_or_else(|| panic!("there is no seat {seat}"));
        (worker, worker.state.row(seat))
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// When a peer's events of one instant cause each other endlessly, and when the system does not
    /// provide as many threads as were asked for.
    ///
    /// # Panics
    /// Resumes the panic of a handler; [`Watch::panicked`] says where that came from.
    pub fn run(mut self) -> Result<Outcome, RunError> {
        self.run_until(self.director.end)?;
        Ok(self.finish())
    }

    /// Runs until just before `until`, or the end if that is earlier: all earlier events have been
    /// handled, none of that instant. Acts that wait since a [`step`](Simulation::step) are done
    /// where they belong.
    ///
    /// # Errors
    /// As for [`run`](Simulation::run).
    pub fn run_until(&mut self, until: Time) -> Result<(), RunError> {
        let until = until.min(self.director.end);
        self.watched(|simulation| simulation.go_on(until))
    }

    /// Handles the next event or act of the environment, in the order (time, round, seat, source,
    /// seq); those of the environment come first at their instant. False when there is none left.
    /// The reference engine only: no other has such an order.
    ///
    /// # Errors
    /// When the engine is another one, and when a peer's events of one instant cause each other
    /// endlessly.
    pub fn step(&mut self) -> Result<bool, StepError> {
        if self.engine != Engine::Reference {
            return Err(StepError::Engine);
        }
        self.watched(Simulation::step_on).map_err(StepError::Run)
    }

    /// Does something that runs peers, and notes where a panic came from.
    pub(crate) fn watched<T>(&mut self, run: impl FnOnce(&mut Simulation) -> T) -> T {
        // After a panic, only its location is looked at.
        let ran = catch_unwind(AssertUnwindSafe(|| run(self)));
        ran.unwrap_or_else(|panic| {
            if let Some(location) = self.panicked() {
                self.watch.note_panic(location);
            }
            resume_unwind(panic)
        })
    }

    /// The peer that made events for itself without end, if there is one: nothing goes on then.
    pub(crate) fn endless(&self) -> Result<(), RunError> {
        let endless = self.workers.iter().filter_map(|worker| worker.state.endless).min();
        endless.map_or(Ok(()), |(at, seat)| Err(RunError::Endless { seat, at }))
    }

    pub(crate) fn go(&mut self, until: Time) -> Result<(), RunError> {
        self.endless()?;
        let Simulation { engine, grid, workers, director, running_seats, trace, watch, .. } = self;
        let trace = trace.as_mut();
        match engine {
            Engine::Windowed => {
                let (grid, limit) = (*grid, director.now);
                let directives = WindowDirectives::default();
                let lead = Lead { director, trace, running_seats, watch, grid, directives, limit };
                threads::run(workers, lead, until)
            }
            Engine::Reference => {
                simple::run(&mut workers[0], director, trace, (running_seats, watch), until)
            }
        }
    }

    /// Handles one event before `until`; returns its instant.
    pub(crate) fn go_one(&mut self, until: Time) -> Result<Option<Time>, RunError> {
        self.endless()?;
        let Simulation { workers, director, running_seats, trace, watch, .. } = self;
        let seen = (&**running_seats, &**watch);
        simple::step(&mut workers[0], director, trace.as_mut(), seen, until)
    }

    /// The location of a panic in a peer's handler: the first of several in one window.
    fn panicked(&self) -> Option<Location> {
        let locations = self.workers.iter().filter_map(|Worker { host, state, .. }| {
            let seat = |row: usize| Seat(state.seats.start + row as u32);
            host.unwound(seat, state.at)
        });
        locations.min_by_key(|location| (location.time, location.seat))
    }

    /// Ends the run here and adds everything up. After a [`step`](Simulation::step), run until an
    /// instant first: what else falls on that of the step counts as in flight, and acts that wait
    /// are not done.
    pub fn finish(self) -> Outcome {
        let end = self.now();
        let Simulation { workers, mut trace, .. } = self;
        let wire = workers.iter().any(|worker| worker.state.wire);
        let (mut seats, mut payloads) = (0, 0);
        let (mut events, mut late_answers, mut idle_directives) = (0, 0, 0);
        let (mut ledger, mut measures, mut peers) = (Ledger::default(), None, Vec::new());
        for worker in workers {
            let mut state = worker.state;
            state.count_in_flight();
            for connections in state.seat_states.iter_mut().filter_map(SeatState::connections) {
                state.ledger.reliable.in_flight += connections.queued();
                state.ledger.datagram.in_flight += connections.acquaintances.waiting();
            }
            seats = state
                .seat_states
                .iter()
                .fold(seats, |hash, seat_state| fold(hash, seat_state.digest.0));
            payloads = state.payloads.iter().fold(payloads, |hash, own| fold(hash, *own));
            events += state.events;
            late_answers += worker.host.late_answers();
            idle_directives += worker.idle_directives;
            ledger.add(&state.ledger);
            let counts = state.peer_counts.take().into_iter().flatten();
            peers.extend(
                counts
                    .enumerate()
                    .map(|(row, counts)| PeerCounts { lives: worker.host.life(row), ..counts }),
            );
            let own = state.recorder.finish(end);
            match &mut measures {
                None => measures = Some(own),
                Some(all) => all.merge(&own),
            }
        }
        let measures = measures.expect("there is at least one worker");
        let sums = Sums::of(&ledger, &measures);
        let digest = sums.words().fold(seats, fold);
        if let Some(trace) = &mut trace {
            trace.finished(&sums);
        }
        Outcome {
            digest: Digest(digest),
            payload_digest: wire.then_some(Digest(payloads)),
            events,
            end,
            ledger,
            measures,
            late_answers,
            idle_directives,
            peers,
        }
    }
}
