//! What the environment does to each seat, worked out from the list of its acts alone: which lives
//! there are, and when their peers are paused. Contract, Lives 1, 4 and 7.

use peerlet_core::runtime::{Act, Directive};
use peerlet_core::{Duration, Seat, Time};

/// What comes to each seat.
pub(crate) struct Almanac {
    courses: Vec<Course>,
}

/// What comes to one seat.
#[derive(Default)]
pub(crate) struct Course {
    /// Its lives, in order.
    pub(crate) lives: Vec<LifeSpan>,
    /// Its pauses, in order: from which instant to which.
    pauses: Vec<(Time, Time)>,
    standing: Standing,
    /// What is wanted of it while it is paused, until then.
    held: Option<(Time, Vec<Act>)>,
}

/// One life of a seat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LifeSpan {
    pub(crate) begin: Time,
    /// Whether the peer was built anew for it.
    pub(crate) is_new: bool,
    /// When it ends, if it does.
    pub(crate) end: Option<Time>,
    /// Whether it ends in order.
    pub(crate) is_stopped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Standing {
    #[default]
    Absent,
    Stopped,
    Running,
}

impl Almanac {
    /// Of so many seats, to which the environment does this, in order, before the end of the run.
    pub(crate) fn new(
        seats: u32,
        directives: impl Iterator<Item = Directive>,
        end: Duration,
    ) -> Almanac {
        let mut courses: Vec<_> = (0..seats).map(|_| Course::default()).collect();
        for Directive { at, seat, act } in directives {
            let course = &mut courses[seat.index()];
            course.go_on(at);
            course.act(at, act);
        }
        let end = Time::ZERO + end;
        courses.iter_mut().for_each(|course| course.go_on(end));
        Almanac { courses }
    }

    /// What comes to this seat.
    pub(crate) fn of(&self, seat: Seat) -> &Course {
        &self.courses[seat.index()]
    }
}

impl Course {
    /// Lets pauses end that are over before `now`. What falls on a pause's end still waits for it.
    fn go_on(&mut self, now: Time) {
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
            Act::Start if self.standing != Standing::Running => {
                let is_new = self.standing == Standing::Absent;
                self.lives.push(LifeSpan { begin: at, is_new, end: None, is_stopped: false });
                self.standing = Standing::Running;
            }
            Act::Stop if self.standing == Standing::Running => {
                self.end(at, true);
                self.standing = Standing::Stopped;
            }
            Act::Crash => {
                if self.held.take().is_some()
                    && let Some((_, to)) = self.pauses.last_mut()
                {
                    *to = at;
                }
                if self.standing == Standing::Running {
                    self.end(at, false);
                }
                self.standing = Standing::Absent;
            }
            Act::Pause(length) if self.standing == Standing::Running && length > Duration::ZERO => {
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

    /// When the life with this number, counted from 1, ends; `None` when it does not, or there is
    /// none.
    pub(crate) fn end_of(&self, life: u32) -> Option<Time> {
        self.lives.get((life as usize).checked_sub(1)?)?.end
    }

    /// Whether a pause ends at this instant.
    pub(crate) fn goes_on_at(&self, now: Time) -> bool {
        self.pauses.iter().any(|(_, to)| *to == now)
    }

    /// When what is due then happens at the latest: pauses push it to their ends.
    pub(crate) fn latest(&self, due: Time) -> Time {
        let push = |at, &(from, to): &(Time, Time)| if from <= at && at <= to { to } else { at };
        self.pauses.iter().fold(due, push)
    }

    /// Whether what is due then may happen now: at that instant, or at the end of the pauses that
    /// it falls into.
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

    fn course(acts: &[(u64, Act)]) -> Course {
        let directive =
            |(ms, act): &(u64, Act)| Directive { at: at(*ms), seat: Seat(0), act: act.clone() };
        let mut almanac = Almanac::new(1, acts.iter().map(directive), MILLISECOND * 1_000);
        almanac.courses.remove(0)
    }

    #[test]
    fn acts_wait_for_the_end_of_a_pause_but_a_crash() {
        let pause = |ms| Act::Pause(MILLISECOND * ms);
        let acts = [(0, Act::Start), (10, pause(20)), (15, Act::Stop), (30, Act::Start)];
        let lives = course(&acts).lives;
        let stopped = LifeSpan { begin: at(0), is_new: true, end: Some(at(30)), is_stopped: true };
        let second = LifeSpan { begin: at(30), is_new: false, end: None, is_stopped: false };
        assert_eq!(lives, [stopped, second]);
        let crashed = [(0, Act::Start), (10, pause(20)), (15, Act::Stop), (20, Act::Crash)];
        let ended = LifeSpan { end: Some(at(20)), is_stopped: false, ..stopped };
        assert_eq!(course(&crashed).lives, [ended]);
    }

    #[test]
    fn what_is_due_in_a_pause_happens_at_its_end() {
        let pause = |ms| Act::Pause(MILLISECOND * ms);
        let course = course(&[(0, Act::Start), (10, pause(20)), (20, pause(5))]);
        let may = |due, now| course.may_happen(at(due), at(now));
        assert!(may(5, 5) && !may(5, 6) && !may(5, 30));
        // The second pause waits for the end of the first one, and holds what fell on it.
        assert!(may(12, 30) && may(12, 35) && !may(12, 12) && !may(12, 31));
        assert!(may(40, 40) && !may(40, 35) && course.goes_on_at(at(35)));
        assert_eq!([5, 12, 35].map(|due| course.latest(at(due))), [at(5), at(35), at(35)]);
    }
}
