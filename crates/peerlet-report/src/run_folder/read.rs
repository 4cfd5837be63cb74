//! The reading side of run folders: `summary.json` and `distributions.csv`, from anywhere.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::path::Path;

use peerlet_core::runtime::decode_text;
use peerlet_measure::{MessageStatistics, MetricStatistics, RecordedDistribution, RunStatistics};
use peerlet_scenario::read_regular_file;
use serde::Deserialize;
use serde_json::Value;

use crate::run_folder::error::FolderError;
use crate::run_folder::schema::{Account, Measure, RunSummary, SCHEMA};

/// The most bytes of one file that are read. A metric has at most some 11,000 buckets, about 60
/// bytes each, so that this is room for a hundred metrics that use them all.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The scenario and world of a run.
pub struct Facts {
    /// Its folder, as it is shown.
    pub path: String,
    /// The world it ran in: `sim`, `emulate` or `live`.
    pub world: String,
    /// The transport of its messages, where that shows.
    pub transport: Option<String>,
    /// The scenario's title.
    pub scenario: String,
    /// How many seats there were.
    pub peers: u32,
    /// The instant at which it ended, in seconds.
    pub virtual_seconds: f64,
}

impl Facts {
    /// Where it ran.
    pub fn place(&self) -> String {
        match &self.transport {
            None => self.world.clone(),
            Some(transport) => format!("{} over {transport}", self.world),
        }
    }
}

/// The first field, read alone: files of another schema cannot be read further.
#[derive(Deserialize)]
struct Head {
    schema: u64,
}

/// Reads a run folder.
pub fn read(folder: &Path) -> Result<(Facts, RunStatistics), FolderError> {
    read_from(folder, text)
}

/// Reads a run folder whose files `text` reads.
pub fn read_from(
    folder: &Path,
    text: impl Fn(&Path) -> Result<String, FolderError>,
) -> Result<(Facts, RunStatistics), FolderError> {
    let path = folder.display().to_string();
    let at = folder.join("summary.json");
    let summary = summary(&at, &text(&at)?)?;
    check_whole(&path, &summary)?;
    let at = folder.join("distributions.csv");
    let metrics = metrics(&at, &text(&at)?, summary.measures)?;
    let Account { sent, delivered, dropped, .. } = summary.messages.total;
    let messages = MessageStatistics { sent, delivered, dropped };
    let RunSummary { world, transport, scenario, seed, peers, virtual_seconds, .. } = summary;
    let facts = Facts { path, world, transport, scenario, peers, virtual_seconds };
    Ok((facts, RunStatistics { seed, metrics, messages }))
}

/// The text of a file of a run folder.
pub(crate) fn text(path: &Path) -> Result<String, FolderError> {
    let shown = path.display();
    let failed = |why: &dyn Display| FolderError::Io(format!("`{shown}` cannot be read: {why}"));
    let bytes = read_regular_file(path, FILE_BYTES_MAX).map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => {
            let most = FILE_BYTES_MAX >> 20;
            FolderError::Io(format!(
                "`{shown}` is longer than {most} MiB; name the folder of a run"
            ))
        }
        _ => failed(&error),
    })?;
    decode_text(bytes).map_err(|error| failed(&error))
}

/// The text of a file that a run folder need not have.
pub(crate) fn text_if_there(path: &Path) -> Result<Option<String>, FolderError> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        _ => text(path).map(Some),
    }
}

/// The summary of a run, whether it ended as planned or not; and all that is in the file.
pub(crate) fn readable_summary(path: &Path) -> Result<(RunSummary, Value), FolderError> {
    let text = text(path)?;
    let read = summary(path, &text)?;
    let shown = path.display();
    let value = serde_json::from_str(&text).map_err(|error| {
        FolderError::Io(format!("`{shown}` is no summary of a run: {error}; run it again"))
    })?;
    Ok((read, value))
}

fn summary(path: &Path, text: &str) -> Result<RunSummary, FolderError> {
    let shown = path.display();
    let wrong =
        |error| FolderError::Io(format!("`{shown}` is no summary of a run: {error}; run it again"));
    let Head { schema } = serde_json::from_str(text).map_err(wrong)?;
    if schema != SCHEMA {
        return Err(FolderError::Io(format!(
            "`{shown}` is of schema {schema}, and {SCHEMA} is the one that is read; \
             use the version that wrote it"
        )));
    }
    serde_json::from_str(text).map_err(wrong)
}

