//! The observers that a scenario names, with the peerlets whose links they look at.

use peerlet_core::runtime::{LinkSource, Registry};
use peerlet_core::{Duration, Time};
use peerlet_measure::MetricEntry;
use peerlet_scenario::{Observe, Problem, Problems, Scenario, suggest};

use crate::observers::quantities;
use crate::properties::SkippedProperty;
use crate::world::World;

/// An observer of one peerlet's links while a plan runs.
#[derive(Clone, Debug)]
pub struct PlannedObserver {
    /// The name of the peerlet.
    pub peerlet: &'static str,
    /// How its links are read.
    pub(crate) source: LinkSource,
    /// The time between two observations.
    pub every: Duration,
    /// The instant from which it observes.
    pub from: Time,
    /// What it measures.
    pub measures: Vec<&'static str>,
    /// How many nodes are chosen for what is costly.
    pub samples: u32,
    /// Whether the links are kept.
    pub is_recorded: bool,
}

impl PlannedObserver {
    /// The instant of the next observation after this one, of which there is one at the end of the
    /// run as well. There is none at time zero, when no peer runs.
    pub(crate) fn due_after(&self, last: Time, end: Time) -> Time {
        let period = self.every.as_nanos().max(1);
        let number = (last.as_nanos() / period + 1).max(self.from.as_nanos().div_ceil(period));
        (Time::ZERO + Duration::from_nanos(number.saturating_mul(period))).min(end)
    }

    /// The metrics that it records.
    pub(crate) fn metrics(&self) -> Vec<MetricEntry> {
        quantities::metrics(self.peerlet, &self.measures)
    }
}

/// The observers of a scenario in a world.
#[derive(Default)]
pub(crate) struct ObserverPlan {
    /// Those that observe.
    pub(crate) observers: Vec<PlannedObserver>,
    /// Those that are left out, since the world cannot observe.
    pub(crate) skipped: Vec<SkippedProperty>,
    /// The full names of what those would measure.
    pub(crate) unmeasured: Vec<String>,
}

/// The observers of a scenario in a world, and those that it leaves out there.
///
/// # Errors
/// When one names a peerlet that tells no links, or two name the same, or the world cannot observe.
pub(crate) fn plan(
    scenario: &Scenario,
    registry: &Registry,
    world: World,
) -> Result<ObserverPlan, Problems> {
    let (mut plan, mut problems) = (ObserverPlan::default(), Vec::new());
    for (i, observe) in scenario.observe.iter().enumerate() {
        let Observe { peerlet, every, from, measures, samples, is_recorded, .. } = observe;
        let entry = registry.entries().iter().find(|entry| entry.name() == peerlet);
        let Some((name, source)) = entry.and_then(|entry| Some((entry.name(), entry.links()?)))
        else {
            problems.push(unknown(scenario, registry, observe));
            continue;
        };
        let mut refuse = |message: String, help: &str| {
            problems.push(scenario.sources.problem(&observe.span, message, help));
        };
        let own = quantities::metrics(name, measures);
        let taken = own
            .iter()
            .find(|own| registry.metrics().iter().any(|(known, _)| *known == own.full_name));
        if let Some(taken) = taken {
            let message = format!("`{}` is a metric of the peerlet itself", taken.full_name);
            refuse(message, "leave it out of `measures`, or rename the metric");
        } else if scenario.observe[..i].iter().any(|earlier| earlier.peerlet == *peerlet) {
            refuse(format!("two observers look at the links of `{name}`"), "make them one");
        } else if *from >= scenario.duration {
            let message = format!("the links of `{name}` are never looked at: `from` is {from}");
            refuse(message, &format!("the run is over at {}", scenario.duration));
        } else if world == World::Sim {
            plan.observers.push(PlannedObserver {
                peerlet: name,
                source: source.clone(),
                every: every.unwrap_or(scenario.measure.epoch),
                from: Time::ZERO + *from,
                measures: measures.clone(),
                samples: *samples,
                is_recorded: *is_recorded,
            });
        } else if observe.may_skip {
            plan.skipped.push(SkippedProperty { name: format!("the links of {name}") });
            let metrics = quantities::metrics(name, measures).into_iter();
            plan.unmeasured.extend(metrics.map(|entry| entry.full_name));
        } else {
            let message =
                format!("an observer looks at all peers at once, and no `{}` can", world.name());
            let help = "simulate it, or write `live = \"skip\"` to leave it out on real sockets";
            refuse(message, help);
        }
    }
    match problems {
        problems if problems.is_empty() => Ok(plan),
        problems => Err(Problems(problems)),
    }
}

/// Refuses an observer of a peerlet that tells no links.
fn unknown(scenario: &Scenario, registry: &Registry, observe: &Observe) -> Problem {
    let entries = registry.entries();
    let telling = entries.iter().filter(|entry| entry.links().is_some());
    let names: Vec<&str> = telling.map(peerlet_core::runtime::Entry::name).collect();
    let name = &observe.peerlet;
    let message = match entries.iter().any(|entry| entry.name() == name) {
        true => format!("`{name}` tells no links"),
        false => format!("no peerlet of this scenario is named `{name}`"),
    };
    let help = match suggest(name, &names) {
        _ if names.is_empty() => {
            "no peerlet of this scenario tells its links; a peerlet does by `about.links(..)`"
                .to_owned()
        }
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("peerlets that tell their links: {}", names.join(", ")),
    };
    scenario.sources.problem(&observe.span, message, help)
}
