//! The summary of several runs of one scenario with different seeds.

use std::collections::BTreeMap;

use peerlet_measure::{RepeatRow, Repeats};
use serde::Serialize;

use crate::output::expectations::Verdict;

/// One of the runs.
#[derive(Serialize)]
pub(crate) struct Repeat {
    pub(crate) seed: u64,
    pub(crate) digest: String,
    pub(crate) verdicts: Vec<Verdict>,
}

#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    world: &'static str,
    runs: &'a [Repeat],
    measures: BTreeMap<&'a str, RepeatRow>,
}

/// All runs as one JSON object, a line.
pub(crate) fn json(all: &Repeats, runs: &[Repeat]) -> String {
    let json = Json { schema: 1, world: "sim", runs, measures: all.rows() };
    let mut text = serde_json::to_string(&json).expect("a summary is plain values");
    text.push('\n');
    text
}

/// All runs as a table: means with 95 % intervals, and what was not kept.
pub(crate) fn table(all: &Repeats, runs: &[Repeat]) -> String {
    let mut out = format!("{} runs, mean and 95 % interval\n\n{all}\n", runs.len());
    for Repeat { seed, verdicts, .. } in runs {
        for verdict in verdicts.iter().filter(|verdict| !verdict.held) {
            out += &format!("seed {seed}: {verdict}\n");
        }
    }
    out
}
