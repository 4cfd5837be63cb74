//! The Kolmogorov-Smirnov distance between two distributions, with its interval.

use serde::Serialize;

use super::Undecided;
use super::decision::{Decision, NARROW, decide, plan};
use super::row::{Sides, Verdict};
use crate::histogram::Histogram;
use crate::relative::{difference, ks_critical, mean};
use crate::spread::Spread;
use crate::student::{NORMAL_90, NORMAL_95, student_t_one_sided};

/// The distance between two distributions.
///
/// Its interval is made of the runs, as any other is, and not of the single values, which depend on
/// each other within a run. At each bound there is a share of values up to it in each run, so the
/// two sides differ by a mean over runs, with a margin by Student's t. The upper end is the largest
/// sum of difference and margin at any bound: the distance is within the limit when the difference
/// is at every bound, each tested at 5 %. The lower end is the largest difference less a margin
/// that allows for its being the largest of many: the standard error at the worst bound, by the
/// one-sided Kolmogorov distribution instead of the normal one.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct KsDistance {
    /// The distance by Kolmogorov and Smirnov, from 0 to 1: the largest difference between the
    /// shares of values up to any bound, each a mean over the runs of its side.
    pub distance: f64,
    /// The distance that two samples of one distribution exceed in 5 of 100 cases.
    pub critical: f64,
    /// The two ends of its 90 % interval; `None` where a side has a single run.
    pub interval: Option<[f64; 2]>,
    /// Whether it is within the limit; `None` when it is only shown or inconclusive.
    pub held: Option<bool>,
    /// The verdict on it; `None` when it is only shown.
    pub verdict: Option<Verdict>,
    /// Why the verdict is inconclusive, where it is.
    pub undecided: Option<Undecided>,
}

/// The 95th percentile of the largest of many differences, in standard errors at the worst bound:
/// twice sqrt(-ln(0.05) / 2), from the limit of the one-sided distance's distribution
/// (Smirnov 1939), where the normal quantile is for a single bound.
const LARGEST_95: f64 = 2.447_747;

impl KsDistance {
    /// Compares the values of all runs; `None` where a side has none.
    pub(super) fn of(sides: &Sides<'_>, paired: bool) -> Option<(KsDistance, Differences)> {
        let (left, right) = (sides.left.samples(), sides.right.samples());
        let critical = ks_critical(left, right)?;
        let differences = Differences::of(sides, paired);
        let (distance, interval) = (differences.distance(), differences.interval());
        let (held, verdict, undecided) = (None, None, None);
        Some((KsDistance { distance, critical, interval, held, verdict, undecided }, differences))
    }

    /// Takes a verdict.
    pub(super) fn judge(&mut self, (verdict, undecided): Decision) {
        (self.verdict, self.undecided) = (Some(verdict), undecided);
        self.held = verdict.held();
    }
}

/// The differences between two sides' shares of values up to each bound.
pub(super) struct Differences(Vec<(f64, Option<Spread>)>);

impl Differences {
    fn of(sides: &Sides<'_>, paired: bool) -> Differences {
        let (mut left, mut right) =
            (Shares::of(sides.left.histograms()), Shares::of(sides.right.histograms()));
        let mut all = Vec::new();
        while let Some(bound) = left.next().into_iter().chain(right.next()).min() {
            left.go(bound);
            right.go(bound);
            all.push(match paired && left.seeds == right.seeds {
                true => {
                    let pairs = left.shares.iter().zip(&right.shares);
                    let apart: Vec<f64> = pairs.map(|(left, right)| right - left).collect();
                    (mean(&apart).unwrap_or(0.0), Spread::of(&apart))
                }
                false => difference(&left.shares, &right.shares).unwrap_or((0.0, None)),
            });
        }
        Differences(all)
    }

    fn distance(&self) -> f64 {
        self.0.iter().map(|(apart, _)| apart.abs()).fold(0.0, f64::max)
    }

    fn spreads(&self) -> impl Iterator<Item = (f64, &Spread)> {
        self.0.iter().filter_map(|(apart, spread)| Some((apart.abs(), spread.as_ref()?)))
    }

    /// The spread at the bound at which it is largest.
    fn widest(&self) -> Option<&Spread> {
        let spreads = self.spreads().map(|(_, spread)| spread);
        spreads.max_by(|one, other| one.margin().total_cmp(&other.margin()))
    }

    fn interval(&self) -> Option<[f64; 2]> {
        let allowance = self.widest()?.margin() * LARGEST_95 / NORMAL_95;
        let upper = self.spreads().map(|(apart, spread)| apart + spread.margin());
        let lower = (self.distance() - allowance).max(0.0);
        Some([lower, upper.fold(0.0, f64::max).min(1.0)])
    }

    /// The verdict on the distance.
    pub(super) fn decide(&self, limit: f64) -> Decision {
        let (Some([lower, upper]), Some(widest)) = (self.interval(), self.widest()) else {
            return decide(self.distance(), None, limit);
        };
        if upper <= limit {
            return (Verdict::Held, None);
        }
        if lower > limit {
            return (Verdict::Failed, None);
        }
        let root = |n: u64| (n as f64).sqrt();
        let likely = |n: u64| {
            let by_t = student_t_one_sided(n - 1);
            let largest = (by_t * LARGEST_95 / NORMAL_95 + NORMAL_90) * widest.of_one / root(n);
            let within = |(apart, spread): (f64, &Spread)| {
                apart + (by_t + NORMAL_90) * spread.of_one / root(n) <= limit
            };
            self.distance() - largest > limit || self.spreads().all(within)
        };
        let half = |of_one: f64, n: u64| student_t_one_sided(n - 1) * of_one / root(n);
        let narrow = |n: u64| half(widest.of_one, n) <= limit * NARROW;
        let is_narrow = widest.margin() <= limit * NARROW;
        (Verdict::Inconclusive, Some(plan(widest.runs, is_narrow, likely, narrow)))
    }
}

/// The shares of values up to a bound that goes up, in each run of a side that has values.
struct Shares {
    seeds: Vec<u64>,
    shares: Vec<f64>,
    /// Of each run: bounds ascending, and the share of values up to each.
    steps: Vec<std::iter::Peekable<std::vec::IntoIter<(i64, f64)>>>,
}

impl Shares {
    fn of<'a>(runs: impl Iterator<Item = (u64, &'a Histogram)>) -> Shares {
        let (mut seeds, mut steps) = (Vec::new(), Vec::new());
        for (seed, histogram) in runs.filter(|(_, histogram)| !histogram.is_empty()) {
            let (total, mut seen) = (histogram.count() as f64, 0);
            let up_to = histogram.buckets().map(|bucket| {
                seen += bucket.count;
                (bucket.upper, seen as f64 / total)
            });
            seeds.push(seed);
            steps.push(up_to.collect::<Vec<_>>().into_iter().peekable());
        }
        Shares { shares: vec![0.0; seeds.len()], seeds, steps }
    }

    /// The next bound.
    fn next(&mut self) -> Option<i64> {
        self.steps.iter_mut().filter_map(|steps| Some(steps.peek()?.0)).min()
    }

    /// Takes in the values up to a bound.
    fn go(&mut self, bound: i64) {
        for (steps, share) in self.steps.iter_mut().zip(&mut self.shares) {
            if let Some((_, up_to)) = steps.next_if(|(high, _)| *high <= bound) {
                *share = up_to;
            }
        }
    }
}
