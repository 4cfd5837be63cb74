//! The summary of one run, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write;

use peerlet_core::Duration;
use peerlet_live::{Carried, Delays};
use peerlet_measure::{DropCause, Flow};
use peerlet_network::PacketDrop;
use peerlet_run::{PropertyReport, Results, Transport, Verdict, World};

use crate::digits::grouped;
use crate::json::json_line;
use crate::memory::peak_rss_bytes;
use crate::run_folder::peers::spreads;
use crate::run_folder::schema::{
    Account, Lateness, Lost, Messages, Packets, RunSummary, SCHEMA, ShownPeer, Version,
};
use crate::{drops, void};

impl Packets {
    fn of(carried: &Carried) -> Packets {
        let Carried { packets, lateness, read, warm_up, lost, unaccounted, stalled, .. } = carried;
        let micros = |late: Duration| late.as_secs_f64() * 1e6;
        Packets {
            sent: packets.sent,
            duplicated: packets.duplicated,
            damaged: packets.damaged,
            carried: packets.carried,
            waiting: packets.waiting,
            dropped: counts(PacketDrop::ALL.map(|cause| (cause.name(), packets.dropped(cause)))),
            late_p50_us: lateness.quantile(0.5).map(micros),
            late_p99_us: lateness.quantile(0.99).map(micros),
            late_max_us: micros(lateness.max()),
            stalled_us: micros(*stalled),
            read_p50_us: read.quantile(0.5).map(micros),
            read_p99_us: read.quantile(0.99).map(micros),
            read_max_us: micros(read.max()),
            warm_up_late_p99_us: warm_up.lateness.quantile(0.99).map(micros),
            warm_up_late_max_us: micros(warm_up.lateness.max()),
            warm_up_read_max_us: micros(warm_up.read.max()),
            lost: Lost { queue: lost.queue, refused: lost.refused, unread: lost.unread },
            unaccounted: *unaccounted,
        }
    }
}

impl Account {
    /// In live runs, messages of unknown fate are unaccounted, not in flight.
    fn of(flow: &Flow, run: &Results) -> Account {
        let knows_all = run.world != World::Live;
        Account {
            sent: flow.sent,
            duplicated: flow.duplicated,
            delivered: flow.delivered,
            in_flight: knows_all.then_some(flow.in_flight),
            unaccounted: (!knows_all && !run.is_share()).then_some(flow.in_flight),
            bytes: flow.bytes,
            dropped: counts(DropCause::ALL.map(|cause| (cause.name(), flow.dropped(cause)))),
        }
    }
}

