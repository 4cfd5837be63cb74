//! What was measured in a run: an accumulator for each epoch and metric, mergeable in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use peerlet_core::{Metric, Time};

use crate::accumulator::Accumulator;

/// A metric and the name that it has in a run.
#[derive(Clone, PartialEq, Debug)]
pub struct MetricEntry {
    /// `peerlet/metric`: different for each metric of a run.
    pub full_name: String,
    /// How its values are read.
    pub metric: Metric,
}

impl MetricEntry {
    /// The entry of a peerlet's metric.
    pub fn new(peerlet: &str, metric: Metric) -> MetricEntry {
        MetricEntry { full_name: format!("{peerlet}/{}", metric.name()), metric }
    }
}

/// What was measured in one epoch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EpochMeasures {
    /// Which epoch it is, counted from 0.
    pub epoch: usize,
    /// Its first instant.
    pub from: Time,
    /// The instant that it ends before. Earlier than planned in a run that was interrupted.
    pub to: Time,
    /// What was recorded, by the metric's index in the table.
    pub accumulators: Vec<Accumulator>,
}

impl EpochMeasures {
    /// An epoch without any value, for a table of this many metrics.
    pub fn new(epoch: usize, span: Range<Time>, metrics: usize) -> EpochMeasures {
        let accumulators = vec![Accumulator::default(); metrics];
        EpochMeasures { epoch, from: span.start, to: span.end, accumulators }
    }

    /// Takes in what another owner of peers measured in the same epoch. It ends when its last owner
    /// ended it.
    ///
    /// # Panics
    /// Panics when it is another epoch or counts other metrics.
    pub fn merge(&mut self, other: &EpochMeasures) {
        assert_eq!(
            (self.epoch, self.from),
            (other.epoch, other.from),
            "epochs merge with the same"
        );
        assert_eq!(
            self.accumulators.len(),
            other.accumulators.len(),
            "an epoch has an accumulator for each metric of the table"
        );
        self.to = self.to.max(other.to);
        for (mine, theirs) in self.accumulators.iter_mut().zip(&other.accumulators) {
            mine.merge(theirs);
        }
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.accumulators.iter().all(Accumulator::is_empty)
    }

    /// Feeds all its integers to a digest.
    pub fn words(&self, sink: &mut impl FnMut(u64)) {
        [
            self.epoch as u64,
            self.from.as_nanos(),
            self.to.as_nanos(),
            self.accumulators.len() as u64,
        ]
        .into_iter()
        .for_each(&mut *sink);
        self.accumulators.iter().for_each(|accumulator| accumulator.words(sink));
    }
}

/// The finished epochs of one or more owners of peers.
///
/// Merging is associative and commutative to the bit, and [`words`](Measures::words) are equal when
/// the measures are.
#[derive(Clone, PartialEq, Debug)]
pub struct Measures {
    metrics: Arc<[MetricEntry]>,
    from: Time,
    epochs: BTreeMap<usize, EpochMeasures>,
}

impl Measures {
    /// No epochs yet, of these metrics; those that begin at `from`, the end of the warm-up, or
    /// later will count.
    ///
    /// # Panics
    /// Panics when two metrics have the same full name: one would hide the other.
    pub fn new(metrics: Arc<[MetricEntry]>, from: Time) -> Measures {
        let names: BTreeSet<&str> = metrics.iter().map(|entry| entry.full_name.as_str()).collect();
        assert_eq!(names.len(), metrics.len(), "each metric of a run has a full name of its own");
        Measures { metrics, from, epochs: BTreeMap::new() }
    }

    /// Takes in one finished epoch, in any order.
    ///
    /// # Panics
    /// Panics when the epoch was cut or counted by another table or grid.
    pub fn add(&mut self, epoch: EpochMeasures) {
        assert_eq!(
            self.metrics.len(),
            epoch.accumulators.len(),
            "an epoch has an accumulator for each metric of the table"
        );
        if let Some(mine) = self.epochs.get_mut(&epoch.epoch) {
            mine.merge(&epoch);
        } else {
            self.epochs.insert(epoch.epoch, epoch);
        }
    }

