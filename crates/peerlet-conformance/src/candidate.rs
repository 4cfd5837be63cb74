//! The interface of a runtime under test.

use std::fmt;
use std::sync::Arc;

use peerlet_core::runtime::{Act, Directive};
use peerlet_core::{Duration, MILLISECOND, Need, Peer, SECOND, Seat, Time};
use peerlet_measure::{Ledger, Summary};

/// A runtime under test.
pub trait Candidate {
    /// Its name in the score.
    fn name(&self) -> &str;

    /// The needs of peerlets that it meets. Cases with other needs are expected to be refused.
    fn gives(&self) -> &[Need];

    /// Runs the experiment from time zero to its end, all seats in this process.
    ///
    /// # Errors
    /// When the runtime refuses it before anything ran.
    fn run(&mut self, experiment: Experiment) -> Result<Report, Refusal>;
}

/// A few peers, the environment's directives, and a duration.
#[derive(Clone)]
pub struct Experiment {
    /// The number of seats.
    pub seats: u32,
    /// How long it runs, in the runtime's own time.
    pub duration: Duration,
    /// Builds the stack of a seat's peer.
    pub build: Arc<dyn Fn(Seat) -> Peer + Send + Sync>,
    /// The environment's directives, in order of time.
    pub directives: Vec<Directive>,
    /// The time without success after which a reliable connection gives up.
    pub connection_timeout: Duration,
}

impl Experiment {
    /// Two seconds of this many seats, all started at time zero.
    pub fn new(seats: u32, build: impl Fn(Seat) -> Peer + Send + Sync + 'static) -> Experiment {
        let start = |seat| Directive { at: Time::ZERO, seat: Seat(seat), act: Act::Start };
        Experiment {
            seats,
            duration: SECOND * 2,
            build: Arc::new(build),
            directives: (0..seats).map(start).collect(),
            connection_timeout: MILLISECOND * 800,
        }
    }

    /// The same experiment, with one more directive after all others.
    pub fn then(mut self, at: Duration, seat: u32, act: Act) -> Experiment {
        self.directives.push(Directive { at: Time::ZERO + at, seat: Seat(seat), act });
        self
    }

    /// The same experiment, this long.
    pub fn lasting(mut self, duration: Duration) -> Experiment {
        self.duration = duration;
        self
    }
}

/// A runtime's report of a run.
pub struct Report {
    /// The accounts of all messages.
    pub ledger: Ledger,
    /// The measurements.
    pub summary: Summary,
    /// Answers that came after their calls were over.
    pub late_answers: u64,
    /// Directives without effect.
    pub idle_directives: u64,
}

/// A runtime's refusal to run an experiment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refusal {}
