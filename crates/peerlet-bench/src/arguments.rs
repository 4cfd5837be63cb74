//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::case::{Case, Engine, Workload, workload};

/// Measures the simulator beside a hand-written loop and beside other simulators.
///
/// Every run has a process of its own. Engines take turns, round by round, and figures are medians.
#[derive(Clone, Parser, Debug)]
#[command(version)]
pub struct Arguments {
    /// How many peers: one or more numbers.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000")]
    #[arg(value_parser = clap::value_parser!(u32).range(2..))]
    pub peers: Vec<u32>,
    /// On how many threads, for engines that have them.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Vec<u32>,
    /// Which workloads: gossip, phold, timers, large, tasks, lookups, three, kinds.
    #[arg(long, value_delimiter = ',', default_value = "gossip", value_parser = workload)]
    pub workloads: Vec<Workload>,
    /// Which engines: loop, heap, peerlet, reference, simcore, nexosim, madsim, turmoil.
    #[arg(long, value_delimiter = ',', default_value = "loop,peerlet")]
    pub engines: Vec<Engine>,
    /// How often each run is made.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// How much virtual time a run has, in seconds; slow engines are given less.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(2..))]
    pub seconds: u32,
    /// How many messages a peer PHOLD starts with.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub population: u32,
    /// What everything is drawn from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// After how many seconds a run is given up as too slow.
    #[arg(long, default_value_t = 120)]
    pub limit: u64,
    /// Print the figures as JSON.
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Print the figures as a table in Markdown.
    #[arg(long)]
    pub markdown: bool,
    /// Draw events per second over the number of peers into this SVG file.
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// The program made in `others/madsim`, if it is not where it is made.
    #[arg(long, value_name = "PROGRAM")]
    pub madsim: Option<PathBuf>,
    /// Make one run in this process, and print what it says of itself.
    #[arg(long, value_name = "CASE", hide = true)]
    pub one: Option<Case>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_mistakes_are_named() {
        let line = "peerlet-bench --peers 10,20 --workloads phold,timers --engines heap,simcore";
        let read = Arguments::try_parse_from(line.split(' ')).unwrap();
        assert_eq!(read.peers, [10, 20]);
        assert_eq!(read.workloads, [Workload::Phold, Workload::Timers]);
        assert_eq!(read.engines, [Engine::Heap, Engine::Simcore]);
        for (wrong, told) in [
            ("--peers 1", "2.."),
            ("--engines lop", "no engine is named `lop`"),
            ("--workloads gosip", "no workload is named `gosip`"),
        ] {
            let line = format!("peerlet-bench {wrong}");
            let error = Arguments::try_parse_from(line.split(' ')).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
