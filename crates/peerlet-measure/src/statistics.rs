//! The statistics of one run that a comparison needs, whether it was just measured or read from its
//! folder.

use std::collections::BTreeMap;

use peerlet_core::MetricKind;

use crate::histogram::Histogram;
use crate::ledger::{DropCause, Ledger};
use crate::measurements::Measurements;
use crate::summary::Row;

/// The statistics of one run, over its epochs after the warm-up.
///
/// ```
/// use peerlet_core::{Metric, SECOND, Time};
/// use peerlet_measure::{Epochs, Ledger, MetricEntry, Recorder, RunStatistics};
/// let table = [MetricEntry::new("hello", Metric::histogram("time").unit("s").quantum(1e-9))];
/// let end = Time::ZERO + SECOND;
/// let mut recorder = Recorder::new(table.into(), Epochs::new(SECOND, Time::ZERO..end)?);
/// recorder.record(0, 250_000_000);
/// let statistics = RunStatistics::of(7, &recorder.finish(end), &Ledger::default());
/// assert_eq!(statistics.metrics["hello/time"].mean, Some(0.25));
/// # Ok::<(), peerlet_measure::EpochsError>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct RunStatistics {
    /// The seed of the run: runs of both sides with the same one are a pair.
    pub seed: u64,
    /// The metrics by full name, those without a value included.
    pub metrics: BTreeMap<String, MetricStatistics>,
    /// The account of all messages.
    pub messages: MessageStatistics,
}

impl RunStatistics {
    /// The statistics of a run that was measured in this process.
    pub fn of(seed: u64, measurements: &Measurements, ledger: &Ledger) -> RunStatistics {
        let total = measurements.total();
        let metrics = measurements.metrics().iter().zip(&total).map(|(entry, values)| {
            let (metric, row) = (&entry.metric, Row::of(&entry.metric, values));
            let statistics = MetricStatistics {
                kind: metric.kind(),
                unit: row.unit.to_owned(),
                quantum: metric.resolution(),
                count: row.count,
                sum: row.sum,
                mean: row.mean,
                p5: row.p5,
                p50: row.p50,
                p95: row.p95,
                p99: row.p99,
                histogram: values.histogram().clone(),
            };
            (entry.full_name.clone(), statistics)
        });
        RunStatistics { seed, metrics: metrics.collect(), messages: MessageStatistics::of(ledger) }
    }
}

/// The values of one metric in one run, in its unit; the histogram in quanta.
#[derive(Clone, PartialEq, Debug)]
pub struct MetricStatistics {
    /// How the values are to be read.
    pub kind: MetricKind,
    /// The unit's symbol, `1` for plain numbers.
    pub unit: String,
    /// The resolution in units: what the histogram counts in.
    pub quantum: f64,
    /// How many values there were.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Their mean; `None`, like the percentiles, where there was no value.
    pub mean: Option<f64>,
    /// The 5th percentile.
    pub p5: Option<f64>,
    /// The median.
    pub p50: Option<f64>,
    /// The 95th percentile.
    pub p95: Option<f64>,
    /// The 99th percentile.
    pub p99: Option<f64>,
    /// How the values are spread.
    pub histogram: Histogram,
}

impl MetricStatistics {
    /// So many things that happened, of which nothing else is known.
    pub(crate) fn counted(count: u64) -> MetricStatistics {
        MetricStatistics {
            kind: MetricKind::Counter,
            unit: "1".to_owned(),
            quantum: 1.0,
            count,
            sum: count as f64,
            mean: None,
            p5: None,
            p50: None,
            p95: None,
            p99: None,
            histogram: Histogram::default(),
        }
    }
}

/// The account of one run's messages, both classes of delivery together.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct MessageStatistics {
    /// Messages that peers sent.
    pub sent: u64,
    /// Messages that reached a handler or a task.
    pub delivered: u64,
    /// Messages that were dropped, by the name of the cause.
    pub dropped: BTreeMap<String, u64>,
}

impl MessageStatistics {
    /// The totals of these accounts.
    pub fn of(ledger: &Ledger) -> MessageStatistics {
        let total = ledger.total();
        let dropped = DropCause::ALL.into_iter();
        let dropped = dropped.map(|cause| (cause.name().to_owned(), total.dropped(cause)));
        let (sent, delivered) = (total.sent, total.delivered);
        MessageStatistics { sent, delivered, dropped: dropped.collect() }
    }
}
