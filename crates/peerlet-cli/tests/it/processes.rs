//! Several live processes as one network: who is let in, who has which seats, and what each of them
//! says at the end.

use std::process::Output;

use serde_json::Value;

use crate::command::{File, peerlet, text};
use crate::process::{Process, secret};
use crate::secret::Folder;

const SCENARIO: &str = "peers = 6\nfor = \"4s\"\njoin = \"500ms\"\n[stack]\nbootstrap = {}\n\
                        neighbors = {}\n";

/// A scenario in a file, and its path.
fn scenario(text: &str) -> (File, String) {
    let file = File::new("processes.toml", text);
    let path = file.0.display().to_string();
    (file, path)
}

fn check(output: &Output, code: i32, parts: &[&str]) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}{}", text(&output.stdout));
    for part in parts {
        assert!(said.contains(part), "`{part}` in {said}");
    }
}

#[test]
fn a_process_with_another_scenario_is_refused_with_what_differs() {
    let (_file, path) = scenario(&SCENARIO.replace("4s", "1000h"));
    let live = ["live", &path];
    let mut first = Process::start(&[&live[..], &["--index", "0-2", "--seed", "1"]].concat());
    let at = first.reached();
    let join = ["--index", "3-5", "--join", &at, "--start-within", "20s"];
    let other = |more: &[&str]| peerlet(&[&live[..], &join, more].concat());
    let differs = "runs something else";
    check(&other(&["--seed", "2"]), 3, &[differs, "seed: 2 here, 1 there"]);
    let more = ["--seed", "1", "--peers", "8", "--set", "stack.neighbors.ring=3"];
    let parts =
        [differs, "peers: 8 here, 6 there", "stack, `neighbors`: {ring = 3} here, {} there"];
    check(&other(&more), 3, &parts);
    let (_file, reordered) = scenario(
        "peers = 6\nfor = \"1000h\"\njoin = \"500ms\"\nseed = 1\n[stack]\nneighbors = {}\n",
    );
    let output = peerlet(&[&["live", &reordered][..], &join].concat());
    check(&output, 3, &[differs, "peerlet `bootstrap`: nothing here, version 2 there"]);
    assert!(first.child.try_wait().expect("it can be asked").is_none(), "it goes on");
    first.says("the process at ");
}

#[test]
fn an_unspecified_address_is_learned_or_asked_for() {
    let (_file, path) = scenario(SCENARIO);
    let live = ["live", &path, "--bind", "0.0.0.0:0", "--index", "0-2", "--start-within"];
    let alone = peerlet(&[&live[..], &["1s"]].concat());
    check(&alone, 3, &["no other process came within 1s", "name one to advertise (--advertise)"]);
    // With an address it begins, says who is missing, and its peers reach each other.
    let named = peerlet(&[&live[..], &["1s", "--advertise", "127.0.0.1", "--json"]].concat());
    check(&named, 7, &["the run begins without seats 3 to 5: no process came for them within 1s"]);
    let summary: Value = serde_json::from_slice(&named.stdout).expect("one JSON object");
    assert_eq!(summary["missing"][0], "seats 3 to 5: no process came");
    assert_eq!(summary["coverage"], 0.5, "{summary}");
    assert!(summary["measures"]["neighbors/found"]["sum"].as_f64() >= Some(4.0), "{summary}");
    // The first process that takes part tells it.
    let mut first = Process::start(&[&live[..], &["20s", "--json"]].concat());
    let at = first.reached().replace("0.0.0.0", "127.0.0.1");
    let second = peerlet(&["live", &path, "--index", "3-5", "--join", &at]);
    check(&second, 0, &[]);
    let first = first.end();
    check(&first, 0, &["others reach this process at 127.0.0.1"]);
    let summary: Value = serde_json::from_slice(&first.stdout).expect("one JSON object");
    assert!(summary["measures"]["neighbors/found"]["sum"].as_f64() >= Some(8.0), "{summary}");
}

#[test]
fn who_reported_to_nobody_says_so() {
    let (_file, path) = scenario(SCENARIO);
    let mut first = Process::start(&["live", &path, "--index", "0-2"]);
    let at = first.reached();
    let folder = Folder::new("processes-share");
    let share = folder.path("share");
    let arguments = ["live", &path, "--index", "3-5", "--join", &at, "-o", &share];
    let mut second = Process::start(&arguments);
    second.says("time zero is known");
    first.kill();
    let second = second.end();
    check(&second, 7, &[]);
    let table = text(&second.stdout);
    assert!(table.contains("nobody has the whole network's table"), "{table}");
    assert!(table.contains("missing: seat 0's process at "), "{table}");
    let summary = std::fs::read_to_string(format!("{share}/summary.json")).expect("it is kept");
    assert!(summary.contains("\"missing\""), "{summary}");
}

#[test]
fn a_key_gets_its_seats_again_and_another_one_does_not() {
    let (_file, path) = scenario(&SCENARIO.replace("4s", "1000h"));
    let folder = Folder::new("processes-keys");
    let mut first = Process::start(&["live", &path, "--index", "0-2"]);
    let at = first.reached();
    let (ours, theirs) = (folder.path("ours"), folder.path("theirs"));
    let with = |key: &str| {
        let arguments = ["live", &path, "--index", "3-5", "--join", &at, "--key", key];
        Process::start(&arguments)
    };
    let mut second = with(&ours);
    second.says("time zero is known");
    second.kill();
    check(&with(&theirs).end(), 3, &["seats 3 to 5 belong to another process", "--key"]);
    let mut again = with(&ours);
    again.says("time zero is known");
    let said = first.says("the process of seats 3 to 5 was restarted");
    assert_eq!(said, "");
}

