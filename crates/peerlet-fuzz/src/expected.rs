//! The expected lives and pauses of each seat, derived from the list of directives alone (contract,
//! Lives 1, 4 and 7).

use peerlet_core::runtime::{Act, Directive};
use peerlet_core::{Duration, Seat, Time};

/// The expected lives and pauses of all seats.
pub(crate) struct ExpectedLifecycle {
    seats: Vec<SeatLifecycle>,
}

/// The expected lives and pauses of one seat.
#[derive(Default)]
pub(crate) struct SeatLifecycle {
    /// Its lives, in order.
    pub(crate) lives: Vec<LifeSpan>,
    /// Its pauses, in order: their first and last instants.
    pauses: Vec<(Time, Time)>,
    status: Status,
    /// The end of the current pause, and the acts that wait for it.
    held: Option<(Time, Vec<Act>)>,
}

/// One life of a seat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LifeSpan {
    pub(crate) begin: Time,
    /// Whether a new peer was built for it.
    pub(crate) is_new: bool,
    /// When it ends, if it does.
    pub(crate) end: Option<Time>,
    /// Whether it ends by a stop.
    pub(crate) is_stopped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Status {
    #[default]
    Absent,
    Stopped,
    Running,
}

impl ExpectedLifecycle {
    /// Derives the lives and pauses from the directives, in order, up to the end of the run.
    pub(crate) fn new(
        seats: u32,
        directives: impl Iterator<Item = Directive>,
        end: Duration,
    ) -> ExpectedLifecycle {
        let mut seats: Vec<_> = (0..seats).map(|_| SeatLifecycle::default()).collect();
        for Directive { at, seat, act } in directives {
            let lifecycle = &mut seats[seat.index()];
            lifecycle.resume(at);
            lifecycle.act(at, act);
        }
        let end = Time::ZERO + end;
        seats.iter_mut().for_each(|lifecycle| lifecycle.resume(end));
        ExpectedLifecycle { seats }
    }

    /// The expected lives and pauses of a seat.
    pub(crate) fn of(&self, seat: Seat) -> &SeatLifecycle {
        &self.seats[seat.index()]
    }
}

impl SeatLifecycle {
    /// Ends pauses that are over before `now`. An act at the very end of a pause still waits for
    /// it.
    fn resume(&mut self, now: Time) {
        while let Some((until, held)) = self.held.take_if(|(until, _)| *until < now) {
            held.into_iter().for_each(|act| self.act(until, act));
        }
    }

    fn act(&mut self, at: Time, act: Act) {
        if let Some((_, held)) = &mut self.held
            && act != Act::Crash
        {
            return held.push(act);
        }
        match act {
            Act::Start if self.status != Status::Running => {
                let is_new = self.status == Status::Absent;
                self.lives.push(LifeSpan { begin: at, is_new, end: None, is_stopped: false });
                self.status = Status::Running;
            }
            Act::Stop if self.status == Status::Running => {
                self.end(at, true);
                self.status = Status::Stopped;
            }
            Act::Crash => {
                if self.held.take().is_some()
                    && let Some((_, to)) = self.pauses.last_mut()
                {
                    *to = at;
                }
                if self.status == Status::Running {
                    self.end(at, false);
                }
                self.status = Status::Absent;
            }
            Act::Pause(length) if self.status == Status::Running && length > Duration::ZERO => {
                self.pauses.push((at, at + length));
                self.held = Some((at + length, Vec::new()));
            }
            Act::Start | Act::Stop | Act::Pause(_) | Act::Tamper(_) | Act::Command(..) => {}
        }
    }

    fn end(&mut self, at: Time, is_stopped: bool) {
        if let Some(life) = self.lives.last_mut() {
            (life.end, life.is_stopped) = (Some(at), is_stopped);
        }
    }

    /// The end of the life with this number, counted from 1; `None` if it does not end, or there is
    /// none.
    pub(crate) fn end_of(&self, life: u32) -> Option<Time> {
        self.lives.get((life as usize).checked_sub(1)?)?.end
    }

    /// Whether a pause ends at this instant.
    pub(crate) fn resumes_at(&self, now: Time) -> bool {
        self.pauses.iter().any(|(_, to)| *to == now)
    }

    /// The latest instant at which an event due at `due` may happen: pauses delay it to their ends.
    pub(crate) fn latest(&self, due: Time) -> Time {
        let push = |at, &(from, to): &(Time, Time)| if from <= at && at <= to { to } else { at };
        self.pauses.iter().fold(due, push)
    }

    /// Whether an event due at `due` may happen now: at that instant, or at the end of the pauses
    /// that it falls into.
    pub(crate) fn may_happen(&self, due: Time, now: Time) -> bool {
        if now == due {
            return !self.pauses.iter().any(|(from, to)| *from < due && due < *to);
        }
        let mut at = due;
        self.pauses.iter().any(|&(from, to)| {
            if from <= at && at <= to {
                at = to;
            }
            at == now && at > due
        })
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::MILLISECOND;

    use super::*;

    fn at(ms: u64) -> Time {
        Time::ZERO + MILLISECOND * ms
    }

    fn lifecycle(acts: &[(u64, Act)]) -> SeatLifecycle {
        let directive =
            |(ms, act): &(u64, Act)| Directive { at: at(*ms), seat: Seat(0), act: act.clone() };
        let mut expected =
            ExpectedLifecycle::new(1, acts.iter().map(directive), MILLISECOND * 1_000);
        expected.seats.remove(0)
    }

    #[test]
    fn acts_wait_for_the_end_of_a_pause_but_a_crash() {
        let pause = |ms| Act::Pause(MILLISECOND * ms);
        let acts = [(0, Act::Start), (10, pause(20)), (15, Act::Stop), (30, Act::Start)];
        let lives = lifecycle(&acts).lives;
        let stopped = LifeSpan { begin: at(0), is_new: true, end: Some(at(30)), is_stopped: true };
        let second = LifeSpan { begin: at(30), is_new: false, end: None, is_stopped: false };
        assert_eq!(lives, [stopped, second]);
        let crashed = [(0, Act::Start), (10, pause(20)), (15, Act::Stop), (20, Act::Crash)];
        let ended = LifeSpan { end: Some(at(20)), is_stopped: false, ..stopped };
        assert_eq!(lifecycle(&crashed).lives, [ended]);
    }

    #[test]
    fn what_is_due_in_a_pause_happens_at_its_end() {
        let pause = |ms| Act::Pause(MILLISECOND * ms);
        let lifecycle = lifecycle(&[(0, Act::Start), (10, pause(20)), (20, pause(5))]);
        let may = |due, now| lifecycle.may_happen(at(due), at(now));
        assert!(may(5, 5) && !may(5, 6) && !may(5, 30));
        // The second pause waits for the end of the first one, and holds what fell on it.
        assert!(may(12, 30) && may(12, 35) && !may(12, 12) && !may(12, 31));
        assert!(may(40, 40) && !may(40, 35) && lifecycle.resumes_at(at(35)));
        assert_eq!([5, 12, 35].map(|due| lifecycle.latest(at(due))), [at(5), at(35), at(35)]);
    }
}
