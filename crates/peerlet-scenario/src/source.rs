//! The texts that a scenario is read from: its file, the command line, a file of events.
//!
//! A scenario's parts come from several texts, yet a part's location is one plain range: each text
//! begins at an offset of its own in a common space, the scenario's file at zero (as in rustc's
//! source map).

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use peerlet_core::runtime::decode_text;

use crate::call;
use crate::files::read_file;
use crate::problem::{Problem, suggest};
use crate::raw::Raw;

/// The most bytes of a scenario or of a file of event lines: ten million lines of a hundred bytes.
pub const SOURCE_BYTES_MAX: u64 = 1 << 30;

/// One text with the name that problems call it by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// The name as given on the command line.
    pub name: String,
    /// The text itself.
    pub text: Arc<str>,
    /// The folder that paths in the text are relative to.
    pub base: PathBuf,
}

impl Source {
    /// A text of this name; paths in it are relative to the working folder.
    pub fn new(name: impl Into<String>, text: impl Into<Arc<str>>) -> Source {
        Source { name: name.into(), text: text.into(), base: PathBuf::new() }
    }

    /// Reads the file at `path`; paths in it are relative to its folder. It may begin with a byte
    /// order mark, and its lines may end as they do anywhere.
    ///
    /// # Errors
    /// When the file cannot be read, holds more than [`SOURCE_BYTES_MAX`], or is not UTF-8; the
    /// error says where.
    pub fn open(path: &Path) -> io::Result<Source> {
        let bytes = Arc::unwrap_or_clone(read_file(path, SOURCE_BYTES_MAX)?);
        let wrong = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let text = decode_text(bytes).map_err(wrong)?;
        let base = path.parent().unwrap_or(Path::new(".")).to_owned();
        Ok(Source { name: path.display().to_string(), text: text.into(), base })
    }
}

impl From<&str> for Source {
    /// A text that problems call `scenario`.
    fn from(text: &str) -> Source {
        Source::new("scenario", text)
    }
}

impl From<String> for Source {
    /// A text that problems call `scenario`.
    fn from(text: String) -> Source {
        Source::new("scenario", text)
    }
}

/// All the texts of one scenario, in one space of offsets; the scenario's file begins at zero.
#[derive(Clone)]
pub struct Sources {
    parts: Vec<(usize, Source)>,
    /// Where the texts of the command line begin.
    typed: Vec<usize>,
}

impl Sources {
    pub(crate) fn new(file: Source) -> Sources {
        Sources { parts: vec![(0, file)], typed: Vec::new() }
    }

    /// Adds a text and says at which offset it begins.
    pub(crate) fn add(&mut self, source: Source) -> usize {
        let (start, last) = self.parts.last().expect("a scenario has a source");
        // One more, so that the end of one text is not the beginning of the next.
        let start = start + last.text.len() + 1;
        self.parts.push((start, source));
        start
    }

    /// The scenario's own file.
    pub fn file(&self) -> &Source {
        &self.parts[0].1
    }

    /// Adds a text of the command line and says at which offset it begins.
    pub(crate) fn add_typed(&mut self, source: Source) -> usize {
        let start = self.add(source);
        self.typed.push(start);
        start
    }

    /// Whether this range is in a file: the scenario's own or one that it includes, and not on the
    /// command line.
    pub fn is_in_file(&self, span: &Range<usize>) -> bool {
        !self.typed.contains(&self.parts[self.part(span)].0)
    }

    /// The folder that paths in this range are relative to: that of its file; on the command line,
    /// that of the scenario.
    pub fn base(&self, span: &Range<usize>) -> &Path {
        match self.is_in_file(span) {
            true => &self.find(span).0.base,
            false => &self.file().base,
        }
    }

    /// The index of the text that holds this range.
    fn part(&self, span: &Range<usize>) -> usize {
        self.parts.partition_point(|(start, _)| *start <= span.start) - 1
    }

    /// The text that holds this range, and the range within it.
    pub fn find(&self, span: &Range<usize>) -> (&Source, Range<usize>) {
        let (start, source) = &self.parts[self.part(span)];
        (source, span.start - start..span.end.saturating_sub(*start))
    }

    /// The text at this range; empty where there is none.
    pub fn text(&self, span: &Range<usize>) -> &str {
        let (source, local) = self.find(span);
        source.text.get(local).unwrap_or("")
    }

    /// The range of an argument of the call at `span`, from 0; that of the whole call where it has
    /// no such argument.
    pub fn argument(&self, span: &Range<usize>, argument: usize) -> Range<usize> {
        match call::argument_range(self.text(span), argument) {
            Some(range) => span.start + range.start..span.start + range.end,
            None => span.clone(),
        }
    }

