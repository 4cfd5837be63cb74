//! `sweep`: a scenario with every combination of some values, and with several seeds.

use std::path::PathBuf;

use clap::Args;
use peerlet_report::run_folder::schema::Version;
use peerlet_report::sweep::{Place, Sweep, SweepFolder, SweepResults, Vary};
use peerlet_run::{Experiment, Plan, SimOptions, Transport, World, inputs, threads};
use peerlet_scenario::{Override, Problems, Rewrite, Scenario};

use crate::arguments::{What, seeds, transport};
use crate::commands::batch::{at_once, run_batch};
use crate::commands::sweep_end::{self, Shown};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::logs;
use crate::terminal::attended::{SimRun, simulate};
use crate::terminal::monitor::Monitor;
use crate::terminal::status;

/// The most runs of a sweep: as many folders.
const RUNS_MAX: u64 = 1_000_000;

#[derive(Args, Debug)]
pub(crate) struct SweepCommand {
    #[command(flatten)]
    what: What,
    /// Run with each of these values of a key, such as network.loss=0,0.01; repeated, with every
    /// combination
    #[arg(long, value_name = "KEY.PATH=VALUE,...", value_parser = vary)]
    vary: Vec<Vary>,
    /// Run each combination with each of these seeds [default: the scenario's]
    #[arg(long, value_name = "A..B", value_parser = seeds, conflicts_with = "seed")]
    seeds: Option<(u64, u64)>,
    /// The folder of the sweep; one that holds some of its runs goes on with the others
    #[arg(short, value_name = "DIR", required = true)]
    output: PathBuf,
    /// How many runs go on at once [default: as many as there are cores; one with --threads]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    jobs: Option<u32>,
    /// The number of threads of each run
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: u32,
    /// Run the i-th of n shares of the runs [default: that of a Slurm array, else all]
    #[arg(long, value_name = "I/N", value_parser = shard)]
    shard: Option<Shard>,
    /// Encode and decode every message, as on real sockets
    #[arg(long)]
    wire: bool,
    /// The transport, as for `sim`
    #[arg(long, value_name = "NAME", value_parser = transport())]
    transport: Option<Transport>,
    #[command(flatten)]
    shown: Shown,
    /// Show no progress; it shows on a terminal only
    #[arg(long)]
    no_progress: bool,
}

/// A share of the runs: the i-th of n, from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Shard {
    index: u64,
    count: u64,
}

/// One run: the number of its combination, and its seed.
struct Job {
    point: usize,
    seed: u64,
}

/// Runs the `sweep` command.
pub(crate) fn run(experiment: &Experiment, command: &SweepCommand) -> Result<Exit, Failure> {
    logs::start(command.what.verbose, command.what.quiet);
    let shard = match command.shard {
        Some(shard) => Some(shard),
        None => slurm_shard(|name| std::env::var(name).ok()).map_err(Failure::Usage)?,
    };
    let sweep = command.plan(experiment)?;
    let at_once = at_once(command.jobs, command.threads);
    threads::make_sure(at_once * command.threads as usize)?;
    // From here on an interrupt leaves the runs that are done.
    let shows_progress = !command.no_progress && !command.what.quiet && status::is_possible();
    let monitor = Monitor::start(shows_progress)?;
    let folder = SweepFolder::create(&command.output, &sweep)?;
    let all = (0..sweep.points()).flat_map(|point| sweep.seeds().map(move |seed| (point, seed)));
    let is_ours = |index: u64| shard.is_none_or(|shard| index % shard.count == shard.index - 1);
    let jobs: Vec<Job> = (0..)
        .zip(all)
        .filter(|(index, _)| is_ours(*index))
        .map(|(_, (point, seed))| Job { point, seed })
        .collect();
    if let Some(Shard { index, count }) = shard {
        command.say(&format!("share {index} of {count}: {} of {} runs", jobs.len(), sweep.runs()));
    }
    let label = |job: &Job| match sweep.words(job.point) {
        words if words.is_empty() => format!("seed {}: ", job.seed),
        words => format!("{words} seed={}: ", job.seed),
    };
    let ran = run_batch(&jobs, at_once, &monitor, label, |job| {
        let Place::Free(into) = folder.place(job.point, job.seed)? else { return Ok(true) };
        let overrides = command.overrides(&sweep, job)?;
        // Each combination has warned before anything ran.
        let plan = logs::unlogged(|| command.resolve(experiment, &overrides))?;
        let wire = command.wire || plan.scenario.run.wire;
        let options = SimOptions { threads: command.threads, wire, ..SimOptions::default() };
        let name = Some(label(job).trim_end_matches(": ").to_owned());
        into.write_scenario(&plan, &overrides, wire)?;
        let run = simulate(experiment, plan, SimRun { options, monitor: Some(&monitor), name })?;
        if run.is_interrupted {
            return Ok(false);
        }
        into.write(&run, &run.verdicts())?;
        Ok(true)
    })?;
    drop(monitor);
    let is_interrupted = ran.len() < jobs.len() || ran.contains(&false);
    let results = SweepResults::read(&folder, sweep)?;
    let ended = sweep_end::conclude(&folder, &results, &command.shown)?;
    let missing = results.sweep.runs() - results.runs.len() as u64;
    match is_interrupted {
        true => {
            command.say(&format!("interrupted: {missing} runs are left; the same command goes on"));
            Ok(Exit::Interrupted)
        }
        false if missing > 0 => {
            command.say(&format!("{missing} runs are other shares'; `merge` brings them together"));
            Ok(ended)
        }
        false => Ok(ended),
    }
}