/// The summary of a run that ended; `None` where there is none, or the run was interrupted.
pub(crate) fn whole_summary(folder: &Path) -> Result<Option<RunSummary>, FolderError> {
    let path = folder.join("summary.json");
    let shown = path.display();
    let bytes = match read_regular_file(&path, FILE_BYTES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(FolderError::io(&shown))?,
    };
    let summary: RunSummary = serde_json::from_slice(&bytes).map_err(|error| {
        FolderError::Io(format!("`{shown}` is no summary of a run: {error}; remove its folder"))
    })?;
    if summary.schema != SCHEMA {
        let (found, known) = (summary.schema, SCHEMA);
        let message =
            format!("`{shown}` is of schema {found}, and {known} is the one that is read");
        return Err(FolderError::Io(message));
    }
    Ok((!summary.interrupted && summary.panicked.is_none()).then_some(summary))
}

/// Refuses runs that say of themselves that they are not what was planned.
fn check_whole(path: &str, summary: &RunSummary) -> Result<(), FolderError> {
    let void = |message: String| Err(FolderError::Void(message));
    if summary.void {
        // Older files have no reasons.
        let late = summary.packets.as_ref().and_then(|packets| packets.late_p99_us);
        let why = match (summary.void_because.join("; "), late) {
            (why, _) if !why.is_empty() => format!(": {why}"),
            (_, Some(late)) => format!(" (p99 {late:.0} us late)"),
            (_, None) => String::new(),
        };
        return void(format!(
            "`{path}` is void: the machine did not keep up{why}; run it again, with fewer peers or \
             on an idle machine"
        ));
    }
    if summary.interrupted {
        let end = summary.virtual_seconds;
        return void(format!("`{path}` was interrupted at {end} s; run it again"));
    }
    if let Some(why) = &summary.stopped {
        let end = summary.virtual_seconds;
        return void(format!("`{path}` was stopped at {end} s: {why}; run it to its end"));
    }
    if summary.share {
        return void(format!(
            "`{path}` is one process's share of a network; \
             name the folder of seat 0's process, which has the whole"
        ));
    }
    match summary.coverage {
        Some(coverage) if coverage < 1.0 => void(format!(
            "`{path}` covers {:.1} % of the network's seat-seconds; run it again, until all \
             processes report to the end",
            coverage * 100.0
        )),
        _ => Ok(()),
    }
}

/// The metrics of both files, which must tell of the same.
fn metrics(
    path: &Path,
    text: &str,
    mut measures: BTreeMap<String, Measure>,
) -> Result<BTreeMap<String, MetricStatistics>, FolderError> {
    let shown = path.display();
    let distributions = peerlet_measure::read_distributions(text)
        .map_err(|error| FolderError::Io(format!("{shown}:{}: {error}", error.line())))?;
    let mut metrics = BTreeMap::new();
    for (name, distribution) in distributions {
        let count = distribution.histogram.count();
        let measure = measures.remove(&name).ok_or_else(|| {
            let wrong = format!("`{shown}` has `{name}`, and summary.json does not");
            FolderError::Io(format!("{wrong}; run it again"))
        })?;
        if measure.count != count {
            return Err(FolderError::Io(format!(
                "`{shown}` has {count} values of `{name}`, and summary.json {}; run it again",
                measure.count
            )));
        }
        metrics.insert(name, statistics(measure, distribution));
    }
    if let Some(name) = measures.keys().next() {
        return Err(FolderError::Io(format!(
            "`{shown}` has no line about `{name}`, which is in summary.json; run it again"
        )));
    }
    Ok(metrics)
}

fn statistics(measure: Measure, distribution: RecordedDistribution) -> MetricStatistics {
    let Measure { count, sum, mean, p5, p50, p95, p99, .. } = measure;
    let RecordedDistribution { kind, unit, quantum, histogram } = distribution;
    MetricStatistics { kind, unit, quantum, count, sum, mean, p5, p50, p95, p99, histogram }
}
