//! Turns the measurements of many peers into one mergeable summary and writes it out.
//!
//! Each owner of peers (a thread, a shard, a process) has a [`Recorder`], which sums whole quanta
//! by metric and [epoch](Epochs). The owners finish with [`Measurements`]; merging those is
//! associative and commutative to the bit, so one thread and many machines agree. Between processes
//! they travel as [words](EpochMeasurements::from_words), an epoch at a time. A [`Summary`] has the
//! statistics in units, [`write_csv`] lists them epoch by epoch, and [`Repeats`] gives the
//! confidence intervals of several runs. A [`Comparison`] decides whether two sets of runs, say of
//! two worlds, measured the same. This crate has no clock and touches no file.
//!
//! ```
//! use std::sync::Arc;
//! use peerlet_core::{Metric, SECOND, Seat, Time};
//! use peerlet_measure::{Epochs, MetricEntry, Recorder, Summary};
//!
//! let table: Arc<[MetricEntry]> = Arc::new([
//!     MetricEntry::new("hello", Metric::counter("answers")),
//!     MetricEntry::new("hello", Metric::gauge("neighbors").quantum(1.0)),
//! ]);
//! let end = Time::ZERO + SECOND * 60;
//! let epochs = Epochs::new(SECOND * 10, Time::ZERO..end)?;
//!
//! let mut left = Recorder::new(table.clone(), epochs);
//! let mut right = Recorder::new(table, epochs);
//! left.record(0, 1);
//! right.record(0, 1);
//! right.level(1, Seat(7), 5);
//!
//! let mut measurements = left.finish(end);
//! measurements.merge(&right.finish(end));
//! let summary = Summary::of(&measurements);
//! assert_eq!(summary.rows["hello/answers"].sum, 2.0);
//! assert_eq!(summary.rows["hello/neighbors"].count, 6, "one value at the end of each epoch");
//! # Ok::<(), peerlet_measure::EpochsError>(())
//! ```

mod accumulator;
mod comparison;
mod csv;
mod details;
mod distributions;
mod epochs;
mod graph;
mod histogram;
mod ledger;
mod levels;
mod measurements;
mod metric_entry;
mod peer_sums;
mod recorder;
mod relative;
mod repeats;
mod split;
mod spread;
mod statistics;
mod student;
mod summary;
mod table;
mod words;
pub use accumulator::{Accumulator, COUNT_MAX};
pub use comparison::{
    CompareError, ComparedMetric, ComparedStatistic, Comparison, KsDistance, Limits, RUNS_MAX,
    Undecided, Verdict,
};
pub use csv::{CsvError, EpochRow, csv_records, quoted as csv_quoted, read_csv, write_csv};
pub use details::{Details, Stopwatch};
pub use distributions::{
    DistributionsError, RecordedDistribution, read_distributions, write_distributions,
};
pub use epochs::{EPOCHS_MAX, Epochs, EpochsError};
pub use graph::{Components, Distances, Graph};
pub use histogram::{Bucket, Histogram, ks};
pub use ledger::{DropCause, Flow, Ledger};
pub use measurements::{EpochMeasurements, Measurements, ReportError};
pub use metric_entry::MetricEntry;
pub use peer_sums::{PeerSum, PeerSums};
pub use recorder::Recorder;
pub use relative::{RelativeError, ks_critical};
pub use repeats::{Estimate, RepeatRow, Repeats};
pub use split::{PARTS_MAX, Split};
pub use statistics::{MessageStatistics, MetricStatistics, RunStatistics};
pub use student::{student_t, student_t_one_sided};
pub use summary::{Row, STATISTICS, Statistic, Summary};
pub use table::{number, write_table};
pub use words::WordsError;
