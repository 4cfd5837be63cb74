//! Live processes and emulations that are told to stop: how far their results go, and that they
//! wait for nobody who is not there.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::command::{File, text};
use crate::process::Process;
use crate::secret::Folder;

const SCENARIO: &str = "peers = 6\nfor = \"5s\"\njoin = \"300ms\"\n[stack]\nbootstrap = {}\n\
                        neighbors = {}\n[measure]\nepoch = \"200ms\"\n";
/// An emulation waits for packets for ten seconds, after its own one.
const WAITED_SECONDS: f64 = 11.0;

fn scenario(name: &str, text: &str) -> (File, String) {
    let file = File::new(&format!("stopping-{name}.toml"), text);
    let path = file.0.display().to_string();
    (file, path)
}

fn signal(name: &str, process: &Process) {
    let kill = format!("kill -{name} {}", process.child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("there is a shell").success());
}

/// The last instant in the column `to` of a run's measures, in seconds.
fn last_epoch_ends(folder: &str) -> f64 {
    let csv = std::fs::read_to_string(format!("{folder}/measures.csv")).expect("it is written");
    let mut lines = csv.lines();
    let head = lines.next().expect("a head");
    let to = head.split(',').position(|name| name == "to").expect("a column `to`");
    let ends = lines.map(|line| line.split(',').nth(to).expect("a cell"));
    ends.map(|cell| cell.parse::<f64>().expect("seconds")).fold(0.0, f64::max)
}

/// The other process lives on to the end of the run, and reports what it measures.
#[test]
fn results_go_as_far_as_seat_0s_process_ran() {
    let (_file, path) = scenario("early", SCENARIO);
    let folder = Folder::new("stopping-early");
    let out = folder.path("out");
    let live = ["live", &path, "--json", "--index"];
    let mut first = Process::start(&[&live[..], &["0-2", "-o", &out]].concat());
    let at = first.reached();
    let mut second = Process::start(&[&live[..], &["3-5", "--join", &at]].concat());
    second.says("time zero is known");
    sleep(Duration::from_millis(2_500));
    signal("INT", &first);
    let first = first.end();
    assert_eq!(first.status.code(), Some(130), "{}", text(&first.stderr));
    let json: Value = serde_json::from_slice(&first.stdout).expect("one JSON object");
    let end = json["virtual_seconds"].as_f64().expect("a number");
    let last = last_epoch_ends(&out);
    assert!((last - end).abs() < 1e-3, "measures to {last} of a run of {end}");
    assert!(json["coverage"].as_f64() >= Some(0.99), "{json}");
    assert_eq!(json["missing"], Value::Null, "both reported to the end");
    assert_eq!(second.end().status.code(), Some(0));
}

#[test]
fn a_process_that_nobody_took_in_ends_at_once() {
    let (_file, path) = scenario("alone", SCENARIO);
    for at in ["127.0.0.1:9", "nosuch.invalid:7"] {
        let join = ["live", &path, "--index", "3-5", "--join", at];
        let mut process = Process::start(&join);
        process.reached();
        process.says("nothing heard from ");
        signal("INT", &process);
        let output = process.end();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{said}");
        assert!(!said.contains("to take the reports"), "{said}");
        let table = text(&output.stdout);
        let missing = format!("missing: the whole run: seat 0's process at {at} had not taken");
        assert!(table.contains(&missing), "{table}");
    }
}

/// Packets that take a thousand days are not waited for once that is not wanted.
#[test]
fn a_signal_ends_an_emulations_wait_for_packets() {
    let network = "[network]\nmodel = \"constant\"\ndelay = \"1000d\"\n";
    let (_file, path) = scenario("packets", &format!("{SCENARIO}{network}"));
    let emulate = ["emulate", &path, "--peers", "2", "--for=1s", "--json"];
    let mut process = Process::start(&emulate);
    sleep(Duration::from_millis(3_000));
    assert!(process.child.try_wait().expect("it can be asked").is_none(), "it waits for packets");
    signal("TERM", &process);
    let output = process.end();
    let json: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(json["interrupted"], Value::Null, "the peers' time was over: {json}");
    assert!(json["wall_seconds"].as_f64() < Some(WAITED_SECONDS), "{json}");
}
