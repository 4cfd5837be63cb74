//! `fidelity`: how far a scenario differs between simulation and emulation.

use clap::Args;
use peerlet_live::LATE_MAX;
use peerlet_measure::Comparison;
use peerlet_report::fidelity::{self, Case, Runs, VoidRun};
use peerlet_report::{check_sides, void};
use peerlet_run::{Experiment, Plan, Results, Transport, World, threads};
use peerlet_scenario::{Override, Problems, Scenario};

use crate::arguments::{What, seeds, transport};
use crate::commands::compare::{Judged, exit};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::logs;
use crate::terminal::attended::{self, SimRun, simulate};
use crate::terminal::print::print;
use crate::terminal::status;

/// A run that is void is repeated so often at most.
const REPEATS_MAX: u32 = 2;

const EXPLAINED: &str = "\
Each seed is simulated, and emulated in real time, over each of the transports; both sides are then
compared as by `compare`, in pairs of the same seed: `compare --help` has the rules. An emulation
with a machine that did not keep up is void: it is repeated, at most twice, and the report says so.
A seed whose emulation is void three times is left out of the comparison, and named with the reason.

To see that a difference would be found, make one: --control changes a key on the emulated side
only, as in --control network.loss=0.02, and the comparison must fail.

Exit codes: 0 all held, 1 something failed, 2 the scenario is wrong, 5 a run was void three times,
6 nothing failed and the verdict is inconclusive, 130 interrupted.";

#[derive(Args, Debug)]
#[command(after_long_help = EXPLAINED)]
pub(crate) struct Fidelity {
    #[command(flatten)]
    pub(crate) what: What,
    /// The seeds that both sides have
    #[arg(long, value_name = "A..B", value_parser = seeds, default_value = "1..5")]
    seeds: (u64, u64),
    /// The transports of both sides: one, or several, one after the other
    #[arg(
        long,
        value_name = "NAME",
        value_parser = transport(),
        value_delimiter = ',',
        default_value = "udp,quic"
    )]
    transport: Vec<Transport>,
    #[command(flatten)]
    judged: Judged,
    /// Set a key of the emulated side only (repeatable)
    #[arg(long, value_name = "KEY.PATH=VALUE")]
    control: Vec<String>,
    /// Print JSON on standard output: a list with what `compare --json` prints of each transport
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print a table for a document
    #[arg(long)]
    markdown: bool,
}

/// Runs the `fidelity` command.
pub(crate) fn run(experiment: &Experiment, fidelity: &Fidelity) -> Result<Exit, Failure> {
    logs::start(fidelity.what.verbose, fidelity.what.quiet);
    let seeds = fidelity.seeds.0..=fidelity.seeds.1;
    fidelity.check(experiment)?;
    threads::make_sure_on_sockets()?;
    let (mut cases, mut void) = (Vec::new(), Vec::new());
    for transport in &fidelity.transport {
        let (name, mut simulated, mut runs) = (transport.name(), Runs::default(), Runs::default());
        for seed in seeds.clone() {
            let plan = logs::unlogged(|| fidelity.plan(experiment, *transport, seed, false))?;
            let how = SimRun { name: Some(format!("seed {seed}")), ..SimRun::default() };
            simulated.add(&simulate(experiment, plan, how)?);
        }
        for seed in seeds.clone() {
            let time = simulated.duration;
            fidelity.say(&format!("emulating seed {seed} of {} over {name}, {time}", seeds.end()));
            let run = fidelity.emulated(experiment, *transport, seed, &mut runs.repeated)?;
            if let Some(report) = run.panicked {
                return Err(Failure::Panicked(report.message));
            }
            if run.is_interrupted {
                status::say(&format!(
                    "interrupted: {} of {} seeds were emulated over {name}; nothing was compared",
                    runs.statistics.len(),
                    simulated.statistics.len()
                ));
                return Ok(Exit::Interrupted);
            }
            match run.is_void() {
                true => void.push(VoidRun::of(*transport, seed, REPEATS_MAX + 1, &run)),
                false => runs.add(&run),
            }
        }
        // A pair has two sides that are of use.
        let left_out =
            |seed| void.iter().any(|run| (run.transport, run.seed) == (*transport, seed));
        simulated.leave_out(left_out);
        if simulated.statistics.is_empty() {
            continue;
        }
        let left = simulated.side(&format!("simulated over {name}"));
        let right = runs.side(&format!("emulated over {name}"));
        check_sides(&left, &right)?;
        let limits = fidelity.judged.limits();
        let comparison = Comparison::of(&left.statistics, &right.statistics, &limits)
            .map_err(|error| Failure::Usage(error.to_string()))?;
        cases.push(Case { transport: *transport, left, right, comparison, runs });
    }
    print(&match (fidelity.json, fidelity.markdown) {
        (true, _) => fidelity::json(&cases, &void),
        (false, markdown) => fidelity::write(&cases, &void, &fidelity.control, markdown),
    })?;
    let exits: Vec<Exit> = cases.iter().map(|case| exit(case.comparison.verdict())).collect();
    Ok(match [Exit::Failed, Exit::Inconclusive].into_iter().find(|exit| exits.contains(exit)) {
        _ if !void.is_empty() => Exit::Void,
        worst => worst.unwrap_or(Exit::Done),
    })
}

