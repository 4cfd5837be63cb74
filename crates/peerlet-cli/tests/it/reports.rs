//! Reports of runs and sweeps, as files and in a browser; and runs in the formats of other tools.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::command::{File, peerlet, text};
use crate::secret::Folder;

const SCENARIO: &str = "title = \"a <b>small</b> one\"\npeers = 12\nfor = \"20s\"\njoin = \"1s\"\n\
    [network]\nmodel = \"king-like\"\nloss = 0.05\n\
    [stack]\nbootstrap = {}\nneighbors = {}\nrouter = {}\n\
    lookups = { rate = \"1/s\", warmup = \"5s\" }\n\
    [measure]\nepoch = \"2s\"\ngroups = [\"0\", \"1-5\"]\npeers = true\n\
    [[observe]]\nlinks = \"neighbors\"\n\
    [[property]]\nname = \"neighbors/*\"\n\
    [[expect]]\nmeasure = \"lookups/success\"\nmean_min = 0.1\n\
    [events]\nlines = \"4-6 10 Peer.crash()\\n4-6 15 Peer.start()\"\n";

/// Runs a command that has to end with 0.
fn done(arguments: &[&str]) -> String {
    let output = peerlet(arguments);
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
    text(&output.stdout)
}

/// A run of the scenario in a folder.
fn run_into(folder: &Folder, more: &[&str]) -> String {
    let scenario = File::new("reported.toml", SCENARIO);
    let (path, into) = (scenario.0.display().to_string(), folder.0.display().to_string());
    done(&[&["sim", &path, "-q", "-o", &into], more].concat());
    into
}

/// The attributes of the page's root after its own check in a browser; `None` where there is none.
fn checked_in_browser(page: &Path) -> Option<String> {
    let url = format!("file://{}#check", page.canonicalize().expect("it was written").display());
    let profile = page.with_extension("profile");
    let output = ["chromium", "chromium-browser", "google-chrome"].iter().find_map(|browser| {
        Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
            .arg("--virtual-time-budget=120000")
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(&url)
            .output()
            .ok()
    });
    drop(std::fs::remove_dir_all(&profile));
    let Some(output) = output else {
        println!("passed over: there is no Chromium (1 case)");
        return None;
    };
    let dom = text(&output.stdout);
    let root = dom.split_once("<html").and_then(|(_, rest)| rest.split_once('>'));
    Some(root.unwrap_or_else(|| panic!("no page: {}", text(&output.stderr))).0.to_owned())
}

/// The number of an attribute.
fn number(root: &str, name: &str) -> u64 {
    let rest = root.split_once(&format!("data-{name}=\"")).map(|(_, rest)| rest);
    let value = rest.and_then(|rest| rest.split_once('"')).map(|(value, _)| value);
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name}: {root}"))
}

#[test]
fn a_run_is_reported_and_its_page_works() {
    let folder = Folder::new("reported");
    let into = run_into(&folder, &["--trace", "peer=3 and from=9 and to=11"]);
    let said = done(&["report", &into]);
    let page = folder.0.join("report.html");
    assert_eq!(said.trim(), page.display().to_string());
    let html = std::fs::read_to_string(&page).expect("it was written");
    assert!(html.contains("<title>a &lt;b&gt;small&lt;/b&gt; one</title>"));
    assert!(html.contains("\"name\":\"neighbors\"") && html.contains("\"positions\":["));
    assert!(html.contains("4-6 Peer.crash()"), "the scenario's events are marked");
    assert!(html.contains("\"messages/bytes\":{\"unit\":\"B\""), "peers have columns");
    assert!(html.contains("{group=1-5}"), "groups are measured");
    if let Some(root) = checked_in_browser(&page) {
        assert_eq!(number(&root, "errors"), 0, "{root}");
        assert!(root.contains("data-checked=\"true\""), "{root}");
        assert_eq!(number(&root, "frames"), 10, "one for each epoch: {root}");
        assert!(number(&root, "charts") > 20 && number(&root, "svgs") > 20, "{root}");
    }
}

#[test]
fn several_runs_and_a_sweep_are_reported() {
    let (folder, swept) = (Folder::new("several"), Folder::new("reported-sweep"));
    let into = run_into(&folder, &["--seeds", "9..11"]);
    done(&["report", &into, "--title", "three"]);
    let html = std::fs::read_to_string(folder.0.join("report.html")).expect("it was written");
    assert!(html.contains("<title>three</title>") && html.contains("\"name\":\"10\""));
    let scenario = File::new("swept.toml", SCENARIO);
    let (path, sweep) = (scenario.0.display().to_string(), swept.0.display().to_string());
    let vary = ["--vary", "network.loss=0,0.1", "--seeds", "1..2", "-o", &sweep];
    done(&[&["sweep", &path, "-q"], &vary[..]].concat());
    done(&["report", &sweep]);
    for page in [folder.0.join("report.html"), swept.0.join("report.html")] {
        if let Some(root) = checked_in_browser(&page) {
            assert_eq!(number(&root, "errors"), 0, "{root}");
            assert!(root.contains("data-checked=\"true\""), "{root}");
        }
    }
}

