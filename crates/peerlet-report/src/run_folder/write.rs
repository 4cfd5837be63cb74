//! The folder of one run, and the folder of several.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use peerlet_measure::{write_csv, write_distributions};
use peerlet_run::{Plan, Results, Verdict};
use peerlet_scenario::{Override, Rewrite};

use crate::run_folder::error::FolderError;
use crate::run_folder::inputs;
use crate::run_folder::links::LINKS;
use crate::run_folder::messages::{MESSAGES, write_messages};
use crate::run_folder::peers::{PEERS, has_peers, write_peers};
use crate::run_folder::read::whole_summary;
use crate::run_folder::whole_file::write_whole;
use crate::summary;

/// The file that a run keeps locked in its folder until all is written.
const RUNNING: &str = "running.lock";

/// A run folder: `scenario.toml`, which gives the same run again, with its files in `inputs`;
/// `measures.csv`, `distributions.csv`, `summary.json`, and `events.jsonl` when traced.
///
/// While this lives, `running.lock` is in it, locked, so that no other run writes there. Dropped,
/// it leaves the folder to its reader.
pub struct Folder {
    path: PathBuf,
    /// Whether it was made for this run.
    is_new: bool,
    /// Locked; the system unlocks it when the process ends, however that is.
    running: Option<File>,
}

/// The files and folders that a run without a trace writes.
const RUN_FILES: [&str; 9] = [
    "scenario.toml",
    "measures.csv",
    "distributions.csv",
    "summary.json",
    MESSAGES,
    PEERS,
    LINKS,
    RUNNING,
    inputs::FOLDER,
];

/// Whether this is a file of a run in its folder, which other output must not replace.
pub fn is_run_file(path: &Path) -> bool {
    let (name, folder) = (path.file_name(), path.parent().unwrap_or(Path::new("")));
    let others = ["events.jsonl", "story.jsonl"];
    let is_named = |known: &&str| name.is_some_and(|name| name == *known);
    RUN_FILES.iter().chain(&others).any(is_named) && folder.join("summary.json").exists()
}

/// The folder of a run that may have been run already.
pub enum Renewed {
    /// It holds a whole run.
    Whole,
    /// It holds nothing, and is reserved.
    Empty(Folder),
}

