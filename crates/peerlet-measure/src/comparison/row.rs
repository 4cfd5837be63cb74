//! One metric of both sides, and the verdict on it.

use peerlet_core::MetricKind;
use serde::{Serialize, Serializer};

use super::decision::{Decision, Undecided, decide};
use super::distance::{Differences, KsDistance};
use super::{Limits, Mode};
use crate::histogram::Histogram;
use crate::relative::{RelativeError, difference, mean};
use crate::spread::Spread;
use crate::statistics::{MetricStatistics, RunStatistics};

/// The prefix of the names of message accounts.
pub(super) const MESSAGES: &str = "messages/";

/// The comparison of one metric of both sides.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ComparedMetric {
    /// Its full name, or `messages/` and the name of an account.
    pub metric: String,
    /// The unit's symbol, `1` for plain numbers.
    pub unit: String,
    /// How its values are read.
    #[serde(serialize_with = "name_of")]
    pub kind: MetricKind,
    /// How many values the left and the right side have, all runs together.
    pub samples: [u64; 2],
    /// Its statistics: of a counter the sum, of others the count, the mean and percentiles.
    #[serde(rename = "figures")]
    pub statistics: Vec<ComparedStatistic>,
    /// How far apart the values of both sides lie; `None` for counters, and where a side has none.
    pub ks: Option<KsDistance>,
    /// The verdict on the metric.
    pub verdict: Verdict,
    /// Why the verdict is inconclusive, where it is: of several reasons the one that takes most.
    pub undecided: Option<Undecided>,
}

/// One statistic of both sides.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ComparedStatistic {
    /// Its name, one of [`STATISTICS`](crate::STATISTICS).
    #[serde(rename = "figure")]
    pub name: &'static str,
    /// Its mean over the runs of the left side that have it.
    pub left: Option<f64>,
    /// Its mean over the runs of the right side that have it.
    pub right: Option<f64>,
    /// The relative error of the right side; `None` where a side has no value, and where the left
    /// one is zero and the right one is not.
    pub error: Option<RelativeError>,
    /// The two ends of the error's 90 % interval; `None` where a side has a single run.
    pub interval: Option<[f64; 2]>,
    /// The largest relative error that is allowed; `None` for a number that is only shown, and
    /// where there is no relative error.
    pub limit: Option<f64>,
    /// Whether it is within the limit; `None` for a number that is only shown or inconclusive.
    pub held: Option<bool>,
    /// The verdict on it; `None` for a number that is only shown.
    pub verdict: Option<Verdict>,
    /// Why the verdict is inconclusive, where it is.
    pub undecided: Option<Undecided>,
    /// The difference in units, where there is no relative error.
    #[serde(skip)]
    difference: Option<(f64, Option<Spread>)>,
}

/// The verdict on a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All that is judged is within its limit: its 90 % interval is.
    Held,
    /// Something is beyond its limit: all of its 90 % interval is.
    Failed,
    /// Nothing failed, and a limit lies within an interval, or there is none.
    Inconclusive,
    /// Only the left side has it: a failure.
    OnlyLeft,
    /// Only the right side has it: a failure.
    OnlyRight,
    /// There are too few values to judge.
    TooFew,
    /// It is there for information.
    Shown,
}

impl Verdict {
    /// Whether the comparison fails for it.
    pub fn is_failure(self) -> bool {
        match self {
            Verdict::Failed | Verdict::OnlyLeft | Verdict::OnlyRight => true,
            Verdict::Held | Verdict::Inconclusive | Verdict::TooFew | Verdict::Shown => false,
        }
    }

    /// Whether it says that a limit is kept; `None` where it leaves that open.
    pub(super) fn held(self) -> Option<bool> {
        match self {
            Verdict::Held => Some(true),
            Verdict::Failed | Verdict::OnlyLeft | Verdict::OnlyRight => Some(false),
            Verdict::Inconclusive | Verdict::TooFew | Verdict::Shown => None,
        }
    }
}

