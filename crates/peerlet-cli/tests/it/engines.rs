//! Every shipped scenario over every kind of network: whichever engine brings the events, on
//! however many threads, as values or encoded, it is the same run.

use std::path::PathBuf;

use serde_json::Value;

use crate::command::{File, peerlet, root, text};

/// How a scenario is shortened.
struct Size {
    scenario: &'static str,
    /// Long enough that every kind of thing in it happens.
    long: &'static [&'static str],
    /// Few windows: threads meet at each of them.
    short: &'static [&'static str],
}

const SIZES: [Size; 6] = [
    Size {
        scenario: "churn.toml",
        long: &["--peers=50", "--for=90s"],
        short: &[
            "--peers=50",
            "--for=3s",
            "--set=measure.from=1s",
            "--set=join=500ms",
            "--set=stack.lookups.warmup=1s",
            "--set=churn.session={ exponential = { mean = \"9s\" } }",
            "--set=observe=[]",
        ],
    },
    Size {
        scenario: "fidelity-grown.toml",
        long: &["--peers=20", "--for=10s", "--set=measure.from=4s"],
        short: &[
            "--peers=20",
            "--for=2s",
            "--set=join=500ms",
            "--set=measure.from=1s",
            "--set=stack.lookups.warmup=500ms",
        ],
    },
    Size {
        scenario: "fidelity.toml",
        long: &["--peers=20", "--for=10s", "--set=measure.from=4s"],
        short: &["--peers=20", "--for=2s", "--set=measure.from=1s"],
    },
    Size {
        scenario: "first.toml",
        long: &["--peers", "50", "--for", "155s"],
        short: &[
            "--peers=50",
            "--for=3s",
            "--set=measure.from=1s",
            "--set=stack.lookups.warmup=1s",
            "--set=churn.session={ exponential = { mean = \"9s\" } }",
        ],
    },
    Size { scenario: "protopeer.toml", long: &[], short: &["--for", "16s"] },
    Size {
        scenario: "split.toml",
        long: &["--peers", "50", "--for", "125s"],
        short: &[
            "--peers=50",
            "--for=3s",
            "--set=measure.from=1s",
            "--set=join=500ms",
            "--set=stack.lookups.warmup=500ms",
            "--set=expect=[]",
            "--set=events.lines=\"50% 1 Network.cut()\\n* 1.5 Network.heal()\\n\
             3-9 1.6 Peer.pause(1s)\"",
        ],
    },
];

/// A network in place of the scenario's own; none is its own.
struct Net(&'static str, Option<&'static str>);

const OWN: Net = Net("own", None);
const CONSTANT: Net = Net("constant", Some("model = \"constant\"\ndelay = \"50ms\""));
const UNIFORM: Net =
    Net("uniform", Some("model = \"uniform\"\nmin = \"10ms\"\nmax = \"90ms\"\nloss = 0.01"));
const KING_LIKE: Net = Net("king-like", Some("model = \"king-like\""));
/// Windows of a nanosecond.
const ZERO: Net = Net("zero", Some("model = \"constant\"\ndelay = \"0s\""));

/// The digests of the long runs, in debug and release builds. No engine may move them.
const GOLDEN: [(&str, &str, &str); 30] = [
    ("own", "churn.toml", "e3c92ae48e134321"),
    ("constant", "churn.toml", "3522b784b299f497"),
    ("uniform", "churn.toml", "a65fd4a2bf1baf84"),
    ("king-like", "churn.toml", "8ee1e6c4ab317a51"),
    ("zero", "churn.toml", "470f01a099f6d9ae"),
    ("own", "first.toml", "978925a96f1c3a8b"),
    ("own", "protopeer.toml", "4226c0718dcd4ba8"),
    ("constant", "first.toml", "31e495fdcf5766f2"),
    ("constant", "protopeer.toml", "97a7b8ee573625d1"),
    ("uniform", "first.toml", "51d02f3b6869106b"),
    ("uniform", "protopeer.toml", "d19aa4ae4a1384ea"),
    ("king-like", "first.toml", "9b453e62791ee38f"),
    ("king-like", "protopeer.toml", "78b3f6d807b6c7f7"),
    ("zero", "first.toml", "1b2341bfc86fba4d"),
    ("zero", "protopeer.toml", "f67d233e2e836b0c"),
    ("own", "split.toml", "ebc279323efea7cc"),
    ("constant", "split.toml", "1258818bb71cb8ea"),
    ("uniform", "split.toml", "827c81c5075e4135"),
    ("king-like", "split.toml", "bde481ad3baa4e0d"),
    ("zero", "split.toml", "3d162c522030ed61"),
    ("own", "fidelity-grown.toml", "a2d7ee2e258f51d8"),
    ("constant", "fidelity-grown.toml", "c9b3349f64643049"),
    ("uniform", "fidelity-grown.toml", "3b6c10169e5f4e8b"),
    ("king-like", "fidelity-grown.toml", "a2d7ee2e258f51d8"),
    ("zero", "fidelity-grown.toml", "38616b6270c87875"),
    ("own", "fidelity.toml", "a248b6946f6c6a02"),
    ("constant", "fidelity.toml", "f0817512ea3b2813"),
    ("uniform", "fidelity.toml", "428b19c9d77b50bc"),
    ("king-like", "fidelity.toml", "a248b6946f6c6a02"),
    ("zero", "fidelity.toml", "d81cfdf9bcbb141f"),
];

