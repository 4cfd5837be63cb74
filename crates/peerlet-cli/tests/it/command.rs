//! What a user types, and what comes back.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use expect_test::{Expect, expect};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the root is there")
}

/// Runs the command in the project's root.
pub(crate) fn peerlet(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_peerlet"))
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("the command runs")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A scenario in a file of its own, gone when this is dropped.
pub(crate) struct File(pub(crate) PathBuf);

impl File {
    pub(crate) fn new(name: &str, content: &str) -> File {
        // Tests that run at the same time may choose the same name.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("peerlet-{}-{count}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).expect("the temporary folder can be written to");
        File(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

/// Checks what is said about a bad scenario, which must end with this code before anything runs.
fn refuse(name: &str, content: &str, code: i32, said: Expect) {
    let file = File::new(name, content);
    let path = file.0.display().to_string();
    let output = peerlet(&["sim", &path]);
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "", "nothing half-run");
    said.assert_eq(&text(&output.stderr).replace(&path, "SCENARIO"));
}

const GOOD: &str = "peers = 5\nfor = \"5s\"\n[stack]\nbootstrap = {}\nneighbors = {}\n";

#[test]
fn an_unknown_key_is_named_with_its_place() {
    refuse(
        "key.toml",
        &format!("peer = 3\n{GOOD}"),
        2,
        expect![[r#"
        SCENARIO:1:1: unknown key `peer` in a scenario
           ,----
         1 | peer = 3
           : ^^^^
           `----
          help: did you mean `peers`?
    "#]],
    );
}

#[test]
fn a_wrong_unit_is_named_with_its_place() {
    let scenario = GOOD.replace("\"5s\"", "\"5 lightyears\"");
    refuse(
        "unit.toml",
        &scenario,
        2,
        expect![[r#"
        SCENARIO:2:7: `5 lightyears` needs a unit of time: ns, us, ms, s, m, h or d
           ,----
         2 | for = "5 lightyears"
           :       ^^^^^^^^^^^^^^
           `----
          help: write a number and a unit in quotes: for = "60s"
    "#]],
    );
}

#[test]
fn a_seat_out_of_range_is_named_with_its_place() {
    let scenario = format!("{GOOD}[events]\nlines = \"\"\"\n7 1 Peer.stop()\n\"\"\"\n");
    refuse(
        "seat.toml",
        &scenario,
        2,
        expect![[r#"
        SCENARIO:8:1: there is no seat 7
           ,----
         8 | 7 1 Peer.stop()
           : ^
           `----
          help: 5 peers have the seats 0 to 4
    "#]],
    );
}

#[test]
fn a_call_that_no_peer_takes_is_refused_with_those_that_exist() {
    let events =
        |call: &str| format!("{GOOD}router = {{}}\n[events]\nlines = \"\"\"\n1 1 {call}\n\"\"\"\n");
    refuse(
        "call.toml",
        &events("Peer.Router.dropAll(true)"),
        2,
        expect![[r#"
        SCENARIO:9:5: `router` has no command `dropAll`
           ,----
         9 | 1 1 Peer.Router.dropAll(true)
           :     ^^^^^^^^^^^^^^^^^^^^^^^^^
           `----
          help: its commands are: `set_drop_messages(drop: boolean)`
    "#]],
    );
    refuse(
        "kind.toml",
        &events("Peer.Router.setDropMessages(3)"),
        2,
        expect![[r#"
        SCENARIO:9:5: the arguments do not fit; the command is `set_drop_messages(drop: boolean)`
           ,----
         9 | 1 1 Peer.Router.setDropMessages(3)
           :     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
           `----
          help: correct the number or the types of the arguments
    "#]],
    );
    refuse(
        "peerlet.toml",
        &events("Peer.Chord.stop(3)"),
        2,
        expect![[r#"
        SCENARIO:9:5: no peer has a peerlet named `Chord`
           ,----
         9 | 1 1 Peer.Chord.stop(3)
           :     ^^^^^^^^^^^^^^^^^^
           `----
          help: the peerlets of this scenario are: bootstrap, neighbors, router
    "#]],
    );
}

#[test]
fn a_missing_sibling_is_named() {
    let scenario = "peers = 5\nfor = \"5s\"\n[stack]\nrouter = {}\n";
    refuse(
        "sibling.toml",
        scenario,
        2,
        expect![[r#"
        SCENARIO:4:1: `router` uses `neighbors`, which is not on the stack; add `neighbors`
           ,----
         4 | router = {}
           : ^^^^^^
           `----
    "#]],
    );
}

#[test]
fn peerlets_parameters_and_models_are_suggested() {
    let peerlet = GOOD.replace("neighbors", "neighbor");
    refuse(
        "peerlet_name.toml",
        &peerlet,
        2,
        expect![[r#"
            SCENARIO:5:1: no peerlet is named `neighbor`
               ,----
             5 | neighbor = {}
               : ^^^^^^^^
               `----
              help: did you mean `neighbors`?
        "#]],
    );
    let parameter = GOOD.replace("neighbors = {}", "neighbors = { rnig = 3 }");
    refuse(
        "parameter.toml",
        &parameter,
        2,
        expect![[r#"
            SCENARIO:5:15: unknown field `rnig`, expected one of `random`, `ring`, `heartbeat`, `misses`, `exchange`, `layout`
               ,----
             5 | neighbors = { rnig = 3 }
               :               ^^^^
               `----
              help: did you mean `ring`?
        "#]],
    );
    let range = GOOD.replace("neighbors = {}", "neighbors = { random = 100000 }");
    refuse(
        "range.toml",
        &range,
        2,
        expect![[r#"
        SCENARIO:5:24: `random` is 100000; give 0 to 16
           ,----
         5 | neighbors = { random = 100000 }
           :                        ^^^^^^
           `----
    "#]],
    );
    let model = format!("{GOOD}[network]\nmodel = \"kinglike\"\n");
    refuse(
        "model.toml",
        &model,
        2,
        expect![[r#"
        SCENARIO:7:9: no network model is named `kinglike`
           ,----
         7 | model = "kinglike"
           :         ^^^^^^^^^^
           `----
          help: did you mean `king-like`?
    "#]],
    );
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    let model = format!("{GOOD}[network]\nmodel = \"transit-stub\"\n");
    refuse(
        "not_yet.toml",
        &model,
        2,
        expect![[r#"
        SCENARIO:7:9: not yet: transit-stub
           ,----
         7 | model = "transit-stub"
           :         ^^^^^^^^^^^^^^
           `----
          help: leave it out; `peerlet list` shows what is built
    "#]],
    );
}

#[test]
fn a_number_of_threads_out_of_range_is_refused() {
    let refused = |number: &str| {
        let output = peerlet(&["sim", "scenarios/first.toml", "--threads", number]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()));
        text(&output.stderr)
    };
    expect![[r#"
        error: invalid value '0' for '--threads <N>': 0 is not in 1..=256

        For more information, try '--help'.
    "#]]
    .assert_eq(&refused("0"));
    assert!(refused("257").contains("257 is not in 1..=256"));
}

/// Ten seconds of a scenario, and what is printed of them.
fn run(more: &[&str]) -> String {
    let command = ["sim", "scenarios/protopeer.toml", "--for", "10s"];
    let output = peerlet(&[&command, more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn json(more: &[&str]) -> serde_json::Value {
    serde_json::from_str(&run(&[more, &["--json"]].concat())).expect("it is JSON")
}

#[test]
fn a_run_is_the_same_on_any_number_of_threads_and_says_how_many() {
    let (one, three) = (json(&[]), json(&["--threads", "3"]));
    assert_eq!((&one["threads"], &three["threads"]), (&1.into(), &3.into()));
    assert_eq!(one["digest"], three["digest"]);
    assert!(one.get("interrupted").is_none());
    assert!(run(&["--threads", "3"]).contains("/s) on 3 threads, "));
    assert!(!run(&[]).contains("threads"));
    let seeds = ["--seeds", "1..2"];
    let runs = |more: &[&str]| json(&[&seeds, more].concat())["runs"].clone();
    assert_eq!(runs(&["--threads", "2"]), runs(&[]));
}

#[test]
fn a_check_for_determinism_names_the_threads_of_both_runs() {
    let check = |more: &[&str]| {
        let command = ["sim", "scenarios/protopeer.toml", "--for", "5s", "--check-determinism"];
        let output = peerlet(&[&command, more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert!(check(&[]).contains(" events equal in two processes, with 1 and 2 threads\n"));
    assert!(check(&["--threads", "3"]).contains(", with 1 and 3 threads\n"));
}

/// Both processes read the scenario, and one of them says what it leaves out.
#[test]
fn a_check_for_determinism_warns_once() {
    let late = "peers = 2\nfor = '9s'\n[stack]\nbootstrap = {}\n[events]\n\
                lines = '* 5 Peer.stop()'";
    let file = File::new("warned.toml", late);
    let path = file.0.display().to_string();
    let output = peerlet(&["sim", &path, "--for", "2s", "--check-determinism"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said.matches("beyond the end").count(), 1, "{said}");
}

#[test]
fn completions_offer_what_the_help_has() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = peerlet(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let script = text(&output.stdout);
        for shown in ["check-determinism", "closed-network", "completions"] {
            assert!(script.contains(shown), "{shell}: {shown}");
        }
        for hidden in ["second-run", "reference"] {
            assert!(!script.contains(hidden), "{shell}: {hidden}");
        }
    }
}

#[test]
fn a_transport_is_simulated_where_one_is_named() {
    let [plain, udp, quic] = [&[][..], &["--transport", "udp"], &["--transport", "quic"]].map(json);
    assert_eq!(
        [&plain, &udp, &quic].map(|run| run.get("transport").and_then(|over| over.as_str())),
        [None, Some("udp"), Some("quic")]
    );
    // Only handshakes change what happens.
    assert_eq!(plain["digest"], udp["digest"]);
    assert_ne!(plain["digest"], quic["digest"]);
    assert!(run(&["--transport", "quic"]).contains(" s of virtual time over quic, seed "));
    let twice = run(&["--transport", "quic", "--check-determinism"]);
    assert!(twice.contains(quic["digest"].as_str().expect("it is text")), "{twice}");
}

#[test]
fn a_matrix_that_cannot_be_used_is_named() {
    let matrix = |keys: &str| format!("{GOOD}[network]\nmodel = \"matrix\"\n{keys}\n");
    let missing = matrix("file = \"no/such.txt\"\nunit = \"ms\"");
    refuse(
        "matrix.toml",
        &missing,
        3,
        expect![[r#"
            SCENARIO:8:8: matrix /tmp/no/such.txt cannot be read (No such file or directory (os error 2))
               ,----
             8 | file = "no/such.txt"
               :        ^^^^^^^^^^^^^
               `----
              help: check the path
        "#]],
    );
    let square = File::new("square.txt", "0 1 2\n1 0\n");
    let keys = format!("file = \"{}\"\nunit = \"ms\"", square.0.display());
    let file = File::new("malformed.toml", &matrix(&keys));
    let output = peerlet(&["check", &file.0.display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("square.txt") && said.contains("line 2"), "{said}");
}

#[test]
fn an_unreadable_scenario_is_an_error_of_reading() {
    let output = peerlet(&["sim", "no/such.toml"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("cannot read the scenario `no/such.toml`"));
}

#[test]
fn an_expectation_of_an_unknown_measure_is_refused() {
    let scenario = format!("{GOOD}[[expect]]\nmeasure = \"neighbors/degre\"\nmean_min = 1\n");
    refuse(
        "expect.toml",
        &scenario,
        2,
        expect![[r#"
        SCENARIO:7:11: no peerlet measures `neighbors/degre`
           ,----
         7 | measure = "neighbors/degre"
           :           ^^^^^^^^^^^^^^^^^
           `----
          help: did you mean `neighbors/degree`?
    "#]],
    );
}

#[test]
fn a_failed_expectation_ends_with_one() {
    let scenario = format!("{GOOD}[[expect]]\nmeasure = \"neighbors/degree\"\nmean_min = 99\n");
    let file = File::new("failed.toml", &scenario);
    let output = peerlet(&["sim", &file.0.display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("FAILED neighbors/degree mean_min = 99"), "{said}");
    assert!(said.contains(":8:"), "the place is named: {said}");
    assert!(said.contains("again: "), "{said}");
}

/// The last line that says how a run is repeated.
fn again(output: &Output) -> String {
    let all = text(&output.stdout) + &text(&output.stderr);
    let line = all.lines().rev().find_map(|line| line.trim_start().strip_prefix("again: "));
    line.unwrap_or_else(|| panic!("no command repeats it: {all}")).to_owned()
}

fn pasted(command: &str) -> Output {
    let shell = Command::new("sh").args(["-c", command]).current_dir(root()).output();
    shell.expect("there is a shell")
}

#[test]
fn the_command_that_repeats_a_run_can_be_pasted() {
    let scenario = format!("{GOOD}[[expect]]\nmeasure = \"neighbors/degree\"\nmean_min = 99\n");
    let file = File::new("it's to be pasted.toml", &scenario);
    let path = file.0.display().to_string();
    let folder = crate::secret::Folder::new("pasted");
    let digest = |output: &Output| {
        let said = text(&output.stdout);
        said.lines().find_map(|line| Some(line.strip_prefix("digest ")?.to_owned()))
    };
    for (i, more) in [
        &[][..],
        &["--seed", "7"],
        &["--set", "title=\"a $$title\\u001b\"", "--set", "seed=8"],
        &["--trace"],
    ]
    .into_iter()
    .enumerate()
    {
        let to = folder.path(&format!("run {i}"));
        let output = peerlet(&[&["sim", &path, "-o", &to], more].concat());
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let repeated = pasted(&again(&output));
        assert_eq!(repeated.status.code(), Some(1), "{}", text(&repeated.stderr));
        assert!(digest(&output).is_some());
        assert_eq!(digest(&repeated), digest(&output), "{more:?}");
    }
    // Of several seeds each that failed has its own.
    let to = folder.path("seeds");
    let output = peerlet(&["sim", &path, "--seeds", "3..4", "-o", &to, "--set", "seed=9"]);
    assert_eq!(text(&output.stdout).matches("again: ").count(), 2, "{}", text(&output.stdout));
    let repeated = pasted(&again(&output));
    let summary = std::fs::read_to_string(format!("{to}/4/summary.json")).expect("it is there");
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("it is JSON");
    assert_eq!(digest(&repeated).as_deref(), summary["digest"].as_str());
}

#[test]
fn the_shipped_scenarios_are_in_order() {
    for scenario in ["scenarios/first.toml", "scenarios/protopeer.toml", "scenarios/split.toml"] {
        let output = peerlet(&["check", scenario]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
}

const PEERLET: &str = env!("CARGO_PKG_VERSION");

#[test]
fn a_run_folder_holds_the_run_and_is_not_overwritten() {
    let folder = std::env::temp_dir().join(format!("peerlet-{}-run", std::process::id()));
    let path = folder.display().to_string();
    let run = || peerlet(&["sim", "scenarios/protopeer.toml", "--for", "151s", "-o", &path]);
    let first = run();
    let second = run();
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("it was written");
    let (summary, csv, scenario) =
        (read("summary.json"), read("measures.csv"), read("scenario.toml"));
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    assert_eq!(second.status.code(), Some(3), "a run is never overwritten");
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("it is JSON");
    let messages = &summary["messages"];
    let dropped: u64 = messages["dropped"]
        .as_object()
        .expect("a table of causes")
        .values()
        .map(|n| n.as_u64().expect("a count"))
        .sum();
    let count = |key: &str| messages[key].as_u64().expect("a count");
    assert_eq!(
        count("sent") + count("duplicated"),
        count("delivered") + dropped + count("in_flight")
    );
    assert_eq!(summary["virtual_seconds"], 151.0);
    let version = &summary["version"];
    assert_eq!(version["program"], "peerlet");
    assert_eq!((&version["peerlet"], &version["codec"]), (&PEERLET.into(), &"postcard".into()));
    assert!(csv.lines().count() > 50, "{csv}");
    assert!(scenario.contains("\nfor = \"151s\""), "{scenario}");
}

#[test]
fn several_seeds_give_intervals() {
    let output =
        peerlet(&["sim", "scenarios/protopeer.toml", "--for", "151s", "--seeds", "1..3", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(json["runs"].as_array().map(Vec::len), Some(3));
    assert_ne!(json["runs"][0]["digest"], json["runs"][1]["digest"]);
    let text = json["measures"]["lookups/success"].to_string();
    assert!(text.contains("margin"), "{text}");
}

#[test]
fn a_server_that_is_no_seat_is_refused() {
    let scenario = GOOD.replace("bootstrap = {}", "bootstrap = { server = 5 }");
    refuse(
        "server.toml",
        &scenario,
        2,
        expect![[r#"
        SCENARIO:4:24: there is no such seat
           ,----
         4 | bootstrap = { server = 5 }
           :                        ^
           `----
          help: 5 peers have the seats 0 to 4
    "#]],
    );
}

#[test]
fn a_laid_out_overlay_is_refused_in_one_of_several_processes() {
    let scenario = GOOD.replace("neighbors = {}", "neighbors = { layout = \"ring\" }");
    let file = File::new("layout.toml", &scenario);
    let path = file.0.display().to_string();
    let output = peerlet(&["live", &path, "--index", "0-2"]);
    assert_eq!(output.status.code(), Some(2));
    expect![[r#"
        SCENARIO:5:24: this layout needs the address of every seat when a peer starts, and those of other processes may not be known then
           ,----
         5 | neighbors = { layout = "ring" }
           :                        ^^^^^^
           `----
          help: run all seats in one process, or let the overlay grow
    "#]]
    .assert_eq(&text(&output.stderr).replace(&path, "SCENARIO"));
    refuse(
        "layout.toml",
        &scenario.replace("ring", "star"),
        2,
        expect![[r#"
            SCENARIO:5:24: unknown variant `star`, expected `grown` or `ring`
               ,----
             5 | neighbors = { layout = "star" }
               :                        ^^^^^^
               `----
              help: write one of: grown, ring
        "#]],
    );
}

#[test]
fn check_says_how_many_seats_wait_for_their_first_start() {
    let head = "peers = 5\nfor = \"9s\"\n[stack]\nbootstrap = {}\n[events]\n";
    let lines = |text: &str| format!("{head}lines = \"{text}\"\n");
    for (events, said) in [
        ("0-2 3 Peer.start()", "3 seats begin stopped and wait for their first start()\n"),
        ("4 3 Peer.start()", "1 seat begins stopped and waits for its first start()\n"),
    ] {
        let file = File::new("waiting.toml", &lines(events));
        let output = peerlet(&["check", &file.0.display().to_string()]);
        assert!(text(&output.stdout).contains(said), "{}", text(&output.stdout));
    }
    let file = File::new("stopping.toml", &lines("4 3 Peer.stop()"));
    let output = peerlet(&["check", &file.0.display().to_string()]);
    assert!(!text(&output.stdout).contains("first start"), "{}", text(&output.stdout));
}
