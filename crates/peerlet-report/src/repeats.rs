//! The summary of several runs of one scenario with different seeds.

use std::collections::BTreeMap;

use peerlet_measure::{RepeatRow, Repeats};
use peerlet_run::{PropertyReport, PropertyVerdict, Results, Transport, Verdict};
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
    /// Why it ended before its time, where a verdict on a property stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Why its expectations were not judged, where they were not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_judged: Option<String>,
}

impl Repeat {
    /// The summary of a run that ended.
    pub fn of(seed: u64, run: Results) -> Repeat {
        let is_asked = !run.plan.scenario.expect.is_empty();
        let not_judged = run.not_judged().filter(|_| is_asked).map(str::to_owned);
        let (verdicts, digest) = (run.verdicts(), run.digest.clone().unwrap_or_default());
        let Results { properties, stopped, .. } = run;
        Repeat { seed, digest, verdicts, properties, stopped, not_judged }
    }

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
    /// Only when it was interrupted: the seeds that were not run to the end.
    #[serde(skip_serializing_if = "<[u64]>::is_empty")]
    not_reached: &'a [u64],
    /// Only where it is true.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    interrupted: bool,
    /// Only where there are some: properties that are to hold sometimes, and did in no run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    never: Vec<&'a str>,
    runs: &'a [Repeat],
    measures: BTreeMap<&'a str, RepeatRow>,
}

/// All runs as one JSON object, a line. `not_reached` are the seeds that an interrupted command did
/// not come to, or not to the end of.
pub fn json(
    all: &Repeats,
    runs: &[Repeat],
    transport: Option<Transport>,
    not_reached: &[u64],
) -> String {
    let json = Json {
        schema: 1,
        world: "sim",
        transport: transport.map(Transport::name),
        not_reached,
        interrupted: !not_reached.is_empty(),
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
    not_reached: &[u64],
    again: impl Fn(u64, &str) -> Option<String>,
) -> String {
    let over = transport.map(|over| format!(" over {}", over.name())).unwrap_or_default();
    let mut out = format!("{} runs{over}, mean and 95 % interval\n\n{all}\n", runs.len());
    write_properties(&mut out, runs, &again);
    write_stopped(&mut out, runs);
    for Repeat { seed, verdicts, .. } in runs {
        let mut failed = verdicts.iter().filter(|verdict| !verdict.held).peekable();
        let has_failed = failed.peek().is_some();
        failed.for_each(|verdict| out += &format!("seed {seed}: {verdict}\n"));
        if has_failed {
            out.extend(again(*seed, "").map(|again| format!("again: {again}\n")));
        }
    }
    out += &match not_reached {
        [] => String::new(),
        [seed] => format!("interrupted: seed {seed} was not run to its end\n"),
        seeds => format!("interrupted: seeds {} were not run to their end\n", ranges(seeds)),
    };
    out
}

/// Ascending numbers in words: `2, 4 to 9`.
fn ranges(numbers: &[u64]) -> String {
    let follows = |one: &u64, next: &u64| one.checked_add(1) == Some(*next);
    let range = |range: &[u64]| match range {
        [one] => one.to_string(),
        [first, .., last] => format!("{first} to {last}"),
        [] => String::new(),
    };
    numbers.chunk_by(follows).map(range).collect::<Vec<_>>().join(", ")
}

/// A line for each property: in how many runs it held, failed or was not decided; and the first
/// failure of each.
fn write_properties(
    out: &mut String,
    runs: &[Repeat],
    again: &impl Fn(u64, &str) -> Option<String>,
) {
    let first = runs.first().map(|run| run.properties.as_slice()).unwrap_or_default();
    let fails: Vec<&str> =
        never(runs).filter(|report| !report.held).map(|report| report.name.as_str()).collect();
    for (i, PropertyReport { name, kind, .. }) in first.iter().enumerate() {
        let reports = || runs.iter().filter_map(|run| Some((run.seed, run.properties.get(i)?)));
        let count = |verdict| reports().filter(|(_, one)| one.verdict == verdict).count();
        let failed = count(PropertyVerdict::Failed);
        let held = count(PropertyVerdict::Held);
        let word = match failed {
            1.. => "FAILED",
            0 if fails.contains(&name.as_str()) => "FAILED",
            0 if held > 0 => "held",
            0 if count(PropertyVerdict::Never) > 0 => "never",
            0 => "open",
        };
        *out += &format!("{word:<6} {kind} {name}: held in {held} of {} runs", runs.len());
        for (verdict, what) in [
            (PropertyVerdict::Failed, "failed in"),
            (PropertyVerdict::Never, "never in"),
            (PropertyVerdict::Undecided, "open in"),
        ] {
            let count = count(verdict);
            if count > 0 {
                *out += &format!(", {what} {count}");
            }
        }
        out.push('\n');
        let broken = |(_, one): &(u64, &PropertyReport)| one.verdict == PropertyVerdict::Failed;
        if let Some((seed, report)) = reports().find(broken) {
            *out += &format!("first in seed {seed}: {report}\n");
            let again = again(seed, &look(report));
            out.extend(again.map(|again| format!("again, up to there: {again}\n")));
        }
    }
}

/// Says which runs were stopped by a verdict, and that their expectations were not judged.
fn write_stopped(out: &mut String, runs: &[Repeat]) {
    let mut stopped = runs.iter().filter_map(|run| run.stopped.as_deref());
    if let Some(why) = stopped.next() {
        let count = stopped.count() + 1;
        *out += &format!("stopped: {count} of {} runs, as {why}\n", runs.len());
    }
    let mut not_judged = runs.iter().filter_map(|run| run.not_judged.as_deref());
    if let Some(why) = not_judged.next() {
        let count = not_judged.count() + 1;
        *out += &format!("expectations not judged in {count} of {} runs: {why}\n", runs.len());
    }
}
