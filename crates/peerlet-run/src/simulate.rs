//! From a plan to the results of a simulation.

use std::time::Instant;

use peerlet_sim::Simulation;

use crate::error::RunError;
use crate::experiment::Experiment;
use crate::panics;
use crate::plan::Plan;
use crate::results::Results;
use crate::setup::{self, SimOptions};

/// Runs a plan in virtual time to its end, or until the watch among the options stops it.
///
/// # Errors
/// When the plan's network cannot be built, a stack cannot run, the system refuses threads, peers
/// send to themselves without end, or a handler panics.
pub fn simulate(
    experiment: &Experiment,
    plan: Plan,
    options: SimOptions,
) -> Result<Results, RunError> {
    let (threads, watch) = (options.threads, options.watch.clone());
    let setup = setup::simulated(experiment, &plan, options)?;
    let simulation = Simulation::new(setup, plan.directives()).map_err(RunError::Setup)?;
    let begun = Instant::now();
    let ran = panics::catch(&watch, plan.scenario.seed, || simulation.run());
    let (outcome, thread_panics) = ran.map_err(RunError::Panicked)?;
    let outcome = outcome.map_err(RunError::Simulation)?;
    let seconds = begun.elapsed().as_secs_f64();
    let results = Results::simulated(plan, threads.max(1), outcome, seconds);
    Ok(Results { thread_panics, ..results })
}
