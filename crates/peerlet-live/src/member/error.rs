//! The errors for which a process cannot take part in a run of several.

use std::fmt;
use std::net::SocketAddr;

use peerlet_core::{Duration, Identity};

use super::fingerprint::Difference;
use crate::refusal::Refusal;

/// Why a process could not take part.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum JoinError {
    /// Nobody answered.
    Unanswered {
        /// The address of seat 0's process, as it was given.
        at: String,
        /// How long.
        within: Duration,
        /// The addresses that were tried, or why there was none; may be empty.
        tried: String,
        /// Whether sockets that are bound as this process's are reach none of them.
        needs_bind: bool,
    },
    /// The process that was to be joined is this one itself.
    Oneself(SocketAddr),
    /// The process that was asked does not let this one in.
    NotAdmitted {
        /// The process that was asked.
        at: SocketAddr,
        /// The identity of this process.
        own: Identity,
        /// Whether this process has a secret.
        has_secret: bool,
    },
    /// The process that was asked did not prove that it has this one's secret.
    Unproved(SocketAddr),
    /// The process that was asked is not on this one's list.
    Unlisted(SocketAddr),
    /// Seat 0's process refused.
    Refused(SocketAddr, Refusal),
    /// Seat 0's process runs something else.
    Differs(SocketAddr, Vec<Difference>),
    /// Another process answered than the one that was named.
    Identity(SocketAddr),
    /// Seat 0's process says that the run begins this far ahead.
    Zero(SocketAddr, Duration),
    /// Seat 0's process is bound to an unspecified address, and nobody has told it under which it
    /// is reached.
    OwnAddress {
        /// The address that it is bound to.
        bound: SocketAddr,
        /// How long it waited for others.
        within: Duration,
    },
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Unanswered { at, within, tried, needs_bind: _ } => {
                write!(f, "nobody answered at {at} for {within}")?;
                if !tried.is_empty() {
                    write!(f, " ({tried})")?;
                }
                f.write_str(
                    "; is seat 0's process running there, with the same transport and the same \
                     secret?",
                )
            }
            JoinError::Oneself(at) => write!(
                f,
                "{at} is an address of this process itself; name that of seat 0's process, as \
                 it prints it at its start"
            ),
            JoinError::NotAdmitted { at, own, has_secret } => {
                not_admitted(f, *at, *own, *has_secret)
            }
            JoinError::Unproved(at) => write!(
                f,
                "the process at {at} did not prove that it has this process's secret: it has none, \
                 or another one; give both the same secret, or check the address"
            ),
            JoinError::Unlisted(at) => write!(
                f,
                "the process at {at} is not on the list of this one; add the identity that it \
                 prints at its start, or check the address"
            ),
            JoinError::Refused(at, why) => write!(f, "the process at {at} refused: {why}"),
            JoinError::Differs(at, differences) => {
                write!(f, "the process at {at} runs something else")?;
                for difference in differences.iter().take(DIFFERENCES_SHOWN) {
                    write!(f, "\n  {difference}")?;
                }
                if differences.len() > DIFFERENCES_SHOWN {
                    write!(f, "\n  and {} more", differences.len() - DIFFERENCES_SHOWN)?;
                }
                f.write_str("\nstart all processes with the same program, scenario and options")
            }
            JoinError::Identity(at) => write!(
                f,
                "the process at {at} is not the one that was named before the `@`; check it"
            ),
            JoinError::Zero(at, ahead) => write!(
                f,
                "the process at {at} says that the run begins in {ahead}, which no seat 0's \
                 process does; check the address"
            ),
            JoinError::OwnAddress { bound, within } => write!(
                f,
                "no other process came within {within}, and this one, bound to {bound}, does not \
                 know the address at which its peers are reached; name one to advertise"
            ),
        }
    }
}

fn not_admitted(
    f: &mut fmt::Formatter<'_>,
    at: SocketAddr,
    own: Identity,
    has_secret: bool,
) -> fmt::Result {
    write!(f, "the process at {at} does not let this one in")?;
    f.write_str(match has_secret {
        true => {
            ": it has another secret, or a list without this process; give both the same secret"
        }
        false => "; start this one with the network's secret",
    })?;
    write!(
        f,
        ", or, where the network has a list, have this process's identity added to it: {own}; a \
         key file keeps it the same"
    )
}

impl std::error::Error for JoinError {}

/// Differences that are printed; of two unlike scenarios many sections differ.
const DIFFERENCES_SHOWN: usize = 12;
