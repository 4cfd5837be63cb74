//! The command line.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use peerlet_scenario::{Override, Problems, Source};
use peerlet_sim::Engine;

use crate::compare::Compare;
use crate::failure::Failure;
use crate::fidelity::Fidelity;
use crate::output::status;
use crate::transport::Transport;

/// Runs peer-to-peer experiments.
#[derive(Parser, Debug)]
#[command(version, about, long_about = None)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a scenario in virtual time
    Sim(Sim),
    /// Run this process's share of the peers on real sockets; `[network]` is left to the real one
    Live(Live),
    /// Run all peers in this process on real sockets, with the scenario's network between them
    Emulate(Emulate),
    /// Read and check a scenario, and run nothing
    Check(Check),
    /// Compare a scenario's simulation with its emulation, over several seeds
    Fidelity(Fidelity),
    /// Compare two runs, or two sets of runs, metric by metric
    Compare(Compare),
    /// Make the secret that the processes of one network share
    Secret {
        /// The new file that keeps it; only its owner may read it
        file: PathBuf,
    },
    /// List peerlets, commands and network models, with parameters, units and defaults
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// What is run, and what is changed in it.
#[derive(Args, Debug)]
pub(crate) struct What {
    /// The scenario file; may be left out by programs with one experiment of their own
    pub(crate) scenario: Option<PathBuf>,
    /// The seed that everything is drawn from [default: the scenario's]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<String>,
    /// The number of peers
    #[arg(long, value_name = "N")]
    pub(crate) peers: Option<String>,
    /// How long it runs
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) duration: Option<String>,
    /// The network model
    #[arg(long, value_name = "MODEL")]
    pub(crate) network: Option<String>,
    /// Set any key of the scenario (repeatable); KEY.PATH= takes the key away
    #[arg(long, value_name = "KEY.PATH=VALUE")]
    pub(crate) set: Vec<String>,
    /// Say more: what runs (-v), what peerlets log (-vv), everything (-vvv)
    #[arg(short, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing but the results
    #[arg(short)]
    pub(crate) quiet: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Sim {
    #[command(flatten)]
    pub(crate) what: What,
    /// Generate N scenarios from the seed [default: 1], and hold each to the contract: by two
    /// engines, with 1 and 2 threads, with a peerlet on every stack that checks it from the
    /// inside. SCENARIO is left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=RANDOM_MAX))]
    #[arg(conflicts_with_all = ["scenario", "peers", "duration", "network", "set", "seeds"])]
    #[arg(conflicts_with_all = ["threads", "wire", "reference", "check_determinism", "trace"])]
    pub(crate) random: Option<u64>,
    /// Hold SCENARIO to the contract as `--random` does
    #[arg(long, requires = "scenario", conflicts_with_all = ["random", "seed", "peers"])]
    #[arg(conflicts_with_all = ["duration", "network", "set", "seeds", "threads", "wire"])]
    #[arg(conflicts_with_all = ["reference", "check_determinism", "trace", "output", "json"])]
    pub(crate) witness: bool,
    /// Repeat with each of these seeds; the table shows means and 95 % intervals
    #[arg(long, value_name = "A..B", value_parser = seeds, conflicts_with = "seed")]
    pub(crate) seeds: Option<(u64, u64)>,
    /// The number of threads
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=THREADS_MAX))]
    pub(crate) threads: u32,
    /// Encode and decode every message, as on real sockets
    #[arg(long)]
    pub(crate) wire: bool,
    /// What the messages go over: with quic, the first one between two peers waits for a handshake;
    /// with udp, stacks that need reliable delivery are refused [default: the scenario's, else
    /// neither]
    #[arg(long, value_name = "NAME", value_parser = transport())]
    pub(crate) transport: Option<Transport>,
    /// One heap, one event after the other, on one thread: to hold the windowed engine to
    #[arg(long, hide = true)]
    pub(crate) reference: bool,
    /// Run twice, in two processes, with 1 and N threads (or 2), and compare event by event
    #[arg(long, conflicts_with_all = ["seeds", "trace", "output", "json"])]
    pub(crate) check_determinism: bool,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a run folder: the scenario as run, summary.json, measures.csv, distributions.csv; with
    /// --seeds one for each seed, DIR/SEED
    #[arg(short, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Write every event to events.jsonl in the run folder
    #[arg(long, requires = "output")]
    pub(crate) trace: bool,
    /// Show no progress; it shows on a terminal only
    #[arg(long)]
    pub(crate) no_progress: bool,
    /// Be the second run of a check for determinism: write all events here and nothing else
    #[arg(long, hide = true, value_name = "FILE")]
    pub(crate) twin: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Live {
    #[command(flatten)]
    pub(crate) what: What,
    /// Where the first shard binds; shard k binds k ports higher
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    pub(crate) bind: String,
    /// The address that others are told [default: the bound one, or what the first of them sees]
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) advertise: Option<String>,
    /// Seat 0's process; without an identity the first one that answers is taken and kept
    #[arg(long, value_name = "[IDENTITY@]HOST:PORT")]
    pub(crate) join: Option<String>,
    /// How long to wait for the processes of the other seats
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(crate) start_within: peerlet_core::Duration,
    /// The seats that live in this process [default: all]
    #[arg(long, value_name = "A-B", value_parser = index)]
    pub(crate) index: Option<(u32, u32)>,
    /// The sockets: quic has both classes of delivery and identities, udp has datagrams only
    /// [default: the scenario's, else quic]
    #[arg(long, value_name = "NAME", value_parser = transport())]
    pub(crate) transport: Option<Transport>,
    /// The secret that all processes of the run share (`peerlet secret FILE` makes one): nobody
    /// else is let in
    #[arg(long, value_name = "FILE")]
    pub(crate) secret: Option<PathBuf>,
    /// The identities of the processes that are let in, one a line; nobody else is, over quic
    #[arg(long, value_name = "FILE")]
    pub(crate) allow: Option<PathBuf>,
    /// Let UDP without a secret be reached from beyond this machine: everybody who can is trusted
    #[arg(long)]
    pub(crate) closed_network: bool,
    /// Tasks that share this process's peers, each with a socket [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) shards: Option<u32>,
    /// The process's key; made and kept there if there is none [default: a new one a run]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a run folder: the scenario as run, summary.json, measures.csv, distributions.csv
    #[arg(short, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
}

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

