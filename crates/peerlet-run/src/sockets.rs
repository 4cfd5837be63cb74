//! From a plan to the results of a run on real sockets, live or emulated.

use std::time::Instant;

use peerlet_core::runtime::Directive;
use peerlet_core::{Duration, Time};
use peerlet_live::{LiveError, LiveOutcome, LiveSetup};
use tokio::sync::watch;

use crate::error::RunError;
use crate::experiment::Experiment;
use crate::on_sockets::Ran;
use crate::panics;
use crate::plan::Plan;
use crate::results::Results;
use crate::transport::Transport;
use crate::world::World;
use crate::{setup, threads};

/// Runs a plan on real sockets, one a peer, with its network between them, to its end or until
/// `stop` is true. The run is void when something was later than `late_max` once.
///
/// # Errors
/// When the plan is for another world, its network cannot be built, the system refuses sockets,
/// threads or descriptors, or a panic left no results.
pub fn emulate(
    experiment: &Experiment,
    plan: Plan,
    late_max: Duration,
    stop: watch::Receiver<bool>,
) -> Result<Results, RunError> {
    RunError::check_world(plan.world, World::Emulate)?;
    let setup = LiveSetup { late_max, ..setup::emulated(experiment, &plan)? };
    let peers = plan.scenario.peers;
    let ran = run(setup, plan.directives().collect(), stop)?;
    Ok(Results::on_sockets(World::Emulate, plan, peers, ran, true))
}

/// Runs this process's share of a plan on real sockets and the real network, to its end or until
/// `stop` is true. `setup` is the plan's, with the process's place in the network.
///
/// # Errors
/// When the plan is for another world, the process cannot take part, the system refuses sockets,
/// threads or descriptors, or a panic left no results.
pub fn run_live(
    plan: Plan,
    setup: LiveSetup,
    stop: watch::Receiver<bool>,
) -> Result<Results, RunError> {
    RunError::check_world(plan.world, World::Live)?;
    let (shards, is_seeded) = (setup.shards, setup.seed.is_some());
    let ran = run(setup, plan.directives().collect(), stop)?;
    Ok(Results::on_sockets(World::Live, plan, shards, ran, is_seeded))
}

/// Runs peers on real sockets to their end, or until `stop` is true.
fn run(
    setup: LiveSetup,
    directives: Vec<Directive>,
    stop: watch::Receiver<bool>,
) -> Result<Ran, RunError> {
    let runtime = threads::runtime()?;
    let (begun, transport) = (Instant::now(), Transport::of(setup.sockets));
    let end = Time::ZERO + setup.duration;
    let (came, panics) = panics::keep_on_sockets(|| {
        runtime.block_on(peerlet_live::run(setup, directives, stop.clone()))
    });
    let is_stopped = *stop.borrow();
    // A handler that does not come back is not waited for.
    runtime.shutdown_background();
    let wall_seconds = begun.elapsed().as_secs_f64();
    let ran = |outcome: LiveOutcome, is_interrupted| {
        let (panicked, thread_panics) = (None, Vec::new());
        Ran { outcome, transport, wall_seconds, is_interrupted, panicked, thread_panics }
    };
    match came {
        Ok(outcome) => {
            // A process that waits to hand in its reports interrupts nothing when it is stopped.
            let is_interrupted = is_stopped && outcome.end < end;
            Ok(Ran { thread_panics: panics.others(None), ..ran(outcome, is_interrupted) })
        }
        Err(LiveError::Panicked(mut panicked)) => {
            let report = panics.report(&panicked.message, &panicked);
            match panicked.partial.take() {
                Some(partial) => Ok(Ran { panicked: Some(report), ..ran(*partial, true) }),
                None => Err(RunError::Panicked(report)),
            }
        }
        Err(error) => Err(RunError::Sockets(error)),
    }
}
