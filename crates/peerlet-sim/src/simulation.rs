//! The run: its workers, its director, and what comes out.

use std::cell::Ref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use peerlet_core::runtime::{Directive, Location, State};
use peerlet_core::{Peerlet, Seat, Seed, Time};
use peerlet_measure::{Epochs, Ledger, MetricEntry, Recorder};

use crate::chart::{Chart, Doings};
use crate::digest::{Digest, fold};
use crate::director::Director;
use crate::fabric::{Common, Fabric};
use crate::grid::Grid;
use crate::heap::Heap;
use crate::outcome::{Outcome, RunError};
use crate::place::Place;
use crate::ring::Ring;
use crate::setup::{Engine, Setup, SetupError};
use crate::simple;
use crate::team::{self, Lead, share};
use crate::trace::{Sums, Trace};
use crate::watch::Watch;
use crate::worker::Worker;

/// A run in virtual time.
///
/// [`run`](Simulation::run) goes through to the end; [`run_until`](Simulation::run_until) stops at
/// an instant, at which every peerlet may be [looked at](Simulation::peerlet).
pub struct Simulation {
    engine: Engine,
    grid: Grid,
    /// In order of their seats.
    workers: Vec<Worker>,
    director: Director,
    chart: Arc<Chart>,
    trace: Option<Box<dyn Trace>>,
    watch: Arc<Watch>,
}

impl Simulation {
    /// A simulation of these seats, to which the environment does this, in order.
    ///
    /// # Errors
    /// When a stack cannot run, or needs what no simulation gives.
    pub fn new(
        setup: Setup,
        directives: impl IntoIterator<Item = Directive, IntoIter: Send + 'static>,
    ) -> Result<Simulation, SetupError> {
        setup.check()?;
        let registry = setup.registry()?;
        let end = Time::ZERO + setup.duration;
        let epochs = Epochs::new(setup.epoch, setup.from..end)?;
        let metrics = MetricEntry::table(&registry);
        let chart = Arc::new(Chart::new(setup.seats));
        let build = Arc::new(setup.build);
        let common = Common {
            seed: Seed::new(setup.seed),
            model: Arc::new(setup.model),
            chart: chart.clone(),
            wire: setup.wire,
            handshakes: setup.handshakes,
            identities: setup.identities,
            connection_timeout: setup.connection_timeout,
            message_max: setup.message_max,
            warned: Arc::default(),
        };
        let threads = match setup.engine {
            Engine::Windowed => setup.threads.max(1),
            Engine::Reference => 1,
        };
        let grid = Grid::new(common.model.lookahead(), setup.seats, threads);
        let worker = |number: u32| {
            let blocks = share(grid.blocks(), number as usize, threads as usize);
            let seat = |block| grid.first_seat(block).min(setup.seats);
            let seats = match setup.engine {
                Engine::Windowed => seat(blocks.start)..seat(blocks.end),
                Engine::Reference => 0..setup.seats,
            };
            let (ring, heap) = match setup.engine {
                Engine::Windowed => (Ring::new(grid), None),
                // Its ring stays empty.
                Engine::Reference => {
                    (Ring::new(Grid::new(common.model.lookahead(), 1, 1)), Some(Heap::default()))
                }
            };
            let recorder = Recorder::new(metrics.clone(), epochs);
            let mut fabric = Fabric::new(common.clone(), seats, recorder, ring, heap);
            fabric.trace = setup.trace.is_some().then(Vec::new);
            fabric.is_attended = fabric.trace.is_some();
            #[cfg(feature = "planted")]
            {
                fabric.planted = setup.planted;
            }
            Worker::new(registry.clone(), build.clone(), fabric)
        };
        let directives = Box::new(directives.into_iter());
        let director = Director::new(directives, &epochs, setup.seats, common.model.clone());
        Ok(Simulation {
            engine: setup.engine,
            grid,
            workers: (0..threads).map(worker).collect(),
            director,
            chart,
            trace: setup.trace,
            watch: setup.watch,
        })
    }

