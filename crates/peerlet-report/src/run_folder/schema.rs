//! `summary.json`: the one schema that run folders are written and read by.
//!
//! docs/RUN_FOLDER.md states it for users; a test holds the page and these structs together. A
//! field may be added without another schema number. A field that changes its meaning, or goes,
//! takes a new number. Fields that no reader here needs may be missing in files of other programs.

use std::collections::BTreeMap;

use peerlet_core::{Codec, Metric};
use peerlet_measure::{Accumulator, Row};
use peerlet_run::{PeerState, PropertyReport, Verdict};
use serde::{Deserialize, Serialize};

use crate::run_folder::peers::PeerSpread;

/// The version of the schema, in `schema`. Files of a newer one are refused.
pub const SCHEMA: u64 = 1;

/// `summary.json`, an object in one line.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RunSummary {
    /// The version of the schema: [`SCHEMA`].
    pub schema: u64,
    /// `sim`, `live` or `emulate`.
    pub world: String,
    /// `quic` or `udp`, where messages went over one, on real sockets or simulated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// The scenario's title.
    pub scenario: String,
    /// The seed of the scenario.
    pub seed: u64,
    /// The number of seats.
    pub peers: u32,
    /// Threads of a simulation, shards of a live process.
    #[serde(default)]
    pub threads: u32,
    /// The instant at which the run ended, in seconds since time zero.
    pub virtual_seconds: f64,
    /// How long the epochs are together that the metrics are of, in seconds.
    #[serde(default)]
    pub measured_seconds: f64,
    /// Real time that the run took, in seconds.
    #[serde(default)]
    pub wall_seconds: f64,
    /// How many events peers handled.
    #[serde(default)]
    pub events: u64,
    /// `events` by `wall_seconds`.
    #[serde(default)]
    pub events_per_second: f64,
    /// The largest resident set of the process, in bytes; 0 where the system does not tell.
    #[serde(default)]
    pub peak_rss_bytes: u64,
    /// The program that ran; files of the first releases lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The digest of a simulation, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The digest over all payloads of a simulation with encoded messages, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_digest: Option<String>,
    /// The accounts of messages.
    pub messages: Messages,
    /// Answers that came after the question was given up.
    #[serde(default)]
    pub late_answers: u64,
    /// Acts of the scenario that found nothing to do, such as the stop of a stopped seat.
    #[serde(default)]
    pub idle_directives: u64,
    /// Packets that the sockets dropped, by cause; on real sockets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sockets_dropped: Option<BTreeMap<String, u64>>,
    /// The share of seat-seconds that were reported, 0 to 1; at seat 0's process of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// How many processes reported to the end; at seat 0's process of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Shares of the whole network that are missing, in words; only where some are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Processes that this one did not let in or refused, or that did not let it in, in words; only
    /// where there were some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_out: Vec<String>,
    /// How late the shards of this process were; on real sockets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delays: Option<Lateness>,
    /// The account of packets, where a model stood between the sockets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<Packets>,
    /// Only where it is true: the machine did not keep up, and nothing here describes the network.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub void: bool,
    /// Why, in words, the gravest reason first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub void_because: Vec<String>,
    /// Only where it is true: this is one process's share of several.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub share: bool,
    /// Only where it is true: the run ended before its time, and everything here is partial.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// The panic that ended it, if one did: where it was, and its message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub panicked: Option<String>,
    /// The metrics by full name, `peerlet/metric`, over the epochs after the warm-up.
    pub measures: BTreeMap<String, Measure>,
    /// How the peers' own numbers are spread, by name, where the scenario asks for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub spreads: BTreeMap<String, PeerSpread>,
    /// The properties that were checked, and how each ended. No digest covers them.
    #[serde(default)]
    pub properties: Vec<PropertyReport>,
    /// Why the run ended before its time, where the command or the scenario asked for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// The states of peers at the end, where they were to be shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<ShownPeer>,
    /// The bounds of the scenario's expectations, and how each ended.
    #[serde(default)]
    pub expectations: Vec<Verdict>,
    /// Why its expectations were not judged, where the scenario has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_judged: Option<String>,
}

/// The state of a peer at the end of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShownPeer {
    /// Its seat.
    pub seat: u32,
    /// `running`, `stopped`, or `absent` before its first life and after a crash.
    pub state: String,
    /// The number of its life.
    pub life: u32,
    /// The states of its peerlets as texts, by their names; null where a peerlet shows none.
    pub peerlets: BTreeMap<String, Option<String>>,
}

