//! A run folder's scenario gives the same run again, from any folder and without options.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::command::text;

const SCENARIO: &str = "\
# A ring that looks up keys.
title = 'base'
peers = 12 # few
for = '20s'
[stack]
bootstrap = {}
neighbors = {}
router = {}
lookups = { rate = '2/s', warmup = '2s' }
[events]
file = 'lines/what happens.ev'
";

const LINES: &str = "# Some crash.\n3 5 Peer.crash()\n10% 8.5 Peer.restart()\n2 19 Peer.stop()\n";

/// A folder with a scenario and its files, gone when this is dropped.
struct Place(PathBuf);

impl Place {
    fn new(name: &str, scenario: &str) -> Place {
        let place = std::env::temp_dir().join(format!("peerlet-{}-{name}", std::process::id()));
        std::fs::create_dir_all(place.join("from/lines")).expect("it can be made");
        let place = Place(place);
        place.write("from/base.toml", scenario);
        place.write("from/lines/what happens.ev", LINES);
        let row = |i: u32| (0..16).map(|j| format!("{} ", 20 + 3 * i.abs_diff(j))).collect();
        place.write("from/delays.txt", &(0..16).map(row).collect::<Vec<String>>().join("\n"));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).expect("it can be written");
    }

    /// Runs the command in the folder of the scenario.
    fn run(&self, arguments: &[&str]) -> Output {
        run_in(&self.path("from"), arguments)
    }

    /// Runs with these options into a folder, moves that, and runs its scenario from elsewhere.
    fn check(&self, options: &[&str]) -> String {
        let first = self.run(&[&["sim", "base.toml", "-q", "-o", "../run"], options].concat());
        assert_eq!(first.status.code(), Some(0), "{options:?}: {}", text(&first.stderr));
        let moved = self.path("moved away");
        std::fs::rename(self.path("run"), &moved).expect("it can be moved");
        std::fs::rename(self.path("from"), self.path("gone")).expect("it can be moved");
        let scenario = moved.join("scenario.toml");
        let again = run_in(Path::new("/"), &["sim", scenario.to_str().expect("it is text"), "-q"]);
        std::fs::rename(self.path("gone"), self.path("from")).expect("it can be moved");
        let written = std::fs::read_to_string(&scenario).expect("it was written");
        std::fs::remove_dir_all(&moved).expect("it can be removed");
        assert_eq!(again.status.code(), Some(0), "{options:?}: {}\n{written}", text(&again.stderr));
        assert_eq!(text(&again.stdout), text(&first.stdout), "{options:?}\n{written}");
        assert!(text(&again.stdout).contains("\ndigest "));
        written
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn run_in(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_peerlet"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the command runs")
}

fn digest(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("summary.json")).expect("it was written");
    let summary: Value = serde_json::from_str(&text).expect("it is JSON");
    summary["digest"].as_str().expect("it has a digest").to_owned()
}

#[test]
fn a_run_folder_gives_the_same_run_anywhere() {
    let place = Place::new("rerun", SCENARIO);
    let plain = place.check(&[]);
    assert!(plain.starts_with("# A ring that looks up keys.\ntitle = 'base'\n"), "{plain}");
    let typed = place.check(&["--seed", "9", "--peers", "15"]);
    assert!(typed.contains("peers = 15 # few\n") && typed.contains("seed = 9\n"), "{typed}");
    place.check(&["--network", "king-like", "--set", "network.loss=0.02"]);
    let matrix = ["--network", "matrix", "--set", "network.file=delays.txt"];
    place.check(&[&matrix[..], &["--set", "network.unit=ms", "--threads", "2"]].concat());
    place.check(&[
        "--set",
        "stack.lookups.rate=5/s",
        "--set",
        "stack.late = { }",
        "--set",
        "stack.late=",
    ]);
    place.check(&[
        "--set",
        "events=",
        "--set",
        "stack.lookups={}",
        "--seed",
        "18446744073709551615",
    ]);
}

