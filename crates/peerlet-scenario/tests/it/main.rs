//! Scenario files: their contents, refusals and timelines.

mod churn;
mod fuzz;
mod language;
mod problems;
mod problems_of_events;
mod protopeer;
mod stacks;
mod timeline;

use peerlet_scenario::{Override, Problems, Scenario, Source};

/// The scenario in this text.
fn parse(text: &str) -> Result<Scenario, Problems> {
    Scenario::parse(Source::new("test.toml", text), &[])
}

/// The scenario in this text, with these assignments put over it.
fn parse_with(text: &str, assignments: &[&str]) -> Result<Scenario, Problems> {
    let overrides: Result<Vec<_>, _> = assignments.iter().map(|text| Override::set(text)).collect();
    Scenario::parse(Source::new("test.toml", text), &overrides?)
}
