//! The properties that a plan checks: those of its experiment, and those that its scenario names.

use std::ops::Range;

use peerlet_core::property::PropertyKind;
use peerlet_core::runtime::Registry;
use peerlet_core::{Duration, MILLISECOND, NANOSECOND, Property, Time};
use peerlet_network::Fault;
use peerlet_scenario::{
    Action, Problem, Problems, PropertyChoice, PropertyStart, Scenario, Step, Timeline, suggest,
};

use crate::experiment::Experiment;
use crate::world::World;

/// A property that is checked while a plan runs.
#[derive(Clone, Debug)]
pub struct PlannedProperty {
    /// Its name: that of its peerlet, a slash and its own; its own alone where it is one of the
    /// experiment.
    pub name: String,
    /// The property.
    pub property: Property,
    /// The time between two checks.
    pub every: Duration,
    /// The instant from which it is checked.
    pub from: Time,
    /// How long it may take to hold, where it is one of progress and has such a time.
    pub within: Option<Duration>,
    /// Whether a run fails in which it never holds, where it is one that holds sometimes.
    pub is_required: bool,
    /// Whether the run ends when its verdict is known.
    pub stops: bool,
}

impl PlannedProperty {
    /// The instant by which it has to hold, where it has one. Each life has one of its own where it
    /// has to hold in each.
    pub fn deadline(&self) -> Option<Time> {
        self.within.map(|within| self.from + within)
    }

    /// The instant of the first check after this one: at whole multiples of its period from its
    /// start on, at its deadline and at the end of the run. There is none at time zero, when
    /// nothing has happened.
    pub(crate) fn check_after(&self, last: Time, end: Time) -> Time {
        let period = self.every.as_nanos().max(1);
        let number = (last.as_nanos() / period + 1).max(self.from.as_nanos().div_ceil(period));
        let regular = Time::ZERO + Duration::from_nanos(number.saturating_mul(period));
        let deadline = self.deadline().filter(|deadline| last < *deadline);
        deadline.map_or(regular, |deadline| deadline.min(regular)).min(end)
    }

    /// Whether it is checked at this instant.
    #[cfg(feature = "live")]
    pub(crate) fn is_checked_at(&self, at: Time, end: Time) -> bool {
        let is_regular =
            at >= self.from && at.as_nanos().is_multiple_of(self.every.as_nanos().max(1));
        is_regular || at == end || self.deadline() == Some(at)
    }
}

/// A property that is not checked, since this world cannot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SkippedProperty {
    /// Its name.
    pub name: String,
}

/// A property that there is, under its full name.
struct Known<'a> {
    name: String,
    property: &'a Property,
    /// Whether it is checked without being named.
    is_own: bool,
}

/// The properties of an experiment and of all peerlets of a scenario; in this order.
fn known<'a>(experiment: &'a Experiment, registry: &'a Registry) -> Vec<Known<'a>> {
    let experiments = experiment.properties.iter().map(|property| Known {
        name: property.name().to_owned(),
        property,
        is_own: true,
    });
    let peerlets = registry.entries().iter().flat_map(|entry| {
        entry.properties().iter().map(move |property| {
            let name = format!("{}/{}", entry.name(), property.name());
            let is_own = experiment.checks.iter().any(|check| means(check, &name));
            Known { name, property, is_own }
        })
    });
    experiments.chain(peerlets).collect()
}

/// The properties that a scenario has checked in a world, and those that it leaves out there.
///
/// # Errors
/// When it names one that there is not, or one that this world cannot check.
pub(crate) fn plan(
    experiment: &Experiment,
    registry: &Registry,
    (scenario, timeline, faults): (&Scenario, &Timeline, &[Fault]),
    world: World,
) -> Result<(Vec<PlannedProperty>, Vec<SkippedProperty>), Problems> {
    let all = known(experiment, registry);
    let mut choices = Choices {
        chosen: vec![None; all.len()],
        stops: vec![false; all.len()],
        all,
        scenario,
        problems: Vec::new(),
    };
    choices.check_names(&experiment.properties);
    choices.check_times();
    choices.check_checks(experiment, registry);
    choices.take_properties();
    choices.take_stops(world);
    let (mut planned, mut skipped) = (Vec::new(), Vec::new());
    for index in 0..choices.all.len() {
        let Some((choice, is_named)) = choices.of(index) else { continue };
        if world != World::Sim && choice.every < MILLISECOND {
            let message = format!("a check every {} leaves peers no time", choice.every);
            let help = "on real sockets there is a millisecond between two at least";
            choices.refuse(&choice.span, message, help);
            continue;
        }
        let known = &choices.all[index];
        if world == World::Sim || !known.property.is_of_the_whole_network() {
            planned.push(choices.planned(index, &choice, || last_fault(timeline, faults)));
        } else if is_named && !choice.may_skip {
            let problem = not_here(&known.name, &choice.span, scenario, world);
            choices.problems.push(problem);
        } else {
            skipped.push(SkippedProperty { name: known.name.clone() });
        }
    }
    match choices.problems {
        problems if problems.is_empty() => Ok((planned, skipped)),
        problems => Err(Problems(problems)),
    }
}

