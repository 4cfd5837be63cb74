//! Calls of the program around a run: closures that a shard runs between events.

use std::fmt;

use peerlet_core::runtime::{Act, Directive, Handler, State};
use peerlet_core::{Context, Peerlet, Seat, Time};
use peerlet_measure::Ledger;

use crate::counters::Counters;
use crate::monitor::Delays;
use crate::shard::Shard;
use crate::shard::share::Share;

/// Something that a shard does between events.
pub(crate) type Call = Box<dyn FnOnce(&mut Shard) + Send>;

/// Calls that wait for a shard; who makes more of them waits.
pub(crate) const CALLS_MAX: usize = 1_024;

impl Shard {
    /// Makes the calls that wait, a share of them.
    pub(super) fn take_calls(&mut self, first: &mut Option<Call>) {
        let share = &mut Share::new();
        while self.takes(share) {
            let call = first.take().or_else(|| self.channels.calls.try_recv().ok());
            let Some(call) = call else { return };
            call(self);
            self.settle(share);
        }
    }

    /// Calls a closure on the peerlet of type `P` in this seat.
    pub(crate) fn call<P: Peerlet, R>(
        &mut self,
        seat: Seat,
        closure: impl FnOnce(&mut P, &mut Context<'_, '_, P>) -> R,
    ) -> Result<R, PeerError> {
        let Some(row) = self.row(seat.0) else { return Err(PeerError::NoSeat(seat)) };
        if self.host.state(row) != State::Running {
            return Err(PeerError::NotRunning(seat));
        }
        if self.pauses.has(row) {
            return Err(PeerError::Paused(seat));
        }
        let Some(port) = self.host.port_of::<P>(row) else {
            return Err(PeerError::NoPeerlet(seat, P::NAME));
        };
        let handler = (Handler::Closure, Some(port));
        let result = self.with(row, handler, |host, world| host.with(row, world, closure));
        Ok(result.expect("the peerlet was looked up"))
    }

    /// Does something to a peer, as the environment does.
    pub(crate) fn act(&mut self, seat: Seat, act: Act) -> Result<(), PeerError> {
        if self.row(seat.0).is_none() {
            return Err(PeerError::NoSeat(seat));
        }
        self.direct(Directive { at: self.state.now, seat, act });
        Ok(())
    }

    /// Whether all that was due by now has been done.
    pub(crate) fn has_begun(&mut self) -> bool {
        let now = self.state.now;
        self.directives.peek().is_none_or(|directive| directive.at > now)
    }

    /// What happened in it so far.
    pub(crate) fn stats(&self) -> ShardStats {
        let mut counters = self.counters;
        counters.merge(&self.transport.counters());
        counters.merge(self.state.connections.counters());
        let (ledger, delays) = (self.state.ledger, self.late.delays.clone());
        ShardStats { now: self.state.now, events: self.events, ledger, counters, delays }
    }
}

/// What happened in the peers of a process so far.
#[derive(Clone, Debug)]
pub struct ShardStats {
    /// The time since time zero.
    pub now: Time,
    /// Events that peers handled.
    pub events: u64,
    /// The accounts of messages. What is in flight is not counted.
    pub ledger: Ledger,
    /// Drops at sockets and connections, by cause.
    pub counters: Counters,
    /// How late shards were; handlers and closures that took more than 100 ms, with the slowest by
    /// name.
    pub delays: Delays,
}

impl ShardStats {
    /// Takes in those of another shard.
    pub(crate) fn add(&mut self, other: &ShardStats) {
        self.now = self.now.max(other.now);
        self.events += other.events;
        self.ledger.add(&other.ledger);
        self.counters.merge(&other.counters);
        self.delays.add(&other.delays);
    }
}

/// Why a peer was not reached from outside of its run.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PeerError {
    /// This process has no such seat.
    NoSeat(Seat),
    /// The peer in this seat does not run.
    NotRunning(Seat),
    /// The peer in this seat is paused.
    Paused(Seat),
    /// The peer in this seat has no peerlet of this name.
    NoPeerlet(Seat, &'static str),
    /// The peer stopped before its task was over.
    TaskEnded(Seat),
    /// The run is over.
    Stopped,
    /// A panic ended the run: its place and its message.
    Panicked(String),
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerError::NoSeat(seat) => {
                write!(f, "there is no seat {seat} in this process; its first one is 0")
            }
            PeerError::NotRunning(seat) => {
                write!(f, "the peer in seat {seat} does not run; start it first")
            }
            PeerError::Paused(seat) => {
                write!(f, "the peer in seat {seat} is paused; call it when it goes on")
            }
            PeerError::NoPeerlet(seat, name) => {
                write!(f, "the peer in seat {seat} has no peerlet `{name}`; put one on its stack")
            }
            PeerError::TaskEnded(seat) => {
                write!(f, "the peer in seat {seat} ended the task, or stopped before it was over")
            }
            PeerError::Stopped => f.write_str("the run is over; start another one"),
            PeerError::Panicked(what) => write!(f, "a panic ended the run: {what}"),
        }
    }
}

impl std::error::Error for PeerError {}
