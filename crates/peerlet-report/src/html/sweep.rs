//! The results of a sweep as the page shows them.

use crate::html::data::{SweepData, SweepEstimate, SweepKey, SweepMetric, SweepPoint};
use crate::sweep::SweepResults;

/// The curves of a sweep.
pub fn read_sweep(results: &SweepResults) -> SweepData {
    let sweep = &results.sweep;
    let keys = sweep
        .vary
        .iter()
        .map(|vary| SweepKey { key: vary.key.clone(), values: vary.values.clone() });
    let mut points: Vec<SweepPoint> = (0..sweep.points())
        .map(|point| {
            let values = sweep.values(point).into_iter().map(str::to_owned).collect();
            SweepPoint { values, metrics: Default::default() }
        })
        .collect();
    for one in results.statistics() {
        let statistics = one.estimates.into_iter().map(|(name, estimate)| {
            let end = |sign: f64| estimate.margin.map(|margin| estimate.mean + sign * margin);
            let (runs, mean) = (estimate.runs as usize, estimate.mean);
            (name, SweepEstimate { runs, mean, low: end(-1.0), high: end(1.0) })
        });
        let metric =
            SweepMetric { unit: one.unit, kind: one.kind, statistics: statistics.collect() };
        points[one.point].metrics.insert(one.metric, metric);
    }
    SweepData { keys: keys.collect(), seeds: sweep.seeds, points }
}
