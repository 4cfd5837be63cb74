//! The end of a command that ran one plan: its folder, its table and its exit code.

use std::io;
use std::path::PathBuf;

use peerlet_report::{Folder, summary};
use peerlet_run::{Results, Verdict};

use crate::arguments::What;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::again::again_with;
use crate::terminal::print::print;
use crate::terminal::status;

/// Runs with the folder, where one is asked for. A run that never began, because of a file or an
/// address, leaves nothing in it, so that the command can be repeated.
pub(crate) fn with_folder<T>(
    path: Option<&PathBuf>,
    run: impl FnOnce(Option<&Folder>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let folder = path.map(|path| Folder::create(path)).transpose()?;
    let ended = run(folder.as_ref());
    if let (Err(Failure::Io(_) | Failure::Usage(_) | Failure::Scenario(_)), Some(folder)) =
        (&ended, &folder)
    {
        folder.take_back();
    }
    ended
}

/// Shows a run that is over, writes its folder, and says whether all held.
pub(crate) fn conclude(
    run: &Results,
    folder: Option<&Folder>,
    what: &What,
    json: bool,
) -> Result<Exit, Failure> {
    let verdicts = run.verdicts();
    let ended = show(run, &verdicts, folder, what, json);
    match ended {
        // It says that a program is wrong, which matters more than where its results went.
        Err(failure) if run.panicked.is_some() => {
            status::say(&format!("error: {}", failure.message()));
            Ok(Exit::Panicked)
        }
        ended => ended,
    }
}

/// Writes and prints a run that is over, and says how the command ends.
fn show(
    run: &Results,
    verdicts: &[Verdict],
    folder: Option<&Folder>,
    what: &What,
    json: bool,
) -> Result<Exit, Failure> {
    if let Some(folder) = folder {
        folder.write(run, verdicts)?;
    }
    print(&match json {
        true => summary::json(run, verdicts),
        false => summary::table(run, verdicts, what.quiet, |more| again_with(None, more)),
    })?;
    let held = verdicts.iter().all(|verdict| verdict.held)
        && run.properties.iter().all(|report| report.held);
    Ok(match held {
        _ if run.panicked.is_some() => Exit::Panicked,
        _ if run.is_interrupted => Exit::Interrupted,
        _ if run.is_void() => Exit::Void,
        _ if run.is_incomplete() => Exit::Incomplete,
        true => Exit::Done,
        false => Exit::Failed,
    })
}

/// Ends a file that was written in a run folder meanwhile: removes it if an error occurred.
pub(crate) fn keep_if_written(
    folder: &Folder,
    name: &str,
    written: io::Result<()>,
) -> Result<(), Failure> {
    let path = folder.path_of(name);
    written.map_err(|error| {
        // The error of writing matters more than one of removing.
        std::fs::remove_file(&path).ok();
        Failure::io(path.display())(error)
    })
}
