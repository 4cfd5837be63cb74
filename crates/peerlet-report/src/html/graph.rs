//! Overlays over time, from `links.jsonl`.

use std::collections::BTreeMap;

use crate::html::data::{Frame, GraphData};
use crate::run_folder::{LinkChanges, LinkState};

/// The most instants of an overlay that a report shows; between them others are left out.
const FRAMES_MAX: usize = 300;

/// The most numbers about links in a report: some 30 MB of text.
const NUMBERS_MAX: usize = 6_000_000;

/// The overlays in a text of changes.
///
/// # Errors
/// The number of a line that is wrong, and why.
pub(super) fn graphs(text: &str, seats: u32) -> Result<Vec<GraphData>, (usize, String)> {
    let mut lines: BTreeMap<String, Vec<LinkChanges>> = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let changes: LinkChanges = serde_json::from_str(line)
            .map_err(|error| (number + 1, format!("it is no line of links: {error}")))?;
        check(&changes, seats).map_err(|why| (number + 1, why))?;
        lines.entry(changes.peerlet.clone()).or_default().push(changes);
    }
    Ok(lines.into_iter().map(|(name, changes)| graph(name, changes, seats)).collect())
}

/// Whether all seats and kinds of a line are there.
fn check(changes: &LinkChanges, seats: u32) -> Result<(), String> {
    let links = changes.added.iter().chain(&changes.removed);
    let of_links = links.clone().flat_map(|(from, to, _)| [*from, *to]);
    let of_peers = changes.joined.iter().chain(&changes.left).copied();
    let of_positions = changes.positions.iter().map(|(seat, _)| *seat);
    match of_links.chain(of_peers).chain(of_positions).find(|seat| *seat >= seats) {
        Some(seat) => return Err(format!("there is no seat {seat}")),
        None if changes.kinds.len() > usize::from(u8::MAX) => {}
        None => match links.clone().find(|link| usize::from(link.2) >= changes.kinds.len()) {
            Some((.., kind)) => return Err(format!("there is no kind {kind} of links")),
            None => return Ok(()),
        },
    }
    Err("it has too many kinds of links".to_owned())
}

impl LinkState {
    /// The changes from this one to another.
    fn frame(&self, to: &LinkState, time: u64) -> Frame {
        let flat = |links: Vec<&(u32, u32, u8)>| {
            links.into_iter().flat_map(|(from, to, kind)| [*from, *to, u32::from(*kind)]).collect()
        };
        let moved = to.positions.iter().filter(|(seat, at)| self.positions.get(seat) != Some(at));
        Frame {
            time: time as f64 / 1e9,
            joined: to.nodes.difference(&self.nodes).copied().collect(),
            left: self.nodes.difference(&to.nodes).copied().collect(),
            added: flat(to.links.difference(&self.links).collect()),
            removed: flat(self.links.difference(&to.links).collect()),
            positions: moved.flat_map(|(seat, at)| [f64::from(*seat), *at]).collect(),
        }
    }
}

/// One overlay, with as many of its instants as fit.
fn graph(name: String, changes: Vec<LinkChanges>, seats: u32) -> GraphData {
    let kinds = changes.last().map(|last| last.kinds.clone()).unwrap_or_default();
    let kinds = if kinds.is_empty() { vec!["link".to_owned()] } else { kinds };
    let numbers: usize = changes.iter().map(|one| 3 * (one.added.len() + one.removed.len())).sum();
    let most = match numbers {
        0..=NUMBERS_MAX => FRAMES_MAX,
        // As if every frame had all the changes since the one before.
        _ => (changes.len() * NUMBERS_MAX / numbers).clamp(2, FRAMES_MAX),
    };
    let step = changes.len().div_ceil(most).max(1);
    let (mut shown, mut state, mut frames) =
        (LinkState::default(), LinkState::default(), Vec::new());
    let last = changes.len().saturating_sub(1);
    for (index, one) in changes.iter().enumerate() {
        state.apply(one);
        if index % step == 0 || index == last {
            frames.push(shown.frame(&state, one.time));
            shown = state.clone();
        }
    }
    GraphData { name, seats, kinds, directed: true, frames, ..GraphData::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_the_changes_between_the_instants_that_are_shown() {
        let line = |time: usize| {
            let seat = time % 5;
            let (next, nanos) = ((time + 1) % 5, time as u64 * 1_000_000_000);
            let first = if time == 0 { "\"joined\":[0,1,2,3,4]," } else { "" };
            let gone = match time {
                0 => String::new(),
                _ => format!("\"removed\":[[{},{},0]],", (time - 1) % 5, seat),
            };
            format!(
                "{{\"time\":{nanos},\"peerlet\":\"ring\",\"kinds\":[\"next\"],{first}{gone}\
                 \"added\":[[{seat},{next},0]]}}\n"
            )
        };
        let text: String = (0..1_000).map(line).collect();
        let graph = &graphs(&text, 5).expect("it is right")[0];
        assert_eq!((graph.frames.len(), graph.frames[0].joined.len()), (251, 5));
        assert_eq!((graph.frames[1].time, &*graph.frames[1].added), (4.0, &[4, 0, 0][..]));
        assert_eq!(graph.frames[1].removed, [0, 1, 0]);
        assert_eq!(graph.frames[250].time, 999.0);
    }

    #[test]
    fn wrong_lines_are_refused_with_their_number() {
        let check = |line: &str, expected: &str| {
            let text = format!("{{\"time\":1,\"peerlet\":\"a\",\"kinds\":[\"k\"]}}\n{line}\n");
            let (number, why) = graphs(&text, 3).expect_err("it is wrong");
            assert!(number == 2 && why.contains(expected), "{why}");
        };
        check("{\"time\":1,\"peerlet\":\"a\",\"kinds\":[\"k\"],\"joined\":[3]}", "no seat 3");
        check("{\"time\":1,\"peerlet\":\"a\",\"kinds\":[],\"added\":[[0,1,0]]}", "no kind 0");
        check("{\"time\":1,\"peerlet\":\"a\",", "no line of links");
    }
}
