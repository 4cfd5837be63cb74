//! `links.jsonl`: who had links to whom, as observers saw it; each line the changes since the last.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use peerlet_core::Seat;
use peerlet_run::{Observation, ObservedLink};
use serde::{Deserialize, Serialize};

/// The name of the file in a run folder.
pub const LINKS: &str = "links.jsonl";

/// What changed among the links of one peerlet since the observation before; at first, since there
/// was nothing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LinkChanges {
    /// When, in nanoseconds from time zero.
    pub time: u64,
    /// The peerlet.
    pub peerlet: String,
    /// The kinds of links that are known by now, by their indices.
    pub kinds: Vec<String>,
    /// The seats whose peers run with such a peerlet, and did not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<u32>,
    /// The seats whose peers do so no longer. Their links are among those that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<u32>,
    /// New links: from which seat, to which, and the index of the kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<(u32, u32, u8)>,
    /// Links that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<(u32, u32, u8)>,
    /// Positions on a ring that are new or have changed, from 0 to 1: a seat, and its position to a
    /// millionth.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positions: Vec<(u32, f64)>,
}

/// The links of one peerlet at an instant, put together from changes.
#[derive(Clone, Default, Debug)]
pub struct LinkState {
    /// The seats whose peers run with such a peerlet.
    pub nodes: BTreeSet<u32>,
    /// The links: from whom, to whom, and the index of the kind.
    pub links: BTreeSet<(u32, u32, u8)>,
    /// The last positions on a ring that are known.
    pub positions: BTreeMap<u32, f64>,
}

impl LinkState {
    /// Goes on to the instant of these changes.
    pub fn apply(&mut self, changes: &LinkChanges) {
        for seat in &changes.left {
            self.nodes.remove(seat);
        }
        self.nodes.extend(&changes.joined);
        for link in &changes.removed {
            self.links.remove(link);
        }
        self.links.extend(&changes.added);
        self.positions.extend(changes.positions.iter().copied());
    }
}

/// Writes observations as changes.
pub struct LinkWriter<W: Write> {
    out: W,
    last: BTreeMap<&'static str, Last>,
}

/// What was written of one peerlet.
#[derive(Default)]
struct Last {
    nodes: Vec<Seat>,
    links: Vec<ObservedLink>,
    positions: BTreeMap<u32, f64>,
}

impl<W: Write> LinkWriter<W> {
    /// Writes into this.
    pub fn new(out: W) -> LinkWriter<W> {
        LinkWriter { out, last: BTreeMap::new() }
    }

    /// Writes an observation, one line.
    ///
    /// # Errors
    /// Gives on what the writer says.
    pub fn write(&mut self, observation: &Observation) -> io::Result<()> {
        let changes = self.last.entry(observation.peerlet).or_default().changes(observation);
        serde_json::to_writer(&mut self.out, &changes)?;
        self.out.write_all(b"\n")
    }

    /// Ends it.
    ///
    /// # Errors
    /// Gives on what the writer says.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Last {
    fn changes(&mut self, now: &Observation) -> LinkChanges {
        let seats = |seats: Vec<Seat>| seats.into_iter().map(|seat| seat.0).collect();
        let links = |links: Vec<ObservedLink>| {
            links.into_iter().map(|(from, to, kind)| (from.0, to.0, kind)).collect()
        };
        let (left, joined) = differences(&self.nodes, &now.nodes);
        let (removed, added) = differences(&self.links, &now.links);
        let rounded = now.positions.iter().map(|(seat, at)| (seat.0, (at * 1e6).round() / 1e6));
        let is_new = |(seat, at): &(u32, f64)| self.positions.insert(*seat, *at) != Some(*at);
        let positions = rounded.filter(is_new).collect();
        self.nodes.clone_from(&now.nodes);
        self.links.clone_from(&now.links);
        LinkChanges {
            time: now.time.as_nanos(),
            peerlet: now.peerlet.to_owned(),
            kinds: now.kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            joined: seats(joined),
            left: seats(left),
            added: links(added),
            removed: links(removed),
            positions,
        }
    }
}

/// The items that are in the first of two ascending lists alone, and in the second alone.
fn differences<T: Ord + Copy>(before: &[T], after: &[T]) -> (Vec<T>, Vec<T>) {
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
    loop {
        match (before.peek(), after.peek()) {
            (Some(one), Some(two)) if one == two => {
                before.next();
                after.next();
            }
            (Some(one), two) if two.is_none_or(|two| one < two) => {
                gone.extend(before.next().copied());
            }
            (_, Some(_)) => new.extend(after.next().copied()),
            (_, None) => return (gone, new),
        }
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::Time;

    use super::*;

    fn observation(time: u64, nodes: &[u32], links: &[(u32, u32, u8)]) -> Observation {
        Observation {
            peerlet: "ring",
            time: Time::from_nanos(time),
            nodes: nodes.iter().copied().map(Seat).collect(),
            positions: nodes.iter().map(|node| (Seat(*node), f64::from(*node) / 3.0)).collect(),
            kinds: vec!["near"],
            links: links.iter().map(|(from, to, kind)| (Seat(*from), Seat(*to), *kind)).collect(),
            dangling: 0,
        }
    }

    #[test]
    fn lines_are_changes() {
        let mut out = Vec::new();
        let mut writer = LinkWriter::new(&mut out);
        for observation in [
            observation(5, &[0, 1], &[(0, 1, 0), (1, 0, 0)]),
            observation(6, &[0, 2], &[(0, 2, 0), (2, 0, 0)]),
            observation(7, &[0, 2], &[(0, 2, 0), (2, 0, 0)]),
        ] {
            writer.write(&observation).expect("a list takes all");
        }
        writer.finish().expect("a list takes all");
        // Broken after each comma between fields.
        expect_test::expect![[r#"
            {"time":5,
            "peerlet":"ring",
            "kinds":["near"],
            "joined":[0,1],
            "added":[[0,1,0],[1,0,0]],
            "positions":[[0,0.0],[1,0.333333]]}
            {"time":6,
            "peerlet":"ring",
            "kinds":["near"],
            "joined":[2],
            "left":[1],
            "added":[[0,2,0],[2,0,0]],
            "removed":[[0,1,0],[1,0,0]],
            "positions":[[2,0.666667]]}
            {"time":7,
            "peerlet":"ring",
            "kinds":["near"]}
        "#]]
        .assert_eq(&String::from_utf8(out).expect("it is a text").replace(",\"", ",\n\""));
    }
}
