//! Acts of the environment on peers: the scenario's lifecycle events and commands, expanded.

use std::sync::Arc;

use crate::address::Seat;
use crate::command::Command;
use crate::parcel::Port;
use crate::tamper::Tampering;
use crate::time::{Duration, Time};

/// Something that the environment does to one seat.
#[derive(Clone, PartialEq, Debug)]
pub enum Act {
    /// Begins the next life. Does nothing to a peer that lives.
    Start,
    /// Ends the life in order. Does nothing to a peer that does not live.
    Stop,
    /// Ends the life at once and drops all state. Does nothing where there is none.
    Crash,
    /// Lets a peer that lives handle nothing for so long. What comes for it meanwhile, timers and
    /// other acts included, falls on the instant at which it goes on; of datagrams only so many as
    /// a socket's buffer holds. A crash ends the pause. Does nothing to a peer that does not live,
    /// and nothing for no time.
    Pause(Duration),
    /// Lets it tamper with what it sends, whatever life it is in.
    Tamper(Tampering),
    /// Calls a command of a peerlet, unless the peer crashed.
    Command(Port, Arc<Command>),
}

/// An act at its time.
///
/// A run is given all of them in order: by time, at one instant as the scenario's file has them,
/// and for one line of it by seat. They sort before whatever peers do at that instant.
#[derive(Clone, PartialEq, Debug)]
pub struct Directive {
    /// When, in the engine's time.
    pub at: Time,
    /// To whom.
    pub seat: Seat,
    /// What.
    pub act: Act,
}
