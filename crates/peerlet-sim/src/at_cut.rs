//! Looking at a run, and acting on it, while it stands at a cut.
//!
//! An act at a cut comes after all events before that instant and before all events of it. It is
//! numbered as one of the environment's, so that the digest does not depend on who asked for it.

use std::cell::Ref;
use std::fmt;
use std::mem;
use std::sync::Arc;

use peerlet_core::runtime::{Act, Call, Header, SeatSet, State};
use peerlet_core::{Context, NANOSECOND, Peerlet, Seat, Time};
use peerlet_measure::{Ledger, Measurements};
use peerlet_network::{AddFaultError, Change, Constant, Fault, Model, add_fault, check_fault};

use crate::digest::EventKind;
use crate::event::{Event, Key, RareEvent};
use crate::running_seats::{Planned, RunningSeats};
use crate::simulation::{Simulation, Waiting};
use crate::worker::{ENVIRONMENT, Worker};

impl Simulation {
    /// The peerlets of type `P` of all running peers, to look at, in the order of seats.
    pub fn peerlets<P: Peerlet>(&self) -> impl Iterator<Item = (Seat, Ref<'_, P>)> {
        let rows = self.workers.iter().flat_map(|worker| {
            let seats = worker.state.seats.clone();
            seats.clone().map(move |seat| (worker, Seat(seat), (seat - seats.start) as usize))
        });
        rows.filter_map(|(worker, seat, row)| {
            let is_running = worker.host.state(row) == State::Running;
            let peerlet = if is_running { worker.host.peerlet(row) } else { None };
            Some((seat, peerlet?))
        })
    }

    /// What was measured so far, epoch by epoch, as if the run ended here.
    pub fn measures(&self) -> Measurements {
        let end = self.now();
        let own = |worker: &Worker| worker.state.recorder.clone().finish(end);
        let (first, others) = self.workers.split_first().expect("there is at least one worker");
        others.iter().fold(own(first), |mut all, worker| {
            all.merge(&own(worker));
            all
        })
    }

    /// The accounts of messages so far; what is in flight is not counted.
    pub fn ledger(&self) -> Ledger {
        let mut all = Ledger::default();
        self.workers.iter().for_each(|worker| all.add(&worker.state.ledger));
        all
    }

    /// Does something to a peer, as the environment does, before all events of this instant. After
    /// a [`step`](Simulation::step) it is done when all events of the step's instant are over.
    ///
    /// A start of a running peer, and a stop or command of one that does not run, do nothing, and
    /// are counted in [`Outcome::idle_directives`](crate::Outcome::idle_directives).
    ///
    /// # Errors
    /// When there is no such seat, and when the run is over.
    pub fn act(&mut self, seat: Seat, act: Act) -> Result<(), ActError> {
        self.check(seat)?;
        match &mut self.stepped {
            Some(stepped) => stepped.waiting.push(Waiting::Act(seat, act)),
            None => self.watched(|simulation| simulation.carry_out(seat, act)),
        }
        Ok(())
    }

    /// Calls a closure on the peerlet of type `P` in this seat, with its context, before all events
    /// of this instant. What it sends, sets and records counts as if a handler had done it.
    ///
    /// # Errors
    /// When there is no such seat, its peer does not run, is paused or has no such peerlet, when
    /// the run is over, and after a [`step`](Simulation::step), when it is not at a cut. The
    /// closure is not called then.
    pub fn with<P: Peerlet, R>(
        &mut self,
        seat: Seat,
        closure: impl FnOnce(&mut P, &mut Context<'_, '_, P>) -> R,
    ) -> Result<R, ActError> {
        self.check(seat)?;
        if self.stepped.is_some() {
            return Err(ActError::WithinAnInstant);
        }
        let worker = &self.workers[self.index_of(seat)];
        let row = worker.state.row(seat);
        if worker.host.state(row) != State::Running {
            return Err(ActError::NotRunning(seat));
        }
        if worker.state.pauses.is_paused(seat) {
            return Err(ActError::Paused(seat));
        }
        let Some(port) = worker.host.port_of::<P>(row) else {
            return Err(ActError::NoPeerlet(seat, P::NAME));
        };
        self.watched(|simulation| {
            simulation.at_cut(seat, |worker, key, _| {
                let (host, mut world) = worker.at(key, Some(key.seq));
                let result = host.with(row, &mut world, closure).expect("it was looked up");
                worker.handled(key, EventKind::Closure, Some(Header { port, call: Call::None }));
                worker.state.flush();
                Ok(result)
            })
        })
    }

    /// Changes the network for these seats, from this instant on; after a
    /// [`step`](Simulation::step), from the end of the step's instant on.
    ///
    /// # Errors
    /// When the network was not made for that ([`Faults::open`](peerlet_network::Faults::open)),
    /// when the change concerns packets that are on their way, and when a delay is shorter than the
    /// lookahead.
    pub fn change_network(&mut self, seats: &SeatSet, change: Change) -> Result<(), ActError> {
        let at = self.next_cut()?;
        let fault = Fault { at, seats: seats.clone(), change };
        let is_stepped = self.stepped.is_some();
        let taken = self.with_model(|model| match is_stepped {
            true => check_fault(model, &fault),
            false => add_fault(model, &fault),
        });
        taken.map_err(ActError::Network)?;
        if let Some(stepped) = &mut self.stepped {
            stepped.waiting.push(Waiting::Fault(fault));
        }
        Ok(())
    }

