//! Several runs together: means over runs, each with a 95 % confidence interval.

use std::collections::BTreeMap;
use std::fmt;

use peerlet_core::MetricKind;
use serde::Serialize;

use crate::student::student_t;
use crate::summary::{Row, STATISTICS, Summary};
use crate::table::{number, write_table};

/// The mean of one number over several runs, and how far off it may be.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Estimate {
    /// How many runs had the number.
    pub runs: u64,
    /// Its mean over them.
    pub mean: f64,
    /// Half the width of the 95 % confidence interval by Student's t; `None` for a single run.
    pub margin: Option<f64>,
}

impl Estimate {
    /// The estimate from one value of each run; `None` without runs.
    ///
    /// ```
    /// use peerlet_measure::Estimate;
    /// let estimate = Estimate::of(&[4.0, 5.0, 6.0]).expect("there are runs");
    /// assert_eq!(estimate.mean, 5.0);
    /// // The standard error is 1 / sqrt(3); t at two degrees of freedom is 4.303.
    /// assert!((estimate.margin.expect("more than one run") - 2.484).abs() < 0.001);
    /// ```
    pub fn of(values: &[f64]) -> Option<Estimate> {
        if values.is_empty() {
            return None;
        }
        let (runs, n) = (values.len() as u64, values.len() as f64);
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let freedom = runs - 1;
        let margin =
            (freedom > 0).then(|| student_t(freedom) * (squares / freedom as f64 / n).sqrt());
        Some(Estimate { runs, mean, margin })
    }
}

impl fmt::Display for Estimate {
    /// Writes `mean ± margin`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.margin {
            Some(_) => format!("{} ± {}", number(Some(self.mean)), number(self.margin)),
            None => number(Some(self.mean)),
        };
        f.pad(&text)
    }
}

/// Several runs of one experiment with different seeds.
///
/// ```
/// use peerlet_measure::{Repeats, Summary};
/// let mut repeats = Repeats::default();
/// repeats.add(&Summary::default());
/// assert!(repeats.rows().is_empty(), "this run measured nothing");
/// ```
#[derive(Clone, Default, Debug)]
pub struct Repeats {
    /// Of each run, and how long it measured in seconds.
    rows: BTreeMap<String, Vec<(Row, f64)>>,
}

/// One metric over several runs.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RepeatRow {
    /// The unit's symbol, `1` for plain numbers.
    pub unit: &'static str,
    /// Estimates by the names of [`STATISTICS`], and of counters `rate`, their sum a second;
    /// without those that no run has a value of.
    pub estimates: BTreeMap<&'static str, Estimate>,
    /// How the values are to be read; not part of the JSON.
    #[serde(skip)]
    pub kind: MetricKind,
}

impl Repeats {
    /// Adds a run.
    pub fn add(&mut self, run: &Summary) {
        for (name, row) in &run.rows {
            self.rows.entry(name.clone()).or_default().push((*row, run.seconds));
        }
    }

    /// The estimates of each metric, by its full name.
    pub fn rows(&self) -> BTreeMap<&str, RepeatRow> {
        self.rows.iter().map(|(name, runs)| (name.as_str(), RepeatRow::of(runs))).collect()
    }
}

impl RepeatRow {
    fn of(runs: &[(Row, f64)]) -> RepeatRow {
        let estimate = |(name, statistic): (_, fn(&Row) -> _)| {
            let values: Vec<f64> = runs.iter().filter_map(|(row, _)| statistic(row)).collect();
            Some((name, Estimate::of(&values)?))
        };
        let mut estimates: BTreeMap<_, _> = STATISTICS.into_iter().filter_map(estimate).collect();
        let kind = runs.first().map_or(MetricKind::Histogram, |(row, _)| row.kind);
        if kind == MetricKind::Counter {
            let measured = runs.iter().filter(|(_, seconds)| *seconds > 0.0);
            let rates: Vec<f64> = measured.map(|(row, seconds)| row.sum / seconds).collect();
            estimates.extend(Estimate::of(&rates).map(|rate| ("rate", rate)));
        }
        RepeatRow { unit: runs.first().map_or("1", |(row, _)| row.unit), estimates, kind }
    }

