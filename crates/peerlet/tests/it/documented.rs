//! The networks and event lines that docs/SCENARIOS.md shows, with the files that it shows: each of
//! them can run.

use std::fs;
use std::path::{Path, PathBuf};

use peerlet::network::{CALLS, LAYERS, MODELS};
use peerlet::prelude::*;
use peerlet::scenario::Source;
use peerlet::{Plan, World};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/SCENARIOS.md");
    fs::read_to_string(path).expect("the page is there")
}

/// The blocks of a page, with what stands behind their fence.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let fences = page.split("\n```").skip(1).step_by(2);
    fences.filter_map(|block| block.split_once('\n')).collect()
}

#[test]
fn networks_of_the_page_can_run() {
    let page = page();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("documented");
    fs::create_dir_all(&folder).expect("tests may write there");
    let (mut files, mut networks) = (0, 0);
    for (kind, text) in blocks(&page) {
        if let Some(name) = kind.strip_prefix("csv ") {
            fs::write(folder.join(name), text).expect("tests may write there");
            files += 1;
        }
        let is_run = ["[network]", "Network.", "[events]", "[[event]]", "[seats]"];
        if kind != "toml" || !is_run.iter().any(|part| text.contains(part)) {
            continue;
        }
        let peers = if text.contains("\"matrix\"") { 3 } else { 100 };
        let head = match text.starts_with("peers = ") {
            true => String::new(),
            false => format!("peers = {peers}\nfor = \"10m\"\n"),
        };
        let stack = "\n[stack]\nbootstrap = {}\nneighbors = {}\nrouter = {}\n";
        let mut source = Source::new("the page", format!("{head}{text}{stack}"));
        source.base = folder.clone();
        let plan = Plan::new(&Experiment::new("page"), source, &[], World::Sim);
        let plan = plan.unwrap_or_else(|problems| panic!("{text}\n{problems}"));
        assert!(plan.model(&Experiment::new("page")).is_ok());
        networks += 1;
    }
    assert!(files >= 4 && networks >= 8, "{files} files and {networks} networks were found");
}

#[test]
fn the_page_has_every_model_layer_and_call() {
    let page = page();
    for model in MODELS {
        assert!(page.contains(&format!("| `{}` |", model.name)), "{}", model.name);
        for parameter in model.parameters {
            assert!(page.contains(&format!("`{}`", parameter.name)), "{}", parameter.name);
        }
    }
    for layer in LAYERS {
        assert!(page.contains(&format!("| `{}` |", layer.name)), "{}", layer.name);
    }
    for call in CALLS {
        assert!(page.contains(&format!("`{}(", call.name)), "{}", call.name);
    }
}
