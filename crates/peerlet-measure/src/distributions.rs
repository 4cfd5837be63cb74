//! `distributions.csv`: the whole distribution of each metric after the warm-up, and back.
//!
//! The text may be anybody's: each line is checked, and takes memory bounded by its length.

use std::collections::BTreeMap;
use std::{fmt, io};

use peerlet_core::{Metric, MetricKind};

use crate::csv::{RecordError, Records, quoted};
use crate::histogram::{Histogram, ends};
use crate::measurements::Measurements;

/// The most values of one metric in one run that are read back: 2^48, more than a run makes in a
/// year, so that those of all runs that are ever compared fit into 64 bits.
const VALUES_MAX: u64 = 1 << 48;

/// The first line. It names the format: another one is another version's.
const HEADER: &str = "metric,unit,kind,quantum,low,high,count";

/// Writes a header, then one line for each bucket of values that is not empty, in ascending order,
/// metric by metric. A metric without a value has one line without ends, with a count of 0.
///
/// The smallest and the largest value that fall into a bucket are in the metric's unit, whole
/// multiples of its quantum, with as many digits as tell floats apart. Quoted as in RFC 4180; lines
/// end with a line feed alone. [`read_distributions`] reads it back.
///
/// # Errors
/// Gives on what the writer says.
pub fn write_distributions(
    measurements: &Measurements,
    out: &mut impl io::Write,
) -> io::Result<()> {
    writeln!(out, "{HEADER}")?;
    for (entry, values) in measurements.metrics().iter().zip(measurements.total()) {
        let metric = &entry.metric;
        let (name, unit) = (quoted(&entry.full_name), quoted(metric.unit_symbol()));
        let head = format!("{name},{unit},{},{}", metric.kind().name(), metric.resolution());
        if values.is_empty() {
            writeln!(out, "{head},,,0")?;
        }
        for bucket in values.histogram().buckets() {
            let [low, high] = ends(bucket.lower).map(|quanta| metric.value(quanta as f64));
            writeln!(out, "{head},{low},{high},{}", bucket.count)?;
        }
    }
    Ok(())
}

/// One metric as `distributions.csv` tells it.
#[derive(Clone, PartialEq, Debug)]
pub struct RecordedDistribution {
    /// How the values are to be read.
    pub kind: MetricKind,
    /// The unit's symbol, `1` for plain numbers.
    pub unit: String,
    /// The resolution in units: what the histogram counts in.
    pub quantum: f64,
    /// How the values are spread.
    pub histogram: Histogram,
}

/// Reads back what [`write_distributions`] wrote: the metrics by full name.
///
/// ```
/// use peerlet_measure::read_distributions;
/// let header = "metric,unit,kind,quantum,low,high,count\n";
/// let text = format!("{header}hello/time,s,distribution,0.001,0.5,0.501,3\n");
/// let read = read_distributions(&text)?;
/// assert_eq!(read["hello/time"].histogram.quantile(0.5), Some(500));
/// let error = read_distributions(&text.replace("0.501", "0.502")).expect_err("no such bucket");
/// assert_eq!(error.line(), 2);
/// # Ok::<(), peerlet_measure::DistributionsError>(())
/// ```
///
/// # Errors
/// Refuses other versions, texts that are cut short, and lines that no run writes.
pub fn read_distributions(
    text: &str,
) -> Result<BTreeMap<String, RecordedDistribution>, DistributionsError> {
    let mut records = Records::new(text);
    let header = records.next().transpose().map_err(DistributionsError::record)?;
    let header = header.map(|(_, fields)| fields.join(",")).unwrap_or_default();
    if header != HEADER {
        return Err(DistributionsError::Version { found: header });
    }
    let (mut all, mut last) = (BTreeMap::<String, RecordedDistribution>::new(), Last::default());
    for record in records {
        let (line, fields) = record.map_err(DistributionsError::record)?;
        let found = fields.len();
        let fields: [String; 7] =
            fields.try_into().map_err(|_| DistributionsError::Fields { line, found })?;
        let BucketLine { name, metric, bucket } = BucketLine::read(line, &fields)?;
        let known = all.contains_key(&name);
        if known != (last.name.as_ref() == Some(&name)) {
            return Err(DistributionsError::Order { line });
        }
        let distribution = all.entry(name.clone()).or_insert_with(|| metric.clone());
        let RecordedDistribution { kind, unit, quantum, .. } = &metric;
        if (kind, unit, quantum) != (&distribution.kind, &distribution.unit, &distribution.quantum)
        {
            return Err(DistributionsError::Changed { line });
        }
        if !known {
            last = Last { name: Some(name), ..Last::default() };
        }
        last.take(line, bucket, &mut distribution.histogram)?;
    }
    Ok(all)
}

/// The metric that is being read, and how far it is.
#[derive(Default)]
struct Last {
    name: Option<String>,
    /// Whether it has a line that says that it has no values.
    none: bool,
    /// The lower end of its last bucket.
    lower: Option<i64>,
    total: u64,
}

impl Last {
    fn take(
        &mut self,
        line: usize,
        bucket: Option<(i64, u64)>,
        histogram: &mut Histogram,
    ) -> Result<(), DistributionsError> {
        let in_order = match bucket {
            None => !self.none && self.lower.is_none(),
            Some((lower, _)) => !self.none && self.lower.is_none_or(|last| last < lower),
        };
        if !in_order {
            return Err(DistributionsError::Order { line });
        }
        let Some((lower, count)) = bucket else {
            self.none = true;
            return Ok(());
        };
        self.lower = Some(lower);
        self.total = self.total.saturating_add(count);
        if self.total > VALUES_MAX {
            return Err(DistributionsError::TooMany { line });
        }
        histogram.record_n(lower, count);
        Ok(())
    }
}

