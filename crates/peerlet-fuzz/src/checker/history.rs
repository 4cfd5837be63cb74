//! The history of one run: a record for each seat, written by its checker and kept across crashes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Duration, Seat, Time};
use peerlet_scenario::Timeline;

use crate::expected::{ExpectedLifecycle, SeatLifecycle};

/// The history of a run, shared by its checkers.
pub(crate) struct History {
    expected: Arc<ExpectedLifecycle>,
    /// The scenario's timeline, which says which seats are running.
    pub(crate) timeline: Arc<Timeline>,
    pub(crate) config: CheckerConfig,
    /// The seats whose checkers have the optional sibling.
    with_sibling: SeatSet,
    records: Vec<Mutex<SeatRecord>>,
}

/// The checkers' configuration: their pace, and the faults of the network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CheckerConfig {
    /// The time between two acts.
    pub(crate) period: Duration,
    /// Whether the network of this scenario makes copies.
    pub(crate) has_copies: bool,
    /// Whether the network of this scenario flips bits.
    pub(crate) has_damage: bool,
}

/// A breach of the contract.
#[derive(Debug)]
pub(crate) struct Breach {
    pub(crate) at: Time,
    pub(crate) seat: Seat,
    pub(crate) what: String,
}

/// The most breaches in a record: only the first one is reported.
const BREACHES_MAX: usize = 3;

/// The record of a seat, over all its lives.
#[derive(Default)]
pub(crate) struct SeatRecord {
    /// How many lives began.
    pub(crate) life: u32,
    pub(crate) last: Time,
    pub(crate) begun: Vec<Begun>,
    pub(crate) stops: Vec<Time>,
    /// How many datagrams and questions were numbered.
    pub(crate) numbers: u64,
    /// The received datagrams, by sender and number.
    pub(crate) seen: BTreeSet<(Seat, u64)>,
    /// How many reliable messages each life sent to each seat.
    pub(crate) sent: BTreeMap<(u32, Seat), u64>,
    /// The numbers of those that followed a question or an answer to the same seat, whose return is
    /// not reported as theirs is.
    pub(crate) others: BTreeSet<(u32, Seat, u64)>,
    pub(crate) received: Vec<Received>,
    /// The number of the last message from a life of a seat.
    pub(crate) taken: BTreeMap<(Seat, u32), u64>,
    pub(crate) reported: Vec<Reported>,
    /// The number of the last message returned to a life from a seat.
    pub(crate) returned: BTreeMap<(u32, Seat), u64>,
    /// The pending events of this life, by number.
    pub(crate) pending: BTreeMap<u64, Pending>,
    /// The seats to which this life met a full queue and was not told of room since.
    pub(crate) refused: BTreeSet<Seat>,
    pub(crate) heard: Option<Heard>,
    /// How many statements of the contract were seen to hold.
    pub(crate) checked: u64,
    pub(crate) breaches: Vec<Breach>,
}

/// A life that began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Begun {
    pub(crate) at: Time,
    /// Whether the checker was built for it.
    pub(crate) is_new: bool,
}

/// A reliable message that was received.
pub(crate) struct Received {
    pub(crate) at: Time,
    pub(crate) from: Seat,
    /// The life of its sender.
    pub(crate) from_life: u32,
    pub(crate) number: u64,
    /// The life that received it.
    pub(crate) life: u32,
}

/// A reliable message that was reported undelivered.
pub(crate) struct Reported {
    pub(crate) at: Time,
    pub(crate) to: Seat,
    pub(crate) life: u32,
    pub(crate) number: u64,
}

/// A pending event of this life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pending {
    pub(crate) what: Expected,
    /// When it is due.
    pub(crate) due: Time,
    /// The latest instant at which it may come.
    pub(crate) latest: Time,
}

/// The kind of a pending event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expected {
    Timer,
    Sleep,
    Call,
}

impl Expected {
    /// Its name in messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Expected::Timer => "timer",
            Expected::Sleep => "sleep of a task",
            Expected::Call => "call of a task",
        }
    }
}

/// The last event of an instant, as far as the order says where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Heard {
    pub(crate) at: Time,
    pub(crate) source: Seat,
    /// The number of a datagram.
    pub(crate) number: Option<u64>,
}

impl SeatRecord {
    /// Notes a breach.
    pub(crate) fn breach(&mut self, at: Time, seat: Seat, what: String) {
        if self.breaches.len() < BREACHES_MAX {
            self.breaches.push(Breach { at, seat, what });
        }
    }

    /// Checks that a statement holds; otherwise notes a breach.
    pub(crate) fn check(
        &mut self,
        holds: bool,
        (at, seat): (Time, Seat),
        what: impl FnOnce() -> String,
    ) {
        self.checked += 1;
        if !holds {
            self.breach(at, seat, what());
        }
    }

    /// Notes pending events that should have come before `now`.
    pub(crate) fn check_overdue(&mut self, now: Time, seat: Seat) {
        let is_late = |pending: &Pending| pending.latest < now;
        if !self.pending.values().any(is_late) {
            return;
        }
        let late: Vec<_> = self.pending.extract_if(.., |_, pending| is_late(pending)).collect();
        for (number, Pending { what, due, latest }) in late {
            let what = what.name();
            let pushed =
                if latest > due { format!(", with its pauses {latest}") } else { String::new() };
            let said = format!("{what} {number}, due at {due}{pushed}, did not come");
            self.breach(now, seat, said);
        }
    }
}

impl History {
    pub(crate) fn new(
        expected: Arc<ExpectedLifecycle>,
        timeline: Arc<Timeline>,
        config: CheckerConfig,
        with_sibling: SeatSet,
        seats: u32,
    ) -> History {
        let records = (0..seats).map(|_| Mutex::default()).collect();
        History { expected, timeline, config, with_sibling, records }
    }

    /// Whether this seat's checker has the optional sibling.
    pub(crate) fn has_sibling(&self, seat: Seat) -> bool {
        self.with_sibling.contains(seat)
    }

    /// A seat's record. Only its own checker writes to it during the run.
    pub(crate) fn record(&self, seat: Seat) -> MutexGuard<'_, SeatRecord> {
        // A panic ended the run; the record is still valid.
        self.records[seat.index()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The expected lives and pauses of a seat.
    pub(crate) fn lifecycle(&self, seat: Seat) -> &SeatLifecycle {
        self.expected.of(seat)
    }

    /// All seats.
    pub(crate) fn seats(&self) -> impl Iterator<Item = Seat> {
        (0..self.records.len() as u32).map(Seat)
    }
}
