//! The metrics of a run, by their names.

use std::sync::Arc;

use peerlet_core::Metric;

/// A metric and the name that it has in a run.
#[derive(Clone, PartialEq, Debug)]
pub struct MetricEntry {
    /// `peerlet/metric`: different for each metric of a run.
    pub full_name: String,
    /// How its values are read.
    pub metric: Metric,
    /// Whether an observer measures it: no digest covers it.
    pub is_observed: bool,
    /// The index of the metric whose values with some tags it has; its own values are among those
    /// of that one.
    pub part_of: Option<usize>,
    /// The part of the network that it is of; `None` for the whole. No digest covers parts.
    pub group: Option<Arc<str>>,
}

impl MetricEntry {
    /// Whether its values are also among those of another metric: it is of a part of the network,
    /// or has tags.
    pub fn is_part(&self) -> bool {
        self.part_of.is_some() || self.group.is_some()
    }

    /// The entry of a peerlet's metric.
    pub fn new(peerlet: &str, metric: Metric) -> MetricEntry {
        let full_name = format!("{peerlet}/{}", metric.name());
        MetricEntry { full_name, metric, is_observed: false, part_of: None, group: None }
    }

    /// The entry of what an observer measures.
    pub fn observed(full_name: String, metric: Metric) -> MetricEntry {
        MetricEntry { full_name, metric, is_observed: true, part_of: None, group: None }
    }
}