impl SweepCommand {
    fn say(&self, line: &str) {
        if !self.what.quiet {
            status::say(line);
        }
    }

    /// The sweep that the options ask for. Every combination is resolved once, so that an error in
    /// one is reported before anything runs.
    fn plan(&self, experiment: &Experiment) -> Result<Sweep, Failure> {
        let usage = |message: String| Err(Failure::Usage(message));
        for (i, vary) in self.vary.iter().enumerate() {
            if self.vary[..i].iter().any(|other| other.key == vary.key) {
                return usage(format!("--vary: `{}` is given twice; give one list", vary.key));
            }
        }
        if let Some(key) = self.vary.iter().map(|vary| &vary.key).find(|key| self.sets(key)) {
            return usage(format!("`{key}` varies, and another option sets it; leave one out"));
        }
        let overrides = self.what.overrides()?;
        let scenario = logs::unlogged(|| self.scenario(&overrides))?;
        let mut rewrite = Rewrite::of(&scenario, &overrides)?;
        let mut text = String::new();
        for input in inputs::all(&scenario) {
            rewrite.set_text(&input.key, "");
            let sum = inputs::sum_of(&input.path).map_err(Failure::io(input.path.display()))?;
            text += &format!("{} {sum}\n", input.key);
        }
        text = format!("{}{text}{:?} {}", rewrite.write(), self.transport, self.wire);
        let seeds = self.seeds.unwrap_or((scenario.seed, scenario.seed));
        let version = Version::of(experiment.name, experiment.codec);
        let sha256 = inputs::sha256(text.as_bytes());
        let title = scenario.title;
        let sweep = Sweep::new(title, sha256, version, self.vary.clone(), seeds.0..=seeds.1);
        if sweep.runs() > RUNS_MAX {
            let runs = sweep.runs();
            return usage(format!("these are {runs} runs, and at most {RUNS_MAX} are made"));
        }
        for point in 0..sweep.points() {
            let words = sweep.words(point);
            status::label(&if words.is_empty() { words } else { format!("{words}: ") });
            let job = Job { point, seed: seeds.0 };
            let overrides = self.overrides(&sweep, &job)?;
            self.resolve(experiment, &overrides)?;
        }
        status::label("");
        Ok(sweep)
    }

    /// Whether an option gives this key one value.
    fn sets(&self, key: &str) -> bool {
        let What { peers, duration, network, set, .. } = &self.what;
        let set = set.iter().filter_map(|assignment| assignment.split('=').next());
        let options = [("peers", peers), ("for", duration), ("network.model", network)].into_iter();
        let named = options.filter(|(_, value)| value.is_some()).map(|(name, _)| name);
        set.map(str::trim).chain(named).any(|name| name == key)
    }

    /// The values of a run that replace the scenario's.
    fn overrides(
        &self,
        sweep: &Sweep,
        Job { point, seed }: &Job,
    ) -> Result<Vec<Override>, Problems> {
        let mut overrides = self.what.overrides()?;
        for (vary, value) in sweep.vary.iter().zip(sweep.values(*point)) {
            overrides.push(Override::assign("--vary", &format!("{}={value}", vary.key))?);
        }
        overrides.push(Override::option("--seeds", "seed", &seed.to_string()));
        Ok(overrides)
    }

    fn scenario(&self, overrides: &[Override]) -> Result<Scenario, Failure> {
        Ok(Scenario::parse(self.what.source()?, overrides)?)
    }

    fn resolve(&self, experiment: &Experiment, overrides: &[Override]) -> Result<Plan, Failure> {
        let scenario = self.scenario(overrides)?;
        Ok(Plan::resolve(experiment, scenario, World::Sim, self.transport)?)
    }
}

