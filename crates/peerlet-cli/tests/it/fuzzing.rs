//! The fuzz targets on a stable toolchain: their kept inputs as they are, and a short run of
//! damaged ones. `docs/FUZZING.md` describes the long runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use peerlet_core::{Rng, Seed};

/// One check; the second argument tells how many bytes this thread has allocated so far. Where
/// nobody counts, it is always zero.
type Check = fn(&[u8], fn() -> usize);

/// The longest input that is tried.
const LEN_MAX: usize = 4096;

/// The kept inputs of a target, in the order of their names.
fn kept(target: &str) -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../peerlet-fuzz-targets/corpus");
    let folder = std::fs::read_dir(corpus.join(target)).expect("each target has kept inputs");
    let mut paths: Vec<_> = folder.map(|entry| entry.expect("it can be read").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("an input can be read")).collect()
}

/// One kept input with pieces changed, taken out, doubled, or put in from another one.
fn damaged(rng: &mut Rng, kept: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = rng.choose(kept).cloned().unwrap_or_default();
    for _ in 0..=rng.below(5) {
        let at = rng.index(bytes.len() + 1);
        let end = (at + rng.index(16)).min(bytes.len());
        match rng.below(6) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let copy = bytes[at..end].to_vec();
                let to = rng.index(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            2 => {
                let other = rng.choose(kept).expect("there are some");
                let from = rng.index(other.len() + 1);
                let to = (from + rng.index(64)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            3 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            _ if at < bytes.len() => bytes[at] = rng.below(256) as u8,
            _ => bytes.push(rng.below(256) as u8),
        }
    }
    bytes.truncate(LEN_MAX);
    bytes
}

/// Runs a target over its kept inputs and a number of damaged ones.
fn fuzz(target: &str, check: Check, rounds: u64) {
    let run = |bytes: &[u8], what: &str| {
        let outcome = catch_unwind(AssertUnwindSafe(|| check(bytes, || 0)));
        assert!(outcome.is_ok(), "{target}, {what}: {}", bytes.escape_ascii());
    };
    let kept = kept(target);
    assert!(kept.len() >= 10, "only {} inputs are kept", kept.len());
    for bytes in &kept {
        run(bytes, "a kept input");
    }
    // A number or a commit hash, as it comes.
    let seed = std::env::var("PEERLET_SEED").unwrap_or_else(|_| "1".to_owned());
    for round in 0..rounds {
        let mut rng = Seed::new(1).named(&seed).named(target).at(round).rng();
        run(&damaged(&mut rng, &kept), &format!("PEERLET_SEED={seed}, round {round}"));
    }
}

#[test]
fn frames() {
    fuzz("frames", peerlet_live::fuzzing::frames, 2_000);
}

#[test]
fn control_messages() {
    fuzz("control", peerlet_live::fuzzing::control, 2_000);
}

#[test]
fn keys() {
    fuzz("keys", peerlet_live::fuzzing::keys, 5_000);
}

#[test]
fn matrices() {
    fuzz("matrices", peerlet_network::fuzzing::matrices, 2_000);
}

#[test]
fn scenarios() {
    fuzz("scenarios", peerlet_run::fuzzing::scenarios, 150);
}

#[test]
fn run_folders() {
    fuzz("run_folders", peerlet_report::fuzzing::run_folders, 1_000);
}

/// The targets, the programs that fuzz them and the kept inputs go together.
#[test]
fn each_target_has_a_program() {
    let targets =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../peerlet-fuzz-targets/fuzz_targets");
    let mut programs: Vec<String> = std::fs::read_dir(targets)
        .expect("the programs are there")
        .map(|entry| entry.expect("it can be read").path())
        .map(|path| path.file_stem().expect("it has a name").to_string_lossy().into_owned())
        .collect();
    programs.sort();
    assert_eq!(
        programs,
        ["control", "frames", "keys", "matrices", "run_folders", "scenarios"],
        "give a new program a test here"
    );
}
