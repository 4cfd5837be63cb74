//! The rules of the house, as tests with named errors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The floor of each crate: a crate uses crates of lower floors only. The foundation, where the
/// unsafe code and the macros are, lies below all of them.
const FLOORS: &[(&str, i32)] = &[
    ("peerlet-macros", -1),
    ("peerlet-memory", -1),
    ("peerlet-core", 0),
    ("peerlet-network", 1),
    ("peerlet-measure", 1),
    ("peerlet-scenario", 1),
    ("peerlet-overlay", 1),
    ("peerlet-sim", 2),
    ("peerlet-live", 2),
    ("peerlet-run", 3),
    ("peerlet-report", 4),
    ("peerlet-fuzz", 4),
    ("peerlet-cli", 5),
    ("peerlet", 6),
    ("peerlet-conformance", 7),
];

/// Crates that know no I/O beyond files and no runtime of threads.
const WITHOUT_TOKIO: &[&str] = &[
    "peerlet-macros",
    "peerlet-memory",
    "peerlet-core",
    "peerlet-network",
    "peerlet-measure",
    "peerlet-scenario",
    "peerlet-overlay",
    "peerlet-sim",
    "peerlet-fuzz",
];

/// Words that name no thing: a file of this name has no duty of its own.
const NAMELESS: &[&str] = &["utils", "util", "common", "types", "helpers", "helper", "misc"];

const LINES_MAX: usize = 600;
const COLUMNS_MAX: usize = 100;

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the root is there")
}

/// The packages of the workspace in a folder, as Cargo describes them.
pub(crate) fn packages_of(folder: &Path) -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(folder)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    metadata["packages"].as_array().expect("there are packages").clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

#[test]
fn crates_use_lower_floors_only() {
    let floors: BTreeMap<_, _> = FLOORS.iter().copied().collect();
    let mut errors = Vec::new();
    let packages = packages_of(&root());
    assert!(packages.len() >= 9, "only {} crates were found", packages.len());
    for package in &packages {
        let name = text(&package["name"]);
        let Some(floor) = floors.get(name) else {
            errors.push(format!("crate-without-floor: `{name}`; give it one in tidy.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("dependencies are a list") {
            let on = text(&dependency["name"]);
            if on == "tokio" && WITHOUT_TOKIO.contains(&name) {
                errors.push(format!("runtime-below-its-floor: `{name}` depends on tokio"));
            }
            let Some(other) = floors.get(on) else { continue };
            let dev = text(&dependency["kind"]) == "dev";
            // An unversioned path is never published, so dev-dependencies may run in a circle.
            let upward_for_tests = dev && matches!(text(&dependency["req"]), "*");
            if other >= floor && !(upward_for_tests && (on == "peerlet-sim" || *floor == 7)) {
                errors.push(format!("floor: `{name}` ({floor}) uses `{on}` ({other})"));
            }
        }
    }
    assert!(errors.is_empty(), "{errors:#?}");
}

/// A program that only simulates builds neither a runtime of threads nor a command line.
#[test]
fn the_library_without_features_is_lean() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "peerlet", "--no-default-features", "--edges", "normal"])
        .args(["--prefix", "none", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("names of crates are text");
    let crates: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(crates.contains(&"peerlet-sim"), "{crates:?}");
    for heavy in ["tokio", "clap", "quinn", "rustls", "tracing-subscriber"] {
        assert!(!crates.contains(&heavy), "`peerlet` without features depends on {heavy}");
    }
}

/// All sources below a folder.
pub(crate) fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            if !path.ends_with("target") {
                walk(&path, files);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn files_are_short_and_named_for_their_duty() {
    let (root, mut files, mut errors) = (root(), Vec::new(), Vec::new());
    walk(&root.join("crates"), &mut files);
    walk(&root.join("examples"), &mut files);
    assert!(files.len() > 100, "only {} files were found", files.len());
    for path in files {
        let source = std::fs::read_to_string(&path).expect("a source can be read");
        let shown = path.strip_prefix(&root).expect("it is below the root").display();
        // Tables are data.
        let is_table = path.components().any(|c| c.as_os_str() == "tables");
        let lines = source.lines().count();
        if lines > LINES_MAX && !is_table {
            errors.push(format!("file-too-long: {shown}: {lines} lines; split it by duty"));
        }
        // What a test expects to be printed is as wide as it is printed.
        let printed = |line: &str| line.contains("SCENARIO:");
        let is_wide = |line: &str| line.chars().count() > COLUMNS_MAX && !printed(line);
        let wide = source.lines().position(is_wide);
        if let (Some(line), false) = (wide, is_table) {
            errors.push(format!("line-too-wide: {shown}:{}", line + 1));
        }
        if !source.starts_with("//!") && !source.starts_with("#![") {
            errors.push(format!("file-without-header: {shown}; say what it is for"));
        }
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or("");
        if NAMELESS.contains(&stem) {
            errors.push(format!("nameless-file: {shown}; name it for its duty"));
        }
        if path.ends_with("src/lib.rs") && source.lines().any(|l| l.starts_with("fn ")) {
            errors.push(format!("logic-in-lib: {shown}"));
        }
    }
    assert!(errors.is_empty(), "{errors:#?}");
}
