//! Errors name a reason and a remedy, and quote no more than fits on a screen.

use std::os::unix::fs::PermissionsExt;

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

/// A key or a secret that could be read, and is none, is wrong input.
#[test]
fn a_key_or_a_secret_with_another_content_is_an_error_of_usage() {
    let folder = Folder::new("wrong-content");
    let path = folder.path("file");
    for content in [vec![b'x'; 3], Vec::new(), vec![b'x'; 100_000]] {
        std::fs::write(&path, &content).expect("it can be written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
            .expect("it is ours");
        for option in ["--key", "--secret"] {
            let output = peerlet(&["live", FIRST, "--for", "1s", option, &path]);
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{option} {}: {said}", content.len());
        }
    }
    let output = peerlet(&["live", FIRST, "--secret", &folder.path("none")]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
}

#[test]
fn a_help_that_cannot_be_printed_says_so() {
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        return println!("passed over: this system has no /dev/full");
    };
    for option in ["--help", "--version", "list"] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_peerlet"))
            .arg(option)
            .stdout(full.try_clone().expect("it can be shared"))
            .output()
            .expect("the command runs");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.starts_with("error: standard output: "), "{said}");
    }
}

#[test]
fn a_check_for_determinism_prints_no_json() {
    let output = peerlet(&["sim", FIRST, "--check-determinism", "--json"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()));
    assert!(text(&output.stderr).contains("cannot be used with '--json'"));
}

#[test]
fn where_nothing_is_measured_no_measure_is_listed() {
    let folder = Folder::new("no-measures");
    let path = folder.path("none.toml");
    let scenario = "peers = 2\nfor = \"1s\"\n[stack]\nbootstrap = {}\n[[expect]]\n\
                    measure = \"x/y\"\nmean_min = 1\n";
    std::fs::write(&path, scenario).expect("it can be written");
    let output = peerlet(&["check", &path]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no peerlet of this scenario measures anything"), "{said}");
}

/// The epoch that is named is accepted, and a shorter one is not.
#[test]
fn the_epoch_that_is_named_is_the_shortest() {
    let with = |epoch: &str| {
        let set = format!("--set=measure.epoch={epoch}");
        peerlet(&["check", FIRST, "--for=17280000000s", "--set=churn=", &set])
    };
    let output = with("1s");
    let said = text(&output.stderr);
    assert!(said.contains("give 43201s or more"), "{said}");
    assert_eq!(with("43201s").status.code(), Some(0), "{}", text(&with("43201s").stderr));
    assert_eq!(with("43200s").status.code(), Some(2));
}
