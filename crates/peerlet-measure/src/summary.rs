//! A run's measurements as numbers in units: for people a table, for programs JSON.

use std::collections::BTreeMap;
use std::fmt;

use peerlet_core::{Metric, MetricKind, Time};
use serde::{Serialize, Serializer};

use crate::accumulator::Accumulator;
use crate::measurements::Measurements;
use crate::table::{number, total, write_table};

/// The metrics of a run by full name, over the epochs after the warm-up.
///
/// Serialized it is the object `measures` of `summary.json`; displayed, a table for people.
#[derive(Clone, PartialEq, Default, Debug, Serialize)]
#[serde(transparent)]
pub struct Summary {
    /// One row a metric, those without a value included.
    pub rows: BTreeMap<String, Row>,
    /// How long these epochs are together, in seconds; not part of the JSON.
    #[serde(skip)]
    pub seconds: f64,
}

impl Summary {
    /// Sums up the epochs that begin at or after the end of the warm-up.
    pub fn of(measurements: &Measurements) -> Summary {
        Summary::from(measurements, measurements.from())
    }

    /// Sums up the epochs that begin at or after this instant, be it within the warm-up.
    pub fn from(measurements: &Measurements, from: Time) -> Summary {
        let total = measurements.total_from(from);
        let rows = measurements.metrics().iter().zip(&total).map(|(entry, accumulator)| {
            let row = Row::of(&entry.metric, accumulator);
            (entry.full_name.clone(), Row { observed: entry.is_observed, ..row })
        });
        Summary { rows: rows.collect(), seconds: measurements.measured_from(from).as_secs_f64() }
    }
}

impl fmt::Display for Summary {
    /// Writes a table: of counters the sum, of the others how their values are spread. Metrics with
    /// tags are left out where they have no values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = "metric unit count sum mean std min p50 p95 p99 max";
        let mut table = vec![header.split(' ').map(str::to_owned).collect()];
        let is_shown = |(name, row): &(&String, &Row)| row.count > 0 || !name.contains('{');
        for (name, row) in self.rows.iter().filter(is_shown) {
            let mut cells = vec![name.clone(), row.unit.to_owned(), row.count.to_string()];
            match row.kind {
                MetricKind::Counter => cells.push(total(row.sum)),
                MetricKind::Gauge | MetricKind::Histogram => {
                    let numbers = [row.mean, row.std, row.min, row.p50, row.p95, row.p99, row.max];
                    cells.push(String::new());
                    cells.extend(numbers.map(number));
                }
            }
            table.push(cells);
        }
        write_table(f, 2, &table)
    }
}

/// The values of one metric in its unit. Where there was no value, all but the count and the sum
/// are `None`: null in JSON.
///
/// Percentiles are off by at most 1/256 of the value; the other numbers are exact but for the last
/// digits of a float.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Row {
    /// How the values are to be read.
    #[serde(serialize_with = "kind_name")]
    pub kind: MetricKind,
    /// Whether an observer measured it: no digest covers it.
    #[serde(skip_serializing_if = "is_false")]
    pub observed: bool,
    /// The unit's symbol, `1` for plain numbers.
    pub unit: &'static str,
    /// How many values there were.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Their mean.
    pub mean: Option<f64>,
    /// The smallest of them.
    pub min: Option<f64>,
    /// The largest of them.
    pub max: Option<f64>,
    /// Their sample standard deviation; 0 for a single value.
    pub std: Option<f64>,
    /// The 1st percentile.
    pub p1: Option<f64>,
    /// The 5th percentile.
    pub p5: Option<f64>,
    /// The 10th percentile.
    pub p10: Option<f64>,
    /// The 25th percentile.
    pub p25: Option<f64>,
    /// The median.
    pub p50: Option<f64>,
    /// The 75th percentile.
    pub p75: Option<f64>,
    /// The 90th percentile.
    pub p90: Option<f64>,
    /// The 95th percentile.
    pub p95: Option<f64>,
    /// The 99th percentile.
    pub p99: Option<f64>,
}

