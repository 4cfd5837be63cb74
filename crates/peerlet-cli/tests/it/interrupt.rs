//! Runs that are interrupted: what is shown, what is written, and how they end.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::command::{File, peerlet, root, text};
use crate::process::Process;

/// A run of a thousand hours, of which nobody waits for the end. What it expects is impossible.
const LONG: &str = r#"
peers = 5
for = "1000h"
[stack]
bootstrap = {}
neighbors = {}
[measure]
epoch = "60s"
[[expect]]
measure = "neighbors/degree"
mean_min = 99
"#;

/// What is said at the first signal.
const STOPPING: &str = "stopping: partial results follow; a second signal ends the process at once";

/// A scenario and an empty folder for its run, both gone when this is dropped.
struct Place {
    scenario: File,
    folder: PathBuf,
}

impl Place {
    fn new(name: &str) -> Place {
        let folder = std::env::temp_dir().join(format!("peerlet-{}-{name}", std::process::id()));
        std::fs::create_dir(&folder).expect("the temporary folder can be written to");
        Place { scenario: File::new(&format!("{name}.toml"), LONG), folder }
    }

    fn scenario(&self) -> &str {
        self.scenario.0.to_str().expect("a plain path")
    }

    fn folder(&self) -> &str {
        self.folder.to_str().expect("a plain path")
    }

    /// Starts a run into the folder; returns when events have happened.
    fn start(&self) -> Child {
        self.start_to(Stdio::piped())
    }

    fn start_to(&self, stdout: Stdio) -> Child {
        let run = ["sim", self.scenario(), "-o", self.folder(), "--trace"];
        let mut run = start_to(stdout, &run);
        wait_for_content(&self.folder.join("events.jsonl"), &mut run);
        run
    }

