//! The end of a sweep: its tables, and how it ended.

use clap::Args;
use peerlet_report::sweep::{SweepFolder, SweepResults};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::again::{program, quoted};
use crate::terminal::print::print;

/// The tables in a sweep folder that holds all runs.
const RUNS: &str = "runs.csv";
const TABLE: &str = "table.csv";

/// The most failures that are shown.
const FAILURES_MAX: usize = 20;

/// Output options of `sweep` and `merge`.
#[derive(Args, Debug)]
pub(crate) struct Shown {
    /// Print these metrics only (repeatable), such as lookups/success
    #[arg(long, value_name = "METRIC")]
    measure: Vec<String>,
    /// Print one JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// Writes the tables where all runs are there, prints what is there, and says whether all held.
pub(crate) fn conclude(
    folder: &SweepFolder,
    results: &SweepResults,
    shown: &Shown,
) -> Result<Exit, Failure> {
    if results.is_complete() {
        folder.write(RUNS, &results.runs_csv())?;
        folder.write(TABLE, &results.table_csv())?;
    }
    if let Some(unknown) = shown.measure.iter().find(|name| !has(results, name)) {
        let message = format!("no run measures `{unknown}`; without --measure all are shown");
        return Err(Failure::Usage(message));
    }
    let failed: Vec<_> = results.runs.iter().filter(|run| !run.failures().is_empty()).collect();
    let text = match shown.json {
        true => results.json(),
        false => {
            let (done, all) = (results.runs.len(), results.sweep.runs());
            let mut out = format!("{done} of {all} runs, mean and 95 % interval\n\n");
            out += &results.table(&shown.measure);
            for run in failed.iter().take(FAILURES_MAX) {
                let words = results.sweep.words(run.point);
                let gap = if words.is_empty() { "" } else { " " };
                for failure in run.failures() {
                    out += &format!("\n{words}{gap}seed={}: {failure}", run.seed);
                }
                let file = run.path.join("scenario.toml");
                out +=
                    &format!("\nagain: {} sim {}", program(), quoted(&file.display().to_string()));
            }
            match failed.len() {
                0 => {}
                1..=FAILURES_MAX => out.push('\n'),
                many => out += &format!("\n{many} runs failed; these are the first\n"),
            }
            out
        }
    };
    print(&text)?;
    Ok(if failed.is_empty() { Exit::Done } else { Exit::Failed })
}

fn has(results: &SweepResults, metric: &str) -> bool {
    results.runs.is_empty() || results.runs.iter().any(|run| run.measures().contains_key(metric))
}
