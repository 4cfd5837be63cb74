//! The files that a scenario names: matrices, regions, event lines. A run folder keeps copies of
//! them, and names large ones by path and checksum, so that its scenario runs again anywhere.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use peerlet_network::MODELS;
use peerlet_scenario::{
    Checksum, PIPE_BYTES_MAX, Problems, Rewrite, SOURCE_BYTES_MAX, Scenario, is_pipe, read_file,
};
use ring::digest::SHA256;

use crate::output::whole_file::write_whole;
use crate::run::Failure;

/// Files up to this many bytes are copied into run folders.
const COPIED_MAX: u64 = 64 << 20;
/// The most bytes of a file that a scenario names: of event lines, and of a matrix as well.
const BYTES_MAX: u64 = SOURCE_BYTES_MAX;
/// The folder in a run folder that has the copies, and nothing else.
pub(crate) const FOLDER: &str = "inputs";
/// The most characters of a file's name that its copy keeps, from the end.
const NAME_MAX: usize = 64;

/// A file that a scenario names.
struct Input {
    /// The key that names it, such as `network.file`.
    key: String,
    path: PathBuf,
    /// The content, where the scenario has read it.
    text: Option<Arc<str>>,
}

/// The files that a scenario names.
fn all(scenario: &Scenario) -> Vec<Input> {
    let base = &scenario.sources.file().base;
    let input = |key: String, name: &str, text| Input { key, path: base.join(name), text };
    let mut all = Vec::new();
    if let Some(network) = &scenario.network {
        let model = MODELS.iter().find(|model| model.name == network.model);
        let paths = model.iter().flat_map(|model| model.parameters);
        for parameter in paths.filter(|parameter| parameter.shape.contains("path")) {
            let part = network.parameters.get(parameter.name);
            let name = part.and_then(|part| scenario.sources.read::<String>(&part.raw).ok());
            all.extend(name.map(|name| input(format!("network.{}", parameter.name), &name, None)));
        }
    }
    if let Some(file) = &scenario.event_file {
        all.push(input("events.file".to_owned(), &file.name, Some(file.text.clone())));
    }
    all
}

