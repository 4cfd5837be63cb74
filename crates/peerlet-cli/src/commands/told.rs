//! The story that a simulation tells: to a file in the run folder, or to standard output.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, PoisonError};

use peerlet_core::runtime::Registry;
use peerlet_report::Folder;
use peerlet_report::story::StoryLine;
use peerlet_run::{Plan, story_filter};
use peerlet_sim::{Fact, Story};

use crate::failure::Failure;
use crate::terminal::print::try_print;

/// The file of a story in a run folder.
pub(crate) const STORY: &str = "story.jsonl";

/// A story that a simulation tells and the command ends.
pub(crate) struct Told(Arc<Mutex<Teller>>);

struct Teller {
    into: Option<BufWriter<File>>,
    registry: Arc<Registry>,
    /// The first error that telling met; nothing is told after it.
    error: Option<io::Error>,
}

impl Told {
    /// Begins a story about what a filter names.
    pub(crate) fn begin(
        folder: Option<&Folder>,
        plan: &Plan,
        filter: &str,
    ) -> Result<(Told, Story), Failure> {
        let filter =
            story_filter(plan, filter).map_err(|why| Failure::Usage(format!("--trace: {why}")))?;
        let into = folder.map(|folder| folder.create_file(STORY)).transpose()?;
        let (into, registry) = (into.map(BufWriter::new), plan.registry.clone());
        let teller = Arc::new(Mutex::new(Teller { into, registry, error: None }));
        let told = Told(teller.clone());
        let story = Story::new(filter, move |fact| {
            teller.lock().unwrap_or_else(PoisonError::into_inner).tell(fact);
        });
        Ok((told, story))
    }

    /// Ends it; one that could not be written is removed.
    pub(crate) fn finish(self, folder: Option<&Folder>) -> Result<(), Failure> {
        let mut teller = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((mut into, folder)) = teller.into.take().zip(folder) else { return Ok(()) };
        let path = folder.path_of(STORY);
        let ended = match teller.error.take() {
            Some(error) => Err(error),
            None => into.flush(),
        };
        ended.map_err(|error| {
            // The error of writing matters more.
            std::fs::remove_file(&path).ok();
            Failure::io(path.display())(error)
        })
    }
}

impl Teller {
    fn tell(&mut self, fact: &Fact) {
        if self.error.is_some() {
            return;
        }
        let line = StoryLine::of(fact, &self.registry);
        let told = match &mut self.into {
            None => try_print(&format!("{}\n", line.text())),
            Some(into) => serde_json::to_string(&line).map_err(io::Error::other).and_then(|line| {
                into.write_all(line.as_bytes())?;
                into.write_all(b"\n")
            }),
        };
        self.error = told.err();
    }
}
