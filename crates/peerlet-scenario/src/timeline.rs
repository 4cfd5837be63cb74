//! The timeline: an explicit, timed list of all that a scenario does to its peers, made before the
//! run so that every world replays it.

use std::fmt;
use std::sync::OnceLock;

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Seat, Time};

use crate::call::Action;
use crate::event::ScenarioEvent;
use crate::presence::{Begin, Presence, begins};
use crate::scenario::Scenario;
use crate::step::{Step, TimelineEntry};

/// All that a scenario does to its peers, in order.
///
/// Entries are in order of time. At one instant, first starts and churn come before event lines,
/// the former by seat, the latter in the order written, each for its seats ascending. Displayed, it
/// is a file of event lines, one an entry, that reads as the same timeline as long as each seat
/// starts at some time: a seat that never does has no line.
///
/// - *First starts.* Seat `i` of `n` starts at `join * i / n`. A seat whose first event is a
///   `start()` begins stopped and waits for it; so does a seat whose churn begins with an absence.
/// - *Churn.* Each of its seats samples sessions and absences from its own random stream, from its
///   first start on (or, when it begins with an absence, from the instant of its first start); or
///   it has those of a trace. Churn knows nothing of other events: the start of a running seat does
///   nothing.
#[derive(Debug)]
pub struct Timeline {
    peers: u32,
    entries: Vec<TimelineEntry>,
    events: Vec<ScenarioEvent>,
    waiting: u32,
    transitions: OnceLock<Transitions>,
}

impl Timeline {
    /// Makes all random choices of a scenario. Churn that names no seats leaves out the `servers`.
    pub fn expand(scenario: &Scenario, servers: &[Seat]) -> Timeline {
        let servers: SeatSet = servers.iter().copied().collect();
        let mut presence = Presence::new(scenario, &servers);
        let mut waiting = 0;
        for (seat, begin) in (0..).map(Seat).zip(begins(scenario)) {
            waiting += u32::from(matches!(begin, Begin::Event(_)));
            presence.add(seat, begin);
        }
        let mut entries = presence.entries;
        let events = scenario.events.iter().zip(0..);
        entries
            .extend(events.map(|(event, i)| TimelineEntry { at: event.at, step: Step::Event(i) }));
        entries.sort_unstable_by_key(|entry| (entry.at, entry.step.order()));
        Timeline {
            peers: scenario.peers,
            entries,
            events: scenario.events.clone(),
            waiting,
            transitions: OnceLock::new(),
        }
    }

    /// The entries in order.
    pub fn entries(&self) -> &[TimelineEntry] {
        &self.entries
    }

    /// How many seats begin stopped and wait for a `start()` among the events.
    pub fn waiting(&self) -> u32 {
        self.waiting
    }

    /// The event that [`Step::Event`] speaks of.
    ///
    /// # Panics
    /// Panics when the timeline has no such event.
    pub fn event(&self, index: u32) -> &ScenarioEvent {
        &self.events[index as usize]
    }

    /// Whether this seat is to be up just after `at`; a seat that does not exist never is. The
    /// first question builds an index of 16 bytes for every start and stop of every seat; each
    /// takes logarithmic time.
    pub fn running(&self, seat: Seat, at: Time) -> bool {
        self.transitions.get_or_init(|| Transitions::of(self)).up(seat, at)
    }

    /// Calls `visit` with each start and stop of each seat, in order.
    fn each_transition(&self, mut visit: impl FnMut(Seat, Time, bool)) {
        for &TimelineEntry { at, step } in &self.entries {
            match step {
                Step::Start(seat) => visit(seat, at, true),
                Step::Stop(seat) | Step::Crash(seat) => visit(seat, at, false),
                Step::Event(index) => {
                    let event = self.event(index);
                    if let Some(up) = event.action.leaves_up() {
                        event.seats.iter().for_each(|seat| visit(seat, at, up));
                    }
                }
            }
        }
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for TimelineEntry { at, step } in &self.entries {
            match step {
                Step::Start(seat) => writeln!(f, "{seat} {at} {}", Action::Start)?,
                Step::Stop(seat) => writeln!(f, "{seat} {at} {}", Action::Stop)?,
                Step::Crash(seat) => writeln!(f, "{seat} {at} {}", Action::Crash)?,
                Step::Event(index) => {
                    let event = self.event(*index);
                    writeln!(f, "{} {at} {}", event.seats, event.action)?;
                }
            }
        }
        Ok(())
    }
}

/// The starts and stops of every seat, in order: those of seat `i` at `firsts[i]..firsts[i + 1]`.
#[derive(Debug)]
struct Transitions {
    firsts: Vec<usize>,
    transitions: Vec<(Time, bool)>,
}

impl Transitions {
    fn of(timeline: &Timeline) -> Transitions {
        let mut firsts = vec![0; timeline.peers as usize + 1];
        timeline.each_transition(|seat, _, _| firsts[seat.index() + 1] += 1);
        for i in 1..firsts.len() {
            firsts[i] += firsts[i - 1];
        }
        let mut next = firsts.clone();
        let mut transitions = vec![(Time::ZERO, false); firsts[firsts.len() - 1]];
        timeline.each_transition(|seat, at, up| {
            transitions[next[seat.index()]] = (at, up);
            next[seat.index()] += 1;
        });
        Transitions { firsts, transitions }
    }

    fn up(&self, seat: Seat, at: Time) -> bool {
        let Some(&next) = self.firsts.get(seat.index() + 1) else { return false };
        let transitions = &self.transitions[self.firsts[seat.index()]..next];
        let done = transitions.partition_point(|(transition, _)| *transition <= at);
        done.checked_sub(1).is_some_and(|last| transitions[last].1)
    }
}
