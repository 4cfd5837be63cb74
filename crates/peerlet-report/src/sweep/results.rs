//! The results of a sweep, read from its run folders.

use std::collections::BTreeMap;
use std::path::PathBuf;

use peerlet_measure::Estimate;
use peerlet_run::PropertyVerdict;

use crate::run_folder::schema::{Measure, RunSummary};
use crate::run_folder::{FolderError, whole_summary};
use crate::sweep::file::Sweep;
use crate::sweep::folder::SweepFolder;

/// A run of a sweep.
pub struct SweepRun {
    /// Which combination of values, from 0.
    pub point: usize,
    /// The seed.
    pub seed: u64,
    /// Its folder.
    pub path: PathBuf,
    /// Its summary.
    pub summary: RunSummary,
}

/// The runs of a sweep that have ended.
pub struct SweepResults {
    /// The runs that it has in all.
    pub sweep: Sweep,
    /// The runs that are there, by combination and seed.
    pub runs: Vec<SweepRun>,
}

/// The statistics of one metric over the runs of one combination.
pub struct PointStatistics {
    /// Which combination, from 0.
    pub point: usize,
    /// The metric's full name, or `messages.` and a name of the account of messages.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// `counter`, `gauge` or `distribution`.
    pub kind: String,
    /// Estimates by the names of statistics, in the order of the tables.
    pub estimates: Vec<(&'static str, Estimate)>,
}

/// A number of a metric's run, in its unit.
type Statistic = fn(&Measure) -> Option<f64>;

/// The statistics of a metric, by name.
pub(super) const STATISTICS: [(&str, Statistic); 15] = [
    ("count", |measure| Some(measure.count as f64)),
    ("sum", |measure| Some(measure.sum)),
    ("mean", |measure| measure.mean),
    ("min", |measure| measure.min),
    ("max", |measure| measure.max),
    ("std", |measure| measure.std),
    ("p1", |measure| measure.p1),
    ("p5", |measure| measure.p5),
    ("p10", |measure| measure.p10),
    ("p25", |measure| measure.p25),
    ("p50", |measure| measure.p50),
    ("p75", |measure| measure.p75),
    ("p90", |measure| measure.p90),
    ("p95", |measure| measure.p95),
    ("p99", |measure| measure.p99),
];

impl SweepRun {
    /// Its metrics, and the account of its messages as counters.
    pub fn measures(&self) -> BTreeMap<String, Measure> {
        let account = &self.summary.messages.total;
        let dropped = account.dropped.values().sum();
        let counts = [
            ("messages.bytes", "B", account.bytes),
            ("messages.delivered", "1", account.delivered),
            ("messages.dropped", "1", dropped),
            ("messages.sent", "1", account.sent),
        ];
        let counts =
            counts.map(|(name, unit, count)| (name.to_owned(), Measure::total(unit, count)));
        let measures = self.summary.measures.iter();
        measures.map(|(name, measure)| (name.clone(), measure.clone())).chain(counts).collect()
    }

    /// A line for each property and expectation that failed.
    pub fn failures(&self) -> Vec<String> {
        let summary = &self.summary;
        let expectations = summary.expectations.iter().filter(|verdict| !verdict.held);
        let failed = |verdict| verdict == PropertyVerdict::Failed;
        let properties = summary.properties.iter().filter(|report| failed(report.verdict));
        let properties = properties.map(ToString::to_string);
        properties.chain(expectations.map(ToString::to_string)).collect()
    }
}

impl SweepResults {
    /// Reads the runs that are there, whole or some of them.
    ///
    /// # Errors
    /// When a summary cannot be read.
    pub fn read(folder: &SweepFolder, sweep: Sweep) -> Result<SweepResults, FolderError> {
        let mut runs = Vec::new();
        for point in 0..sweep.points() {
            for seed in sweep.seeds() {
                let path = folder.path_of(point, seed);
                if let Some(summary) = whole_summary(&path)? {
                    if summary.seed != seed {
                        let (shown, found) = (path.display(), summary.seed);
                        let message = format!("`{shown}` holds a run of seed {found}; remove it");
                        return Err(FolderError::Io(message));
                    }
                    runs.push(SweepRun { point, seed, path, summary });
                }
            }
        }
        Ok(SweepResults { sweep, runs })
    }

    /// Whether all runs are there.
    pub fn is_complete(&self) -> bool {
        self.runs.len() as u64 == self.sweep.runs()
    }

    /// The statistics of each metric for each combination, in order of metric and combination. A
    /// run without a value of a metric is left out of that metric's mean.
    pub fn statistics(&self) -> Vec<PointStatistics> {
        let mut metrics: BTreeMap<(String, usize), Vec<(Measure, f64)>> = BTreeMap::new();
        for run in &self.runs {
            for (name, measure) in run.measures() {
                let all = metrics.entry((name, run.point)).or_default();
                all.push((measure, run.summary.measured_seconds));
            }
        }
        let one = |((metric, point), runs): ((String, usize), Vec<(Measure, f64)>)| {
            let (unit, kind) = (runs[0].0.unit.clone(), runs[0].0.kind.clone());
            let mut estimates = Vec::new();
            for (name, statistic) in STATISTICS {
                let values: Vec<f64> = runs.iter().filter_map(|(one, _)| statistic(one)).collect();
                estimates.extend(Estimate::of(&values).map(|estimate| (name, estimate)));
            }
            if kind == "counter" {
                let rates = runs.iter().filter(|(_, seconds)| *seconds > 0.0);
                let rates: Vec<f64> = rates.map(|(one, seconds)| one.sum / seconds).collect();
                estimates.extend(Estimate::of(&rates).map(|estimate| ("rate", estimate)));
            }
            PointStatistics { point, metric, unit, kind, estimates }
        };
        metrics.into_iter().map(one).collect()
    }
}

impl PointStatistics {
    /// The statistic of this name.
    pub fn estimate(&self, statistic: &str) -> Option<&Estimate> {
        self.estimates.iter().find(|(name, _)| *name == statistic).map(|(_, estimate)| estimate)
    }
}
