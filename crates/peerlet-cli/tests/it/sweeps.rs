//! `sweep` and `merge`: killed, resumed and divided sweeps give the same tables to the byte.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::command::{File, peerlet, text};
use crate::process::Process;
use crate::secret::Folder;

const SCENARIO: &str = "peers = 10\nfor = \"60s\"\n[network]\nmodel = \"king-like\"\n\
    [stack]\nbootstrap = {}\nneighbors = {}\nrouter = {}\nlookups = { rate = \"2/s\" }\n\
    [measure]\nfrom = \"20s\"\n";

/// A scenario, and a folder for sweeps.
struct Place {
    scenario: File,
    folder: Folder,
}

impl Place {
    fn new(name: &str) -> Place {
        let scenario = File::new(&format!("{name}.toml"), SCENARIO);
        Place { scenario, folder: Folder::new(name) }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path(name)
    }

    /// The arguments of a sweep of 3 x 2 x 5 runs into this folder.
    fn arguments(&self, name: &str, more: &[&str]) -> Vec<String> {
        let scenario = self.scenario.0.display().to_string();
        let path = self.path(name);
        let vary = ["--vary", "network.loss=0,0.01,0.05", "--vary", "peers=5,10"];
        let all = [&["sweep", &*scenario], &vary[..], &["--seeds", "1..5", "-o", &path], more];
        all.concat().into_iter().map(str::to_owned).collect()
    }

