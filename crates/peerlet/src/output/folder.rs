//! The folder of one run, and the folder of several.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use peerlet_measure::{write_csv, write_distributions};
use peerlet_scenario::Override;

use crate::output::results::Results;
use crate::output::schema::Verdict;
use crate::output::summary;
use crate::run::Failure;

/// A run folder: `scenario.toml` with what the command line changed, `summary.json`,
/// `measures.csv`, `distributions.csv`, and `events.jsonl` when traced.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Creates the folder. One that holds a run already is refused, so that nothing is lost.
    pub(crate) fn create(path: &Path) -> Result<Folder, Failure> {
        std::fs::create_dir_all(path).map_err(Failure::io(path.display()))?;
        refuse_run(path)?;
        Ok(Folder { path: path.to_owned() })
    }

    pub(crate) fn create_file(&self, name: &str) -> Result<File, Failure> {
        let path = self.path.join(name);
        File::create(&path).map_err(Failure::io(path.display()))
    }

    /// Writes everything about the run.
    pub(crate) fn write(
        &self,
        run: &Results,
        verdicts: &[Verdict],
        overrides: &[Override],
    ) -> Result<(), Failure> {
        let mut text = String::new();
        for option in overrides {
            text += &format!("# run with {option}\n");
        }
        if let Some(transport) = run.transport {
            text += &format!("# run with --transport {}\n", transport.name());
        }
        text += &run.plan.scenario.sources.file().text;
        self.write_file("scenario.toml", text.as_bytes())?;
        self.write_file("summary.json", summary::json(run, verdicts).as_bytes())?;
        self.write_table("measures.csv", |file| write_csv(&run.measures, file))?;
        self.write_table("distributions.csv", |file| write_distributions(&run.measures, file))
    }

    fn write_table(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let mut file = BufWriter::new(self.create_file(name)?);
        write(&mut file).and_then(|()| file.flush()).map_err(Failure::io(name))
    }

    fn write_file(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.create_file(name)?.write_all(bytes).map_err(Failure::io(name))
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
        std::fs::create_dir_all(path).map_err(Failure::io(path.display()))?;
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

fn refuse_run(path: &Path) -> Result<(), Failure> {
    if path.join("summary.json").exists() {
        return Err(Failure::Io(format!(
            "`{}` holds a run already; name another folder or remove it",
            path.display()
        )));
    }
    Ok(())
}
