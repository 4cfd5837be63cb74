//! Takes the values of one owner's peers into the epoch that is open.

use std::mem;
use std::ops::Range;
use std::sync::Arc;

use peerlet_core::{Map, MetricKind, Seat, Time};

use crate::details::{Details, Stopwatch};
use crate::epochs::Epochs;
use crate::levels::Levels;
use crate::measurements::{EpochMeasurements, Measurements};
use crate::metric_entry::MetricEntry;
use crate::peer_sums::PeerSums;
use crate::split::Split;

/// How often each number below 256 was recorded: what is counted is mostly small.
type Small = [u64; 256];

/// Records for one owner of peers: a thread, a shard or a process.
///
/// Metrics are known by their index in the table; whoever calls turns values into quanta
/// ([`Metric::quanta`]). Every value is part of the measurements that [`finish`](Recorder::finish)
/// gives, those of the last epoch included.
///
/// [`Metric::quanta`]: peerlet_core::Metric::quanta
///
/// ```
/// use peerlet_core::{Metric, SECOND, Seat, Time};
/// use peerlet_measure::{Epochs, MetricEntry, Recorder};
/// let at = |seconds| Time::ZERO + SECOND * seconds;
/// let table = [MetricEntry::new("chord", Metric::gauge("fingers").quantum(1.0))];
/// let mut recorder = Recorder::new(table.into(), Epochs::new(SECOND * 10, at(0)..at(20))?);
/// recorder.level(0, Seat(1), 4);
/// recorder.level(0, Seat(2), 6);
/// recorder.close_epoch(at(10));
/// recorder.forget(Seat(2));
/// let measurements = recorder.finish(at(20));
/// let means: Vec<_> = measurements.epochs().map(|epoch| epoch.accumulators[0].mean()).collect();
/// assert_eq!(means, [Some(5.0), Some(4.0)]);
/// # Ok::<(), peerlet_measure::EpochsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Recorder {
    epochs: Epochs,
    open: EpochMeasurements,
    /// One a metric: how often each small number was recorded in the open epoch and is not in it
    /// yet. Counting is several times faster than recording. `None` for gauges.
    small: Vec<Option<Box<Small>>>,
    /// One a metric; those of counters and distributions stay empty.
    levels: Vec<Levels>,
    finished: Measurements,
    /// What is measured beside the whole network, if anything is.
    details: Option<Box<Detailed>>,
    /// A span in which its peers did not run.
    absent: Option<Range<Time>>,
}

/// What is measured beside the whole network.
#[derive(Clone, Debug)]
struct Detailed {
    /// The parts of the network that are measured by themselves.
    split: Option<Split>,
    /// For each metric of the whole network, the one that it is a part of, or itself.
    parents: Vec<usize>,
    /// The sums of each peer.
    sums: Option<PeerSums>,
    /// The stopwatches.
    watches: Vec<Watching>,
}

/// A stopwatch, and who has stopped it.
#[derive(Clone, Debug)]
struct Watching {
    watch: Stopwatch,
    /// The index of the metric that stops it.
    until: usize,
    /// The index of its own metric.
    own: usize,
    /// The last start that each seat has stopped, by its index.
    stopped: Map<u32, u32>,
}

impl Recorder {
    /// A recorder at time zero, with its first epoch open.
    ///
    /// # Panics
    /// Panics when two metrics have the same full name.
    pub fn new(metrics: Arc<[MetricEntry]>, epochs: Epochs) -> Recorder {
        let levels = vec![Levels::default(); metrics.len()];
        let open = EpochMeasurements::new(0, planned(&epochs, 0), metrics.len());
        let counted = |entry: &MetricEntry| entry.metric.kind() != MetricKind::Gauge;
        let small =
            metrics.iter().map(|entry| counted(entry).then(|| Box::new([0; 256]))).collect();
        let finished = Measurements::new(metrics, epochs);
        Recorder { epochs, open, small, levels, finished, details: None, absent: None }
    }

    /// The same, and it measures these details. Its table is that of
    /// [`MetricEntry::table`] with the same details.
    ///
    /// # Panics
    /// Panics when a stopwatch is stopped by a metric that is not in the table.
    #[must_use]
    pub fn with_details(mut self, details: &Details) -> Recorder {
        if *details == Details::default() {
            return self;
        }
        let (split, entries) = (details.split.clone(), self.finished.metrics());
        let parts = split.as_ref().map_or(0, |split| split.names().len());
        let whole = &entries[..entries.len() / (parts + 1)];
        let place = |name: &str| {
            let found = whole.iter().position(|entry| entry.full_name == name);
            found.expect("a stopwatch is stopped by a metric of the run")
        };
        let parents = whole.iter().enumerate().map(|(i, one)| one.part_of.unwrap_or(i)).collect();
        let watches = details.stopwatches.iter().map(|watch| Watching {
            until: place(&watch.until),
            own: place(&watch.full_name()),
            watch: watch.clone(),
            stopped: Map::default(),
        });
        let (watches, sums) =
            (watches.collect(), details.peers.then(|| PeerSums::new(whole.len())));
        self.details = Some(Box::new(Detailed { split, parents, sums, watches }));
        self
    }

