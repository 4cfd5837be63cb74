//! The report of a panic in a handler.
//!
//! This test is a program, since a panic ends one: called with arguments it is the experiment,
//! without it is the test of it.

use std::process::{Command, ExitCode};

use peerlet::prelude::*;

/// Panics in one seat, at some second, of some seeds.
#[derive(Clone)]
struct Falters;

const FALTERS: Seat = Seat(5);

impl Peerlet for Falters {
    const NAME: &'static str = "falters";
    type Message = Nothing;
    type Timer = ();

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.every(SECOND, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let is_its_time = ctx.now() >= Time::ZERO + SECOND * 2 && ctx.seat() == FALTERS;
        let wants = std::env::var("FALTERS").unwrap_or_default();
        assert!(!(is_its_time && wants == "always"), "it falters \x1b[31m");
        // This happens with some seeds only.
        assert!(
            !(is_its_time && wants == "by seed" && ctx.rng().chance(0.2)),
            "it falters by seed"
        );
    }
}

fn run(wants: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.args(["sim", "--peers", "8", "--for", "4s"]).args(arguments);
    ended(command, wants)
}

fn ended(mut command: Command, wants: &str) -> (Option<i32>, String, String) {
    let output = command
        .env("FALTERS", wants)
        .env_remove("RUST_BACKTRACE")
        .output()
        .expect("this program runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// One report, with any number of threads and with the check for determinism.
fn a_panic_is_reported_once() {
    let ways: [&[&str]; 4] =
        [&[], &["--threads", "3"], &["--reference"], &["--check-determinism", "--threads", "2"]];
    for more in ways {
        let (code, printed, said) = run("always", &[&["--seed", "7"], more].concat());
        assert_eq!((code, printed.as_str()), (Some(101), ""), "{said}");
        for words in [
            "error: a handler panicked: it falters \\u{1b}[31m (",
            "panics.rs:",
            "  seat 5, life 1, peerlet `falters`, handler `timer`, at 2.",
            "s, seed 7\n  again: ",
            " --seed 7",
        ] {
            assert_eq!(said.matches(words).count(), 1, "{words:?} in {said}");
        }
        assert!(!said.contains('\x1b') && !said.contains("--second-run"), "{said}");
        assert_eq!(said.lines().count(), 3, "{said}");
    }
}

/// With several seeds the message says which one it was, and how to see it again.
fn a_panic_says_its_seed() {
    let (code, _, said) = run("by seed", &["--seeds", "1..40"]);
    assert_eq!(code, Some(101), "{said}");
    let seed = said.split("error: seed ").nth(1).and_then(|rest| rest.split(':').next());
    let seed = seed.unwrap_or_else(|| panic!("no seed is named: {said}"));
    assert!(said.contains(&format!("s, seed {seed}\n")), "{said}");
    assert!(said.ends_with(&format!(" --seed {seed}\n")), "{said}");
    assert!(!said.contains("--seeds"), "{said}");
    let (code, _, alone) = run("by seed", &["--seed", seed]);
    assert_eq!(code, Some(101), "{alone}");
    assert!(alone.contains("it falters by seed"), "{alone}");
}

/// The command in the message does the same in a shell.
fn the_command_that_repeats_it_can_be_pasted() {
    let program = || std::env::current_exe().expect("this program has a path");
    let [mut sim, mut fidelity] = [(); 2].map(|()| Command::new(program()));
    sim.args(["sim", "--peers", "8", "--for", "4s", "--seeds", "3..4"]);
    fidelity.args(["fidelity", "--peers", "8", "--for", "4s", "--seeds", "3..4"]);
    for (command, ending) in [(sim, " --seed 3\n"), (fidelity, " --seeds 3..3\n")] {
        let (code, _, said) = ended(command, "always");
        assert_eq!(code, Some(101), "{said}");
        let (_, again) = said.rsplit_once("again: ").expect("there is a command");
        assert!(again.ends_with(ending), "{said}");
        let mut shell = Command::new("sh");
        shell.args(["-c", again]);
        let (code, _, repeated) = ended(shell, "always");
        assert_eq!(code, Some(101), "{repeated}");
        assert!(repeated.contains("s, seed 3\n"), "{repeated}");
    }
}

fn nothing_is_said_without_one() {
    let (code, printed, said) = run("never", &["-q"]);
    assert_eq!((code, said.as_str()), (Some(0), ""), "{printed}");
}

fn main() -> ExitCode {
    if std::env::var_os("FALTERS").is_some() {
        return Experiment::new("falters").peer(|_| Peer::new().with(Falters)).main();
    }
    let tests: [(&str, fn()); 4] = [
        ("a_panic_is_reported_once", a_panic_is_reported_once),
        ("a_panic_says_its_seed", a_panic_says_its_seed),
        ("the_command_that_repeats_it_can_be_pasted", the_command_that_repeats_it_can_be_pasted),
        ("nothing_is_said_without_one", nothing_is_said_without_one),
    ];
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
    println!("\ntest result: ok. {} passed; 0 failed; 0 ignored", tests.len());
    ExitCode::SUCCESS
}
