//! The report of `fidelity`: a table with a line for each metric and transport, or JSON.

use peerlet_core::MetricKind;
use peerlet_measure::{ComparedMetric, Comparison, RunStatistics, Verdict};
use peerlet_run::{Results, Transport};
use serde_json::json;

use crate::{Facts, Report, Side, void};

/// The comparison over one transport.
pub struct Case {
    /// The transport.
    pub transport: Transport,
    /// The simulated side.
    pub left: Side,
    /// The emulated side.
    pub right: Side,
    /// How they compare.
    pub comparison: Comparison,
    /// The emulated runs: how late they were, and how many were repeated.
    pub runs: Runs,
}

const HEADER: [&str; 8] =
    ["transport", "metric", "values a side", "mean or sum", "p50", "p95", "KS", "verdict"];

/// All cases as text, or in Markdown, and the runs that are in none of them.
pub fn write(cases: &[Case], void: &[VoidRun], control: &[String], markdown: bool) -> String {
    let gap = if markdown { "\n" } else { "" };
    let void: String = void.iter().map(|run| format!("{}\n{gap}", run.sentence())).collect();
    let Some(Case { left, .. }) = cases.first() else {
        return format!("{}\n", void.trim_end());
    };
    let (first, seeds) = (left.first(), left.seeds());
    let mut out = format!(
        "{}: {} peers, {} s, {} seeds; relative errors of emulation against simulation, with 90 % \
         intervals\n",
        first.scenario,
        first.peers,
        first.virtual_seconds,
        seeds.len()
    );
    if !control.is_empty() {
        out += &format!("control: the emulated side has {}\n", control.join(", "));
    }
    out.push('\n');
    let mut lines = vec![HEADER.map(str::to_owned).to_vec()];
    for case in cases {
        let name = case.transport.name();
        let shown = case.comparison.rows.iter().filter(|row| is_shown(row));
        lines.extend(shown.map(|row| line(name, row)));
    }
    out += &if markdown { in_markdown(&lines) } else { aligned(&lines) };
    out.push('\n');
    for case in cases {
        out += &conclusion(case, gap);
    }
    out += &void;
    out.truncate(out.trim_end().len());
    out + "\n"
}

/// Drops by cause have their place in `compare`.
fn is_shown(row: &ComparedMetric) -> bool {
    !matches!(row.verdict, Verdict::Shown | Verdict::TooFew)
}

fn line(transport: &str, row: &ComparedMetric) -> Vec<String> {
    let error = |name: &str| {
        let statistic = row.statistics.iter().find(|statistic| statistic.name == name);
        match statistic.map(|statistic| (statistic.error, statistic.left, statistic.right)) {
            Some((Some(error), ..)) => error.to_string(),
            Some((None, Some(left), Some(right))) => format!("{left} → {right}"),
            _ => String::new(),
        }
    };
    let ks = row.ks.map(|ks| match ks.interval {
        Some([low, high]) => format!("{:.4} ({low:.4} to {high:.4})", ks.distance),
        None => format!("{:.4}", ks.distance),
    });
    let ks = ks.unwrap_or_default();
    let (mean, half, most, ks) = match row.kind {
        MetricKind::Counter => (error("sum"), String::new(), String::new(), String::new()),
        MetricKind::Gauge => (error("mean"), String::new(), String::new(), String::new()),
        MetricKind::Histogram => (error("mean"), error("p50"), error("p95"), ks),
    };
    let verdict = match row.verdict {
        Verdict::OnlyLeft => "only simulated",
        Verdict::OnlyRight => "only emulated",
        other => other.word(),
    };
    let values = row.samples.iter().min().copied().unwrap_or(0).to_string();
    vec![transport.to_owned(), row.metric.clone(), values, mean, half, most, ks, verdict.to_owned()]
}

/// The conclusion for one transport, with the lateness of its emulation. `gap` ends each line.
fn conclusion(case: &Case, gap: &str) -> String {
    let Case { transport, comparison, runs, .. } = case;
    let late = runs.late.map(|late| format!("{:.0} us late at p99", late.as_secs_f64() * 1e6));
    let late = late.unwrap_or_else(|| "no packets".to_owned());
    let limits = &comparison.limits;
    let percent = |share: f64| format!("{} %", (share * 1e4).round() / 100.0);
    let (name, verdict) = (transport.name(), comparison.conclusion());
    let mut out = String::new();
    for reason in comparison.reasons() {
        out += &format!("{name}: {reason}\n{gap}");
    }
    out += &format!(
        "{name}: {verdict} (within {}, KS {}, counts {}; {late}; {} repeated)\n{gap}",
        percent(limits.within),
        limits.ks,
        percent(limits.counts),
        match runs.repeated {
            1 => "1 run".to_owned(),
            count => format!("{count} runs"),
        }
    );
    out
}

fn in_markdown(lines: &[Vec<String>]) -> String {
    let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let (head, rest) = lines.split_first().expect("there is a header");
    let rule = "|---|---|--:|--:|--:|--:|--:|---|\n";
    let rest: String = rest.iter().map(|cells| row(cells)).collect();
    format!("{}{rule}{rest}", row(head))
}