    /// The problem that `message` tells of what is written at `span`; `help` is the remedy.
    pub fn problem(
        &self,
        span: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Problem {
        let (source, local) = self.find(span);
        Problem::new(source, local, message, help)
    }

    /// The problem that `name`, written at `span`, is planned and not built.
    pub fn not_yet(&self, span: &Range<usize>, name: &str) -> Problem {
        self.problem(
            span,
            format!("not yet: {name}"),
            "leave it out; `peerlet list` shows what is built",
        )
    }

    /// Reads a part as a `T`: the parameters of a peerlet or of a network model.
    ///
    /// # Errors
    /// When the part is no `T`; the problem points at the key or the value that does not fit.
    pub fn read<T: DeserializeOwned>(&self, part: &Raw) -> Result<T, Problem> {
        part.read().map_err(|error: toml::de::Error| {
            let message = error.message().trim_end();
            let span = error.span().filter(|span| !span.is_empty()).unwrap_or(part.span.clone());
            // Of a table as a whole, the key that the message names is what is wrong.
            let is_unknown = message.starts_with("unknown ") || message.starts_with("no ");
            let mut names = message.split('`').skip(1).step_by(2);
            let found = names.find_map(|name| Some(part.find(&span)?.key(name)?.clone()));
            let span = match found {
                Some(key) if is_unknown => key.name_span,
                Some(key) => key.raw.span,
                None => span,
            };
            let (message, remedy) = explained(message);
            self.problem(&span, message, remedy)
        })
    }
}

/// The types that serde names in Rust's words, in a user's.
const TYPES: [(&str, &str); 6] = [
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u64", "a whole number from 0 to 18446744073709551615"),
    ("usize", "a whole number from 0 on"),
    ("f64", "a number"),
];

/// One of serde's messages, or of a type's own, as what is wrong and the remedy.
fn explained(message: &str) -> (String, String) {
    let known = message.rsplit_once("expected ").and_then(|(head, expected)| {
        let (_, words) = TYPES.iter().find(|(name, _)| *name == expected)?;
        Some(format!("{head}expected {words}"))
    });
    let message = known.unwrap_or_else(|| message.to_owned());
    match (remedy(&message), message.split_once("; ")) {
        (remedy, Some((what, own))) if remedy.is_empty() => (what.to_owned(), own.to_owned()),
        (remedy, _) => (message, remedy),
    }
}

/// The remedy for one of serde's messages, which name what was found and then what was expected in
/// backquotes.
fn remedy(message: &str) -> String {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match names.split_first() {
        Some((found, known)) if message.starts_with("unknown ") => {
            let is_value = message.starts_with("unknown variant ");
            match (suggest(found, known), known) {
                (Some(name), _) => format!("did you mean `{name}`?"),
                (None, []) => "leave it out".to_owned(),
                (None, known) if is_value => format!("write one of: {}", known.join(", ")),
                (None, known) => format!("leave it out, or write one of: {}", known.join(", ")),
            }
        }
        Some((missing, _)) if message.starts_with("missing ") => format!("add `{missing}`"),
        _ if message == "wanted string or table" => "give a text in quotes".to_owned(),
        _ if message.starts_with("invalid ") => match message.split_once(", expected ") {
            Some((_, expected)) => format!("give {expected}"),
            None => String::new(),
        },
        _ => String::new(),
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.parts.iter().map(|(_, source)| &source.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_lead_to_their_text() {
        let mut sources = Sources::new(Source::new("a", "one"));
        let start = sources.add(Source::new("b", "two words"));
        assert_eq!(sources.find(&(3..3)).0.name, "a", "the end of a text belongs to it");
        assert_eq!(sources.find(&(start..start + 3)).1, 0..3);
        assert_eq!(sources.text(&(start + 4..start + 9)), "words");
    }

    #[test]
    fn remedies_come_from_the_expected_names() {
        assert_eq!(remedy("unknown field `mn`, expected `min` or `max`"), "did you mean `min`?");
        let unknown = "unknown field `speed`, expected `min` or `max`";
        assert_eq!(remedy(unknown), "leave it out, or write one of: min, max");
        let unknown = "unknown variant `foo`, expected `index` or `random`";
        assert_eq!(remedy(unknown), "write one of: index, random");
        assert_eq!(remedy("missing field `file`"), "add `file`");
        assert_eq!(remedy("invalid type: integer `3`, expected a string"), "give a string");
        assert_eq!(remedy("it is wrong"), "");
        let explained = |message| {
            let (what, remedy) = explained(message);
            format!("{what} | {remedy}")
        };
        assert_eq!(
            explained("invalid value: integer `-1`, expected u32"),
            "invalid value: integer `-1`, expected a whole number from 0 to 4294967295 | \
             give a whole number from 0 to 4294967295"
        );
        assert_eq!(explained("no unit; write `ms`"), "no unit | write `ms`");
    }
}
