//! `emulate`: a plan on real sockets, with its own network between them.

use std::sync::Arc;

use peerlet_core::{Need, Time};
use peerlet_live::{LiveSetup, Medium, Sockets};

use crate::arguments::Emulate;
use crate::experiment::Experiment;
use crate::logs;
use crate::output::folder::Folder;
use crate::output::results::Results;
use crate::plan::Plan;
use crate::run::Failure;
use crate::world::live::run_on_sockets;
use crate::world::sim::conclude;

/// Runs the `emulate` command.
pub(crate) fn run(experiment: &Experiment, emulate: &Emulate) -> Result<u8, Failure> {
    logs::start(emulate.what.verbose, emulate.what.quiet);
    let sockets = emulate.transport.sockets(false);
    let overrides = emulate.what.overrides()?;
    let plan = Plan::new(experiment, emulate.what.source()?, &overrides, &gives(sockets))?;
    let folder = emulate.output.as_ref().map(|path| Folder::create(path)).transpose()?;
    let run = emulated(experiment, plan, sockets)?;
    conclude(&run, folder.as_ref(), &emulate.what, emulate.json)
}

/// What an emulation over these sockets gives; broadcast where its network has local ones.
pub(crate) fn gives(sockets: Sockets) -> Vec<Need> {
    sockets.gives().iter().copied().chain([Need::Broadcast]).collect()
}

/// Runs a plan on real sockets, one a peer, with its network between them.
pub(crate) fn emulated(
    experiment: &Experiment,
    plan: Plan,
    sockets: Sockets,
) -> Result<Results, Failure> {
    let (scenario, build) = (&plan.scenario, plan.stacks());
    let setup = LiveSetup {
        registry: Some(plan.registry.clone()),
        seed: Some(scenario.seed),
        sockets,
        medium: Medium::Emulated(plan.model(experiment)?),
        notice: Arc::new(|line| tracing::info!("{line}")),
        epoch: scenario.measure.epoch,
        from: Time::ZERO + scenario.measure.from,
        ..LiveSetup::new(
            format!("{}/{}", experiment.name, scenario.title),
            scenario.peers,
            scenario.duration,
            move |seat| build(seat),
        )
    };
    match peerlet_live::ask_for_priority() {
        true => tracing::info!("this process has priority"),
        false => tracing::info!("this process has no priority: that takes root"),
    }
    let (peers, directives) = (scenario.peers, plan.directives().collect());
    let ran = run_on_sockets(setup, directives)?;
    Ok(Results::on_sockets("emulate", plan, peers, ran, true))
}