fn aligned(lines: &[Vec<String>]) -> String {
    let width = |column: usize| lines.iter().map(|cells| cells[column].chars().count()).max();
    let widths: Vec<usize> = (0..HEADER.len()).map(|column| width(column).unwrap_or(0)).collect();
    let row = |cells: &Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    lines.iter().map(row).collect()
}

/// Each transport's comparison, as `compare` writes it, in one list; behind them the runs that were
/// void, where there are any.
pub fn json(cases: &[Case], void: &[VoidRun]) -> String {
    let reports = cases.iter().map(|case| {
        let Case { left, right, comparison, .. } = case;
        let report = Report { left, right, comparison };
        report.json().trim_end().to_owned()
    });
    let runs = void.iter().map(|run| {
        let VoidRun { transport, seed, reasons, .. } = run;
        json!({ "transport": transport.name(), "seed": seed, "void_because": reasons })
    });
    let runs: Vec<_> = runs.collect();
    let left_out = (!runs.is_empty()).then(|| json!({ "schema": 1, "void": runs }).to_string());
    format!("[{}]\n", reports.chain(left_out).collect::<Vec<_>>().join(","))
}

/// An emulation that was void each time, so that its seed is in no comparison.
pub struct VoidRun {
    /// The transport.
    pub transport: Transport,
    /// The seed.
    pub seed: u64,
    /// How often it was tried.
    pub tries: u32,
    /// Why the last one was, the gravest reason first.
    pub reasons: Vec<String>,
}

impl VoidRun {
    /// The last emulation of a seed, which was tried as often as this.
    pub fn of(transport: Transport, seed: u64, tries: u32, run: &Results) -> VoidRun {
        VoidRun { transport, seed, tries, reasons: void::reasons(run) }
    }

    /// That it is left out, and why.
    pub fn sentence(&self) -> String {
        let VoidRun { transport, seed, tries, reasons } = self;
        let name = transport.name();
        format!(
            "{name}: seed {seed} is left out: its emulation was void {tries} times, the last time \
             since {}",
            reasons.join("; ")
        )
    }
}

/// The runs of one side.
#[derive(Default)]
pub struct Runs {
    /// How long each lasts.
    pub duration: peerlet_core::Duration,
    facts: Vec<Facts>,
    /// The statistics of each run.
    pub statistics: Vec<RunStatistics>,
    /// The worst 99th percentile of lateness.
    pub late: Option<peerlet_core::Duration>,
    /// How many runs were repeated since they were void.
    pub repeated: u32,
}

impl Runs {
    /// Adds a run.
    pub fn add(&mut self, run: &Results) {
        let scenario = &run.plan.scenario;
        self.duration = scenario.duration;
        self.facts.push(Facts {
            path: run.world.name().to_owned(),
            world: run.world.name().to_owned(),
            transport: run.transport.map(|over| over.name().to_owned()),
            scenario: scenario.title.clone(),
            peers: scenario.peers,
            virtual_seconds: run.end.as_secs_f64(),
        });
        self.statistics.push(RunStatistics::of(scenario.seed, &run.measures, &run.ledger));
        let late = run.carried().and_then(|carried| carried.lateness.quantile(0.99));
        self.late = self.late.max(late);
    }

    /// Takes the runs of these seeds away.
    pub fn leave_out(&mut self, is_out: impl Fn(u64) -> bool) {
        let runs =
            std::mem::take(&mut self.facts).into_iter().zip(std::mem::take(&mut self.statistics));
        (self.facts, self.statistics) = runs.filter(|(_, run)| !is_out(run.seed)).unzip();
    }

    /// Hands the runs over as a side of a comparison.
    pub fn side(&mut self, name: &str) -> Side {
        let (facts, statistics) =
            (std::mem::take(&mut self.facts), std::mem::take(&mut self.statistics));
        Side { path: name.to_owned(), facts, statistics, passed_over: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_were_void_are_named_with_their_reason() {
        let void = |seed| VoidRun {
            transport: Transport::Udp,
            seed,
            tries: 3,
            reasons: vec!["it was late".to_owned(), "it lost packets".to_owned()],
        };
        let text = write(&[], &[void(3), void(4)], &[], false);
        let line = |seed| {
            format!(
                "udp: seed {seed} is left out: its emulation was void 3 times, the last time since \
                 it was late; it lost packets\n"
            )
        };
        assert_eq!(text, line(3) + &line(4));
        assert_eq!(write(&[], &[void(3), void(4)], &[], true), line(3) + "\n" + &line(4));
        assert_eq!(
            json(&[], &[void(3)]),
            "[{\"schema\":1,\"void\":[{\"seed\":3,\"transport\":\"udp\",\
             \"void_because\":[\"it was late\",\"it lost packets\"]}]}]\n"
        );
        assert_eq!(json(&[], &[]), "[]\n");
    }
}
