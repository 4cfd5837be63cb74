//! Simulation beside emulation.

use serde_json::Value;

use crate::command::{File, peerlet, text};

/// Peers that all know each other look up keys over 20 ms, for two seconds that count.
const LOAD: &str = r#"
title = "a load"
peers = 8
for = "3s"
join = "10ms"
[network]
model = "constant"
delay = "20ms"
[stack]
bootstrap = {}
neighbors = { random = 8, ring = 2 }
router = {}
lookups = { rate = "40/s", warmup = "500ms" }
[measure]
epoch = "1s"
from = "1s"
"#;

/// How often a comparison is tried again of which a run was void.
const TRIES: u32 = 5;

/// The comparison over a transport, and the exit code. A machine with much else to do makes runs
/// void, which are in no comparison: where that does not end, there is none.
fn fidelity(transport: &str, more: &[&str]) -> Option<(Value, i32)> {
    let file = File::new(&format!("fidelity-{transport}-{}.toml", more.len()), LOAD);
    let path = file.0.display().to_string();
    let fixed = ["fidelity", &path, "--seeds", "1..2", "--transport", transport, "--json", "-q"];
    for _ in 0..TRIES {
        let output = peerlet(&[&fixed, more].concat());
        let code = output.status.code().expect("it ends by itself");
        let all: Vec<Value> = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
        let void = all.last().expect("there is something")["void"].as_array();
        assert_eq!(void.is_some(), code == 5, "{all:?}");
        let Some(void) = void else { return Some((all[0].clone(), code)) };
        assert!(void.iter().all(|run| !run["void_because"][0].is_null()), "{void:?}");
    }
    println!("passed over: the machine did not keep up {TRIES} times");
    None
}

fn row<'a>(comparison: &'a Value, metric: &str) -> &'a Value {
    let rows = comparison["rows"].as_array().expect("it has rows");
    rows.iter().find(|row| row["metric"] == metric).expect("it is measured")
}

#[test]
fn both_sides_are_compared_in_pairs() {
    let limits = ["--within", "30%", "--ks", "0.5", "--counts", "10%"];
    let Some((comparison, code)) = fidelity("udp", &limits) else { return };
    assert_eq!(
        (&comparison["left"]["world"], &comparison["right"]["world"]),
        (&"sim".into(), &"emulate".into())
    );
    assert_eq!(comparison["paired"], true);
    let times = row(&comparison, "lookups/time");
    let samples = times["samples"].as_array().expect("of both sides");
    assert!(samples.iter().all(|count| count.as_u64() > Some(500)), "{samples:?}");
    // In simulation a lookup of one hop takes the way there and back to the nanosecond.
    let half = times["figures"].as_array().expect("numbers").iter().find(|f| f["figure"] == "p50");
    let half = half.and_then(|half| half["right"].as_f64()).expect("there is a median");
    assert!(half >= 0.0395, "{half} s over 20 ms each way");
    // How far a busy machine is off is not for a test to say; the exit code tells what was found.
    let told = match comparison["verdict"].as_str().expect("a verdict") {
        "held" => 0,
        "failed" => 1,
        _ => 6,
    };
    assert_eq!(code, told, "{comparison}");
}

#[test]
fn both_sides_go_over_the_same_transport() {
    let Some((comparison, _)) = fidelity("quic", &["--within", "30%"]) else { return };
    for side in ["left", "right"] {
        assert_eq!(comparison[side]["transport"], "quic");
    }
    let file = File::new("fidelity-handshakes.toml", LOAD);
    let path = file.0.display().to_string();
    let sent = |more: &[&str]| -> f64 {
        let of = |seed: &str| {
            let output = peerlet(&[&["sim", &path, "--json", "--seed", seed], more].concat());
            let run: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
            run["messages"]["sent"].as_f64().expect("a number")
        };
        of("1") + of("2")
    };
    let (plain, handshakes) = (sent(&[]), sent(&["--transport", "quic"]));
    let compared = row(&comparison, "messages/sent")["figures"][0]["left"].as_f64();
    let compared = compared.expect("a number");
    assert!(plain != handshakes, "handshakes change what is sent");
    assert!([handshakes, handshakes / 2.0].contains(&compared), "{compared}, {handshakes}");
}

#[test]
fn a_network_that_is_slower_on_one_side_is_found() {
    let slower = ["--control", "network.delay=30ms"];
    let Some((comparison, code)) = fidelity("udp", &slower) else { return };
    assert_eq!(row(&comparison, "lookups/time")["verdict"], "failed", "{comparison}");
    assert_eq!(code, 1);
}

/// Every side and every try reads the scenario, and the first says what it leaves out.
#[test]
fn a_warning_is_given_once() {
    let file =
        File::new("fidelity-warned.toml", &format!("{LOAD}[events]\nlines = '* 2 Peer.stop()'"));
    let path = file.0.display().to_string();
    let output = peerlet(&["fidelity", &path, "--seeds", "1..1", "--for", "1500ms"]);
    let said = text(&output.stderr);
    assert_eq!(said.matches("beyond the end").count(), 1, "{said}");
}

#[test]
fn what_cannot_be_run_is_refused() {
    let file = File::new("fidelity-wrong.toml", LOAD);
    let path = file.0.display().to_string();
    for (option, value, said) in [
        ("--transport", "tcp", "possible values: quic, udp"),
        ("--control", "network.delay", "KEY.PATH=VALUE"),
        ("--seeds", "5", "such as `1..30`"),
        ("--peers", "5000", "a process emulates 4096 at most"),
    ] {
        let output = peerlet(&["fidelity", &path, option, value, "-q"]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(said), "{option} {value}: {told}");
    }
}
