//! Files that a scenario names and that are read with it.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::files::is_of_content;
use crate::raw::Part;
use crate::reader::Reader;
use crate::source::Source;

/// A file that a scenario names, as it was read: of event lines, or of sessions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InputFile {
    /// Its name as written.
    pub name: String,
    /// Where that is written.
    pub span: Range<usize>,
    /// Its text.
    pub text: Arc<str>,
}

impl InputFile {
    /// Reads the file that a key names, and adds it to the sources; with the place where it begins
    /// there.
    pub(crate) fn read(part: &Part, reader: &mut Reader) -> Option<(InputFile, usize)> {
        let name = reader.text(part)?;
        let path = reader.sources.base(&part.raw.span).join(&name);
        match Source::open(&path) {
            Ok(source) => {
                let text = source.text.clone();
                let start = reader.sources.add(source);
                Some((InputFile { name, span: part.raw.span.clone(), text }, start))
            }
            Err(error) => {
                let (reason, help) = reason(&error);
                let message = format!("cannot read `{}`: {reason}", path.display());
                let problem = reader.sources.problem(&part.raw.span, message, help);
                reader.push(if is_of_content(&error) { problem } else { problem.unreadable() });
                None
            }
        }
    }
}

/// Why a file cannot be read, and the remedy: what is wrong with it, or what the system says.
pub(crate) fn reason(error: &io::Error) -> (String, String) {
    let said = error.to_string();
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::Unsupported => match said.split_once("; ") {
            Some((what, remedy)) => (what.to_owned(), remedy.to_owned()),
            None => (said, "save it as UTF-8".to_owned()),
        },
        io::ErrorKind::FileTooLarge => (said, "split it, or leave lines out".to_owned()),
        kind => (kind.to_string(), "a path is relative to the folder of the scenario".to_owned()),
    }
}
