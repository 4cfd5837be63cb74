//! A run folder as the page shows it.

use std::collections::BTreeMap;
use std::path::Path;

use peerlet_measure::{csv_records, read_csv, read_distributions};
use peerlet_scenario::Source;
use serde_json::Value;

use crate::html::data::{Flight, GraphData, PeerColumn, Peers, RunData, Series, Traffic};
use crate::html::graph::graphs;
use crate::html::marks::Staging;
use crate::html::series::{buckets, series};
use crate::run_folder::schema::RunSummary;
use crate::run_folder::{
    FolderError, LINKS, MESSAGES, PEERS, read_messages, readable_summary, text, text_if_there,
};
use crate::story::{STORY, StoryLine};

/// The most messages of a report: the first ones are shown.
const FLIGHTS_MAX: usize = 20_000;

/// Reads a run folder, also one of a run that was interrupted.
///
/// # Errors
/// When it is no run folder, or one of its files cannot be read.
pub fn read_run(folder: &Path, name: String) -> Result<RunData, FolderError> {
    let (summary, value) = readable_summary(&folder.join("summary.json"))?;
    let at = folder.join("measures.csv");
    let rows = read_csv(&text(&at)?)
        .map_err(|error| FolderError::Io(format!("`{}`: {error}", at.display())))?;
    let (epochs, series) = series(rows);
    let unit = |(name, one): (&String, &Series)| (name.clone(), one.unit.clone());
    let units: BTreeMap<String, String> = series.iter().map(unit).collect();
    let at = folder.join("distributions.csv");
    let distributions = read_distributions(&text(&at)?)
        .map_err(|error| FolderError::Io(format!("{}:{}: {error}", at.display(), error.line())))?;
    let at = folder.join("scenario.toml");
    let scenario = text_if_there(&at)?;
    let staging = match Source::open(&at) {
        Ok(source) if scenario.is_some() => Staging::of(source),
        _ => Staging::default(),
    };
    let mut graphs = read_graphs(&folder.join(LINKS), summary.peers)?;
    graphs.iter_mut().for_each(|graph| graph.groups.clone_from(&staging.groups));
    Ok(RunData {
        title: summary.scenario.clone(),
        name,
        repeat: repeat(&summary, &at),
        scenario,
        summary: value,
        epochs,
        series,
        distributions: buckets(distributions),
        traffic: read_traffic(&folder.join(MESSAGES))?,
        peers: read_peers(&folder.join(PEERS), &units)?,
        graphs,
        messages: read_flights(&folder.join(STORY))?,
        events: staging.marks,
    })
}

/// The overlays of a run, where it kept links.
fn read_graphs(path: &Path, seats: u32) -> Result<Vec<GraphData>, FolderError> {
    let Some(text) = text_if_there(path)? else { return Ok(Vec::new()) };
    graphs(&text, seats)
        .map_err(|(line, why)| FolderError::Io(format!("{}:{line}: {why}", path.display())))
}

/// The messages of each epoch, where they are known.
fn read_traffic(path: &Path) -> Result<Option<Traffic>, FolderError> {
    let Some(text) = text_if_there(path)? else { return Ok(None) };
    let epochs = read_messages(&text).map_err(|line| {
        let shown = path.display();
        FolderError::Io(format!("{shown}:{line}: it is no line about messages; run it again"))
    })?;
    let mut traffic = Traffic::default();
    for (index, (_, counts)) in epochs.into_iter().enumerate() {
        for (name, count) in counts {
            match name.as_str() {
                "sent" => traffic.sent.push(count),
                "delivered" => traffic.delivered.push(count),
                "bytes" => traffic.bytes.push(count),
                name => {
                    let Some(cause) = name.strip_prefix("dropped_") else { continue };
                    let column = traffic.dropped.entry(cause.to_owned()).or_default();
                    column.resize(index, 0.0);
                    column.push(count);
                }
            }
        }
    }
    traffic.dropped.retain(|_, counts| counts.iter().any(|count| *count > 0.0));
    Ok(Some(traffic))
}

