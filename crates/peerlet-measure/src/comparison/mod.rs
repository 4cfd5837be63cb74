//! The comparison of two sides of runs, say of simulated and emulated ones.

mod decision;
mod distance;
mod reason;
mod row;
mod table;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::statistics::{MetricStatistics, RunStatistics};
pub use decision::Undecided;
pub use distance::KsDistance;
pub use row::{ComparedMetric, ComparedStatistic, Verdict};
use row::{MESSAGES, Side, Sides};

/// The most runs of one side. Their distributions are held at once, and by then an interval is
/// about as narrow as it gets.
pub const RUNS_MAX: usize = 1000;

/// How far two sides may lie apart and still be held to be the same.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Limits {
    /// The largest relative error of a distribution's mean, median and 95th percentile, and of a
    /// gauge's mean. The default is 2 %: well above the histograms' own error of 0.4 %.
    pub within: f64,
    /// The largest Kolmogorov-Smirnov distance of a distribution. The default is 0.05: no share of
    /// values up to any bound differs by more than 5 points.
    pub ks: f64,
    /// The largest relative error of a counter, and of the messages sent and delivered. The default
    /// is 1 %.
    pub counts: f64,
    /// A metric that has fewer values than this on one side, and fewer than twice as many on the
    /// other, is not judged. The default is 100.
    pub samples: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { within: 0.02, ks: 0.05, counts: 0.01, samples: 100 }
    }
}

/// Two sides of runs, metric by metric.
///
/// A number of a side is its mean over the side's runs. A relative error is that of
/// [`RelativeError::paired`] when both sides have the same seeds, each once, and else that of
/// [`RelativeError::unpaired`]. Each has a 90 % interval over the runs, and that decides: a number
/// *held* when its interval lies within the limits on both sides, which is two one-sided tests at
/// 5 % each; it *failed* when its interval lies outside; else it is *inconclusive*, and the row
/// says how many seeds a side would decide it ([`Undecided`]).
///
/// - *Distributions* are judged by the relative errors of mean, median and 95th percentile, against
///   [`Limits::within`], and by the distance ([`KsDistance`]), against [`Limits::ks`]. Percentiles
///   of whole numbers move in whole steps, so their limit is the metric's quantum where that is
///   more.
/// - *Gauges* are judged by their mean.
/// - *Counters*, and the messages sent and delivered, are judged by their sum, against
///   [`Limits::counts`]. What was dropped is shown by cause.
/// - A row failed when any of that failed, else it is inconclusive when any of that is, else it
///   held.
/// - Metrics that neither side has a value of are counted and passed over. A metric that only one
///   side has fails.
/// - One run a side has no interval, so it is inconclusive; but two runs that are the same in every
///   number and every value held, since nothing differs.
///
/// Displayed it is a table for people; [`markdown`](Comparison::markdown) is one for documents.
///
/// ```
/// use peerlet_core::{Metric, SECOND, Time};
/// use peerlet_measure::{Comparison, Epochs, Ledger, Limits, MetricEntry, Recorder, RunStatistics};
/// let run = |seed: u64, slower: i64| {
///     let time = Metric::histogram("time").unit("ms").quantum(1.0);
///     let (table, end) = ([MetricEntry::new("hello", time)], Time::ZERO + SECOND);
///     let epochs = Epochs::new(SECOND, Time::ZERO..end).expect("an epoch");
///     let mut recorder = Recorder::new(table.into(), epochs);
///     (0..1000).for_each(|i| recorder.record(0, 500 + i + slower));
///     RunStatistics::of(seed, &recorder.finish(end), &Ledger::default())
/// };
/// let left = [run(1, 0), run(2, 2)];
/// let same = Comparison::of(&left, &[run(1, 1), run(2, 3)], &Limits::default())?;
/// assert!(same.holds());
/// let other = Comparison::of(&left, &[run(1, 100), run(2, 102)], &Limits::default())?;
/// assert_eq!(other.failed().collect::<Vec<_>>(), ["hello/time"]);
/// let single = Comparison::of(&[run(1, 0)], &[run(1, 1)], &Limits::default())?;
/// assert_eq!(single.inconclusive().count(), 1, "one run a side has no interval");
/// # Ok::<(), peerlet_measure::CompareError>(())
/// ```
///
/// [`RelativeError::paired`]: crate::RelativeError::paired
/// [`RelativeError::unpaired`]: crate::RelativeError::unpaired
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Comparison {
    /// The limits that were applied.
    pub limits: Limits,
    /// Whether runs of the same seed were compared with each other.
    pub paired: bool,
    /// Messages first, then the metrics by name.
    pub rows: Vec<ComparedMetric>,
    /// How many metrics are passed over since neither side has a value of them.
    pub without_values: usize,
}

