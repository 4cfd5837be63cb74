//! Optional measurements: by group, by peer, and by stopwatch.

use std::sync::Arc;

use peerlet_core::runtime::Registry;
use peerlet_core::{Duration, Metric, Time};

use crate::metric_entry::MetricEntry;
use crate::split::Split;

/// The optional measurements of a run. No digest covers them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Details {
    /// The parts of the network that are measured by themselves as well.
    pub split: Option<Split>,
    /// Times from an event of the scenario until peers notice.
    pub stopwatches: Vec<Stopwatch>,
    /// Whether the values of each peer are summed up by themselves as well.
    pub peers: bool,
}

/// The time from instants that are known before the run until each peer records a metric: "from
/// this crash until each peer has noticed".
///
/// A peer's first value of the metric at an instant or later, and before the next instant, counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stopwatch {
    /// The name of what it measures, which is the metric `stopwatch/NAME` in seconds.
    pub name: String,
    /// The full name of the metric that stops it.
    pub until: String,
    /// The instants at which it starts, ascending.
    pub starts: Arc<[Time]>,
    /// Later values do not stop it.
    pub within: Option<Duration>,
}

impl Stopwatch {
    /// The full name of its metric.
    pub fn full_name(&self) -> String {
        format!("stopwatch/{}", self.name)
    }

    /// The start that a value at this instant would stop: its index, and the time since.
    pub(crate) fn since(&self, now: Time) -> Option<(u32, Duration)> {
        let index = self.starts.partition_point(|start| *start <= now).checked_sub(1)?;
        let since = now - self.starts[index];
        self.within.is_none_or(|within| since <= within).then_some((index as u32, since))
    }
}

impl MetricEntry {
    /// The table of all metrics of a run, by index: the peerlets' metrics, then the stopwatches.
    /// Where the network is split, the same metrics follow for each part of it.
    pub fn table(registry: &Registry, details: &Details) -> Arc<[MetricEntry]> {
        let entries = registry.metrics().iter().enumerate();
        let entry = |(index, (name, metric)): (usize, &(String, Metric))| MetricEntry {
            full_name: name.clone(),
            metric: *metric,
            is_observed: false,
            part_of: registry.metric_parent(index),
            group: None,
        };
        const TIME: Metric = Metric::histogram("stopwatch").unit("s").quantum(1e-9);
        let watches = details.stopwatches.iter();
        let watches = watches.map(|watch| MetricEntry::observed(watch.full_name(), TIME));
        let whole: Vec<MetricEntry> = entries.map(entry).chain(watches).collect();
        details.split.as_ref().map_or(whole.clone(), |split| split.table(&whole)).into()
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::SECOND;

    use super::*;

    #[test]
    fn a_value_stops_the_last_start() {
        let at = |seconds| Time::ZERO + SECOND * seconds;
        let watch = Stopwatch {
            name: "noticed".to_owned(),
            until: "a/b".to_owned(),
            starts: [10, 30].map(at).into(),
            within: Some(SECOND * 5),
        };
        assert_eq!(watch.since(at(9)), None);
        assert_eq!(watch.since(at(10)), Some((0, Duration::ZERO)));
        assert_eq!(watch.since(at(15)), Some((0, SECOND * 5)));
        assert_eq!(watch.since(at(16)), None);
        assert_eq!(watch.since(at(31)), Some((1, SECOND)));
    }
}