impl Fidelity {
    /// Refuses what cannot be compared, before anything runs. The first plan warns of what the
    /// scenario leaves out, and those after it of nothing more.
    fn check(&self, experiment: &Experiment) -> Result<(), Failure> {
        let mut is_first = true;
        for transport in &self.transport {
            let mut plan = |is_emulated| {
                let plan = || self.plan(experiment, *transport, self.seeds.0, is_emulated);
                let is_first = std::mem::take(&mut is_first);
                let plan = if is_first { plan() } else { logs::unlogged(plan) };
                plan.map(|plan| plan.scenario)
            };
            let (left, right) = (plan(false)?, plan(true)?);
            if (left.peers, left.duration) != (right.peers, right.duration) {
                let message = "--control changes how many peers there are or how long they run, \
                               and both sides need the same; change it with --set on both";
                return Err(Failure::Usage(message.to_owned()));
            }
            peerlet_live::make_room(right.peers)
                .map_err(|error| Failure::Usage(error.to_string()))?;
        }
        Ok(())
    }

    fn say(&self, line: &str) {
        if !self.what.quiet {
            status::say(line);
        }
    }

    fn plan(
        &self,
        experiment: &Experiment,
        transport: Transport,
        seed: u64,
        is_emulated: bool,
    ) -> Result<Plan, Failure> {
        let mut overrides = self.what.overrides()?;
        if is_emulated {
            for assignment in &self.control {
                let assigned = Override::assign("--control", assignment);
                overrides.push(assigned.map_err(Problems::from)?);
            }
        }
        overrides.push(Override::option("--seeds", "seed", &seed.to_string()));
        let scenario = Scenario::parse(self.what.source()?, &overrides)?;
        let world = if is_emulated { World::Emulate } else { World::Sim };
        Ok(Plan::resolve(experiment, scenario, world, Some(transport))?)
    }

    /// Emulates a seed, anew where that was too late.
    fn emulated(
        &self,
        experiment: &Experiment,
        transport: Transport,
        seed: u64,
        repeated: &mut u32,
    ) -> Result<Results, Failure> {
        let mut tries = 0;
        loop {
            let plan = logs::unlogged(|| self.plan(experiment, transport, seed, true))?;
            let (run, _signals) = attended::emulate(experiment, plan, LATE_MAX)?;
            if !run.is_void() || run.is_interrupted || tries == REPEATS_MAX {
                return Ok(run);
            }
            (tries, *repeated) = (tries + 1, *repeated + 1);
            let (why, next, most) = (void::reasons(&run).join("; "), tries + 1, REPEATS_MAX + 1);
            self.say(&format!("void: {why}; trying again, {next} of {most}"));
        }
    }
}
