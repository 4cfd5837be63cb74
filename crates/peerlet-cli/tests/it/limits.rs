//! Limits of the system: what cannot be had is said, with its remedy, and nothing waits for it.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::command::{root, text};

/// Long enough for the slowest machine; whoever takes longer waits for ever.
const PATIENCE: &str = "60";

/// A scenario that takes no time to speak of.
const SHORT: &[&str] = &["--peers=20", "--for=1s", "--set=stack.bootstrap={}", "-q"];

/// Runs the command under a limit of the shell's, as a user of its own where one is given.
fn limited(limit: &str, user: Option<u32>, program: &str, arguments: &[&str]) -> Output {
    let become_user = match user {
        Some(user) => format!("setpriv --reuid={user} --clear-groups "),
        None => String::new(),
    };
    let script = format!("ulimit {limit} && exec timeout -s KILL {PATIENCE} \"$@\"");
    let shell = ["bash", "-c", &script, "limited"];
    let prefix: Vec<&str> = become_user.split_whitespace().collect();
    let words: Vec<&str> = [&prefix[..], &shell, &[program], arguments].concat();
    Command::new(words[0])
        .args(&words[1..])
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .expect("there is a shell")
}

/// A copy of the command that any user can run, removed at the end.
struct Copy(PathBuf);

impl Copy {
    fn new() -> Copy {
        let folder = std::env::temp_dir().join(format!("peerlet-limits-{}", std::process::id()));
        std::fs::create_dir(&folder).expect("the temporary folder can be written to");
        let copy = Copy(folder);
        std::fs::copy(env!("CARGO_BIN_EXE_peerlet"), copy.program()).expect("it can be copied");
        copy
    }

    fn program(&self) -> PathBuf {
        self.0.join("peerlet")
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A file that a full disk cut short has no name that anybody takes for a whole one. The limit of a
/// file's size stands for the disk.
#[test]
fn files_that_cannot_be_written_leave_nothing() {
    let folder = crate::secret::Folder::new("full-disk");
    let program = env!("CARGO_BIN_EXE_peerlet");
    let run = |limit: &str, name: &str| {
        let to = folder.path(name);
        let script = format!("ulimit -f {limit} && exec \"$@\"");
        let options =
            ["scenarios/first.toml", "--peers=60", "--for=12s", "--trace", "-q", "-o", &to];
        let output = Command::new("bash")
            .args(["-c", &script, "limited", program, "sim"])
            .args(options)
            .current_dir(root())
            .output()
            .expect("there is a bash");
        let mut files = std::collections::BTreeMap::new();
        // A run that could not begin takes its folder back.
        for entry in std::fs::read_dir(&to).into_iter().flatten() {
            let path = entry.expect("it can be read").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            files.insert(name, std::fs::read(path).expect("it can be read"));
        }
        (output, files)
    };
    let (output, whole) = run("unlimited", "whole");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let sizes = whole.values().map(Vec::len);
    // Each limit, in kibibytes, cuts another file short.
    let mut limits: Vec<usize> = sizes.map(|size| size / 1024).filter(|kib| *kib > 0).collect();
    limits.sort_unstable();
    limits.dedup();
    assert!(limits.len() > 2, "{limits:?}");
    for limit in [0].into_iter().chain(limits) {
        let (output, files) = run(&limit.to_string(), &format!("limit {limit}"));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{limit}: {said}");
        assert!(said.contains("File too large"), "{limit}: {said}");
        assert!(!files.contains_key("summary.json"), "{limit}");
        for (name, content) in files {
            assert!(whole.get(&name) == Some(&content), "{limit}: {name} is cut short");
        }
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    let has_setpriv = Command::new("setpriv").arg("--version").output().is_ok();
    has_setpriv && output.is_ok_and(|output| text(&output.stdout).trim() == "0")
}

/// A limit of threads counts all that a user has, and root has none: so this needs a user of its
/// own, and root to become one.
#[test]
fn threads_that_cannot_be_started_are_an_error() {
    let commands: [(&str, &[&str]); 8] = [
        ("3", &["sim", "--threads=8"]),
        ("2", &["sim"]),
        ("3", &["sim", "--seeds=1..2", "--threads=8"]),
        ("2", &["sim", "--check-determinism"]),
        ("2", &["sim", "--random=1"]),
        ("3", &["live"]),
        ("3", &["emulate"]),
        ("3", &["fidelity", "--seeds=1..2"]),
    ];
    if !is_root() {
        return println!("passed over: not root, or no setpriv ({} cases)", commands.len());
    }
    let copy = Copy::new();
    let program = copy.program();
    let program = program.to_str().expect("a plain path");
    for (i, (threads, arguments)) in (0..).zip(commands) {
        // A user whose threads nobody else counts.
        let user = 100_000 + std::process::id() % 100_000 * 10 + i;
        let more: &[&str] = if arguments.contains(&"--random=1") { &[] } else { SHORT };
        let all = [arguments, more].concat();
        let output = limited(&format!("-u {threads}"), Some(user), program, &all);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {said}");
        assert!(said.starts_with("error: "), "{arguments:?}: {said}");
        assert!(said.contains("`ulimit -u`"), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
}

#[test]
fn descriptors_that_cannot_be_had_are_an_error() {
    let commands: [(&str, i32, &[&str]); 5] = [
        ("5", 3, &["sim"]),
        ("5", 3, &["live"]),
        ("12", 3, &["live", "--shards=20"]),
        ("30", 3, &["live", "--shards=20"]),
        ("30", 2, &["emulate"]),
    ];
    for (files, code, arguments) in commands {
        let all = [arguments, SHORT].concat();
        let output = limited(&format!("-n {files}"), None, env!("CARGO_BIN_EXE_peerlet"), &all);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{files} {arguments:?}: {said}");
        assert!(said.contains("`ulimit -n"), "{files} {arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{files} {arguments:?}: {said}");
    }
}