    /// Takes a value at this instant as the kind of its metric says: the level of a gauge at this
    /// seat, or one value more of the others.
    ///
    /// # Panics
    /// Panics when the table has no such metric.
    #[inline]
    pub fn measure(&mut self, metric: usize, seat: Seat, quanta: i64, now: Time) {
        let metric = match self.details {
            None => metric,
            Some(_) => self.detailed(metric, seat, quanta, now),
        };
        match self.small(metric, quanta) {
            Some(count) => *count = count.wrapping_add(1),
            None => self.measure_rarely(metric, seat, quanta),
        }
    }

    /// Takes a value of a peer into what is measured beside the whole network; the index of the
    /// metric that it counts for.
    #[cold]
    fn detailed(&mut self, metric: usize, seat: Seat, quanta: i64, now: Time) -> usize {
        let counts = self.open.from >= self.epochs.from();
        let Some(details) = &mut self.details else { return metric };
        let parent = details.parents.get(metric).copied().unwrap_or(metric);
        if let Some(sums) = &mut details.sums {
            match self.small[metric] {
                // A level that was set within the warm-up holds until it is set anew.
                None => sums.set(seat, parent, quanta),
                Some(_) if counts => sums.add(seat, parent, quanta),
                Some(_) => {}
            }
        }
        let mut stopped = Vec::new();
        for watching in &mut details.watches {
            if (watching.until == metric || watching.until == parent)
                && let Some((start, since)) = watching.watch.since(now)
                && watching.stopped.insert(seat.0, start) != Some(start)
            {
                stopped.push((watching.own, since.as_nanos() as i64));
            }
        }
        let first = match &details.split {
            None => 0,
            Some(split) => (split.part_of(seat) + 1) * details.parents.len(),
        };
        stopped.into_iter().for_each(|(own, nanos)| self.record(first + own, nanos));
        first + metric
    }

    /// How often this number was recorded, if it is small and its metric no gauge.
    #[inline]
    fn small(&mut self, metric: usize, quanta: i64) -> Option<&mut u64> {
        // A negative number wraps around to a huge index.
        self.small.get_mut(metric)?.as_mut()?.get_mut(quanta as usize)
    }

    /// Takes a level, or a number that is not small.
    #[cold]
    #[inline(never)]
    fn measure_rarely(&mut self, metric: usize, seat: Seat, quanta: i64) {
        match &self.small[metric] {
            None => self.level(metric, seat, quanta),
            Some(_) => self.record(metric, quanta),
        }
    }

    /// Records one value of a counter or a distribution in the open epoch.
    ///
    /// # Panics
    /// Panics when the table has no such metric.
    #[inline]
    pub fn record(&mut self, metric: usize, quanta: i64) {
        debug_assert_ne!(self.kind(metric), MetricKind::Gauge, "a gauge takes levels");
        match self.small(metric, quanta) {
            Some(count) => *count += 1,
            None => self.open.accumulators[metric].record(quanta),
        }
    }

    /// Records the same value of a counter or a distribution this many times.
    ///
    /// # Panics
    /// Panics when the table has no such metric.
    pub fn record_n(&mut self, metric: usize, quanta: i64, n: u64) {
        debug_assert_ne!(self.kind(metric), MetricKind::Gauge, "a gauge takes levels");
        self.open.accumulators[metric].record_n(quanta, n);
    }

    /// Sets a seat's level of a gauge. It holds until it is set anew or the seat is forgotten.
    ///
    /// # Panics
    /// Panics when the table has no such metric.
    #[inline]
    pub fn level(&mut self, metric: usize, seat: Seat, quanta: i64) {
        debug_assert_eq!(self.kind(metric), MetricKind::Gauge, "only gauges take levels");
        self.levels[metric].set(seat, quanta);
    }

    /// Forgets a seat's levels: its peer stopped or crashed.
    pub fn forget(&mut self, seat: Seat) {
        self.levels.iter_mut().for_each(|levels| levels.forget(seat));
    }

    /// The peers did not run in this span, whatever their levels were: none is a value of an epoch
    /// that lies within it. Spans come in order, each before the epochs in it are closed.
    pub fn absent(&mut self, span: Range<Time>) {
        let joined = self.absent.take().filter(|before| span.start <= before.end);
        let start = joined.map_or(span.start, |before| before.start.min(span.start));
        self.absent = Some(start..span.end);
    }

