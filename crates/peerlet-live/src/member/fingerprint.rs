//! The sections of a setup that all processes of a run must have alike, and their fingerprint.

use std::fmt;
use std::ops::RangeInclusive;

use ring::digest;
use serde::{Deserialize, Serialize};

/// One part of a run's setup that all its processes must have alike, such as the number of peers.
///
/// Processes compare their sections when one joins. The name and both values are shown when they
/// differ, so long values are best given as a count and a hash.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Section {
    /// The part: a key of the scenario, or a peerlet.
    pub name: String,
    /// Its value, as it is shown.
    pub value: String,
}

impl Section {
    /// A section with this name and value; both are cut after [`TEXT_MAX`](Section::TEXT_MAX)
    /// bytes.
    pub fn new(name: impl Into<String>, value: impl fmt::Display) -> Section {
        let cut = |mut text: String| {
            text.truncate(text.floor_char_boundary(Section::TEXT_MAX));
            text
        };
        Section { name: cut(name.into()), value: cut(value.to_string()) }
    }

    /// The longest name and the longest value, in bytes: some sections fit a datagram.
    pub const TEXT_MAX: usize = 120;

    /// A section whose value is long text: a summary of it, and a hash of the whole.
    pub fn hashed(name: impl Into<String>, summary: impl fmt::Display, whole: &str) -> Section {
        let hash = digest::digest(&digest::SHA256, whole.as_bytes());
        let hash: String = hash.as_ref()[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        Section::new(name, format_args!("{summary}, hash {hash}"))
    }

    /// Whether its texts are short enough, for one that somebody else made.
    pub(crate) fn is_sound(&self) -> bool {
        self.name.len() <= Section::TEXT_MAX && self.value.len() <= Section::TEXT_MAX
    }
}

/// A hash over all sections, by which processes see whether they agree.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(crate) fn of(sections: &[Section]) -> Fingerprint {
        let mut hash = digest::Context::new(&digest::SHA256);
        for text in sections.iter().flat_map(|section| [&section.name, &section.value]) {
            // Lengths keep "a", "b" apart from "ab".
            hash.update(&(text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash.finish().as_ref());
        Fingerprint(bytes)
    }
}

/// A section that two processes have differently; a value is missing where one lacks the section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The section.
    pub name: String,
    /// Its value in this process.
    pub here: Option<String>,
    /// Its value in seat 0's process.
    pub there: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &Option<String>| value.as_deref().map_or("nothing".into(), shown);
        write!(f, "{}: {} here, {} there", shown(&self.name), value(&self.here), value(&self.there))
    }
}

/// The sections that differ, in the order of the own ones, then those that only the other has.
pub(crate) fn differences(here: &[Section], there: &[Section]) -> Vec<Difference> {
    let value = |of: &[Section], name: &str| {
        of.iter().find(|section| section.name == name).map(|section| section.value.clone())
    };
    let only_there =
        there.iter().filter(|section| value(here, &section.name).is_none()).map(|s| &s.name);
    let names = here.iter().map(|section| &section.name).chain(only_there);
    names
        .map(|name| Difference {
            name: name.clone(),
            here: value(here, name),
            there: value(there, name),
        })
        .filter(|difference| difference.here != difference.there)
        .collect()
}

/// Text from another process as it may reach a terminal: without control characters and those that
/// change the direction of writing.
pub(crate) fn shown(text: &str) -> String {
    // Marks of width zero and of direction, line separators, the byte order mark.
    const HIDDEN: [RangeInclusive<char>; 4] = [
        '\u{200b}'..='\u{200f}',
        '\u{2028}'..='\u{202e}',
        '\u{2060}'..='\u{206f}',
        '\u{feff}'..='\u{feff}',
    ];
    let is_hidden = |c: char| c.is_control() || HIDDEN.iter().any(|range| range.contains(&c));
    let escape = |c: char| match is_hidden(c) {
        true => c.escape_unicode().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_that_differ_are_named_with_both_values() {
        let here = [Section::new("peers", 20), Section::new("for", "8s"), Section::new("x", 1)];
        let there = [Section::new("peers", 30), Section::new("for", "8s"), Section::new("y", 2)];
        let found: Vec<_> = differences(&here, &there).iter().map(Difference::to_string).collect();
        let expected =
            ["peers: 20 here, 30 there", "x: 1 here, nothing there", "y: nothing here, 2 there"];
        assert_eq!(found, expected);
        assert_ne!(Fingerprint::of(&here), Fingerprint::of(&there));
        assert_eq!(Fingerprint::of(&here), Fingerprint::of(&here.clone()));
    }

    #[test]
    fn long_texts_are_hashed_or_cut() {
        let one = Section::hashed("events", "3 entries", &"a".repeat(9_999));
        let other = Section::hashed("events", "3 entries", &"b".repeat(9_999));
        assert!(one != other && one.is_sound(), "{one:?}");
        assert!(Section::new("é".repeat(200), "").is_sound());
    }

    #[test]
    fn foreign_text_cannot_drive_a_terminal() {
        assert_eq!(shown("a\x1b[2Jb\u{202e}c é"), "a\\u{1b}[2Jb\\u{202e}c é");
    }
}
