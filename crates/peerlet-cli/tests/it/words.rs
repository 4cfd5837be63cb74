//! The words of the house: `docs/GLOSSARY.md` has those that are used; here are those that were
//! given up, so that one thing keeps one name.

use std::path::{Path, PathBuf};

use crate::tidy::{root, walk};

/// Parts of words that must not be written, and what to write instead.
const PARTS: &[(&str, &str)] = &[
    ("neighbour", "neighbor"),
    ("behaviour", "behavior"),
    ("colour", "color"),
    ("TO\u{44}O", "an issue, or nothing"),
    ("#[ign\u{6f}re", "a test that runs"),
    ("unimplement\u{65}d!", "an implementation"),
    ("todo\u{21}", "an implementation"),
    ("About<", "Description"),
    ("send_home", "send_to_self"),
    ("ookout", "monitor"),
    ("lmanac", "expected lifecycle"),
    ("atalogue", "catalog"),
    ("law of chance", "distribution"),
    ("by lot", "chosen at random"),
    ("happenings", "events"),
];

/// Whole words, as they are written.
const WORDS: &[(&str, &str)] = &[
    ("Dice", "RandomStream"),
    ("dice", "a random stream"),
    ("lots", "random choices"),
    ("Ear", "Listener"),
    ("Fabric", "WorkerState"),
    ("Ground", "ShardState"),
    ("House", "HostShared"),
    ("Letter", "AddressedMessage"),
    ("Doings", "WindowDirectives"),
    ("Chart", "RunningSeats"),
    ("Turn", "PackedEvent"),
    ("hub", "coordinator"),
    ("guest", "participant"),
    ("Wires", "ShardChannels"),
    ("carrier", "driver"),
    ("Law", "Distribution"),
    ("States", "SeatStates"),
    ("Steps", "StepFunction"),
    ("sill", "lower sibling"),
    ("Sill", "LowerSibling"),
    ("Planted", "InjectedBug"),
    ("folk", "random peerlets"),
    ("town", "overlay fixture"),
];

/// Sources and documents. The changelog names what was renamed.
fn texts() -> Vec<PathBuf> {
    let (root, mut files) = (root(), Vec::new());
    walk(&root.join("crates"), &mut files);
    walk(&root.join("examples"), &mut files);
    for folder in [root.clone(), root.join("docs")] {
        for entry in std::fs::read_dir(folder).expect("a folder can be read") {
            let path = entry.expect("an entry can be read").path();
            let is_page = path.extension().is_some_and(|extension| extension == "md");
            files.extend((is_page && !path.ends_with("CHANGELOG.md")).then_some(path));
        }
    }
    files.retain(|path| !path.ends_with("tests/it/words.rs"));
    files
}

fn errors_in(path: &Path, text: &str, errors: &mut Vec<String>) {
    let shown = path.strip_prefix(root()).unwrap_or(path).display().to_string();
    for (number, line) in text.lines().enumerate() {
        let mut report = |wrong: &str, right: &str| {
            errors.push(format!("word: {shown}:{}: `{wrong}`; write {right}", number + 1));
        };
        for (wrong, right) in PARTS.iter().filter(|(wrong, _)| line.contains(wrong)) {
            report(wrong, right);
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        for word in line.split(|c| !is_word(c)) {
            for (wrong, right) in WORDS.iter().filter(|(wrong, _)| *wrong == word) {
                report(wrong, right);
            }
        }
    }
}

#[test]
fn words_that_were_given_up_are_not_written() {
    let (texts, mut errors) = (texts(), Vec::new());
    assert!(texts.len() > 300, "only {} files were found", texts.len());
    for path in &texts {
        let text = std::fs::read_to_string(path).expect("a source can be read");
        errors_in(path, &text, &mut errors);
    }
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn a_word_is_found_where_it_stands_alone() {
    let mut errors = Vec::new();
    errors_in(Path::new("x.rs"), "struct Letter;\nlet letters = 1; // no Letterbox\n", &mut errors);
    assert_eq!(errors, ["word: x.rs:1: `Letter`; write AddressedMessage"]);
}
