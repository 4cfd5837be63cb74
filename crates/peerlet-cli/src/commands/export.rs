//! `export`: a run in the formats of other tools.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use peerlet_core::Time;
use peerlet_report::export::{GraphFormat, Snapshot, SnapshotError, perfetto};
use peerlet_report::run_folder::LINKS;
use peerlet_report::story::STORY;
use peerlet_report::write_whole;
use peerlet_scenario::{instant, read_regular_file};

use crate::commands::report::refuse_run_file;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::print::print;

/// A longer file is not read.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// A format of another tool.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// The links at an instant, for networkx, igraph and Gephi
    #[value(name = "graphml")]
    GraphMl,
    /// The links at an instant, for Gephi
    Gexf,
    /// The links at an instant, for Graphviz
    Dot,
    /// A story as a trace, for ui.perfetto.dev
    Perfetto,
}

#[derive(Args, Debug)]
pub(crate) struct Export {
    /// The format
    format: Format,
    /// A run folder: of a scenario with [[observe]] for graphs, of `sim --trace FILTER` for a story
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The file to write [default: standard output]
    #[arg(short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The peerlet whose links are exported, where several are observed
    #[arg(long, value_name = "PEERLET")]
    links: Option<String>,
    /// The last observation at this instant or before [default: the last one]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: Option<Time>,
}

/// Runs the `export` command.
pub(crate) fn run(export: &Export) -> Result<Exit, Failure> {
    if let Some(file) = &export.output {
        refuse_run_file(file)?;
    }
    let text = match export.format {
        Format::GraphMl => graph(export, GraphFormat::GraphMl)?,
        Format::Gexf => graph(export, GraphFormat::Gexf)?,
        Format::Dot => graph(export, GraphFormat::Dot)?,
        Format::Perfetto => {
            if export.links.is_some() || export.at.is_some() {
                let said = "--links and --at are for graphs; a story is exported as a whole";
                return Err(Failure::Usage(said.to_owned()));
            }
            let (shown, text) = read(export, STORY, "`sim SCENARIO --trace 'peer=17' -o DIR`")?;
            perfetto(&text).map_err(|(line, why)| {
                Failure::Io(format!("{shown}:{line}: it is no line of a story: {why}"))
            })?
        }
    };
    match &export.output {
        None => print(&text),
        Some(file) => {
            write_whole(file, |into| into.write_all(text.as_bytes()))
                .map_err(Failure::io(file.display()))?;
            Ok(Exit::Done)
        }
    }
}

fn graph(export: &Export, format: GraphFormat) -> Result<String, Failure> {
    let (shown, text) = read(export, LINKS, "a scenario with [[observe]], run with -o,")?;
    let snapshot = Snapshot::read(&text, export.links.as_deref(), export.at).map_err(|error| {
        let message = format!("`{shown}`: {error}");
        match error {
            SnapshotError::Line(..) => Failure::Io(message),
            _ => Failure::Usage(message),
        }
    })?;
    Ok(snapshot.write(format))
}

/// The text of a file in the run folder, and its name as it is shown.
fn read(export: &Export, name: &str, writer: &str) -> Result<(String, String), Failure> {
    let path = export.run.join(name);
    let shown = path.display().to_string();
    let bytes = read_regular_file(&path, FILE_BYTES_MAX).map_err(|error| {
        Failure::Usage(format!("`{shown}` cannot be read: {error}; {writer} writes one"))
    })?;
    let text = String::from_utf8(bytes.to_vec())
        .map_err(|_| Failure::Usage(format!("`{shown}` is not UTF-8; run it again")))?;
    Ok((shown, text))
}
