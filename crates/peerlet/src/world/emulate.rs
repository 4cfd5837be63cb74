//! `emulate`: a plan on real sockets, with its own network between them.

use peerlet_core::Need;
use peerlet_live::{LiveSetup, Sockets};
use peerlet_scenario::Scenario;

use crate::arguments::Emulate;
use crate::exit::Exit;
use crate::experiment::Experiment;
use crate::logs;
use crate::output::folder::Folder;
use crate::output::results::Results;
use crate::plan::Plan;
use crate::run::Failure;
use crate::transport::Transport;
use crate::world::live::run_on_sockets;
use crate::world::setup;
use crate::world::sim::conclude;

/// Runs the `emulate` command.
pub(crate) fn run(experiment: &Experiment, emulate: &Emulate) -> Result<Exit, Failure> {
    logs::start(emulate.what.verbose, emulate.what.quiet);
    let overrides = emulate.what.overrides()?;
    let scenario = Scenario::parse(emulate.what.source()?, &overrides)?;
    let over = |written: Option<Transport>| {
        emulate.transport.or(written).unwrap_or(Transport::Quic).sockets(false)
    };
    let plan = Plan::of(experiment, scenario, &|written| gives(over(written)))?;
    let (sockets, transport) = (over(plan.transport), Transport::of(over(plan.transport)));
    Folder::with(emulate.output.as_ref(), |folder| {
        if let Some(folder) = folder {
            folder.write_scenario(&plan, &overrides, (Some(transport), plan.scenario.run.wire))?;
        }
        let run = emulated(experiment, plan, sockets, emulate.late_max)?;
        conclude(&run, folder, &emulate.what, emulate.json)
    })
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
    late_max: peerlet_core::Duration,
) -> Result<Results, Failure> {
    let setup = LiveSetup { late_max, ..setup::emulated(experiment, &plan, sockets)? };
    match peerlet_live::ask_for_priority() {
        true => tracing::info!("this process has priority"),
        false => tracing::info!("this process has no priority: that takes root"),
    }
    let (peers, directives) = (plan.scenario.peers, plan.directives().collect());
    let ran = run_on_sockets(setup, directives)?;
    Ok(Results::on_sockets("emulate", plan, peers, ran, true))
}
