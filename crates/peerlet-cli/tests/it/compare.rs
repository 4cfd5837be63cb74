//! Runs beside runs: what is held to be the same, what is not, and what cannot be compared.

use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use serde_json::Value;

use crate::command::{File, peerlet, text};

/// Peers that all know each other look up keys over links of 40 to 60 ms: some 10,000 lookups in
/// the twenty seconds that count.
pub const RING: &str = r#"
title = "a ring"
peers = 16
for = "40s"
join = "1s"
[network]
model = "uniform"
min = "40ms"
max = "60ms"
[stack]
bootstrap = {}
neighbors = { random = 16, ring = 4 }
router = {}
lookups = { rate = "30/s" }
[measure]
from = "20s"
"#;

/// Run folders of a test and the scenario that they are of, gone when this is dropped.
pub struct Place {
    scenario: File,
    folder: PathBuf,
}

impl Place {
    pub fn new(name: &str, scenario: &str) -> Place {
        let folder = std::env::temp_dir().join(format!("peerlet-{}-{name}", std::process::id()));
        std::fs::create_dir(&folder).expect("the temporary folder can be written to");
        Place { scenario: File::new(&format!("{name}.toml"), scenario), folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Runs the scenario into a folder.
    pub fn run(&self, world: &str, name: &str, more: &[&str]) {
        let (scenario, folder) = (self.scenario.0.display().to_string(), self.path(name));
        let output = peerlet(&[&[world, &scenario, "-q", "-o", &folder], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }

    /// Compares two folders; returns the exit code and what was printed.
    pub fn compare(&self, left: &str, right: &str, more: &[&str]) -> (i32, String) {
        let (left, right) = (self.path(left), self.path(right));
        let output = peerlet(&[&["compare", &left, &right], more].concat());
        let code = output.status.code().expect("it ends by itself");
        (code, text(&output.stdout) + &text(&output.stderr))
    }

    pub fn json(&self, left: &str, right: &str) -> Value {
        let (_, printed) = self.compare(left, right, &["--json"]);
        serde_json::from_str(&printed).expect("it is JSON")
    }

    /// Checks what is said about folders that cannot be compared.
    fn refuse(&self, left: &str, right: &str, code: i32, said: &Expect) {
        let (ended, printed) = self.compare(left, right, &[]);
        let folder = self.folder.display().to_string();
        said.assert_eq(&wrapped(&printed.replace(&folder, "RUNS")));
        assert_eq!(ended, code);
    }

    /// Copies a run folder.
    fn copy(&self, from: &str, to: &str) {
        std::fs::create_dir(self.folder.join(to)).expect("it is not there yet");
        for name in ["summary.json", "distributions.csv"] {
            let (from, to) = (self.folder.join(from).join(name), self.folder.join(to).join(name));
            std::fs::copy(from, to).expect("it can be copied");
        }
    }

    fn rewrite(&self, file: &str, change: impl FnOnce(String) -> String) {
        let path = self.folder.join(file);
        let text = std::fs::read_to_string(&path).expect("it was written");
        std::fs::write(&path, change(text)).expect("it can be written");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// A text in lines of at most 80 columns.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        let gap = match width {
            0 => "",
            _ if width + 1 + word.len() > 80 => "\n",
            _ => " ",
        };
        width = if gap == " " { width + 1 + word.len() } else { word.len() };
        lines += gap;
        lines += word;
    }
    lines + "\n"
}

/// The names of the rows that failed.
fn failed(json: &Value) -> Vec<&str> {
    let failed = json["failed"].as_array().expect("a list");
    failed.iter().map(|name| name.as_str().expect("a name")).collect()
}

#[test]
fn the_same_run_twice_is_the_same() {
    let place = Place::new("compare-same", RING);
    place.run("sim", "a", &["--seed", "7"]);
    place.run("sim", "b", &["--seed", "7", "--threads", "2"]);
    let (code, printed) = place.compare("a", "b", &[]);
    assert_eq!(code, 0, "{printed}");
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines[0], "a ring: 16 peers, 40 s");
    assert_eq!(lines[1], format!("left: sim, seed 7 ({})", place.path("a")));
    assert!(printed.ends_with("every judged metric held\n"), "{printed}");
    let json = place.json("a", "b");
    assert_eq!((&json["held"], &json["schema"]), (&true.into(), &1.into()));
    let rows = json["rows"].as_array().expect("a list");
    assert!(rows.len() >= 8, "{json}");
    let summary = std::fs::read(place.folder.join("a/summary.json")).expect("it was written");
    let summary: Value = serde_json::from_slice(&summary).expect("it is JSON");
    for row in rows {
        let figures = row["figures"].as_array().expect("a list");
        let measured = &summary["measures"][row["metric"].as_str().expect("a name")];
        for figure in figures.iter().filter(|_| measured.is_object()) {
            let number = &measured[figure["figure"].as_str().expect("a name")];
            assert_eq!(figure["left"].as_f64(), number.as_f64(), "{row}");
        }
        assert!(!figures.is_empty());
        for figure in figures {
            assert_eq!(figure["error"], serde_json::json!({ "value": 0.0, "margin": null }));
        }
        assert!(row["ks"].is_null() || row["ks"]["distance"] == 0.0, "{row}");
    }
}

#[test]
fn sets_of_seeds_are_compared_with_intervals() {
    let place = Place::new("compare-sets", RING);
    place.run("sim", "first", &["--seeds", "1..4"]);
    place.run("sim", "second", &["--seeds", "5..8"]);
    // A number of 40,000 random lookups a side is off by 0.7 % of itself.
    let (code, printed) = place.compare("first", "second", &["--counts", "5%"]);
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("right: sim, seeds 5..8 ("), "{printed}");
    assert!(printed.contains(" ± "), "{printed}");
    let json = place.json("first", "second");
    assert_eq!(
        (&json["paired"], &json["rows"][0]["metric"]),
        (&false.into(), &"messages/sent".into())
    );
    let error = &json["rows"][0]["figures"][0]["error"];
    assert!(error["margin"].as_f64().expect("several runs") > 0.0, "{error}");
    assert_eq!(json["right"]["seeds"], serde_json::json!([5, 6, 7, 8]));

    // A run of the set may stand alone. Runs in another order are pairs all the same.
    let alone = place.json("first/2", "second/5");
    assert_eq!(alone["rows"][0]["figures"][0]["error"]["margin"], Value::Null);
    std::fs::rename(place.folder.join("second/5"), place.folder.join("second/99")).expect("moved");
    std::fs::create_dir(place.folder.join("second/notes")).expect("made");
    let (_, printed) = place.compare("second", "second", &["--markdown"]);
    assert!(printed.contains("seeds 5..8") && printed.contains(", in pairs with"), "{printed}");
    assert!(printed.contains("\n|---|---|--:|--:|--:|---|\n"), "{printed}");
    assert!(printed.contains("/second/notes` holds no run and is skipped\n"), "{printed}");
}

#[test]
fn longer_delays_fail_by_name() {
    let place = Place::new("compare-delay", RING);
    place.run("sim", "a", &["--seeds", "1..3"]);
    place.run(
        "sim",
        "b",
        &["--seeds", "1..3", "--set", "network.min=44ms", "--set", "network.max=66ms"],
    );
    let (code, printed) = place.compare("a", "b", &["--counts", "2%"]);
    assert_eq!(code, 1, "{printed}");
    assert!(printed.ends_with("\nfailed: lookups/time\n"), "{printed}");
    let (code, printed) =
        place.compare("a", "b", &["--within", "15%", "--ks", "1", "--counts", "6%"]);
    assert_eq!(code, 0, "{printed}");
}

#[test]
fn two_points_more_of_loss_fail_by_name() {
    // Without a router, nothing is sent again for what was lost.
    let scenario = RING.replace("router = {}\nlookups = { rate = \"30/s\" }\n", "");
    let place = Place::new("compare-loss", &scenario);
    place.run("sim", "a", &["--seeds", "1..3"]);
    place.run("sim", "b", &["--seeds", "1..3", "--set", "network.loss=0.02"]);
    let (code, printed) = place.compare("a", "b", &[]);
    assert_eq!(code, 1, "{printed}");
    let last = printed.lines().last().expect("there is a last line");
    assert!(last.starts_with("failed: ") && last.contains("messages/delivered"), "{last}");
    let json = place.json("a", "b");
    let row = |name: &str| {
        let rows = json["rows"].as_array().expect("a list");
        rows.iter().find(|row| row["metric"] == name).expect("there is such a row").clone()
    };
    let error = row("messages/delivered")["figures"][0]["error"]["value"].as_f64();
    assert!((-0.03..-0.01).contains(&error.expect("an error")), "{error:?}");
    assert_eq!(row("messages/dropped/loss")["verdict"], "shown");
    assert!(failed(&json).contains(&"messages/delivered"));
}

#[test]
fn worlds_are_compared() {
    let place = Place::new("compare-worlds", &RING.replace("from = \"20s\"", ""));
    let short = ["--for", "2s", "--set", "join=0s"];
    place.run("sim", "sim", &short);
    place.run("live", "live", &[&short[..], &["--shards", "1"]].concat());
    // One run a side decides nothing.
    let (code, printed) = place.compare("sim", "live", &["--samples", "1"]);
    assert_eq!(code, 6, "{printed}");
    assert!(printed.contains("\nright: live over quic, seed 1 ("), "{printed}");
    assert!(printed.contains("`sim --transport quic` simulates them"), "{printed}");
    place.run("sim", "handshakes", &[&short[..], &["--transport", "quic"]].concat());
    let (_, printed) = place.compare("live", "handshakes", &["--samples", "1"]);
    assert!(printed.contains("\nright: sim over quic, seed 1 ("), "{printed}");
    assert!(!printed.contains("warning: the simulation"), "{printed}");
    let scenario = std::fs::read_to_string(place.folder.join("handshakes/scenario.toml"));
    assert!(scenario.expect("written").contains("transport = \"quic\""));
    assert!(printed.contains("\nmessages/delivered "), "{printed}");
    std::fs::create_dir(place.folder.join("mixed")).expect("made");
    for world in ["sim", "live"] {
        let to = place.folder.join("mixed").join(world);
        std::fs::rename(place.folder.join(world), to).expect("moved");
    }
    place.refuse(
        "mixed/sim",
        "mixed",
        2,
        &expect![[r#"
        error: `RUNS/mixed/live` is of world live over quic and `RUNS/mixed/sim` of
        world sim; give the runs of each world a side of their own
    "#]],
    );
}

#[test]
fn a_folder_of_seeds_holds_a_run_for_each() {
    let place = Place::new("compare-seeds", RING);
    let short = ["--for", "21s", "--seeds", "2..3"];
    place.run("sim", "set", &[&short[..], &["--trace"]].concat());
    place.run("sim", "alone", &["--for", "21s", "--seed", "3"]);
    let read =
        |name: &str| std::fs::read_to_string(place.folder.join(name)).expect("it was written");
    let json = |name: &str| -> Value { serde_json::from_str(&read(name)).expect("it is JSON") };
    let (one, other) = (json("set/3/summary.json"), json("alone/summary.json"));
    assert_eq!((&one["digest"], &one["seed"]), (&other["digest"], &3.into()));
    assert_eq!(read("set/3/distributions.csv"), read("alone/distributions.csv"));
    let scenario = read("set/2/scenario.toml");
    assert!(scenario.contains("seed = 2") && scenario.contains("for = \"21s\""), "{scenario}");
    let events = json("set/2/summary.json")["events"].as_u64().expect("a number");
    assert_eq!(read("set/2/events.jsonl").lines().count() as u64, events + 1);

    // Nothing runs where one of the seeds is there already, or a run of its own.
    let scenario = place.scenario.0.display().to_string();
    for (folder, held) in [("set", "set/3"), ("alone", "alone")] {
        let (folder, held) = (place.path(folder), place.path(held));
        let output = peerlet(&["sim", &scenario, "--for", "21s", "--seeds", "1..3", "-o", &folder]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(3), String::new()));
        assert!(text(&output.stderr).contains("holds a run already"), "{held}");
    }
    assert!(!Path::new(&place.path("set/1")).exists());
}

#[test]
fn folders_without_runs_are_errors_of_reading() {
    let place = Place::new("compare-none", RING);
    std::fs::create_dir(place.folder.join("empty")).expect("made");
    place.refuse(
        "no-such",
        "empty",
        3,
        &expect![[r#"
        error: `RUNS/no-such` cannot be read: No such file or directory (os error 2)
    "#]],
    );
    place.refuse(
        "empty",
        "empty",
        3,
        &expect![[r#"
        error: `RUNS/empty` holds no run: there is no summary.json in it, nor in a
        folder in it; write one with `sim -o DIR`
    "#]],
    );
}

#[test]
fn a_file_is_no_side() {
    let place = Place::new("compare-file", RING);
    std::fs::write(place.folder.join("summary.json"), "{}").expect("written");
    place.refuse(
        "summary.json",
        "empty",
        2,
        &expect![[r#"
        error: `RUNS/summary.json` is a file; a side is a run folder, as written by -o,
        or holds some
    "#]],
    );
}

/// Checks what is said of a run of which one file was changed.
fn damage(place: &Place, file: &str, change: impl FnOnce(String) -> String, said: &Expect) {
    place.copy("good", "bad");
    place.rewrite(&format!("bad/{file}"), change);
    place.refuse("good", "bad", 3, said);
    std::fs::remove_dir_all(place.folder.join("bad")).expect("it can be removed");
}

#[test]
fn summaries_that_are_none_are_errors_of_reading() {
    let place = Place::new("compare-summary", RING);
    place.run("sim", "good", &["--for", "22s"]);
    let damage = |change: fn(String) -> String, said: &Expect| {
        damage(&place, "summary.json", change, said);
    };
    damage(
        |_| String::new(),
        &expect![[r#"
        error: `RUNS/bad/summary.json` is no summary of a run: EOF while parsing a value
        at line 1 column 0; run it again
    "#]],
    );
    damage(
        |text| text[..30].to_owned(),
        &expect![[r#"
        error: `RUNS/bad/summary.json` is no summary of a run: EOF while parsing a
        string at line 1 column 30; run it again
    "#]],
    );
    damage(
        |text| text.replacen("\"peers\":16", "\"peers\":\"x\"", 1),
        &expect![[r#"
        error: `RUNS/bad/summary.json` is no summary of a run: invalid type: string "x",
        expected u32 at line 1 column 66; run it again
    "#]],
    );
    let little = |_| "{\"schema\":1,\n\"world\":\"sim\"}\n".to_owned();
    damage(
        little,
        &expect![[r#"
        error: `RUNS/bad/summary.json` is no summary of a run: missing field `scenario`
        at line 2 column 14; run it again
    "#]],
    );
    damage(
        |text| text.replacen("\"schema\":1", "\"schema\":2", 1),
        &expect![[r#"
        error: `RUNS/bad/summary.json` is of schema 2, and 1 is the one that is read;
        use the version that wrote it
    "#]],
    );
}

#[test]
fn distributions_that_are_none_are_errors_of_reading() {
    let place = Place::new("compare-distributions", RING);
    place.run("sim", "good", &["--for", "22s"]);
    let damage = |change: fn(String) -> String, said: &Expect| {
        damage(&place, "distributions.csv", change, said);
    };
    damage(
        |text| text[..text.len() - 4].to_owned(),
        &expect![[r#"
        error: RUNS/bad/distributions.csv:88: the file ends within this line; run it
        again
    "#]],
    );
    let other = |text: String| text.replacen("metric,", "name,", 1);
    damage(
        other,
        &expect![[r#"
        error: RUNS/bad/distributions.csv:1: the first line is not
        `metric,unit,kind,quantum,low,high,count`; read the run with the version that
        wrote it, or run it again
    "#]],
    );
    let without = |text: String| {
        let lines = text.lines().filter(|line| !line.starts_with("router/expired"));
        lines.map(|line| format!("{line}\n")).collect()
    };
    damage(
        without,
        &expect![[r#"
        error: `RUNS/bad/distributions.csv` has no line about `router/expired`, which is
        in summary.json; run it again
    "#]],
    );
    let one_less = |text: String| {
        let line = text.lines().find(|line| line.starts_with("lookups/hops")).expect("a line");
        text.replacen(&format!("{line}\n"), "", 1)
    };
    damage(
        one_less,
        &expect![[r#"
            error: `RUNS/bad/distributions.csv` has 929 values of `lookups/hops`, and
            summary.json 980; run it again
        "#]],
    );
}

#[test]
fn distributions_that_cannot_be_read_are_errors_of_reading() {
    let place = Place::new("compare-unreadable", RING);
    place.run("sim", "good", &["--for", "22s"]);
    let long = |text: String| text + &" ".repeat(64 << 20);
    damage(
        &place,
        "distributions.csv",
        long,
        &expect![[r#"
        error: `RUNS/bad/distributions.csv` is longer than 64 MiB; name the folder of a
        run
    "#]],
    );
    place.copy("good", "bad");
    std::fs::remove_file(place.folder.join("bad/distributions.csv")).expect("removed");
    place.refuse(
        "good",
        "bad",
        3,
        &expect![[r#"
        error: `RUNS/bad/distributions.csv` cannot be read: No such file or directory
        (os error 2)
    "#]],
    );
}

#[test]
fn other_scenarios_are_refused_and_other_titles_are_not() {
    let place = Place::new("compare-other", RING);
    place.run("sim", "good", &["--for", "22s"]);
    place.run("sim", "peers", &["--for", "22s", "--peers", "17"]);
    place.run("sim", "long", &["--for", "23s"]);
    place.run("sim", "title", &["--for", "22s", "--set", "title=another"]);
    place.refuse(
        "good",
        "peers",
        2,
        &expect![[r#"
            error: `RUNS/good` has 16 peers and `RUNS/peers` has 17; compare runs with the
            same number of peers
        "#]],
    );
    place.refuse(
        "good",
        "long",
        2,
        &expect![[r#"
            error: `RUNS/good` lasts 22 s and `RUNS/long` lasts 23 s; compare runs of the
            same length
        "#]],
    );
    let (code, printed) = place.compare("good", "title", &[]);
    assert_eq!(code, 0, "{printed}");
    let warning = "warning: the scenarios have different titles: `a ring`, `another`\n";
    assert!(printed.ends_with(warning), "{printed}");
    place.rewrite("title/distributions.csv", |text| text.replace(",s,", ",h,"));
    place.refuse(
        "good",
        "title",
        2,
        &expect![[r#"
        error: `lookups/time` is a distribution in steps of 0.000000001 s in one run and
        a distribution in steps of 0.000000001 h in another; compare runs of the same
        program
    "#]],
    );
}

#[test]
fn void_runs_are_refused_with_a_code_of_their_own() {
    let place = Place::new("compare-void", RING);
    place.run("sim", "good", &["--for", "22s"]);
    for name in ["void", "part", "share", "cover"] {
        place.copy("good", name);
    }
    let add = |name: &str, keys: &str| {
        place.rewrite(&format!("{name}/summary.json"), |text| {
            text.replacen('{', &format!("{{{keys},\"unknown\":[1],"), 1)
        });
    };
    add("void", r#""void":true,"packets":{"late_p99_us":812.4}"#);
    add("part", r#""interrupted":true"#);
    add("share", r#""share":true"#);
    add("cover", r#""coverage":0.75"#);
    place.refuse(
        "good",
        "void",
        5,
        &expect![[r#"
            error: `RUNS/void` is void: the machine did not keep up (p99 812 us late); run
            it again, with fewer peers or on an idle machine
        "#]],
    );
    place.refuse(
        "part",
        "good",
        5,
        &expect![[r#"
        error: `RUNS/part` was interrupted at 22 s; run it again
    "#]],
    );
    place.refuse(
        "good",
        "share",
        5,
        &expect![[r#"
        error: `RUNS/share` is one process's share of a network; name the folder of seat
        0's process, which has the whole
    "#]],
    );
    place.refuse(
        "good",
        "cover",
        5,
        &expect![[r#"
        error: `RUNS/cover` covers 75.0 % of the network's seat-seconds; run it again,
        until all processes report to the end
    "#]],
    );
    add("good", r#""coverage":1.0,"void":false"#);
    assert_eq!(place.compare("good", "good", &[]).0, 0, "what is unknown is passed over");
}

#[test]
fn nothing_to_judge_is_no_success() {
    let place = Place::new("compare-little", RING);
    place.run("sim", "a", &["--for", "22s"]);
    let (code, printed) = place.compare("a", "a", &["--samples", "1000000"]);
    assert_eq!(code, 6, "{printed}");
    let last = "\nthe verdict is inconclusive: there was nothing to judge; run longer, with more \
                peers, or with a lower --samples\n";
    assert!(printed.ends_with(last), "{printed}");
    assert!(printed.contains(" not judged, with fewer than 1000000 values"), "{printed}");
}
