//! The files that a run folder keeps of its scenario: copies of the small ones, the path and
//! checksum of the large ones, so that the scenario runs again anywhere.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use peerlet_run::inputs::{BYTES_MAX, Input, all, sha256, sum_of};
use peerlet_scenario::{PIPE_BYTES_MAX, Rewrite, Scenario, is_pipe, read_file};

use crate::run_folder::error::FolderError;
use crate::run_folder::whole_file::write_whole;

/// Files up to this many bytes are copied into run folders.
const COPIED_MAX: u64 = 64 << 20;
/// The folder in a run folder that has the copies, and nothing else.
pub const FOLDER: &str = "inputs";
/// The most characters of a file's name that its copy keeps, from the end.
const NAME_MAX: usize = 64;

/// Keeps the files that a scenario names in its run folder, and names them there.
pub fn keep(scenario: &Scenario, folder: &Path, rewrite: &mut Rewrite) -> Result<(), FolderError> {
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
) -> Result<(), FolderError> {
    let Input { key, path, text } = input;
    let failed = |error| FolderError::io(path.display())(error);
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
            return Err(FolderError::Io(format!("{message}; move it")));
        };
        rewrite.set_text(&checksum, &sum_of(&absolute).map_err(failed)?);
        rewrite.set_text(key, name);
        return Ok(());
    };
    let name = copy_name(key, path);
    let copies = folder.join(FOLDER);
    std::fs::create_dir_all(&copies).map_err(FolderError::io(copies.display()))?;
    let copy = copies.join(&name);
    write_whole(&copy, |file| file.write_all(&bytes)).map_err(FolderError::io(copy.display()))?;
    if scenario.run.sha256.iter().any(|sum| sum.key == *key) {
        rewrite.set_text(&checksum, &sha256(&bytes));
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

#[cfg(test)]
mod tests {
    use super::*;
    use peerlet_run::inputs::check;
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
