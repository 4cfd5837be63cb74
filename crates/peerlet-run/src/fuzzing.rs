//! A check of scenarios, for fuzzing: a text, values put over those in it, and a file of event
//! lines.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Seat, Time};
use peerlet_network::MODELS;
use peerlet_scenario::{Override, Problems, Rewrite, Scenario, Source, Timeline};

use crate::experiment::Experiment;
use crate::plan::Plan;
use crate::world::World;

/// Runs of more peers are only read: what is large on purpose takes its time.
const PEERS_MAX: u32 = 500;
/// The name of the file of event lines; no other is opened.
const EVENTS: &str = "events";

/// Reads a scenario and plans its run. The first two zero bytes divide the input into the text,
/// values as `--set` takes them, one a line, and a file of event lines that is named `events`.
///
/// `allocated` is not asked: the cost of a scenario is that of the run that it asks for.
pub fn scenarios(bytes: &[u8], _allocated: fn() -> usize) {
    let mut parts = bytes.splitn(3, |byte| *byte == 0);
    let [text, values, events] = [(); 3].map(|()| parts.next().unwrap_or_default());
    let (Ok(text), Ok(values)) = (std::str::from_utf8(text), std::str::from_utf8(values)) else {
        return;
    };
    let mut overrides = Vec::new();
    for value in values.lines() {
        match Override::set(value) {
            Ok(value) => overrides.push(value),
            Err(problem) => assert!(!problem.render(false).is_empty()),
        }
    }
    let rewritten = Rewrite::new(text, &overrides);
    if let Ok(rewritten) = &rewritten
        && let Some(name) = rewritten.text("events.file")
    {
        if name != EVENTS {
            return;
        }
        std::fs::write(folder().join(EVENTS), events).expect("the folder can be written to");
    }
    let source = |text| Source { base: folder().to_owned(), ..Source::new("fuzz.toml", text) };
    let scenario = match Scenario::parse(source(text), &overrides) {
        Ok(scenario) => scenario,
        Err(problems) => return refused(&problems),
    };
    if scenario.peers > PEERS_MAX || comes_and_goes_often(&scenario) {
        return;
    }
    let timeline = expand(&scenario);
    let rewritten = rewritten.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    let rewritten = rewritten.write();
    let again = match Scenario::parse(source(&rewritten), &[]) {
        Ok(again) => again,
        // A shorter run on the command line leaves event lines out, which a file may not have.
        Err(_) if !scenario.warnings.is_empty() => return,
        Err(problems) => panic!("{rewritten}\n{}", problems.render(false)),
    };
    assert_eq!((again.peers, again.seed, again.duration), {
        (scenario.peers, scenario.seed, scenario.duration)
    });
    assert_eq!(expand(&again), timeline, "a scenario is kept as it ran");
    if !names_files(&scenario) {
        plan(source(text), &overrides);
    }
}

fn refused(problems: &Problems) {
    assert!(!problems.0.is_empty());
    assert!(!problems.render(true).is_empty() && !problems.render(false).is_empty());
}

/// Expands a scenario, and asks about its seats; gives its event lines.
fn expand(scenario: &Scenario) -> String {
    let servers: Vec<Seat> = scenario.servers.iter().collect();
    let timeline = Timeline::expand(scenario, &servers);
    let entries = timeline.entries();
    assert!(entries.is_sorted_by_key(|entry| entry.at));
    assert!(entries.iter().all(|entry| entry.at.since(Time::ZERO) < scenario.duration));
    for seat in SeatSet::all(scenario.peers).iter() {
        timeline.running(seat, Time::MAX);
    }
    let lines = timeline.to_string();
    assert_eq!(lines.lines().count(), entries.len());
    lines
}

/// Whether churn would make more than some thousand entries.
fn comes_and_goes_often(scenario: &Scenario) -> bool {
    scenario
        .churn
        .as_ref()
        .is_some_and(|churn| churn.transitions(scenario.peers, scenario.duration) > 10_000.0)
}

/// Whether the network is read from a file.
fn names_files(scenario: &Scenario) -> bool {
    let Some(network) = &scenario.network else { return false };
    let model = MODELS.iter().find(|model| model.name == network.model);
    let parameters = model.iter().flat_map(|model| model.parameters);
    let mut paths = parameters.filter(|parameter| parameter.shape.contains("path"));
    paths.any(|parameter| network.parameters.get(parameter.name).is_some())
}

fn plan(source: Source, overrides: &[Override]) {
    let experiment = Experiment::new("peerlet");
    match Plan::new(&experiment, source, overrides, World::Sim) {
        Ok(plan) => {
            plan.directives().for_each(drop);
            if let Err(problems) = plan.live_faults(false) {
                refused(&problems);
            }
        }
        Err(problems) => refused(&problems),
    }
}

/// A folder of this process for the file of event lines.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let name = format!("peerlet-fuzzing-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("the folder for temporary files can be written to");
        folder
    })
}