impl From<&PeerState> for ShownPeer {
    fn from(shown: &PeerState) -> ShownPeer {
        let peerlets = shown.peerlets.iter();
        ShownPeer {
            seat: shown.seat.0,
            state: shown.state_name().to_owned(),
            life: shown.life,
            peerlets: peerlets.map(|(name, state)| ((*name).to_owned(), state.clone())).collect(),
        }
    }
}

/// The program that ran.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Version {
    /// The experiment's name.
    pub program: String,
    /// The version of the `peerlet` crate that it was built with.
    pub peerlet: String,
    /// The codec of its messages.
    pub codec: String,
}

impl Version {
    /// The version of this program, whose experiment has this name and codec.
    pub fn of(program: &str, codec: Codec) -> Version {
        Version {
            program: program.to_owned(),
            peerlet: env!("CARGO_PKG_VERSION").to_owned(),
            codec: codec.name().to_owned(),
        }
    }
}

/// The accounts of messages: all together, and by class of delivery.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Messages {
    /// All messages; its fields stand beside the next two.
    #[serde(flatten)]
    pub total: Account,
    /// Datagrams.
    #[serde(default)]
    pub datagram: Account,
    /// Messages of reliable delivery.
    #[serde(default)]
    pub reliable: Account,
}

/// An account of messages. In simulation and emulation it balances:
/// `sent + duplicated = delivered + in_flight + dropped`.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Messages that peers sent.
    pub sent: u64,
    /// Copies that the network made.
    #[serde(default)]
    pub duplicated: u64,
    /// Messages that reached a handler.
    pub delivered: u64,
    /// Messages on their way at the end; not in live runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u64>,
    /// Messages of unknown fate; only in live runs, and not of one process's share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unaccounted: Option<u64>,
    /// The bytes of the messages sent, as encoded.
    #[serde(default)]
    pub bytes: u64,
    /// Messages that were dropped, by cause.
    pub dropped: BTreeMap<String, u64>,
}

/// How late the shards of a process on real sockets were, and why.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Lateness {
    /// The median of how late a shard was for what was due, in microseconds.
    pub late_p50_us: Option<f64>,
    /// The 99th percentile of that.
    pub late_p99_us: Option<f64>,
    /// The largest of that.
    pub late_max_us: f64,
    /// How often the whole process stood still for more than a second.
    pub suspensions: u32,
    /// For how long in all, in seconds.
    pub suspended_seconds: f64,
    /// Handlers that took more than 100 ms.
    pub blocked: u64,
    /// The longest of them, in seconds.
    pub slowest_seconds: Option<f64>,
    /// Where that was: peer, life, peerlet, handler and time.
    pub slowest: Option<String>,
}

/// The account of packets where a model stood between the sockets; of an emulation also how late
/// they were, in microseconds.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Packets {
    /// Packets that were given to the model.
    pub sent: u64,
    /// Copies that it made.
    pub duplicated: u64,
    /// Packets with flipped bits.
    pub damaged: u64,
    /// Packets that were handed over.
    pub carried: u64,
    /// Packets that waited at the end.
    pub waiting: u64,
    /// Packets that were dropped, by cause.
    pub dropped: BTreeMap<String, u64>,
    /// The median of how late packets were handed over.
    pub late_p50_us: Option<f64>,
    /// The 99th percentile of that.
    pub late_p99_us: Option<f64>,
    /// The largest of that.
    pub late_max_us: f64,
    /// The longest time in which the emulator did not get to run.
    pub stalled_us: f64,
    /// The median of how late packets were read.
    pub read_p50_us: Option<f64>,
    /// The 99th percentile of that.
    pub read_p99_us: Option<f64>,
    /// The largest of that.
    pub read_max_us: f64,
    /// The 99th percentile of how late packets of the warm-up were handed over.
    #[serde(default)]
    pub warm_up_late_p99_us: Option<f64>,
    /// The largest of that.
    #[serde(default)]
    pub warm_up_late_max_us: f64,
    /// The most by which a packet of the warm-up was read late.
    #[serde(default)]
    pub warm_up_read_max_us: f64,
    /// Packets that the machine lost, not the network.
    #[serde(default)]
    pub lost: Lost,
    /// Datagrams among those in flight whose fate is unknown.
    pub unaccounted: u64,
}

/// Packets that the machine lost, by cause.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Lost {
    /// Those that did not fit the emulator's queue.
    pub queue: u64,
    /// Those that the operating system refused to take.
    pub refused: u64,
    /// Those that it took and nobody read.
    pub unread: u64,
}

