//! The folder of a sweep.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use peerlet_scenario::read_regular_file;

use crate::run_folder::{Folder, FolderError, Renewed, write_whole};
use crate::sweep::file::{SWEEP, Sweep};

/// The most bytes of `sweep.json` that are read.
const BYTES_MAX: u64 = 16 << 20;

/// A folder that holds the runs of one sweep, or some of them.
pub struct SweepFolder {
    path: PathBuf,
}

/// The place of a run in a sweep folder.
pub enum Place {
    /// It has run already.
    Done,
    /// It is to be run into this folder.
    Free(Folder),
}

impl SweepFolder {
    /// Creates the folder for this sweep, or goes on with one that holds it already.
    ///
    /// # Errors
    /// When it holds something else, such as another sweep, or cannot be written.
    pub fn create(path: &Path, sweep: &Sweep) -> Result<SweepFolder, FolderError> {
        let shown = path.display();
        let remedy = "name another folder, or remove this one if you need nothing in it";
        let refused = |what: &str| {
            Err(FolderError::Io(format!("cannot write a sweep into `{shown}`: {what}; {remedy}")))
        };
        if path.exists() && !path.is_dir() {
            return refused("it is a file");
        }
        let file = path.join(SWEEP);
        if file.exists() {
            let other = read_sweep(path)?;
            if other != *sweep {
                return refused(&format!("it holds another sweep ({})", other.difference(sweep)));
            }
            return Ok(SweepFolder { path: path.to_owned() });
        }
        fs::create_dir_all(path).map_err(FolderError::io(&shown))?;
        if fs::read_dir(path).map_err(FolderError::io(&shown))?.next().is_some() {
            return refused("it is not empty");
        }
        write_whole(&file, |file| file.write_all(sweep.write().as_bytes()))
            .map_err(FolderError::io(file.display()))?;
        Ok(SweepFolder { path: path.to_owned() })
    }

    /// Opens a folder that holds a sweep.
    ///
    /// # Errors
    /// When it holds none.
    pub fn open(path: &Path) -> Result<(SweepFolder, Sweep), FolderError> {
        Ok((SweepFolder { path: path.to_owned() }, read_sweep(path)?))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of a run: `runs/POINT/SEED`. Combinations are counted from 1, with four digits or
    /// more.
    pub fn path_of(&self, point: usize, seed: u64) -> PathBuf {
        self.path.join("runs").join(format!("{:04}", point + 1)).join(seed.to_string())
    }

    /// The place of a run. What one left that was killed or interrupted is removed.
    ///
    /// # Errors
    /// When another process runs it at this moment, or the folder cannot be written.
    pub fn place(&self, point: usize, seed: u64) -> Result<Place, FolderError> {
        Ok(match Folder::renew(&self.path_of(point, seed))? {
            Renewed::Whole => Place::Done,
            Renewed::Empty(folder) => Place::Free(folder),
        })
    }

    /// Writes a file into it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), FolderError> {
        let path = self.path.join(name);
        write_whole(&path, |file| file.write_all(text.as_bytes()))
            .map_err(FolderError::io(path.display()))
    }

    /// Removes a file from it that is no longer true.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path.join(name)).ok();
    }

    /// Copies a run of another folder of the same sweep.
    ///
    /// # Errors
    /// When a file cannot be copied. What was copied so far is no run yet.
    pub fn copy(&self, from: &SweepFolder, point: usize, seed: u64) -> Result<(), FolderError> {
        let Place::Free(into) = self.place(point, seed)? else { return Ok(()) };
        copy_all(&from.path_of(point, seed), &into)
    }
}

/// Copies all files of a run folder, `summary.json` last.
fn copy_all(from: &Path, into: &Folder) -> Result<(), FolderError> {
    let failed = |path: &Path| FolderError::io(path.display().to_string());
    let mut folders = vec![PathBuf::new()];
    while let Some(within) = folders.pop() {
        let folder = from.join(&within);
        for entry in fs::read_dir(&folder).map_err(failed(&folder))? {
            let name = within.join(entry.map_err(failed(&folder))?.file_name());
            let (source, target) = (from.join(&name), into.path_of(&name.display().to_string()));
            if source.is_dir() {
                fs::create_dir_all(&target).map_err(failed(&target))?;
                folders.push(name);
            } else if source.is_file() && name.as_os_str() != "summary.json" {
                fs::copy(&source, &target).map_err(failed(&source))?;
            }
        }
    }
    let summary = from.join("summary.json");
    let bytes = fs::read(&summary).map_err(failed(&summary))?;
    let target = into.path_of("summary.json");
    write_whole(&target, |file| file.write_all(&bytes)).map_err(failed(&target))
}

fn read_sweep(path: &Path) -> Result<Sweep, FolderError> {
    let file = path.join(SWEEP);
    let shown = file.display();
    let bytes = read_regular_file(&file, BYTES_MAX).map_err(|error| {
        FolderError::Io(format!("`{shown}` cannot be read: {error}; name the folder of a sweep"))
    })?;
    let text = String::from_utf8(bytes).map_err(|error| error.to_string());
    text.and_then(|text| Sweep::read(&text))
        .map_err(|error| FolderError::Io(format!("`{shown}` is no sweep: {error}")))
}
