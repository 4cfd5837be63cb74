//! Properties of the stock peerlets, chosen in files and on the command line.

use serde_json::Value;

use crate::command::{File, peerlet, text};

/// The JSON of a simulation, and its exit code.
fn simulated(arguments: &[&str]) -> (Value, Option<i32>) {
    let output = peerlet(&[&["sim", "--json", "-q"], arguments].concat());
    let said = text(&output.stderr);
    let json = serde_json::from_slice(&output.stdout);
    (json.unwrap_or_else(|error| panic!("{error}: {said}")), output.status.code())
}

#[test]
fn a_bootstrap_that_never_ends_is_caught() {
    let scenario = File::new(
        "orphans.toml",
        "peers = 20\nfor = \"60s\"\njoin = \"20s\"\n\
         [stack]\nbootstrap = {}\nneighbors = {}\n\
         [events]\nlines = \"0 5.5 Peer.crash()\"\n\
         [[property]]\nname = \"bootstrap/*\"\nwithin = \"30s\"\n",
    );
    let path = scenario.0.display().to_string();
    let output = peerlet(&["sim", &path, "-q"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let expected = "FAILED eventually bootstrap/it learns of others: at 37s: \
                    it does not hold of 1 peer (37 checks)\n         peer 6: it knows nobody\n";
    assert!(said.contains(expected), "{said}");
    let (shown, code) = simulated(&[&path, "--until", "37", "--show", "0,6"]);
    assert_eq!(code, Some(1), "{shown}");
    assert_eq!(shown["stopped"], "it was to run until 37s");
    assert_eq!(shown["states"][0]["state"], "absent");
    let state = shown["states"][1]["peerlets"]["bootstrap"].as_str().expect("it shows a state");
    assert!(state.starts_with("has not learned of others"), "{state}");
}

#[test]
fn no_property_moves_a_digest_with_any_number_of_threads() {
    for scenario in ["first", "protopeer", "split", "fidelity", "fidelity-grown"] {
        let path = format!("scenarios/{scenario}.toml");
        let size = [&*path, "--for=40s", "--set=peers=200"];
        let (plain, _) = simulated(&size);
        let digest = plain["digest"].as_str().expect("a simulation has a digest");
        let all = "property=[{ name = \"*\", every = \"500ms\" }]";
        let mut told: Option<Value> = None;
        for threads in ["--threads=1", "--threads=2", "--threads=4", "--reference"] {
            let (run, _) = simulated(&[&size[..], &["--set", all, threads]].concat());
            assert_eq!(run["digest"], digest, "{scenario} {threads}");
            let properties = &run["properties"];
            assert!(properties.as_array().is_some_and(|all| all.len() >= 3), "{run}");
            assert_eq!(told.get_or_insert_with(|| properties.clone()), properties, "{threads}");
        }
    }
}

#[test]
fn a_run_stops_at_a_verdict_and_its_options_are_checked() {
    let stop = "stop_when=neighbors/the ring is one";
    let output = peerlet(&["sim", "scenarios/first.toml", "-q", "--set", stop]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("the verdict on `neighbors/the ring is one` is known"), "{said}");
    let refused = |arguments: &[&str], expected: &str| {
        let output = peerlet(&[&["sim", "scenarios/first.toml"], arguments].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    };
    refused(&["--until", "soon"], "--until");
    refused(&["--show", "0-1500", "--peers", "2000"], "--show names 1501 peers");
    refused(&["--show", "7-"], "7-");
    refused(&["--show", "1000"], "1000");
    refused(&["--until", "3s", "--seeds", "1..2"], "cannot be used with");
    let output = peerlet(&["live", "scenarios/first.toml", "--for", "5s", "--set", stop]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no `live` stops at the verdict on a property"), "{said}");
}

#[test]
fn several_seeds_say_which_of_them_failed() {
    let never = "property=[{ name = \"neighbors/the ring is one\", within = \"1s\" }]";
    let seeds = ["sim", "scenarios/split.toml", "--seeds", "1..3", "-q", "--for", "20s"];
    let output = peerlet(&[&seeds[..], &["--set", never]].concat());
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("neighbors/the ring is one"), "{said}");
    assert!(said.contains("--seed 1") && said.contains("--until"), "{said}");
    assert!(said.contains("held in 0 of 3 runs, failed in 3\nfirst in seed 1: FAILED"), "{said}");
    let stop = ["--set", "stop_when=neighbors/the ring is one"];
    let expect = ["--set", "expect=[{ measure = \"lookups/success\", mean_min = 1.1 }]"];
    let output = peerlet(&[&seeds[..], &stop, &expect].concat());
    let said = text(&output.stdout);
    assert!(said.contains("stopped: 1 of 3 runs") && said.contains("not judged in 3"), "{said}");
}

#[test]
fn the_command_that_leads_there_stands_before_names() {
    let never = "property=[{ name = \"neighbors/the ring is one\", within = \"1s\" }]";
    let scenario = "scenarios/split.toml";
    let output = peerlet(&["sim", "-q", "--for", "20s", "--set", never, "--", scenario]);
    let said = text(&output.stdout);
    let again = said.lines().find(|line| line.starts_with("again, up to there")).expect(&said);
    assert!(again.contains("--until ") && again.ends_with(" -- scenarios/split.toml"), "{again}");
}
