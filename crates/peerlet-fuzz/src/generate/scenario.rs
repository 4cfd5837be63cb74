//! A random scenario, generated from a seed and written as a scenario file.

use std::fmt::Write;

use peerlet_core::{Duration, MILLISECOND, SECOND, Seed};
use peerlet_scenario::{Action, Scenario, Step, Timeline};

use super::churn::{self, GeneratedChurn};
use super::events::EventGenerator;
use super::network::{self, GeneratedNetwork};
use super::sample::{between, one_of, time};
use super::stacks::{self, Group};

/// A random scenario, in the parts of its file.
pub(crate) struct GeneratedScenario {
    seed: u64,
    peers: u32,
    end: Duration,
    join: Option<Duration>,
    epoch: Option<Duration>,
    network: Vec<String>,
    stack: Vec<String>,
    groups: Vec<Group>,
    churn: Vec<String>,
    events: Vec<String>,
    /// The names of its features, for the count of occurrences.
    pub(crate) has: Vec<String>,
}

/// The most events of a scenario, as estimated beforehand.
const EVENTS_MAX: u64 = 12_000;
/// The same where nearly every event has a window of its own, which is slow.
const FINE_MAX: u64 = 1_500;

impl GeneratedScenario {
    /// Generates the scenario of this seed.
    pub(crate) fn new(seed: u64) -> GeneratedScenario {
        let rng = &mut Seed::new(seed).named("random scenario").rng();
        let peers = match rng.below(100) {
            0 => between(rng, 800, 1_200),
            1..=12 => between(rng, 60, 200),
            13..=49 => between(rng, 13, 60),
            _ => between(rng, 2, 12),
        } as u32;
        let network = match rng.chance(0.04) {
            true => {
                let has = vec!["model none".to_owned()];
                GeneratedNetwork { lines: Vec::new(), has, is_fine: false }
            }
            false => network::generate(rng, peers),
        };
        let most = if network.is_fine { FINE_MAX } else { EVENTS_MAX };
        let budget = between(rng, most / 10, most);
        let (mut stack, mut has) = stacks::generate(rng, peers, budget);
        let groups = stack.generate_groups(rng, peers);
        let affordable = SECOND * budget / (u64::from(peers) * stack.events_per_second).max(1);
        let end = time(rng, SECOND * 2, SECOND * 60, MILLISECOND * 100);
        let end = end.min(affordable).max(SECOND);
        let join = rng.chance(0.7).then(|| one_of(rng, &[Duration::ZERO, end / 10, end / 2, end]));
        let epoch = one_of(rng, &[None, Some(SECOND), Some(MILLISECOND * 333)]);
        let has_router = stack.has("router");
        let events = EventGenerator { peers, end, has_router }.generate(rng);
        let churn = match rng.chance(0.3) {
            true => churn::generate(rng, peers, end),
            false => GeneratedChurn::default(),
        };
        let is_taller = groups.iter().any(|group| group.is_taller);
        for (name, is_there) in
            [("groups", !groups.is_empty()), ("groups more peerlets", is_taller)]
        {
            has.extend(is_there.then(|| name.to_owned()));
        }
        has.extend(network.has);
        has.extend(events.has);
        has.extend(churn.has);
        let (stack, network, events) = (stack.lines, network.lines, events.lines);
        GeneratedScenario {
            seed,
            peers,
            end,
            join,
            epoch,
            network,
            stack,
            groups,
            churn: churn.lines,
            events,
            has,
        }
    }

    /// The scenario as a file.
    pub(crate) fn text(&self) -> String {
        let groups = self.groups.iter().map(|group| (group, group.seats.as_str()));
        self.write(groups, &self.churn, &self.events)
    }

    /// The scenario with all random choices resolved: lists of seats instead of shares, starts and
    /// stops instead of churn. `None` if event lines cannot express it: a seat never starts, or has
    /// an event before it joins.
    pub(crate) fn expanded(&self, scenario: &Scenario, timeline: &Timeline) -> Option<String> {
        if !is_started_first(timeline, scenario.peers) {
            return None;
        }
        let seats: Vec<_> = scenario.groups.iter().map(|g| format!("\"{}\"", g.seats)).collect();
        let groups = self.groups.iter().zip(seats.iter().map(String::as_str));
        let events: Vec<_> = timeline.to_string().lines().map(str::to_owned).collect();
        Some(self.write(groups, &[], &events))
    }

