//! The summary of one run, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write;

use peerlet_core::Duration;
use peerlet_live::{Carried, LATENESS_MAX};
use peerlet_measure::{DropCause, Flow, Summary};
use peerlet_network::Cause;
use serde::Serialize;

use crate::arguments::Transport;
use crate::output::expectations::Verdict;
use crate::output::memory::peak_rss_bytes;
use crate::output::results::Results;

/// `summary.json`, schema 1.
#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    world: &'static str,
    /// Where messages went over one, on real sockets or simulated.
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    scenario: &'a str,
    seed: u64,
    peers: u32,
    threads: u32,
    virtual_seconds: f64,
    wall_seconds: f64,
    events: u64,
    events_per_second: f64,
    peak_rss_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_digest: &'a Option<String>,
    messages: Messages,
    late_answers: u64,
    idle_directives: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sockets_dropped: Option<BTreeMap<&'static str, u64>>,
    /// The share of seat-seconds that reported; at seat 0's process of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    processes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packets: Option<PacketAccount>,
    /// Only where it is true: the emulation was too late, and all of this means nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    void: bool,
    /// Only where it is true: this is one process's share of several.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    share: bool,
    /// Only where it is true: the run ended before its time, and all of this is partial.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    interrupted: bool,
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

/// What became of packets where a model stood between the sockets; and of an emulation how late
/// they were, in microseconds.
#[derive(Serialize)]
struct PacketAccount {
    sent: u64,
    duplicated: u64,
    damaged: u64,
    carried: u64,
    waiting: u64,
    dropped: BTreeMap<&'static str, u64>,
    late_p50_us: Option<f64>,
    late_p99_us: Option<f64>,
    late_max_us: f64,
    read_p50_us: Option<f64>,
    read_p99_us: Option<f64>,
    read_max_us: f64,
    /// Datagrams among those in flight of which nobody knows.
    unaccounted: u64,
}

impl PacketAccount {
    fn of(carried: &Carried) -> PacketAccount {
        let Carried { packets, lateness, read, unaccounted } = carried;
        let micros = |late: Duration| late.as_secs_f64() * 1e6;
        PacketAccount {
            sent: packets.sent,
            duplicated: packets.duplicated,
            damaged: packets.damaged,
            carried: packets.carried,
            waiting: packets.waiting,
            dropped: Cause::ALL.map(|cause| (cause.name(), packets.dropped(cause))).into(),
            late_p50_us: lateness.quantile(0.5).map(micros),
            late_p99_us: lateness.quantile(0.99).map(micros),
            late_max_us: micros(lateness.max()),
            read_p50_us: read.quantile(0.5).map(micros),
            read_p99_us: read.quantile(0.99).map(micros),
            read_max_us: micros(read.max()),
            unaccounted: *unaccounted,
        }
    }
}

/// An account of messages. What a live run cannot account for is not in flight but unaccounted.
#[derive(Serialize)]
struct Account {
    sent: u64,
    duplicated: u64,
    delivered: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_flight: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unaccounted: Option<u64>,
    bytes: u64,
    dropped: BTreeMap<&'static str, u64>,
}

impl Account {
    fn of(flow: &Flow, run: &Results) -> Account {
        let dropped = DropCause::ALL.iter().map(|cause| (cause.name(), flow.dropped(*cause)));
        let knows_all = run.world != "live";
        Account {
            sent: flow.sent,
            duplicated: flow.duplicated,
            delivered: flow.delivered,
            in_flight: knows_all.then_some(flow.in_flight),
            unaccounted: (!knows_all && !run.is_share).then_some(flow.in_flight),
            bytes: flow.bytes,
            dropped: dropped.collect(),
        }
    }
}

/// The summary as one JSON object, a line.
pub(crate) fn json(run: &Results, verdicts: &[Verdict]) -> String {
    let (scenario, ledger) = (&run.plan.scenario, &run.ledger);
    let account = |flow: &Flow| Account::of(flow, run);
    let json = Json {
        schema: 1,
        world: run.world,
        transport: run.transport.map(Transport::name),
        scenario: &scenario.title,
        seed: scenario.seed,
        peers: scenario.peers,
        threads: run.threads,
        virtual_seconds: run.end.as_secs_f64(),
        wall_seconds: run.wall_seconds,
        events: run.events,
        events_per_second: run.events as f64 / run.wall_seconds,
        peak_rss_bytes: peak_rss_bytes(),
        digest: &run.digest,
        payload_digest: &run.payload_digest,
        messages: Messages {
            total: account(&ledger.total()),
            datagram: account(&ledger.datagram),
            reliable: account(&ledger.reliable),
        },
        late_answers: run.late_answers,
        idle_directives: run.idle_directives,
        sockets_dropped: run
            .counters
            .as_ref()
            .map(|counters| counters.iter().map(|(cause, count)| (cause.name(), count)).collect()),
        coverage: run.whole.as_ref().map(|whole| whole.coverage),
        processes: run.whole.as_ref().map(|whole| whole.processes),
        packets: run.carried.as_ref().map(PacketAccount::of),
        void: run.is_void(),
        share: run.is_share,
        interrupted: run.is_interrupted,
        measures: &run.summary(),
        properties: [],
        expectations: verdicts,
    };
    let mut text = serde_json::to_string(&json).expect("a summary is plain values");
    text.push('\n');
    text
}

/// The summary as a table.
pub(crate) fn table(run: &Results, verdicts: &[Verdict], quiet: bool) -> String {
    let mut out = String::new();
    write_table(&mut out, run, verdicts, quiet).expect("a text takes all");
    out
}