/// The peers one by one, where they were counted.
fn read_peers(path: &Path, units: &BTreeMap<String, String>) -> Result<Option<Peers>, FolderError> {
    let Some(text) = text_if_there(path)? else { return Ok(None) };
    let wrong = |line: usize| {
        let shown = path.display();
        FolderError::Io(format!("{shown}:{line}: it is no line about a peer; run it again"))
    };
    let mut records = csv_records(&text);
    let (_, header) = records.next().and_then(Result::ok).ok_or_else(|| wrong(1))?;
    let mut peers = Peers::default();
    let mut columns = vec![Vec::new(); header.len().saturating_sub(3)];
    for record in records {
        let (line, fields) = record.map_err(wrong)?;
        if fields.len() != header.len() || fields.len() < 3 {
            return Err(wrong(line));
        }
        let number = |field: &String| match field.is_empty() {
            true => Ok(None),
            false => field.parse::<f64>().map(Some).map_err(|_| wrong(line)),
        };
        peers.seat.push(fields[0].parse().map_err(|_| wrong(line))?);
        peers.group.push(fields[1].clone());
        peers.lives.push(number(&fields[2])?.unwrap_or(0.0));
        for (column, field) in columns.iter_mut().zip(&fields[3..]) {
            column.push(number(field)?);
        }
    }
    for (name, values) in header.into_iter().skip(3).zip(columns) {
        let own = match name.as_str() {
            "messages/bytes" => "B",
            _ => "1",
        };
        let unit = units.get(&name).cloned().unwrap_or_else(|| own.to_owned());
        peers.columns.insert(name, PeerColumn { unit, values });
    }
    Ok(Some(peers))
}

/// The messages of a story, where there is one.
fn read_flights(path: &Path) -> Result<Vec<Flight>, FolderError> {
    let Some(text) = text_if_there(path)? else { return Ok(Vec::new()) };
    let mut sent: BTreeMap<(u32, u64), (f64, u32, String)> = BTreeMap::new();
    let mut flights = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line: StoryLine = serde_json::from_str(line).map_err(|error| {
            let (shown, number) = (path.display(), number + 1);
            FolderError::Io(format!("{shown}:{number}: it is no line of a story: {error}"))
        })?;
        let Some((other, number)) = line.other.zip(line.number) else { continue };
        let time = line.time as f64 / 1e9;
        match line.kind.as_str() {
            "send" => {
                let name = variant(&line).or(line.message_type).unwrap_or_default();
                sent.insert((line.seat, number), (time, other, name));
            }
            "deliver" | "drop" => {
                let lost = line.cause.filter(|_| line.kind == "drop");
                let from = if line.kind == "drop" { line.seat } else { other };
                if let Some((begun, to, name)) = sent.remove(&(from, number)) {
                    flights.push(Flight { sent: begun, until: time, from, to, name, lost });
                }
            }
            _ => {}
        }
    }
    flights.sort_by(|one, two| one.sent.total_cmp(&two.sent));
    flights.truncate(FLIGHTS_MAX);
    Ok(flights)
}

/// The variant of a message that is an `enum`.
fn variant(line: &StoryLine) -> Option<String> {
    match serde_json::from_str(line.message.as_ref()?.get()).ok()? {
        Value::String(name) => Some(name),
        Value::Object(fields) if fields.len() == 1 => fields.keys().next().cloned(),
        _ => None,
    }
}

/// The command that repeats a run, with the scenario in this file.
fn repeat(summary: &RunSummary, scenario: &Path) -> String {
    let program = summary.version.as_ref().map_or("peerlet", |version| &version.program);
    let (world, file) = (&summary.world, quoted(&scenario.display().to_string()));
    // A run that was to end earlier says so in no file.
    let until = match summary.stopped.is_some() {
        true => format!(" --until {}s", summary.virtual_seconds),
        false => String::new(),
    };
    format!("{} {world} {file}{until}", quoted(program))
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+=:@".contains(c);
    match path.chars().all(is_plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', "'\\''")),
    }
}
