//! The summary of one run, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write;

use peerlet_measure::{DropCause, Flow, Summary};
use serde::Serialize;

use crate::output::expectations::Verdict;
use crate::output::memory::peak_rss_bytes;
use crate::world::sim::Run;

/// `summary.json`, schema 1.
#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    world: &'static str,
    scenario: &'a str,
    seed: u64,
    peers: u32,
    threads: u32,
    virtual_seconds: f64,
    wall_seconds: f64,
    events: u64,
    events_per_second: f64,
    peak_rss_bytes: u64,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_digest: Option<String>,
    messages: Messages,
    late_answers: u64,
    idle_directives: u64,
    measures: &'a Summary,
    /// Properties are not built yet; expectations stand beside them.
    properties: [(); 0],
    expectations: &'a [Verdict],
}

#[derive(Serialize)]
struct Messages {
    #[serde(flatten)]
    total: Account,
    datagram: Account,
    reliable: Account,
}

#[derive(Serialize)]
struct Account {
    sent: u64,
    duplicated: u64,
    delivered: u64,
    in_flight: u64,
    bytes: u64,
    dropped: BTreeMap<&'static str, u64>,
}

impl From<&Flow> for Account {
    fn from(flow: &Flow) -> Account {
        let Flow { sent, duplicated, delivered, in_flight, bytes, .. } = *flow;
        let dropped = DropCause::ALL.iter().map(|cause| (cause.name(), flow.dropped(*cause)));
        Account { sent, duplicated, delivered, in_flight, bytes, dropped: dropped.collect() }
    }
}

/// The summary as one JSON object, a line.
pub(crate) fn json(run: &Run, verdicts: &[Verdict]) -> String {
    let (scenario, outcome) = (&run.plan.scenario, &run.outcome);
    let ledger = &outcome.ledger;
    let json = Json {
        schema: 1,
        world: "sim",
        scenario: &scenario.title,
        seed: scenario.seed,
        peers: scenario.peers,
        threads: 1,
        virtual_seconds: outcome.end.as_secs_f64(),
        wall_seconds: run.wall_seconds,
        events: outcome.events,
        events_per_second: outcome.events as f64 / run.wall_seconds,
        peak_rss_bytes: peak_rss_bytes(),
        digest: outcome.digest.to_string(),
        payload_digest: outcome.payload_digest.map(|digest| digest.to_string()),
        messages: Messages {
            total: (&ledger.total()).into(),
            datagram: (&ledger.datagram).into(),
            reliable: (&ledger.reliable).into(),
        },
        late_answers: outcome.late_answers,
        idle_directives: outcome.idle_directives,
        measures: &Summary::of(&outcome.measures),
        properties: [],
        expectations: verdicts,
    };
    let mut text = serde_json::to_string(&json).expect("a summary is plain values");
    text.push('\n');
    text
}

/// The summary as a table.
pub(crate) fn table(run: &Run, verdicts: &[Verdict], quiet: bool) -> String {
    let (scenario, outcome) = (&run.plan.scenario, &run.outcome);
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| {
        out.write_fmt(text).and_then(|()| out.write_char('\n')).expect("a text takes all");
    };
    if !quiet {
        let rate = outcome.events as f64 / run.wall_seconds;
        line(format_args!(
            "{}: {} peers, {} of virtual time, seed {}",
            scenario.title, scenario.peers, outcome.end, scenario.seed
        ));
        line(format_args!(
            "{} events in {:.2} s ({}/s), {} MiB",
            grouped(outcome.events),
            run.wall_seconds,
            grouped(rate as u64),
            peak_rss_bytes() >> 20
        ));
        for (name, flow) in
            [("datagrams", &outcome.ledger.datagram), ("reliable", &outcome.ledger.reliable)]
        {
            if flow.sent > 0 {
                line(format_args!("{}", account(name, flow)));
            }
        }
        line(format_args!(""));
    }
    line(format_args!("{}", Summary::of(&outcome.measures)));
    for verdict in verdicts {
        line(format_args!("{verdict}"));
    }
    if let Some(digest) = outcome.payload_digest {
        line(format_args!("payload digest {digest}"));
    }
    line(format_args!("digest {}", outcome.digest));
    if verdicts.iter().any(|verdict| !verdict.held) {
        let again: Vec<_> = std::env::args().collect();
        line(format_args!("again: {} (seed {})", again.join(" "), scenario.seed));
    }
    out
}

fn account(name: &str, flow: &Flow) -> String {
    let causes = DropCause::ALL.iter().filter(|cause| flow.dropped(**cause) > 0);
    let causes: Vec<_> =
        causes.map(|cause| format!("{} {}", grouped(flow.dropped(*cause)), cause.name())).collect();
    let dropped = if causes.is_empty() { "none".to_owned() } else { causes.join(", ") };
    format!(
        "{name}: {} sent ({} bytes), {} delivered, {} in flight, dropped: {dropped}",
        grouped(flow.sent),
        grouped(flow.bytes),
        grouped(flow.delivered),
        grouped(flow.in_flight)
    )
}

/// A number with its digits in groups of three.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_in_threes() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