    /// Closes each epoch that ends at `next` or before, and opens the one that `next` falls into.
    ///
    /// Every level that holds becomes one value of each epoch closed. The last epoch is left to
    /// [`finish`](Recorder::finish), so that what is recorded at the very end is not lost.
    pub fn close_epoch(&mut self, next: Time) {
        while self.open.to <= next && self.open.epoch + 1 < self.epochs.len() {
            self.close();
        }
    }

    /// Closes all epochs, the last of them at `end`, which is earlier than planned when the run was
    /// interrupted.
    ///
    /// Ending on the edge of an epoch that was just opened leaves that one out, unless something
    /// was recorded in it.
    pub fn finish(mut self, end: Time) -> Measurements {
        self.take_small();
        while self.open.to < end && self.open.epoch + 1 < self.epochs.len() {
            self.close();
        }
        if self.open.from < end || !self.open.is_empty() {
            self.open.to = end.max(self.open.from);
            self.close();
        }
        self.finished.peers = self.details.and_then(|details| details.sums);
        self.finished
    }

    /// The epochs closed so far.
    pub fn finished(&self) -> &Measurements {
        &self.finished
    }

    /// Takes out the epochs closed so far: they are in no later result.
    pub fn take_finished(&mut self) -> Measurements {
        let fresh = self.finished.emptied();
        mem::replace(&mut self.finished, fresh)
    }

    /// Takes the small numbers into the open epoch.
    fn take_small(&mut self) {
        for (small, accumulator) in self.small.iter_mut().zip(&mut self.open.accumulators) {
            let counts = small.iter_mut().flat_map(|small| small.iter_mut());
            for (quanta, count) in (0..).zip(counts).filter(|(_, count)| **count > 0) {
                accumulator.record_n(quanta, mem::take(count));
            }
        }
    }

    /// Takes the values of parts of the network in among those of the whole, and the values with
    /// tags in among all values of their metric.
    fn take_parts(&mut self) {
        if let Some(details) = self.details.as_ref().filter(|details| details.split.is_some()) {
            let (whole, parts) = self.open.accumulators.split_at_mut(details.parents.len());
            for (place, part) in parts.iter().enumerate().filter(|(_, part)| !part.is_empty()) {
                whole[place % whole.len()].merge(part);
            }
        }
        let entries = self.finished.metrics().iter().enumerate();
        for (part, whole) in entries.filter_map(|(i, entry)| Some((i, entry.part_of?))) {
            if !self.open.accumulators[part].is_empty() {
                let values = self.open.accumulators[part].clone();
                self.open.accumulators[whole].merge(&values);
            }
        }
    }

    fn close(&mut self) {
        self.take_small();
        let (from, to) = (self.open.from, self.open.to);
        let is_absent = |span: &Range<Time>| span.start <= from && to <= span.end;
        if !self.absent.as_ref().is_some_and(is_absent) {
            for (levels, accumulator) in self.levels.iter().zip(&mut self.open.accumulators) {
                levels.values().for_each(|quanta| accumulator.record(quanta));
            }
        }
        self.take_parts();
        let next = self.open.epoch + 1;
        let opened = EpochMeasurements::new(next, planned(&self.epochs, next), self.levels.len());
        self.finished.add(mem::replace(&mut self.open, opened));
    }

    fn kind(&self, metric: usize) -> MetricKind {
        self.finished.metrics()[metric].metric.kind()
    }
}

/// From when to when an epoch is to last: nothing after the last one.
fn planned(epochs: &Epochs, index: usize) -> Range<Time> {
    epochs.span(index).unwrap_or(epochs.end()..epochs.end())
}

#[cfg(test)]
mod tests {
    use peerlet_core::{Metric, SECOND};

    use super::*;

    const SENT: usize = 0;
    const LOAD: usize = 1;

    fn at(seconds: u64) -> Time {
        Time::ZERO + SECOND * seconds
    }

    /// Epochs of 10 s in a run of 30 s, whose summary starts at 15 s.
    fn recorder() -> Recorder {
        let table = [Metric::counter("sent"), Metric::gauge("load")];
        let table: Vec<_> = table.map(|metric| MetricEntry::new("test", metric)).into();
        Recorder::new(table.into(), Epochs::new(SECOND * 10, at(15)..at(30)).unwrap())
    }

    /// One line an epoch: from, to, and the sum and count of both metrics.
    fn lines(measurements: &Measurements) -> Vec<String> {
        let line = |epoch: &EpochMeasurements| {
            let [sent, load] = [SENT, LOAD].map(|metric| {
                let values = &epoch.accumulators[metric];
                format!("{}/{}", values.sum(), values.count())
            });
            format!("{}-{}: sent {sent} load {load}", epoch.from, epoch.to)
        };
        measurements.epochs().map(line).collect()
    }