#[test]
fn options_that_matter_are_part_of_it() {
    let place = Place::new("rerun-options", SCENARIO);
    let quic = place.check(&["--transport", "quic"]);
    assert!(quic.contains("[run]\ntransport = \"quic\"\n"), "{quic}");
    let wire = place.check(&["--wire"]);
    assert!(wire.contains("[run]\nwire = true\n"), "{wire}");
    // The end of the run cuts an event line off.
    let cut = place.check(&["--for", "9s"]);
    assert!(cut.contains("for = \"9s\"\n") && cut.contains("[run]\ncut = true\n"), "{cut}");
    let uncut = place.check(&["--for", "30s"]);
    assert!(!uncut.contains("[run]"), "{uncut}");
}

#[test]
fn each_seed_has_its_own_scenario() {
    let place = Place::new("rerun-seeds", SCENARIO);
    let output = place.run(&["sim", "base.toml", "--seeds", "4..5", "-q", "-o", "../runs"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for seed in ["4", "5"] {
        let folder = place.path("runs").join(seed);
        let scenario = folder.join("scenario.toml");
        let arguments = ["sim", scenario.to_str().expect("it is text"), "-q"];
        let again = text(&run_in(Path::new("/"), &arguments).stdout);
        assert!(again.contains(&format!("\ndigest {}\n", digest(&folder))), "{again}");
    }
}

#[test]
fn a_copy_of_a_run_folder_is_one_as_well() {
    let place = Place::new("rerun-copy", SCENARIO);
    let run = |scenario: &str, folder: &str| {
        let output = place.run(&["sim", scenario, "-q", "-o", folder]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    };
    run("base.toml", "../one");
    run("../one/scenario.toml", "../two");
    run("../two/scenario.toml", "../three");
    let read = |folder: &str| std::fs::read(place.path(folder).join("scenario.toml")).unwrap();
    assert_eq!(digest(&place.path("one")), digest(&place.path("three")));
    assert_eq!(read("two"), read("three"), "it does not grow");
}

#[test]
fn a_large_file_is_refused_when_it_is_another() {
    let place = Place::new("rerun-large", SCENARIO);
    // Longer than what is copied, in lines that are comments.
    let comment = format!("#{}\n", "-".repeat(1 << 20));
    let lines = |last: &str| format!("{LINES}{}{last}", comment.repeat(64));
    place.write("from/lines/what happens.ev", &lines("2 19.5 Peer.start()\n"));
    let first = place.run(&["sim", "base.toml", "-q", "-o", "../run"]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    assert!(!place.path("run/inputs").exists());
    let scenario = place.path("run/scenario.toml");
    let scenario = scenario.to_str().expect("it is text");
    let again = run_in(Path::new("/"), &["sim", scenario, "-q"]);
    assert_eq!(text(&again.stdout), text(&first.stdout), "{}", text(&again.stderr));
    place.write("from/lines/what happens.ev", &lines("2 19.6 Peer.start()\n"));
    let changed = run_in(Path::new("/"), &["sim", scenario, "-q"]);
    assert_eq!((changed.status.code(), text(&changed.stdout)), (Some(2), String::new()));
    let said = text(&changed.stderr);
    assert!(said.contains("is not the file that this scenario was run with"), "{said}");
    assert!(said.contains("--set run.sha256.events.file="), "{said}");
    let anyway = ["sim", scenario, "-q", "--set", "run.sha256.events.file="];
    assert_eq!(run_in(Path::new("/"), &anyway).status.code(), Some(0));
}

#[test]
fn runs_on_sockets_have_their_scenario_as_run() {
    let place = Place::new("rerun-sockets", SCENARIO);
    for (world, over) in [("emulate", "udp"), ("live", "quic")] {
        let folder = format!("../{world}");
        let options = ["--for", "2s", "--peers", "6", "--seed", "3", "--transport", over];
        let output =
            place.run(&[&[world, "base.toml", "-q", "-o", &folder], &options[..]].concat());
        // How late a busy machine is, is not the question.
        assert!([Some(0), Some(5)].contains(&output.status.code()), "{}", text(&output.stderr));
        let scenario = place.path(world).join("scenario.toml");
        let written = std::fs::read_to_string(&scenario).expect("it was written");
        for line in ["for = \"2s\"", "seed = 3", &format!("transport = \"{over}\""), "cut = true"] {
            assert!(written.contains(line), "{written}");
        }
        let checked = run_in(Path::new("/"), &["check", scenario.to_str().expect("it is text")]);
        assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    }
}

#[test]
fn a_run_that_ends_within_the_warm_up_warns_in_every_world() {
    let measured =
        "[measure]\nfrom = '15s'\n[[expect]]\nmeasure = 'lookups/success'\nmean_min = 0.5\n";
    let place = Place::new("rerun-warm-up", &format!("{SCENARIO}{measured}"));
    for world in ["sim", "live"] {
        let output = place.run(&[world, "base.toml", "--for", "2s", "--peers", "6"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{world}: {said}");
        let words = "nothing is judged: the run is over at 2s, the warm-up at 15s";
        assert_eq!(said.matches(words).count(), 1, "{world}: {said}");
        assert!(!text(&output.stdout).contains("FAILED"), "nothing is judged");
    }
    place.check(&["--for", "2s"]);
    place.write("from/short.toml", &format!("{SCENARIO}{measured}").replace("20s", "2s"));
    let output = place.run(&["sim", "short.toml"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("nothing is measured: the run is over at 2s"), "{said}");
    assert!(said.contains("this never happens: the run is over at 2s"), "{said}");
}

#[test]
fn an_unknown_transport_is_refused_with_its_place() {
    let place = Place::new("rerun-transport", &format!("{SCENARIO}[run]\ntransport = 'quik'\n"));
    let output = place.run(&["sim", "base.toml"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("base.toml:13:13: no transport is named `quik`"), "{said}");
    assert!(said.contains("did you mean `quic`?"), "{said}");
}

#[test]
fn every_missing_file_is_an_error_of_reading() {
    let place = Place::new("rerun-missing", SCENARIO);
    let matrix = ["--network", "matrix", "--set", "network.unit=ms"];
    for (what, arguments) in [
        ("scenario", vec!["sim", "no.toml"]),
        ("events", vec!["sim", "base.toml", "--set", "events.file=no.ev"]),
        ("matrix", [&["check", "base.toml", "--set", "network.file=no.txt"], &matrix[..]].concat()),
        ("folder", vec!["sim", "base.toml", "-o", "base.toml/run"]),
        ("key", vec!["live", "base.toml", "--for", "1s", "--key", "no/such/key"]),
        ("run", vec!["compare", "no", "no"]),
    ] {
        let output = place.run(&arguments);
        let said = text(&output.stderr);
        assert_eq!(
            (output.status.code(), text(&output.stdout)),
            (Some(3), String::new()),
            "{said}"
        );
        assert!(
            said.contains("No such file or directory")
                || said.contains("not found")
                || said.contains("Not a directory"),
            "{what}: {said}"
        );
    }
}

/// Behind `--` every word is a name; and what came in by standard input is there no more.
#[test]
fn a_command_is_repeated_whatever_its_files_are_called() {
    let expect = "[[expect]]\nmeasure = \"neighbors/degree\"\nmean_min = 99\n";
    let scenario = SCENARIO.replace("[events]\nfile = 'lines/what happens.ev'\n", expect);
    let place = Place::new("rerun-dashes", &scenario);
    for name in ["-dash.toml", "-o", "--seed"] {
        place.write(&format!("from/{name}"), &scenario);
        for more in [&["--seed", "4"][..], &["--seeds", "1..2"], &["-o", "../run"]] {
            let ran = place.run(&[&["sim", "-q"], more, &["--", name]].concat());
            let said = text(&ran.stdout);
            let again =
                said.lines().rev().find_map(|line| line.trim_start().strip_prefix("again: "));
            let again = again.unwrap_or_else(|| panic!("{name} {more:?}: {said}"));
            let again =
                Command::new("sh").args(["-c", again]).current_dir(place.path("from")).output();
            let again = again.expect("there is a shell");
            assert_eq!(again.status.code(), Some(1), "{name}: {}", text(&again.stderr));
            drop(std::fs::remove_dir_all(place.path("run")));
        }
    }
    let file = std::fs::File::open(place.path("from/base.toml")).expect("it is there");
    let output = Command::new(env!("CARGO_BIN_EXE_peerlet"))
        .args(["sim", "/dev/stdin", "-q"])
        .stdin(file)
        .output()
        .expect("the command runs");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(!text(&output.stdout).contains("again: "), "{}", text(&output.stdout));
}