/// The choices of a scenario among the properties that there are.
struct Choices<'a> {
    all: Vec<Known<'a>>,
    /// What the scenario says of each.
    chosen: Vec<Option<PropertyChoice>>,
    /// Whether the run stops at its verdict.
    stops: Vec<bool>,
    scenario: &'a Scenario,
    problems: Vec<Problem>,
}

impl Choices<'_> {
    fn refuse(&mut self, span: &Range<usize>, message: String, help: &str) {
        self.problems.push(self.scenario.sources.problem(span, message, help));
    }

    /// Refuses an experiment that gives two properties one name.
    fn check_names(&mut self, own: &[Property]) {
        for (i, one) in own.iter().enumerate() {
            if own[..i].iter().any(|earlier| earlier.name() == one.name()) {
                let message = format!("the experiment has two properties `{}`", one.name());
                self.refuse(&(0..0), message, "give each its own name");
            }
        }
    }

    /// Refuses times on what is no progress.
    fn check_times(&mut self) {
        let is_wrong = |known: &&Known<'_>| {
            let Known { property, .. } = known;
            let is_timed = property.time().is_some() || property.stays();
            is_timed && property.kind() != PropertyKind::Eventually
        };
        let wrong: Vec<String> = self
            .all
            .iter()
            .filter(is_wrong)
            .map(|known| format!("`{}` holds {}", known.name, known.property.kind().name()))
            .collect();
        for wrong in wrong {
            let help = "only one that holds eventually has such times";
            self.refuse(&(0..0), format!("{wrong}, so `within` and `and_stays` say nothing"), help);
        }
    }

    /// Refuses names that the experiment has checked and that no run of it can mean.
    fn check_checks(&mut self, experiment: &Experiment, registry: &Registry) {
        for check in &experiment.checks {
            let owner = check.split_once('/').map(|(owner, _)| owner);
            let is_here = registry.entries().iter().any(|entry| Some(entry.name()) == owner);
            let is_known = |owner| experiment.catalog.entries().iter().any(|e| e.name == owner);
            let is_elsewhere = !is_here && owner.is_some_and(is_known);
            if !is_elsewhere && !self.all.iter().any(|known| means(check, &known.name)) {
                self.problems.push(unknown(&self.all, self.scenario, (check, &(0..0))));
            }
        }
    }

    /// The properties that a name means; refuses one that means none.
    fn meant(&mut self, name: &str, span: &Range<usize>) -> Vec<usize> {
        let meant: Vec<usize> =
            (0..self.all.len()).filter(|index| means(name, &self.all[*index].name)).collect();
        if meant.is_empty() {
            self.problems.push(unknown(&self.all, self.scenario, (name, span)));
        }
        meant
    }

    /// Takes the `[[property]]` tables. What is said of one by its own name counts before what is
    /// said of several, whichever stands first.
    fn take_properties(&mut self) {
        for choice in &self.scenario.properties {
            for index in self.meant(&choice.name, &choice.span) {
                match &self.chosen[index] {
                    Some(earlier) if is_one(choice) && is_one(earlier) => {
                        let message = format!("`{}` is named twice", choice.name);
                        self.refuse(&choice.span, message, "leave one of them out");
                    }
                    Some(_) if !is_one(choice) => {}
                    _ => self.chosen[index] = Some(choice.clone()),
                }
            }
        }
    }

    /// Takes the names in `stop_when`.
    fn take_stops(&mut self, world: World) {
        if let (Some(stop), true) = (self.scenario.stop_when.first(), world != World::Sim) {
            let message = format!("no `{}` stops at the verdict on a property", world.name());
            self.refuse(&stop.span, message, "simulate it, or leave `stop_when` out");
        }
        for stop in &self.scenario.stop_when {
            for index in self.meant(&stop.name, &stop.span) {
                self.stops[index] = true;
                let named = || PropertyChoice::named(&stop.name, stop.span.clone());
                self.chosen[index].get_or_insert_with(named);
            }
        }
    }

    /// What is said of a property that is checked, and whether the scenario says it.
    fn of(&self, index: usize) -> Option<(PropertyChoice, bool)> {
        match &self.chosen[index] {
            Some(choice) => Some((choice.clone(), true)),
            None if self.all[index].is_own => {
                Some((PropertyChoice::named(&self.all[index].name, 0..0), false))
            }
            None => None,
        }
    }

    fn planned(
        &mut self,
        index: usize,
        choice: &PropertyChoice,
        last_fault: impl FnOnce() -> Option<Time>,
    ) -> PlannedProperty {
        let Known { name, property, .. } = &self.all[index];
        let (name, property, kind) = (name.clone(), (*property).clone(), property.kind());
        if choice.within.is_some() && kind != PropertyKind::Eventually && is_one(choice) {
            let message = format!("`{name}` holds {}, so `within` says nothing", kind.name());
            self.refuse(&choice.within_span, message, "leave `within` out");
        }
        let from = match choice.from {
            PropertyStart::At(after) => Time::ZERO + after,
            // A check at an instant comes before all that happens then.
            PropertyStart::LastFault => last_fault().map_or(Time::ZERO, |at| at + NANOSECOND),
        };
        let end = self.scenario.duration;
        if from >= Time::ZERO + end {
            let message = format!("`{name}` is never checked: its `from` is {from}");
            self.refuse(&choice.span, message, &format!("the run is over at {end}"));
        }
        let within = choice.within.or(property.time());
        let within = within.filter(|_| kind == PropertyKind::Eventually);
        PlannedProperty {
            name,
            property,
            every: choice.every,
            from,
            within,
            is_required: choice.is_required,
            stops: self.stops[index],
        }
    }
}