/// A metric in its unit. Without a value, all but the count and the sum are null.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Measure {
    /// The unit's symbol, `1` for plain numbers.
    #[serde(default)]
    pub unit: String,
    /// `counter`, `gauge` or `distribution`.
    #[serde(default)]
    pub kind: String,
    /// Only where it is true: an observer measured it, and no digest covers it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observed: bool,
    /// How many values there were.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Their mean.
    pub mean: Option<f64>,
    /// The smallest of them.
    pub min: Option<f64>,
    /// The largest of them.
    pub max: Option<f64>,
    /// Their sample standard deviation; 0 for a single value.
    pub std: Option<f64>,
    /// The 1st percentile; percentiles are off by at most 1/256 of the value.
    pub p1: Option<f64>,
    /// The 5th percentile.
    pub p5: Option<f64>,
    /// The 10th percentile.
    pub p10: Option<f64>,
    /// The 25th percentile.
    pub p25: Option<f64>,
    /// The median.
    pub p50: Option<f64>,
    /// The 75th percentile.
    pub p75: Option<f64>,
    /// The 90th percentile.
    pub p90: Option<f64>,
    /// The 95th percentile.
    pub p95: Option<f64>,
    /// The 99th percentile.
    pub p99: Option<f64>,
}

impl From<&Row> for Measure {
    fn from(row: &Row) -> Measure {
        let Row {
            kind,
            observed,
            unit,
            count,
            sum,
            mean,
            min,
            max,
            std,
            p1,
            p5,
            p10,
            p25,
            p50,
            ..
        } = *row;
        let Row { p75, p90, p95, p99, .. } = *row;
        let (unit, kind) = (unit.to_owned(), kind.name().to_owned());
        #[rustfmt::skip]
        let measure = Measure {
            unit, kind, observed, count, sum, mean, min, max, std,
            p1, p5, p10, p25, p50, p75, p90, p95, p99,
        };
        measure
    }
}

