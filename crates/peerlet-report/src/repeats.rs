//! The summary of several runs of one scenario with different seeds.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use peerlet_measure::{RepeatRow, Repeats};
use peerlet_run::{Transport, Verdict};
use serde::Serialize;

use crate::json::json_line;

/// One of the runs.
#[derive(Serialize)]
pub struct Repeat {
    /// Its seed.
    pub seed: u64,
    /// Its digest, in hexadecimal.
    pub digest: String,
    /// How its expectations ended.
    pub verdicts: Vec<Verdict>,
}

#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    world: &'static str,
    /// Where one is simulated.
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    /// Only when it was interrupted: the first and the last seed that were not run to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_reached: Option<[u64; 2]>,
    /// Only where it is true.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    interrupted: bool,
    runs: &'a [Repeat],
    measures: BTreeMap<&'a str, RepeatRow>,
}

/// The seeds that an interrupted command did not come to, or not to the end of.
pub type NotReached = Option<RangeInclusive<u64>>;

/// All runs as one JSON object, a line.
pub fn json(
    all: &Repeats,
    runs: &[Repeat],
    transport: Option<Transport>,
    not_reached: &NotReached,
) -> String {
    let json = Json {
        schema: 1,
        world: "sim",
        transport: transport.map(Transport::name),
        not_reached: not_reached.as_ref().map(|seeds| [*seeds.start(), *seeds.end()]),
        interrupted: not_reached.is_some(),
        runs,
        measures: all.rows(),
    };
    json_line(&json)
}

/// All runs as a table: means with 95 % intervals, and what was not kept. `again` gives the command
/// that repeats the run of a seed, where there is one.
pub fn table(
    all: &Repeats,
    runs: &[Repeat],
    transport: Option<Transport>,
    not_reached: &NotReached,
    again: impl Fn(u64) -> Option<String>,
) -> String {
    let over = transport.map(|over| format!(" over {}", over.name())).unwrap_or_default();
    let mut out = format!("{} runs{over}, mean and 95 % interval\n\n{all}\n", runs.len());
    for Repeat { seed, verdicts, .. } in runs {
        let mut failed = verdicts.iter().filter(|verdict| !verdict.held).peekable();
        let has_failed = failed.peek().is_some();
        failed.for_each(|verdict| out += &format!("seed {seed}: {verdict}\n"));
        if has_failed {
            out.extend(again(*seed).map(|again| format!("again: {again}\n")));
        }
    }
    if let Some(seeds) = not_reached {
        let (first, last) = (seeds.start(), seeds.end());
        out += &match first == last {
            true => format!("interrupted: seed {first} was not run to its end\n"),
            false => format!("interrupted: seeds {first} to {last} were not run to their end\n"),
        };
    }
    out
}
