//! The folder of one run.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use peerlet_measure::write_csv;
use peerlet_scenario::Override;

use crate::output::expectations::Verdict;
use crate::output::results::Results;
use crate::output::summary;
use crate::run::Failure;

/// A run folder: `scenario.toml` with what the command line changed, `summary.json`,
/// `measures.csv`, and `events.jsonl` when traced.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Creates the folder. One that holds a run already is refused, so that nothing is lost.
    pub(crate) fn create(path: &Path) -> Result<Folder, Failure> {
        std::fs::create_dir_all(path).map_err(Failure::io(path.display()))?;
        if path.join("summary.json").exists() {
            return Err(Failure::Io(format!(
                "`{}` holds a run already; name another folder or remove it",
                path.display()
            )));
        }
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
        text += &run.plan.scenario.sources.file().text;
        self.write_file("scenario.toml", text.as_bytes())?;
        self.write_file("summary.json", summary::json(run, verdicts).as_bytes())?;
        let mut csv = BufWriter::new(self.create_file("measures.csv")?);
        write_csv(&run.measures, &mut csv)
            .and_then(|()| csv.flush())
            .map_err(Failure::io("measures.csv"))
    }

    fn write_file(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.create_file(name)?.write_all(bytes).map_err(Failure::io(name))
    }
}