    /// The instant up to which everything has happened.
    pub fn now(&self) -> Time {
        self.director.now
    }

    /// Those who have the peers, to look at.
    #[cfg(test)]
    pub(crate) fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// How many events peers handled so far.
    pub fn events(&self) -> u64 {
        self.workers.iter().map(|worker| worker.fabric.events).sum()
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

    fn worker_of(&self, seat: Seat) -> (&Worker, usize) {
        let worker = self.workers.iter().find(|w| w.fabric.seats.contains(&seat.0));
        let worker = worker.unwrap_or_else(|| panic!("there is no seat {seat}"));
        (worker, worker.fabric.row(seat))
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// When a peer's events of one instant cause each other without end, and when the system does
    /// not give as many threads as were asked for.
    ///
    /// # Panics
    /// Goes on with the panic of a handler; [`Watch::panicked`] says where that came from.
    pub fn run(mut self) -> Result<Outcome, RunError> {
        self.run_until(self.director.end)?;
        Ok(self.finish())
    }

    /// Runs until just before `until`, or the end if that is earlier: everything earlier has
    /// happened, nothing of that instant has.
    ///
    /// # Errors
    /// As for [`run`](Simulation::run).
    pub fn run_until(&mut self, until: Time) -> Result<(), RunError> {
        let until = until.min(self.director.end);
        // Nothing of a run that panicked is looked at again, but for where the panic came from.
        let ran = catch_unwind(AssertUnwindSafe(|| self.go(until)));
        ran.unwrap_or_else(|panic| {
            if let Some(place) = self.panicked() {
                self.watch.note_panic(place);
            }
            resume_unwind(panic)
        })
    }

    fn go(&mut self, until: Time) -> Result<(), RunError> {
        let Simulation { engine, grid, workers, director, chart, trace, watch } = self;
        let trace = trace.as_mut();
        match engine {
            Engine::Windowed => {
                let (grid, limit) = (*grid, director.now);
                let doings = Doings::default();
                let lead = Lead { director, trace, chart, watch, grid, doings, limit };
                team::run(workers, lead, until)
            }
            Engine::Reference => {
                simple::run(&mut workers[0], director, trace, (chart, watch), until)
                    .map_err(|(at, seat)| RunError::Endless { seat, at })
            }
        }
    }

    /// Where a panic came from, when it came from a peer's handler: of several in one window the
    /// first one.
    fn panicked(&self) -> Option<Location> {
        let places = self.workers.iter().filter_map(|Worker { host, fabric, .. }| {
            let seat = |row: usize| Seat(fabric.seats.start + row as u32);
            host.unwound(seat, fabric.at)
        });
        places.min_by_key(|place| (place.time, place.seat))
    }

    /// Ends the run here and adds everything up.
    pub fn finish(self) -> Outcome {
        let Simulation { workers, director, mut trace, .. } = self;
        let wire = workers.iter().any(|worker| worker.fabric.wire);
        let (mut seats, mut payloads) = (0, 0);
        let (mut events, mut late_answers, mut idle_directives) = (0, 0, 0);
        let (mut ledger, mut measures) = (Ledger::default(), None);
        for worker in workers {
            let mut fabric = worker.fabric;
            fabric.count_in_flight();
            for links in fabric.places.iter_mut().filter_map(Place::links) {
                fabric.ledger.reliable.in_flight += links.queued();
                fabric.ledger.datagram.in_flight += links.acquaintances.waiting();
            }
            seats = fabric.places.iter().fold(seats, |hash, place| fold(hash, place.digest.0));
            payloads = fabric.payloads.iter().fold(payloads, |hash, own| fold(hash, *own));
            events += fabric.events;
            late_answers += worker.host.late_answers();
            idle_directives += worker.idle_directives;
            ledger.add(&fabric.ledger);
            let own = fabric.recorder.finish(director.now);
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
            end: director.now,
            ledger,
            measures,
            late_answers,
            idle_directives,
        }
    }
}
