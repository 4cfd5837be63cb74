//! What came out of a run.

use std::fmt;

use peerlet_core::{Seat, Time};
use peerlet_measure::{Ledger, Measurements};

use crate::digest::Digest;

/// What came out of a run.
pub struct Outcome {
    /// Says whether two runs were the same.
    pub digest: Digest,
    /// Over the payloads of all messages delivered; only when the run encoded them.
    pub payload_digest: Option<Digest>,
    /// How many events peers handled.
    pub events: u64,
    /// Until when it ran.
    pub end: Time,
    /// The accounts of all messages.
    pub ledger: Ledger,
    /// What was measured, epoch by epoch.
    pub measures: Measurements,
    /// Answers that came when nobody waited for them any more.
    pub late_answers: u64,
    /// Lifecycle events that did nothing: a start of a peer that lives, a stop or a command of one
    /// that does not.
    pub idle_directives: u64,
}

/// Why a run ended before its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RunError {
    /// A peer's own events of one instant caused each other without end.
    Endless {
        /// The peer.
        seat: Seat,
        /// The instant.
        at: Time,
    },
    /// The system did not give the threads that were asked for; nothing ran.
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
