//! The measurements of a run: an accumulator for each epoch and metric, mergeable in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use peerlet_core::{Duration, Time};

use crate::accumulator::{Accumulator, COUNT_MAX};
use crate::epochs::{EPOCHS_MAX, Epochs};
use crate::metric_entry::MetricEntry;
use crate::peer_sums::PeerSums;
use crate::words::{Words, WordsError};

/// The measurements of one epoch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EpochMeasurements {
    /// Which epoch it is, counted from 0.
    pub epoch: usize,
    /// Its first instant.
    pub from: Time,
    /// The instant that it ends before. Earlier than planned in a run that was interrupted.
    pub to: Time,
    /// The recorded values, by the metric's index in the table.
    pub accumulators: Vec<Accumulator>,
}

impl EpochMeasurements {
    /// An epoch without any value, for a table of this many metrics.
    pub fn new(epoch: usize, span: Range<Time>, metrics: usize) -> EpochMeasurements {
        let accumulators = vec![Accumulator::default(); metrics];
        EpochMeasurements { epoch, from: span.start, to: span.end, accumulators }
    }

    /// Takes in what another owner of peers measured in the same epoch. It ends when its last owner
    /// ended it.
    ///
    /// # Panics
    /// Panics when it is another epoch or counts other metrics.
    pub fn merge(&mut self, other: &EpochMeasurements) {
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

    /// Feeds all its integers to a digest, or to a message for [`from_words`].
    ///
    /// [`from_words`]: EpochMeasurements::from_words
    pub fn words(&self, sink: &mut impl FnMut(u64)) {
        self.first_words(self.accumulators.len(), sink);
    }

    /// The integers of the first metrics alone.
    fn first_words(&self, metrics: usize, sink: &mut impl FnMut(u64)) {
        [self.epoch as u64, self.from.as_nanos(), self.to.as_nanos(), metrics as u64]
            .into_iter()
            .for_each(&mut *sink);
        self.accumulators[..metrics].iter().for_each(|accumulator| accumulator.words(sink));
    }

    /// Reads back what [`words`](EpochMeasurements::words) fed, for a table of this many metrics.
    ///
    /// The words may come from anybody: what is read can be added up and looked at without harm,
    /// gives the same words again, and takes less than 32 times their memory.
    ///
    /// ```
    /// use peerlet_core::{SECOND, Time};
    /// use peerlet_measure::{EpochMeasurements, WordsError};
    /// let mut epoch = EpochMeasurements::new(0, Time::ZERO..Time::ZERO + SECOND, 1);
    /// epoch.accumulators[0].record(5);
    /// let mut words = Vec::new();
    /// epoch.words(&mut |word| words.push(word));
    /// assert_eq!(EpochMeasurements::from_words(words.iter().copied(), 1), Ok(epoch));
    /// words.pop();
    /// assert_eq!(EpochMeasurements::from_words(words, 1), Err(WordsError::TooFew));
    /// ```
    ///
    /// # Errors
    /// Refuses words that end too early or too late, are about another number of metrics, or
    /// contradict each other.
    pub fn from_words(
        words: impl IntoIterator<Item = u64>,
        metrics: usize,
    ) -> Result<EpochMeasurements, WordsError> {
        let mut words = words.into_iter();
        let mut words = Words::new(&mut words);
        let [epoch, from, to, measured] = words.take()?;
        if measured != metrics as u64 {
            return Err(WordsError::OtherTable { metrics, measured });
        }
        if epoch >= EPOCHS_MAX {
            return Err(WordsError::Impossible("the epoch is later than any run's last"));
        }
        if from > to {
            return Err(WordsError::Impossible("the epoch ends before it begins"));
        }
        let mut accumulators = Vec::new();
        for _ in 0..metrics {
            accumulators.push(Accumulator::read(&mut words)?);
        }
        let left = words.left();
        if left > 0 {
            return Err(WordsError::TooMany { left });
        }
        let (from, to) = (Time::from_nanos(from), Time::from_nanos(to));
        Ok(EpochMeasurements { epoch: epoch as usize, from, to, accumulators })
    }
}

/// The finished epochs of one or more owners of peers.
///
/// Merging is associative and commutative to the bit, and [`words`](Measurements::words) are equal
/// when the measurements are.
#[derive(Clone, PartialEq, Debug)]
pub struct Measurements {
    metrics: Arc<[MetricEntry]>,
    grid: Epochs,
    epochs: BTreeMap<usize, EpochMeasurements>,
    /// The sums of each peer, where they are kept.
    pub(crate) peers: Option<PeerSums>,
}

impl Measurements {
    /// No epochs yet, of these metrics on this grid.
    ///
    /// # Panics
    /// Panics when two metrics have the same full name: one would hide the other.
    pub fn new(metrics: Arc<[MetricEntry]>, grid: Epochs) -> Measurements {
        let names: BTreeSet<&str> = metrics.iter().map(|entry| entry.full_name.as_str()).collect();
        assert_eq!(names.len(), metrics.len(), "each metric of a run has a full name of its own");
        Measurements { metrics, grid, epochs: BTreeMap::new(), peers: None }
    }