fn name_of<S: Serializer>(kind: &MetricKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

/// One metric in the runs of one side that have it, each with its seed; ascending.
pub(super) struct Side<'a>(Vec<(u64, &'a MetricStatistics)>);

impl<'a> Side<'a> {
    pub(super) fn of(runs: &'a [RunStatistics], name: &str) -> Side<'a> {
        let found = runs.iter().filter_map(|run| Some((run.seed, run.metrics.get(name)?)));
        Side::sorted(found.collect())
    }

    /// From a list beside the runs.
    pub(super) fn listed(runs: &'a [RunStatistics], metrics: &'a [MetricStatistics]) -> Side<'a> {
        Side::sorted(runs.iter().map(|run| run.seed).zip(metrics).collect())
    }

    fn sorted(mut runs: Vec<(u64, &'a MetricStatistics)>) -> Side<'a> {
        runs.sort_by_key(|(seed, _)| *seed);
        Side(runs)
    }

    pub(super) fn samples(&self) -> u64 {
        self.0.iter().fold(0, |sum, (_, metric)| sum.saturating_add(metric.count))
    }

    /// The values of each run, with the run's seed.
    pub(super) fn histograms(&self) -> impl Iterator<Item = (u64, &'a Histogram)> {
        self.0.iter().map(|(seed, metric)| (*seed, &metric.histogram))
    }

    /// A number of each run that has it, with the run's seed.
    fn values(&self, number: Number) -> Vec<(u64, f64)> {
        self.0.iter().filter_map(|(seed, metric)| Some((*seed, number(metric)?))).collect()
    }
}

/// One metric on both sides.
pub(super) struct Sides<'a> {
    pub(super) name: &'a str,
    pub(super) left: Side<'a>,
    pub(super) right: Side<'a>,
    /// Whether it is judged, or only shown.
    pub(super) is_judged: bool,
}

/// Reads a number of a metric; `None` where it has no value.
type Number = fn(&MetricStatistics) -> Option<f64>;

/// The statistics of counters.
const OF_COUNTERS: &[(&str, Number)] = &[("sum", |m| Some(m.sum))];

/// The statistics of the other kinds.
const OF_SAMPLES: &[(&str, Number)] = &[
    ("count", |m| Some(m.count as f64)),
    ("mean", |m| m.mean),
    ("p5", |m| m.p5),
    ("p50", |m| m.p50),
    ("p95", |m| m.p95),
    ("p99", |m| m.p99),
];

impl Sides<'_> {
    /// Whether any run of either side has a value.
    pub(super) fn has_values(&self) -> bool {
        self.left.samples() > 0 || self.right.samples() > 0
    }

    /// The verdict that comes before any number is looked at.
    fn verdict(&self, limits: &Limits) -> Option<Verdict> {
        let (left, right) = (self.left.samples(), self.right.samples());
        let only = if left > 0 { Verdict::OnlyLeft } else { Verdict::OnlyRight };
        let is_few =
            left.min(right) < limits.samples && left.max(right) < limits.samples.saturating_mul(2);
        match () {
            () if !self.is_judged => Some(Verdict::Shown),
            () if self.left.0.is_empty() || self.right.0.is_empty() => Some(only),
            () if is_few => Some(Verdict::TooFew),
            () if left == 0 || right == 0 => Some(only),
            () => None,
        }
    }

    fn statistic(&self, name: &'static str, number: Number, paired: bool) -> ComparedStatistic {
        let (left, right) = (self.left.values(number), self.right.values(number));
        let plain = |side: &[(u64, f64)]| -> Vec<f64> { side.iter().map(|(_, v)| *v).collect() };
        let (of_left, of_right) = (plain(&left), plain(&right));
        let error = if paired {
            let pair = |(seed, value): &(u64, f64)| {
                let index = right.binary_search_by_key(seed, |(seed, _)| *seed).ok()?;
                Some((*value, right[index].1))
            };
            RelativeError::paired(&left.iter().filter_map(pair).collect::<Vec<_>>())
        } else {
            RelativeError::unpaired(&of_left, &of_right)
        };
        ComparedStatistic {
            name,
            left: mean(&of_left),
            right: mean(&of_right),
            error,
            interval: error.and_then(|error| error.interval()),
            limit: None,
            held: None,
            verdict: None,
            undecided: None,
            difference: if error.is_none() { difference(&of_left, &of_right) } else { None },
        }
    }
}

