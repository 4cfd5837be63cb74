//! `fmt`: scenarios and event lines in the usual layout.

use std::path::Path;

use crate::command::{File, peerlet, text};

#[test]
fn the_scenarios_of_the_repository_have_the_usual_layout() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().display().to_string())
        .filter(|path| path.ends_with(".toml"))
        .collect();
    assert!(files.len() > 3);
    let arguments: Vec<&str> = files.iter().map(String::as_str).chain(["--check"]).collect();
    let output = peerlet(&[&["fmt"], &*arguments].concat());
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), String::new()));
}

#[test]
fn files_are_written_only_where_something_changes() {
    let scenario = File::new("messy.toml", "peers=3\nfor   = \"2s\"\n");
    let events = File::new("messy.events", "1 1 Peer.stop()\n0-1   1.5   Peer.start()\n");
    let paths = [&scenario, &events].map(|file| file.0.display().to_string());
    let names = format!("{}\n{}\n", paths[0], paths[1]);
    let run = |more: &[&str]| {
        let output = peerlet(&[&["fmt", &*paths[0], &*paths[1]], more].concat());
        (output.status.code(), text(&output.stdout))
    };
    assert_eq!(run(&["--check"]), (Some(1), names.clone()));
    assert_eq!(std::fs::read_to_string(&scenario.0).unwrap(), "peers=3\nfor   = \"2s\"\n");
    assert_eq!(run(&[]), (Some(0), names));
    assert_eq!(std::fs::read_to_string(&scenario.0).unwrap(), "peers = 3\nfor = \"2s\"\n");
    assert_eq!(
        std::fs::read_to_string(&events.0).unwrap(),
        "1    1    Peer.stop()\n0-1  1.5  Peer.start()\n"
    );
    assert_eq!(run(&["--check"]), (Some(0), String::new()));
}

#[test]
fn one_that_cannot_be_read_leaves_the_others_as_they_are() {
    let (messy, broken) = (File::new("early.toml", "peers=3\n"), File::new("b.toml", "peers = \n"));
    let paths = [&messy, &broken].map(|file| file.0.display().to_string());
    let output = peerlet(&["fmt", &paths[0], &paths[1]]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("b.toml:1:9"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_to_string(&messy.0).unwrap(), "peers=3\n");
    assert_eq!(peerlet(&["fmt", "nowhere.toml"]).status.code(), Some(3));
}
