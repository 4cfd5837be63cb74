//! The table in Markdown, with the conditions that it was measured under.

use crate::asking::{Phase, RATE};
use crate::attackers::Standing;
use crate::measure::Plan;
use crate::row::{ANSWERED_MAX, P99_RATIO_MAX, Row, SUCCESS_LOST_MAX};

const COLUMNS: [&str; 21] = [
    "attack",
    "network",
    "attacker",
    "actions/s",
    "packets/s",
    "packets",
    "bytes each",
    "success alone, %",
    "beside load, %",
    "attacked, %",
    "success lost, points",
    "p99 alone, ms",
    "beside load, ms",
    "attacked, ms",
    "p99 growth",
    "busy beside load, %",
    "attacked, %",
    "memory grown, MiB",
    "bound, MiB",
    "answered",
    "verdict",
];

/// A page with the table.
pub fn markdown(rows: &[Row], plan: &Plan) -> String {
    let mut page = head(rows, plan);
    page.push_str(&format!("| {} |\n", COLUMNS.join(" | ")));
    page.push_str(&format!("|{}{}{}\n", " --- |".repeat(3), " ---: |".repeat(17), " --- |"));
    rows.iter().for_each(|row| page.push_str(&line(row)));
    page.push_str("\n| attack | it sends |\n| --- | --- |\n");
    for attack in rows.iter().map(|row| row.attack) {
        page.push_str(&format!("| {} | {} |\n", attack.name, attack.about));
    }
    page
}

/// The conditions of the measurement.
fn head(rows: &[Row], plan: &Plan) -> String {
    let held = rows.iter().filter(|row| row.verdict().is_ok()).count();
    let quick = if plan.is_quick { "\nA quick trial: the figures mean little.\n" } else { "" };
    let (operations, runs, all, machine) = (plan.operations, plan.runs, rows.len(), machine());
    format!(
        "# Attacks, measured

Made by `cargo bench -p peerlet-live --bench attacks > docs/ATTACKS.md`. [SECURITY.md](SECURITY.md)
states the promises. Held: {held} of {all} attacks.
{quick}
- *Machine*: {machine}.
  Attacker and honest processes share it, over loopback.
- *Honest processes*: two, one shard each. A peer of the second one asks two peers of the first one
  {RATE} times a second, at fixed times. Over QUIC every other question uses reliable delivery; the
  others, and all over UDP, are datagrams with one try. An operation succeeds when its answer comes
  within 1 s. Its latency counts from the time at which it was due, even if it fails.
- *Runs*: {runs} of each attack, interleaved: each has new processes and three phases of
  {operations} operations: alone, beside a load, attacked. Figures are medians of the runs. Success
  lost and p99 growth are the medians of each run's own difference and ratio between attacked and
  beside the load, so a ratio need not equal that of the medians beside it. Memory and answered
  bytes are the largest of all runs.
- *Load*: the attacker uses the same cores. So the comparison is a load of the same packet rate and
  mean length, without content, to a socket that nobody reads, by a process that takes as much
  processor time as the attacker.
- *Actions* of the attacker are frames, packets, handshakes or streams; short frames share a packet.
  *Packets* are those of one run while operations were counted.
- *Busy* is the processor time of the attacked process, in percent of a core.
- *Memory* is the resident memory of the attacked process: its peak under attack, less that before.
  Its bound is that of SECURITY.md: 64 MiB for strangers, 512 MiB for members.
- *Answered*: bytes received at the attacker's sockets for each byte sent from them.
- *Held*: success lost at most {SUCCESS_LOST_MAX} point, p99 growth at most {P99_RATIO_MAX},
  memory within its bound, answered at most {ANSWERED_MAX}, and no false statement: the answers and
  processes in the table match the real ones, no peer got a message that nobody sent, nobody
  believed an address that a stranger named, and no notice has control characters.

"
    )
}

fn line(row: &Row) -> String {
    let attack = row.attack;
    let standing = match attack.standing {
        Standing::Stranger => "stranger",
        Standing::Member => "member",
        Standing::Holder => "holder of the secret",
    };
    let p99 = |phase: &Phase| phase.p99 / 1_000.0;
    let busy = row.busy();
    let verdict = row.verdict().map_or_else(|why| format!("failed: {why}"), |()| "held".to_owned());
    let cells = [
        attack.name.to_owned(),
        attack.world.name().to_owned(),
        standing.to_owned(),
        format!("{:.0}", row.actions()),
        format!("{:.0}", row.rate()),
        format!("{:.0}", row.packets()),
        row.load.len.to_string(),
        format!("{:.2}", row.alone(Phase::success)),
        format!("{:.2}", row.loaded(Phase::success)),
        format!("{:.2}", row.attacked(Phase::success)),
        format!("{:.2}", row.success_lost()),
        format!("{:.2}", row.alone(p99)),
        format!("{:.2}", row.loaded(p99)),
        format!("{:.2}", row.attacked(p99)),
        format!("{:.2}", row.p99_ratio()),
        format!("{:.0}", busy[0]),
        format!("{:.0}", busy[1]),
        format!("{:.1}", row.grown()),
        attack.memory_max().to_string(),
        format!("{:.2}", row.answered()),
        verdict,
    ];
    format!("| {} |\n", cells.join(" | "))
}

/// The machine in a few words.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    format!("{cores} cores, {model}, {} {kernel}", std::env::consts::OS)
}
