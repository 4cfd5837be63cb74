//! Why verdicts are inconclusive, and what would decide them, in words.

use super::decision::SEEDS_MAX;
use super::{ComparedMetric, Comparison, Undecided, Verdict};

impl Comparison {
    /// A sentence for each inconclusive row: which interval holds which limit, and how many seeds a
    /// side would decide it. One sentence for all where a side has a single run.
    pub fn reasons(&self) -> Vec<String> {
        let is_single = |row: &ComparedMetric| row.undecided == Some(Undecided::OneRun);
        if self.inconclusive().next().is_some() && self.inconclusive().all(is_single) {
            return vec![
                "one run a side has no interval: compare several seeds a side, such as `--seeds \
                 1..8`"
                    .to_owned(),
            ];
        }
        self.inconclusive().filter_map(ComparedMetric::reason).collect()
    }

    /// The verdict on all in a sentence, and what would decide it where it is open.
    pub fn conclusion(&self) -> String {
        let failed: Vec<_> = self.failed().collect();
        match self.verdict() {
            Verdict::Held => "every judged metric held".to_owned(),
            Verdict::Inconclusive if self.inconclusive().next().is_none() => {
                "the verdict is inconclusive: there was nothing to judge; run longer, with more \
                 peers, or with a lower --samples"
                    .to_owned()
            }
            Verdict::Inconclusive => {
                let single =
                    self.inconclusive().all(|row| row.undecided == Some(Undecided::OneRun));
                let what = match self.seeds_to_decide() {
                    Some(seeds) => format!("about {seeds} seeds a side would decide it"),
                    None if single => "it takes several seeds a side".to_owned(),
                    None => format!("no number of seeds up to {SEEDS_MAX} would decide all of it"),
                };
                format!("the verdict is inconclusive: {what}")
            }
            _ => format!("failed: {}", failed.join(", ")),
        }
    }

    /// How many seeds a side would decide every inconclusive row; `None` where none is, and where
    /// no number would.
    pub fn seeds_to_decide(&self) -> Option<u64> {
        let seeds = self.inconclusive().map(|row| row.undecided.and_then(Undecided::seeds));
        seeds.collect::<Option<Vec<u64>>>()?.into_iter().max()
    }
}

impl ComparedMetric {
    /// Why the verdict is inconclusive, by the number that is hardest to decide.
    fn reason(&self) -> Option<String> {
        let hardest = self.undecided?;
        let of_statistic =
            self.statistics.iter().find(|statistic| statistic.undecided == Some(hardest));
        let what = match (of_statistic, self.ks) {
            (Some(statistic), _) => match statistic.interval.zip(statistic.limit) {
                Some(([low, high], limit)) => {
                    let [low, high] = [low, high].map(|end| format!("{:+.2} %", end * 100.0));
                    let limit = format!("{} %", (limit * 1e4).round() / 100.0);
                    format!(
                        "the error of its {} is {low} to {high} ({limit} allowed)",
                        statistic.name
                    )
                }
                None => format!("its {} is 0 on the left and has no interval", statistic.name),
            },
            (None, Some(ks)) => match ks.interval {
                Some([low, high]) => format!("its KS distance is {low:.4} to {high:.4}"),
                None => "its KS distance has no interval".to_owned(),
            },
            (None, None) => return None,
        };
        let then = match hardest {
            Undecided::OneRun => "a side has a value in a single run".to_owned(),
            Undecided::Spread { seeds } => format!("about {seeds} seeds a side would decide it"),
            Undecided::NearLimit => {
                format!(
                    "that is so near the limit that no number of seeds up to {SEEDS_MAX} would \
                         decide it"
                )
            }
            Undecided::TooWide => {
                format!(
                    "runs differ so much that no number of seeds up to {SEEDS_MAX} would decide \
                         it; run longer or with more peers"
                )
            }
        };
        Some(format!("{} is inconclusive: {what}; {then}", self.metric))
    }
}

impl Verdict {
    /// The verdict in a table.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Held => "held",
            Verdict::Failed => "FAILED",
            Verdict::Inconclusive => "inconclusive",
            Verdict::OnlyLeft => "ONLY LEFT",
            Verdict::OnlyRight => "ONLY RIGHT",
            Verdict::TooFew => "too few",
            Verdict::Shown => "shown",
        }
    }
}
