//! Random scenarios hold, and injected bugs are found.

use peerlet_core::Seed;
use peerlet_fuzz::{Finding, Search};
use peerlet_run::Experiment;
use peerlet_sim::InjectedBug;

/// Each bug must be found within this many scenarios.
const SCENARIOS: u64 = 200;

/// The finding of a search with this bug.
fn find(bug: InjectedBug, seed: u64) -> Option<Finding> {
    let experiment = Experiment::new("peerlet");
    let search = Search { experiment: &experiment, count: SCENARIOS, seed };
    search.run(&move |setup| setup.injected_bug = Some(bug)).finding
}

/// Checks that the bug is found, and that the finding has one of these phrases.
fn check(bug: InjectedBug, words: &[&str]) {
    let found = find(bug, 3);
    let finding = found.unwrap_or_else(|| panic!("{bug:?} was not found in {SCENARIOS} scenarios"));
    println!("{bug:?} was found by scenario {}: {}", finding.number, finding.what);
    let is_said = words.iter().any(|words| finding.what.contains(words));
    assert!(is_said, "{bug:?} was found as something else: {}", finding.what);
}

#[test]
fn a_lost_wake_up_is_found() {
    check(InjectedBug::LostWakeUp, &["did not come"]);
}

#[test]
fn a_mixed_up_life_is_found() {
    check(InjectedBug::LifeMixUp, &["by the connection of life"]);
}

#[test]
fn a_tie_that_is_broken_wrongly_is_found() {
    check(InjectedBug::WrongTieBreak, &["against the order", "out of order", "differs from"]);
}

#[test]
fn a_leaked_timer_is_found() {
    check(InjectedBug::LeakedTimer, &["a timer of life"]);
}

#[test]
fn a_double_delivery_is_found() {
    check(InjectedBug::DoubleDelivery, &["came twice", "came back twice"]);
}

#[test]
fn books_that_differ_between_engine_paths_are_found() {
    check(InjectedBug::UnevenBooks, &["differs from"]);
}

/// The seed of a test: `PEERLET_SEED` if it is set, a number or any other text.
fn seed() -> u64 {
    let given = std::env::var("PEERLET_SEED").unwrap_or("1".to_owned());
    println!("PEERLET_SEED={given}");
    // Scenarios write seeds of 63 bits.
    given.parse().unwrap_or_else(|_| Seed::new(0).named(&given).bits()) >> 1
}

#[test]
fn without_a_bug_random_scenarios_hold() {
    let experiment = Experiment::new("peerlet");
    let (count, seed) = (25, seed());
    let findings = Search { experiment: &experiment, count, seed }.run(&|_| {});
    assert_eq!(findings.finding, None);
    assert_eq!(findings.held, count);
    assert!(findings.checked > findings.events && findings.events > count, "{findings:?}");
}
