//! `emulate`: a plan on real sockets, with its own network between them.

use std::path::PathBuf;

use clap::Args;
use peerlet_run::{Experiment, Plan, Transport, World};
use peerlet_scenario::Scenario;

use crate::arguments::{What, transport};
use crate::commands::conclude::{conclude, with_folder};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::logs;
use crate::terminal::attended;

const EMULATION: &str = "\
Each peer has a socket of its own on loopback, up to 4,096 of them, and the scenario's network is
between them, packet by packet. It takes as long as the scenario, and some seconds more for packets
that are on their way at the end. It needs to be in time, so as root it asks for priority. The run
is void when, in its warm-up or after it, more than one packet in a hundred was handed over more
than 0.5 ms late, something was more than 100 ms late once (--late-max), or the machine lost more
than one packet in a thousand.

Exit codes: 0 all held, 1 an expectation failed, 2 the scenario is wrong, 3 a socket could not be
opened, 5 void, 101 something panicked, 130 interrupted.";

#[derive(Args, Debug)]
#[command(after_long_help = EMULATION)]
pub(crate) struct Emulate {
    #[command(flatten)]
    pub(crate) what: What,
    /// The largest delay by the machine that is accepted once: of a packet, of a peer that wakes
    /// up, in a handler or by standing still; with a longer one the run is void
    #[arg(long, value_name = "TIME", default_value = "100ms")]
    pub(crate) late_max: peerlet_core::Duration,
    /// The sockets: quic has both classes of delivery, udp has datagrams only [default: the
    /// scenario's, else quic]
    #[arg(long, value_name = "NAME", value_parser = transport())]
    pub(crate) transport: Option<Transport>,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a run folder, which `compare` takes beside others: the scenario as run, summary.json,
    /// measures.csv, distributions.csv
    #[arg(short, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
}

/// Runs the `emulate` command.
pub(crate) fn run(experiment: &Experiment, emulate: &Emulate) -> Result<Exit, Failure> {
    logs::start(emulate.what.verbose, emulate.what.quiet);
    let overrides = emulate.what.overrides()?;
    let scenario = Scenario::parse(emulate.what.source()?, &overrides)?;
    let plan = Plan::resolve(experiment, scenario, World::Emulate, emulate.transport)?;
    with_folder(emulate.output.as_ref(), |folder| {
        if let Some(folder) = folder {
            folder.write_scenario(&plan, &overrides, plan.scenario.run.wire)?;
        }
        let (run, _signals) = attended::emulate(experiment, plan, emulate.late_max)?;
        conclude(&run, folder, &emulate.what, emulate.json)
    })
}
