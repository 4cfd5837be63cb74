//! Errors of the medium: why there cannot be a model between the sockets of a run.

use std::{fmt, io};

use super::limit::SocketLimit;

/// Why there cannot be a model between the peers' sockets.
#[derive(Debug)]
#[non_exhaustive]
pub enum MediumError {
    /// There are too many peers for the system.
    Limit(SocketLimit),
    /// There are too many peers for one process of several.
    Sockets {
        /// The process's seats.
        seats: u32,
        /// How many sockets it may have.
        limit: u32,
    },
    /// An emulation was to have only some of the peers.
    Share,
    /// The thread that carries packets could not be started.
    Io(io::Error),
}

impl fmt::Display for MediumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MediumError::Limit(error) => error.fmt(f),
            MediumError::Sockets { seats, limit } => write!(
                f,
                "the scenario changes the network, so each peer has a socket of its own: one \
                 process of several has at most {limit}, not {seats}; give it fewer seats"
            ),
            MediumError::Share => f.write_str(
                "a network is emulated between all peers in one process; give it all seats",
            ),
            MediumError::Io(error) => {
                write!(
                    f,
                    "the thread that carries packets cannot be started: {error}; raise the limit \
                     of threads (`ulimit -u`, or a container's `pids` limit)"
                )
            }
        }
    }
}

impl std::error::Error for MediumError {}
