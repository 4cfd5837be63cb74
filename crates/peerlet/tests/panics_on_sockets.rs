//! Panics of a user's program on real sockets, as whoever runs it sees them.
//!
//! Called with arguments this is a program of which one peer panics; without, it is the test.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use peerlet::prelude::*;

/// Panics half a second after its start in seat 3.
#[derive(Clone)]
struct Boom;

impl Peerlet for Boom {
    const NAME: &'static str = "boom";
    type Message = u32;
    type Timer = ();

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.after(MILLISECOND * 500, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        assert!(ctx.seat() != Seat(3), "quorum lost");
    }
}

/// A folder of this test's own, removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Runs for an hour, but for the panic: the program says where it was, and writes what it reached.
fn check(world: &[&str]) {
    let name = format!("peerlet-panics-{}-{}", std::process::id(), world.join("-"));
    let folder = Folder(std::env::temp_dir().join(name));
    let output = Command::new(std::env::current_exe().expect("this program has a path"))
        .args(world)
        .args(["--peers", "5", "--for", "1h", "--seed", "7", "-o"])
        .arg(&folder.0)
        .env("BOOM", "1")
        .stdin(Stdio::null())
        .output()
        .expect("this program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (table, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(101), "{world:?}: {table}{said}");
    let place = "a panic ended the run: peer 3 (life 1), peerlet `boom`, handler `timer`, at ";
    let line = said.lines().find(|line| line.contains(place));
    let line = line.unwrap_or_else(|| panic!("{world:?}: {said}"));
    assert!(line.contains(", seed 7: quorum lost (") && line.contains("panics_on_sockets.rs:"));
    let all = format!("{said}{table}");
    assert_eq!(all.matches("quorum lost").count(), 1, "told once: {all}");
    assert!(table.contains("ended by a panic at "), "{table}");
    let summary = std::fs::read_to_string(folder.0.join("summary.json")).expect("it is written");
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("it is JSON");
    assert_eq!(summary["interrupted"], true);
    assert!(summary["panicked"].as_str().is_some_and(|told| told.contains(place)), "{summary}");
    assert!(summary["virtual_seconds"].as_f64().is_some_and(|seconds| seconds < 3_600.0));
    assert!(folder.0.join("measures.csv").exists());
}

/// A panic keeps its code where its results cannot be printed, or not be written.
fn check_unwritable(world: &[&str]) {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("it is there");
    let status = Command::new(std::env::current_exe().expect("this program has a path"))
        .args(world)
        .args(["--peers", "5", "--for", "1h", "--seed", "7"])
        .env("BOOM", "1")
        .stdin(Stdio::null())
        .stdout(full)
        .output()
        .expect("this program runs");
    let said = String::from_utf8_lossy(&status.stderr).into_owned();
    assert_eq!(status.status.code(), Some(101), "{world:?}: {said}");
    assert!(said.contains("error: standard output: "), "{world:?}: {said}");
}

fn main() -> ExitCode {
    if std::env::var_os("BOOM").is_some() {
        return Experiment::new("boom").peer(|_| Peer::new().with(Boom)).main();
    }
    let worlds: [&[&str]; 5] = [
        &["live", "--shards", "1"],
        &["live", "--shards", "2"],
        &["live", "--shards", "5", "--transport", "udp"],
        &["emulate"],
        &["emulate", "--transport", "udp"],
    ];
    for world in worlds {
        check(world);
        check_unwritable(world);
        println!("test {} ... ok", world.join(" "));
    }
    println!("\ntest result: ok. {} passed; 0 failed; 0 ignored", worlds.len());
    ExitCode::SUCCESS
}
