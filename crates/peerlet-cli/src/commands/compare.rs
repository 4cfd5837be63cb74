//! `compare`: whether two runs, or two sets of runs, measured the same.

use std::path::PathBuf;

use clap::Args;
use peerlet_measure::{Comparison, Limits, Verdict};
use peerlet_report::{Report, Side, check_sides};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::print::print;
use crate::terminal::status;

const EXPLAINED: &str = "\
A side is a run folder, as `sim -o DIR` writes it, or a set of them: a folder whose sub-folders are
run folders, as `sim --seeds A..B -o DIR` writes it. Each error (right / left - 1) has a 90 %
interval over the runs by Student's t: of pairs where both sides have the same seeds, by Welch
otherwise.

The interval decides. A number held when its interval lies within the limit on both sides, which is
two one-sided tests at 5 % each. It failed when its interval lies outside. Otherwise the verdict is
inconclusive, and the report says how many seeds a side would decide it if runs spread as these do,
up to 1,000. One run a side has no interval, so its verdict is inconclusive, unless both runs are
the same in every number and every value.

The limit is --within for the mean, p50 and p95 of a distribution and for the mean of a gauge, and
--counts for a counter and for the messages sent and delivered. The limit of a percentile is the
metric's resolution where that is more. The limit of a distribution's Kolmogorov-Smirnov distance is
--ks: its interval is made of the runs as well. The upper end is the largest difference between the
shares of values up to any bound, plus its margin; the lower end allows for that being the largest
of many. Percentiles are off by at most 1/256 of the value, means are exact.

A row failed when any of its numbers did; else it is inconclusive when any of them is. A metric that
only one side has fails. One with fewer than --samples values on one side, and fewer than twice as
many on the other, is not judged.

Exit codes: 0 all held, 1 something failed, 2 the runs cannot be compared, 3 a folder cannot be
read, 5 a run is void: interrupted, late, or one process's share of a network, 6 nothing failed and
the verdict is inconclusive.";

#[derive(Args, Debug)]
#[command(after_long_help = EXPLAINED)]
pub(crate) struct Compare {
    /// A run folder, or a folder of run folders
    left: PathBuf,
    /// The side to compare it with: likewise a run folder, or a folder of run folders
    right: PathBuf,
    #[command(flatten)]
    judged: Judged,
    /// Print one JSON object on standard output
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print a table for a document
    #[arg(long)]
    markdown: bool,
}

/// By what two sides are judged.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Judged {
    /// The largest relative error of a mean, of p50 and of p95
    #[arg(long, value_name = "SHARE", default_value = "2%", value_parser = share)]
    within: f64,
    /// The largest Kolmogorov-Smirnov distance of a distribution, from 0 to 1
    #[arg(long, value_name = "DISTANCE", default_value = "0.05", value_parser = share)]
    ks: f64,
    /// The largest relative error of a counter, and of the messages sent and delivered
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = share)]
    counts: f64,
    /// With fewer values than this on a side, a metric is not judged
    #[arg(long, value_name = "N", default_value_t = 100)]
    samples: u64,
}

impl Judged {
    pub(crate) fn limits(&self) -> Limits {
        let Judged { within, ks, counts, samples } = *self;
        Limits { within, ks, counts, samples }
    }
}

/// Reads `2%` or `0.02`.
fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(percent) => (percent.trim_end(), 100.0),
        None => (text, 1.0),
    };
    let share = number.parse::<f64>().ok().map(|number| number / unit);
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "write a share from 0 to 1, such as `2%` or `0.02`".to_owned())
}

/// Runs the `compare` command.
pub(crate) fn run(compare: &Compare) -> Result<Exit, Failure> {
    let limits = compare.judged.limits();
    let (left, right) = (Side::read(&compare.left)?, Side::read(&compare.right)?);
    check_sides(&left, &right)?;
    let comparison = Comparison::of(&left.statistics, &right.statistics, &limits)
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let report = Report { left: &left, right: &right, comparison: &comparison };
    for warning in report.warnings() {
        status::say(&format!("warning: {warning}"));
    }
    print(&match (compare.json, compare.markdown) {
        (true, _) => report.json(),
        (false, true) => report.markdown(),
        (false, false) => report.text(),
    })?;
    Ok(exit(comparison.verdict()))
}

/// How a command ends with this verdict on all.
pub(crate) fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Held => Exit::Done,
        Verdict::Inconclusive => Exit::Inconclusive,
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_written_either_way() {
        for (text, expected) in [("2%", 0.02), ("2.5 %", 0.025), ("0.02", 0.02), ("0", 0.0)] {
            assert_eq!(share(text), Ok(expected), "{text}");
        }
        for text in ["", "%", "2", "-1%", "101%", "NaN", "inf", "2 percent"] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
