//! The digest from outside: equal where runs are, different where they are not, and no secret.

use std::process::Command;

use crate::command::{peerlet, root, text};

const SCENARIO: &[&str] = &["sim", "scenarios/protopeer.toml", "--json"];

fn digest(more: &[&str]) -> String {
    let output = peerlet(&[SCENARIO, more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    json["digest"].as_str().expect("a run has a digest").to_owned()
}

#[test]
fn equal_runs_have_equal_digests_and_others_do_not() {
    let first = digest(&[]);
    assert_eq!(first.len(), 16);
    assert_eq!(digest(&[]), first, "the same run again");
    assert_eq!(digest(&["--wire"]), first, "with every message encoded");
    assert_ne!(digest(&["--seed", "2"]), first, "with another seed");
    let nanosecond = ["--set", "network.max=80000001ns"];
    assert_ne!(digest(&nanosecond), first, "with delays a nanosecond longer");
}

/// The digest of this scenario, which no change of the engine may move. Whoever changes what peers
/// do, or what the contract says, changes it here on purpose.
#[test]
fn the_digest_is_the_one_that_was_written_down() {
    assert_eq!(digest(&[]), "4226c0718dcd4ba8");
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x243F_6A88_85A3_08D3) * u128::from(b ^ 0x1319_8A2E_0370_7344);
    (product >> 64) as u64 ^ product as u64
}

const KINDS: [&str; 13] = [
    "deliver",
    "timer",
    "command",
    "start",
    "stop",
    "crash",
    "undelivered",
    "wake",
    "writable",
    "pause",
    "resume",
    "tamper",
    "closure",
];

/// Recomputes the digest from the trace alone.
fn recompute(trace: &str) -> String {
    let mut seats: Vec<u64> = Vec::new();
    for line in trace.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
        let number = |key: &str| line[key].as_u64().expect("a number");
        if line.get("seats").is_some() {
            seats.resize(number("seats") as usize, 0);
            let total = seats.iter().fold(0, |total, seat| fold(total, *seat));
            let words = ["drops", "bytes", "measures"].into_iter().flat_map(|key| {
                line[key].as_array().expect("a list").iter().map(|w| w.as_u64().expect("a word"))
            });
            return format!("{:016x}", words.fold(total, fold));
        }
        let seat = number("seat") as usize;
        if seats.len() <= seat {
            seats.resize(seat + 1, 0);
        }
        let kind = KINDS.iter().position(|kind| line["kind"] == *kind).expect("a known kind") + 1;
        let what = number("source") << 32 | number("round") << 8 | kind as u64;
        let has = |key: &str| line.get(key).is_some();
        let call =
            ["question", "answer", "no_answer"].into_iter().zip(1..).find(|(key, _)| has(key));
        let port = if has("port") { number("port") } else { 0 };
        let whose = call.map_or(0, |(_, part)| part) << 48 | port << 32 | number("life");
        let first = fold(seats[seat] ^ number("time"), what);
        let second = fold(first ^ number("seq"), whose);
        seats[seat] = call.map_or(second, |(key, _)| fold(second, number(key)));
    }
    panic!("the trace has no last line");
}

/// Everything that the environment can do to a peer.
const ACTS: &str = "--set=events.lines=\"4 1 Peer.stop()\\n4 2 Peer.start()\\n3 3 Peer.crash()\\n\
                    5 4 Peer.pause(2s)\\n6 5 Peer.tamper(\\\"drop\\\", 0.5)\\n\
                    0-9 6 Peer.Router.setDropMessages(true)\"";

#[test]
fn independent_programs_find_the_digest_in_the_trace() {
    let folder = std::env::temp_dir().join(format!("peerlet-{}-trace", std::process::id()));
    let path = folder.display().to_string();
    let expected = digest(&["-o", &path, "--trace", "--for=20s", ACTS]);
    let events = folder.join("events.jsonl");
    let trace = std::fs::read_to_string(&events).expect("the trace was written");
    let script = Command::new("python3").arg(root().join("docs/digest.py")).arg(&events).output();
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
    for kind in ["stop", "crash", "pause", "resume", "tamper", "command"] {
        assert!(trace.contains(&format!("\"kind\":\"{kind}\"")), "nothing of the kind {kind}");
    }
    assert_eq!(recompute(&trace), expected);
    match script {
        Ok(output) => assert_eq!(text(&output.stdout).trim(), expected),
        Err(_) => println!("passed over: there is no python3 for docs/digest.py (1 case)"),
    }
}
