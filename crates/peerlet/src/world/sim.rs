//! `sim`: a plan in virtual time.

use std::cell::RefCell;
use std::fs::File;
use std::io::BufWriter;
use std::rc::Rc;

use peerlet_core::Need;
use peerlet_measure::Repeats;
use peerlet_scenario::{Override, Problems, Scenario};
use peerlet_sim::{Handled, JsonTrace, Setup, Sums, Trace};

use crate::arguments::Sim;
use crate::exit::Exit;
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::logs;
use crate::output::again::again;
use crate::output::folder::{Folder, FolderSet};
use crate::output::results::Results;
use crate::output::{repeats, status};
use crate::plan::Plan;
use crate::random;
use crate::run::print;
use crate::sockets;
use crate::transport::Transport;
use crate::world::attended::{Way, simulate};
use crate::world::conclude::{conclude, with_folder};
use crate::world::lookout::Lookout;
use crate::world::setup::SimOptions;
use crate::world::threads;
use crate::world::twin;

/// Runs the `sim` command.
pub(crate) fn run(experiment: &Experiment, sim: &Sim) -> Result<Exit, Failure> {
    if let Some(count) = sim.random {
        // What random scenarios warn of is of no interest, and there is much of it.
        logs::start(sim.what.verbose.saturating_sub(1), sim.what.verbose < 2);
        threads::make_sure(2)?;
        return random::run(experiment, sim, count);
    }
    logs::start(sim.what.verbose, sim.what.quiet);
    if sim.reference && sim.threads > 1 {
        let said = "the reference engine has one thread; leave out --reference or --threads";
        return Err(Failure::Usage(said.to_owned()));
    }
    let runs_twice = sim.witness || sim.check_determinism || sim.twin.is_some();
    threads::make_sure(if runs_twice { sim.threads.max(2) } else { sim.threads } as usize)?;
    if sim.witness {
        return random::run_file(experiment, sim);
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
    // Whoever sees the folder may interrupt: from here on that leads to partial results in it.
    let lookout = Lookout::start(sim.shows_progress())?;
    with_folder(sim.output.as_ref(), |folder| {
        let way = Way { lookout: Some(&lookout), ..Way::of(sim, &plan) };
        if let Some(folder) = folder {
            folder.write_scenario(&plan, &sim.what.overrides()?, way.recorded())?;
        }
        let run = simulate_into(folder.filter(|_| sim.trace), experiment, plan, way)?;
        conclude(&run, folder, &sim.what, sim.json)
    })
}

/// Reads and resolves the scenario, with another seed if one is given.
pub(crate) fn plan(experiment: &Experiment, sim: &Sim, seed: Option<u64>) -> Result<Plan, Failure> {
    let scenario = Scenario::parse(sim.what.source()?, &overrides(sim, seed)?)?;
    Ok(Plan::of(experiment, scenario, &|written| gives(sim.transport.or(written)))?)
}

/// Everything that the options change in the scenario, with this seed where one is given.
fn overrides(sim: &Sim, seed: Option<u64>) -> Result<Vec<Override>, Problems> {
    let mut overrides = sim.what.overrides()?;
    if let Some(seed) = seed {
        overrides.push(Override::option("--seeds", "seed", &seed.to_string()));
    }
    Ok(overrides)
}

/// The needs that a simulation meets over this transport, or over none.
pub(crate) fn gives(transport: Option<Transport>) -> Vec<Need> {
    transport.map_or(Setup::gives().to_vec(), |over| sockets::gives(over.sockets(false)))
}

impl Way<'_> {
    /// As the options say, and where they say nothing the scenario; unseen.
    fn of(sim: &Sim, plan: &Plan) -> Way<'static> {
        let (engine, threads) = (sim.engine(), sim.threads);
        let transport = sim.transport.or(plan.transport);
        let wire = sim.wire || plan.scenario.run.wire;
        Way {
            options: SimOptions { engine, threads, wire, transport, ..SimOptions::default() },
            ..Way::default()
        }
    }

    /// The parts that a run folder's scenario keeps.
    fn recorded(&self) -> (Option<Transport>, bool) {
        (self.options.transport, self.options.wire)
    }
}

