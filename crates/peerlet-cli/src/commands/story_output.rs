//! The story that a simulation tells: to a file in the run folder, or to standard output.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, PoisonError};

use peerlet_core::runtime::Registry;
use peerlet_report::Folder;
use peerlet_report::story::{STORY, StoryLine};
use peerlet_run::{Plan, story_filter};
use peerlet_scenario::printable;
use peerlet_sim::{Story, StoryEvent};

use crate::commands::conclude::keep_if_written;
use crate::failure::Failure;
use crate::terminal::print::{try_print, unprinted};

/// A story that a simulation tells and the command ends.
pub(crate) struct StoryOutput(Arc<Mutex<StoryWriter>>);

struct StoryWriter {
    into: Option<BufWriter<File>>,
    registry: Arc<Registry>,
    /// The first error of writing; nothing is written after it.
    error: Option<io::Error>,
}

impl StoryOutput {
    /// Begins a story about what a filter names.
    pub(crate) fn begin(
        folder: Option<&Folder>,
        plan: &Plan,
        filter: &str,
    ) -> Result<(StoryOutput, Story), Failure> {
        let filter =
            story_filter(plan, filter).map_err(|why| Failure::Usage(format!("--trace: {why}")))?;
        let into = folder.map(|folder| folder.create_file(STORY)).transpose()?;
        let (into, registry) = (into.map(BufWriter::new), plan.registry.clone());
        let writer = Arc::new(Mutex::new(StoryWriter { into, registry, error: None }));
        let output = StoryOutput(writer.clone());
        let story = Story::new(filter, move |event| {
            writer.lock().unwrap_or_else(PoisonError::into_inner).write(event);
        });
        Ok((output, story))
    }

    /// Ends it; one that could not be written is removed.
    pub(crate) fn finish(self, folder: Option<&Folder>) -> Result<(), Failure> {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((mut into, folder)) = writer.into.take().zip(folder) else {
            return writer.error.take().map_or(Ok(()), |error| Err(unprinted(&error)));
        };
        let ended = match writer.error.take() {
            Some(error) => Err(error),
            None => into.flush(),
        };
        keep_if_written(folder, STORY, ended)
    }
}

impl StoryWriter {
    fn write(&mut self, event: &StoryEvent) {
        if self.error.is_some() {
            return;
        }
        let line = StoryLine::of(event, &self.registry);
        let written = match &mut self.into {
            // A reader that went away has seen enough.
            None => match try_print(&printable(&format!("{}\n", line.text()))) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                printed => printed,
            },
            Some(into) => serde_json::to_string(&line).map_err(io::Error::other).and_then(|line| {
                into.write_all(line.as_bytes())?;
                into.write_all(b"\n")
            }),
        };
        self.error = written.err();
    }
}