impl Folder {
    /// Reserves the folder, and creates it where there is none. One that is not empty is refused,
    /// so that nothing is lost or mixed.
    pub fn create(path: &Path) -> Result<Folder, FolderError> {
        let is_new = create_folder(path)?;
        refuse_content(path)?;
        let reservation = path.join(RUNNING);
        let failed = FolderError::io(reservation.display());
        let options = || File::options().write(true).create_new(true).open(&reservation);
        // One that a killed run left is a file that nobody has locked.
        let opened = options().or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => File::options().write(true).open(&reservation),
            _ => Err(error),
        });
        let running = opened.map_err(failed)?;
        if let Err(TryLockError::WouldBlock) = running.try_lock() {
            return Err(refusal(path, RUNS));
        }
        let folder = Folder { path: path.to_owned(), is_new, running: Some(running) };
        // Another run may have begun and ended in between.
        refuse_content(path)?;
        Ok(folder)
    }

    /// The folder of a run that is to be run anew unless it is whole. What a run that was killed or
    /// interrupted left there is removed.
    ///
    /// # Errors
    /// When another run writes into it, or it cannot be written.
    pub fn renew(path: &Path) -> Result<Renewed, FolderError> {
        if whole_summary(path)?.is_some() {
            return Ok(Renewed::Whole);
        }
        create_folder(path)?;
        let reservation = path.join(RUNNING);
        let failed = FolderError::io(reservation.display());
        let mut options = File::options();
        let running =
            options.write(true).create(true).truncate(false).open(&reservation).map_err(failed)?;
        if let Err(TryLockError::WouldBlock) = running.try_lock() {
            return Err(refusal(path, RUNS));
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(path).map_err(FolderError::io(path.display()))? {
            let entry = entry.map_err(FolderError::io(path.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !RUN_FILES.contains(&&*name) && !name.ends_with(".part") {
                let what = format!("it holds `{name}`, which no run wrote");
                return Err(refusal(path, &what));
            }
            entries.push(entry.path());
        }
        for entry in entries {
            let removed = match () {
                () if entry == reservation => Ok(()),
                () if entry.is_dir() => fs::remove_dir_all(&entry),
                () => fs::remove_file(&entry),
            };
            removed.map_err(FolderError::io(entry.display()))?;
        }
        let running = Some(running);
        Ok(Renewed::Empty(Folder { path: path.to_owned(), is_new: true, running }))
    }

    /// Creates a file that is written while the run lasts.
    pub fn create_file(&self, name: &str) -> Result<File, FolderError> {
        let path = self.path_of(name);
        File::create_new(&path).map_err(FolderError::io(path.display()))
    }

    /// Removes the scenario and its files, where there are no results: after a run that never began
    /// the same folder can be named again.
    pub fn take_back(&self) {
        let is_early = |entry: &fs::DirEntry| {
            let name = entry.file_name();
            ["scenario.toml", inputs::FOLDER, RUNNING].iter().any(|early| name == *early)
        };
        let entries: Vec<_> = fs::read_dir(&self.path).into_iter().flatten().flatten().collect();
        if entries.iter().all(is_early) {
            // The error that made the run fail matters more.
            fs::remove_file(self.path_of("scenario.toml")).ok();
            fs::remove_dir_all(self.path_of(inputs::FOLDER)).ok();
        }
    }

    /// The path of a file in it.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes the scenario, so that it gives the same run again from any folder, without options:
    /// with the values of the command line in it, and its files beside it.
    pub fn write_scenario(
        &self,
        plan: &Plan,
        overrides: &[Override],
        wire: bool,
    ) -> Result<(), FolderError> {
        let scenario = &plan.scenario;
        let mut rewrite = Rewrite::of(scenario, overrides)?;
        inputs::keep(scenario, &self.path, &mut rewrite)?;
        if let Some(transport) = plan.transport {
            rewrite.set_text("run.transport", transport.name());
        }
        if wire {
            rewrite.set_true("run.wire");
        }
        if !scenario.warnings.is_empty() {
            rewrite.set_true("run.cut");
        }
        self.write_file("scenario.toml", rewrite.write().as_bytes())
    }

    /// Writes everything about the run. The summary comes last: where it is, the rest is as well.
    pub fn write(&self, run: &Results, verdicts: &[Verdict]) -> Result<(), FolderError> {
        self.write_table("measures.csv", |file| write_csv(&run.measures, file))?;
        self.write_table("distributions.csv", |file| write_distributions(&run.measures, file))?;
        if !run.accounts.is_empty() {
            self.write_table(MESSAGES, |file| write_messages(&run.accounts, file))?;
        }
        if has_peers(run) {
            self.write_table(PEERS, |file| write_peers(run, file))?;
        }
        self.write_file("summary.json", summary::json(run, verdicts).as_bytes())
    }

    fn write_table(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), FolderError> {
        let path = self.path_of(name);
        write_whole(&path, write).map_err(FolderError::io(path.display()))
    }

    fn write_file(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        self.write_table(name, |file| file.write_all(bytes))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Where it cannot be removed, it is a file that nobody has locked.
        fs::remove_file(self.path_of(RUNNING)).ok();
        drop(self.running.take());
        if self.is_new {
            // One that holds something stays.
            fs::remove_dir(&self.path).ok();
        }
    }
}

/// The folder of several runs: a run folder for each seed, named by it.
pub struct FolderSet {
    path: PathBuf,
    /// Whether it was made for these runs.
    is_new: bool,
}

impl FolderSet {
    /// Creates the folder. One that holds a run, and a run folder of one of these seeds that is not
    /// empty, is refused before anything runs. Runs of other seeds may be beside them.
    pub fn create(path: &Path, seeds: RangeInclusive<u64>) -> Result<FolderSet, FolderError> {
        let set = FolderSet { path: path.to_owned(), is_new: create_folder(path)? };
        for name in [RUNNING, "scenario.toml", "summary.json"] {
            if path.join(name).symlink_metadata().is_ok() {
                refuse_content(path)?;
            }
        }
        for seed in seeds {
            let folder = set.path_of(seed);
            if folder.symlink_metadata().is_ok() {
                refuse_file(&folder)?;
                refuse_content(&folder)?;
            }
        }
        Ok(set)
    }

    /// The folder of one seed's run.
    pub fn path_of(&self, seed: u64) -> PathBuf {
        self.path.join(seed.to_string())
    }
}

impl Drop for FolderSet {
    fn drop(&mut self) {
        if self.is_new {
            // One that holds a run stays.
            fs::remove_dir(&self.path).ok();
        }
    }
}

/// Creates the folder; says whether there was none.
fn create_folder(path: &Path) -> Result<bool, FolderError> {
    refuse_file(path)?;
    let (is_new, shown) = (!path.exists(), path.display());
    let failed = |error| {
        format!("cannot create the folder `{shown}`: {error}; name another one that can be written")
    };
    fs::create_dir_all(path).map_err(|error| FolderError::Io(failed(error)))?;
    Ok(is_new)
}

fn refuse_file(path: &Path) -> Result<(), FolderError> {
    if path.exists() && !path.is_dir() {
        let shown = path.display();
        let message = format!("`{shown}` is a file, and -o names a folder; name another one");
        return Err(FolderError::Io(message));
    }
    Ok(())
}

const RUNS: &str = "another run writes into it";

/// Refuses a folder that holds anything but a reservation that nobody has locked.
fn refuse_content(path: &Path) -> Result<(), FolderError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(FolderError::io(path.display()))? {
        names.push(entry.map_err(FolderError::io(path.display()))?.file_name());
    }
    let has = |name: &str| names.iter().any(|held| held == name);
    let about = path.join(RUNNING).symlink_metadata();
    let is_reservation = about.is_ok_and(|about| about.is_file() && about.len() == 0);
    if names.is_empty() || (names.len() == 1 && is_reservation) {
        return Ok(());
    }
    let what = if is_reservation && is_locked(&path.join(RUNNING)) {
        RUNS
    } else if has("summary.json") {
        "it holds a run already"
    } else if is_reservation {
        "it holds a run that was killed"
    } else {
        "it is not empty, and -o overwrites nothing"
    };
    Err(refusal(path, what))
}

fn is_locked(path: &Path) -> bool {
    let file = File::options().write(true).open(path);
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

fn refusal(path: &Path, what: &str) -> FolderError {
    let shown = path.display();
    let remedy = match what {
        RUNS => "name another folder",
        _ => "name another folder, or remove this one if you need nothing in it",
    };
    FolderError::Io(format!("cannot write a run into `{shown}`: {what}; {remedy}"))
}
