//! Errors of writing, reading and comparing run folders.

use std::error::Error;
use std::{fmt, io};

use peerlet_scenario::Problems;

/// Why a run folder could not be written, read or compared. Each has its message, which says what
/// to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum FolderError {
    /// A file could not be read or written, or is not what it should be.
    Io(String),
    /// The folders that were named cannot be compared.
    Unlike(String),
    /// The run in the folder is of no use: late, interrupted, or not the whole network.
    Void(String),
    /// The scenario cannot be written as it ran.
    Scenario(Problems),
}

impl FolderError {
    /// An error of reading or writing this.
    pub fn io(what: impl fmt::Display) -> impl FnOnce(io::Error) -> FolderError {
        move |error| FolderError::Io(format!("{what}: {error}"))
    }
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FolderError::Io(message)
            | FolderError::Unlike(message)
            | FolderError::Void(message) => f.write_str(message),
            FolderError::Scenario(problems) => problems.fmt(f),
        }
    }
}

impl Error for FolderError {}

impl From<Problems> for FolderError {
    fn from(problems: Problems) -> FolderError {
        FolderError::Scenario(problems)
    }
}
