//! The outcome of a run.

use std::fmt;

use peerlet_core::{Seat, Time};
use peerlet_measure::{Ledger, Measurements};

use crate::digest::Digest;
use crate::peer_counts::PeerCounts;

/// The outcome of a run.
pub struct Outcome {
    /// The digest: equal for equal runs.
    pub digest: Digest,
    /// The digest of all delivered payloads, if the run encoded messages.
    pub payload_digest: Option<Digest>,
    /// The number of events that peers handled.
    pub events: u64,
    /// The instant at which it ended.
    pub end: Time,
    /// The accounts of all messages.
    pub ledger: Ledger,
    /// The measurements, epoch by epoch.
    pub measures: Measurements,
    /// Answers that came after their calls were over.
    pub late_answers: u64,
    /// Directives without effect: a start of a running peer, a stop or a command of one that does
    /// not run.
    pub idle_directives: u64,
    /// The messages of each peer, in the order of seats; empty where they were not counted.
    pub peers: Vec<PeerCounts>,
}

/// The reason why a run ended early.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RunError {
    /// A peer's own events of one instant caused each other endlessly.
    Endless {
        /// The peer.
        seat: Seat,
        /// The instant.
        at: Time,
    },
    /// The system did not provide the threads that were asked for; nothing ran.
    Threads {
        /// How many were asked for.
        wanted: u32,
        /// How many there are, the caller's included.
        started: u32,
        /// The system's error, by its number.
        code: Option<i32>,
    },
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Endless { seat, at } => write!(
                f,
                "peer {seat} made more than 10,000 rounds of events for itself at {at}; \
                 let its timers be later than now, or count what it sends to itself"
            ),
            RunError::Threads { wanted, started, code } => {
                write!(f, "of {wanted} threads only {started} could be started")?;
                if let Some(code) = code {
                    write!(f, ": {}", std::io::Error::from_raw_os_error(*code))?;
                }
                f.write_str(
                    "; raise the limit of threads (`ulimit -u`, or a container's `pids` limit), or \
                     take fewer",
                )
            }
        }
    }
}

impl std::error::Error for RunError {}

/// Why a step was not made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StepError {
    /// The engine has no order among peers.
    Engine,
    /// The run broke.
    Run(RunError),
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StepError::Engine => f.write_str(
                "only the reference engine handles one event after the other; choose \
                 Engine::Reference, or run until an instant",
            ),
            StepError::Run(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StepError {}