/// Reads `KEY=VALUE,VALUE,...`. A comma in brackets or quotes belongs to its value.
fn vary(text: &str) -> Result<Vary, String> {
    let example = "write KEY.PATH=VALUE,VALUE, such as network.loss=0,0.01";
    let (key, list) =
        text.split_once('=').ok_or_else(|| format!("no values are given; {example}"))?;
    let key = key.trim().to_owned();
    if key.is_empty() {
        return Err(format!("a key is missing; {example}"));
    }
    if key == "seed" {
        return Err("seeds are varied by --seeds A..B".to_owned());
    }
    let (mut values, mut depth, mut quote) = (vec![String::new()], 0_u32, None);
    for c in list.chars() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('[' | '{', None) => depth += 1,
            (']' | '}', None) => depth = depth.saturating_sub(1),
            (',', None) if depth == 0 => {
                values.push(String::new());
                continue;
            }
            _ => {}
        }
        values.last_mut().expect("there is a first").push(c);
    }
    let values: Vec<String> = values.iter().map(|value| value.trim().to_owned()).collect();
    if values.iter().any(String::is_empty) {
        return Err(format!("a value is missing; {example}"));
    }
    if let Some(twice) = (1..values.len()).find(|i| values[..*i].contains(&values[*i])) {
        return Err(format!("the value {} is given twice", values[twice]));
    }
    Ok(Vary { key, values })
}

/// Reads `I/N`.
fn shard(text: &str) -> Result<Shard, String> {
    let wrong = || "write which share of how many, such as 1/4".to_owned();
    let (index, count) = text.split_once('/').ok_or_else(wrong)?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    let (index, count) = (number(index)?, number(count)?);
    match (1..=count).contains(&index) {
        true => Ok(Shard { index, count }),
        false => Err(format!("the shares are 1/{0} to {0}/{0}", count.max(1))),
    }
}

/// The share of this task of a Slurm array, where it is one of several.
fn slurm_shard(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Shard>, String> {
    let (Some(id), Some(count)) =
        (variable("SLURM_ARRAY_TASK_ID"), variable("SLURM_ARRAY_TASK_COUNT"))
    else {
        return Ok(None);
    };
    let number = |name: &str, text: &str| {
        text.parse::<u64>().map_err(|_| format!("{name} is `{text}`, and no number"))
    };
    let other =
        |name: &str, default: u64| variable(name).map_or(Ok(default), |text| number(name, &text));
    let (number_of_id, count) =
        (number("SLURM_ARRAY_TASK_ID", &id)?, number("SLURM_ARRAY_TASK_COUNT", &count)?);
    let first = other("SLURM_ARRAY_TASK_MIN", 0)?;
    let step = other("SLURM_ARRAY_TASK_STEP", 1)?.max(1);
    match number_of_id.checked_sub(first).map(|behind| behind / step + 1) {
        Some(index) if index <= count => Ok(Some(Shard { index, count })),
        _ => Err(format!(
            "task {id} is none of a Slurm array of {count} from {first} on; give --shard I/N"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_divided_at_their_commas() {
        let values = |text: &str| vary(text).map(|vary| (vary.key, vary.values.join(" | ")));
        for (text, key, expected) in [
            ("network.loss=0,0.01", "network.loss", "0 | 0.01"),
            ("peers=1000", "peers", "1000"),
            ("a.b=[1, 2], { x = 1, y = [2] },'3,4'", "a.b", "[1, 2] | { x = 1, y = [2] } | '3,4'"),
            ("churn=kad-2007,\"x=\"", "churn", "kad-2007 | \"x=\""),
        ] {
            assert_eq!(values(text), Ok((key.to_owned(), expected.to_owned())));
        }
        for wrong in ["peers", "=1", "a=", "a=1,,2", "a=1,1", "seed=1,2"] {
            assert!(values(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shares_are_counted_from_one() {
        assert_eq!(shard("2/4"), Ok(Shard { index: 2, count: 4 }));
        for wrong in ["0/4", "5/4", "1", "1/0", "a/b", "-1/2"] {
            assert!(shard(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_slurm_array_has_shares() {
        let of = |variables: &[(&str, &str)]| {
            slurm_shard(|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        let count = ("SLURM_ARRAY_TASK_COUNT", "3");
        let array = [count, ("SLURM_ARRAY_TASK_MIN", "10"), ("SLURM_ARRAY_TASK_STEP", "5")];
        let task = |id: &'static str| of(&[&array[..], &[("SLURM_ARRAY_TASK_ID", id)]].concat());
        assert_eq!(task("10"), Ok(Some(Shard { index: 1, count: 3 })));
        assert_eq!(task("20"), Ok(Some(Shard { index: 3, count: 3 })));
        assert!(task("25").is_err() && task("5").is_err() && task("x").is_err());
        assert_eq!(of(&[count]), Ok(None));
    }
}
