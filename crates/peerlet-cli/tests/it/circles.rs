//! Circles of files: files of one crate that import each other. `docs/ARCHITECTURE.md` says why
//! those that are left are natural; this holds the list.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::tidy::{root, walk};

/// The circles that are left, by crate, as sorted module paths.
const CIRCLES: &[(&str, &[&str])] = &[
    ("peerlet-cli", &["commands/determinism", "commands/random", "commands/sim"]),
    (
        "peerlet-core",
        &[
            "column",
            "context",
            "description",
            "life",
            "links",
            "location",
            "peer",
            "peerlet",
            "picks",
            "property",
            "property/view",
            "property/violation",
            "registry",
            "role",
            "task",
            "task/board",
            "task/listeners",
            "task/listening",
            "task/operation",
            "task/question",
            "task/running",
            "trust",
            "world",
        ],
    ),
    ("peerlet-fuzz", &["checker", "checker/optional_sibling", "checker/tasks"]),
    ("peerlet-live", &["connection/assembly", "connection/receiving"]),
    ("peerlet-live", &["connection/outgoing", "connection/sending"]),
    ("peerlet-live", &["fuzzing", "fuzzing/keys"]),
    ("peerlet-live", &["member/coordinator", "member/waiting"]),
    (
        "peerlet-live",
        &["shard", "shard/calls", "shard/current_event", "shard/late", "shard/pauses"],
    ),
    (
        "peerlet-measure",
        &["comparison", "comparison/decision", "comparison/distance", "comparison/row"],
    ),
    ("peerlet-measure", &["relative", "spread"]),
    (
        "peerlet-network",
        &[
            "config",
            "config/access",
            "config/layers",
            "config/loss",
            "config/models",
            "config/regions",
        ],
    ),
    ("peerlet-network", &["faults", "faults/cuts", "faults/delays", "faults/open"]),
    (
        "peerlet-network",
        &["matrix", "matrix/edges", "matrix/error", "matrix/lines", "matrix/pairs", "matrix/read"],
    ),
    ("peerlet-network", &["model", "seat_states"]),
    ("peerlet-overlay", &["bootstrap", "bootstrap/introducers"]),
    ("peerlet-overlay", &["neighbors", "neighbors/known_peers"]),
    ("peerlet-run", &["on_sockets", "results"]),
    ("peerlet-scenario", &["call", "problem", "source"]),
    ("peerlet-sim", &["books", "sim_world"]),
    ("peerlet-sim", &["digest", "trace"]),
    ("peerlet-sim", &["outbox", "worker_state"]),
];

/// The path of a module within its crate; that of `lib.rs` is empty.
type Module = Vec<String>;

/// The modules of a crate, each with those that it imports. Tests at the end of a file do not
/// count, nor does what comes from the crate's root.
fn imports(src: &Path) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut paths = Vec::new();
    walk(src, &mut paths);
    let module = |path: &Path| {
        let inner = path.strip_prefix(src).expect("it is below the crate").with_extension("");
        let mut parts: Module =
            inner.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            parts.pop();
        }
        parts
    };
    let modules: BTreeSet<Module> = paths.iter().map(|path| module(path)).collect();
    let mut found = BTreeMap::new();
    for path in &paths {
        let (own, source) = (module(path), std::fs::read_to_string(path).expect("it is text"));
        let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let code: String = code
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default())
            .flat_map(|line| [line, " "])
            .collect();
        let mut used = BTreeSet::new();
        for import in code.split("use ").skip(1).filter_map(|rest| rest.split(';').next()) {
            let import: String = import.chars().filter(|c| !c.is_whitespace()).collect();
            used.extend(expanded(&import).iter().filter_map(|path| target(path, &own, &modules)));
        }
        used.remove(&own);
        used.remove(&Module::new());
        found.insert(own, used);
    }
    found.remove(&Module::new());
    found
}

/// The single paths of an import with braces.
fn expanded(import: &str) -> Vec<String> {
    let Some((head, rest)) = import.split_once('{') else { return vec![import.to_owned()] };
    let inner = rest.strip_suffix('}').unwrap_or(rest);
    let (mut depth, mut parts) = (0_i32, vec![String::new()]);
    for character in inner.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("there is one").push(character);
    }
    let parts = parts.iter().filter(|part| !part.is_empty());
    parts.flat_map(|part| expanded(&format!("{head}{part}"))).collect()
}

/// The module that a path leads to, as far as it leads to one of this crate.
fn target(path: &str, own: &Module, modules: &BTreeSet<Module>) -> Option<Module> {
    let mut parts: Vec<String> = path.split("::").map(str::to_owned).collect();
    let mut base = own.clone();
    match parts.first()?.as_str() {
        "crate" => {
            base.clear();
            parts.remove(0);
        }
        "self" => drop(parts.remove(0)),
        "super" => {
            while parts.first().is_some_and(|part| part == "super") {
                base.pop();
                parts.remove(0);
            }
        }
        child => {
            let is_child = modules.contains(&[own.as_slice(), &[child.to_owned()]].concat());
            is_child.then_some(())?;
        }
    }
    let full = [base, parts].concat();
    (0..=full.len()).rev().map(|len| full[..len].to_vec()).find(|path| modules.contains(path))
}

/// The groups of modules that reach each other.
fn circles(imports: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<Vec<String>> {
    let reached = |from: &Module| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = next.pop() {
            for used in imports.get(&module).into_iter().flatten() {
                if seen.insert(used.clone()) {
                    next.push(used.clone());
                }
            }
        }
        seen
    };
    let all: BTreeMap<&Module, BTreeSet<Module>> =
        imports.keys().map(|module| (module, reached(module))).collect();
    let mut found = BTreeSet::new();
    for (module, reached) in &all {
        let group =
            reached.iter().filter(|other| all.get(other).is_some_and(|r| r.contains(*module)));
        let group: Vec<String> = group.map(|module| module.join("/")).collect();
        if group.len() > 1 {
            found.insert(group);
        }
    }
    found
}

#[test]
fn files_import_each_other_only_where_that_is_natural() {
    let (mut left, mut crates) = (BTreeSet::new(), 0);
    for entry in std::fs::read_dir(root().join("crates")).expect("the crates are there") {
        let folder = entry.expect("an entry can be read").path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if ["peerlet-bench", "peerlet-fuzz-targets"].contains(&name.as_str()) {
            continue;
        }
        crates += 1;
        let found = circles(&imports(&folder.join("src")));
        left.extend(found.into_iter().map(|circle| (name.clone(), circle)));
    }
    assert!(crates >= 13, "only {crates} crates were found");
    let known = CIRCLES.iter().map(|(name, circle)| {
        ((*name).to_owned(), circle.iter().map(|module| (*module).to_owned()).collect())
    });
    let known: BTreeSet<(String, Vec<String>)> = known.collect();
    let new: Vec<_> = left.difference(&known).collect();
    let gone: Vec<_> = known.difference(&left).collect();
    assert!(new.is_empty(), "circles of files; move what both sides need below them: {new:#?}");
    assert!(gone.is_empty(), "these circles are gone; take them off the list: {gone:#?}");
}
