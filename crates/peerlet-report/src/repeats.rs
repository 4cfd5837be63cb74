//! The summary of several runs of one scenario with different seeds.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use peerlet_measure::{RepeatRow, Repeats};
use peerlet_run::{PropertyReport, PropertyVerdict, Transport, Verdict};
use serde::Serialize;

use crate::json::json_line;
use crate::summary::look;

/// One of the runs.
#[derive(Serialize)]
pub struct Repeat {
    /// Its seed.
    pub seed: u64,
    /// Its digest, in hexadecimal.
    pub digest: String,
    /// How its expectations ended.
    pub verdicts: Vec<Verdict>,
    /// How its properties ended.
    pub properties: Vec<PropertyReport>,
}

impl Repeat {
    /// Whether it kept all that each run has to keep by itself.
    fn held(&self) -> bool {
        let is_kept = |report: &PropertyReport| report.verdict != PropertyVerdict::Failed;
        self.verdicts.iter().all(|verdict| verdict.held) && self.properties.iter().all(is_kept)
    }
}

/// Whether all runs are fine: each by itself, and those properties that are to hold in some of them
/// held in one at least.
pub fn held(runs: &[Repeat]) -> bool {
    runs.iter().all(Repeat::held) && never(runs).all(|report| report.held)
}

/// The properties that are to hold sometimes, and held in none of the runs.
fn never(runs: &[Repeat]) -> impl Iterator<Item = &PropertyReport> {
    let first = runs.first().map(|run| run.properties.as_slice()).unwrap_or_default();
    let is_never = |report: &PropertyReport| report.verdict == PropertyVerdict::Never;
    first
        .iter()
        .enumerate()
        .filter(move |(i, _)| runs.iter().all(|run| run.properties.get(*i).is_some_and(is_never)))
        .map(|(_, report)| report)
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
    /// Only where there are some: properties that are to hold sometimes, and did in no run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    never: Vec<&'a str>,
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
        never: never(runs).map(|report| report.name.as_str()).collect(),
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
    for report in never(runs) {
        let word = if report.held { "never" } else { "FAILED" };
        let (name, count) = (&report.name, runs.len());
        out += &format!("{word:<6} {} {name}: it held in none of {count} runs\n", report.kind);
    }
    for Repeat { seed, verdicts, properties, .. } in runs {
        let broken = |report: &&PropertyReport| report.verdict == PropertyVerdict::Failed;
        for report in properties.iter().filter(broken) {
            out += &format!("seed {seed}: {report}\n");
            let look = look(report);
            out.extend(again(*seed).map(|again| format!("again, up to there: {again}{look}\n")));
        }
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