#[derive(Args, Debug)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) what: What,
    /// Print the expanded list of what happens to which peer and when
    #[arg(long)]
    pub(crate) expand: bool,
}

/// Reads the name of a transport.
pub(crate) fn transport() -> impl TypedValueParser<Value = Transport> {
    let read = |name: String| Transport::named(&name).expect("only these names are read");
    PossibleValuesParser::new(Transport::ALL.map(Transport::name)).map(read)
}

fn index(text: &str) -> Result<(u32, u32), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok((first, last)),
        _ => Err(format!("write the first and the last seat, such as `10-19`: {text}")),
    }
}

/// The most threads that a simulation runs on: a slip of the finger should not start thousands.
const THREADS_MAX: i64 = 256;

/// The most random scenarios of one call.
const RANDOM_MAX: u64 = 1_000_000;

/// The most seeds that one call repeats.
const SEEDS_MAX: u64 = 10_000;

pub(crate) fn seeds(text: &str) -> Result<(u64, u64), String> {
    let wrong =
        || format!("write two numbers, the first and the last seed, such as `1..30`: {text}");
    let (first, last) = text.split_once("..").ok_or_else(wrong)?;
    let last = last.strip_prefix('=').unwrap_or(last);
    let (first, last) =
        (first.parse::<u64>().map_err(|_| wrong())?, last.parse::<u64>().map_err(|_| wrong())?);
    if first > last {
        return Err(format!("the first seed comes first, as in {last}..{first}: {text}"));
    }
    if last - first >= SEEDS_MAX {
        return Err(format!("from 1 to {SEEDS_MAX} seeds can be repeated: {text}"));
    }
    Ok((first, last))
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

impl What {
    /// The scenario's text; an empty one where no file is named.
    pub(crate) fn source(&self) -> Result<Source, Failure> {
        match &self.scenario {
            Some(path) => {
                Source::open(path).map_err(|error| Failure::unreadable_scenario(path, &error))
            }
            None => Ok(Source::new("command line", "")),
        }
    }

    /// Everything that the options change in the scenario. The options of their own come first, so
    /// that `--set` has the last word.
    pub(crate) fn overrides(&self) -> Result<Vec<Override>, Problems> {
        let named = [
            ("--seed", "seed", &self.seed),
            ("--peers", "peers", &self.peers),
            ("--for", "for", &self.duration),
            ("--network", "network.model", &self.network),
        ];
        let named = named.into_iter().filter_map(|(option, path, value)| {
            value.as_ref().map(|value| Override::option(option, path, value))
        });
        let mut overrides: Vec<_> = named.collect();
        for assignment in &self.set {
            overrides.push(Override::set(assignment)?);
        }
        Ok(overrides)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn seeds_are_a_range_with_both_ends() {
        assert_eq!(seeds("1..30"), Ok((1, 30)));
        assert_eq!(seeds("7..=7"), Ok((7, 7)));
        for wrong in ["", "1", "3..1", "a..b", "0..99999999"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }
}