impl ComparedMetric {
    /// Compares a metric that has a value somewhere.
    pub(super) fn of(sides: &Sides<'_>, mode: Mode, limits: &Limits) -> ComparedMetric {
        let any = sides.left.0.first().or(sides.right.0.first());
        let any = any.expect("a metric with a value is in a run").1;
        let (numbers, samples) = match any.kind {
            MetricKind::Counter => (OF_COUNTERS, false),
            MetricKind::Gauge | MetricKind::Histogram => (OF_SAMPLES, true),
        };
        let paired = mode != Mode::Unpaired;
        let statistics =
            numbers.iter().map(|(name, number)| sides.statistic(name, *number, paired));
        let ks = samples.then(|| KsDistance::of(sides, paired)).flatten();
        let mut row = ComparedMetric {
            metric: sides.name.to_owned(),
            unit: any.unit.clone(),
            kind: any.kind,
            samples: [sides.left.samples(), sides.right.samples()],
            statistics: statistics.collect(),
            ks: ks.as_ref().map(|(distance, _)| *distance),
            verdict: sides.verdict(limits).unwrap_or(Verdict::Held),
            undecided: None,
        };
        if row.verdict == Verdict::Held {
            row.judge(ks.map(|(_, differences)| differences), any.quantum, mode, limits);
        }
        row
    }

    fn judge(
        &mut self,
        differences: Option<Differences>,
        quantum: f64,
        mode: Mode,
        limits: &Limits,
    ) {
        let kind = self.kind;
        let limit = |statistic| match (kind, statistic) {
            (MetricKind::Counter, "sum") => Some((limits.counts, 0.0)),
            (MetricKind::Gauge | MetricKind::Histogram, "mean") => Some((limits.within, 0.0)),
            (MetricKind::Histogram, "p50" | "p95") => Some((limits.within, quantum)),
            _ => None,
        };
        let mut decisions = Vec::new();
        for statistic in &mut self.statistics {
            let Some((relative, step)) = limit(statistic.name) else { continue };
            decisions.push(statistic.judge(relative, step, mode));
        }
        if let (MetricKind::Histogram, Some(ks), Some(differences)) =
            (kind, &mut self.ks, differences)
        {
            let decision = match mode {
                Mode::Same => (Verdict::Held, None),
                Mode::Paired | Mode::Unpaired => differences.decide(limits.ks),
            };
            ks.judge(decision);
            decisions.push(decision);
        }
        let found = |wanted| decisions.iter().any(|(verdict, _)| *verdict == wanted);
        if found(Verdict::Failed) {
            self.verdict = Verdict::Failed;
        } else if found(Verdict::Inconclusive) {
            self.verdict = Verdict::Inconclusive;
            self.undecided =
                decisions.iter().filter_map(|(_, undecided)| *undecided).reduce(Undecided::harder);
        }
    }
}

impl ComparedStatistic {
    /// Decides whether the relative error is within this limit, or the difference within one step.
    fn judge(&mut self, relative: f64, step: f64, mode: Mode) -> Decision {
        // A step between floats is off by their last digits.
        let step = step * (1.0 + 1e-9);
        let of_step = self.left.filter(|left| *left != 0.0).map_or(0.0, |left| step / left.abs());
        let limit = relative.max(of_step);
        let decision = match (mode, &self.error, &self.difference) {
            (Mode::Same, ..) => (Verdict::Held, None),
            (_, Some(error), _) => decide(error.value, error.spread.as_ref(), limit),
            (_, None, Some((apart, spread))) => decide(*apart, spread.as_ref(), step),
            (_, None, None) => (Verdict::Failed, None),
        };
        self.limit = self.error.is_some().then_some(limit);
        (self.verdict, self.undecided) = (Some(decision.0), decision.1);
        self.held = decision.0.held();
        decision
    }
}