    /// The same table and grid, without epochs.
    pub(crate) fn emptied(&self) -> Measurements {
        let (metrics, grid) = (self.metrics.clone(), self.grid);
        Measurements { metrics, grid, epochs: BTreeMap::new(), peers: None }
    }

    /// Takes in one finished epoch of this process, in any order.
    ///
    /// # Panics
    /// Panics when the epoch was cut or counted by another table or grid.
    pub fn add(&mut self, epoch: EpochMeasurements) {
        assert_eq!(
            self.metrics.len(),
            epoch.accumulators.len(),
            "an epoch has an accumulator for each metric of the table"
        );
        assert!(
            self.grid.span(epoch.epoch).is_some_and(|span| span.start == epoch.from),
            "an epoch begins where the grid of the run says"
        );
        if let Some(mine) = self.epochs.get_mut(&epoch.epoch) {
            mine.merge(&epoch);
        } else {
            self.epochs.insert(epoch.epoch, epoch);
        }
    }

    /// Takes in what another process measured in one epoch, in any order; nothing of it when it is
    /// refused.
    ///
    /// Reports of one epoch by different owners of peers add up. The same report twice counts
    /// twice: whoever receives reports tells them apart.
    ///
    /// # Errors
    /// Refuses an epoch that was cut by another grid or counted by another table, and more than
    /// [`COUNT_MAX`] values of one metric in it.
    pub fn try_add(&mut self, report: EpochMeasurements) -> Result<(), ReportError> {
        let (metrics, measured) = (self.metrics.len(), report.accumulators.len());
        if metrics != measured {
            return Err(ReportError::OtherTable { metrics, measured });
        }
        let EpochMeasurements { epoch, from, to, .. } = report;
        let planned = self.grid.span(epoch);
        if !planned.is_some_and(|span| from == span.start && (from..=span.end).contains(&to)) {
            return Err(ReportError::OtherGrid { epoch, from, to });
        }
        let mine = self.epochs.get(&epoch);
        let too_many = |metric: &usize| {
            let before = mine.map_or(0, |mine| mine.accumulators[*metric].count());
            before.saturating_add(report.accumulators[*metric].count()) > COUNT_MAX
        };
        if let Some(metric) = (0..metrics).find(too_many) {
            return Err(ReportError::TooMany { epoch, metric });
        }
        self.add(report);
        Ok(())
    }

    /// Takes in all that another owner of peers measured.
    ///
    /// # Panics
    /// Panics when the other has another table of metrics or another grid of epochs.
    pub fn merge(&mut self, other: &Measurements) {
        assert!(
            self.metrics == other.metrics && self.grid == other.grid,
            "measurements merge when they have the same metrics and the same grid of epochs"
        );
        other.epochs().for_each(|epoch| self.add(epoch.clone()));
        match (&mut self.peers, &other.peers) {
            (Some(mine), Some(theirs)) => mine.merge(theirs),
            (mine @ None, theirs) => mine.clone_from(theirs),
            (Some(_), None) => {}
        }
    }

    /// The same with the sums of each peer that another one has.
    #[must_use]
    pub fn with_peers_of(self, other: &Measurements) -> Measurements {
        Measurements { peers: other.peers.clone(), ..self }
    }

    /// The sums of each peer over the epochs that count, where they were asked for; in a process of
    /// several, those of its own peers.
    pub fn peers(&self) -> Option<&PeerSums> {
        self.peers.as_ref()
    }

