//! What a scenario does to its peers and its network, for the axes of time; and who is in which
//! group.

use peerlet_core::Seat;
use peerlet_scenario::{Scenario, Source};

use crate::html::data::Mark;

/// The most marks of a report: more would hide the plots.
const MARKS_MAX: usize = 200;

/// The longest text of a mark.
const TEXT_MAX: usize = 120;

/// What a report needs of a scenario.
#[derive(Default)]
pub(super) struct Staging {
    /// Its events.
    pub(super) marks: Vec<Mark>,
    /// The group of each seat; empty where there are none.
    pub(super) groups: Vec<String>,
}

impl Staging {
    /// That of a scenario as it was run; nothing where this version cannot read it.
    pub(super) fn of(source: Source) -> Staging {
        let Ok(scenario) = Scenario::parse(source, &[]) else { return Staging::default() };
        let mut marks: Vec<Mark> = Vec::new();
        for event in &scenario.events {
            let time = event.at.as_secs_f64();
            let call = scenario.sources.text(&event.span);
            let call = call.trim().trim_matches(['"', '\'']);
            let text: String =
                format!("{} {call}", seats(&event.seats)).chars().take(TEXT_MAX).collect();
            if marks.last().is_none_or(|last| last.time != time || last.text != text) {
                marks.push(Mark { time, text });
            }
        }
        marks.truncate(MARKS_MAX);
        let groups = match scenario.groups.is_empty() {
            true => Vec::new(),
            false => (0..scenario.peers)
                .map(|seat| scenario.group_of(Seat(seat)).map_or("", |group| &group.name))
                .map(str::to_owned)
                .collect(),
        };
        Staging { marks, groups }
    }
}

/// Seats in a few words.
fn seats(set: &peerlet_core::runtime::SeatSet) -> String {
    let ranges: Vec<String> = set
        .ranges()
        .map(|range| match range.start() == range.end() {
            true => range.start().to_string(),
            false => format!("{}-{}", range.start(), range.end()),
        })
        .collect();
    match ranges.len() {
        0..=3 => ranges.join(" "),
        _ => format!("{} peers", set.len()),
    }
}