#[test]
fn over_quic_only_those_with_the_secret_are_let_in() {
    let folder = Folder::new("processes-secret");
    let (ours, theirs) = (secret(&folder, "ours"), secret(&folder, "theirs"));
    let (_file, path) = scenario(SCENARIO);
    let live = ["live", &path, "--start-within"];
    let coordinator = ["25s", "--index", "0-2", "--secret", &ours, "--json"];
    let mut first = Process::start(&[&live[..], &coordinator].concat());
    let at = first.reached();
    let join = ["--index", "3-5", "--join", &at];
    let of_other = "it has another secret, or a list without this process";
    let without = "start this one with the network's secret";
    for (more, why) in [(&["20s", "--secret", &theirs][..], of_other), (&["20s"], without)] {
        let output = peerlet(&[&live[..], more, &join].concat());
        check(&output, 3, &["does not let this one in", why, "(--secret, --allow, --key)"]);
        assert!(!text(&output.stderr).contains("kept for this run"), "it is no part of the run");
        first.says("the process at ");
    }
    let second = peerlet(&[&live[..], &["20s", "--secret", &ours], &join].concat());
    check(&second, 0, &[]);
    let first = first.end();
    check(&first, 0, &[]);
    let summary: Value = serde_json::from_slice(&first.stdout).expect("one JSON object");
    assert_eq!(summary["coverage"], 1.0, "{summary}");
    assert!(summary["measures"]["neighbors/found"]["sum"].as_f64() >= Some(8.0), "{summary}");
    assert_eq!(summary["kept_out"].as_array().map(Vec::len), Some(2), "{summary}");
    assert!(summary["sockets_dropped"]["admission"].as_u64() >= Some(2), "{summary}");
}

#[test]
fn lists_of_identities_are_read_or_refused() {
    let folder = Folder::new("processes-list");
    let (_file, path) = scenario(SCENARIO);
    let list = folder.path("list");
    let refuse = |text: &str, more: &[&str], part: &str| {
        std::fs::write(&list, text).expect("the folder can be written to");
        let output = peerlet(&[&["live", &path, "--allow", &list][..], more].concat());
        check(&output, 2, &[part]);
    };
    refuse("# nobody\n", &[], "there is no identity in it");
    refuse("me\n", &[], "line 1: no identity");
    refuse(&"ab".repeat(32), &["--transport", "udp"], "a list names identities, and UDP has none");
    let output = peerlet(&["live", &path, "--allow", &folder.path("none")]);
    check(&output, 3, &["No such file"]);
}

#[test]
fn addresses_that_cannot_be_are_refused_with_the_reason() {
    let (_file, path) = scenario(SCENARIO);
    let refuse = |more: &[&str], code, part: &str| {
        check(&peerlet(&[&["live", &path][..], more].concat()), code, &[part]);
    };
    let bind = ["--bind", "127.0.0.1:65535", "--shards", "2"];
    refuse(&bind, 2, "2 shards from port 65535 on need ports up to 65536");
    let join = |at| ["--index", "3-5", "--join", at, "--start-within", "1s"];
    refuse(&join("127.0.0.1:0"), 2, "nobody is reached at port 0");
    refuse(&join("127.0.0.1"), 2, "write HOST:PORT");
    refuse(&join("[fe80::1%eth0]:7"), 2, "link-local");
    let mut none = join("127.0.0.1:7310");
    none[5] = "0s";
    refuse(&none, 2, "leaves this process no time to join");
    refuse(&join("nosuch.invalid:7000"), 3, "nobody answered at nosuch.invalid:7000 for 1s (");
    let many = ["--index", "0-2", "--for", "2s", "--set", "measure.epoch=20us"];
    refuse(&many, 2, "`measure.epoch`: 100000 epochs of 20us are more than the processes of a run");
    refuse(&[&many[2..], &join("127.0.0.1:7310")].concat(), 2, "make the epochs longer");
    refuse(&join("[::1]:7310"), 3, "which a socket bound to 127.0.0.1 does not reach");
    refuse(&join("192.0.2.1:7310"), 3, "bind 0.0.0.0:PORT");
}

#[test]
fn a_host_with_several_addresses_is_found_at_any_of_them() {
    // `localhost` is ::1 and 127.0.0.1 on most machines; the socket is bound to one of them.
    let (_file, path) = scenario(&SCENARIO.replace("4s", "1s"));
    let mut first = Process::start(&["live", &path, "--bind", "localhost:0", "--index", "0-2"]);
    let at = first.reached();
    let port = at.rsplit_once(':').expect("a port").1;
    let bind = if at.starts_with('[') { "[::1]:0" } else { "127.0.0.1:0" };
    let join = format!("localhost:{port}");
    let second = peerlet(&["live", &path, "--bind", bind, "--index", "3-5", "--join", &join]);
    check(&second, 0, &[]);
    check(&first.end(), 0, &[]);
}