#[test]
fn what_cannot_be_reported_is_said() {
    let folder = Folder::new("unreported");
    let into = run_into(&folder, &[]);
    let refused = |arguments: &[&str], code: i32, expected: &str| {
        let output = peerlet(arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(expected), "{said}");
    };
    let spoil = |name: &str, change: &dyn Fn(&str) -> String, expected: &str| {
        let path = folder.0.join(name);
        let whole = std::fs::read_to_string(&path).expect("it was written");
        std::fs::write(&path, change(&whole)).expect("it can be written");
        refused(&["report", &into], 3, expected);
        std::fs::write(&path, whole).expect("it can be written");
        assert!(!folder.0.join("report.html").exists(), "nothing is written half");
    };
    let own = folder.0.join("summary.json").display().to_string();
    refused(&["report", &into, "-o", &own], 2, "is a file of a run; name another one by -o");
    refused(&["export", "dot", &into, "-o", &own], 2, "is a file of a run");
    let deep = format!("\"deep\":{}{},\"schema\":1", "[".repeat(300), "]".repeat(300));
    spoil("summary.json", &|text| text.replace("\"schema\":1", &deep), "is no summary of a run");
    let half = |text: &str| text[..text.len() / 2].to_owned();
    spoil("links.jsonl", &half, "links.jsonl:");
    let links = folder.0.join("links.jsonl");
    let whole = std::fs::read_to_string(&links).expect("it was written");
    std::fs::write(&links, half(&whole)).expect("it can be written");
    refused(&["export", "dot", &into], 3, "run it again");
    std::fs::write(&links, whole).expect("it can be written");
    spoil("measures.csv", &half, "measures.csv");
    spoil("distributions.csv", &half, "distributions.csv");
    spoil("peers.csv", &|text| text.replace("\n3,", "\nx,"), "peers.csv:5");
    spoil("messages.csv", &|text| text.replace("reliable,", "reliable"), "messages.csv:3");
    spoil("summary.json", &|text| text.replace("\"schema\":1", "\"schema\":2"), "schema 2");
    std::fs::remove_file(folder.0.join("measures.csv")).expect("it is there");
    refused(&["report", &into], 3, "measures.csv");
    let nothing = File::new("nothing", "");
    refused(&["report", &nothing.0.display().to_string()], 3, "nothing");
}

#[test]
fn overlays_and_stories_are_exported() {
    let folder = Folder::new("exported");
    let into = run_into(&folder, &["--trace", "peer=3 and from=9 and to=11"]);
    let trace: Value =
        serde_json::from_str(&done(&["export", "perfetto", &into])).expect("it is JSON");
    let events = trace["traceEvents"].as_array().expect("it has events");
    assert!(events.iter().any(|event| event["ph"] == "f"), "messages are arrows");
    let dot = done(&["export", "dot", &into, "--at", "12s"]);
    assert!(dot.contains(" -> ") && !dot.contains("\n  5;"), "peer 5 has crashed: {dot}");
    let graph = folder.0.join("graph.graphml").display().to_string();
    done(&["export", "graphml", &into, "-o", &graph]);
    let gexf = folder.0.join("graph.gexf").display().to_string();
    done(&["export", "gexf", &into, "-o", &gexf]);
    let script = format!(
        "import networkx\n\
         a = networkx.read_graphml({graph:?})\nb = networkx.read_gexf({gexf:?})\n\
         assert set(a) == set(b) and len(a) == 12, (len(a), len(b))\n\
         assert a.number_of_edges() == b.number_of_edges() > 20\n\
         assert networkx.is_weakly_connected(networkx.DiGraph(a))\n"
    );
    in_python("networkx", &script);
}

/// Runs a script in Python, where there is this package.
fn in_python(package: &str, script: &str) {
    let known = Command::new("python3").args(["-c", &format!("import {package}")]).output();
    if !known.is_ok_and(|known| known.status.success()) {
        return println!("passed over: there is no {package} for python3 (1 case)");
    }
    let read = Command::new("python3").args(["-c", script]).output().expect("it runs");
    assert!(read.status.success(), "{}", text(&read.stderr));
}

#[test]
fn tables_are_read_by_pandas_and_agree_with_the_summary() {
    let folder = Folder::new("tables");
    let into = run_into(&folder, &[]);
    in_python(
        "pandas",
        &format!(
            "import json, pandas\n\
             read = lambda name: pandas.read_csv(f'{into}/{{name}}')\n\
             summary = json.load(open('{into}/summary.json'))\n\
             peers, messages = read('peers.csv'), read('messages.csv')\n\
             sent = summary['messages']['sent']\n\
             assert sent == messages['sent'].sum() == peers['messages/sent'].sum() > 500\n\
             measures = read('measures.csv')\n\
             found = measures[measures['metric'] == 'neighbors/found']['sum'].sum()\n\
             assert found == summary['measures']['neighbors/found']['sum'], found\n\
             assert found == peers['neighbors/found'].sum(), found\n\
             assert len(read('distributions.csv')) > 50\n"
        ),
    );
}
