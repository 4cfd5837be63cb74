//! First starts, and the coming and going of peers by churn, as entries of a timeline.

use std::collections::BTreeMap;

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Rng, Seat, Seed, Time};

use crate::call::Action;
use crate::churn::{Departure, Population, RandomSessions, Session, Sessions};
use crate::event::ScenarioEvent;
use crate::scenario::Scenario;
use crate::step::{Step, TimelineEntry};

/// The starts, stops and crashes of all seats, but for those of event lines.
pub(crate) struct Presence<'a> {
    pub(crate) entries: Vec<TimelineEntry>,
    scenario: &'a Scenario,
    servers: &'a SeatSet,
    end: Time,
    /// The places of the seats that come and go among them, by seat, where the population changes.
    places: Vec<(Seat, f64)>,
    /// The sessions of seats that a trace has.
    traced: BTreeMap<Seat, &'a [Session]>,
    departure: Departure,
}

impl<'a> Presence<'a> {
    pub(crate) fn new(scenario: &'a Scenario, servers: &'a SeatSet) -> Presence<'a> {
        let (mut places, mut traced) = (Vec::new(), BTreeMap::new());
        match scenario.churn.as_ref().map(|churn| &churn.sessions) {
            Some(Sessions::Trace(trace)) => traced = trace.by_seat(),
            Some(Sessions::Random(random)) if random.population.is_some() => {
                let all = SeatSet::all(scenario.peers);
                let seats = all.iter().filter(|seat| random.has(*seat, servers)).collect();
                places = Population::places(&seats, churn_seed(scenario).named("population"));
            }
            _ => {}
        }
        Presence {
            entries: Vec::new(),
            scenario,
            servers,
            end: Time::ZERO + scenario.duration,
            places,
            traced,
            departure: scenario.churn.as_ref().map(|churn| churn.departure).unwrap_or_default(),
        }
    }

    /// Adds what becomes of a seat.
    pub(crate) fn add(&mut self, seat: Seat, begin: Begin) {
        if let Some(sessions) = self.traced.get(&seat) {
            return self.follow(seat, sessions);
        }
        let random = match self.scenario.churn.as_ref().map(|churn| &churn.sessions) {
            Some(Sessions::Random(random)) if random.has(seat, self.servers) => Some(random),
            _ => None,
        };
        match (random, begin) {
            (None, Begin::Event(_)) => {}
            (None, Begin::Join) => self.start(seat, joined(self.scenario, seat)),
            (Some(random), begin) => self.come_and_go(seat, begin, random),
        }
    }

    /// The sessions of a trace.
    fn follow(&mut self, seat: Seat, sessions: &[Session]) {
        let mut rng = self.departures(seat);
        for session in sessions {
            self.start(seat, session.start);
            if let Some(stop) = session.stop {
                self.go(seat, stop, &mut rng);
            }
        }
    }

    /// Random sessions and absences.
    fn come_and_go(&mut self, seat: Seat, begin: Begin, random: &RandomSessions) {
        let mut rng = churn_seed(self.scenario).at(u64::from(seat.0)).rng();
        let mut departures = self.departures(seat);
        let (at, mut windows) = match begin {
            Begin::Event(at) => (at, vec![Time::ZERO..self.end]),
            Begin::Join => (joined(self.scenario, seat), self.windows(seat, random)),
        };
        windows.retain(|window| window.end > at);
        for window in windows {
            // Whoever comes later, with a larger share, comes anew.
            let is_first = window.start <= at;
            let mut now = window.start.max(at);
            let mut is_up = match begin {
                Begin::Join if is_first => random.begins_up(&mut rng),
                _ => true,
            };
            let is_started = is_first && matches!(begin, Begin::Event(_));
            if is_up && !is_started {
                self.start(seat, now);
            }
            let mut is_next = !(is_first && matches!(begin, Begin::Join));
            loop {
                let since = now.since(Time::ZERO);
                now += match is_next {
                    false => random.sample_first(is_up, since, &mut rng),
                    true => random.sample(is_up, since, &mut rng),
                };
                is_next = true;
                if now >= window.end {
                    break;
                }
                is_up = !is_up;
                match is_up {
                    true => self.start(seat, now),
                    false => self.go(seat, now, &mut departures),
                }
            }
            if is_up {
                self.go(seat, window.end, &mut departures);
            }
        }
    }

    /// The times in which a seat takes part.
    fn windows(&self, seat: Seat, random: &RandomSessions) -> Vec<std::ops::Range<Time>> {
        match (&random.population, self.places.binary_search_by_key(&seat, |(seat, _)| *seat)) {
            (Some(population), Ok(at)) => population.windows(self.places[at].1, self.end),
            _ => vec![Time::ZERO..self.end],
        }
    }

    /// Another stream than that of the sessions, so that these are the same however peers go.
    fn departures(&self, seat: Seat) -> Rng {
        churn_seed(self.scenario).named("departures").at(u64::from(seat.0)).rng()
    }

    /// A run that is cut short may be over before everybody has joined.
    fn start(&mut self, seat: Seat, at: Time) {
        self.push(at, Step::Start(seat));
    }

    fn go(&mut self, seat: Seat, at: Time, rng: &mut Rng) {
        let crashes = self.departure.crash > 0.0 && rng.chance(self.departure.crash);
        if !crashes {
            self.push(at, Step::Stop(seat));
        }
        if crashes || self.departure.loses_state {
            self.push(at, Step::Crash(seat));
        }
    }

    fn push(&mut self, at: Time, step: Step) {
        if at < self.end {
            self.entries.push(TimelineEntry { at, step });
        }
    }
}

/// How a seat's run begins.
#[derive(Clone, Copy)]
pub(crate) enum Begin {
    /// At its instant of the join ramp.
    Join,
    /// By an event at this instant, which is its first.
    Event(Time),
}

/// How the run of each seat begins.
pub(crate) fn begins(scenario: &Scenario) -> Vec<Begin> {
    // A change of the network happens to no seat.
    let is_theirs = |event: &&ScenarioEvent| !matches!(event.action, Action::Network { .. });
    let mut order: Vec<&ScenarioEvent> = scenario.events.iter().filter(is_theirs).collect();
    order.sort_by_key(|event| event.at);
    let mut begins = vec![None; scenario.peers as usize];
    let mut left = begins.len();
    for event in order {
        if left == 0 {
            break;
        }
        let begin = match event.action {
            Action::Start => Begin::Event(event.at),
            _ => Begin::Join,
        };
        for seat in event.seats.iter() {
            let first = &mut begins[seat.index()];
            left -= usize::from(first.is_none());
            first.get_or_insert(begin);
        }
    }
    begins.into_iter().map(|begin| begin.unwrap_or(Begin::Join)).collect()
}

fn churn_seed(scenario: &Scenario) -> Seed {
    Seed::new(scenario.seed).named("churn")
}

/// The instant of a seat in the join ramp.
fn joined(scenario: &Scenario, seat: Seat) -> Time {
    let nanos = u128::from(scenario.join.as_nanos()) * u128::from(seat.0);
    Time::from_nanos((nanos / u128::from(scenario.peers)) as u64)
}
