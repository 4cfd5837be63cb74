//! The examples as the programs that they are. Over every kind of network, whichever engine brings
//! the events, on however many threads, as values or encoded, each is the same run.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The digests of the examples, of debug and release builds alike. No engine may move them.
const GOLDEN: [(&str, [&str; 4]); 5] = [
    ("line", ["4e5b33767b1319e2", "ae41736ff6c3d130", "ae1ea4fbcd18e984", "514d7f7f5175d29d"]),
    ("hello", ["f97b698739c516d1", "d4d019a08d86a2ab", "55db8014e3d1585e", "6acf0b453711973b"]),
    (
        "ping_gossip",
        ["cd1028f5c8e75a50", "5ffad5f58e5cb069", "b98d7d5da22a6938", "8184a4951ab5dfc9"],
    ),
    ("walk", ["fa59ba8089d33d9b", "a73e85f3942f630e", "79777387efc5ada5", "6912eb224f5aff8d"]),
    ("watch", ["de9227e3a180086c", "d6dd290778405a9b", "51ef7c91770c54c3", "2978c76671dc825c"]),
];

/// In the order of the golden digests. The last one has windows of a nanosecond.
const NETWORKS: [&[&str]; 4] = [
    &["--network=constant"],
    &["--network=uniform", "--set=network.min=10ms", "--set=network.max=90ms"],
    &["--network=king-like", "--set=network.loss=0.01"],
    &["--network=constant", "--set=network.delay=0s"],
];

/// Builds the examples, which is done already where all tests are run, and says where they are.
pub(crate) fn examples() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package=peerlet", "--examples", "--message-format=json"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).expect("cargo writes text");
    let mut programs = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message["executable"].as_str()?))
    });
    let program = programs.next().expect("there are examples");
    program.parent().expect("a program is in a folder").to_owned()
}

/// All that a run says of itself but what another engine, another number of threads or encoding may
/// change.
fn run(program: &Path, network: &[&str], more: &[&str]) -> Value {
    let size = ["sim", "--peers=40", "--for=8s", "--json", "-q"];
    let output = Command::new(program).args([&size, network, more].concat()).output();
    let output = output.expect("an example runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{program:?} {network:?} {more:?}: {told}");
    let mut json: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let run = json.as_object_mut().expect("a run is an object");
    for key in ["wall_seconds", "events_per_second", "peak_rss_bytes", "threads"] {
        assert!(run.remove(key).is_some(), "{key} is missing");
    }
    run.remove("payload_digest");
    json
}

#[test]
fn examples_are_the_same_in_every_engine() {
    let folder = examples();
    for (name, golden) in GOLDEN {
        let program = folder.join(name);
        for (network, golden) in NETWORKS.iter().zip(golden) {
            let reference = run(&program, network, &["--reference"]);
            assert!(reference["events"].as_u64() > Some(500), "{name}: {reference}");
            assert_eq!(reference["digest"], golden, "{name} {network:?}");
            // With windows of a nanosecond, threads meet at every event.
            let threads: &[&str] = if network.contains(&"--set=network.delay=0s") {
                &["--threads=1", "--threads=2"]
            } else {
                &["--threads=1", "--threads=2", "--threads=3", "--threads=4"]
            };
            for more in threads.iter().chain(&["--wire"]) {
                assert_eq!(run(&program, network, &[more]), reference, "{name} {network:?} {more}");
            }
        }
    }
}

#[test]
fn one_parameter_does_not_take_the_place_of_a_programs_own_stack() {
    let program = examples().join("hello");
    let run = |more: &[&str]| {
        let size = ["sim", "--peers=20", "--for=2s", "-q"];
        Command::new(&program).args([&size, more].concat()).output().expect("an example runs")
    };
    let refused = run(&["--set=stack.bootstrap.server=1"]);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.contains("this would be the whole stack"), "{told}");
    assert!(told.contains("[stack] table that names all peerlets"), "{told}");
    assert_eq!(run(&["--set=network.model=\"uniform\""]).status.code(), Some(0));
}
