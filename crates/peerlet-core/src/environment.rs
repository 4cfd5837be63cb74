//! Acts of the environment on peers: the scenario's lifecycle events and commands, expanded.

use std::sync::Arc;

use crate::address::Seat;
use crate::command::Command;
use crate::parcel::Port;
use crate::tamper::Tampering;
use crate::time::{Duration, Time};

/// An act of the environment on one seat.
#[derive(Clone, PartialEq, Debug)]
pub enum Act {
    /// Begins the next life. Does nothing to a peer that lives.
    Start,
    /// Ends the life in order. Does nothing to a peer that does not live.
    Stop,
    /// Ends the life at once and drops all state. Does nothing where there is none.
    Crash,
    /// Makes a living peer handle nothing for this time. All events that come for it meanwhile,
    /// timers and other acts included, move to the instant at which it resumes; of datagrams, only
    /// the number that a socket's buffer holds. A crash ends the pause. Does nothing to a peer that
    /// does not live, and nothing if the time is zero.
    Pause(Duration),
    /// Makes the peer tamper with the messages it sends, in any life.
    Tamper(Tampering),
    /// Calls a command of a peerlet, unless the peer crashed.
    Command(Port, Arc<Command>),
}

/// An act at its time.
///
/// A run gets all directives in order: by time, at one instant in the order of the scenario's file,
/// and for one line of it by seat. They sort before the peers' own events at that instant.
#[derive(Clone, PartialEq, Debug)]
pub struct Directive {
    /// When, in the engine's time.
    pub at: Time,
    /// To whom.
    pub seat: Seat,
    /// What.
    pub act: Act,
}