    /// Lends the model, which is shared: for a moment nobody else has it.
    fn with_model<R>(&mut self, work: impl FnOnce(&mut dyn Model) -> R) -> R {
        let nobody: Arc<Box<dyn Model>> = Arc::new(Box::new(Constant { delay: NANOSECOND }));
        let mut model = mem::replace(&mut self.director.model, nobody.clone());
        self.workers.iter_mut().for_each(|worker| worker.state.model = nobody.clone());
        let own = Arc::get_mut(&mut model).expect("everybody gave it back");
        let result = work(&mut **own);
        self.director.model = model.clone();
        self.workers.iter_mut().for_each(|worker| worker.state.set_model(model.clone()));
        result
    }

    /// Does what waited for this cut.
    pub(crate) fn do_waiting(&mut self, waiting: Waiting) {
        match waiting {
            Waiting::Act(seat, act) => self.carry_out(seat, act),
            Waiting::Fault(fault) => {
                let added = self.with_model(|model| add_fault(model, &fault));
                added.expect("it was checked when it was asked for");
            }
        }
    }

    /// Carries out an act at this cut.
    pub(crate) fn carry_out(&mut self, seat: Seat, act: Act) {
        self.at_cut(seat, |worker, Key { time: at, seq, .. }, running_seats| {
            worker.carry_out(Planned { at, seat, seq, act }, running_seats);
        });
    }

    /// Lets one worker do something at this cut, and shows it to the trace.
    fn at_cut<R>(
        &mut self,
        seat: Seat,
        work: impl FnOnce(&mut Worker, Key, &RunningSeats) -> R,
    ) -> R {
        let index = self.index_of(seat);
        let Simulation { workers, director, running_seats, trace, .. } = self;
        let (worker, seq) = (&mut workers[index], director.number());
        let key = Key { time: director.now, round: 0, seat, source: ENVIRONMENT, seq };
        worker.state.recorder.close_epoch(key.time);
        worker.state.ask_lookahead();
        let limit = worker.state.queue.open(key.time);
        let result = work(worker, key, running_seats);
        worker.state.empty_outbox();
        let near: Vec<_> = worker.state.queue.close(limit).collect();
        for near in near {
            // They come in a later round of this instant, after what others have for it.
            let later = RareEvent::Later(near.key, near.event);
            worker.state.push(key, Event::Rare(Box::new(later)));
        }
        worker.show(trace.as_mut());
        result
    }

    /// Checks that something can be done to a seat now.
    fn check(&self, seat: Seat) -> Result<(), ActError> {
        self.next_cut()?;
        match seat.0 < self.seats() {
            true => Ok(()),
            false => Err(ActError::NoSeat(seat, self.seats())),
        }
    }

    /// The cut at which something is done that is asked for now.
    fn next_cut(&self) -> Result<Time, ActError> {
        if self.endless().is_err() {
            return Err(ActError::Over);
        }
        let next = self.stepped.as_ref().map(|stepped| stepped.at + NANOSECOND);
        let next = next.unwrap_or(self.director.now);
        if next < self.director.end { Ok(next) } else { Err(ActError::Over) }
    }

    /// The index of the worker that has this seat.
    fn index_of(&self, seat: Seat) -> usize {
        let index = self.workers.iter().position(|worker| worker.state.seats.contains(&seat.0));
        index.expect("the seat was checked")
    }
}

/// Why something was not done at a cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ActError {
    /// There is no such seat among this many.
    NoSeat(Seat, u32),
    /// The peer in this seat does not run.
    NotRunning(Seat),
    /// The peer in this seat is paused.
    Paused(Seat),
    /// The peer in this seat has no peerlet of this name.
    NoPeerlet(Seat, &'static str),
    /// The run stands between two events of one instant.
    WithinAnInstant,
    /// The run is over.
    Over,
    /// The network does not take this change.
    Network(AddFaultError),
}

impl fmt::Display for ActError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ActError::NoSeat(seat, seats) => match seats {
                0 => write!(f, "there is no seat {seat}: the run has none"),
                _ => write!(f, "there is no seat {seat}; the seats are 0 to {}", seats - 1),
            },
            ActError::NotRunning(seat) => {
                write!(f, "the peer in seat {seat} does not run; start it first")
            }
            ActError::Paused(seat) => {
                write!(f, "the peer in seat {seat} is paused; run until it goes on")
            }
            ActError::NoPeerlet(seat, name) => {
                write!(f, "the peer in seat {seat} has no peerlet `{name}`; put one on its stack")
            }
            ActError::WithinAnInstant => f.write_str(
                "the run stands between two events of one instant; run until an instant first",
            ),
            ActError::Over => f.write_str("the run is over; act on it before its end"),
            ActError::Network(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ActError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ActError::Network(error) => error.source(),
            _ => None,
        }
    }
}