impl Measure {
    /// A number of things that were counted, as a metric of which only the sum says something.
    pub(crate) fn total(unit: &str, count: u64) -> Measure {
        let counted = Metric::counter("count");
        let none = Measure::from(&Row::of(&counted, &Accumulator::default()));
        Measure { unit: unit.to_owned(), count, sum: count as f64, ..none }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use peerlet_core::runtime::{Call, Port};
    use peerlet_core::{SECOND, Seat, Time};
    use peerlet_measure::{Epochs, Measurements, write_csv, write_distributions};
    use peerlet_run::PropertyVerdict;
    use peerlet_sim::{EventKind, Handled, JsonTrace, Sums, Trace};
    use serde_json::Value;

    use super::*;

    fn account() -> Account {
        Account {
            sent: 3,
            duplicated: 0,
            delivered: 1,
            in_flight: Some(1),
            unaccounted: Some(1),
            bytes: 12,
            dropped: BTreeMap::new(),
        }
    }

    fn measure() -> Measure {
        let row = peerlet_measure::Row::of(
            &peerlet_core::Metric::counter("answers"),
            &peerlet_measure::Accumulator::default(),
        );
        Measure::from(&row)
    }

    fn packets() -> Packets {
        Packets {
            sent: 1,
            duplicated: 0,
            damaged: 0,
            carried: 1,
            waiting: 0,
            dropped: BTreeMap::new(),
            late_p50_us: None,
            late_p99_us: Some(1.0),
            late_max_us: 2.0,
            stalled_us: 1.0,
            read_p50_us: None,
            read_p99_us: None,
            read_max_us: 0.5,
            warm_up_late_p99_us: None,
            warm_up_late_max_us: 2.0,
            warm_up_read_max_us: 0.5,
            lost: Lost { queue: 1, refused: 2, unread: 3 },
            unaccounted: 0,
        }
    }

    fn property() -> PropertyReport {
        PropertyReport {
            name: "ring/is one".to_owned(),
            kind: "eventually".to_owned(),
            verdict: PropertyVerdict::Failed,
            held: false,
            checked: 3,
            lives: Some(2),
            held_at: Some(1.0),
            failed_at: Some(2.0),
            failed_time: None,
            message: "it is not".to_owned(),
            peers: vec![(3, "it has no successor".to_owned())],
            states: vec![(3, BTreeMap::from([("ring".to_owned(), "alone".to_owned())]))],
            more: 1,
        }
    }

    /// A summary with every field.
    fn full() -> RunSummary {
        RunSummary {
            schema: SCHEMA,
            world: "emulate".to_owned(),
            transport: Some("udp".to_owned()),
            scenario: "a title".to_owned(),
            seed: u64::MAX,
            peers: 4,
            threads: 2,
            virtual_seconds: 1.5,
            measured_seconds: 1.0,
            wall_seconds: 0.25,
            events: 7,
            events_per_second: 28.0,
            peak_rss_bytes: 4096,
            version: Some(Version::of("hello", Codec::default())),
            digest: Some("8c4ebff234b033ff".to_owned()),
            payload_digest: Some("0".to_owned()),
            messages: Messages { total: account(), datagram: account(), reliable: account() },
            late_answers: 0,
            idle_directives: 0,
            sockets_dropped: Some(BTreeMap::new()),
            coverage: Some(1.0),
            processes: Some(2),
            delays: Some(Lateness { late_max_us: 3.0, ..Lateness::default() }),
            packets: Some(packets()),
            void: true,
            void_because: vec!["it lost packets".to_owned()],
            missing: vec!["seats 3 to 5: no process came".to_owned()],
            kept_out: vec!["others, 7 times".to_owned()],
            share: true,
            interrupted: true,
            panicked: Some("peer 3".to_owned()),
            measures: BTreeMap::from([("hello/answers".to_owned(), measure())]),
            spreads: BTreeMap::from([("hello/answers".to_owned(), PeerSpread::default())]),
            properties: vec![property()],
            stopped: Some("it was to run until 2s".to_owned()),
            states: vec![ShownPeer {
                seat: 3,
                state: "running".to_owned(),
                life: 1,
                peerlets: BTreeMap::new(),
            }],
            expectations: vec![Verdict {
                measure: "hello/answers".to_owned(),
                bound: "sum_min".to_owned(),
                over: Some("at the end".to_owned()),
                value: 1.0,
                actual: None,
                held: false,
                place: "hello.toml:3:1".to_owned(),
            }],
            not_judged: Some("the run is void".to_owned()),
        }
    }

    fn names(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    into.insert(name.clone());
                    names(value, into);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| names(item, into)),
            _ => {}
        }
    }

    #[test]
    fn a_summary_reads_as_it_was_written() {
        let text = serde_json::to_string(&full()).unwrap();
        assert_eq!(serde_json::from_str::<RunSummary>(&text).unwrap(), full());
    }

    #[test]
    fn the_page_names_every_field() {
        let page = include_str!("../../../../docs/RUN_FOLDER.md");
        let mut fields = BTreeSet::new();
        names(&serde_json::to_value(full()).unwrap(), &mut fields);
        fields.remove("hello/answers");
        fields.remove("ring");
        assert!(fields.len() > 60, "{fields:?}");
        let missing: Vec<_> =
            fields.iter().filter(|field| !page.contains(&format!("`{field}`"))).collect();
        assert!(missing.is_empty(), "docs/RUN_FOLDER.md lacks {missing:?}");
    }

    #[test]
    fn the_page_states_the_other_files() {
        let page = include_str!("../../../../docs/RUN_FOLDER.md");
        let second = Time::ZERO..Time::ZERO + SECOND;
        let grid = Epochs::new(SECOND, second).unwrap();
        let none = Measurements::new([].into(), grid);
        let (mut csv, mut distributions) = (Vec::new(), Vec::new());
        write_csv(&none, &mut csv).unwrap();
        write_distributions(&none, &mut distributions).unwrap();
        for header in [csv, distributions] {
            let header = String::from_utf8(header).unwrap();
            assert!(page.contains(&format!("```csv\n{header}```")), "{header}");
        }
        let mut events = Vec::new();
        let mut trace = JsonTrace::new(&mut events, 1);
        let (time, seat, kind) = (Time::ZERO, Seat(0), EventKind::Start);
        for call in [Call::None, Call::Question(1), Call::Answer(1), Call::NoAnswer(1)] {
            let (source, seq, life, port) = (0, 0, 1, Some(Port(0)));
            let (round, payload) = (0, 0);
            trace.handled(&Handled {
                time,
                round,
                seat,
                kind,
                source,
                seq,
                life,
                port,
                call,
                payload,
            });
        }
        trace.finished(&Sums::default());
        trace.finish().unwrap();
        let mut fields = BTreeSet::new();
        for line in String::from_utf8(events).unwrap().lines() {
            names(&serde_json::from_str(line).unwrap(), &mut fields);
        }
        let kinds = EventKind::ALL.map(|kind| kind.name().to_owned());
        for name in fields.into_iter().chain(kinds) {
            assert!(page.contains(&format!("`{name}`")), "docs/RUN_FOLDER.md lacks `{name}`");
        }
    }

    #[test]
    fn a_metric_has_the_numbers_of_its_row() {
        let json = serde_json::to_value(measure()).unwrap();
        let mut fields: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let statistics = peerlet_measure::STATISTICS.map(|(name, _)| name);
        let mut expected: Vec<_> = statistics.into_iter().chain(["kind", "unit"]).collect();
        fields.sort_unstable();
        expected.sort_unstable();
        assert_eq!(fields, expected);
    }
}