/// Refuses a scenario one of whose files is not the one that its checksum is of.
pub(crate) fn check(scenario: &Scenario) -> Result<(), Problems> {
    let mut problems = Vec::new();
    for Checksum { key, sha256, span } in &scenario.run.sha256 {
        let problem = |message: String, help: &str| scenario.sources.problem(span, message, help);
        let Some(input) = all(scenario).into_iter().find(|input| input.key == *key) else {
            let message = format!("there is a checksum for `{key}`, which names no file");
            let help = format!("take it away, as --set run.sha256.{key}= does");
            problems.push(problem(message, &help));
            continue;
        };
        let shown = input.path.display();
        match sum_of(&input.path) {
            Ok(sum) if sum == *sha256 => {}
            Ok(sum) => {
                let message = format!(
                    "`{shown}` is not the file that this scenario was run with: its SHA-256 is \
                     {sum}, and not {sha256}"
                );
                let help =
                    format!("bring the file back, or run with this one by --set run.sha256.{key}=");
                problems.push(problem(message, &help));
            }
            Err(error) => {
                let message = format!("cannot read `{shown}`: {error}");
                let help = format!("bring the file back, or name another by --set {key}=FILE");
                problems.push(problem(message, &help).unreadable());
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

/// Keeps the files that a scenario names in its run folder, and names them there.
pub(crate) fn keep(
    scenario: &Scenario,
    folder: &Path,
    rewrite: &mut Rewrite,
) -> Result<(), Failure> {
    for input in all(scenario) {
        keep_one(&input, scenario, folder, COPIED_MAX, rewrite)?;
    }
    Ok(())
}

fn keep_one(
    input: &Input,
    scenario: &Scenario,
    folder: &Path,
    copied_max: u64,
    rewrite: &mut Rewrite,
) -> Result<(), Failure> {
    let Input { key, path, text } = input;
    let failed = |error| Failure::io(path.display())(error);
    // No path leads to the content of a pipe later, so that is copied whatever its size.
    let copied_max = if is_pipe(path) { PIPE_BYTES_MAX } else { copied_max };
    let bytes = match text {
        Some(text) => text.as_bytes().to_vec(),
        None => Arc::unwrap_or_clone(read_file(path, BYTES_MAX).map_err(failed)?),
    };
    let bytes = (bytes.len() as u64 <= copied_max).then_some(bytes);
    let checksum = format!("run.sha256.{key}");
    let Some(bytes) = bytes else {
        let absolute = std::fs::canonicalize(path).map_err(failed)?;
        let Some(name) = absolute.to_str() else {
            let shown = absolute.display();
            let message = format!("`{shown}` is too large to copy, and its path is no UTF-8");
            return Err(Failure::Io(format!("{message}; move it")));
        };
        rewrite.set_text(&checksum, &sum_of(&absolute).map_err(failed)?);
        rewrite.set_text(key, name);
        return Ok(());
    };
    let name = copy_name(key, path);
    let copies = folder.join(FOLDER);
    std::fs::create_dir_all(&copies).map_err(Failure::io(copies.display()))?;
    let copy = copies.join(&name);
    write_whole(&copy, |file| file.write_all(&bytes)).map_err(Failure::io(copy.display()))?;
    if scenario.run.sha256.iter().any(|sum| sum.key == *key) {
        rewrite.set_text(&checksum, &hex(ring::digest::digest(&SHA256, &bytes).as_ref()));
    }
    rewrite.set_text(key, &format!("{FOLDER}/{name}"));
    Ok(())
}

/// The name of a copy: no two keys have the same, and none leads out of its folder. The ending
/// stays, since it says the format.
fn copy_name(key: &str, path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let head = format!("{key}.");
    // A copy of a copy has the same name again.
    let name = name.strip_prefix(&head).unwrap_or(&name);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let plain: Vec<char> = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let end: String = plain[plain.len().saturating_sub(NAME_MAX)..].iter().collect();
    head + &end
}

fn sum_of(path: &Path) -> io::Result<String> {
    Ok(hex(ring::digest::digest(&SHA256, &read_file(path, BYTES_MAX)?).as_ref()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerlet_scenario::Source;

    #[test]
    fn names_of_copies_neither_collide_nor_escape() {
        let name = |key: &str, path: &str| copy_name(key, Path::new(path));
        for (key, path, expected) in [
            ("network.file", "../../etc/king.u16le.zst", "network.file.king.u16le.zst"),
            ("events.file", "a/\u{1b}[2J b.ev", "events.file.__2J_b.ev"),
            ("events.file", "events.file.x.ev", "events.file.x.ev"),
            ("network.file", "events.file.x.ev", "network.file.events.file.x.ev"),
            ("events.file", "..", "events.file."),
        ] {
            assert_eq!(name(key, path), expected);
        }
        let long = name("events.file", &format!("{}.u16le", "x".repeat(300)));
        assert!(long.len() < 100 && long.ends_with(".u16le"), "{long}");
    }

    #[test]
    fn a_large_file_is_named_by_path_and_checksum_and_refused_when_it_changes() {
        let folder = std::env::temp_dir().join(format!("peerlet-{}-inputs", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("lines.ev");
        std::fs::write(&path, "1 5 Peer.stop()\n").unwrap();
        let text = format!("peers = 2\nfor = \"9s\"\n[events]\nfile = \"{}\"\n", path.display());
        let parse = |text: &str| Scenario::parse(Source::new("x.toml", text), &[]).unwrap();
        let scenario = parse(&text);
        let input = all(&scenario).remove(0);
        let mut rewrite = Rewrite::new(&text, &[]).unwrap();
        keep_one(&input, &scenario, &folder, 10, &mut rewrite).unwrap();
        let again = parse(&rewrite.write());
        let before = check(&again);
        std::fs::write(&path, "1 6 Peer.stop()\n").unwrap();
        let after = check(&again).unwrap_err().to_string();
        std::fs::remove_file(&path).unwrap();
        let gone = check(&again).unwrap_err();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(before.is_ok() && !folder.join(FOLDER).exists());
        assert!(after.contains("is not the file that this scenario was run with"), "{after}");
        assert!(gone.are_unreadable(), "{gone}");
    }
}
