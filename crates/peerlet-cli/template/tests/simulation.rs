//! The scenario of this project, in virtual time.

use peerlet::run::{Plan, SimOptions, World, simulate};
use peerlet::scenario::Source;

#[test]
fn a_level_reaches_every_peer() {
    let experiment = template_name::experiment();
    let scenario = include_str!("../scenarios/template-name.toml");
    let source = Source::new("the scenario", scenario);
    let plan = Plan::new(&experiment, source, &[], World::Sim).expect("it is in order");
    let run = simulate(&experiment, plan, SimOptions::default()).expect("it runs");
    let level = &run.summary().rows["template_name/level"];
    // A hundred peers, at the ends of two epochs.
    assert_eq!((level.count, level.sum), (200, 1_400.0));
}
