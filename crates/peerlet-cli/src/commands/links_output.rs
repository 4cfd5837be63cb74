//! The links that observers keep: written into the run folder while a simulation runs.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter};
use std::rc::Rc;

use peerlet_report::Folder;
use peerlet_report::run_folder::{LINKS, LinkWriter};
use peerlet_run::{LinkSink, Plan};

use crate::commands::conclude::keep_if_written;
use crate::failure::Failure;

/// A file of links that a simulation writes and the command ends.
pub(crate) struct LinksOutput(Rc<RefCell<Writing>>);

struct Writing {
    into: Option<LinkWriter<BufWriter<File>>>,
    /// The first error of writing; nothing is written after it.
    error: Option<io::Error>,
}

impl LinksOutput {
    /// Begins the file, where an observer of the plan keeps links.
    pub(crate) fn begin(
        folder: &Folder,
        plan: &Plan,
    ) -> Result<Option<(LinksOutput, LinkSink)>, Failure> {
        if !plan.observers.iter().any(|observer| observer.is_recorded) {
            return Ok(None);
        }
        let into = Some(LinkWriter::new(BufWriter::new(folder.create_file(LINKS)?)));
        let writing = Rc::new(RefCell::new(Writing { into, error: None }));
        let output = LinksOutput(writing.clone());
        let sink: LinkSink = Box::new(move |observation| {
            let mut writing = writing.borrow_mut();
            if writing.error.is_none() {
                let written = writing.into.as_mut().map(|into| into.write(observation));
                writing.error = written.and_then(Result::err);
            }
        });
        Ok(Some((output, sink)))
    }

    /// Ends it; one that could not be written is removed.
    pub(crate) fn finish(self, folder: &Folder) -> Result<(), Failure> {
        let mut writing = self.0.borrow_mut();
        let (into, error) = (writing.into.take(), writing.error.take());
        let ended = match (error, into) {
            (Some(error), _) => Err(error),
            (None, into) => into.map_or(Ok(()), LinkWriter::finish),
        };
        keep_if_written(folder, LINKS, ended)
    }
}
