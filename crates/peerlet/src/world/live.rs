//! `live`: a plan on real sockets.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use peerlet_core::Directive;
use peerlet_live::{
    Join, LiveError, LiveOutcome, LiveSetup, MediumError, ProcessKey, Secret, Sockets,
};
use tokio::sync::watch;

use crate::arguments::Live;
use crate::exit::Exit;
use crate::experiment::Experiment;
use crate::logs;
use crate::output::folder::Folder;
use crate::output::results::Results;
use crate::plan::Plan;
use crate::run::Failure;
use crate::transport::Transport;
use crate::world::interrupts;
use crate::world::setup::{self, LiveOptions};
use crate::world::sim::conclude;
use crate::world::threads;

/// Runs the `live` command.
pub(crate) fn run(experiment: &Experiment, live: &Live) -> Result<Exit, Failure> {
    logs::start(live.what.verbose, live.what.quiet);
    let sockets = live.transport.sockets(live.closed_network);
    if live.secret.is_some() && sockets == Sockets::Quic {
        return Err(Failure::Usage(LiveError::SecretOverQuic.to_string()));
    }
    let secret = live.secret.as_deref().map(secret).transpose()?;
    let overrides = live.what.overrides()?;
    let plan = Plan::new(experiment, live.what.source()?, &overrides, sockets.gives())?;
    let is_share = live.index.is_some() || live.join.is_some();
    // Live behavior is seeded by the system, unless a seed is asked for.
    let is_seeded = live.what.seed.is_some();
    let options = LiveOptions { sockets, is_seeded, is_share };
    let setup = setup::live(experiment, &plan, options)?;
    let folder = live.output.as_ref().map(|path| Folder::create(path)).transpose()?;
    if plan.scenario.network.is_some() && !live.what.quiet {
        eprintln!("[network] is left to the real network: its delays and losses are not applied");
    }
    let key = live.key.as_deref().map(key).transpose()?;
    let shards = live.shards.unwrap_or(threads::of_runtime() as u32).min(plan.scenario.peers);
    let mut setup = deployed(setup, live, shards, key);
    setup.secret = secret;
    setup.join = live.join.as_deref().map(join).transpose()?;
    if setup.join.is_some_and(|join| join.identity.is_some()) && sockets != Sockets::Quic {
        let message = "--join names an identity, and UDP has none; leave it out or use QUIC";
        return Err(Failure::Usage(message.to_owned()));
    }
    setup.advertise = live.advertise.as_deref().map(advertise).transpose()?;
    let ran = run_on_sockets(setup, plan.directives().collect())?;
    let results = Results::on_sockets("live", plan, shards, ran, is_seeded);
    conclude(&results, folder.as_ref(), &live.what, live.json)
}

/// What a run on real sockets came to.
pub(crate) struct Ran {
    pub(crate) outcome: LiveOutcome,
    pub(crate) transport: Transport,
    pub(crate) wall_seconds: f64,
    pub(crate) is_interrupted: bool,
    /// The panic that ended it, if one did: the outcome is partial.
    pub(crate) panicked: Option<String>,
}

/// Runs peers on real sockets to their end, or until this process is interrupted.
pub(crate) fn run_on_sockets(setup: LiveSetup, directives: Vec<Directive>) -> Result<Ran, Failure> {
    let runtime = threads::runtime()?;
    let (begun, transport) = (Instant::now(), Transport::of(setup.sockets));
    let (stop, stopped) = watch::channel(false);
    let signals = interrupts::stop_at_signal(stop).map_err(threads::refused("signals"))?;
    let came = runtime.block_on(peerlet_live::run(setup, directives, stopped.clone()));
    let mut is_interrupted = *stopped.borrow();
    drop(signals);
    // A handler that does not come back is not waited for.
    runtime.shutdown_background();
    let (outcome, panicked) = match came {
        Ok(outcome) => (outcome, None),
        Err(LiveError::Panicked(mut panicked)) => {
            let said = panicked.to_string();
            let Some(partial) = panicked.partial.take() else {
                return Err(Failure::Panicked(said));
            };
            eprintln!("error: {said}");
            is_interrupted = true;
            (*partial, Some(said))
        }
        Err(error) => return Err(failure(&error)),
    };
    let wall_seconds = begun.elapsed().as_secs_f64();
    Ok(Ran { outcome, transport, wall_seconds, is_interrupted, panicked })
}

/// The setup of this process: where it is, and which of the seats it has.
fn deployed(setup: LiveSetup, live: &Live, shards: u32, key: Option<ProcessKey>) -> LiveSetup {
    LiveSetup {
        bind: live.bind,
        shards,
        key,
        index: live.index,
        start_within: live.start_within,
        notice: if live.what.quiet {
            Arc::new(|_| ())
        } else {
            Arc::new(|line| eprintln!("{line}"))
        },
        ..setup
    }
}

/// A run that cannot begin: for what was asked, or for what was met.
fn failure(error: &LiveError) -> Failure {
    match error {
        LiveError::Index { .. }
        | LiveError::JoinsItself
        | LiveError::JoinsNobody { .. }
        | LiveError::SecretOverQuic
        | LiveError::Medium(
            MediumError::Limit(_) | MediumError::Sockets { .. } | MediumError::Share,
        ) => Failure::Usage(error.to_string()),
        _ => Failure::Io(error.to_string()),
    }
}

/// Reads `[IDENTITY@]HOST:PORT`.
fn join(text: &str) -> Result<Join, Failure> {
    let (identity, at) = match text.split_once('@') {
        Some((identity, at)) => {
            let wrong = |error| Failure::Usage(format!("--join {text}: {error}"));
            (Some(identity.parse().map_err(wrong)?), at)
        }
        None => (None, text),
    };
    Ok(Join { at: resolve("--join", at)?, identity })
}

/// Reads `HOST[:PORT]`; port 0 stands for the bound one.
fn advertise(text: &str) -> Result<SocketAddr, Failure> {
    let has_port = text.parse::<SocketAddr>().is_ok()
        || text.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':'));
    if has_port {
        resolve("--advertise", text)
    } else {
        resolve("--advertise", &format!("{text}:0"))
    }
}

fn resolve(option: &str, text: &str) -> Result<SocketAddr, Failure> {
    let wrong = |why: &str| Failure::Usage(format!("{option} {text}: {why}; write HOST:PORT"));
    let mut found = text.to_socket_addrs().map_err(|error| wrong(&error.to_string()))?;
    found.next().ok_or_else(|| wrong("the host has no address"))
}

/// The key in this file; a new one is made and kept there if there is none.
fn key(path: &Path) -> Result<ProcessKey, Failure> {
    ProcessKey::load_or_create(path).map_err(|error| Failure::Io(error.to_string()))
}

/// The secret in this file.
fn secret(path: &Path) -> Result<Secret, Failure> {
    Secret::load(path).map_err(|error| Failure::Io(error.to_string()))
}
