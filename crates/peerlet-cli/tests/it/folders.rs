//! Run folders: nothing in them is overwritten, and no two runs share one.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::command::{peerlet, text};
use crate::secret::Folder;

const SCENARIO: &str = "\
title = 'mine'
peers = 4
for = '1s'
[stack]
bootstrap = {}
neighbors = {}
";

/// A run that takes longer than any test.
const LONG: [&str; 3] = ["--for=100000h", "--set=measure.epoch=1000h", "-o"];

fn scenario(folder: &Folder) -> String {
    let path = folder.path("mine.toml");
    std::fs::write(&path, SCENARIO).expect("it can be written");
    path
}

fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_peerlet"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command runs")
}

fn wait_for(path: &str, run: &mut Child) {
    while !std::path::Path::new(path).exists() {
        assert_eq!(run.try_wait().expect("it can be asked"), None, "it ended without {path}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Every regular file below a folder, with its content.
fn content(folder: &str) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("it is a folder") {
        let path = entry.expect("it can be read").path().display().to_string();
        let about = std::fs::symlink_metadata(&path).expect("it is there");
        match (about.is_dir(), about.is_file()) {
            (true, _) => all.extend(content(&path)),
            (_, true) => drop(all.insert(path.clone(), std::fs::read(&path).expect("readable"))),
            _ => drop(all.insert(path, Vec::new())),
        }
    }
    all
}

/// A run into this folder is refused with these words, and changes nothing there.
fn refused(folder: &str, arguments: &[&str], words: &str) {
    let before = content(folder);
    let output = peerlet(&[arguments, &["-q", "-o", folder]].concat());
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(3), String::new()), "{said}");
    assert!(said.contains(words) && said.contains("name another"), "{said}");
    assert!(content(folder) == before, "{folder} has changed");
}

#[test]
fn no_file_of_others_is_overwritten() {
    for name in ["scenario.toml", "measures.csv", "inputs/x.ev", "events.jsonl", "notes.md"] {
        let folder = Folder::new("folders-foreign");
        let from = scenario(&folder);
        let to = folder.path("to");
        std::fs::create_dir_all(format!("{to}/inputs")).expect("it can be made");
        std::fs::write(format!("{to}/{name}"), SCENARIO).expect("it can be written");
        for world in ["sim", "live", "emulate"] {
            refused(&to, &[world, &from], "it is not empty, and -o overwrites nothing");
        }
        // Runs of seeds have folders of their own, and those are looked at as well.
        let parent = folder.path("seeds");
        std::fs::create_dir(&parent).expect("it can be made");
        std::fs::rename(&to, format!("{parent}/2")).expect("it can be moved");
        refused(&parent, &["sim", &from, "--seeds=1..3"], "it is not empty");
    }
}

#[test]
fn a_seed_whose_folder_is_a_file_is_refused_before_anything_runs() {
    let folder = Folder::new("folders-file");
    let from = scenario(&folder);
    let to = folder.path("to");
    std::fs::create_dir(&to).expect("it can be made");
    std::fs::write(format!("{to}/2"), "").expect("it can be written");
    refused(&to, &["sim", &from, "--seeds=1..3"], "is a file, and -o names a folder");
}

/// Neither a scenario that is wrong as such, nor one whose network cannot be built.
#[test]
fn a_scenario_that_is_wrong_leaves_no_folder() {
    let folder = Folder::new("folders-wrong");
    let (from, to) = (scenario(&folder), folder.path("to"));
    let cases = [
        (&["--set=peers=none"][..], 2),
        (&["--network=matrix", "--set=network.file=none.txt", "--set=network.unit=ms"], 3),
    ];
    for (wrong, code) in cases {
        for seeds in [&[][..], &["--seeds=1..2"]] {
            let output = peerlet(&[&["sim", &from, "-o", &to], wrong, seeds].concat());
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{wrong:?} {seeds:?}: {said}");
            assert!(!std::path::Path::new(&to).exists(), "{wrong:?} {seeds:?}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_in_a_folder_is_refused_and_not_waited_for() {
    for name in ["summary.json", "summary.json.part", "events.jsonl", "running.lock"] {
        let folder = Folder::new("folders-pipe");
        let from = scenario(&folder);
        let to = folder.path("to");
        std::fs::create_dir(&to).expect("it can be made");
        let made = Command::new("mkfifo").arg(format!("{to}/{name}")).status();
        assert!(made.expect("there is a mkfifo").success());
        refused(&to, &["sim", &from, "--trace"], "cannot write a run into");
    }
}

#[test]
fn no_two_runs_share_a_folder_and_a_killed_one_is_named() {
    let folder = Folder::new("folders-twice");
    let from = scenario(&folder);
    let to = folder.path("to");
    let mut first = start(&[&["sim", &from], &LONG[..], &[&to]].concat());
    wait_for(&format!("{to}/scenario.toml"), &mut first);
    let output = peerlet(&["sim", &from, "-o", &to]);
    first.kill().expect("it can be killed");
    first.wait().expect("it can be waited for");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("another run writes into it; name another folder"), "{said}");
    refused(&to, &["sim", &from], "it holds a run that was killed");

    // A reservation alone is of a run that was killed before it wrote anything.
    let reserved = folder.path("reserved");
    std::fs::create_dir(&reserved).expect("it can be made");
    std::fs::File::create(format!("{reserved}/running.lock")).expect("it can be made");
    let output = peerlet(&["sim", &from, "-q", "-o", &reserved]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let names: Vec<_> = content(&reserved).into_keys().collect();
    assert!(names.len() == 5 && !names.iter().any(|name| name.contains("lock")), "{names:?}");
}

#[test]
fn runs_at_once_into_one_folder_leave_one_whole_run() {
    let folder = Folder::new("folders-race");
    let from = scenario(&folder);
    for round in 0..4 {
        let to = folder.path(&format!("to {round}"));
        let seeds: Vec<String> = (1..=4).map(|seed| format!("--seed={seed}")).collect();
        let runs = seeds.iter().map(|seed| start(&["sim", &from, seed, "-q", "-o", &to]));
        let runs: Vec<Child> = runs.collect();
        let codes = runs.into_iter().map(|mut run| run.wait().expect("it ends").code());
        let mut codes: Vec<_> = codes.collect();
        codes.sort_unstable();
        assert_eq!(codes, [0, 3, 3, 3].map(Some), "round {round}");
        let again = peerlet(&["sim", &format!("{to}/scenario.toml"), "--json"]);
        let field = |text: &str, name: &str| {
            let json: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
            json[name].clone()
        };
        let kept = std::fs::read_to_string(format!("{to}/summary.json")).expect("it is there");
        for name in ["seed", "digest"] {
            assert_eq!(field(&kept, name), field(&text(&again.stdout), name));
        }
    }
}

#[test]
fn a_run_that_cannot_begin_leaves_no_folder() {
    let folder = Folder::new("folders-none");
    let from = scenario(&folder);
    let to = folder.path("to");
    let mut key = std::fs::File::create(folder.path("key")).expect("it can be made");
    key.write_all(b"no key").expect("it can be written");
    for _ in 0..2 {
        let output = peerlet(&["live", &from, "--key", &folder.path("key"), "-o", &to]);
        assert_ne!(output.status.code(), Some(0));
        assert!(!std::path::Path::new(&to).exists());
    }
}