impl Comparison {
    /// Compares the runs of both sides.
    ///
    /// # Errors
    /// Refuses sides without runs or with more than [`RUNS_MAX`], and metrics that are not of the
    /// same kind, unit and quantum in all runs.
    pub fn of(
        left: &[RunStatistics],
        right: &[RunStatistics],
        limits: &Limits,
    ) -> Result<Comparison, CompareError> {
        for (side, runs) in [("left", left.len()), ("right", right.len())] {
            if runs == 0 {
                return Err(CompareError::NoRuns { side });
            }
            if runs > RUNS_MAX {
                return Err(CompareError::TooManyRuns { side, runs });
            }
        }
        let mode = Mode::of(left, right);
        let of = |sides: &Sides<'_>| ComparedMetric::of(sides, mode, limits);
        let mut rows = messages(left, right, &of);
        let mut without_values = 0;
        let names = left.iter().chain(right).flat_map(|run| run.metrics.keys());
        for name in names.collect::<BTreeSet<_>>() {
            check_alike(name, left.iter().chain(right))?;
            let (of_left, of_right) = (Side::of(left, name), Side::of(right, name));
            let sides = Sides { name, left: of_left, right: of_right, is_judged: true };
            match sides.has_values() {
                true => rows.push(of(&sides)),
                false => without_values += 1,
            }
        }
        let paired = is_paired(left, right);
        Ok(Comparison { limits: *limits, paired, rows, without_values })
    }

    /// The rows that failed, by name.
    pub fn failed(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().filter(|row| row.verdict.is_failure()).map(|row| row.metric.as_str())
    }

    /// The rows that are inconclusive.
    pub fn inconclusive(&self) -> impl Iterator<Item = &ComparedMetric> {
        self.rows.iter().filter(|row| row.verdict == Verdict::Inconclusive)
    }

    /// The verdict on all: failed when a row failed, else inconclusive when a row is or nothing was
    /// judged, else held.
    pub fn verdict(&self) -> Verdict {
        let judged = [Verdict::Held, Verdict::Inconclusive].map(|verdict| self.count(verdict));
        match (self.failed().next(), judged) {
            (Some(_), _) => Verdict::Failed,
            (None, [held, 0]) if held > 0 => Verdict::Held,
            (None, _) => Verdict::Inconclusive,
        }
    }

    /// How many rows have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|row| row.verdict == verdict).count()
    }

    /// Whether there was something to judge, and all of it held.
    pub fn holds(&self) -> bool {
        self.verdict() == Verdict::Held
    }
}

/// How the runs of both sides belong together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    /// One run a side, and both measured the same in every number and every value.
    Same,
    /// Both sides have the same seeds, each of them once.
    Paired,
    /// The sides have other seeds.
    Unpaired,
}

impl Mode {
    fn of(left: &[RunStatistics], right: &[RunStatistics]) -> Mode {
        if let ([one], [other]) = (left, right)
            && (&one.metrics, &one.messages) == (&other.metrics, &other.messages)
        {
            return Mode::Same;
        }
        if is_paired(left, right) { Mode::Paired } else { Mode::Unpaired }
    }
}

