//! `live`: a plan on real sockets.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use peerlet_core::runtime::decode_text;
use peerlet_live::{
    Admission, KeyError, LiveSetup, PrivateFileError, PrivateFileProblem, ProcessKey, Secret,
    SecretError, Sockets,
};
use peerlet_report::Folder;
use peerlet_run::{Experiment, LiveOptions, Plan, Transport, World, threads};
use peerlet_scenario::{Scenario, is_of_content, read_regular_file};

use crate::arguments::{What, transport};
use crate::commands::address;
use crate::commands::conclude::{conclude, with_folder};
use crate::exit::Exit;
use crate::failure::{Failure, with_causes};
use crate::logs;
use crate::terminal::{attended, status};

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

fn index(text: &str) -> Result<(u32, u32), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok((first, last)),
        _ => Err(format!("write the first and the last seat, such as `10-19`: {text}")),
    }
}

/// Runs the `live` command.
pub(crate) fn run(experiment: &Experiment, live: &Live) -> Result<Exit, Failure> {
    logs::start(live.what.verbose, live.what.quiet);
    let admission = admission(live)?;
    let overrides = live.what.overrides()?;
    let scenario = Scenario::parse(live.what.source()?, &overrides)?;
    let plan = Plan::resolve(experiment, scenario, World::Live, live.transport)?;
    let is_share = live.index.is_some() || live.join.is_some();
    // Live behavior is seeded by the system, unless a seed is asked for.
    let is_seeded = live.what.seed.is_some();
    let options = LiveOptions { closed_network: live.closed_network, is_seeded, is_share };
    let setup = peerlet_run::live(experiment, &plan, options)?;
    with_folder(live.output.as_ref(), |folder| {
        if let Some(folder) = folder {
            folder.write_scenario(&plan, &overrides, plan.scenario.run.wire)?;
        }
        run_share(live, plan, LiveSetup { admission, ..setup }, folder)
    })
}

/// Runs this process's share, and concludes it.
fn run_share(
    live: &Live,
    plan: Plan,
    setup: LiveSetup,
    folder: Option<&Folder>,
) -> Result<Exit, Failure> {
    let sockets = setup.sockets;
    if plan.scenario.network.is_some() && !live.what.quiet {
        status::say("[network] is left to the real network: its delays and losses are not applied");
    }
    let key = live.key.as_deref().map(key).transpose()?;
    let shards = live.shards.unwrap_or(threads::of_runtime() as u32).min(plan.scenario.peers);
    let setup = deployed(setup, live, shards, key)?;
    let names_identity = setup.join.as_ref().is_some_and(|join| join.identity().is_some());
    if names_identity && sockets != Sockets::Quic {
        let message = "--join names an identity, and UDP has none; leave it out or use QUIC";
        return Err(Failure::Usage(message.to_owned()));
    }
    let (run, _signals) = attended::run_live(plan, setup)?;
    conclude(&run, folder, &live.what, live.json)
}

/// The setup of this process: where it is, and which of the seats it has.
///
/// # Errors
/// When an address is none.
fn deployed(
    setup: LiveSetup,
    live: &Live,
    shards: u32,
    key: Option<ProcessKey>,
) -> Result<LiveSetup, Failure> {
    Ok(LiveSetup {
        bind: address::bind(&live.bind)?,
        join: live.join.as_deref().map(address::join).transpose()?,
        advertise: live.advertise.as_deref().map(address::advertise).transpose()?,
        shards,
        key,
        index: live.index,
        start_within: live.start_within,
        notice: if live.what.quiet { Arc::new(|_| ()) } else { Arc::new(status::say) },
        ..setup
    })
}

/// The key in this file; a new one is made and kept there if there is none.
fn key(path: &Path) -> Result<ProcessKey, Failure> {
    ProcessKey::load_or_create(path).map_err(|error| match &error {
        KeyError::File(file) => unusable(file, &error),
        _ => Failure::Usage(with_causes(&error)),
    })
}

/// A key or a secret that cannot be used: for its content, or because it could not be read.
fn unusable(file: &PrivateFileError, error: &dyn std::error::Error) -> Failure {
    match file.problem {
        PrivateFileProblem::TooLong { .. } => Failure::Usage(with_causes(error)),
        _ => Failure::Io(with_causes(error)),
    }
}

/// Bytes of a list of identities: 65,536 of them, with room for words beside each.
const LIST_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The rule of admission: a secret in a file, a list of identities in a file, or anybody.
fn admission(live: &Live) -> Result<Admission, Failure> {
    let list = match &live.allow {
        None => Admission::default(),
        Some(path) => {
            let wrong = |why: &dyn std::fmt::Display| {
                Failure::Usage(format!("--allow {}: {why}", path.display()))
            };
            let read = read_regular_file(path, LIST_BYTES_MAX);
            let bytes = read.map_err(|error| match is_of_content(&error) {
                true => wrong(&format!("{error}; a list has at most 16 MiB")),
                false => Failure::Io(format!("--allow {}: {error}", path.display())),
            })?;
            let text = decode_text(bytes).map_err(|error| wrong(&error))?;
            Admission::of_list(&text).map_err(|error| wrong(&error))?
        }
    };
    let secret = live.secret.as_deref().map(Secret::load).transpose();
    let secret = secret.map_err(|error| match &error {
        SecretError::File(file) => unusable(file, &error),
        _ => Failure::Usage(with_causes(&error)),
    })?;
    Ok(Admission { secret, ..list })
}
