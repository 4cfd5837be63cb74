//! Damaged scenarios are refused or read, and never cause a panic.

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Rng, Seat, Seed, Time};
use peerlet_scenario::{Override, Scenario, Source, Timeline, format_scenario};

const SCENARIO: &str = include_str!("fuzz.toml");

/// Pieces that mean something somewhere.
const PIECES: [&str; 27] = [
    "\"", "'''", "[", "]]", "{", "}", "=", ".", ",", "\n", "\r\n", "#", "%", "*", "-", "0", "9",
    "é", "(", ")", "\\", "Peer.", "inf", "ms", "$", " of ", "every ",
];

/// The text with one to five pieces taken out, doubled or put in.
fn damaged(rng: &mut Rng) -> String {
    let mut text: Vec<char> = SCENARIO.chars().collect();
    for _ in 0..=rng.below(5) {
        let at = rng.index(text.len());
        let end = (at + 1 + rng.index(12)).min(text.len());
        match rng.below(4) {
            0 => drop(text.drain(at..end)),
            1 => {
                let copy = text[at..end].to_vec();
                let to = rng.index(text.len());
                text.splice(to..to, copy);
            }
            2 => {
                let piece = rng.choose(&PIECES).copied().unwrap_or_default();
                text.splice(at..at, piece.chars());
            }
            _ => text.swap(at, end - 1),
        }
    }
    text.into_iter().collect()
}

#[test]
fn damaged_scenarios_never_panic() {
    // A number or a commit hash, as it comes.
    let seed = std::env::var("PEERLET_SEED").unwrap_or_else(|_| "1".to_owned());
    let (mut read, mut refused) = (0, 0);
    for round in 0..3_000 {
        let mut rng = Seed::new(1).named(&seed).at(round).rng();
        let text = damaged(&mut rng);
        let override_ = Override::set(&format!("{}={}", pick(&mut rng), pick(&mut rng)));
        let overrides: Vec<Override> = override_.into_iter().filter(|_| rng.chance(0.2)).collect();
        let outcome = std::panic::catch_unwind(|| {
            if let Ok(once) = format_scenario(&Source::from(text.as_str())) {
                let again = format_scenario(&Source::from(once.as_str()));
                assert_eq!(again.as_deref().ok(), Some(&*once), "a layout stays");
            }
            match Scenario::parse(Source::new("fuzz.toml", text.as_str()), &overrides) {
                Ok(scenario) => {
                    expand(&scenario);
                    true
                }
                Err(problems) => {
                    assert!(!problems.0.is_empty());
                    assert!(problems.render(true).contains(".toml:") || !overrides.is_empty());
                    false
                }
            }
        });
        match outcome {
            Ok(true) => read += 1,
            Ok(false) => refused += 1,
            Err(_) => panic!("PEERLET_SEED={seed}, round {round}:\n{text}"),
        }
    }
    assert!(read > 100 && refused > 1000, "{read} were read and {refused} refused");
}

/// A word from the scenario.
fn pick(rng: &mut Rng) -> &'static str {
    let words: Vec<&str> = SCENARIO.split_whitespace().collect();
    rng.choose(&words).copied().unwrap_or_default()
}

/// Expands a scenario that damage has not made long, and asks about its seats.
fn expand(scenario: &Scenario) {
    let churn = scenario.churn.as_ref();
    let transitions = churn.map(|churn| churn.transitions(scenario.peers, scenario.duration));
    if scenario.peers > 2_000 || transitions.is_some_and(|count| count > 100_000.0) {
        return;
    }
    let servers: Vec<Seat> = scenario.servers.iter().collect();
    let timeline = Timeline::expand(scenario, &servers);
    let entries = timeline.entries();
    assert!(entries.is_sorted_by_key(|entry| entry.at));
    assert!(entries.iter().all(|entry| entry.at.since(Time::ZERO) < scenario.duration));
    assert_eq!(timeline.to_string().lines().count(), entries.len());
    for seat in SeatSet::all(scenario.peers).iter() {
        timeline.running(seat, Time::MAX);
    }
}