    /// The statistics that say something about metrics of this kind, in the table's order.
    const fn columns(&self) -> &'static [Option<&'static str>] {
        match self.kind {
            // Of what is counted one by one, a mean and percentiles say nothing.
            MetricKind::Counter => &[None, None, None, Some("sum"), Some("rate")],
            MetricKind::Gauge | MetricKind::Histogram => {
                &[Some("mean"), Some("p50"), Some("p95"), Some("sum")]
            }
        }
    }
}

impl fmt::Display for Repeats {
    /// Writes a table of mean, median, 95th percentile and sum, of counters the sum and the sum a
    /// second; each with its 95 % confidence interval.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = "metric|unit|runs|mean ± 95 %|p50 ± 95 %|p95 ± 95 %|sum ± 95 %|sum/s ± 95 %";
        let mut table = vec![header.split('|').map(str::to_owned).collect()];
        for (name, row) in self.rows() {
            let runs = row.estimates.get("count").map_or(0, |estimate| estimate.runs);
            let mut cells = vec![name.to_owned(), row.unit.to_owned(), runs.to_string()];
            cells.extend(row.columns().iter().map(|column| match column {
                Some(statistic) => {
                    let estimate = row.estimates.get(statistic);
                    estimate.map_or_else(|| number(None), Estimate::to_string)
                }
                None => String::new(),
            }));
            table.push(cells);
        }
        write_table(f, 2, &table)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use peerlet_core::{Metric, SECOND, Time};

    use super::*;
    use crate::epochs::Epochs;
    use crate::measurements::{EpochMeasurements, Measurements};
    use crate::metric_entry::MetricEntry;

    #[test]
    fn estimates() {
        assert_eq!(Estimate::of(&[]), None);
        assert_eq!(Estimate::of(&[3.5]), Some(Estimate { runs: 1, mean: 3.5, margin: None }));
        let equal = Estimate::of(&[2.0; 40]).unwrap();
        assert_eq!((equal.mean, equal.margin), (2.0, Some(0.0)));
    }

    fn run(values: &[i64]) -> Summary {
        let entries = [
            MetricEntry::new("h", Metric::counter("answers")),
            MetricEntry::new("h", Metric::histogram("time").unit("ms").quantum(0.25)),
            MetricEntry::new("h", Metric::gauge("never")),
        ];
        let whole = Time::ZERO..Time::ZERO + SECOND;
        let grid = Epochs::new(SECOND, whole.clone()).unwrap();
        let mut measurements = Measurements::new(entries.into(), grid);
        let mut epoch = EpochMeasurements::new(0, whole, 3);
        epoch.accumulators[0].record(1);
        values.iter().for_each(|value| epoch.accumulators[1].record(*value));
        measurements.add(epoch);
        Summary::of(&measurements)
    }

    /// A table in the columns of a source file: its headers without what all of them say.
    fn narrow(repeats: &Repeats) -> String {
        let table = repeats.to_string();
        let (header, rows) = table.split_once('\n').unwrap();
        assert_eq!(header.matches(" ± 95 %").count(), 5);
        format!("{}\n{rows}", header.replace(" ± 95 %", ""))
    }

    #[test]
    fn table() {
        let mut repeats = Repeats::default();
        repeats.add(&run(&[10, 20]));
        expect![[r#"
            metric     unit  runs  mean  p50  p95  sum  sum/s
            h/answers  1        1                                                1             1
            h/never    1        1            -           -           -           0
            h/time     ms       1         3.75         2.5           5         7.5
        "#]]
        .assert_eq(&narrow(&repeats));
        repeats.add(&run(&[12, 24]));
        repeats.add(&run(&[]));
        expect![[r#"
        metric     unit  runs    mean    p50   p95   sum  sum/s
        h/answers  1        3                                                  1 ± 0         1 ± 0
        h/never    1        3              -             -            -        0 ± 0
        h/time     ms       3  4.125 ± 4.765  2.75 ± 3.176  5.5 ± 6.353  5.5 ± 11.98
        "#]]
        .assert_eq(&narrow(&repeats));
        let rows = repeats.rows();
        assert_eq!(rows["h/time"].estimates["mean"].runs, 2, "a run without a value is left out");
        assert_eq!(rows["h/time"].estimates["count"].runs, 3);
        assert!(!rows["h/never"].estimates.contains_key("mean"));
    }
}