fn write_table(
    out: &mut String,
    run: &Results,
    verdicts: &[Verdict],
    quiet: bool,
) -> std::fmt::Result {
    if !quiet {
        write_head(out, run)?;
    }
    writeln!(out, "{}", run.summary())?;
    for verdict in verdicts {
        writeln!(out, "{verdict}")?;
    }
    if run.is_interrupted {
        let (end, planned) = (run.end, run.plan.scenario.duration);
        writeln!(
            out,
            "interrupted at {end} of {planned}: the rest was not reached, expectations were \
             not judged"
        )?;
    }
    if run.is_void() {
        writeln!(
            out,
            "void: of the packets, one in a hundred was more than {LATENESS_MAX} late, so this \
             tells more of the machine than of the network; take a machine with less to do, fewer \
             peers, or fewer messages"
        )?;
    }
    if let Some(digest) = &run.payload_digest {
        writeln!(out, "payload digest {digest}")?;
    }
    if let Some(digest) = &run.digest {
        writeln!(out, "digest {digest}")?;
    }
    if verdicts.iter().any(|verdict| !verdict.held) {
        let again: Vec<_> = std::env::args().map(quoted).collect();
        write!(out, "again: {}", again.join(" "))?;
        if run.is_seeded {
            write!(out, " (seed {})", run.plan.scenario.seed)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_head(out: &mut String, run: &Results) -> std::fmt::Result {
    let scenario = &run.plan.scenario;
    let rate = run.events as f64 / run.wall_seconds;
    let time = match run.world {
        "sim" => match run.transport {
            None => "of virtual time",
            Some(Transport::Quic) => "of virtual time over quic",
            Some(Transport::Udp) => "of virtual time over udp",
        },
        "emulate" => "on real sockets, the network emulated",
        _ => "on real sockets",
    };
    let (title, peers, end, seed) = (&scenario.title, scenario.peers, run.end, scenario.seed);
    write!(out, "{title}: {peers} peers, {:.3} s {time}, ", end.as_secs_f64())?;
    match run.is_seeded {
        true => writeln!(out, "seed {seed}")?,
        false => writeln!(out, "seeded by the system")?,
    }
    if run.is_share {
        writeln!(out, "this process's share; seat 0's process prints the whole network's table")?;
    }
    let threads = match (run.world, run.threads) {
        ("sim", threads @ 2..) => format!(" on {threads} threads"),
        _ => String::new(),
    };
    writeln!(
        out,
        "{} events in {:.2} s ({}/s){threads}, {} MiB",
        grouped(run.events),
        run.wall_seconds,
        grouped(rate as u64),
        peak_rss_bytes() >> 20
    )?;
    for (name, flow) in [("datagrams", &run.ledger.datagram), ("reliable", &run.ledger.reliable)] {
        if flow.sent > 0 {
            writeln!(out, "{}", account(name, flow, run))?;
        }
    }
    if let Some(carried) = &run.carried {
        writeln!(out, "{}", packets(carried, run.world == "emulate"))?;
    }
    if let Some(whole) = &run.whole {
        writeln!(
            out,
            "the whole network: {} processes reported to the end, {:.1} % of seat-seconds covered",
            whole.processes,
            whole.coverage * 100.0
        )?;
    }
    for (cause, count) in run.counters.iter().flat_map(|counters| counters.iter()) {
        if count > 0 {
            writeln!(out, "sockets dropped: {} {}", grouped(count), cause.name())?;
        }
    }
    writeln!(out)
}

fn account(name: &str, flow: &Flow, run: &Results) -> String {
    let dropped = dropped(DropCause::ALL.map(|cause| (cause.name(), flow.dropped(cause))));
    let rest = match (run.world, run.is_share) {
        ("sim" | "emulate", _) => format!(" {} in flight,", grouped(flow.in_flight)),
        (_, false) => format!(" {} unaccounted,", grouped(flow.in_flight)),
        (_, true) => String::new(),
    };
    let twice = match flow.duplicated {
        0 => String::new(),
        count => format!(" {} duplicated,", grouped(count)),
    };
    format!(
        "{name}: {} sent ({} bytes),{twice} {} delivered,{rest} dropped: {dropped}",
        grouped(flow.sent),
        grouped(flow.bytes),
        grouped(flow.delivered),
    )
}

/// What became of packets, and in an emulation how late they were.
fn packets(carried: &Carried, is_emulated: bool) -> String {
    let Carried { packets, lateness, read, unaccounted } = carried;
    let (sent, took) = (grouped(packets.sent), grouped(packets.carried));
    let dropped = dropped(Cause::ALL.map(|cause| (cause.name(), packets.dropped(cause))));
    let mut line = format!("packets: {sent} sent, {took} carried, dropped: {dropped}");
    if is_emulated {
        line += &format!("; late: {lateness}; read late: {read}");
    }
    if *unaccounted > 0 {
        line += &format!("; {} datagrams in flight are unaccounted", grouped(*unaccounted));
    }
    line
}

/// What was dropped, by cause.
fn dropped(counts: impl IntoIterator<Item = (&'static str, u64)>) -> String {
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    let causes: Vec<_> =
        counts.map(|(cause, count)| format!("{} {cause}", grouped(count))).collect();
    if causes.is_empty() { "none".to_owned() } else { causes.join(", ") }
}

/// An argument as a shell takes it.
fn quoted(argument: String) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    match argument.chars().all(plain) && !argument.is_empty() {
        true => argument,
        false => format!("'{}'", argument.replace('\'', "'\\''")),
    }
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
