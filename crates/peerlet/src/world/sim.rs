//! `sim`: a plan in virtual time.

use std::cell::RefCell;
use std::fs::File;
use std::io::BufWriter;
use std::rc::Rc;
use std::time::Instant;

use peerlet_measure::Repeats;
use peerlet_scenario::Override;
use peerlet_sim::{Handled, JsonTrace, Setup, Simulation, Trace};

use crate::arguments::{Sim, What};
use crate::experiment::Experiment;
use crate::logs;
use crate::output::folder::Folder;
use crate::output::results::Results;
use crate::output::{expectations, repeats, summary};
use crate::plan::Plan;
use crate::run::{DONE, FAILED, Failure, print};
use crate::world::twin;

/// Runs the `sim` command.
pub(crate) fn run(experiment: &Experiment, sim: &Sim) -> Result<u8, Failure> {
    logs::start(sim.what.verbose, sim.what.quiet);
    if sim.threads != 1 {
        let threads = sim.threads;
        return Err(Failure::Usage(format!("not yet: --threads {threads}; leave it at 1")));
    }
    if let Some(path) = &sim.twin {
        return twin::be_second(experiment, sim, path);
    }
    if sim.check_determinism {
        return twin::check(experiment, sim);
    }
    if let Some((first, last)) = sim.seeds {
        return repeat(experiment, sim, first..=last);
    }
    let plan = plan(experiment, sim, None)?;
    let folder = sim.output.as_ref().map(|path| Folder::create(path)).transpose()?;
    let trace = match (&folder, sim.trace) {
        (Some(folder), true) => Some(SharedTrace::create(folder, &plan)?),
        _ => None,
    };
    let seen = trace.clone().map(|trace| Box::new(trace) as Box<dyn Trace>);
    let run = simulate(experiment, plan, sim.wire, seen)?;
    if let Some(trace) = trace {
        trace.finish()?;
    }
    conclude(&run, folder.as_ref(), &sim.what, sim.json)
}

/// Shows a run that is over, writes its folder, and says whether all held.
pub(crate) fn conclude(
    run: &Results,
    folder: Option<&Folder>,
    what: &What,
    json: bool,
) -> Result<u8, Failure> {
    // What is expected is expected of the whole network.
    let verdicts = match run.is_share {
        true => Vec::new(),
        false => expectations::check(&run.plan.scenario, &run.summary()),
    };
    if let Some(folder) = folder {
        folder.write(run, &verdicts, &what.overrides()?)?;
    }
    print(&if json {
        summary::json(run, &verdicts)
    } else {
        summary::table(run, &verdicts, what.quiet)
    })?;
    Ok(if verdicts.iter().all(|verdict| verdict.held) { DONE } else { FAILED })
}

/// Reads and resolves the scenario, with another seed if one is given.
pub(crate) fn plan(experiment: &Experiment, sim: &Sim, seed: Option<u64>) -> Result<Plan, Failure> {
    let mut overrides = sim.what.overrides()?;
    if let Some(seed) = seed {
        overrides.push(Override::option("--seeds", "seed", &seed.to_string()));
    }
    Ok(Plan::new(experiment, sim.what.source()?, &overrides, Setup::gives())?)
}

/// Runs a plan to its end.
pub(crate) fn simulate(
    experiment: &Experiment,
    plan: Plan,
    wire: bool,
    trace: Option<Box<dyn Trace>>,
) -> Result<Results, Failure> {
    let (scenario, build) = (&plan.scenario, plan.stacks());
    let setup = Setup {
        seed: scenario.seed,
        registry: Some(plan.registry.clone()),
        model: plan.model(experiment)?,
        epoch: scenario.measure.epoch,
        from: peerlet_core::Time::ZERO + scenario.measure.from,
        wire,
        trace,
        ..Setup::new(scenario.peers, scenario.duration, move |seat| build(seat))
    };
    let failed = |error: &dyn std::error::Error| Failure::Run(error.to_string());
    let simulation = Simulation::new(setup, plan.directives()).map_err(|error| failed(&error))?;
    let begun = Instant::now();
    let outcome = simulation.run().map_err(|error| failed(&error))?;
    Ok(Results::simulated(plan, outcome, begun.elapsed().as_secs_f64()))
}

fn repeat(
    experiment: &Experiment,
    sim: &Sim,
    seeds: std::ops::RangeInclusive<u64>,
) -> Result<u8, Failure> {
    let (mut all, mut runs, mut held) = (Repeats::default(), Vec::new(), true);
    for seed in seeds {
        let run = simulate(experiment, plan(experiment, sim, Some(seed))?, sim.wire, None)?;
        let measured = run.summary();
        let verdicts = expectations::check(&run.plan.scenario, &measured);
        held &= verdicts.iter().all(|verdict| verdict.held);
        all.add(&measured);
        tracing::info!(seed, digest = ?run.digest, "done");
        runs.push(repeats::Repeat { seed, digest: run.digest.unwrap_or_default(), verdicts });
    }
    let text = if sim.json { repeats::json(&all, &runs) } else { repeats::table(&all, &runs) };
    print(&text)?;
    Ok(if held { DONE } else { FAILED })
}

/// A JSON trace that the simulation writes and the command closes.
#[derive(Clone)]
struct SharedTrace(Rc<RefCell<Option<JsonTrace<BufWriter<File>>>>>);

impl SharedTrace {
    fn create(folder: &Folder, plan: &Plan) -> Result<SharedTrace, Failure> {
        let file = folder.create_file("events.jsonl")?;
        let trace = JsonTrace::new(BufWriter::new(file), plan.scenario.peers);
        Ok(SharedTrace(Rc::new(RefCell::new(Some(trace)))))
    }

    fn finish(self) -> Result<(), Failure> {
        let trace = self.0.borrow_mut().take();
        trace.map_or(Ok(()), JsonTrace::finish).map_err(Failure::io("events.jsonl"))
    }
}

impl Trace for SharedTrace {
    fn handled(&mut self, event: &Handled) {
        if let Some(trace) = &mut *self.0.borrow_mut() {
            trace.handled(event);
        }
    }

    fn finished(&mut self, drops: &[u64], measures: &[u64]) {
        if let Some(trace) = &mut *self.0.borrow_mut() {
            trace.finished(drops, measures);
        }
    }
}
