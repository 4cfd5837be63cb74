//! One property under watch: when it is checked, and what is known of it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use peerlet_core::Time;
#[cfg(feature = "live")]
use peerlet_core::property::PeerView;
use peerlet_core::property::{PropertyKind, Violation, WorldView};

use crate::properties::lives::Lives;
use crate::properties::planned::PlannedProperty;
use crate::properties::report::{PropertyReport, PropertyVerdict};

/// A property under watch.
pub(super) struct Watched {
    pub(super) planned: PlannedProperty,
    /// The instant of the next check; `None` once the verdict is known.
    pub(super) next: Option<Time>,
    checks: u64,
    pub(super) verdict: PropertyVerdict,
    /// The instant at which it held first.
    held_at: Option<Time>,
    /// The last violation that was seen, and when.
    violation: Option<(Time, Violation)>,
    /// The lives that it has to hold in, where it is one of each life.
    lives: Lives,
}

impl Watched {
    pub(super) fn new(planned: PlannedProperty, end: Time) -> Watched {
        let next = Some(planned.check_after(Time::ZERO, end));
        let (verdict, lives) = (PropertyVerdict::Undecided, Lives::default());
        Watched { planned, next, checks: 0, verdict, held_at: None, violation: None, lives }
    }

    /// Makes the check of this instant on all peers of a simulation.
    pub(super) fn check(&mut self, world: &WorldView<'_>, end: Time) {
        let Watched { planned, lives, .. } = self;
        let at = world.now();
        let found = caught(|| match planned.property.is_of_each_life() {
            true => lives.check(planned, at, at >= end, world.peers()),
            false => planned.property.check(world),
        });
        self.take(at, found, end);
        if self.verdict == PropertyVerdict::Failed
            && let Some((at, violation)) = self.violation.take()
        {
            self.violation = Some((at, violation.with_states(|seat| world.peer(seat))));
        }
    }

    /// Makes a part of the check of this instant, on the lives of these peers, where it is one of
    /// each life.
    #[cfg(feature = "live")]
    pub(super) fn check_lives<'a>(
        &mut self,
        (at, end): (Time, Time),
        peers: impl Iterator<Item = PeerView<'a>>,
    ) -> Checked {
        let Watched { planned, lives, .. } = self;
        caught(|| lives.check(planned, at, at >= end, peers))
    }

    /// Takes the result of a check at this instant.
    pub(super) fn take(&mut self, at: Time, found: Checked, end: Time) {
        self.checks += 1;
        let found = match found {
            Ok(found) => found,
            Err(message) => {
                self.next = None;
                self.violation = Some((at, Violation::new(message)));
                self.verdict = PropertyVerdict::Failed;
                return;
            }
        };
        let (is_last, holds) = (at >= end, found.is_ok());
        let of_lives = self.planned.property.is_of_each_life();
        if holds && (!of_lives || self.lives.held() > 0) {
            self.held_at = self.held_at.or(Some(at));
        }
        if let Err(violation) = found {
            self.violation = Some((at, violation));
        }
        let is_due = at >= self.planned.deadline().unwrap_or(end);
        self.verdict = match of_lives {
            true => self.verdict_of_lives(holds, is_last),
            false => self.verdict(holds, is_due, is_last),
        };
        let is_decided = self.verdict != PropertyVerdict::Undecided || is_last;
        let due = self.lives.due().unwrap_or(end).max(at);
        self.next = (!is_decided).then(|| self.planned.check_after(at, end).min(due));
    }

    /// The verdict after a check of one that is not of each life.
    fn verdict(&self, holds: bool, is_due: bool, is_last: bool) -> PropertyVerdict {
        let property = &self.planned.property;
        match (property.kind(), holds) {
            (PropertyKind::Always, false) => PropertyVerdict::Failed,
            (PropertyKind::Always, true) if is_last => PropertyVerdict::Held,
            (PropertyKind::Sometimes, true) => PropertyVerdict::Held,
            (PropertyKind::Sometimes, false) if is_last => PropertyVerdict::Never,
            (PropertyKind::Eventually, true) if !property.stays() || is_last => {
                PropertyVerdict::Held
            }
            (PropertyKind::Eventually, false) if is_due || self.has_stopped_holding() => {
                PropertyVerdict::Failed
            }
            _ => PropertyVerdict::Undecided,
        }
    }

    /// Whether it held, and had to go on holding from then on.
    fn has_stopped_holding(&self) -> bool {
        self.planned.property.stays() && self.planned.within.is_none() && self.held_at.is_some()
    }

    /// The verdict after a check of one that is of each life: there may always be another one.
    fn verdict_of_lives(&self, holds: bool, is_last: bool) -> PropertyVerdict {
        match holds {
            false => PropertyVerdict::Failed,
            true if is_last && self.lives.held() > 0 => PropertyVerdict::Held,
            true => PropertyVerdict::Undecided,
        }
    }

    /// What is known of it.
    pub(super) fn report(&self) -> PropertyReport {
        let Watched { planned, checks, verdict, held_at, violation, .. } = self;
        let is_wrong = match verdict {
            PropertyVerdict::Failed => true,
            PropertyVerdict::Undecided => held_at.is_none(),
            PropertyVerdict::Held | PropertyVerdict::Never => false,
        };
        let violation = violation.clone().filter(|_| is_wrong);
        let lives = planned.property.is_of_each_life().then(|| self.lives.held());
        PropertyReport::new(planned, (*checks, lives), *verdict, *held_at, violation)
    }
}

/// The result of a check: whether the property holds; or the message of a panic in it.
pub(super) type Checked = Result<Result<(), Violation>, String>;

/// Makes a check.
pub(super) fn caught(check: impl FnOnce() -> Result<(), Violation>) -> Checked {
    catch_unwind(AssertUnwindSafe(check))
        .map_err(|payload| format!("its check panicked: {}", message_of(&*payload)))
}

/// The message of a panic.
fn message_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("without a word")
}
