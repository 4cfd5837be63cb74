//! The journal of a case: what its peers observed, in order for each peer.

use std::sync::{Arc, Mutex};

use peerlet_core::{Seat, Time, Undelivered};

/// An observation of one peer.
#[derive(Clone, PartialEq, Debug)]
pub struct Observation {
    /// The peer.
    pub seat: Seat,
    /// The time, by its clock.
    pub at: Time,
    /// The event.
    pub observed: Observed,
}

/// An event that a probe observes.
#[derive(Clone, PartialEq, Debug)]
pub enum Observed {
    /// `init` ran.
    Init,
    /// `start` ran.
    Start,
    /// `stop` ran.
    Stop,
    /// A message came from this seat.
    Message(Seat, u64),
    /// A timer was due.
    Timer(u64),
    /// A message to this seat was reported.
    Undelivered(Seat, u64, Undelivered),
    /// The queue to this seat is half free.
    Writable(Seat),
    /// A command was called.
    Command(String),
    /// A local event was heard.
    Heard(u64),
    /// A note by a closure of the case.
    Note(String),
}

/// The shared journal of all probes of a case.
#[derive(Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<Observation>>>);

impl Journal {
    /// Appends an observation.
    pub fn write(&self, observation: Observation) {
        self.0.lock().expect("nobody panics while writing").push(observation);
    }

    /// Removes all observations.
    pub fn clear(&self) {
        self.0.lock().expect("nobody panics while writing").clear();
    }

    /// All observations so far.
    pub fn observations(&self) -> Vec<Observation> {
        self.0.lock().expect("nobody panics while writing").clone()
    }

    /// The events of one seat, in order.
    pub fn of(&self, seat: u32) -> Vec<Observed> {
        let mine =
            self.observations().into_iter().filter(|observation| observation.seat == Seat(seat));
        mine.map(|observation| observation.observed).collect()
    }

    /// The numbers of the messages that reached one seat, in order.
    pub fn messages(&self, seat: u32) -> Vec<u64> {
        let number = |observed| match observed {
            Observed::Message(_, number) => Some(number),
            _ => None,
        };
        self.of(seat).into_iter().filter_map(number).collect()
    }

    /// The messages reported to one seat, in order.
    pub fn undelivered(&self, seat: u32) -> Vec<(u64, Undelivered)> {
        let report = |observed| match observed {
            Observed::Undelivered(_, number, why) => Some((number, why)),
            _ => None,
        };
        self.of(seat).into_iter().filter_map(report).collect()
    }

    /// The notes of one seat, in order.
    pub fn notes(&self, seat: u32) -> Vec<String> {
        let note = |observed| match observed {
            Observed::Note(note) => Some(note),
            _ => None,
        };
        self.of(seat).into_iter().filter_map(note).collect()
    }
}