    fn summary(&self) -> Option<Value> {
        let text = std::fs::read_to_string(self.folder.join("summary.json")).ok()?;
        Some(serde_json::from_str(&text).expect("it is whole JSON"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn start(arguments: &[&str]) -> Child {
    start_to(Stdio::piped(), arguments)
}

/// A standard output that is full, and is read by nobody: who prints there waits for ever.
fn full_output() -> (std::io::PipeReader, Stdio) {
    let (reader, writer) = std::io::pipe().expect("there are pipes");
    // A pipe holds 64 KiB on Linux, and no more than that elsewhere.
    let mut filler = writer.try_clone().expect("it can be shared");
    let fill = move || filler.write_all(&[b' '; 1 << 17]).ok();
    std::thread::Builder::new().spawn(fill).expect("there is a thread");
    (reader, writer.into())
}

fn start_to(stdout: Stdio, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_peerlet"))
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs")
}

/// Waits until something is written there, for as long as the process lives.
fn wait_for_content(path: &Path, process: &mut Child) {
    while std::fs::metadata(path).map_or(0, |file| file.len()) == 0 {
        let ended = process.try_wait().expect("it can be asked");
        assert_eq!(ended, None, "it ended before {} had content", path.display());
        sleep(Duration::from_millis(5));
    }
}

fn send(signal: &str, process: &Child) {
    let kill = format!("kill -{signal} {}", process.id());
    let status = Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
    assert!(status.success(), "{kill}");
}

fn end(process: Child) -> Output {
    process.wait_with_output().expect("it can be waited for")
}

#[test]
fn an_interrupted_run_shows_and_writes_what_it_reached() {
    let place = Place::new("partial");
    let run = place.start();
    send("INT", &run);
    let output = end(run);
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert_eq!(
        text(&output.stderr),
        format!("{STOPPING}\n"),
        "no progress where there is no terminal"
    );
    let table = text(&output.stdout);
    assert!(table.contains("neighbors/degree"), "{table}");
    assert!(table.contains("\ninterrupted at "), "{table}");
    assert!(!table.contains("FAILED"), "what is expected of the whole is not judged: {table}");

    let summary = place.summary().expect("there is a summary");
    assert_eq!(summary["interrupted"], true);
    assert_eq!(summary["expectations"], Value::Array(Vec::new()));
    let seconds = summary["virtual_seconds"].as_f64().expect("a number");
    assert!(seconds > 0.0 && seconds < 3_600_000.0, "{seconds}");
    let trace = std::fs::read_to_string(place.folder.join("events.jsonl")).expect("it is there");
    let events = summary["events"].as_u64().expect("a number");
    assert_eq!(trace.lines().count() as u64, events + 1, "all events, and what ends a trace");
    assert!(place.folder.join("measures.csv").exists());

    // It is what a run gives that was planned to end there.
    let end = format!("{}ns", (seconds * 1e9).round());
    let planned = peerlet(&["sim", place.scenario(), "--for", &end, "--json"]);
    let planned: Value = serde_json::from_slice(&planned.stdout).expect("it is JSON");
    assert_eq!(planned["events"], summary["events"]);
    assert_eq!(planned["digest"], summary["digest"]);
    assert_eq!(planned["messages"], summary["messages"]);
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let place = Place::new("twice");
    let (_reader, stdout) = full_output();
    let mut run = place.start_to(stdout);
    send("INT", &run);
    let mut said = BufReader::new(run.stderr.take().expect("it is piped")).lines();
    let line = said.next().expect("it says something").expect("it is text");
    assert_eq!(line, STOPPING);
    // It is written, and cannot be printed.
    wait_for_content(&place.folder.join("summary.json"), &mut run);
    send("INT", &run);
    assert_eq!(end(run).status.code(), Some(130));
}

/// Interrupts a long list of seeds when one of them is done; returns what was printed.
fn interrupt_seeds(place: &Place, signal: &str, more: &[&str]) -> String {
    let seeds = ["sim", place.scenario(), "--for", "60s", "--seeds", "1..9999", "-v"];
    let mut run = start(&[&seeds, more].concat());
    let mut said = BufReader::new(run.stderr.take().expect("it is piped")).lines();
    let done = said.by_ref().find(|line| line.as_ref().expect("it is text").contains("done"));
    assert!(done.is_some(), "no seed was done");
    send(signal, &run);
    assert!(said.any(|line| line.expect("it is text") == STOPPING));
    let output = end(run);
    assert_eq!(output.status.code(), Some(130));
    text(&output.stdout)
}

#[test]
fn seeds_that_are_done_are_shown() {
    let place = Place::new("seeds");
    let printed = interrupt_seeds(&place, "TERM", &["--json"]);
    let json: Value = serde_json::from_str(&printed).expect("it is JSON");
    let runs = json["runs"].as_array().expect("a list").len();
    assert!((1..9999).contains(&runs), "{runs}");
    assert_eq!(json["interrupted"], true);
    let number = |value: &Value| value.as_u64().expect("a seed");
    let not_reached = json["not_reached"].as_array().expect("a list");
    let ran = json["runs"].as_array().expect("a list").iter().map(|run| number(&run["seed"]));
    let mut seeds: Vec<u64> = ran.chain(not_reached.iter().map(number)).collect();
    seeds.sort_unstable();
    assert!(seeds.iter().copied().eq(1..=9999), "each seed is in one of the two");
    assert!(json["measures"]["neighbors/degree"].is_object(), "{json}");

    let table = interrupt_seeds(&place, "INT", &[]);
    let line = table.lines().last().unwrap_or_default();
    assert!(line.starts_with("interrupted: seeds "), "{table}");
    assert!(line.ends_with(" to 9999 were not run to their end"), "{table}");
    assert!(table.contains(": FAILED"), "whole runs are judged: {table}");
}

#[test]
fn the_seed_that_is_interrupted_is_marked_in_its_folder() {
    let place = Place::new("seeds-folder");
    let set = place.folder.join("set");
    let path = set.to_str().expect("a plain path");
    let printed = interrupt_seeds(&place, "INT", &["--json", "-o", path]);
    let json: Value = serde_json::from_str(&printed).expect("it is JSON");
    let seeds = |list: &Value, key: Option<&str>| -> Vec<u64> {
        let seed = |item: &Value| key.map_or(item, |key| &item[key]).as_u64().expect("a seed");
        list.as_array().expect("a list").iter().map(seed).collect()
    };
    let ran = seeds(&json["runs"], Some("seed"));
    let not_reached = seeds(&json["not_reached"], None);
    let is_marked = |seed: u64| {
        let text = std::fs::read_to_string(set.join(seed.to_string()).join("summary.json")).ok()?;
        let summary: Value = serde_json::from_str(&text).expect("it is whole JSON");
        Some(summary["interrupted"] == true)
    };
    assert!(ran.iter().all(|seed| is_marked(*seed) == Some(false)), "{ran:?}");
    assert!(not_reached.iter().all(|seed| is_marked(*seed) != Some(false)));
    let under_way = not_reached.iter().filter(|seed| is_marked(**seed) == Some(true));
    let under_way: Vec<u64> = under_way.copied().collect();
    assert!(!under_way.is_empty(), "the runs that went on left what they had");
    let output = peerlet(&["compare", path, path]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(5), String::new()));
    let said = text(&output.stderr);
    let is_named = |seed: &u64| said.contains(&format!("set/{seed}` was interrupted at "));
    assert!(under_way.iter().any(is_named), "{said}");
}

#[test]
fn an_interrupted_search_says_how_many_held() {
    let mut search = start(&["sim", "--random", "1000000", "-vv", "--json"]);
    let mut said = BufReader::new(search.stderr.take().expect("it is piped")).lines();
    let is_third = |line: &str| line.contains("a random scenario number=3 ");
    assert!(said.any(|line| is_third(&line.expect("it is text"))), "there is no third one");
    send("INT", &search);
    assert!(said.any(|line| line.expect("it is text") == STOPPING));
    let output = end(search);
    assert_eq!(output.status.code(), Some(130));
    let json: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!((&json["interrupted"], &json["failure"]), (&true.into(), &Value::Null));
    let held = json["held"].as_u64().expect("a number");
    assert!((2..1_000_000).contains(&held), "{held}");
}

#[test]
fn an_interrupted_check_for_determinism_leaves_nothing_behind() {
    let place = Place::new("check");
    let mut check = start(&["sim", place.scenario(), "--check-determinism"]);
    let events = |which: &str, check: &Child| {
        std::env::temp_dir().join(format!("peerlet-{}-{which}.events", check.id()))
    };
    let files = [events("first", &check), events("second", &check)];
    for file in &files {
        wait_for_content(file, &mut check);
    }
    send("INT", &check);
    // The second process writes to the same pipe, so this waits for the end of both.
    let output = end(check);
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(text(&output.stdout), "");
    assert!(text(&output.stderr).ends_with("interrupted: nothing was compared\n"));
    assert!(files.iter().all(|file| !file.exists()), "{files:?}");
}

#[test]
fn a_killed_second_process_of_a_check_is_said_to_be_killed() {
    let place = Place::new("killed");
    // Long enough for the signal, short enough to end by itself.
    let mut check = start(&["sim", place.scenario(), "--for", "600s", "--check-determinism"]);
    let children = format!("/proc/{0}/task/{0}/children", check.id());
    if !Path::new(&children).exists() {
        drop(check.kill());
        drop(check.wait());
        return println!("passed over: the system does not list children (1 case)");
    }
    let child = loop {
        let listed = std::fs::read_to_string(&children).expect("it can be read");
        if let Some(child) = listed.split_whitespace().next() {
            break child.to_owned();
        }
        assert_eq!(check.try_wait().expect("it can be asked"), None, "it ended before");
        sleep(Duration::from_millis(5));
    };
    let kill = format!("kill -9 {child}");
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("there is a shell").success());
    let output = end(check);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()), "{said}");
    let words = "error: the second process was killed by signal 9 (SIGKILL)";
    assert!(said.contains(words), "{said}");
}

