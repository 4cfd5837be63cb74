//! One side of a comparison: a run folder, or a folder of them.

use std::path::{Path, PathBuf};

use peerlet_measure::{RUNS_MAX, RunStatistics};

use super::run_folder::{self, Facts};
use crate::run_folder::FolderError;

/// All runs of a side.
pub struct Side {
    /// Its folder, as it is shown.
    pub path: String,
    /// Of each run; at least one.
    pub facts: Vec<Facts>,
    /// Of each run, in the same order.
    pub statistics: Vec<RunStatistics>,
    /// Sub-folders that hold no run.
    pub passed_over: Vec<String>,
}

impl Side {
    /// Reads the run in this folder, or where it holds none those in its sub-folders.
    pub fn read(path: &Path) -> Result<Side, FolderError> {
        let (folders, passed_over) = match holds_run(path) {
            true => (vec![path.to_owned()], Vec::new()),
            false => runs_in(path)?,
        };
        let (mut facts, mut statistics) = (Vec::new(), Vec::new());
        for folder in &folders {
            let (of, run) = run_folder::read(folder)?;
            facts.push(of);
            statistics.push(run);
        }
        Ok(Side { path: path.display().to_string(), facts, statistics, passed_over })
    }

    /// The scenario and world of the first run; all others share them once [`check`] has passed.
    pub fn first(&self) -> &Facts {
        self.facts.first().expect("a side has at least one run")
    }

    /// The seeds in ascending order.
    pub fn seeds(&self) -> Vec<u64> {
        let mut seeds: Vec<u64> = self.statistics.iter().map(|run| run.seed).collect();
        seeds.sort_unstable();
        seeds
    }
}

fn holds_run(folder: &Path) -> bool {
    folder.join("summary.json").exists()
}

/// The sub-folders that hold a run, by number where they are named by one; and the other ones.
fn runs_in(path: &Path) -> Result<(Vec<PathBuf>, Vec<String>), FolderError> {
    let shown = path.display();
    if path.is_file() {
        let message =
            format!("`{shown}` is a file; a side is a run folder, as written by -o, or holds some");
        return Err(FolderError::Unlike(message));
    }
    let failed = |error| FolderError::Io(format!("`{shown}` cannot be read: {error}"));
    let (mut runs, mut others) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let folder = entry.map_err(failed)?.path();
        if holds_run(&folder) {
            runs.push(folder);
        } else if folder.is_dir() {
            others.push(folder.display().to_string());
        }
        if runs.len() > RUNS_MAX {
            return Err(FolderError::Unlike(format!(
                "`{shown}` holds more than {RUNS_MAX} runs; compare fewer"
            )));
        }
    }
    if runs.is_empty() {
        return Err(FolderError::Io(format!(
            "`{shown}` holds no run: there is no summary.json in it, nor in a folder in it; \
             write one with `sim -o DIR`"
        )));
    }
    runs.sort_by_cached_key(|folder| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name.parse::<u64>().unwrap_or(u64::MAX), name)
    });
    others.sort();
    Ok((runs, others))
}

/// Refuses runs that have too little in common to be compared.
pub fn check(left: &Side, right: &Side) -> Result<(), FolderError> {
    let one = left.first();
    for side in [left, right] {
        let first = side.first();
        for other in &side.facts {
            if other.place() != first.place() {
                return Err(FolderError::Unlike(format!(
                    "`{}` is of world {} and `{}` of world {}; \
                     give the runs of each world a side of their own",
                    first.path,
                    first.place(),
                    other.path,
                    other.place()
                )));
            }
            if other.peers != one.peers {
                return Err(FolderError::Unlike(format!(
                    "`{}` has {} peers and `{}` has {}; compare runs with the same number of peers",
                    one.path, one.peers, other.path, other.peers
                )));
            }
            if other.virtual_seconds != one.virtual_seconds {
                return Err(FolderError::Unlike(format!(
                    "`{}` lasts {} s and `{}` lasts {} s; compare runs of the same length",
                    one.path, one.virtual_seconds, other.path, other.virtual_seconds
                )));
            }
        }
    }
    Ok(())
}
