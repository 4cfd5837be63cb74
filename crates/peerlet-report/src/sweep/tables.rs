//! The tables of a sweep: `runs.csv`, `table.csv`, one for people and one JSON object.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use peerlet_measure::{Estimate, csv_quoted, number, write_table};
use serde::Serialize;

use crate::json::json_line;
use crate::sweep::results::{PointStatistics, STATISTICS, SweepResults};

/// The columns of the table for people: of counters, and of all others.
const COUNTER_COLUMNS: [&str; 2] = ["sum", "rate"];
const OTHER_COLUMNS: [&str; 3] = ["mean", "p50", "p95"];

#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    scenario: &'a str,
    complete: bool,
    runs: usize,
    planned: u64,
    failed: Vec<JsonFailure<'a>>,
    points: Vec<JsonPoint<'a>>,
}

#[derive(Serialize)]
struct JsonFailure<'a> {
    values: BTreeMap<&'a str, &'a str>,
    seed: u64,
    run: String,
    failures: Vec<String>,
}

#[derive(Serialize)]
struct JsonPoint<'a> {
    values: BTreeMap<&'a str, &'a str>,
    metric: &'a str,
    unit: &'a str,
    kind: &'a str,
    estimates: BTreeMap<&'static str, Estimate>,
}

impl SweepResults {
    /// `runs.csv`: each metric of each run, by combination and seed.
    pub fn runs_csv(&self) -> String {
        let mut out = self.head();
        out += "seed,digest,metric,unit,kind";
        STATISTICS.iter().for_each(|(name, _)| out += &format!(",{name}"));
        out.push('\n');
        for run in &self.runs {
            let digest = run.summary.digest.as_deref().unwrap_or_default();
            let keys = self.cells(run.point) + &format!("{},{digest}", run.seed);
            for (name, measure) in run.measures() {
                let (name, unit) = (csv_quoted(&name), csv_quoted(&measure.unit));
                out += &format!("{keys},{name},{unit},{}", measure.kind);
                for (_, statistic) in STATISTICS {
                    out.push(',');
                    out.extend(statistic(&measure).map(|value| value.to_string()));
                }
                out.push('\n');
            }
        }
        out
    }

    /// `table.csv`: each statistic of each metric for each combination, with its interval.
    pub fn table_csv(&self) -> String {
        let mut out = self.head() + "metric,unit,kind,statistic,runs,mean,margin\n";
        for row in self.statistics() {
            let (name, unit) = (csv_quoted(&row.metric), csv_quoted(&row.unit));
            let keys = self.cells(row.point) + &format!("{name},{unit},{}", row.kind);
            for (statistic, Estimate { runs, mean, margin }) in row.estimates {
                let margin = margin.map(|margin| margin.to_string()).unwrap_or_default();
                out += &format!("{keys},{statistic},{runs},{mean},{margin}\n");
            }
        }
        out
    }

    /// The names of the keys that vary, each with a comma behind it.
    fn head(&self) -> String {
        self.sweep.vary.iter().map(|vary| csv_quoted(&vary.key).into_owned() + ",").collect()
    }

    /// The values of a combination, likewise.
    fn cells(&self, point: usize) -> String {
        self.sweep.values(point).iter().map(|value| csv_quoted(value).into_owned() + ",").collect()
    }

    /// The table for people: means with 95 % intervals, of these metrics or all.
    pub fn table(&self, metrics: &[String]) -> String {
        struct Rows(Vec<Vec<String>>, usize);
        impl fmt::Display for Rows {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_table(f, self.1, &self.0)
            }
        }
        let statistics = self.statistics();
        let is_asked = |row: &&PointStatistics| metrics.is_empty() || metrics.contains(&row.metric);
        let keys = self.sweep.vary.iter().map(|vary| vary.key.clone());
        let mut out = String::new();
        for is_counter in [false, true] {
            let columns: &[&str] = if is_counter { &COUNTER_COLUMNS } else { &OTHER_COLUMNS };
            let is_kind = |row: &&PointStatistics| (row.kind == "counter") == is_counter;
            let mut head = vec!["metric".to_owned(), "unit".to_owned()];
            head.extend(keys.clone());
            head.push("runs".to_owned());
            head.extend(columns.iter().map(|name| format!("{name} ± 95 %")));
            let mut rows = vec![head];
            for row in statistics.iter().filter(is_asked).filter(is_kind) {
                let mut cells = vec![row.metric.clone(), row.unit.clone()];
                cells.extend(self.sweep.values(row.point).iter().map(|&value| value.to_owned()));
                cells.push(row.estimate("count").map_or(0, |one| one.runs).to_string());
                cells.extend(columns.iter().map(|column| match row.estimate(column) {
                    Some(estimate) => estimate.to_string(),
                    None => number(None),
                }));
                rows.push(cells);
            }
            if rows.len() > 1 {
                let gap = if out.is_empty() { "" } else { "\n" };
                let left = 2 + self.sweep.vary.len();
                write!(out, "{gap}{}", Rows(rows, left)).expect("a text takes all");
            }
        }
        out
    }

    /// Everything as one JSON object in a line.
    pub fn json(&self) -> String {
        let statistics = self.statistics();
        let values = |point| -> BTreeMap<&str, &str> {
            let keys = self.sweep.vary.iter().map(|vary| vary.key.as_str());
            keys.zip(self.sweep.values(point)).collect()
        };
        let failed = self.runs.iter().filter_map(|run| {
            let failures = run.failures();
            let (seed, path) = (run.seed, run.path.display().to_string());
            let failure = JsonFailure { values: values(run.point), seed, run: path, failures };
            (!failure.failures.is_empty()).then_some(failure)
        });
        let points = statistics.iter().map(|row| JsonPoint {
            values: values(row.point),
            metric: &row.metric,
            unit: &row.unit,
            kind: &row.kind,
            estimates: row.estimates.iter().copied().collect(),
        });
        json_line(&Json {
            schema: 1,
            scenario: &self.sweep.scenario,
            complete: self.is_complete(),
            runs: self.runs.len(),
            planned: self.sweep.runs(),
            failed: failed.collect(),
            points: points.collect(),
        })
    }
}
