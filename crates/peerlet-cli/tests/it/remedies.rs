//! Errors name a reason and a remedy, and quote no more than fits on a screen.

use crate::command::{peerlet, text};
use crate::secret::Folder;

const FIRST: &str = "scenarios/first.toml";

/// Checks the first scenario with this key set; it must be refused with these words.
fn refused(set: &str, words: &[&str]) {
    let output = peerlet(&["check", FIRST, "--set", set]);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()), "{said}");
    for words in words {
        assert!(said.contains(words), "{set}: {words:?} in {said}");
    }
    assert!(said.contains("help: "), "{set}: {said}");
}

#[test]
fn wrong_values_have_a_reason_and_a_remedy() {
    let whole = "a whole number from 0 to 4294967295";
    for (set, words) in [
        ("connection.message_max=0", ["`message_max` is 0 without a unit", "from 1 B to 64 MiB"]),
        ("connection.message_max=65536", ["is 65536 without a unit", "such as \"16 MiB\""]),
        (
            "network={model=\"matrix\",file=\"x\",unit=\"s\"}",
            ["no unit of a matrix", "\"ms\", \"us\" or a duration with its number"],
        ),
        (
            "network={model=\"matrix\",file=\"x\",unit=\"ms\",assign=\"foo\"}",
            ["unknown variant `foo`", "write one of: index, round-robin, random"],
        ),
        ("network={model=\"normal\",per=\"foo\"}", ["unknown variant `foo`", "write one of: "]),
        (
            "network={model=\"regions\",delays=\"x\",unit=\"ms\",shares=[-1]}",
            ["integer `-1`", whole],
        ),
    ] {
        refused(set, &words);
    }
}

#[test]
fn errors_quote_no_more_than_fits_on_a_screen() {
    let long = "x".repeat(50_000);
    for arguments in [
        vec!["check".to_owned(), FIRST.to_owned(), format!("--set=title.{long}=1")],
        vec!["check".to_owned(), FIRST.to_owned(), format!("--set=for={long}")],
        vec!["check".to_owned(), FIRST.to_owned(), format!("--peers={long}")],
        vec!["check".to_owned(), FIRST.to_owned(), format!("--set=events.lines=\"{long}\"")],
        vec!["check".to_owned(), FIRST.to_owned(), format!("--set={long}")],
        vec!["sim".to_owned(), FIRST.to_owned(), format!("--seeds={long}")],
        vec!["sim".to_owned(), FIRST.to_owned(), "--transport".to_owned(), long.clone()],
        vec![long.clone()],
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = peerlet(&arguments);
        assert_eq!(output.status.code(), Some(2));
        let said = text(&output.stderr);
        assert!(said.len() < 2_000, "{} bytes: {}", said.len(), &said[..2_000]);
    }
}

#[test]
fn a_file_is_no_folder_for_a_run() {
    let folder = Folder::new("no-folder");
    let path = folder.path("file");
    std::fs::write(&path, "").expect("it can be written");
    let inside = format!("{path}/below");
    for (to, words) in [(&path, "is a file, and -o names a folder"), (&inside, "cannot create")] {
        for more in [&[][..], &["--seeds", "1..2"]] {
            let output = peerlet(&[&["sim", FIRST, "--for", "1s", "-o", to], more].concat());
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(3), "{said}");
            assert!(said.contains(words) && said.contains("name another one"), "{said}");
        }
    }
}
