//! Properties as users meet them: faults planted in a program, found in every world.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::examples::examples;

fn run(program: &Path, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn forgetful() -> PathBuf {
    examples().join("forgetful")
}

#[test]
fn a_ring_that_forgets_is_found_and_the_command_that_it_says_shows_the_state() {
    let program = forgetful();
    let output = run(&program, &["sim", "--peers", "20", "--for", "60s", "-q"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let expected = "FAILED always ring/nobody forgets: at 21s: it does not hold of 20 peers \
                    (21 checks)\n         peer 0: it has heard its predecessor, and has none\n";
    assert!(said.contains(expected), "{said}");
    assert!(said.contains("         and 10 more\n"), "{said}");
    // Three peers have their states beside them.
    assert_eq!(said.matches("           ring: between nobody and ").count(), 3, "{said}");
    assert!(said.contains("held   eventually ring/all have a predecessor: first at 2 s"), "{said}");
    let never = "never  sometimes ring/somebody was heard a thousand times: it never held";
    assert!(said.contains(never), "{said}");
    // The line begins with the program's own path.
    let again = said.lines().find_map(|line| line.strip_prefix("again, up to there: "));
    let again = again.unwrap_or_else(|| panic!("no command is said: {said}"));
    let (_, arguments) = again.split_once(" sim ").expect("it simulates");
    let arguments: Vec<&str> = ["sim"].into_iter().chain(arguments.split(' ')).collect();
    assert!(arguments.contains(&"--until") && arguments.contains(&"21s"), "{again}");
    let output = run(&program, &arguments);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("peer 3: running, life 1\n  ring: between nobody and "), "{said}");
    assert!(said.contains("stopped at 21s of 60s"), "{said}");
}

#[test]
fn a_ring_that_forgets_is_found_on_sockets_and_what_needs_all_peers_is_left_out_with_a_word() {
    let program = forgetful();
    let worlds = ["live", "emulate"];
    let runs = worlds.map(|world| {
        let mut command = Command::new(&program);
        command.args([world, "--peers", "4", "--for", "23s", "--json", "-q"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs")
    });
    for (world, running) in worlds.into_iter().zip(runs) {
        found_on_sockets(world, &running.wait_with_output().expect("it ends"));
    }
    let output = run(&program, &["live", "--peers", "2", "--for", "3s", "-q"]);
    let said = text(&output.stdout);
    let skipped = "not checked: ring/all have a predecessor: it looks at all peers at once";
    assert!(said.contains(skipped), "{said}");
}

/// Checks what a run in this world says of the ring that forgets.
fn found_on_sockets(world: &str, output: &Output) {
    let said = text(&output.stderr);
    // A machine that was too busy makes an emulation void; what was found was found.
    assert!(matches!(output.status.code(), Some(1 | 5)), "{world}: {said}");
    let run: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let properties = run["properties"].as_array().expect("a list");
    assert_eq!(properties.len(), 2, "{run}");
    let forgets = &properties[0];
    assert_eq!(forgets["name"], "ring/nobody forgets");
    assert_eq!(forgets["verdict"], "failed");
    let at = forgets["failed_at"].as_f64().expect("an instant");
    assert!((19.0..=23.0).contains(&at), "{world}: {forgets}");
    assert!(!forgets["peers"].as_array().expect("a list").is_empty(), "{world}: {forgets}");
    let state = forgets["states"][0][1]["ring"].as_str().expect("its state is there");
    assert!(state.starts_with("between nobody and "), "{world}: {forgets}");
    assert_eq!(properties[1]["verdict"], "never", "{world}: {run}");
}