    /// These measurements and others of the same epochs side by side: the metrics of both. An epoch
    /// that only the others have is left out.
    ///
    /// # Panics
    /// Panics when the other has another grid of epochs, or a metric of the same full name.
    pub fn beside(&self, other: &Measurements) -> Measurements {
        assert_eq!(self.grid, other.grid, "measurements side by side have the same epochs");
        let metrics: Vec<MetricEntry> =
            self.metrics.iter().chain(&*other.metrics).cloned().collect();
        let mut both = Measurements::new(metrics.into(), self.grid);
        both.peers.clone_from(&self.peers);
        for (index, epoch) in &self.epochs {
            let mut epoch = epoch.clone();
            match other.epochs.get(index) {
                Some(others) => epoch.accumulators.extend(others.accumulators.iter().cloned()),
                None => epoch.accumulators.resize(both.metrics.len(), Accumulator::default()),
            }
            both.epochs.insert(*index, epoch);
        }
        both
    }

    /// Leaves out the epochs that begin at this instant or later; one that is under way ends there,
    /// and the values recorded in it stay.
    pub fn cut_at(&mut self, end: Time) {
        self.epochs.retain(|_, epoch| epoch.from < end);
        if let Some(mut last) = self.epochs.last_entry() {
            let last = last.get_mut();
            last.to = last.to.min(end);
        }
    }

    /// The end of the warm-up.
    pub fn from(&self) -> Time {
        self.grid.from()
    }

    /// The table of metrics.
    pub fn metrics(&self) -> &[MetricEntry] {
        &self.metrics
    }

    /// The epochs in order, those of the warm-up included.
    pub fn epochs(&self) -> impl Iterator<Item = &EpochMeasurements> {
        self.epochs.values()
    }

    /// Each metric summed over the epochs that count: those that begin at or after the end of the
    /// warm-up.
    pub fn total(&self) -> Vec<Accumulator> {
        self.total_from(self.grid.from())
    }

    /// Each metric summed over the epochs that begin at or after this instant.
    pub fn total_from(&self, from: Time) -> Vec<Accumulator> {
        let mut total = vec![Accumulator::default(); self.metrics.len()];
        for epoch in self.epochs().filter(|epoch| epoch.from >= from) {
            for (sum, accumulator) in total.iter_mut().zip(&epoch.accumulators) {
                sum.merge(accumulator);
            }
        }
        total
    }

    /// How long the epochs are together that count for the summary.
    pub fn measured(&self) -> Duration {
        self.measured_from(self.grid.from())
    }

    /// How long the epochs are together that begin at or after this instant.
    pub fn measured_from(&self, from: Time) -> Duration {
        let counted = self.epochs().filter(|epoch| epoch.from >= from);
        counted.fold(Duration::ZERO, |sum, epoch| sum + (epoch.to - epoch.from))
    }

    /// Feeds the integers of the whole network, in order of epoch and metric, to a digest: those of
    /// parts and of observers are left out.
    pub fn words(&self, sink: &mut impl FnMut(u64)) {
        let is_covered = |entry: &&MetricEntry| entry.group.is_none() && !entry.is_observed;
        let covered = self.metrics.iter().take_while(is_covered).count();
        sink(self.epochs.len() as u64);
        self.epochs().for_each(|epoch| epoch.first_words(covered, sink));
    }
}

/// Why another process's report is not taken in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ReportError {
    /// It measures another number of metrics.
    OtherTable {
        /// How many metrics the table has.
        metrics: usize,
        /// How many it measures.
        measured: usize,
    },
    /// The grid of this run has no such epoch.
    OtherGrid {
        /// Which epoch it is about.
        epoch: usize,
        /// Where it says that the epoch begins.
        from: Time,
        /// Where it says that the epoch ends.
        to: Time,
    },
    /// With it, more than [`COUNT_MAX`] values of one metric would be of one epoch.
    TooMany {
        /// Which epoch it is about.
        epoch: usize,
        /// The metric's index in the table.
        metric: usize,
    },
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReportError::OtherTable { metrics, measured } => write!(
                f,
                "the report's table of metrics is {measured} long, that of the run {metrics}; \
                 run the same program with the same scenario in each process"
            ),
            ReportError::OtherGrid { epoch, from, to } => write!(
                f,
                "the report says that epoch {epoch} goes from {from} to {to}, which it does not; \
                 run the same scenario in each process"
            ),
            ReportError::TooMany { epoch, metric } => write!(
                f,
                "metric {metric} would have more than {COUNT_MAX} values in epoch {epoch}; \
                 make epochs shorter, or find out who reports too much"
            ),
        }
    }
}

