//! What happened to the peers of a case, in the order in which each of them saw it.

use std::sync::{Arc, Mutex};

use peerlet_core::{Seat, Time, Undelivered};

/// Something that happened to one peer.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Which peer.
    pub seat: Seat,
    /// When, by its clock.
    pub at: Time,
    /// What.
    pub what: What,
}

/// What can happen to a probe.
#[derive(Clone, PartialEq, Debug)]
pub enum What {
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
    /// What a case's closure wrote itself.
    Note(String),
}

/// The common notes of all probes of a case.
#[derive(Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<Entry>>>);

impl Journal {
    /// Writes an entry at the end.
    pub fn write(&self, entry: Entry) {
        self.0.lock().expect("nobody panics while writing").push(entry);
    }

    /// Forgets all entries.
    pub fn clear(&self) {
        self.0.lock().expect("nobody panics while writing").clear();
    }

    /// All entries so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.0.lock().expect("nobody panics while writing").clone()
    }

    /// What happened to one seat, in order.
    pub fn of(&self, seat: u32) -> Vec<What> {
        let mine = self.entries().into_iter().filter(|entry| entry.seat == Seat(seat));
        mine.map(|entry| entry.what).collect()
    }

    /// The numbers of the messages that reached one seat, in order.
    pub fn messages(&self, seat: u32) -> Vec<u64> {
        let number = |what| match what {
            What::Message(_, number) => Some(number),
            _ => None,
        };
        self.of(seat).into_iter().filter_map(number).collect()
    }

    /// The messages reported to one seat, in order.
    pub fn undelivered(&self, seat: u32) -> Vec<(u64, Undelivered)> {
        let report = |what| match what {
            What::Undelivered(_, number, why) => Some((number, why)),
            _ => None,
        };
        self.of(seat).into_iter().filter_map(report).collect()
    }

    /// The notes of one seat, in order.
    pub fn notes(&self, seat: u32) -> Vec<String> {
        let note = |what| match what {
            What::Note(note) => Some(note),
            _ => None,
        };
        self.of(seat).into_iter().filter_map(note).collect()
    }
}
