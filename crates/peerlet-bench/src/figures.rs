//! Figures from samples: medians, and ratios of runs that were made side by side.

use peerlet_bench_yardstick::Workload;
use serde_json::{Value, json};

use crate::case::Engine;
use crate::child::Absence;
use crate::sample::Sample;

/// All rounds of one engine on one workload, size and number of threads.
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// The workload.
    pub workload: Workload,
    /// The number of peers.
    pub peers: u32,
    /// What ran it.
    pub engine: Engine,
    /// On how many threads.
    pub threads: u32,
    /// With how much virtual time.
    pub seconds: u32,
    /// One a round.
    pub samples: Vec<Result<Sample, Absence>>,
}

/// One row of the table.
#[derive(Clone, PartialEq, Debug)]
pub struct Figure {
    /// The workload.
    pub workload: Workload,
    /// The number of peers.
    pub peers: u32,
    /// What ran it.
    pub engine: Engine,
    /// On how many threads.
    pub threads: u32,
    /// With how much virtual time.
    pub seconds: u32,
    /// What was measured, or why nothing was.
    pub measured: Result<Measured, Absence>,
}

/// Medians over the rounds.
#[derive(Clone, PartialEq, Debug)]
pub struct Measured {
    /// How many rounds there were.
    pub rounds: usize,
    /// Events in a second of real time.
    pub rate: f64,
    /// The lowest and the highest.
    pub rates: (f64, f64),
    /// The rate beside that of the loop on as many threads, round by round.
    pub ratio: Option<f64>,
    /// The rate beside that of the same engine on one thread, round by round.
    pub speed_up: Option<f64>,
    /// Memory at the peak, by peer.
    pub bytes_a_peer: f64,
    /// How long the set-up took.
    pub set_up_seconds: f64,
    /// The mean hops of lookups.
    pub hops: Option<f64>,
    /// The hash of all rounds; nothing when they differ.
    pub hash: Option<String>,
}

/// The middle one; the mean of the two in the middle of an even number.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 { Some(upper) } else { Some((values[middle - 1] + upper) / 2.0) }
}

/// The rows for these series.
pub fn figures(series: &[Series]) -> Vec<Figure> {
    series.iter().map(|one| figure(one, series)).collect()
}

fn figure(series: &Series, all: &[Series]) -> Figure {
    let Series { workload, peers, engine, threads, seconds, ref samples } = *series;
    let beside = |engine, threads| {
        let same = |s: &&Series| (s.workload, s.peers) == (workload, peers);
        all.iter().filter(same).find(|s| (s.engine, s.threads) == (engine, threads))
    };
    let measured = match samples.iter().find_map(|sample| sample.as_ref().err()) {
        Some(why) => Err(why.clone()),
        None => {
            let ratio = beside(Engine::Loop, threads).and_then(|other| pairwise(series, other));
            let single = beside(engine, 1).filter(|_| threads > 1);
            let speed_up = single.and_then(|other| pairwise(series, other));
            let samples: Vec<&Sample> = samples.iter().flatten().collect();
            measured(&samples, peers).map(|m| Measured { ratio, speed_up, ..m })
        }
    };
    Figure { workload, peers, engine, threads, seconds, measured }
}

/// The median of the ratios of the rates, round by round.
fn pairwise(upper: &Series, lower: &Series) -> Option<f64> {
    let pairs = upper.samples.iter().zip(&lower.samples);
    median(
        pairs
            .filter_map(|(a, b)| Some(a.as_ref().ok()?.rate() / b.as_ref().ok()?.rate()))
            .collect(),
    )
}

fn measured(samples: &[&Sample], peers: u32) -> Result<Measured, Absence> {
    let of = |what: &dyn Fn(&Sample) -> f64| samples.iter().map(|s| what(s)).collect::<Vec<_>>();
    let rates = of(&Sample::rate);
    let none = || Absence::Failed("no round was made".to_owned());
    let first = samples.first().ok_or_else(none)?;
    let middle = |values| median(values).ok_or_else(none);
    Ok(Measured {
        rounds: samples.len(),
        rates: (
            rates.iter().copied().fold(f64::INFINITY, f64::min),
            rates.iter().copied().fold(0.0, f64::max),
        ),
        rate: middle(rates)?,
        ratio: None,
        speed_up: None,
        bytes_a_peer: middle(of(&|s| s.peak_bytes as f64 / f64::from(peers)))?,
        set_up_seconds: middle(of(&|s| s.set_up_seconds))?,
        hops: first.hops,
        hash: samples.iter().all(|s| s.hash == first.hash).then(|| first.hash.clone()),
    })
}

impl Figure {
    /// The row as JSON.
    pub fn json(&self) -> Value {
        let mut row = json!({
            "workload": self.workload.name(), "peers": self.peers, "engine": self.engine,
            "threads": self.threads, "virtual_seconds": self.seconds,
        });
        let more = match &self.measured {
            Ok(m) => json!({
                "rounds": m.rounds, "events_per_second": m.rate,
                "events_per_second_min": m.rates.0, "events_per_second_max": m.rates.1,
                "ratio_to_loop": m.ratio, "speed_up": m.speed_up,
                "bytes_a_peer": m.bytes_a_peer, "set_up_seconds": m.set_up_seconds,
                "hops": m.hops, "hash": m.hash,
            }),
            Err(why) => json!({ "absent": why.to_string() }),
        };
        if let (Some(row), Value::Object(more)) = (row.as_object_mut(), more) {
            row.extend(more);
        }
        row
    }
}

impl std::fmt::Display for Absence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Absence::TooSlow => f.write_str("too slow"),
            Absence::TooMany(most) => write!(f, "up to {most}"),
            Absence::NotBuilt => f.write_str("not built"),
            Absence::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn series(engine: Engine, threads: u32, walls: &[u64]) -> Series {
        let sample = |wall: &u64| {
            let sample = Sample::new(1_000, Duration::ZERO, Duration::from_secs(*wall), 7);
            Ok(Sample { peak_bytes: 4_000, ..sample })
        };
        let samples = walls.iter().map(sample).collect();
        Series { workload: Workload::Gossip, peers: 10, engine, threads, seconds: 60, samples }
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        // The machine halves its speed in the second and third round: the ratio stays.
        let all = [
            series(Engine::Loop, 1, &[1, 2, 2]),
            series(Engine::Peerlet, 1, &[2, 4, 4]),
            series(Engine::Peerlet, 2, &[1, 2, 4]),
        ];
        let figures = figures(&all);
        let measured = |i: usize| figures[i].measured.clone().unwrap();
        assert_eq!(measured(0).ratio, Some(1.0));
        assert_eq!(measured(1).ratio, Some(0.5));
        assert_eq!(measured(1).speed_up, None);
        assert_eq!((measured(2).ratio, measured(2).speed_up), (None, Some(2.0)));
        assert_eq!((measured(1).rate, measured(1).rates), (250.0, (250.0, 500.0)));
        assert_eq!(measured(1).bytes_a_peer, 400.0);
        assert_eq!(measured(1).hash.as_deref(), Some("0000000000000007"));
    }

    #[test]
    fn one_absent_round_is_an_absent_row() {
        let mut slow = series(Engine::Turmoil, 1, &[1, 1]);
        slow.samples[1] = Err(Absence::TooSlow);
        let row = &figures(&[slow])[0];
        assert_eq!(row.measured, Err(Absence::TooSlow));
        assert_eq!(row.json()["absent"], "too slow");
    }
}
