//! Live runs over UDP whose processes share a secret, and those that do not.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::command::{File, peerlet, text};
use crate::process::{Process, secret};
use crate::secret::Folder;

const SCENARIO: &str = "peers = 6\nfor = \"2s\"\n[stack]\nbootstrap = {}\nneighbors = {}\n";

#[test]
fn processes_with_one_secret_are_one_network_beyond_loopback() {
    let folder = Folder::new("udp-together");
    let (scenario, secret) = (File::new("udp.toml", SCENARIO), secret(&folder, "secret"));
    let scenario = scenario.0.display().to_string();
    let live = ["live", &scenario, "--transport", "udp", "--secret", &secret, "--json"];
    let share = |more: &[&str]| Process::start(&[&live[..], more].concat());
    let here = ["--bind", "0.0.0.0:0", "--advertise", "127.0.0.1"];
    let mut first = share(&[&["--index", "0-2", "--shards", "2"], &here[..]].concat());
    let at = first.reached();
    let other = share(&[&["--index", "3-5", "--join", &at], &here[..]].concat()).end();
    let first = first.end();
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    assert_eq!(other.status.code(), Some(0), "{}", text(&other.stderr));
    assert!(!text(&first.stderr).contains("warning"), "{}", text(&first.stderr));
    let summary: Value = serde_json::from_slice(&first.stdout).expect("one JSON object");
    assert_eq!(summary["coverage"], 1.0, "{summary}");
    let found = summary["measures"]["neighbors/found"]["sum"].as_f64();
    assert!(found >= Some(6.0), "{summary}");
}

#[test]
fn a_process_with_another_secret_or_none_is_not_heard() {
    let folder = Folder::new("udp-apart");
    let scenario = File::new("udp.toml", &SCENARIO.replace("2s", "1000h"));
    let scenario = scenario.0.display().to_string();
    let (ours, theirs) = (secret(&folder, "ours"), secret(&folder, "theirs"));
    let live = ["live", &scenario, "--transport", "udp"];
    let mut first = Process::start(&[&live[..], &["--index", "0-2", "--secret", &ours]].concat());
    let at = first.reached();
    let join = ["--index", "3-5", "--join", &at, "--start-within", "2s"];
    for more in [&["--secret", &theirs][..], &[]] {
        let output = peerlet(&[&live[..], &join, more].concat());
        assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
        let said = text(&output.stderr);
        assert!(said.contains("the same secret? (--join, --transport, --secret)"), "{said}");
    }
    first.kill();
}

#[test]
fn an_open_network_without_a_secret_is_refused_or_warned_of() {
    let scenario = File::new("udp.toml", &SCENARIO.replace("2s", "200ms"));
    let scenario = scenario.0.display().to_string();
    let live = ["live", &scenario, "--transport", "udp", "--bind", "0.0.0.0:0"];
    let output = peerlet(&live);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("would take messages from anybody; use QUIC, give all"), "{said}");
    assert!(said.contains("(--transport, --secret, --closed-network)"), "{said}");
    let output = peerlet(&[&live[..], &["--closed-network"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(said.contains("warning: whoever can send packets to 0.0.0.0:"), "{said}");
}

#[test]
fn a_secret_that_cannot_be_used_is_refused_before_anything_runs() {
    let folder = Folder::new("udp-refused");
    let scenario = File::new("udp.toml", SCENARIO);
    let scenario = scenario.0.display().to_string();
    let refuse = |transport: &str, secret: &str, code: i32, expected: &str| {
        let arguments = ["live", &scenario, "--transport", transport, "--secret", secret];
        let output = peerlet(&arguments);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(code), String::new()));
        assert!(said.starts_with("error: ") && said.contains(expected), "{said}");
    };
    refuse("quic", &folder.path("none"), 3, "`peerlet secret ");
    refuse("udp", &folder.path("none"), 3, "`peerlet secret ");
    refuse("udp", &folder.path(""), 3, "is a folder; name a regular file");
    let write = |name: &str, content: &[u8], mode| {
        let path = folder.path(name);
        std::fs::write(&path, content).expect("the folder can be written to");
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&path, mode).expect("the mode can be set");
        path
    };
    refuse("udp", &write("exposed", &[7; 32], 0o644), 3, "run `chmod 600 ");
    refuse("udp", &write("short", &[7; 15], 0o600), 2, "has 15 bytes and needs 16 random ones");
    let pipe = folder.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("there is mkfifo");
    assert!(made.success());
    refuse("udp", &pipe, 3, "is a pipe; name a regular file");
}
