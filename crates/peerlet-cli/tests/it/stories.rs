//! Stories of peers: told on a terminal, kept in a run folder, drawn as sequences.

use std::path::PathBuf;

use serde_json::Value;

use crate::command::{File, peerlet, text};

const SCENARIO: &str = "peers = 6\nfor = \"8s\"\njoin = \"500ms\"\n\
    [network]\nmodel = \"king-like\"\nloss = 0.1\n\
    [stack]\nbootstrap = {}\nneighbors = {}\nrouter = {}\n\
    lookups = { rate = \"1/s\", warmup = \"2s\" }\n\
    [events]\nlines = \"4 5 Peer.crash()\"\n";

/// A folder that is gone when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("peerlet-{}-{name}", std::process::id());
        Folder(std::env::temp_dir().join(name))
    }

    fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[test]
fn a_peers_story_is_told_and_changes_no_digest() {
    let scenario = File::new("told.toml", SCENARIO);
    let path = scenario.0.display().to_string();
    let digest = |said: &str| {
        let line = said.lines().find(|line| line.starts_with("digest")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("there is no digest: {said}"))
    };
    let plain = text(&peerlet(&["sim", &path, "-q"]).stdout);
    let filter = "peer=4 and from=4.5 and to=5.5";
    let output = peerlet(&["sim", &path, "-q", "--trace", filter]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(digest(&said), digest(&plain));
    let told: Vec<&str> = said.lines().filter(|line| line.contains(" peer ")).collect();
    assert!(told.len() > 10 && told.iter().all(|line| line.contains(" 4 ")), "{said}");
    assert!(told.iter().any(|line| line.starts_with("5s ") && line.ends_with("crash")), "{said}");
    assert!(told.iter().any(|line| line.contains("drop") && line.contains("stopped")), "{said}");
    assert!(told.iter().any(|line| line.contains("{\"Heartbeat\":")), "{said}");
}

#[test]
fn a_story_in_a_run_folder_is_drawn() {
    let (scenario, folder) = (File::new("drawn.toml", SCENARIO), Folder::new("drawn"));
    let path = scenario.0.display().to_string();
    let filter = "peer=1-4 and from=4.9 and to=5.3";
    let output = peerlet(&["sim", &path, "-q", "--trace", filter, "-o", &folder.path()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told = std::fs::read_to_string(folder.0.join("story.jsonl")).expect("it is there");
    let sends = told.lines().filter(|line| {
        let line: Value = serde_json::from_str(line).expect("it is JSON");
        assert!(line["time"].as_u64().expect("a number") >= 4_900_000_000);
        line["kind"] == "send" && line["message"] != Value::Null
    });
    let sends = sends.count();
    assert!(sends > 10, "{told}");
    let drawn = text(&peerlet(&["story", &folder.path()]).stdout);
    assert!(drawn.contains("lost: ") && drawn.contains("(+"), "{drawn}");
    assert_eq!(drawn.matches("crash").count(), 1, "{drawn}");
    let picture = folder.0.join("story.svg");
    let picture_path = picture.display().to_string();
    let output = peerlet(&["story", &folder.path(), "--svg", &picture_path]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let picture = std::fs::read_to_string(picture).expect("it is there");
    let arrows = picture.matches("<line class=\"way\"").count()
        + picture.matches("<line class=\"lost\"").count();
    assert_eq!(arrows, sends, "{picture}");
}

#[test]
fn what_cannot_be_told_or_drawn_is_refused() {
    let refused = |arguments: &[&str], code: i32, expected: &str| {
        let output = peerlet(arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(expected), "{said}");
    };
    let first = "scenarios/first.toml";
    refused(&["sim", first, "--trace"], 2, "name one by -o DIR");
    refused(&["sim", first, "--trace", "pear=3"], 2, "did you mean `peer`?");
    refused(&["sim", first, "--trace", "peer=3", "--json"], 2, "name one by -o DIR");
    refused(&["sim", first, "--trace", "peer=3", "--threads", "2"], 2, "leave out --threads");
    refused(&["sim", "--trace", first, "-q"], 2, "is no condition");
    refused(&["story", "/nowhere"], 3, "cannot be read");
    let cut = File::new("cut.jsonl", "{\"time\":1,\"seat\":1,\"kind\":\"timer\"}\n{\"time\":2,");
    let path = cut.0.display().to_string();
    refused(&["story", &path], 2, "line 2 is no line of a story");
}