    /// Takes in all that another owner of peers measured.
    ///
    /// # Panics
    /// Panics when the other has another table of metrics or other epochs.
    pub fn merge(&mut self, other: &Measures) {
        assert!(
            self.metrics == other.metrics && self.from == other.from,
            "measures merge when they have the same metrics and the same warm-up"
        );
        other.epochs().for_each(|epoch| self.add(epoch.clone()));
    }

    /// The table of metrics.
    pub fn metrics(&self) -> &[MetricEntry] {
        &self.metrics
    }

    /// The epochs in order, those of the warm-up included.
    pub fn epochs(&self) -> impl Iterator<Item = &EpochMeasures> {
        self.epochs.values()
    }

    /// Each metric summed over the epochs that count: those that begin at or after the end of the
    /// warm-up.
    pub fn total(&self) -> Vec<Accumulator> {
        let mut total = vec![Accumulator::default(); self.metrics.len()];
        for epoch in self.epochs().filter(|epoch| epoch.from >= self.from) {
            for (sum, accumulator) in total.iter_mut().zip(&epoch.accumulators) {
                sum.merge(accumulator);
            }
        }
        total
    }

    /// Feeds all integers, in order of epoch and metric, to a digest.
    pub fn words(&self, sink: &mut impl FnMut(u64)) {
        sink(self.epochs.len() as u64);
        self.epochs().for_each(|epoch| epoch.words(sink));
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::SECOND;

    use super::*;

    fn measures(names: [&'static str; 2]) -> Measures {
        let entries = names.map(|name| MetricEntry::new("test", Metric::counter(name)));
        Measures::new(Arc::new(entries), Time::ZERO + SECOND)
    }

    fn epoch(index: u64, values: [i64; 2]) -> EpochMeasures {
        let from = Time::ZERO + SECOND * index;
        let mut epoch = EpochMeasures::new(index as usize, from..from + SECOND, 2);
        for (accumulator, value) in epoch.accumulators.iter_mut().zip(values) {
            accumulator.record(value);
        }
        epoch
    }

    #[test]
    fn epochs_come_in_any_order_and_the_warm_up_does_not_count() {
        let (mut one, mut other) = (measures(["a", "b"]), measures(["a", "b"]));
        let parts = [epoch(0, [1, 2]), epoch(2, [10, 20]), epoch(2, [100, 200]), epoch(1, [5, 6])];
        parts.iter().for_each(|part| one.add(part.clone()));
        parts.iter().rev().for_each(|part| other.add(part.clone()));
        assert_eq!(one, other);
        assert_eq!(one.epochs().map(|epoch| epoch.epoch).collect::<Vec<_>>(), [0, 1, 2]);
        let sums: Vec<i128> = one.total().iter().map(Accumulator::sum).collect();
        assert_eq!(sums, [115, 226]);
    }

    #[test]
    fn an_epoch_ends_when_its_last_owner_ended_it() {
        let (short, long) = (epoch(0, [1, 2]), epoch(0, [3, 4]));
        let short = EpochMeasures { to: Time::from_nanos(7), ..short };
        let (mut one, mut other) = (short.clone(), long.clone());
        one.merge(&long);
        other.merge(&short);
        assert_eq!(one, other);
        assert_eq!(one.to, Time::ZERO + SECOND);
    }

    #[test]
    #[should_panic(expected = "a full name of its own")]
    fn names_differ() {
        measures(["a", "a"]);
    }

    #[test]
    #[should_panic(expected = "the same metrics")]
    fn tables_agree() {
        measures(["a", "b"]).merge(&measures(["a", "c"]));
    }

    #[test]
    #[should_panic(expected = "epochs merge with the same")]
    fn grids_agree() {
        let mut measures = measures(["a", "b"]);
        measures.add(epoch(1, [0, 0]));
        measures.add(EpochMeasures { epoch: 1, ..epoch(2, [0, 0]) });
    }
}