fn kind_name<S: Serializer>(kind: &MetricKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Row {
    /// The accumulated values of a metric, in its unit.
    pub fn of(metric: &Metric, values: &Accumulator) -> Row {
        let whole = |quanta: Option<i64>| quanta.map(|quanta| metric.value(quanta as f64));
        let percentile = |percent: u32| whole(values.quantile(f64::from(percent) / 100.0));
        Row {
            kind: metric.kind(),
            observed: false,
            unit: metric.unit_symbol(),
            count: values.count(),
            sum: metric.value(values.sum() as f64),
            mean: values.mean().map(|quanta| metric.value(quanta)),
            min: whole(values.min()),
            max: whole(values.max()),
            std: values.std().map(|quanta| metric.value(quanta)),
            p1: percentile(1),
            p5: percentile(5),
            p10: percentile(10),
            p25: percentile(25),
            p50: percentile(50),
            p75: percentile(75),
            p90: percentile(90),
            p95: percentile(95),
            p99: percentile(99),
        }
    }
}

/// Reads one number of a row; `None` when it has no value.
pub type Statistic = fn(&Row) -> Option<f64>;

/// The numbers of a row by the names that they have in JSON, in that order.
pub const STATISTICS: [(&str, Statistic); 15] = [
    ("count", |row| Some(row.count as f64)),
    ("sum", |row| Some(row.sum)),
    ("mean", |row| row.mean),
    ("min", |row| row.min),
    ("max", |row| row.max),
    ("std", |row| row.std),
    ("p1", |row| row.p1),
    ("p5", |row| row.p5),
    ("p10", |row| row.p10),
    ("p25", |row| row.p25),
    ("p50", |row| row.p50),
    ("p75", |row| row.p75),
    ("p90", |row| row.p90),
    ("p95", |row| row.p95),
    ("p99", |row| row.p99),
];

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use peerlet_core::{SECOND, Time};

    use super::*;
    use crate::epochs::Epochs;
    use crate::measurements::EpochMeasurements;
    use crate::metric_entry::MetricEntry;

    fn summary() -> Summary {
        let entries = [
            MetricEntry::new("hello", Metric::counter("answers")),
            MetricEntry::new("chord", Metric::histogram("lookup").unit("ms").quantum(0.25)),
            MetricEntry::new("chord", Metric::gauge("fingers").quantum(1.0)),
        ];
        let grid = Epochs::new(SECOND, Time::ZERO..Time::ZERO + SECOND).unwrap();
        let mut measurements = Measurements::new(entries.into(), grid);
        let mut epoch = EpochMeasurements::new(0, Time::ZERO..Time::ZERO + SECOND, 3);
        (0..1_500_000).for_each(|_| epoch.accumulators[0].record(1));
        (1..=1000).for_each(|i| epoch.accumulators[1].record(i * i));
        measurements.add(epoch);
        Summary::of(&measurements)
    }

    #[test]
    fn table() {
        expect![[r#"
            metric         unit    count      sum   mean    std   min    p50     p95     p99     max
            chord/fingers  1           0               -      -     -      -       -       -       -
            chord/lookup   ms       1000           83458  74643  0.25  62592  225792  245248  250000
            hello/answers  1     1500000  1500000
        "#]]
        .assert_eq(&summary().to_string());
    }

    #[test]
    fn json() {
        let mut summary = summary();
        summary.rows.retain(|name, _| name.starts_with("chord"));
        expect![[r#"
            {
              "chord/fingers": {
                "kind": "gauge",
                "unit": "1",
                "count": 0,
                "sum": 0.0,
                "mean": null,
                "min": null,
                "max": null,
                "std": null,
                "p1": null,
                "p5": null,
                "p10": null,
                "p25": null,
                "p50": null,
                "p75": null,
                "p90": null,
                "p95": null,
                "p99": null
              },
              "chord/lookup": {
                "kind": "distribution",
                "unit": "ms",
                "count": 1000,
                "sum": 83458375.0,
                "mean": 83458.375,
                "min": 0.25,
                "max": 250000.0,
                "std": 74642.76266128106,
                "p1": 25.0,
                "p5": 625.75,
                "p10": 2503.75,
                "p25": 15647.75,
                "p50": 62591.75,
                "p75": 140799.75,
                "p90": 202239.75,
                "p95": 225791.75,
                "p99": 245247.75
              }
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&summary).unwrap());
    }

    #[test]
    fn statistics_are_the_numbers_of_the_json_object() {
        for row in summary().rows.values() {
            let json = serde_json::to_value(row).unwrap();
            assert_eq!(json.as_object().unwrap().len(), STATISTICS.len() + 2, "and kind and unit");
            for (name, statistic) in STATISTICS {
                assert_eq!(json[name].as_f64(), statistic(row), "{name}");
            }
        }
    }
}