/// Whether both sides have the same seeds, each of them once.
fn is_paired(left: &[RunStatistics], right: &[RunStatistics]) -> bool {
    let seeds =
        |runs: &[RunStatistics]| -> BTreeSet<u64> { runs.iter().map(|run| run.seed).collect() };
    let (of_left, of_right) = (seeds(left), seeds(right));
    of_left == of_right && of_left.len() == left.len() && of_right.len() == right.len()
}

/// The accounts of messages as counters: what was sent and delivered, and for whoever looks for a
/// reason what was dropped.
fn messages(
    left: &[RunStatistics],
    right: &[RunStatistics],
    of: &impl Fn(&Sides<'_>) -> ComparedMetric,
) -> Vec<ComparedMetric> {
    let causes = left.iter().chain(right).flat_map(|run| run.messages.dropped.keys());
    let causes: BTreeSet<&String> = causes.collect();
    let mut accounts: Vec<(String, bool, Account<'_>)> = vec![
        (format!("{MESSAGES}sent"), true, Box::new(|run| run.messages.sent)),
        (format!("{MESSAGES}delivered"), true, Box::new(|run| run.messages.delivered)),
    ];
    accounts.extend(causes.into_iter().map(|cause| {
        let account = move |run: &RunStatistics| run.messages.dropped.get(cause).copied();
        let account: Account<'_> = Box::new(move |run| account(run).unwrap_or(0));
        (format!("{MESSAGES}dropped/{cause}"), false, account)
    }));
    let mut rows = Vec::new();
    for (name, is_judged, account) in &accounts {
        let counted = |runs: &[RunStatistics]| -> Vec<MetricStatistics> {
            runs.iter().map(|run| MetricStatistics::counted(account(run))).collect()
        };
        let (counts_left, counts_right) = (counted(left), counted(right));
        let (left, right) = (Side::listed(left, &counts_left), Side::listed(right, &counts_right));
        let sides = Sides { name, left, right, is_judged: *is_judged };
        if sides.has_values() {
            rows.push(of(&sides));
        }
    }
    rows
}

/// Reads one number off a run's account of messages.
type Account<'a> = Box<dyn Fn(&RunStatistics) -> u64 + 'a>;

fn check_alike<'a>(
    name: &str,
    runs: impl Iterator<Item = &'a RunStatistics>,
) -> Result<(), CompareError> {
    let mut first: Option<&MetricStatistics> = None;
    for metric in runs.filter_map(|run| run.metrics.get(name)) {
        let known = *first.get_or_insert(metric);
        if (metric.kind, &metric.unit, metric.quantum) != (known.kind, &known.unit, known.quantum) {
            let text = |m: &MetricStatistics| {
                format!("a {} in steps of {} {}", m.kind.name(), m.quantum, m.unit)
            };
            let (metric, one, other) = (name.to_owned(), text(known), text(metric));
            return Err(CompareError::Differ { metric, one, other });
        }
    }
    Ok(())
}

/// Why runs cannot be compared.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CompareError {
    /// A side has no runs.
    NoRuns {
        /// `left` or `right`.
        side: &'static str,
    },
    /// A side has more than [`RUNS_MAX`] runs.
    TooManyRuns {
        /// `left` or `right`.
        side: &'static str,
        /// How many it has.
        runs: usize,
    },
    /// A metric is not the same in all runs.
    Differ {
        /// Its full name.
        metric: String,
        /// Its description in one run.
        one: String,
        /// Its description in another one.
        other: String,
    },
}

impl fmt::Display for CompareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompareError::NoRuns { side } => {
                write!(f, "there are no runs on the {side}; give at least one")
            }
            CompareError::TooManyRuns { side, runs } => {
                write!(f, "there are {runs} runs on the {side}; give at most {RUNS_MAX}")
            }
            CompareError::Differ { metric, one, other } => write!(
                f,
                "`{metric}` is {one} in one run and {other} in another; \
                 compare runs of the same program"
            ),
        }
    }
}

impl std::error::Error for CompareError {}

#[cfg(test)]
mod tests;
