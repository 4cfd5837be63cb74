//! `merge`: the runs of a sweep that ran in several folders, in one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use peerlet_report::sweep::{SweepFolder, SweepResults};

use crate::commands::sweep_end::{self, Shown};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::status;

#[derive(Args, Debug)]
pub(crate) struct Merge {
    /// Folders of the same sweep
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// The folder to bring them together in; one of the same sweep goes on
    #[arg(short, value_name = "DIR", required = true)]
    output: PathBuf,
    #[command(flatten)]
    shown: Shown,
}

/// Runs the `merge` command.
pub(crate) fn run(arguments: &Merge) -> Result<Exit, Failure> {
    let mut parts = Vec::new();
    for path in &arguments.folders {
        let (folder, sweep) = SweepFolder::open(path)?;
        parts.push(SweepResults::read(&folder, sweep).map(|results| (folder, results))?);
    }
    let (_, first) = &parts[0];
    let sweep = first.sweep.clone();
    // All of them are looked at before anything is copied.
    let mut digests: BTreeMap<(usize, u64), (&Option<String>, String)> = BTreeMap::new();
    for (folder, results) in &parts {
        if results.sweep != sweep {
            let (one, other) = (arguments.folders[0].display(), folder.path().display());
            let why = sweep.difference(&results.sweep);
            return Err(Failure::Usage(format!("`{one}` and `{other}` are other sweeps: {why}")));
        }
        for run in &results.runs {
            let shown = run.path.display().to_string();
            let key = (run.point, run.seed);
            let (digest, before) =
                digests.entry(key).or_insert((&run.summary.digest, shown.clone()));
            if **digest != run.summary.digest {
                status::say(&format!("error: `{before}` and `{shown}` have other digests"));
                return Err(Failure::Told(Exit::Nondeterminism));
            }
        }
    }
    let into = SweepFolder::create(&arguments.output, &sweep)?;
    for (folder, results) in &parts {
        for run in &results.runs {
            into.copy(folder, run.point, run.seed)?;
        }
    }
    let results = SweepResults::read(&into, sweep)?;
    let ended = sweep_end::conclude(&into, &results, &arguments.shown)?;
    if results.is_complete() {
        return Ok(ended);
    }
    let missing = results.sweep.runs() - results.runs.len() as u64;
    status::say(&format!("{missing} runs are missing; `sweep` with the same options runs them"));
    Ok(Exit::Incomplete)
}
