//! Verdicts of comparisons: what decides, what leaves it open, and how many seeds would not.

use serde_json::Value;

use crate::compare::{Place, RING};

/// Runs of half the length, of which there are many.
fn short() -> String {
    RING.replace("for = \"40s\"", "for = \"22s\"").replace("from = \"20s\"", "from = \"12s\"")
}

/// Compares by these limits; returns the exit code and the JSON.
fn compared(place: &Place, left: &str, right: &str, limits: &[&str]) -> (i32, Value) {
    let (code, printed) = place.compare(left, right, &[limits, &["--json"]].concat());
    (code, serde_json::from_str(&printed).expect("it is JSON"))
}

fn row<'a>(json: &'a Value, metric: &str) -> &'a Value {
    let rows = json["rows"].as_array().expect("a list");
    rows.iter().find(|row| row["metric"] == metric).expect("there is such a row")
}

#[test]
fn too_few_seeds_are_inconclusive_and_as_many_as_are_named_decide() {
    let place = Place::new("verdict-seeds", &short());
    place.run("sim", "first", &["--seeds", "1..4"]);
    place.run("sim", "second", &["--seeds", "101..104"]);
    // Random lookups: their number differs by a percent between sides of four runs.
    let (code, json) = compared(&place, "first", "second", &["--counts", "3%"]);
    assert_eq!((code, &json["verdict"], &json["held"]), (6, &"inconclusive".into(), &false.into()));
    assert_eq!(json["failed"], serde_json::json!([]));
    let open = json["inconclusive"].as_array().expect("a list");
    assert!(open.contains(&"router/delivered".into()), "{open:?}");
    let delivered = row(&json, "router/delivered");
    let figure = &delivered["figures"][0];
    assert_eq!((&delivered["verdict"], &figure["held"]), (&"inconclusive".into(), &Value::Null));
    let [low, high] = [0, 1].map(|end| figure["interval"][end].as_f64().expect("an end"));
    assert!(low < -0.03 || high > 0.03, "{figure}");
    assert!(low.max(-0.03) < high.min(0.03), "{figure}");
    assert_eq!(delivered["undecided"]["reason"], "spread");
    let seeds = json["seeds_to_decide"].as_u64().expect("a number of seeds");
    assert!((5..100).contains(&seeds), "{json}");
    let (_, printed) = place.compare("first", "second", &["--counts", "3%"]);
    let last =
        format!("\nthe verdict is inconclusive: about {seeds} seeds a side would decide it\n");
    assert!(printed.ends_with(&last), "{printed}");
    let line = "\nrouter/delivered is inconclusive: the error of its sum is ";
    assert!(printed.contains(line) && printed.contains(" (3 % allowed); about "), "{printed}");

    let (from, to) = (format!("1..{seeds}"), format!("101..{}", 100 + seeds));
    place.run("sim", "first-all", &["--seeds", &from]);
    place.run("sim", "second-all", &["--seeds", &to]);
    let (code, json) = compared(&place, "first-all", "second-all", &["--counts", "3%"]);
    assert_eq!((code, &json["verdict"]), (0, &"held".into()), "{json}");
}

#[test]
fn near_a_limit_no_number_of_seeds_decides() {
    let place = Place::new("verdict-near", &short());
    place.run("sim", "a", &["--seeds", "1..6"]);
    place.run("sim", "b", &["--seeds", "1..6", "--set", "network.max=64ms"]);
    let (_, json) = compared(&place, "a", "b", &[]);
    let time = row(&json, "lookups/time");
    let figures = time["figures"].as_array().expect("a list");
    let p95 = figures.iter().find(|figure| figure["figure"] == "p95").expect("it is there");
    let error = p95["error"]["value"].as_f64().expect("an error");
    assert!(error > 0.02, "{p95}");
    // Its own error as the limit.
    let within = format!("{error}");
    let limits = ["--within", &within, "--ks", "1", "--counts", "20%"];
    let (code, json) = compared(&place, "a", "b", &limits);
    let undecided = &row(&json, "lookups/time")["undecided"]["reason"];
    assert_eq!(
        (code, undecided, &json["seeds_to_decide"]),
        (6, &"near_limit".into(), &Value::Null)
    );
    let (_, printed) = place.compare("a", "b", &limits);
    let last =
        "\nthe verdict is inconclusive: no number of seeds up to 1000 would decide all of it\n";
    assert!(printed.contains("that is so near the limit that no number of seeds"), "{printed}");
    assert!(printed.ends_with(last), "{printed}");
}

#[test]
fn one_run_a_side_is_inconclusive_and_a_failure_outweighs_it() {
    let place = Place::new("verdict-one", &short());
    place.run("sim", "one", &["--seed", "1"]);
    place.run("sim", "slow", &["--seed", "1", "--set", "network.max=120ms"]);
    let (code, printed) = place.compare("one", "slow", &[]);
    assert_eq!(code, 6, "{printed}");
    let last = "\none run a side has no interval: compare several seeds a side, such as `--seeds \
                1..8`\nthe verdict is inconclusive: it takes several seeds a side\n";
    assert!(printed.ends_with(last), "{printed}");
    let json = place.json("one", "slow");
    let error = &json["rows"][0]["figures"][0];
    assert_eq!((&error["interval"], &error["error"]["margin"]), (&Value::Null, &Value::Null));
    // Three seeds tell that delays differ, and not by how much the number of lookups does.
    place.run("sim", "some", &["--seeds", "1..3"]);
    place.run("sim", "slower", &["--seeds", "11..13", "--set", "network.max=120ms"]);
    let (code, json) = compared(&place, "some", "slower", &[]);
    assert_eq!((code, &json["verdict"]), (1, &"failed".into()), "{json}");
    assert_ne!(json["inconclusive"], serde_json::json!([]), "{json}");
    let (_, printed) = place.compare("some", "slower", &[]);
    let last = printed.lines().last().expect("there is a last line");
    assert!(last.starts_with("failed: ") && last.contains("lookups/time"), "{printed}");
}
