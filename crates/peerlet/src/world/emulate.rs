//! `emulate`: a plan on real sockets, with its own network between them.

use peerlet_scenario::Scenario;

use crate::arguments::Emulate;
use crate::exit::Exit;
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::logs;
use crate::plan::Plan;
use crate::sockets::gives;
use crate::transport::Transport;
use crate::world::attended;
use crate::world::conclude::{conclude, with_folder};

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
    with_folder(emulate.output.as_ref(), |folder| {
        if let Some(folder) = folder {
            folder.write_scenario(&plan, &overrides, (Some(transport), plan.scenario.run.wire))?;
        }
        let (run, _signals) = attended::emulate(experiment, plan, sockets, emulate.late_max)?;
        conclude(&run, folder, &emulate.what, emulate.json)
    })
}