/// Whether a choice names one property, not several by a star.
fn is_one(choice: &PropertyChoice) -> bool {
    !choice.name.ends_with('*')
}

/// Whether a name, or several with a star at its end, means this property.
fn means(name: &str, property: &str) -> bool {
    match name.strip_suffix('*') {
        Some(head) if head.is_empty() || head.ends_with('/') => property.starts_with(head),
        _ => property == name,
    }
}

fn unknown(all: &[Known<'_>], scenario: &Scenario, (name, span): (&str, &Range<usize>)) -> Problem {
    let names: Vec<&str> = all.iter().map(|known| known.name.as_str()).collect();
    let help = match suggest(name, &names) {
        _ if names.is_empty() => {
            "neither this program nor the peerlets of this scenario have properties".to_owned()
        }
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("the properties of this scenario are: {}", names.join(", ")),
    };
    let message = match name.ends_with('*') {
        true => format!("no property is meant by `{name}`"),
        false => format!("no property is named `{name}`"),
    };
    scenario.sources.problem(span, message, help)
}

/// Refuses a property of the whole network where nobody sees the whole network.
fn not_here(name: &str, span: &Range<usize>, scenario: &Scenario, world: World) -> Problem {
    let message = format!("`{name}` looks at all peers at once, and no `{}` can", world.name());
    let help = "simulate it, or write `live = \"skip\"` to leave it out on real sockets";
    scenario.sources.problem(span, message, help)
}

/// The instant of the last thing in a scenario that harms: a stop, crash or pause of a peer, what
/// tampers with its messages, or a change of the network; `None` where it does nothing of that.
fn last_fault(timeline: &Timeline, faults: &[Fault]) -> Option<Time> {
    let harms = |step: Step| match step {
        Step::Start(_) => false,
        Step::Stop(_) | Step::Crash(_) => true,
        Step::Event(index) => match timeline.event(index).action {
            Action::Stop | Action::Crash | Action::Restart => true,
            Action::Pause(_) | Action::Tamper(_) => true,
            Action::Start | Action::Command { .. } | Action::Network { .. } => false,
        },
    };
    let ends = |entry: &peerlet_scenario::TimelineEntry| match entry.step {
        Step::Event(index) => match timeline.event(index).action {
            Action::Pause(time) => entry.at + time,
            _ => entry.at,
        },
        _ => entry.at,
    };
    let of_peers = timeline.entries().iter().filter(|entry| harms(entry.step)).map(ends);
    let of_network = faults.iter().map(|fault| fault.at);
    of_peers.chain(of_network).max()
}