#[test]
fn an_interrupted_live_run_is_partial_as_well() {
    let place = Place::new("live");
    let mut run = start(&["live", place.scenario(), "--shards", "1", "--json"]);
    let mut said = BufReader::new(run.stderr.take().expect("it is piped")).lines();
    assert!(said.any(|line| line.expect("it is text").starts_with("reached as ")));
    send("TERM", &run);
    assert!(said.any(|line| line.expect("it is text").starts_with("stopping: ")));
    let output = end(run);
    assert_eq!(output.status.code(), Some(130));
    let json: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!((&json["interrupted"], &json["threads"]), (&true.into(), &1.into()));
    assert_eq!(json["expectations"], Value::Array(Vec::new()));
}

/// Results that cannot be written: their reader reads one file and never opens the next.
#[test]
fn signals_end_a_live_run_that_writes_its_results() {
    for world in ["live", "emulate"] {
        let place = Place::new(&format!("writing-{world}"));
        let (_reader, stdout) = full_output();
        let live = [world, place.scenario(), "--for=300ms", "-o", place.folder()];
        let mut run = start_to(stdout, &live);
        // The run is over when its results are written, and they cannot be printed.
        wait_for_content(&place.folder.join("summary.json"), &mut run);
        let mut said = BufReader::new(run.stderr.take().expect("it is piped")).lines();
        send("INT", &run);
        let is_told = |line: std::io::Result<String>| {
            line.expect("it is text").starts_with("the run is over and its results are being")
        };
        assert!(said.any(is_told), "{world}");
        send("TERM", &run);
        assert_eq!(end(run).status.code(), Some(130), "{world}");
    }
}

