//! The optional measurements of a scenario: by group, by peer, and by stopwatch.

use std::ops::Range;

use peerlet_core::Time;
use peerlet_core::runtime::{Registry, SeatSet};
use peerlet_measure::{Details, PARTS_MAX, Split, Stopwatch};
use peerlet_scenario::{MeasuredGroups, Problems, Scenario, Step, Timeline, instant};

use crate::expectations::unknown_measure;

/// The optional measurements of a scenario.
///
/// # Errors
/// When a part of the network or a stopwatch is wrong.
pub(crate) fn details(
    scenario: &Scenario,
    timeline: &Timeline,
    registry: &Registry,
) -> Result<Details, Problems> {
    let names: Vec<&str> = registry.metrics().iter().map(|(name, _)| name.as_str()).collect();
    let (mut stopwatches, mut problems) = (Vec::new(), Vec::new());
    let split = split(scenario).map_err(|Problems(wrong)| problems.extend(wrong)).ok().flatten();
    for (i, watch) in scenario.stopwatches.iter().enumerate() {
        let mut refuse = |span: &Range<usize>, message: String, help: &str| {
            problems.push(scenario.sources.problem(span, message, help));
        };
        let starts = starts(scenario, timeline, &watch.from);
        if !names.contains(&watch.until.as_str()) {
            let (message, help) = unknown_measure(&watch.until, &names);
            refuse(&watch.until_span, message, &help);
        } else if starts.is_empty() {
            let message = format!("nothing in this scenario is `{}`", watch.from);
            let help = "name a call of its events without arguments, such as \"Peer.crash\" or \
                        \"Rumor.tell\", or an instant such as \"60s\"";
            refuse(&watch.from_span, message, help);
        } else if scenario.stopwatches[..i].iter().any(|earlier| earlier.name == watch.name) {
            let message = format!("two stopwatches are named `{}`", watch.name);
            refuse(&watch.span, message, "rename one");
        } else if names.contains(&&*format!("stopwatch/{}", watch.name)) {
            let message = format!("a peerlet measures `stopwatch/{}` already", watch.name);
            refuse(&watch.span, message, "give the stopwatch another name");
        }
        stopwatches.push(Stopwatch {
            name: watch.name.clone(),
            until: watch.until.clone(),
            starts: starts.into(),
            within: watch.within,
        });
    }
    match problems {
        problems if problems.is_empty() => {
            Ok(Details { split, stopwatches, peers: scenario.measure.peers })
        }
        problems => Err(Problems(problems)),
    }
}

/// The instants of what starts a stopwatch: a call of events, what churn does, or one instant.
fn starts(scenario: &Scenario, timeline: &Timeline, from: &str) -> Vec<Time> {
    if let Ok(at) = instant(from) {
        let is_within = at < Time::ZERO + scenario.duration;
        return if is_within { vec![at] } else { Vec::new() };
    }
    let is_meant = |call: &str| {
        let call = call.trim().trim_start_matches(['"', '\'']);
        let call = call.split('(').next().unwrap_or("").trim();
        call == from || call.strip_prefix("Peer.") == Some(from)
    };
    let mut starts: Vec<Time> = timeline
        .entries()
        .iter()
        .filter(|entry| match entry.step {
            Step::Start(_) => from == "Peer.start",
            Step::Stop(_) => from == "Peer.stop",
            Step::Crash(_) => from == "Peer.crash",
            Step::Event(index) => is_meant(scenario.sources.text(&timeline.event(index).span)),
        })
        .map(|entry| entry.at)
        .collect();
    // Changes of the network are no acts on peers.
    let events = scenario.events.iter();
    starts.extend(
        events.filter(|event| is_meant(scenario.sources.text(&event.span))).map(|event| event.at),
    );
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// The split of a scenario's network; `None` where it names no parts.
///
/// # Errors
/// When a part is not there, has no seat, or shares a seat with another.
fn split(scenario: &Scenario) -> Result<Option<Split>, Problems> {
    let measure = &scenario.measure;
    let refused = |span: &Range<usize>, message: String, help: &str| -> Problems {
        scenario.sources.problem(span, message, help).into()
    };
    let parts: Vec<(String, SeatSet, &Range<usize>)> = match &measure.groups {
        MeasuredGroups::Named(named) if named.is_empty() => return Ok(None),
        MeasuredGroups::All if scenario.groups.is_empty() => {
            let message = "there are no groups to measure".to_owned();
            let help = "add a [[group]], or list peers such as [\"0-9\", \"17\"]";
            return Err(refused(&measure.groups_span, message, help));
        }
        MeasuredGroups::All => {
            let groups = scenario.groups.iter();
            let part = |group: &peerlet_scenario::Group| (group.name.clone(), group.seats.clone());
            groups.map(part).map(|(name, seats)| (name, seats, &measure.groups_span)).collect()
        }
        MeasuredGroups::Named(named) => {
            let mut parts = Vec::new();
            for (name, span) in named {
                let seats = scenario.seats_at(name, span)?;
                parts.push((name.clone(), seats, span));
            }
            parts
        }
    };
    let is_wrong = |(name, ..): &&(String, SeatSet, &Range<usize>)| {
        name == "others" || name.contains(['{', '}', ',', '=', '"', '\\'])
    };
    if let Some((name, _, span)) = parts.iter().find(is_wrong) {
        let message = format!("`{name}` cannot be the name of a part that is measured by itself");
        let help = "`others` are the peers in no part, and braces, commas, quotes, backslashes and \
                    `=` end names; rename the group";
        return Err(refused(span, message, help));
    }
    if let Some((name, _, span)) = parts.iter().find(|(_, seats, _)| seats.is_empty()) {
        let help = "leave it out, or name other peers";
        return Err(refused(span, format!("there are no peers in `{name}`"), help));
    }
    if parts.len() > PARTS_MAX {
        let message = format!("{} parts are measured by themselves", parts.len());
        let help = format!("at most {PARTS_MAX} are; name fewer");
        return Err(refused(&measure.groups_span, message, &help));
    }
    let named = parts.iter().map(|(name, seats, _)| (name.clone(), seats.clone()));
    Split::new(named, scenario.peers).map(Some).map_err(|(seat, one, two)| {
        let message = format!("peer {seat} is in `{}` and in `{}`", parts[one].0, parts[two].0);
        refused(parts[two].2, message, "each peer is measured in one part; name others")
    })
}
