//! The values of each peer by itself, summed over the epochs of the summary.

use std::collections::BTreeMap;

use peerlet_core::Seat;

/// Seats in a page: pages are made when a seat of theirs is first measured.
const PAGE: usize = 256;

/// The values of one metric that one peer recorded.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PeerSum {
    /// How many there were.
    pub count: u64,
    /// Their sum in quanta; of a gauge the last one.
    pub sum: i128,
}

/// The sums of all peers of one or more owners.
///
/// ```
/// use peerlet_core::{Metric, SECOND, Seat, Time};
/// use peerlet_measure::{Details, Epochs, MetricEntry, Recorder};
/// let table = [MetricEntry::new("chord", Metric::counter("lookups"))];
/// let end = Time::ZERO + SECOND;
/// let epochs = Epochs::new(SECOND, Time::ZERO..end)?;
/// let details = Details { peers: true, ..Details::default() };
/// let mut recorder = Recorder::new(table.into(), epochs).with_details(&details);
/// recorder.measure(0, Seat(7), 2, Time::ZERO);
/// recorder.measure(0, Seat(7), 3, Time::ZERO);
/// let measurements = recorder.finish(end);
/// let sums = measurements.peers().expect("they were asked for");
/// assert_eq!((sums.of(Seat(7), 0).count, sums.of(Seat(7), 0).sum), (2, 5));
/// assert_eq!(sums.of(Seat(8), 0).count, 0);
/// # Ok::<(), peerlet_measure::EpochsError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerSums {
    metrics: usize,
    pages: BTreeMap<usize, Vec<PeerSum>>,
}

impl PeerSums {
    /// No sums yet, of this many metrics.
    pub(crate) fn new(metrics: usize) -> PeerSums {
        PeerSums { metrics, pages: BTreeMap::new() }
    }

    fn sum(&mut self, seat: Seat, metric: usize) -> Option<&mut PeerSum> {
        let (seat, metrics) = (seat.0 as usize, self.metrics);
        let page = self.pages.entry(seat / PAGE);
        let page = page.or_insert_with(|| vec![PeerSum::default(); PAGE * metrics]);
        page.get_mut(seat % PAGE * metrics + metric)
    }

    /// Takes a value in.
    pub(crate) fn add(&mut self, seat: Seat, metric: usize, quanta: i64) {
        if let Some(sum) = self.sum(seat, metric) {
            sum.count += 1;
            sum.sum += i128::from(quanta);
        }
    }

    /// Takes a level, which replaces the one before.
    pub(crate) fn set(&mut self, seat: Seat, metric: usize, quanta: i64) {
        if let Some(sum) = self.sum(seat, metric) {
            *sum = PeerSum { count: 1, sum: quanta.into() };
        }
    }

    /// Takes in the sums of other peers.
    pub(crate) fn merge(&mut self, other: &PeerSums) {
        for (page, theirs) in &other.pages {
            let page = self.pages.entry(*page);
            let mine = page.or_insert_with(|| vec![PeerSum::default(); theirs.len()]);
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                mine.count += theirs.count;
                mine.sum += theirs.sum;
            }
        }
    }

    /// The sum of a peer's values of a metric, by the metric's index in the table; that of no
    /// values for a metric with tags or of a part of the network.
    pub fn of(&self, seat: Seat, metric: usize) -> PeerSum {
        let seat = seat.0 as usize;
        let page = self.pages.get(&(seat / PAGE)).filter(|_| metric < self.metrics);
        let sum = page.and_then(|page| page.get(seat % PAGE * self.metrics + metric));
        sum.copied().unwrap_or_default()
    }
}