/// Seat 0's process waits for the last report of one that was killed: a signal shortens that, and
/// interrupts nothing, since the peers' time is over; a second one ends it at once.
#[test]
fn signals_shorten_the_wait_for_reports() {
    for signals in [1, 2] {
        let place = Place::new(&format!("reports-{signals}"));
        let live = ["live", place.scenario(), "--for=2s", "--set=measure.epoch=1s"];
        let mut first = Process::start(&[&live[..], &["--index", "0-2", "--json"]].concat());
        let at = first.reached();
        let join = ["--index", "3-4", "--join", &at];
        let mut second = Process::start(&[&live[..], &join].concat());
        second.says("time zero is known");
        second.kill();
        first.says("waiting at most ");
        for signal in &["INT", "TERM"][..signals] {
            send(signal, &first.child);
            if *signal == "INT" {
                first.says("stopping: ");
            }
        }
        let output = first.end();
        let expected = if signals == 1 { 7 } else { 130 };
        assert_eq!(output.status.code(), Some(expected), "{}", text(&output.stderr));
        if signals == 1 {
            let json: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
            assert_eq!(json["interrupted"], Value::Null, "{json}");
            let missing = json["missing"][0].as_str().expect("a share is missing");
            assert!(missing.starts_with("seats 3 to 4: nothing heard from their process for "));
        }
    }
}

/// A live process that is suspended for some seconds has lost them, and says so.
#[test]
fn a_suspended_process_has_not_covered_its_time() {
    let place = Place::new("suspended");
    let live = ["live", place.scenario(), "--for=6s", "--set=measure.epoch=1s", "--json"];
    let mut run = start(&live);
    let mut said = BufReader::new(run.stderr.take().expect("it is piped")).lines();
    assert!(said.any(|line| line.expect("it is text").starts_with("reached as ")));
    // It stands still for longer than the second that is forgiven, well before its end.
    sleep(Duration::from_millis(1_000));
    send("STOP", &run);
    sleep(Duration::from_millis(3_000));
    send("CONT", &run);
    let all: Vec<_> = said.map(|line| line.expect("it is text")).collect();
    assert!(all.iter().any(|line| line.contains("this process stood still for ")), "{all:?}");
    let json: Value = serde_json::from_slice(&end(run).stdout).expect("it is JSON");
    let delays = &json["delays"];
    assert!(delays["suspensions"].as_u64() >= Some(1), "{delays}");
    assert!(delays["suspended_seconds"].as_f64() >= Some(2.5), "{delays}");
    assert!(delays["late_max_us"].as_f64() >= Some(2e6), "{delays}");
    assert!(json["coverage"].as_f64() < Some(0.7), "{}", json["coverage"]);
    assert_eq!(json["expectations"], Value::Array(Vec::new()));
    assert_eq!(json["not_judged"], "the run is incomplete");
}