/// The contents of one line.
struct BucketLine {
    name: String,
    /// The metric, without a value yet.
    metric: RecordedDistribution,
    /// The lower end of a bucket in quanta, and its count; `None` where there are no values.
    bucket: Option<(i64, u64)>,
}

impl BucketLine {
    fn read(line: usize, fields: &[String; 7]) -> Result<BucketLine, DistributionsError> {
        let [name, unit, kind, quantum, low, high, count] = fields;
        let wrong =
            |field, text: &String| DistributionsError::Number { line, field, text: text.clone() };
        let kinds = [MetricKind::Counter, MetricKind::Gauge, MetricKind::Histogram];
        let kind = kinds.into_iter().find(|known| known.name() == kind);
        let kind = kind.ok_or(DistributionsError::Kind { line })?;
        let number = |field, text: &String| {
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
            number.ok_or_else(|| wrong(field, text))
        };
        let step = number("quantum", quantum)?;
        if step <= 0.0 {
            return Err(wrong("quantum", quantum));
        }
        let many: u64 = count.parse().map_err(|_| wrong("count", count))?;
        let bucket = if low.is_empty() && high.is_empty() && many == 0 {
            None
        } else {
            let metric = Metric::histogram("").quantum(step);
            let quanta = |field, text| number(field, text).map(|value| metric.quanta(value));
            let (low, high) = (quanta("low", low)?, quanta("high", high)?);
            let ends = low.map(ends).filter(|ends| Some(ends[0]) == low && Some(ends[1]) == high);
            match ends {
                Some([lower, _]) if many > 0 => Some((lower, many)),
                _ => return Err(DistributionsError::Bucket { line }),
            }
        };
        let histogram = Histogram::default();
        let metric = RecordedDistribution { kind, unit: unit.clone(), quantum: step, histogram };
        Ok(BucketLine { name: name.clone(), metric, bucket })
    }
}

/// Why a text is no `distributions.csv` of this version.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DistributionsError {
    /// The first line is not the one of this version.
    Version {
        /// The line.
        found: String,
    },
    /// The text ends within a line.
    CutShort {
        /// The line, counted from 1.
        line: usize,
    },
    /// A quote is not where one can be.
    Quote {
        /// The line, counted from 1.
        line: usize,
    },
    /// A line has another number of fields.
    Fields {
        /// The line, counted from 1.
        line: usize,
        /// How many it has.
        found: usize,
    },
    /// A field is no number, or none that it can be.
    Number {
        /// The line, counted from 1.
        line: usize,
        /// The name of the field.
        field: &'static str,
        /// Its text.
        text: String,
    },
    /// There is no such kind of metric.
    Kind {
        /// The line, counted from 1.
        line: usize,
    },
    /// No bucket that holds values has these ends.
    Bucket {
        /// The line, counted from 1.
        line: usize,
    },
    /// Buckets do not ascend, or a metric's lines are in two places.
    Order {
        /// The line, counted from 1.
        line: usize,
    },
    /// A metric has another unit, kind or quantum than in the line before.
    Changed {
        /// The line, counted from 1.
        line: usize,
    },
    /// A metric has more values than a run can make.
    TooMany {
        /// The line, counted from 1.
        line: usize,
    },
}

impl DistributionsError {
    fn record(error: RecordError) -> DistributionsError {
        match error {
            RecordError::CutShort { line } => DistributionsError::CutShort { line },
            RecordError::Quote { line } => DistributionsError::Quote { line },
        }
    }

    /// The line that is wrong, counted from 1.
    pub fn line(&self) -> usize {
        match self {
            DistributionsError::Version { .. } => 1,
            DistributionsError::CutShort { line }
            | DistributionsError::Quote { line }
            | DistributionsError::Fields { line, .. }
            | DistributionsError::Number { line, .. }
            | DistributionsError::Kind { line }
            | DistributionsError::Bucket { line }
            | DistributionsError::Order { line }
            | DistributionsError::Changed { line }
            | DistributionsError::TooMany { line } => *line,
        }
    }
}

impl fmt::Display for DistributionsError {
    /// Says what is wrong and what to do, without the line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DistributionsError::Version { .. } => {
                return write!(
                    f,
                    "the first line is not `{HEADER}`; \
                     read the run with the version that wrote it, or run it again"
                );
            }
            DistributionsError::CutShort { .. } => f.write_str("the file ends within this line"),
            DistributionsError::Quote { .. } => f.write_str("a quote is not where one can be"),
            DistributionsError::Fields { found, .. } => {
                write!(f, "the number of fields is {found}, not 7")
            }
            DistributionsError::Number { field, text, .. } => {
                let start: String = text.chars().take(40).collect();
                write!(f, "`{field}` cannot be `{start}`")
            }
            DistributionsError::Kind { .. } => {
                f.write_str("`kind` is none of counter, gauge and distribution")
            }
            DistributionsError::Bucket { .. } => {
                f.write_str("no bucket that holds values has these ends")
            }
            DistributionsError::Order { .. } => {
                f.write_str("this line is not in the order of buckets and metrics")
            }
            DistributionsError::Changed { .. } => {
                f.write_str("the metric has another unit, kind or quantum in the line before")
            }
            DistributionsError::TooMany { .. } => {
                f.write_str("the metric has more than 2^48 values")
            }
        }?;
        f.write_str("; run it again")
    }
}

impl std::error::Error for DistributionsError {}

#[cfg(test)]
mod tests;
