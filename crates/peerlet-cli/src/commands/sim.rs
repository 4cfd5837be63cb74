//! `sim`: a plan in virtual time.

use std::cell::RefCell;
use std::fs::File;
use std::io::BufWriter;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::rc::Rc;

use clap::Args;
use peerlet_core::Time;
use peerlet_core::runtime::SeatSet;
use peerlet_measure::Repeats;
use peerlet_report::repeats::{self, Repeat};
use peerlet_report::{Folder, FolderSet};
use peerlet_run::{Experiment, Plan, Results, SimOptions, Transport, World, threads};
use peerlet_scenario::{Override, Problems, Scenario, instant};
use peerlet_sim::{Engine, Handled, JsonTrace, Sums, Trace};

use crate::arguments::{What, seeds, transport};
use crate::commands::batch::{at_once, run_batch};
use crate::commands::conclude::{conclude, keep_if_written, with_folder};
use crate::commands::links_output::LinksOutput;
use crate::commands::story_output::StoryOutput;
use crate::commands::{determinism, random, report};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::logs;
use crate::terminal::again::again_with;
use crate::terminal::attended::{SimRun, simulate};
use crate::terminal::monitor::Monitor;
use crate::terminal::print::print;
use crate::terminal::status;

/// The most threads that a simulation runs on: a slip of the finger should not start thousands.
const THREADS_MAX: i64 = 256;

/// The most peers whose states are shown.
const SHOWN_MAX: usize = 1_000;

/// The most random scenarios of one call.
const RANDOM_MAX: u64 = 1_000_000;

#[derive(Args, Debug)]
pub(crate) struct Sim {
    #[command(flatten)]
    pub(crate) what: What,
    /// Generate N scenarios from the seed [default: 1], and hold each to the contract: by two
    /// engines, with 1 and 2 threads, with a peerlet on every stack that checks it from the
    /// inside. SCENARIO is left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=RANDOM_MAX))]
    #[arg(conflicts_with_all = ["scenario", "peers", "duration", "network", "set", "seeds"])]
    #[arg(conflicts_with_all = ["threads", "wire", "check_determinism", "trace"])]
    pub(crate) random: Option<u64>,
    /// Hold SCENARIO to the contract as `--random` does
    #[arg(long, requires = "scenario", conflicts_with_all = ["random", "seed", "peers"])]
    #[arg(conflicts_with_all = ["duration", "network", "set", "seeds", "threads", "wire"])]
    #[arg(conflicts_with_all = ["check_determinism", "trace", "output", "json"])]
    pub(crate) witness: bool,
    /// Repeat with each of these seeds; the table shows means and 95 % intervals
    #[arg(long, value_name = "A..B", value_parser = seeds, conflicts_with = "seed")]
    pub(crate) seeds: Option<(u64, u64)>,
    /// How many seeds run at once [default: as many as there are cores; one with --threads]
    #[arg(long, value_name = "N", requires = "seeds")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=THREADS_MAX))]
    pub(crate) jobs: Option<u32>,
    /// The number of threads
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=THREADS_MAX))]
    pub(crate) threads: u32,
    /// Encode and decode every message, as on real sockets
    #[arg(long)]
    pub(crate) wire: bool,
    /// The transport: with quic, the first message between two peers waits for a handshake;
    /// with udp, stacks that need reliable delivery are refused [default: the scenario's, else
    /// neither]
    #[arg(long, value_name = "NAME", value_parser = transport())]
    pub(crate) transport: Option<Transport>,
    /// One heap, one event after the other, on one thread: to hold the windowed engine to
    #[arg(long, hide = true, conflicts_with_all = ["random", "witness"])]
    pub(crate) reference: bool,
    /// Run twice, in two processes, with 1 and N threads (or 2), and compare event by event
    #[arg(long, conflicts_with_all = ["seeds", "trace", "output", "json"])]
    pub(crate) check_determinism: bool,
    /// End at this instant, such as 95.2s: just before all events of it. Expectations are not
    /// judged then
    #[arg(long, value_name = "TIME", value_parser = instant)]
    #[arg(conflicts_with_all = ["random", "witness", "check_determinism", "seeds"])]
    pub(crate) until: Option<Time>,
    /// Print the states of these peers at the end, such as 17 or 0-9, as their peerlets tell them
    #[arg(long, value_name = "PEERS")]
    #[arg(conflicts_with_all = ["random", "witness", "check_determinism", "seeds"])]
    pub(crate) show: Option<String>,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a run folder: the scenario as run, summary.json, measures.csv, distributions.csv; with
    /// --seeds one for each seed, DIR/SEED
    #[arg(short, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Write report.html into the run folder, and open it in the browser
    #[arg(long, requires = "output")]
    #[arg(conflicts_with_all = ["random", "witness", "check_determinism", "seeds"])]
    pub(crate) open: bool,
    /// Write every event to events.jsonl in the run folder; with FILTER, such as 'peer=17 and
    /// from=3m and to=3m5s', tell what these peers send, handle and lose: to story.jsonl there,
    /// or here
    #[arg(long, value_name = "FILTER", num_args = 0..=1)]
    pub(crate) trace: Option<Option<String>>,
    /// Show no progress; it shows on a terminal only
    #[arg(long)]
    pub(crate) no_progress: bool,
    /// Be the second run of a check for determinism: write all events here and nothing else
    #[arg(long, hide = true, value_name = "FILE")]
    pub(crate) second_run: Option<PathBuf>,
}