/// Counts by the names of their causes.
fn counts(counts: impl IntoIterator<Item = (&'static str, u64)>) -> BTreeMap<String, u64> {
    counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

/// The summary as `summary.json` has it.
fn summary(run: &Results, verdicts: &[Verdict]) -> RunSummary {
    let (scenario, ledger) = (&run.plan.scenario, &run.ledger);
    let account = |flow: &Flow| Account::of(flow, run);
    RunSummary {
        schema: SCHEMA,
        world: run.world.name().to_owned(),
        transport: run.transport.map(|over| over.name().to_owned()),
        scenario: scenario.title.clone(),
        seed: scenario.seed,
        peers: scenario.peers,
        threads: run.threads,
        virtual_seconds: run.end.as_secs_f64(),
        measured_seconds: run.measures.measured().as_secs_f64(),
        wall_seconds: run.wall_seconds,
        events: run.events,
        events_per_second: run.events_per_second(),
        peak_rss_bytes: peak_rss_bytes(),
        version: Some(Version::of(run.plan.program, run.plan.codec)),
        digest: run.digest.clone(),
        payload_digest: run.payload_digest.clone(),
        messages: Messages {
            total: account(&ledger.total()),
            datagram: account(&ledger.datagram),
            reliable: account(&ledger.reliable),
        },
        late_answers: run.late_answers,
        idle_directives: run.idle_directives,
        sockets_dropped: run.sockets.as_ref().map(|sockets| {
            self::counts(sockets.counters.iter().map(|(cause, n)| (cause.name(), n)))
        }),
        coverage: run.whole().map(|whole| whole.coverage),
        processes: run.whole().map(|whole| whole.processes),
        delays: run.sockets.as_ref().map(|sockets| Lateness::of(&sockets.delays)),
        packets: run.carried().map(Packets::of),
        void: run.is_void(),
        void_because: void::reasons(run),
        missing: run.missing().to_vec(),
        kept_out: run.kept_out().to_vec(),
        share: run.is_share(),
        interrupted: run.is_interrupted,
        panicked: run.panicked.as_ref().map(|report| report.message.clone()),
        measures: run.summary().rows.iter().map(|(name, row)| (name.clone(), row.into())).collect(),
        spreads: spreads(run),
        properties: run.properties.clone(),
        stopped: run.stopped.clone(),
        states: run.states.iter().map(ShownPeer::from).collect(),
        expectations: verdicts.to_vec(),
        not_judged: not_judged(run).map(str::to_owned),
    }
}

/// The summary as one JSON object, a line.
pub fn json(run: &Results, verdicts: &[Verdict]) -> String {
    json_line(&summary(run, verdicts))
}

/// The summary as a table. `again` is the command that repeats the run, where there is one.
pub fn table(
    run: &Results,
    verdicts: &[Verdict],
    quiet: bool,
    again: impl Fn(&str) -> Option<String>,
) -> String {
    let mut out = String::new();
    write_table(&mut out, run, verdicts, quiet).expect("a text takes all");
    if verdicts.iter().any(|verdict| !verdict.held) {
        out.extend(again("").map(|again| format!("again: {again}\n")));
    }
    let failed = run.properties.iter().filter(|one| !one.held);
    // One that never held has no time: there is nothing to look at.
    let first = failed.filter(|one| one.failed_time.is_some()).min_by_key(|one| one.failed_time);
    if let (Some(report), World::Sim) = (first, run.world) {
        out.extend(again(&look(report)).map(|again| format!("again, up to there: {again}\n")));
    }
    out
}

/// The options with which a simulation ends where a property failed, and shows the peers that it
/// concerns.
pub(crate) fn look(report: &PropertyReport) -> String {
    let until = report.failed_time.map(|at| format!("--until {at}")).unwrap_or_default();
    let mut seats: Vec<u32> = report.peers.iter().map(|(seat, _)| *seat).collect();
    seats.sort_unstable();
    seats.dedup();
    let seats: Vec<String> = seats.iter().map(u32::to_string).collect();
    match seats.is_empty() {
        true => until,
        false => format!("{until} --show {}", seats.join(",")),
    }
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
    for report in &run.properties {
        writeln!(out, "{report}")?;
    }
    for skipped in &run.plan.skipped {
        writeln!(out, "not checked: {}: it looks at all peers at once", skipped.name)?;
    }
    for state in &run.states {
        writeln!(out, "{state}")?;
    }
    if let Some(why) = &run.stopped {
        let (end, planned) = (run.end, run.plan.scenario.duration);
        writeln!(out, "stopped at {end} of {planned}: {why}")?;
    }
    if run.is_interrupted {
        let (end, planned) = (run.end, run.plan.scenario.duration);
        // Which one, standard error says.
        let how = if run.panicked.is_some() { "ended by a panic" } else { "interrupted" };
        writeln!(
            out,
            "{how} at {end} of {planned}: the rest was not reached, expectations were not judged"
        )?;
    }
    if run.is_void() {
        writeln!(out, "{}", void::sentence(run))?;
    }
    if let Some(why) = not_judged(run).filter(|_| !run.is_interrupted) {
        let count =
            run.plan.scenario.expect.iter().map(|expect| expect.bounds.len()).sum::<usize>();
        let s = if count == 1 { "" } else { "s" };
        writeln!(out, "{count} expectation{s} not judged: {why}")?;
    }
    if let Some(digest) = &run.payload_digest {
        writeln!(out, "payload digest {digest}")?;
    }
    if let Some(digest) = &run.digest {
        writeln!(out, "digest {digest}")?;
    }
    Ok(())
}

/// Why the scenario's expectations are not judged, if it has any.
fn not_judged(run: &Results) -> Option<&'static str> {
    run.not_judged().filter(|_| !run.plan.scenario.expect.is_empty())
}

fn write_head(out: &mut String, run: &Results) -> std::fmt::Result {
    let scenario = &run.plan.scenario;
    let time = match run.world {
        World::Sim => match run.transport {
            None => "of virtual time",
            Some(Transport::Quic) => "of virtual time over quic",
            Some(Transport::Udp) => "of virtual time over udp",
        },
        World::Emulate => "on real sockets, the network emulated",
        World::Live => "on real sockets",
    };
    let (title, peers, end, seed) = (&scenario.title, scenario.peers, run.end, scenario.seed);
    write!(out, "{title}: {peers} peers, {:.3} s {time}, ", end.as_secs_f64())?;
    match run.is_seeded {
        true => writeln!(out, "seed {seed}")?,
        false => writeln!(out, "seeded by the system")?,
    }
    if run.is_share() && run.missing().is_empty() {
        writeln!(out, "this process's share; seat 0's process has the whole network's table")?;
    } else if run.is_share() {
        writeln!(out, "this process's share, and nobody has the whole network's table")?;
    }
    let threads = match (run.world, run.threads) {
        (World::Sim, threads @ 2..) => format!(" on {threads} threads"),
        _ => String::new(),
    };
    writeln!(
        out,
        "{} events in {:.2} s ({}/s){threads}, {} MiB",
        grouped(run.events),
        run.wall_seconds,
        grouped(run.events_per_second() as u64),
        peak_rss_bytes() >> 20
    )?;
    for (name, flow) in [("datagrams", &run.ledger.datagram), ("reliable", &run.ledger.reliable)] {
        if flow.sent > 0 {
            writeln!(out, "{}", account(name, flow, run))?;
        }
    }
    if let Some(carried) = run.carried() {
        writeln!(out, "{}", packets(carried, run))?;
    }
    if let Some(sockets) = run.sockets.as_ref().filter(|_| run.world == World::Live) {
        writeln!(out, "{}", delays(&sockets.delays))?;
    }
    write_coverage(out, run)?;
    writeln!(out, "{}", run.sockets.as_ref().map(|s| drops::lines(&s.counters)).unwrap_or_default())
}

/// How much of the network is in these numbers, and whose share is missing.
fn write_coverage(out: &mut String, run: &Results) -> std::fmt::Result {
    if let Some(whole) = run.whole().filter(|whole| whole.processes == 1) {
        if whole.coverage < 1.0 {
            writeln!(out, "{:.1} % of seat-seconds covered", whole.coverage * 100.0)?;
        }
    } else if let Some(whole) = run.whole() {
        writeln!(
            out,
            "the whole network: {} processes reported to the end, {:.1} % of seat-seconds covered",
            whole.processes,
            whole.coverage * 100.0
        )?;
    }
    for missing in run.missing() {
        writeln!(out, "missing: {missing}")?;
    }
    for kept_out in run.kept_out() {
        writeln!(out, "kept out: {kept_out}")?;
    }
    Ok(())
}

impl Lateness {
    fn of(delays: &Delays) -> Lateness {
        let micros = |late: Duration| late.as_secs_f64() * 1e6;
        Lateness {
            late_p50_us: delays.lateness.quantile(0.5).map(micros),
            late_p99_us: delays.lateness.quantile(0.99).map(micros),
            late_max_us: micros(delays.lateness.max()),
            suspensions: delays.suspensions,
            suspended_seconds: delays.suspended.as_secs_f64(),
            blocked: delays.blocked,
            slowest_seconds: delays.slowest.map(|(_, took)| took.as_secs_f64()),
            slowest: delays.slowest.map(|(place, _)| place.to_string()),
        }
    }
}

/// How late the shards were, and why.
fn delays(delays: &Delays) -> String {
    let mut line = format!("shards late: {}", delays.lateness);
    if delays.suspensions > 0 {
        let (times, seconds) = (delays.suspensions, delays.suspended.as_secs_f64());
        let s = if times == 1 { "" } else { "s" };
        line += &format!("; the process stood still {times} time{s}, {seconds:.1} s in all");
    }
    if let Some((place, took)) = &delays.slowest {
        let (count, seconds) = (delays.blocked, took.as_secs_f64());
        let s = if count == 1 { "" } else { "s" };
        line += &format!(
            "; {count} handler{s} blocked for more than 100 ms, at most {seconds:.1} s: {place}"
        );
    }
    line
}

fn account(name: &str, flow: &Flow, run: &Results) -> String {
    let dropped = dropped(DropCause::ALL.map(|cause| (cause.name(), flow.dropped(cause))));
    let rest = match (run.world, run.is_share()) {
        (World::Sim | World::Emulate, _) => format!(" {} in flight,", grouped(flow.in_flight)),
        (World::Live, false) => format!(" {} unaccounted,", grouped(flow.in_flight)),
        (World::Live, true) => String::new(),
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

/// The fates of packets, and in an emulation how late they were.
fn packets(carried: &Carried, run: &Results) -> String {
    let is_emulated = run.world == World::Emulate;
    let Carried { packets, lateness, read, warm_up, lost, unaccounted, stalled, .. } = carried;
    let (sent, took) = (grouped(packets.sent), grouped(packets.carried));
    let dropped = dropped(PacketDrop::ALL.map(|cause| (cause.name(), packets.dropped(cause))));
    let mut line = format!("packets: {sent} sent, {took} carried, dropped: {dropped}");
    if is_emulated {
        line += &format!("; late: {lateness}; read late: {read}; stood still {stalled} at most");
        if warm_up.lateness.count() > 0 {
            let (late, read) = (&warm_up.lateness, warm_up.read.max());
            line += &format!("\nbefore `measure.from`: late: {late}; read late: max {read}");
        }
    }
    if lost.total() > 0 {
        line += &format!("\nlost by this machine: {}", void::lost(lost));
    }
    if *unaccounted > 0 {
        let count = grouped(*unaccounted);
        line += &format!("\n{count} of the datagrams in flight: fate unknown");
        line += match run.transport == Some(Transport::Quic) {
            true => ", lost by this machine or discarded by QUIC",
            false => ", lost by this machine",
        };
    }
    line
}

/// Drops by cause.
fn dropped(counts: impl IntoIterator<Item = (&'static str, u64)>) -> String {
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    let causes: Vec<_> =
        counts.map(|(cause, count)| format!("{} {cause}", grouped(count))).collect();
    if causes.is_empty() { "none".to_owned() } else { causes.join(", ") }
}