/// An emulation that stood still is void, however many packets were in time.
#[test]
fn a_suspended_emulation_is_void() {
    check_suspended("suspended-emulation", "measure.from=0s");
}

/// A warm-up that stood still leaves another overlay to what is measured.
#[test]
fn an_emulation_suspended_in_its_warm_up_is_void() {
    check_suspended("suspended-warm-up", "measure.from=4900ms");
}

/// Suspends an emulation of five seconds in its middle.
fn check_suspended(place: &str, set: &str) {
    let place = Place::new(place);
    let options = ["--for=5s", "--late-max=2s", "--json", "--set", set];
    let run = start(&[&["emulate", place.scenario()], &options[..]].concat());
    // Its sockets are bound and its peers live by then; it stands still until well before its end.
    sleep(Duration::from_millis(2_000));
    send("STOP", &run);
    sleep(Duration::from_millis(2_500));
    send("CONT", &run);
    let output = end(run);
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(json["void"], true);
    let stalled = json["packets"]["stalled_us"].as_f64().expect("a number");
    assert!(stalled > 2e6, "{stalled}");
    let why = json["void_because"].to_string();
    assert!(why.contains("the emulator stood still for"), "{why}");
}

/// Runs on a terminal of its own, which util-linux's `script` makes; `None` without it.
fn start_on_a_terminal(arguments: &[&str]) -> Option<Child> {
    let version = Command::new("script").arg("--version").output().ok()?;
    if !text(&version.stdout).contains("util-linux") {
        return None;
    }
    let command = format!("{} {}", env!("CARGO_BIN_EXE_peerlet"), arguments.join(" "));
    let script = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    Some(script.expect("it runs"))
}

#[test]
fn progress_shows_on_a_terminal_and_is_gone_before_the_results() {
    let place = Place::new("terminal");
    let Some(mut run) = start_on_a_terminal(&["sim", place.scenario()]) else {
        return println!("passed over: there is no script of util-linux (1 case)");
    };
    let mut screen = run.stdout.take().expect("it is piped");
    let (mut seen, mut byte) = (Vec::new(), [0]);
    while !text(&seen).contains(" events/s, ") {
        let count = screen.read(&mut byte).expect("it can be read");
        assert_eq!(count, 1, "it ended without progress: {}", text(&seen));
        seen.push(byte[0]);
    }
    assert!(text(&seen).contains("s of 3600000s ("), "{}", text(&seen));
    // Control-C.
    run.stdin.take().expect("it is piped").write_all(b"\x03").expect("it is read");
    screen.read_to_end(&mut seen).expect("it can be read");
    let (seen, status) = (text(&seen), run.wait().expect("it can be waited for"));
    assert_eq!(status.code(), Some(130), "{seen}");
    let (progress, results) = seen.split_once("peerlet: 5 peers, ").expect("there are results");
    let left = progress.rsplit("\r\x1b[K").next().expect("there is a last piece");
    assert!(left.is_empty() || left == format!("{STOPPING}\r\n"), "the line is gone: {left:?}");
    assert!(!results.contains('\x1b'), "{results:?}");
    assert!(results.contains("interrupted at "), "{results}");
}

#[test]
fn a_standard_error_that_takes_nothing_ends_no_run() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("it is there");
    let run = |world: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peerlet"));
        // The scenario warns of event lines beyond the end.
        command.args(world).args(["--peers", "60", "--for", "1s", "--set", "join=100ms"]);
        command.current_dir(root()).stdout(Stdio::null()).stderr(full());
        command.status().expect("it runs").code()
    };
    assert_eq!(run(&["sim", "scenarios/first.toml"]), Some(0));
    assert_eq!(run(&["live", "scenarios/first.toml", "--shards", "1"]), Some(0));
}
