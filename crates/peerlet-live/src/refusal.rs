//! Why seat 0's process refuses a process that joins.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Why seat 0's process does not take a process in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Refusal {
    /// The two run different things; the sections say in what they differ.
    Run,
    /// The seats are not all in the scenario.
    Seats {
        /// The number of seats that there are.
        count: u32,
    },
    /// Some of the seats have a process.
    Taken {
        /// The first seat of that process.
        first: u32,
        /// Its last seat.
        last: u32,
        /// Whether another process could have them if it stopped answering.
        can_change: bool,
    },
    /// A process with the same key takes part and answers.
    SameKey,
    /// Another process is reached at the same address and port.
    SameSocket {
        /// The address and port.
        at: SocketAddr,
    },
    /// The process names another identity than that of its connection.
    Identity,
    /// Without identities only the address that a process is seen at can be its own.
    Advertised {
        /// The address and port that it is seen at.
        seen: SocketAddr,
    },
    /// Since it began, a process has the same seats.
    Changed,
    /// Too many processes take part.
    Full,
    /// The process that was asked has joined another one itself.
    NotSeatZero,
}

impl Refusal {
    /// Whether it may be gone in a moment: the process that had the seats may just have been
    /// killed.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(
            self,
            Refusal::SameKey | Refusal::SameSocket { .. } | Refusal::Taken { can_change: true, .. }
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Run => f.write_str(
                "it runs something else; start all processes with the same program and scenario",
            ),
            Refusal::Seats { count } => {
                write!(f, "the seats are 0 to {}; take some of those", count.saturating_sub(1))
            }
            Refusal::Taken { first, last, can_change: true } => write!(
                f,
                "seats {first} to {last} have a process that answers; give each process seats of \
                 its own"
            ),
            Refusal::Taken { first, last, can_change: false } => write!(
                f,
                "seats {first} to {last} belong to another process; give each process seats of its \
                 own, or, to start that process again, give it the key that it had: in an open \
                 network nobody else can have its seats"
            ),
            Refusal::SameKey => f.write_str(
                "a process with the same key takes part and answers; stop it, or use another key",
            ),
            Refusal::SameSocket { at } => {
                write!(f, "another process is reached at {at}; bind or advertise another address")
            }
            Refusal::Identity => {
                f.write_str("the process names another identity than its connection has")
            }
            Refusal::Advertised { seen } => write!(
                f,
                "over UDP, which has no identities, a process is known by its address, and this \
                 one is seen at {seen}; advertise no other address, or use QUIC"
            ),
            Refusal::Changed => f.write_str("a process keeps its seats as long as it runs"),
            Refusal::Full => f.write_str("too many processes take part"),
            Refusal::NotSeatZero => f.write_str(
                "it has not got seat 0; join seat 0's process, at the address that it prints at \
                 its start",
            ),
        }
    }
}
