//! The folder of one run, and the folder of several.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use peerlet_measure::{write_csv, write_distributions};
use peerlet_scenario::{Override, Rewrite};

use crate::inputs;
use crate::output::results::Results;
use crate::output::schema::Verdict;
use crate::output::summary;
use crate::output::whole_file::write_whole;
use crate::plan::Plan;
use crate::run::Failure;
use crate::transport::Transport;

/// A run folder: `scenario.toml`, which gives the same run again, with its files in `inputs`;
/// `measures.csv`, `distributions.csv`, `summary.json`, and `events.jsonl` when traced.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Creates the folder. One that holds a run already is refused, so that nothing is lost.
    pub(crate) fn create(path: &Path) -> Result<Folder, Failure> {
        create_folder(path)?;
        refuse_run(path)?;
        Ok(Folder { path: path.to_owned() })
    }

    /// Creates a file that is written while the run lasts.
    pub(crate) fn create_file(&self, name: &str) -> Result<File, Failure> {
        let path = self.path_of(name);
        File::create(&path).map_err(Failure::io(path.display()))
    }

    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes the scenario, so that it gives the same run again from any folder, without options:
    /// with the values of the command line in it, and its files beside it.
    pub(crate) fn write_scenario(
        &self,
        plan: &Plan,
        overrides: &[Override],
        (transport, wire): (Option<Transport>, bool),
    ) -> Result<(), Failure> {
        let scenario = &plan.scenario;
        let mut rewrite = Rewrite::new(&scenario.sources.file().text, overrides)?;
        inputs::keep(scenario, &self.path, &mut rewrite)?;
        if let Some(transport) = transport {
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
    pub(crate) fn write(&self, run: &Results, verdicts: &[Verdict]) -> Result<(), Failure> {
        self.write_table("measures.csv", |file| write_csv(&run.measures, file))?;
        self.write_table("distributions.csv", |file| write_distributions(&run.measures, file))?;
        self.write_file("summary.json", summary::json(run, verdicts).as_bytes())
    }

    fn write_table(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let path = self.path_of(name);
        write_whole(&path, write).map_err(Failure::io(path.display()))
    }

    fn write_file(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.write_table(name, |file| file.write_all(bytes))
    }
}

/// The folder of several runs: a run folder for each seed, named by it.
pub(crate) struct FolderSet {
    path: PathBuf,
}

impl FolderSet {
    /// Creates the folder. One that holds a run, or a run of one of these seeds, is refused before
    /// anything runs.
    pub(crate) fn create(path: &Path, seeds: RangeInclusive<u64>) -> Result<FolderSet, Failure> {
        create_folder(path)?;
        refuse_run(path)?;
        let set = FolderSet { path: path.to_owned() };
        for seed in seeds {
            refuse_run(&set.path_of(seed))?;
        }
        Ok(set)
    }

    /// Creates the folder of one seed's run.
    pub(crate) fn folder(&self, seed: u64) -> Result<Folder, Failure> {
        Folder::create(&self.path_of(seed))
    }

    fn path_of(&self, seed: u64) -> PathBuf {
        self.path.join(seed.to_string())
    }
}

fn create_folder(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    if path.exists() && !path.is_dir() {
        let message = format!("`{shown}` is a file, and -o names a folder; name another one");
        return Err(Failure::Io(message));
    }
    let failed = |error| {
        format!("cannot create the folder `{shown}`: {error}; name another one that can be written")
    };
    std::fs::create_dir_all(path).map_err(|error| Failure::Io(failed(error)))
}

fn refuse_run(path: &Path) -> Result<(), Failure> {
    if path.join("summary.json").exists() {
        return Err(Failure::Io(format!(
            "`{}` holds a run already; name another folder or remove it",
            path.display()
        )));
    }
    Ok(())
}