    #[test]
    fn values_go_to_the_open_epoch_and_the_last_is_kept() {
        let mut recorder = recorder();
        recorder.record(SENT, 1);
        recorder.close_epoch(at(9));
        recorder.record(SENT, 2);
        recorder.close_epoch(at(10));
        recorder.record(SENT, 4);
        recorder.close_epoch(at(20));
        recorder.record(SENT, 8);
        assert_eq!(recorder.finished().epochs().count(), 3);
        recorder.close_epoch(at(30));
        recorder.record(SENT, 16);
        let measurements = recorder.finish(at(30));
        assert_eq!(
            lines(&measurements),
            [
                "0s-10s: sent 3/2 load 0/0",
                "10s-15s: sent 4/1 load 0/0",
                "15s-20s: sent 0/0 load 0/0",
                "20s-30s: sent 24/2 load 0/0",
            ]
        );
        assert_eq!(measurements.total()[SENT].sum(), 24, "the warm-up does not count");
    }

    #[test]
    fn a_level_is_no_value_of_an_epoch_that_nobody_measured() {
        let mut recorder = recorder();
        recorder.level(LOAD, Seat(0), 7);
        recorder.close_epoch(at(10));
        recorder.absent(at(11)..at(14));
        recorder.absent(at(14)..at(21));
        recorder.close_epoch(at(21));
        let levels = |measurements: &Measurements| -> Vec<u64> {
            measurements.epochs().map(|epoch| epoch.accumulators[LOAD].count()).collect()
        };
        assert_eq!(levels(recorder.finished()), [1, 1, 0], "it ran in a part of the second one");
        recorder.absent(at(29)..at(30));
        assert_eq!(levels(&recorder.clone().finish(at(30))), [1, 1, 0, 1]);
        recorder.absent(at(20)..at(30));
        assert_eq!(levels(&recorder.finish(at(30))), [1, 1, 0, 0], "the last one as well");
    }

    #[test]
    fn sums_of_peers_have_levels_of_the_warm_up_and_no_values_of_it() {
        let details = Details { peers: true, ..Details::default() };
        let mut recorder = recorder().with_details(&details);
        recorder.measure(SENT, Seat(3), 5, at(0));
        recorder.measure(LOAD, Seat(3), 7, at(0));
        recorder.close_epoch(at(15));
        recorder.measure(SENT, Seat(3), 2, at(16));
        let measurements = recorder.finish(at(30));
        let sums = measurements.peers().expect("they were asked for");
        assert_eq!((sums.of(Seat(3), SENT).sum, sums.of(Seat(3), LOAD).sum), (2, 7));
    }

    #[test]
    fn a_level_holds_until_it_is_set_or_forgotten() {
        let mut recorder = recorder();
        recorder.level(LOAD, Seat(0), 100);
        recorder.level(LOAD, Seat(0), 1);
        recorder.level(LOAD, Seat(9), 50);
        recorder.close_epoch(at(10));
        recorder.forget(Seat(9));
        recorder.close_epoch(at(15));
        recorder.level(LOAD, Seat(9), 7);
        recorder.forget(Seat(0));
        assert_eq!(
            lines(&recorder.finish(at(30))),
            [
                "0s-10s: sent 0/0 load 51/2",
                "10s-15s: sent 0/0 load 1/1",
                "15s-20s: sent 0/0 load 7/1",
                "20s-30s: sent 0/0 load 7/1",
            ]
        );
    }

    #[test]
    fn an_interrupted_run_ends_early() {
        let mut recorder = recorder();
        recorder.record(SENT, 1);
        recorder.level(LOAD, Seat(0), 5);
        assert_eq!(lines(&recorder.clone().finish(at(4))), ["0s-4s: sent 1/1 load 5/1"]);
        let whole = ["0s-10s: sent 1/1 load 5/1"];
        assert_eq!(lines(&recorder.clone().finish(at(10))), whole);
        recorder.close_epoch(at(10));
        assert_eq!(lines(&recorder.clone().finish(at(10))), whole, "no epoch of no length");
        recorder.record(SENT, 2);
        let edge = lines(&recorder.finish(at(10)));
        assert_eq!(edge[1], "10s-10s: sent 2/1 load 5/1", "recorded at the edge, so not lost");
    }

    #[test]
    #[should_panic(expected = "a gauge takes levels")]
    #[cfg(debug_assertions)]
    fn gauges_are_not_recorded() {
        recorder().record(LOAD, 1);
    }
}