/// Runs a plan, and writes every event into the folder if there is one.
fn simulate_into(
    folder: Option<&Folder>,
    experiment: &Experiment,
    plan: Plan,
    way: Way<'_>,
) -> Result<Results, Failure> {
    let trace = folder.map(|folder| SharedTrace::create(folder, &plan)).transpose()?;
    let mut way = way;
    way.options.trace = trace.clone().map(|trace| Box::new(trace) as Box<dyn Trace>);
    let run = simulate(experiment, plan, way)?;
    if let Some((trace, folder)) = trace.zip(folder) {
        trace.finish(folder)?;
    }
    Ok(run)
}

fn repeat(
    experiment: &Experiment,
    sim: &Sim,
    seeds: std::ops::RangeInclusive<u64>,
) -> Result<Exit, Failure> {
    let (mut all, mut runs, mut held) = (Repeats::default(), Vec::new(), true);
    let (last, mut not_reached, mut over) = (*seeds.end(), None, sim.transport);
    let lookout = Lookout::start(sim.shows_progress())?;
    let set = sim.output.as_ref().map(|path| FolderSet::create(path, seeds.clone())).transpose()?;
    for seed in seeds {
        let name = Some(format!("seed {seed} of {last}"));
        status::label(&format!("seed {seed}: "));
        let plan = plan(experiment, sim, Some(seed))?;
        let way = Way { lookout: Some(&lookout), name, ..Way::of(sim, &plan) };
        over = way.options.transport;
        let path = set.as_ref().map(|set| set.path_of(seed));
        let (run, verdicts) = with_folder(path.as_ref(), |folder| {
            if let Some(folder) = folder {
                folder.write_scenario(&plan, &overrides(sim, Some(seed))?, way.recorded())?;
            }
            let run = simulate_into(folder.filter(|_| sim.trace), experiment, plan, way)?;
            let verdicts = run.verdicts();
            folder.map_or(Ok(()), |folder| folder.write(&run, &verdicts))?;
            Ok((run, verdicts))
        })?;
        if run.is_interrupted {
            not_reached = Some(seed..=last);
            break;
        }
        held &= verdicts.iter().all(|verdict| verdict.held);
        all.add(&run.summary());
        tracing::info!(seed, digest = ?run.digest, "done");
        runs.push(repeats::Repeat { seed, digest: run.digest.unwrap_or_default(), verdicts });
    }
    status::label("");
    print(&match sim.json {
        true => repeats::json(&all, &runs, over, &not_reached),
        false => repeats::table(&all, &runs, over, &not_reached, |seed| again(Some(seed))),
    })?;
    Ok(match held {
        _ if not_reached.is_some() => Exit::Interrupted,
        true => Exit::Done,
        false => Exit::Failed,
    })
}

/// The file of a trace. It has its name while the run lasts, so that it can be followed.
const TRACE: &str = "events.jsonl";

/// A JSON trace that the simulation writes and the command closes.
#[derive(Clone)]
struct SharedTrace(Rc<RefCell<Option<JsonTrace<BufWriter<File>>>>>);

impl SharedTrace {
    fn create(folder: &Folder, plan: &Plan) -> Result<SharedTrace, Failure> {
        let file = folder.create_file(TRACE)?;
        let trace = JsonTrace::new(BufWriter::new(file), plan.scenario.peers);
        Ok(SharedTrace(Rc::new(RefCell::new(Some(trace)))))
    }

    /// Ends it; a trace that could not be written is removed.
    fn finish(self, folder: &Folder) -> Result<(), Failure> {
        let trace = self.0.borrow_mut().take();
        let path = folder.path_of(TRACE);
        trace.map_or(Ok(()), JsonTrace::finish).map_err(|error| {
            // What made it fail is the error that matters.
            std::fs::remove_file(&path).ok();
            Failure::io(path.display())(error)
        })
    }
}

impl Trace for SharedTrace {
    fn handled(&mut self, event: &Handled) {
        if let Some(trace) = &mut *self.0.borrow_mut() {
            trace.handled(event);
        }
    }

    fn finished(&mut self, sums: &Sums) {
        if let Some(trace) = &mut *self.0.borrow_mut() {
            trace.finished(sums);
        }
    }
}
