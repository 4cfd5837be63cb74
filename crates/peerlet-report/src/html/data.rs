//! The content of a report, as its page reads it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// The content of a report.
#[derive(Clone, Debug, Serialize)]
pub struct ReportData {
    /// The version of these fields.
    pub schema: u64,
    /// The title of the page.
    pub title: String,
    /// The program that made it.
    pub made_by: String,
    /// The runs, each with a name of its own.
    pub runs: Vec<RunData>,
    /// The sweep that the runs are of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepData>,
}

impl ReportData {
    /// A report of these runs.
    pub fn new(runs: Vec<RunData>) -> ReportData {
        let title = runs.first().map_or_else(String::new, |run| run.title.clone());
        let made_by = format!("peerlet {}", env!("CARGO_PKG_VERSION"));
        ReportData { schema: 1, title, made_by, runs, sweep: None }
    }
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct RunData {
    /// The scenario's title.
    #[serde(skip)]
    pub title: String,
    /// Its name in the report.
    pub name: String,
    /// The command that repeats it.
    pub repeat: String,
    /// The text of its scenario.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// The content of `summary.json`.
    pub summary: Value,
    /// The epochs.
    pub epochs: Epochs,
    /// The metrics epoch by epoch, by full name.
    pub series: BTreeMap<String, Series>,
    /// The distributions of the metrics, by full name.
    pub distributions: BTreeMap<String, Buckets>,
    /// The messages of each epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// The peers one by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peers: Option<Peers>,
    /// The overlays.
    pub graphs: Vec<GraphData>,
    /// Some messages, in order of time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Flight>,
    /// What the scenario did to peers and the network.
    pub events: Vec<Mark>,
}

/// From when to when epochs last, in seconds.
#[derive(Clone, Default, Debug, Serialize)]
pub struct Epochs {
    /// The first instants.
    pub from: Vec<f64>,
    /// The instants that they end before.
    pub to: Vec<f64>,
}

/// A metric in each epoch, in its unit.
#[derive(Clone, Default, Debug, Serialize)]
pub struct Series {
    /// Its unit.
    pub unit: String,
    /// `counter`, `gauge` or `distribution`.
    pub kind: String,
    /// Its statistics by name: a list each, with a value for each epoch, or none.
    #[serde(flatten)]
    pub columns: BTreeMap<&'static str, Vec<Option<f64>>>,
}

/// The buckets of a distribution, ascending.
#[derive(Clone, Default, Debug, Serialize)]
pub struct Buckets {
    /// The metric's unit.
    pub unit: String,
    /// Its kind.
    pub kind: String,
    /// The smallest value of each bucket.
    pub low: Vec<f64>,
    /// The largest value of each.
    pub high: Vec<f64>,
    /// How many values are in it.
    pub count: Vec<u64>,
}

/// Messages in each epoch.
#[derive(Clone, Default, Debug, Serialize)]
pub struct Traffic {
    /// Messages that peers sent.
    pub sent: Vec<f64>,
    /// Messages that were handled.
    pub delivered: Vec<f64>,
    /// Encoded bytes that were sent.
    pub bytes: Vec<f64>,
    /// Messages that were dropped, by cause.
    pub dropped: BTreeMap<String, Vec<f64>>,
}

/// Peers one by one: lists with an item for each.
#[derive(Clone, Default, Debug, Serialize)]
pub struct Peers {
    /// Their seats.
    pub seat: Vec<u32>,
    /// Their groups; empty where the scenario has none.
    pub group: Vec<String>,
    /// How often each was started.
    pub lives: Vec<f64>,
    /// Quantities by name.
    pub columns: BTreeMap<String, PeerColumn>,
}

/// A quantity of each peer.
#[derive(Clone, Default, Debug, Serialize)]
pub struct PeerColumn {
    /// Its unit.
    pub unit: String,
    /// The values.
    pub values: Vec<Option<f64>>,
}

/// An overlay over time.
#[derive(Clone, Default, Debug, Serialize)]
pub struct GraphData {
    /// The peerlet whose links they are.
    pub name: String,
    /// The number of seats.
    pub seats: u32,
    /// The kinds of links.
    pub kinds: Vec<String>,
    /// Whether links have a direction.
    pub directed: bool,
    /// The changes from instant to instant.
    pub frames: Vec<Frame>,
    /// Where the seats are, two numbers each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<f64>,
    /// The groups of the seats; empty where the scenario has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

/// The changes of an overlay at an instant.
#[derive(Clone, Default, Debug, Serialize)]
pub struct Frame {
    /// When, in seconds.
    pub time: f64,
    /// The seats whose peers are new.
    pub joined: Vec<u32>,
    /// Those whose peers are gone.
    pub left: Vec<u32>,
    /// New links, three numbers each: from, to, kind.
    pub added: Vec<u32>,
    /// Links that are gone, likewise.
    pub removed: Vec<u32>,
    /// Positions on a ring that changed, two numbers each: seat, position.
    pub positions: Vec<f64>,
}

/// A message on its way.
#[derive(Clone, Debug, Serialize)]
pub struct Flight {
    /// When it was sent, in seconds.
    pub sent: f64,
    /// When it arrived or was lost.
    pub until: f64,
    /// The sender's seat.
    pub from: u32,
    /// The receiver's seat.
    pub to: u32,
    /// Its type.
    pub name: String,
    /// Why it was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
}

/// What a scenario did at an instant.
#[derive(Clone, Debug, Serialize)]
pub struct Mark {
    /// When, in seconds.
    pub time: f64,
    /// What, as the scenario says it.
    pub text: String,
}

/// The results of a sweep.
#[derive(Clone, Debug, Serialize)]
pub struct SweepData {
    /// What varies.
    pub keys: Vec<SweepKey>,
    /// The first and the last seed.
    pub seeds: (u64, u64),
    /// The combinations of values.
    pub points: Vec<SweepPoint>,
}

/// A key that varies.
#[derive(Clone, Debug, Serialize)]
pub struct SweepKey {
    /// Its path.
    pub key: String,
    /// Its values as written.
    pub values: Vec<String>,
}

/// A combination of values.
#[derive(Clone, Debug, Serialize)]
pub struct SweepPoint {
    /// The values, in the order of the keys.
    pub values: Vec<String>,
    /// The metrics by full name.
    pub metrics: BTreeMap<String, SweepMetric>,
}

/// A metric over the seeds of a combination.
#[derive(Clone, Debug, Serialize)]
pub struct SweepMetric {
    /// Its unit.
    pub unit: String,
    /// Its kind.
    pub kind: String,
    /// Estimates by the names of statistics.
    pub statistics: BTreeMap<&'static str, SweepEstimate>,
}

/// A mean over runs, with its interval at 95 %.
#[derive(Clone, Debug, Serialize)]
pub struct SweepEstimate {
    /// How many runs it is of.
    pub runs: usize,
    /// The mean.
    pub mean: f64,
    /// The ends of the interval; none of a single run.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}
