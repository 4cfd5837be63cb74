//! `sim --random` and `sim --witness`, as a user sees them.

use serde_json::Value;

use crate::command::{File, peerlet, text};

#[test]
fn random_scenarios_hold_and_are_summed_up() {
    let output = peerlet(&["sim", "--random", "3", "--seed", "5"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert_eq!(text(&output.stderr), "");
    let said = text(&output.stdout);
    assert!(said.starts_with("3 of 3 random scenarios from seed 5 held: "), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");

    let json = |arguments: &[&str]| {
        let output = peerlet(&[&["sim", "--json"], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
        serde_json::from_slice::<Value>(&output.stdout).expect("it is JSON")
    };
    let three = json(&["--random", "3", "--seed", "5"]);
    assert_eq!((&three["held"], &three["failure"]), (&3.into(), &Value::Null));
    let events = three["events"].as_u64().expect("a number");
    assert!(said.contains(&format!(" held: {events} events, ")), "{said}");
    let occurred = three["occurred"].as_object().expect("a table");
    let of = |kind: &str| {
        let those = occurred.iter().filter(|(name, _)| name.starts_with(kind));
        those.map(|(_, count)| count.as_u64().expect("a number")).sum::<u64>()
    };
    assert_eq!(of("model"), 3, "each has one model: {occurred:?}");

    let over = json(&["--random", "3", "--seed", "5", "--transport", "quic"]);
    assert_eq!(over["held"], 3);
    assert_ne!(over["events"], three["events"], "handshakes change what happens");

    let table = peerlet(&["sim", "--random", "3", "--seed", "5", "-v"]);
    let lines = text(&table.stdout).lines().count();
    assert_eq!(lines, 1 + occurred.len(), "{}", text(&table.stdout));
}

#[test]
fn random_takes_no_scenario_and_no_changes_of_one() {
    for wrong in [
        &["--random", "0"][..],
        &["--random", "1000001"],
        &["--random", "2", "scenarios/protopeer.toml"],
        &["--random", "2", "--peers", "9"],
        &["--random", "2", "--set", "peers=9"],
        &["--random", "2", "--threads", "2"],
        &["--random", "2", "--transport", "udp"],
        &["--random", "2", "--seed", "seven"],
        &["--random", "2", "--seed", "18446744073709551615"],
        &["--witness"],
    ] {
        let output = peerlet(&[&["sim"], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "", "nothing half-run");
    }
}

#[test]
fn a_scenario_of_ones_own_is_held_to_the_contract() {
    let scenario = "peers = 5\nfor = \"5s\"\n[network]\nmodel = \"uniform\"\nloss = 0.1\n\
                    [stack]\nbootstrap = {}\nneighbors = {}\n\
                    [events]\nlines = \"1-2 2 Peer.restart()\"\n";
    let file = File::new("witness.toml", scenario);
    let path = file.0.display().to_string();
    let output = peerlet(&["sim", &path, "--witness"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let said = text(&output.stdout);
    let said = said.strip_prefix(&format!("{path}: held: ")).expect("it says so");
    let checked = said.split(", ").nth(1).and_then(|words| words.split(' ').next());
    let checked: u64 = checked.and_then(|number| number.parse().ok()).expect("a number");
    assert!(checked > 1_000, "{said}");

    let broken = File::new("broken.toml", &scenario.replace("1-2", "1-9"));
    let output = peerlet(&["sim", &broken.0.display().to_string(), "--witness"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("there is no seat 9"), "{}", text(&output.stderr));
}

/// A question that is too large fails its call at once, which is no fault of the program.
#[test]
fn witnesses_know_that_large_questions_are_refused() {
    for most in ["1 B", "20 B", "64 B"] {
        let scenario = format!(
            "peers = 6\nfor = \"4s\"\n[stack]\nbootstrap = {{}}\nneighbors = {{}}\n\
             [connection]\nmessage_max = \"{most}\"\n"
        );
        let file = File::new("large.toml", &scenario);
        let output = peerlet(&["sim", &file.0.display().to_string(), "--witness"]);
        assert_eq!(output.status.code(), Some(0), "{most}: {}", text(&output.stdout));
    }
}
