//! The project that `peerlet new` writes, compiled and tested as it is in its own folder.

use peerlet::run::{Plan, World};
use peerlet::scenario::{Override, Source};

#[path = "../../../peerlet-cli/template/src/lib.rs"]
pub mod library;

#[path = "../../../peerlet-cli/template/src/main.rs"]
#[expect(dead_code, reason = "the program of the project is not that of these tests")]
mod program;

#[path = "../../../peerlet-cli/template/tests/simulation.rs"]
mod simulation;

/// What is said of the project's scenario with this change; nothing where it is in order.
fn problems(change: &str) -> String {
    let scenario = include_str!("../../../peerlet-cli/template/scenarios/template-name.toml");
    let change = Override::set(change).expect("it is an assignment");
    let source = Source::new("the scenario", scenario);
    let plan = Plan::new(&library::experiment(), source, &[change], World::Sim);
    plan.err().map(|problems| problems.to_string()).unwrap_or_default()
}

#[test]
fn arguments_and_parameters_are_held_to_their_ranges_when_a_scenario_is_read() {
    assert_eq!(problems("events.lines=0 20 TemplateName.raise(4294967295)"), "");
    let said = problems("events.lines=0 20 TemplateName.raise(-1)");
    assert!(said.contains("1:25: `level` is -1; give 0 to 4294967295"), "{said}");
    let said = problems("stack.template_name.period=2h");
    assert!(said.contains("`period` is 7200s; give 1ms to 3600s"), "{said}");
    let said = problems("stack.template_name.periods=2s");
    assert!(said.contains("unknown field `periods`, expected `period`"), "{said}");
}