impl std::error::Error for ReportError {}

#[cfg(test)]
mod tests {
    use peerlet_core::{Metric, SECOND};

    use super::*;

    fn measurements(names: [&'static str; 2]) -> Measurements {
        let entries = names.map(|name| MetricEntry::new("test", Metric::counter(name)));
        let measured = Time::ZERO + SECOND..Time::ZERO + SECOND * 5;
        Measurements::new(Arc::new(entries), Epochs::new(SECOND, measured).unwrap())
    }

    fn epoch(index: u64, values: [i64; 2]) -> EpochMeasurements {
        let from = Time::ZERO + SECOND * index;
        let mut epoch = EpochMeasurements::new(index as usize, from..from + SECOND, 2);
        for (accumulator, value) in epoch.accumulators.iter_mut().zip(values) {
            accumulator.record(value);
        }
        epoch
    }

    #[test]
    fn epochs_come_in_any_order_and_the_warm_up_does_not_count() {
        let (mut one, mut other) = (measurements(["a", "b"]), measurements(["a", "b"]));
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
        let short = EpochMeasurements { to: Time::from_nanos(7), ..short };
        let (mut one, mut other) = (short.clone(), long.clone());
        one.merge(&long);
        other.merge(&short);
        assert_eq!(one, other);
        assert_eq!(one.to, Time::ZERO + SECOND);
    }

    #[test]
    #[should_panic(expected = "a full name of its own")]
    fn names_differ() {
        measurements(["a", "a"]);
    }

    #[test]
    #[should_panic(expected = "the same metrics")]
    fn tables_agree() {
        measurements(["a", "b"]).merge(&measurements(["a", "c"]));
    }

    #[test]
    #[should_panic(expected = "where the grid of the run says")]
    fn grids_agree() {
        measurements(["a", "b"]).add(EpochMeasurements { epoch: 1, ..epoch(2, [0, 0]) });
    }

    #[test]
    fn reports_add_up_or_are_refused_whole() {
        let mut measurements = measurements(["a", "b"]);
        measurements.add(epoch(3, [1, 2]));
        let early = EpochMeasurements { to: epoch(4, [0, 0]).from, ..epoch(4, [5, 6]) };
        for report in [epoch(3, [10, 20]), early, epoch(3, [100, 200])] {
            assert_eq!(measurements.try_add(report), Ok(()));
        }
        let sums: Vec<i128> = measurements.total().iter().map(Accumulator::sum).collect();
        assert_eq!(sums, [116, 228]);

        let before = measurements.clone();
        let good = epoch(3, [7, 7]);
        let mut full = good.clone();
        for _ in 0..40 {
            let twice = full.accumulators[1].clone();
            full.accumulators[1].merge(&twice);
        }
        let (from, to) = (good.from, good.to);
        let later = EpochMeasurements { to: to + SECOND, ..good.clone() };
        let backwards = EpochMeasurements { to: Time::ZERO, ..good.clone() };
        let narrow = EpochMeasurements::new(3, from..to, 1);
        let mut fuller = epoch(2, [0, 0]);
        (0..2).for_each(|_| fuller.accumulators[0].merge(&full.accumulators[1]));
        let bad = [later, backwards, epoch(5, [0, 0]), EpochMeasurements { epoch: 2, ..good }];
        let errors: Vec<String> = bad
            .into_iter()
            .chain([narrow, full, fuller])
            .map(|report| measurements.try_add(report).unwrap_err().to_string())
            .collect();
        // Broken after the semicolon, where it says what to do.
        expect_test::expect![[r#"
            the report says that epoch 3 goes from 3s to 5s, which it does not;
              run the same scenario in each process
            the report says that epoch 3 goes from 3s to 0s, which it does not;
              run the same scenario in each process
            the report says that epoch 5 goes from 5s to 6s, which it does not;
              run the same scenario in each process
            the report says that epoch 2 goes from 3s to 4s, which it does not;
              run the same scenario in each process
            the report's table of metrics is 1 long, that of the run 2;
              run the same program with the same scenario in each process
            metric 1 would have more than 1099511627776 values in epoch 3;
              make epochs shorter, or find out who reports too much
            metric 0 would have more than 1099511627776 values in epoch 2;
              make epochs shorter, or find out who reports too much"#]]
        .assert_eq(&errors.join("\n").replace("; ", ";\n  "));
        assert_eq!(measurements, before);
    }
}