    fn write<'a>(
        &'a self,
        groups: impl Iterator<Item = (&'a Group, &'a str)>,
        churn: &[String],
        events: &[String],
    ) -> String {
        let GeneratedScenario { seed, peers, end, join, epoch, .. } = self;
        let mut text = format!("title = \"random scenario {seed}\"\nseed = {seed}\n");
        let mut line = |written: std::fmt::Arguments<'_>| {
            writeln!(text, "{written}").expect("a text takes everything");
        };
        line(format_args!("peers = {peers}\nfor = \"{end}\""));
        if let Some(join) = join {
            line(format_args!("join = \"{join}\""));
        }
        let tables = [("network", &self.network[..]), ("stack", &self.stack), ("churn", churn)];
        for (name, lines) in tables.into_iter().filter(|(_, lines)| !lines.is_empty()) {
            line(format_args!("\n[{name}]\n{}", lines.join("\n")));
        }
        for (group, seats) in groups {
            let Group { name, stack, .. } = group;
            line(format_args!("\n[[group]]\nname = \"{name}\"\npeers = {seats}\nstack = {stack}"));
        }
        if let Some(epoch) = epoch {
            line(format_args!("\n[measure]\nepoch = \"{epoch}\""));
        }
        if !events.is_empty() {
            line(format_args!("\n[events]\nlines = \'\'\'\n{}\n\'\'\'", events.join("\n")));
        }
        text
    }
}

/// Whether the first event of each seat is its start.
fn is_started_first(timeline: &Timeline, peers: u32) -> bool {
    let mut first = vec![None; peers as usize];
    for entry in timeline.entries() {
        match entry.step {
            Step::Start(seat) => _ = first[seat.index()].get_or_insert(true),
            Step::Stop(seat) | Step::Crash(seat) => _ = first[seat.index()].get_or_insert(false),
            Step::Event(index) => {
                let event = timeline.event(index);
                let starts = match event.action {
                    Action::Network { .. } => continue,
                    Action::Start => true,
                    _ => false,
                };
                event.seats.iter().for_each(|s| _ = first[s.index()].get_or_insert(starts));
            }
        }
    }
    first.iter().all(|first| *first == Some(true))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use peerlet_network::{CALLS, LAYERS, MODELS};
    use peerlet_scenario::Source;

    use super::*;
    use peerlet_run::Experiment;
    use peerlet_run::Plan;

    #[test]
    fn everything_there_is_occurs_and_is_read() {
        let experiment = Experiment::new("peerlet");
        let (mut seen, mut expanded) = (BTreeSet::new(), 0);
        for seed in 0..300 {
            let generated = GeneratedScenario::new(seed);
            let text = generated.text();
            assert_eq!(text, GeneratedScenario::new(seed).text());
            let read = |text: &str| {
                let source = Source::new("generated", text);
                Plan::new(&experiment, source, &[], peerlet_run::World::Sim)
                    .unwrap_or_else(|problems| panic!("seed {seed}: {}", problems.render(false)))
            };
            let plan = read(&text);
            if let Some(text) = generated.expanded(&plan.scenario, plan.timeline()) {
                assert_eq!(read(&text).timeline().to_string(), plan.timeline().to_string());
                expanded += 1;
            }
            seen.extend(generated.has);
        }
        assert!(expanded > 150, "{expanded} of 300");
        let models = MODELS.iter().map(|model| format!("model {}", model.name));
        let wanted = models
            .filter(|model| model != "model matrix")
            .chain(LAYERS.iter().map(|layer| format!("layer {}", layer.name)))
            .chain(CALLS.iter().map(|call| format!("fault {}", call.name)))
            .chain(experiment.catalog.entries().iter().map(|e| format!("peerlet {}", e.name)))
            .chain(
                ["start", "stop", "crash", "restart", "pause", "command"]
                    .map(|act| format!("event {act}")),
            )
            .chain(["groups", "groups more peerlets", "churn"].map(str::to_owned))
            .chain(
                ["exponential", "weibull", "pareto", "lognormal", "departure", "state", "swing"]
                    .map(|what| format!("churn {what}")),
            )
            .chain(["churn population".to_owned()]);
        let missing: Vec<_> = wanted.filter(|name| !seen.contains(name)).collect();
        assert!(missing.is_empty(), "{missing:?} never occurs");
    }

    #[test]
    fn what_event_lines_cannot_say_is_not_expanded() {
        let generated = GeneratedScenario::new(1);
        let experiment = Experiment::new("peerlet");
        for (line, is_said) in [("0 1 Peer.stop()", true), ("1 0 Peer.stop()", false)] {
            let text = format!(
                "peers = 2\nfor = \"9s\"\njoin = \"1s\"\n[stack]\nbootstrap = {{}}\n[events]\n\
                 lines = \"{line}\""
            );
            let source = Source::new("event", text);
            let plan = Plan::new(&experiment, source, &[], peerlet_run::World::Sim).unwrap();
            let expanded = generated.expanded(&plan.scenario, plan.timeline());
            assert_eq!(expanded.is_some(), is_said, "{line}");
        }
    }
}
