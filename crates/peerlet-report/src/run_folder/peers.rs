//! `peers.csv`: each peer by itself; and how the peers are spread.

use std::collections::BTreeMap;
use std::io::{self, Write};

use peerlet_core::{Metric, MetricKind, Seat};
use peerlet_measure::{PeerSum, csv_quoted};
use peerlet_run::Results;
use peerlet_sim::PeerCounts;
use serde::{Deserialize, Serialize};

/// The name of the file in a run folder.
pub(crate) const PEERS: &str = "peers.csv";

/// A number of a peer's messages.
type Count = fn(&PeerCounts) -> u64;

/// How many peers of the largest values are named.
const TOP: usize = 10;

/// A quantity that each peer has.
struct Column {
    name: String,
    unit: String,
    kind: MetricKind,
    /// The time over which a counter was counted, in seconds.
    seconds: f64,
    /// The values by seat.
    values: Vec<Option<f64>>,
}

/// How a quantity is spread over the peers; of a counter, its rate.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct PeerSpread {
    /// The unit; of a counter, by second.
    pub unit: String,
    /// `counter`, `gauge` or `distribution`.
    pub kind: String,
    /// How many peers have a value.
    pub peers: u64,
    /// The mean over the peers.
    pub mean: Option<f64>,
    /// The smallest value.
    pub min: Option<f64>,
    /// The 5th percentile of the peers.
    pub p5: Option<f64>,
    /// The median.
    pub p50: Option<f64>,
    /// The 95th percentile.
    pub p95: Option<f64>,
    /// The 99th percentile.
    pub p99: Option<f64>,
    /// The largest value.
    pub max: Option<f64>,
    /// The ten peers with the largest values: seat and value.
    pub top: Vec<(u32, f64)>,
}

/// The columns of a run in which peers were counted; empty in all others.
fn columns(run: &Results) -> Vec<Column> {
    let mut columns = Vec::new();
    let seats = || (0..run.plan.scenario.peers).map(Seat);
    let seconds = run.end.as_secs_f64();
    let counts: [(&str, &str, Count); 3] = [
        ("messages/sent", "1", |counts| counts.sent),
        ("messages/bytes", "B", |counts| counts.bytes),
        ("messages/delivered", "1", |counts| counts.delivered),
    ];
    for (name, unit, of) in counts.into_iter().filter(|_| !run.peers.is_empty()) {
        let values = run.peers.iter().map(|counts| Some(of(counts) as f64)).collect();
        let (name, unit, kind) = (name.to_owned(), unit.to_owned(), MetricKind::Counter);
        columns.push(Column { name, unit, kind, seconds, values });
    }
    let Some(sums) = run.measures.peers() else { return columns };
    let seconds = run.measures.measured().as_secs_f64();
    let entries = run.measures.metrics().iter().enumerate();
    for (index, entry) in entries.filter(|(_, entry)| !entry.is_part() && !entry.is_observed) {
        let metric = &entry.metric;
        columns.push(Column {
            name: entry.full_name.clone(),
            unit: metric.unit_symbol().to_owned(),
            kind: metric.kind(),
            seconds,
            values: seats().map(|seat| value(metric, sums.of(seat, index))).collect(),
        });
    }
    columns
}

/// The value of a peer: the sum of a counter, the last level of a gauge, the mean of a
/// distribution.
fn value(metric: &Metric, sum: PeerSum) -> Option<f64> {
    let PeerSum { count, sum } = sum;
    match metric.kind() {
        MetricKind::Counter => Some(metric.value(sum as f64)),
        _ if count == 0 => None,
        MetricKind::Gauge => Some(metric.value(sum as f64)),
        MetricKind::Histogram => Some(metric.value(sum as f64 / count as f64)),
    }
}

/// Whether a run has numbers of each peer.
pub(super) fn has_peers(run: &Results) -> bool {
    !run.peers.is_empty() || run.measures.peers().is_some()
}

/// Writes a row for each peer.
pub(super) fn write_peers(run: &Results, out: &mut impl Write) -> io::Result<()> {
    let columns = columns(run);
    write!(out, "seat,group,lives")?;
    columns.iter().try_for_each(|column| write!(out, ",{}", csv_quoted(&column.name)))?;
    writeln!(out)?;
    for seat in 0..run.plan.scenario.peers {
        let group = run.plan.scenario.group_of(Seat(seat)).map_or("", |group| &group.name);
        write!(out, "{seat},{}", csv_quoted(group))?;
        match run.peers.get(seat as usize) {
            Some(counts) => write!(out, ",{}", counts.lives)?,
            None => write!(out, ",")?,
        }
        for column in &columns {
            match column.values.get(seat as usize).copied().flatten() {
                Some(value) => write!(out, ",{value}")?,
                None => write!(out, ",")?,
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

/// How each quantity is spread over the peers, by its name.
pub(crate) fn spreads(run: &Results) -> BTreeMap<String, PeerSpread> {
    columns(run).into_iter().map(|column| (column.name.clone(), spread(column))).collect()
}

fn spread(column: Column) -> PeerSpread {
    let Column { unit, kind, seconds, values, .. } = column;
    let is_rate = kind == MetricKind::Counter && seconds > 0.0;
    let scale = if is_rate { seconds } else { 1.0 };
    let seated = (0_u32..).zip(values);
    let mut sorted: Vec<(u32, f64)> =
        seated.filter_map(|(seat, value)| Some((seat, value? / scale))).collect();
    sorted.sort_by(|one, two| one.1.total_cmp(&two.1).then(two.0.cmp(&one.0)));
    let count = sorted.len();
    // The smallest value that at least this share of the peers do not exceed.
    let quantile = |share: f64| {
        let rank = (share * count as f64).ceil().max(1.0) as usize;
        sorted.get(rank - 1).map(|(_, value)| *value)
    };
    let sum: f64 = sorted.iter().map(|(_, value)| value).sum();
    PeerSpread {
        unit: if is_rate { format!("{unit}/s") } else { unit },
        kind: kind.name().to_owned(),
        peers: count as u64,
        mean: (count > 0).then(|| sum / count as f64),
        min: sorted.first().map(|(_, value)| *value),
        p5: quantile(0.05),
        p50: quantile(0.5),
        p95: quantile(0.95),
        p99: quantile(0.99),
        max: sorted.last().map(|(_, value)| *value),
        top: sorted.into_iter().rev().take(TOP).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_ranked_and_ties_go_by_seat() {
        let column = Column {
            name: "a/b".to_owned(),
            unit: "B".to_owned(),
            kind: MetricKind::Counter,
            seconds: 2.0,
            values: [4.0, 8.0, 8.0, 2.0].map(Some).to_vec(),
        };
        let spread = spread(column);
        assert_eq!((&*spread.unit, spread.mean, spread.p50), ("B/s", Some(2.75), Some(2.0)));
        assert_eq!(spread.top, [(1, 4.0), (2, 4.0), (0, 2.0), (3, 1.0)]);
        let none = Column {
            name: "a/c".to_owned(),
            unit: "s".to_owned(),
            kind: MetricKind::Histogram,
            seconds: 2.0,
            values: vec![None, None],
        };
        let spread = super::spread(none);
        assert_eq!((spread.peers, spread.mean, spread.p95), (0, None, None));
    }
}