/// A scenario over a network, in a file of its own.
fn scenario(size: &Size, Net(name, table): &Net) -> File {
    let path = root().join("scenarios").join(size.scenario);
    let content = std::fs::read_to_string(&path).expect("a shipped scenario can be read");
    let content = match table {
        None => content,
        Some(table) => {
            let (before, rest) = content.split_once("[network]\n").expect("it has a network");
            let (_, after) = rest.split_once("\n[").expect("something follows the network");
            format!("{before}[network]\n{table}\n[{after}")
        }
    };
    File::new(&format!("{name}-{}", size.scenario), &content)
}

/// Runs a scenario; all that it says of the run but what another engine, another number of threads
/// or encoding may change, and the digest over payloads.
fn run(arguments: &[&[&str]]) -> (Value, Value) {
    let output = peerlet(&arguments.concat());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    let mut json: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let run = json.as_object_mut().expect("a run is an object");
    for key in ["wall_seconds", "events_per_second", "peak_rss_bytes", "threads"] {
        assert!(run.remove(key).is_some(), "{key} is missing");
    }
    let payloads = run.remove("payload_digest").unwrap_or_default();
    (json, payloads)
}

/// A run folder, gone when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).expect("it was written")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A short run; besides what [`run`] gives, its files with every event and every epoch.
fn traced(sim: &[&str], size: &Size, more: &[&str], name: &str) -> ((Value, Value), [Vec<u8>; 2]) {
    let path = format!("peerlet-{}-{name}-{}", std::process::id(), more.concat());
    let folder = Folder(std::env::temp_dir().join(path));
    let path = folder.0.display().to_string();
    let ran = run(&[sim, size.short, &["-o", &path, "--trace"], more]);
    (ran, ["events.jsonl", "measures.csv"].map(|name| folder.read(name)))
}

fn engines_agree(net: &Net) {
    for size in &SIZES {
        let file = scenario(size, net);
        let (path, name) = (file.0.display().to_string(), format!("{}-{}", net.0, size.scenario));
        let sim = ["sim", &path, "--json", "-q"];

        let (reference, _) = run(&[&sim, size.long, &["--reference"]]);
        let golden = GOLDEN.iter().find(|(net_of, of, _)| (*net_of, *of) == (net.0, size.scenario));
        assert_eq!(reference["digest"], golden.expect("every run has a golden digest").2, "{name}");
        assert_eq!(run(&[&sim, size.long]).0, reference, "{name}: one thread");

        let short = |more: &[&str]| traced(&sim, size, more, &name);
        let ((reference, _), files) = short(&["--reference"]);
        assert!(reference["events"].as_u64() > Some(200), "{name}: {reference}");
        assert!(files[0].len() > 10_000 && files[1].len() > 500, "{name}: nothing was written");
        let check = |more: &[&str]| {
            let ((seen, payloads), seen_files) = short(more);
            assert_eq!(seen, reference, "{name} {more:?}");
            // Thousands of lines: they are not printed.
            assert!(seen_files == files, "{name} {more:?}: other events or epochs");
            payloads
        };
        check(&["--threads", "1"]);
        check(&["--threads", "2"]);
        check(&["--threads", "2", "-v"]);
        check(&["--threads", "3"]);
        check(&["--threads", "4"]);
        let payloads = check(&["--reference", "--wire"]);
        assert!(payloads.is_string(), "{name}: {payloads}");
        assert_eq!(check(&["--threads", "3", "--wire"]), payloads, "{name}: payloads");
    }
}

#[test]
fn engines_agree_over_the_scenarios_own_networks() {
    engines_agree(&OWN);
}

#[test]
fn engines_agree_over_constant_delays() {
    engines_agree(&CONSTANT);
}

#[test]
fn engines_agree_over_uniform_delays_and_loss() {
    engines_agree(&UNIFORM);
}

#[test]
fn engines_agree_over_a_king_like_network() {
    engines_agree(&KING_LIKE);
}

#[test]
fn engines_agree_over_a_network_without_delay() {
    engines_agree(&ZERO);
}

#[test]
fn every_shipped_scenario_is_compared() {
    let files = std::fs::read_dir(root().join("scenarios")).expect("there are scenarios");
    let mut names: Vec<_> = files
        .map(|file| file.expect("a folder can be read").file_name().into_string())
        .map(|name| name.expect("a scenario's name is a text"))
        .collect();
    names.sort();
    assert_eq!(names, SIZES.map(|size| size.scenario), "say how it is shortened");
}

/// The digest of the first scenario as it is shipped, which the README shows.
#[test]
fn the_first_scenario_has_the_digest_of_the_readme() {
    const GOLDEN: &str = "fcf1a224ea689100";
    let readme = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
    assert!(readme.contains(&format!("digest {GOLDEN}\n")), "the README shows another one");
    if cfg!(debug_assertions) {
        println!("passed over: six million events are for release builds (1 case)");
        return;
    }
    for engine in ["--reference", "--threads=1", "--threads=2"] {
        let (run, _) = run(&[&["sim", "scenarios/first.toml", "--json", "-q", engine]]);
        assert_eq!(run["digest"], GOLDEN, "{engine}");
    }
}

#[test]
fn the_reference_has_one_thread_and_is_not_shown() {
    let output = peerlet(&["sim", "scenarios/protopeer.toml", "--reference", "--threads", "2"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()));
    assert_eq!(
        text(&output.stderr),
        "error: the reference engine has one thread; leave out --reference or --threads\n"
    );
    assert!(!text(&peerlet(&["sim", "--help"]).stdout).contains("reference"));
    // The check for determinism then holds the windowed engine to it.
    let check = ["--for", "3s", "--check-determinism", "--reference"];
    let output = peerlet(&[&["sim", "scenarios/protopeer.toml"], &check[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}