impl Sim {
    /// The engine that brings the events.
    pub(crate) fn engine(&self) -> Engine {
        if self.reference { Engine::Reference } else { Engine::Windowed }
    }

    /// Whether progress is shown.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.no_progress && !self.what.quiet && status::is_possible()
    }
}

/// Runs the `sim` command.
pub(crate) fn run(experiment: &Experiment, sim: &Sim) -> Result<Exit, Failure> {
    if let Some(count) = sim.random {
        // Random scenarios warn of much that is of no interest.
        logs::start(sim.what.verbose.saturating_sub(1), sim.what.verbose < 2);
        threads::make_sure(2)?;
        return random::run(experiment, sim, count);
    }
    // The second run of a check would say again what the first one says.
    logs::start(sim.what.verbose, sim.what.quiet || sim.second_run.is_some());
    if sim.reference && sim.threads > 1 {
        let said = "the reference engine has one thread; leave out --reference or --threads";
        return Err(Failure::Usage(said.to_owned()));
    }
    check_trace(sim)?;
    let runs_twice = sim.witness || sim.check_determinism || sim.second_run.is_some();
    threads::make_sure(if runs_twice { sim.threads.max(2) } else { sim.threads } as usize)?;
    if sim.witness {
        return random::run_file(experiment, sim);
    }
    if let Some(path) = &sim.second_run {
        return determinism::be_second(experiment, sim, path);
    }
    if sim.check_determinism {
        return determinism::check(experiment, sim);
    }
    if let Some((first, last)) = sim.seeds {
        return repeat(experiment, sim, first..=last);
    }
    let plan = plan(experiment, sim, None)?;
    // From here on an interrupt leads to partial results in the folder.
    let monitor = Monitor::start(sim.shows_progress())?;
    let ended = with_folder(sim.output.as_ref(), |folder| {
        let how = SimRun { monitor: Some(&monitor), ..SimRun::of(sim, &plan)? };
        if let Some(folder) = folder {
            folder.write_scenario(&plan, &sim.what.overrides()?, how.options.wire)?;
        }
        let run = simulate_into((folder, &sim.trace), experiment, plan, how)?;
        conclude(&run, folder, &sim.what, sim.json)
    })?;
    if let Some(path) = sim.output.as_ref().filter(|_| sim.open) {
        report::write_and_open(path)?;
    }
    Ok(ended)
}

/// Refuses a trace that has no place to go, or that cannot be told.
fn check_trace(sim: &Sim) -> Result<(), Failure> {
    let refused = |said: &str| Err(Failure::Usage(said.to_owned()));
    match &sim.trace {
        None => Ok(()),
        Some(None) if sim.output.is_none() => refused(
            "--trace writes into a run folder; name one by -o DIR, or write --trace 'peer=17'",
        ),
        Some(Some(filter)) if !filter.contains('=') => refused(&format!(
            "--trace: `{filter}` is no condition, such as peer=17; a scenario stands before --trace"
        )),
        Some(Some(_)) if sim.output.is_none() && (sim.json || sim.seeds.is_some()) => {
            refused("this story needs a run folder beside other output; name one by -o DIR")
        }
        Some(Some(_)) if sim.threads > 1 => {
            refused("a story needs a single thread; leave out --threads (the results are the same)")
        }
        Some(_) => Ok(()),
    }
}

/// Reads and resolves the scenario, with another seed if one is given.
pub(crate) fn plan(experiment: &Experiment, sim: &Sim, seed: Option<u64>) -> Result<Plan, Failure> {
    let scenario = Scenario::parse(sim.what.source()?, &overrides(sim, seed)?)?;
    Ok(Plan::resolve(experiment, scenario, World::Sim, sim.transport)?)
}

/// The changes that the options make to the scenario, with this seed where one is given.
fn overrides(sim: &Sim, seed: Option<u64>) -> Result<Vec<Override>, Problems> {
    let mut overrides = sim.what.overrides()?;
    if let Some(seed) = seed {
        overrides.push(Override::option("--seeds", "seed", &seed.to_string()));
    }
    Ok(overrides)
}

impl SimRun<'_> {
    /// As the options say, and where they say nothing the scenario; unseen.
    fn of(sim: &Sim, plan: &Plan) -> Result<SimRun<'static>, Failure> {
        let (engine, threads, until) = (sim.engine(), sim.threads, sim.until);
        let wire = sim.wire || plan.scenario.run.wire;
        let show = sim.show.as_ref().map(|peers| shown(plan, peers)).transpose()?;
        let show = show.unwrap_or_default();
        Ok(SimRun {
            options: SimOptions { engine, threads, wire, until, show, ..SimOptions::default() },
            ..SimRun::default()
        })
    }
}

