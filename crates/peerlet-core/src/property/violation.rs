//! Violations of properties, as checks report them.

use std::fmt;

use crate::address::Seat;
use crate::property::view::PeerView;

/// How many peers a violation names. The others are counted.
pub const PEERS_MAX: usize = 10;

/// A property does not hold: a sentence on the whole, and one on each of the first
/// [`PEERS_MAX`] peers that it concerns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    message: String,
    peers: Vec<(Seat, String)>,
    more: u64,
    /// The states of some of the peers, as their peerlets tell them.
    states: Vec<(Seat, Vec<(&'static str, String)>)>,
}

impl Violation {
    /// A violation that this sentence tells of.
    pub fn new(message: impl Into<String>) -> Violation {
        Violation { message: message.into(), peers: Vec::new(), more: 0, states: Vec::new() }
    }

    /// Names a peer that it concerns, with a sentence on it.
    #[must_use]
    pub fn peer(mut self, seat: Seat, message: impl Into<String>) -> Violation {
        self.push(seat, || message.into());
        self
    }

    /// All is well where there are no such peers; else a violation that names them.
    ///
    /// # Errors
    /// The violation.
    pub fn of_peers<M: Into<String>>(
        message: impl Into<String>,
        peers: impl IntoIterator<Item = (Seat, M)>,
    ) -> Result<(), Violation> {
        let mut violation = Violation::new("");
        peers.into_iter().for_each(|(seat, message)| violation.push(seat, || message.into()));
        if violation.peers.is_empty() {
            return Ok(());
        }
        violation.message = message.into();
        Err(violation)
    }

    /// This violation and another one of the same property. For runtimes.
    #[must_use]
    pub fn and(mut self, other: Violation) -> Violation {
        if self.message.is_empty() {
            self.message = other.message;
        }
        self.peers.extend(other.peers);
        self.peers.sort_unstable();
        self.more += other.more + self.peers.len().saturating_sub(PEERS_MAX) as u64;
        self.peers.truncate(PEERS_MAX);
        self.states.extend(other.states);
        self.states.sort_unstable();
        let peers = &self.peers;
        self.states.retain(|(seat, _)| peers.iter().any(|(named, _)| named == seat));
        self
    }

    /// Adds the states of the peers that it names: as their snapshots tell them, where they have
    /// such. For runtimes.
    #[must_use]
    pub fn with_states<'a>(mut self, peer: impl Fn(Seat) -> Option<PeerView<'a>>) -> Violation {
        for (seat, _) in &self.peers {
            let told = peer(*seat).map(|peer| peer.snapshots()).unwrap_or_default();
            let told = told.into_iter().filter_map(|(name, state)| Some((name, state?)));
            let told: Vec<(&'static str, String)> = told.collect();
            if !told.is_empty() {
                self.states.push((*seat, told));
            }
        }
        self
    }

    /// The violation of a property of each peer, of which none is named yet. For runtimes.
    pub fn of_each() -> Violation {
        Violation::new("")
    }

    /// Names a peer that its own violation tells of. For runtimes.
    pub fn add(&mut self, seat: Seat, own: Violation) {
        self.push(seat, || own.message);
    }

    fn push(&mut self, seat: Seat, message: impl FnOnce() -> String) {
        match self.peers.len() < PEERS_MAX {
            true => self.peers.push((seat, message())),
            false => self.more += 1,
        }
    }

    /// The sentence on the whole; empty where each peer has its own.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The first peers that it concerns, each with a sentence, which may be empty.
    pub fn peers(&self) -> &[(Seat, String)] {
        &self.peers
    }

    /// The states of peers that it names, where they are known: peerlets and their snapshots.
    pub fn states(&self) -> &[(Seat, Vec<(&'static str, String)>)] {
        &self.states
    }

    /// How many more peers it concerns.
    pub fn more(&self) -> u64 {
        self.more
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for (seat, message) in &self.peers {
            write!(f, "\n  peer {seat}")?;
            if !message.is_empty() {
                write!(f, ": {message}")?;
            }
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

/// The result of a check, converted from a `bool` or from a `Result` whose error is a sentence or a
/// [`Violation`].
pub struct Finding(pub(super) Result<(), Violation>);

impl From<bool> for Finding {
    fn from(holds: bool) -> Finding {
        Finding(if holds { Ok(()) } else { Err(Violation::new("")) })
    }
}

impl From<Result<(), Violation>> for Finding {
    fn from(found: Result<(), Violation>) -> Finding {
        Finding(found)
    }
}

impl From<Result<(), String>> for Finding {
    fn from(found: Result<(), String>) -> Finding {
        Finding(found.map_err(Violation::new))
    }
}

impl From<Result<(), &str>> for Finding {
    fn from(found: Result<(), &str>) -> Finding {
        Finding(found.map_err(Violation::new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_peers_are_named_and_the_rest_is_counted() {
        let peers = (0..12).map(|seat| (Seat(seat), if seat == 0 { "" } else { "wrong" }));
        let violation = Violation::of_peers("12 are wrong", peers).expect_err("there are some");
        assert_eq!((violation.peers().len(), violation.more()), (PEERS_MAX, 2));
        let told = violation.to_string();
        assert!(told.starts_with("12 are wrong\n  peer 0\n  peer 1: wrong\n"), "{told}");
        assert!(told.ends_with("\n  peer 9: wrong\n  and 2 more"), "{told}");
        assert_eq!(Violation::of_peers("none", [(); 0].map(|()| (Seat(0), ""))), Ok(()));
    }
}