    fn sweep(&self, name: &str, more: &[&str]) -> std::process::Output {
        let arguments = self.arguments(name, more);
        peerlet(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Both tables of a sweep folder.
    fn tables(&self, name: &str) -> [String; 2] {
        ["runs.csv", "table.csv"].map(|table| {
            std::fs::read_to_string(self.folder.0.join(name).join(table)).unwrap_or_default()
        })
    }
}

/// How many runs of a sweep folder have a summary.
fn done(folder: &Path) -> usize {
    let within = |path: PathBuf| {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let runs = within(folder.join("runs")).into_iter().flat_map(within);
    runs.filter(|run| run.join("summary.json").exists()).count()
}

#[test]
fn a_sweep_gives_the_same_tables_however_it_is_run() {
    let place = Place::new("sweeps");
    let whole = place.sweep("whole", &["--jobs", "2"]);
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole.stderr));
    let expected = place.tables("whole");
    let rows = |table: &str| table.lines().count() - 1;
    assert_eq!(rows(&expected[0]) % 30, 0, "each run has a row of each metric");
    assert!(rows(&expected[1]) > 100, "{}", expected[1]);

    // Once interrupted and once killed, it goes on.
    let folder = place.folder.0.join("parts");
    for (least, signal) in [(1, "INT"), (3, "KILL")] {
        let arguments = place.arguments("parts", &["--jobs", "1"]);
        let mut run = Process::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        while done(&folder) < least {
            assert_eq!(run.child.try_wait().expect("it can be asked"), None, "it ended early");
            sleep(Duration::from_millis(2));
        }
        let kill = format!("kill -{signal} {}", run.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
        assert!(sent.success());
        let output = run.end();
        match signal {
            "INT" => {
                assert_eq!(output.status.code(), Some(130));
                assert!(text(&output.stderr).contains("the same command goes on"));
            }
            _ => assert_eq!(output.status.code(), None),
        }
        assert_eq!(place.tables("parts"), ["", ""], "a table of some runs is none of the sweep");
    }
    assert!(done(&folder) < 30);
    assert_eq!(place.sweep("parts", &[]).status.code(), Some(0));
    assert_eq!(place.tables("parts"), expected);

    // In two shares, brought together.
    for share in ["1/2", "2/2"] {
        let output = place.sweep(&share.replace('/', "of"), &["--shard", share]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stderr).contains("15 runs are other shares'"));
    }
    let (one, two, both) = (place.path("1of2"), place.path("2of2"), place.path("both"));
    let half = peerlet(&["merge", &one, "-o", &both]);
    assert_eq!(half.status.code(), Some(7), "{}", text(&half.stderr));
    let merged = peerlet(&["merge", &one, &two, "-o", &both, "--json"]);
    assert_eq!(merged.status.code(), Some(0), "{}", text(&merged.stderr));
    assert_eq!(place.tables("both"), expected);
    let json: Value = serde_json::from_slice(&merged.stdout).expect("it is JSON");
    assert_eq!((&json["complete"], &json["planned"]), (&Value::Bool(true), &30.into()));
    let point = &json["points"][0];
    assert_eq!(point["values"]["network.loss"], "0");
    assert!(point["estimates"]["mean"]["margin"].is_number(), "{point}");
}

#[test]
fn runs_that_do_not_hold_are_named() {
    let place = Place::new("sweep-fails");
    let expect = "expect=[{ measure = \"lookups/success\", mean_min = 2 }]";
    let output = place.sweep("fails", &["--set", expect, "--measure", "lookups/success"]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(printed.contains("network.loss=0 peers=10 seed=5: FAILED"), "{printed}");
    assert!(printed.ends_with("30 runs failed; these are the first\n"), "{printed}");
    assert!(!printed.contains("lookups/time"), "{printed}");
    let again = printed.lines().find(|line| line.starts_with("again: ")).expect("a command");
    let file = again.rsplit(' ').next().expect("a file");
    assert_eq!(peerlet(&["sim", file, "-q"]).status.code(), Some(1));
}

#[test]
fn what_is_wrong_is_told_before_anything_runs() {
    let place = Place::new("sweep-wrong");
    let refused = |more: &[&str], code: i32, said: &str| {
        let output = place.sweep("wrong", more);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains(said), "{told}");
        assert_eq!(done(&place.folder.0.join("wrong")), 0);
    };
    refused(&["--vary", "network.loss=0"], 2, "`network.loss` is given twice");
    refused(&["--vary", "stack.lookups.rate=1/s,fast"], 2, "stack.lookups.rate=fast");
    refused(&["--set", "network.loss=0.5"], 2, "`network.loss` varies, and another option");
    refused(&["--vary", "peers"], 2, "no values are given");
    refused(&["--shard", "3/2"], 2, "1/2 to 2/2");
    std::fs::create_dir_all(place.folder.0.join("wrong")).expect("it can be made");
    std::fs::write(place.folder.0.join("wrong/mine.txt"), "mine").expect("it can be written");
    refused(&[], 3, "it is not empty");
    assert_eq!(peerlet(&["merge", &place.path("wrong"), "-o", "x"]).status.code(), Some(3));
}

#[test]
fn files_of_others_stay_and_runs_of_others_are_refused() {
    let place = Place::new("sweep-foreign");
    let share = ["--shard", "1/30"];
    assert_eq!(place.sweep("s", &share).status.code(), Some(0));
    let run = place.folder.0.join("s/runs/0001/1");
    let note = run.join("notes.txt");
    std::fs::write(&note, "precious").expect("it can be written");
    std::fs::remove_file(run.join("summary.json")).expect("it is there");
    let output = place.sweep("s", &share);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("`notes.txt`"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_to_string(&note).expect("it stays"), "precious");
    std::fs::remove_file(&note).expect("it is there");
    assert_eq!(place.sweep("s", &share).status.code(), Some(0));
    std::fs::rename(&run, place.folder.0.join("s/runs/0001/2")).expect("it can be moved");
    let merged = peerlet(&["merge", &place.path("s"), "-o", &place.path("m")]);
    assert_eq!(merged.status.code(), Some(3));
    assert!(text(&merged.stderr).contains("holds a run of seed 1"), "{}", text(&merged.stderr));
}

#[test]
fn another_sweep_is_not_mixed_in() {
    let place = Place::new("sweep-mixed");
    let few = ["--shard", "1/30"];
    assert_eq!(place.sweep("one", &few).status.code(), Some(0));
    let output = place.sweep("one", &["--shard", "1/30", "--for", "50s"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("another scenario, files of it or options"));
    assert_eq!(place.sweep("two", &["--shard", "1/30", "--wire"]).status.code(), Some(0));
    let merged = peerlet(&["merge", &place.path("one"), &place.path("two"), "-o", "x"]);
    assert_eq!(merged.status.code(), Some(2));
    assert!(text(&merged.stderr).contains("are other sweeps"), "{}", text(&merged.stderr));
}
