//! The check for determinism, tested on peerlets that break the rule on purpose.
//!
//! The check starts its own program a second time, so this test is a program: called with
//! arguments it is the experiment, without it is the test of all of them.
#![allow(clippy::disallowed_types, reason = "these peerlets do what must be found")]

use std::collections::HashMap;
use std::process::{Command, ExitCode};
use std::time::SystemTime;

use peerlet::prelude::*;

/// How a peerlet chooses the order in which it greets others.
#[derive(Clone, Copy)]
enum Choice {
    /// By its own randomness: as it should be.
    Rng,
    /// By the order of a map that is seeded at random.
    RandomMap,
    /// By the system's clock.
    SystemClock,
    /// By where its values lie in memory.
    Pointer,
}

const CHOICES: [(&str, Choice); 4] = [
    ("rng", Choice::Rng),
    ("random_map", Choice::RandomMap),
    ("system_clock", Choice::SystemClock),
    ("pointer", Choice::Pointer),
];

/// Greets all others in some order, every second.
#[derive(Clone)]
struct Greeter(Choice);

impl Peerlet for Greeter {
    const NAME: &'static str = "greeter";
    type Message = u32;
    type Timer = ();

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.every(SECOND, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let mut others: Vec<u32> = (0..ctx.seats().count()).collect();
        match self.0 {
            Choice::Rng => ctx.rng().shuffle(&mut others),
            Choice::RandomMap => {
                let map: HashMap<u32, ()> = others.iter().map(|seat| (*seat, ())).collect();
                others = map.into_keys().collect();
            }
            Choice::SystemClock => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                let now = now.expect("it is later than 1970");
                others.rotate_left(now.subsec_nanos() as usize / 1_000 % 16);
            }
            Choice::Pointer => {
                let mut boxes: Vec<Box<u32>> = others.iter().map(|seat| Box::new(*seat)).collect();
                // As a table keyed by addresses would.
                boxes.sort_by_key(|seat| (&raw const **seat as usize >> 4) % 61);
                others = boxes.into_iter().map(|seat| *seat).collect();
            }
        }
        for (place, seat) in (0..).zip(others) {
            if let Some(address) = ctx.seats().address(Seat(seat)) {
                ctx.send(address, place);
            }
        }
    }
}

fn experiment(name: &str) -> ExitCode {
    let (_, choice) = CHOICES.into_iter().find(|(known, _)| *known == name).expect("a known name");
    Experiment::new("greeter").peer(move |_| Peer::new().with(Greeter(choice))).main()
}

/// Runs the check on one choice; returns its exit code and what it said.
fn check(choice: &str) -> (Option<i32>, String) {
    let output = Command::new(std::env::current_exe().expect("this program has a path"))
        .args(["sim", "--peers", "16", "--for", "5s", "--check-determinism"])
        .env("GREETER", choice)
        .output()
        .expect("this program runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn main() -> ExitCode {
    if let Ok(choice) = std::env::var("GREETER") {
        return experiment(&choice);
    }
    for (choice, _) in CHOICES {
        let (code, said) = check(choice);
        let expected = if choice == "rng" { Some(0) } else { Some(4) };
        assert_eq!(code, expected, "{choice}: {said}");
        let names = said.contains("nondeterminism: event ") && said.contains("second run: deliver");
        assert_eq!(names, choice != "rng", "{choice}: {said}");
        println!("test {choice} ... ok");
    }
    println!("\ntest result: ok. {} passed; 0 failed; 0 ignored", CHOICES.len());
    ExitCode::SUCCESS
}