/// The peers that `--show` names.
fn shown(plan: &Plan, peers: &str) -> Result<SeatSet, Failure> {
    let seats = plan.scenario.seats(peers)?;
    match seats.len() {
        0..=SHOWN_MAX => Ok(seats),
        count => Err(Failure::Usage(format!(
            "--show names {count} peers, and at most {SHOWN_MAX} are shown; name fewer"
        ))),
    }
}

/// Runs a plan, and writes into the folder meanwhile: the links that observers keep, and every
/// event, or a story, if that is asked for.
fn simulate_into(
    (folder, trace): (Option<&Folder>, &Option<Option<String>>),
    experiment: &Experiment,
    plan: Plan,
    how: SimRun<'_>,
) -> Result<Results, Failure> {
    let mut how = how;
    let links = folder.map(|folder| LinksOutput::begin(folder, &plan)).transpose()?.flatten();
    let (links, sink) = links.unzip();
    how.options.links = sink;
    let run = simulate_traced((folder, trace), experiment, plan, how)?;
    if let Some((links, folder)) = links.zip(folder) {
        links.finish(folder)?;
    }
    Ok(run)
}

/// Runs a plan, and writes every event into the folder, or tells a story, if that is asked for.
fn simulate_traced(
    (folder, trace): (Option<&Folder>, &Option<Option<String>>),
    experiment: &Experiment,
    plan: Plan,
    how: SimRun<'_>,
) -> Result<Results, Failure> {
    let mut how = how;
    if let Some(Some(filter)) = trace {
        let (output, story) = StoryOutput::begin(folder, &plan, filter)?;
        how.options.story = Some(story);
        let run = simulate(experiment, plan, how)?;
        output.finish(folder)?;
        return Ok(run);
    }
    let folder = folder.filter(|_| trace.is_some());
    let trace = folder.map(|folder| SharedTrace::create(folder, &plan)).transpose()?;
    how.options.trace = trace.clone().map(|trace| Box::new(trace) as Box<dyn Trace>);
    let run = simulate(experiment, plan, how)?;
    if let Some((trace, folder)) = trace.zip(folder) {
        trace.finish(folder)?;
    }
    Ok(run)
}

/// Runs once with each of these seeds, several at once.
fn repeat(experiment: &Experiment, sim: &Sim, seeds: RangeInclusive<u64>) -> Result<Exit, Failure> {
    let monitor = Monitor::start(sim.shows_progress())?;
    // A scenario that is wrong leaves no folder behind.
    status::label(&label(seeds.start()));
    let first = logs::unlogged(|| plan(experiment, sim, Some(*seeds.start())))?;
    status::label("");
    let (over, last) = (first.transport, *seeds.end());
    let set = sim.output.as_ref().map(|path| FolderSet::create(path, seeds.clone())).transpose()?;
    let seeds: Vec<u64> = seeds.collect();
    let ran = run_batch(&seeds, at_once(sim.jobs, sim.threads), &monitor, label, |seed| {
        let name = Some(format!("seed {seed} of {last}"));
        let plan = plan(experiment, sim, Some(*seed))?;
        let how = SimRun { monitor: Some(&monitor), name, ..SimRun::of(sim, &plan)? };
        let path = set.as_ref().map(|set| set.path_of(*seed));
        let run = with_folder(path.as_ref(), |folder| {
            if let Some(folder) = folder {
                folder.write_scenario(&plan, &overrides(sim, Some(*seed))?, how.options.wire)?;
            }
            let run = simulate_into((folder, &sim.trace), experiment, plan, how)?;
            folder.map_or(Ok(()), |folder| folder.write(&run, &run.verdicts()))?;
            Ok(run)
        })?;
        if run.is_interrupted {
            return Ok(None);
        }
        tracing::info!(seed, digest = ?run.digest, "done");
        Ok(Some((run.summary(), Repeat::of(*seed, run))))
    })?;
    let (mut all, mut runs, mut not_reached) = (Repeats::default(), Vec::new(), Vec::new());
    // Seeds that an interrupt kept from beginning have no result.
    let ran = ran.into_iter().chain(std::iter::repeat_with(|| None));
    for (seed, ran) in seeds.iter().zip(ran) {
        match ran {
            Some((summary, run)) => {
                all.add(&summary);
                runs.push(run);
            }
            None => not_reached.push(*seed),
        }
    }
    print(&match sim.json {
        true => repeats::json(&all, &runs, over, &not_reached),
        false => repeats::table(&all, &runs, over, &not_reached, |seed, more| {
            again_with(Some(seed), more)
        }),
    })?;
    Ok(match repeats::held(&runs) {
        _ if !not_reached.is_empty() => Exit::Interrupted,
        true => Exit::Done,
        false => Exit::Failed,
    })
}

/// The label of a seed's messages.
fn label(seed: &u64) -> String {
    format!("seed {seed}: ")
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
        keep_if_written(folder, TRACE, trace.map_or(Ok(()), JsonTrace::finish))
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
