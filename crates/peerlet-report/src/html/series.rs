//! Metrics epoch by epoch, and their distributions, as the page has them.

use std::collections::BTreeMap;

use peerlet_core::MetricKind;
use peerlet_measure::{EpochRow, RecordedDistribution};

use crate::html::data::{Buckets, Epochs, Series};

/// The epochs of these rows, and each metric in them.
pub(super) fn series(rows: Vec<EpochRow>) -> (Epochs, BTreeMap<String, Series>) {
    let mut epochs = Epochs::default();
    for row in &rows {
        if epochs.from.last().is_none_or(|last| *last < row.from) {
            epochs.from.push(row.from);
            epochs.to.push(row.to);
        }
    }
    let count = epochs.from.len();
    let mut series: BTreeMap<String, Series> = BTreeMap::new();
    for row in rows {
        let epoch = epochs.from.partition_point(|from| *from < row.from);
        if epochs.from.get(epoch) != Some(&row.from) {
            continue;
        }
        let EpochRow { metric, unit, kind, numbers, .. } = row;
        let series = series.entry(metric).or_insert_with(|| {
            let shown = numbers.iter().filter(|(name, _)| *name != "std");
            let columns = shown.map(|(name, _)| (*name, vec![None; count])).collect();
            Series { unit, kind, columns }
        });
        for (name, value) in numbers {
            if let Some(column) = series.columns.get_mut(name) {
                column[epoch] = value.filter(|value| value.is_finite());
            }
        }
    }
    (epochs, series)
}

/// The buckets of distributions.
pub(super) fn buckets(
    distributions: BTreeMap<String, RecordedDistribution>,
) -> BTreeMap<String, Buckets> {
    let has_values = |of: &RecordedDistribution| of.histogram.count() > 0;
    let is_shown = |of: &RecordedDistribution| of.kind != MetricKind::Counter && has_values(of);
    let shown = distributions.into_iter().filter(|(_, of)| is_shown(of));
    let of = |(name, of): (String, RecordedDistribution)| {
        let mut buckets =
            Buckets { unit: of.unit, kind: of.kind.name().to_owned(), ..Buckets::default() };
        for bucket in of.histogram.buckets() {
            buckets.low.push(bucket.lower as f64 * of.quantum);
            buckets.high.push(bucket.upper as f64 * of.quantum);
            buckets.count.push(bucket.count);
        }
        (name, buckets)
    };
    shown.map(of).collect()
}
