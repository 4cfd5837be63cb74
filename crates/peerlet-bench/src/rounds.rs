//! The order of the runs: engines take turns, so that what the machine does to one it does to all.

use std::time::Duration;

use crate::arguments::Arguments;
use crate::case::{Case, Plan, Workload};
use crate::child::{self, Absence};
use crate::figures::{self, Figure, Series};

/// Makes all runs, and tells on standard error how far it is.
///
/// # Errors
/// When nothing was asked for.
pub fn run(arguments: &Arguments) -> Result<Vec<Figure>, String> {
    let mut all = Vec::new();
    for &workload in &arguments.workloads {
        for &peers in &arguments.peers {
            all.extend(group(arguments, workload, peers));
        }
    }
    if all.is_empty() {
        return Err("none of these engines has a program for any of these workloads".to_owned());
    }
    Ok(figures::figures(&all))
}

/// All rounds of all engines on one workload and size.
fn group(arguments: &Arguments, workload: Workload, peers: u32) -> Vec<Series> {
    let mut group = planned(arguments, workload, peers);
    let limit = Duration::from_secs(arguments.limit);
    for round in 0..arguments.rounds {
        for series in &mut group {
            if series.samples.iter().any(Result::is_err) {
                continue;
            }
            let Series { engine, threads, seconds, .. } = *series;
            let (seed, population) = (arguments.seed, arguments.population);
            let plan = Plan { peers, seconds, threads, seed, population };
            let case = Case { engine, workload, plan };
            let sample = child::sample(&case, arguments.madsim.as_deref(), limit);
            let told = match &sample {
                Ok(sample) => format!("{:.3} M events/s", sample.rate() / 1e6),
                Err(why) => why.to_string(),
            };
            eprintln!(
                "{} {peers} peers, round {}: {engine} x{threads}: {told}",
                workload.name(),
                round + 1
            );
            series.samples.push(sample);
        }
    }
    group
}

/// The series of a workload and size, without samples; or with one that says why there are none.
fn planned(arguments: &Arguments, workload: Workload, peers: u32) -> Vec<Series> {
    let mut planned = Vec::new();
    for &engine in arguments.engines.iter().filter(|engine| engine.does(workload)) {
        for &threads in arguments.threads.iter().filter(|n| **n == 1 || engine.has_threads()) {
            let (seed, population) = (arguments.seed, arguments.population);
            let plan = Plan { peers, seconds: arguments.seconds, threads, seed, population };
            let seconds = Case::seconds(engine, workload, &plan);
            let too_many = peers > engine.peers_max();
            let samples = match too_many {
                true => vec![Err(Absence::TooMany(engine.peers_max()))],
                false => Vec::new(),
            };
            planned.push(Series { workload, peers, engine, threads, seconds, samples });
        }
    }
    planned
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn what_an_engine_cannot_do_is_not_planned_or_says_why() {
        let line = "bench --engines loop,simcore,turmoil --threads 1,2";
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        let of = |workload, peers| {
            let short = |s: &Series| (s.engine, s.threads, s.samples.is_empty());
            planned(&arguments, workload, peers).iter().map(short).collect::<Vec<_>>()
        };
        use crate::case::Engine::{Loop, Simcore, Turmoil};
        let both = [(Loop, 1, true), (Loop, 2, true)];
        assert_eq!(of(Workload::Timers, 10), both);
        let simcore = (Simcore, 1, true);
        let small = [both[0], both[1], simcore, (Turmoil, 1, true)];
        assert_eq!(of(Workload::Gossip, 100), small);
        let large = [both[0], both[1], simcore, (Turmoil, 1, false)];
        assert_eq!(of(Workload::Gossip, 10_000), large);
    }
}
