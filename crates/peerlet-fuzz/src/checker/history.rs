//! What the witnesses of one run write down: a page for each seat, which a crash does not tear out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Duration, Seat, Time};
use peerlet_scenario::Timeline;

use crate::expected::{Almanac, Course};

/// What the witnesses of a run know of it and write down.
pub(crate) struct Book {
    almanac: Arc<Almanac>,
    /// Whom the scenario has running.
    pub(crate) timeline: Arc<Timeline>,
    pub(crate) habits: Habits,
    /// The seats whose witnesses have mates.
    mates: SeatSet,
    pages: Vec<Mutex<Page>>,
}

/// What the witnesses of a run do, and what may happen to them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Habits {
    /// The time between two acts.
    pub(crate) period: Duration,
    /// Whether the network of this scenario makes copies.
    pub(crate) has_copies: bool,
    /// Whether the network of this scenario flips bits.
    pub(crate) has_damage: bool,
}

/// Something that the contract does not allow.
#[derive(Debug)]
pub(crate) struct Breach {
    pub(crate) at: Time,
    pub(crate) seat: Seat,
    pub(crate) what: String,
}

/// The most breaches that a page takes: the first one is the one that counts.
const BREACHES_MAX: usize = 3;

/// What a seat's witness wrote down, over all lives.
#[derive(Default)]
pub(crate) struct Page {
    /// How many lives began.
    pub(crate) life: u32,
    pub(crate) last: Time,
    pub(crate) begun: Vec<Begun>,
    pub(crate) stops: Vec<Time>,
    /// How many datagrams and questions it numbered.
    pub(crate) numbers: u64,
    /// The datagrams that came, by sender and number.
    pub(crate) seen: BTreeSet<(Seat, u64)>,
    /// How many reliable messages each life sent to each seat.
    pub(crate) sent: BTreeMap<(u32, Seat), u64>,
    /// Before which of the above something else went the same way: a question or an answer, whose
    /// return is told to nobody, or in another way.
    pub(crate) others: BTreeSet<(u32, Seat, u64)>,
    pub(crate) received: Vec<Received>,
    /// The number of the last message that came from a life of a seat.
    pub(crate) taken: BTreeMap<(Seat, u32), u64>,
    pub(crate) reported: Vec<Reported>,
    /// The number of the last message that came back to a life from a seat.
    pub(crate) returned: BTreeMap<(u32, Seat), u64>,
    /// Of this life: what is to come, by number.
    pub(crate) pending: BTreeMap<u64, Pending>,
    /// Of this life: who met a full queue and was not told since that there is room.
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
    /// Whether the witness was built for it.
    pub(crate) is_new: bool,
}

/// A reliable message that came.
pub(crate) struct Received {
    pub(crate) at: Time,
    pub(crate) from: Seat,
    /// Its sender's.
    pub(crate) from_life: u32,
    pub(crate) number: u64,
    /// The life in which it came.
    pub(crate) life: u32,
}

/// A reliable message that came back.
pub(crate) struct Reported {
    pub(crate) at: Time,
    pub(crate) to: Seat,
    pub(crate) life: u32,
    pub(crate) number: u64,
}

/// Something that is to come in this life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pending {
    pub(crate) what: Expected,
    /// When it is due.
    pub(crate) due: Time,
    /// When it comes at the latest.
    pub(crate) latest: Time,
}

/// What is to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expected {
    Timer,
    Sleep,
    Call,
}

impl Expected {
    /// In words.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Expected::Timer => "timer",
            Expected::Sleep => "sleep of a task",
            Expected::Call => "call of a task",
        }
    }
}

/// What came last at an instant, as far as it has a place there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Heard {
    pub(crate) at: Time,
    pub(crate) source: Seat,
    /// The number of a datagram.
    pub(crate) number: Option<u64>,
}

impl Page {
    /// Notes that something is not as the contract has it.
    pub(crate) fn breach(&mut self, at: Time, seat: Seat, what: String) {
        if self.breaches.len() < BREACHES_MAX {
            self.breaches.push(Breach { at, seat, what });
        }
    }

    /// Whether something holds; where not, what is noted.
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

    /// Notes what was to come before `now` and did not.
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

impl Book {
    pub(crate) fn new(
        almanac: Arc<Almanac>,
        timeline: Arc<Timeline>,
        habits: Habits,
        mates: SeatSet,
        seats: u32,
    ) -> Book {
        let pages = (0..seats).map(|_| Mutex::default()).collect();
        Book { almanac, timeline, habits, mates, pages }
    }

    /// Whether this seat's witness has a mate.
    pub(crate) fn has_mate(&self, seat: Seat) -> bool {
        self.mates.contains(seat)
    }

    /// A seat's page. Only its own witness writes there while the run lasts.
    pub(crate) fn page(&self, seat: Seat) -> MutexGuard<'_, Page> {
        // Whoever panicked ended the run; what it wrote is as good as before.
        self.pages[seat.index()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes to a seat.
    pub(crate) fn course(&self, seat: Seat) -> &Course {
        self.almanac.of(seat)
    }

    /// All seats.
    pub(crate) fn seats(&self) -> impl Iterator<Item = Seat> {
        (0..self.pages.len() as u32).map(Seat)
    }
}
