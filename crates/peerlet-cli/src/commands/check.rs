//! `check`: a scenario is read and resolved, and nothing runs.

use std::io::{self, IsTerminal};

use clap::Args;
use peerlet_run::{Experiment, Plan, World};
use peerlet_scenario::Scenario;

use crate::arguments::What;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::logs;
use crate::terminal::print::{print, print_exactly};

#[derive(Args, Debug)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) what: What,
    /// Print the expanded list of what happens to which peer and when
    #[arg(long)]
    pub(crate) expand: bool,
}

/// Runs the `check` command.
pub(crate) fn run(experiment: &Experiment, arguments: &Check) -> Result<Exit, Failure> {
    logs::start(arguments.what.verbose, arguments.what.quiet);
    let scenario = Scenario::parse(arguments.what.source()?, &arguments.what.overrides()?)?;
    let plan = Plan::resolve(experiment, scenario, World::Sim, None)?;
    if arguments.expand {
        // In a file it reads as the same timeline, whatever it holds.
        let expanded = plan.timeline().to_string();
        return match io::stdout().is_terminal() {
            true => print(&expanded),
            false => print_exactly(&expanded),
        };
    }
    if arguments.what.quiet {
        return Ok(Exit::Done);
    }
    let scenario = &plan.scenario;
    let stack: Vec<_> = plan.registry.entries().iter().map(|entry| entry.name()).collect();
    let waiting = match plan.timeline().waiting() {
        0 => String::new(),
        1 => "1 seat begins stopped and waits for its first start()\n".to_owned(),
        many => format!("{many} seats begin stopped and wait for their first start()\n"),
    };
    print(&format!(
        "{}: {} peers for {}, seed {}\npeerlets: {}\ntimeline: {} entries\n{waiting}\
         nothing is wrong with it\n",
        scenario.title,
        scenario.peers,
        scenario.duration,
        scenario.seed,
        stack.join(", "),
        plan.timeline().entries().len()
    ))
}
