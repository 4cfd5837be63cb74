//! The rule that makes a verdict of an interval and a limit, and plans the runs that would decide
//! an open one.

use serde::Serialize;

use super::row::Verdict;
use crate::spread::Spread;
use crate::student::{NORMAL_90, student_t_one_sided};

/// The largest number of seeds that is proposed: nobody emulates more, and a comparison takes no
/// more of one side.
pub(super) const SEEDS_MAX: u64 = super::RUNS_MAX as u64;

/// A margin up to this share of the limit is narrow: only a difference near the limit is open then.
pub(super) const NARROW: f64 = 0.25;

/// Why a verdict is inconclusive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Undecided {
    /// A side has a single run, so there is no interval.
    OneRun,
    /// The interval is wider than the limits allow.
    Spread {
        /// About this many seeds a side would decide it.
        seeds: u64,
    },
    /// The interval is narrow and holds the limit: no number of seeds up to 1,000 would decide it.
    NearLimit,
    /// Runs differ so much that no number of seeds up to 1,000 would decide it.
    TooWide,
}

impl Undecided {
    /// How many seeds a side would decide it, if any number would.
    pub fn seeds(self) -> Option<u64> {
        match self {
            Undecided::Spread { seeds } => Some(seeds),
            Undecided::OneRun | Undecided::NearLimit | Undecided::TooWide => None,
        }
    }

    /// The reason that stands for both: what is hardest to decide comes last.
    pub(super) fn harder(self, other: Undecided) -> Undecided {
        let rank = |of: Undecided| match of {
            Undecided::OneRun => (0, 0),
            Undecided::Spread { seeds } => (1, seeds),
            Undecided::TooWide => (2, 0),
            Undecided::NearLimit => (3, 0),
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

/// A verdict, and why it is inconclusive where it is.
pub(super) type Decision = (Verdict, Option<Undecided>);

/// Decides whether a difference lies within `limit` on both sides of zero, by its 90 % interval:
/// two one-sided tests at 5 % each (Schuirmann 1987).
pub(super) fn decide(value: f64, spread: Option<&Spread>, limit: f64) -> Decision {
    let Some(spread) = spread else {
        return (Verdict::Inconclusive, Some(Undecided::OneRun));
    };
    let (distance, margin) = (value.abs(), spread.margin());
    if distance + margin <= limit {
        return (Verdict::Held, None);
    }
    if distance - margin > limit {
        return (Verdict::Failed, None);
    }
    let root = |n: u64| (n as f64).sqrt();
    // Nine of ten runs of the comparison end on this side of the limit, if it is as estimated.
    let likely = |n: u64| {
        let quantiles = student_t_one_sided(n - 1) + NORMAL_90;
        quantiles * spread.of_one / root(n) <= (distance - limit).abs()
    };
    let narrow = |n: u64| student_t_one_sided(n - 1) * spread.of_one / root(n) <= limit * NARROW;
    let is_narrow = margin <= limit * NARROW;
    (Verdict::Inconclusive, Some(plan(spread.runs, is_narrow, likely, narrow)))
}

/// Finds the number of seeds a side that would decide what `runs` of them leave open: with which a
/// verdict is likely if the difference is as estimated, or with which the interval is narrow,
/// whichever is less. An estimate that is not narrow yet may lie near the limit by chance.
pub(super) fn plan(
    runs: u64,
    is_narrow: bool,
    likely: impl Fn(u64) -> bool,
    narrow: impl Fn(u64) -> bool,
) -> Undecided {
    let by_estimate = first(runs, likely);
    let by_width = if is_narrow { None } else { first(runs, narrow) };
    match by_estimate.into_iter().chain(by_width).min() {
        Some(seeds) => Undecided::Spread { seeds },
        None if is_narrow => Undecided::NearLimit,
        None => Undecided::TooWide,
    }
}

/// The first number beyond `runs`, up to the most, for which this holds; from there on it does.
fn first(runs: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut low, mut high) = (runs + 1, SEEDS_MAX);
    if low > high || !holds(high) {
        return None;
    }
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    Some(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(errors: &[f64], limit: f64) -> Decision {
        let value = errors.iter().sum::<f64>() / errors.len() as f64;
        decide(value, Spread::of(errors).as_ref(), limit)
    }

    #[test]
    fn the_interval_decides() {
        // Means of 1 % and 3 %, deviations of 0.1 %: the margin of four is 2.353 * 0.05 %.
        let around = |mean: f64| [-1.0, -1.0, 1.0, 1.0].map(|side| mean + side * 0.000_866_025);
        assert_eq!(decided(&around(0.01), 0.02), (Verdict::Held, None));
        assert_eq!(decided(&around(0.018_82), 0.02), (Verdict::Held, None));
        assert_eq!(decided(&around(-0.018_82), 0.02), (Verdict::Held, None));
        assert_eq!(decided(&around(0.021_18), 0.02), (Verdict::Failed, None));
        assert_eq!(decided(&around(-0.03), 0.02), (Verdict::Failed, None));
        for mean in [0.018_83, 0.02, -0.021_17] {
            assert_eq!(decided(&around(mean), 0.02).0, Verdict::Inconclusive, "{mean}");
        }
        assert_eq!(decided(&[0.5], 0.02), (Verdict::Inconclusive, Some(Undecided::OneRun)));
        assert_eq!(decided(&[0.02; 3], 0.02), (Verdict::Held, None));
        assert_eq!(decided(&[0.0; 2], 0.0), (Verdict::Held, None));
    }

    #[test]
    fn wide_intervals_name_seeds_and_narrow_ones_near_the_limit_do_not() {
        // Four errors of mean -2.2 % and a margin of 3.1 %: 4.2 % at 95 %.
        let wide = [-0.022 - 0.0229, -0.022 - 0.0229, -0.022 + 0.0229, -0.022 + 0.0229];
        let (verdict, undecided) = decided(&wide, 0.02);
        assert_eq!(verdict, Verdict::Inconclusive);
        let seeds = undecided.and_then(Undecided::seeds).unwrap();
        assert!((60..90).contains(&seeds), "{seeds}");
        // Half a percent off: (t + 1.28) * 2.31 % / sqrt(n) is 1.5 % for 22 of them.
        let within = [-0.015, -0.015, 0.025, 0.025];
        let seeds = decided(&within, 0.02).1.and_then(Undecided::seeds).unwrap();
        assert!((20..30).contains(&seeds), "{seeds}");
        let near = [0.0199, 0.0201, 0.0195, 0.0205];
        assert_eq!(decided(&near, 0.02).1, Some(Undecided::NearLimit));
        assert_eq!(decided(&[-5.0, 5.01, 0.0], 0.02).1, Some(Undecided::TooWide));
    }

    #[test]
    fn the_first_number_is_found() {
        assert_eq!(first(4, |n| n >= 17), Some(17));
        assert_eq!(first(4, |_| true), Some(5));
        assert_eq!(first(4, |n| n >= SEEDS_MAX), Some(SEEDS_MAX));
        assert_eq!(first(4, |_| false), None);
        assert_eq!(first(SEEDS_MAX, |_| true), None);
    }

    #[test]
    fn the_hardest_reason_stands_for_all() {
        let reasons = [
            Undecided::OneRun,
            Undecided::Spread { seeds: 9 },
            Undecided::Spread { seeds: 90 },
            Undecided::TooWide,
            Undecided::NearLimit,
        ];
        for (low, one) in reasons.into_iter().enumerate() {
            for (high, other) in reasons.into_iter().enumerate() {
                assert_eq!(one.harder(other), reasons[low.max(high)]);
            }
        }
    }
}
