//! `live`: a plan on real sockets.

use std::path::Path;
use std::sync::Arc;

use peerlet_core::decode_text;
use peerlet_live::{
    Admission, KeyError, LiveSetup, PrivateFileError, PrivateFileProblem, ProcessKey, Secret,
    SecretError, Sockets,
};
use peerlet_scenario::{Scenario, is_of_content, read_regular_file};

use crate::arguments::Live;
use crate::exit::Exit;
use crate::experiment::Experiment;
use crate::failure::{Failure, with_causes};
use crate::logs;
use crate::output::folder::Folder;
use crate::output::status;
use crate::plan::Plan;
use crate::transport::Transport;
use crate::world::address;
use crate::world::attended;
use crate::world::conclude::{conclude, with_folder};
use crate::world::setup::{self, LiveOptions};
use crate::world::threads;

/// Runs the `live` command.
pub(crate) fn run(experiment: &Experiment, live: &Live) -> Result<Exit, Failure> {
    logs::start(live.what.verbose, live.what.quiet);
    let admission = admission(live)?;
    let overrides = live.what.overrides()?;
    let scenario = Scenario::parse(live.what.source()?, &overrides)?;
    let over = |written: Option<Transport>| {
        live.transport.or(written).unwrap_or(Transport::Quic).sockets(live.closed_network)
    };
    let plan = Plan::of(experiment, scenario, &|written| over(written).gives().to_vec())?;
    let sockets = over(plan.transport);
    let is_share = live.index.is_some() || live.join.is_some();
    // Live behavior is seeded by the system, unless a seed is asked for.
    let is_seeded = live.what.seed.is_some();
    let options = LiveOptions { sockets, is_seeded, is_share };
    let setup = setup::live(experiment, &plan, options)?;
    with_folder(live.output.as_ref(), |folder| {
        if let Some(folder) = folder {
            let recorded = (Some(Transport::of(sockets)), plan.scenario.run.wire);
            folder.write_scenario(&plan, &overrides, recorded)?;
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

/// Who may connect: those with the secret in a file, those on a list in a file, or anybody.
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
