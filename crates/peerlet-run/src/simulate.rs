//! From a plan to the results of a simulation.

use std::time::Instant;

use peerlet_sim::Simulation;

use crate::error::RunError;
use crate::experiment::Experiment;
use crate::panics;
use crate::plan::Plan;
use crate::results::Results;
use crate::setup::{self, SimOptions};
use crate::world::World;

/// Runs a plan in virtual time to its end, or until the watch among the options stops it.
///
/// # Errors
/// When the plan is for another world, its network cannot be built, a stack cannot run, the system
/// refuses threads, peers send to themselves without end, or a handler panics.
pub fn simulate(
    experiment: &Experiment,
    plan: Plan,
    options: SimOptions,
) -> Result<Results, RunError> {
    RunError::check_world(plan.world, World::Sim)?;
    let (threads, watch) = (options.threads, options.watch.clone());
    let setup = setup::simulated(experiment, &plan, options)?;
    let seed = plan.scenario.seed;
    let made = panics::catch(&watch, seed, || Simulation::new(setup, plan.directives()));
    let (simulation, _) = made.map_err(RunError::Panicked)?;
    let simulation = simulation.map_err(RunError::Setup)?;
    let begun = Instant::now();
    let ran = panics::catch(&watch, seed, || simulation.run());
    let (outcome, thread_panics) = ran.map_err(RunError::Panicked)?;
    let outcome = outcome.map_err(RunError::Simulation)?;
    let seconds = begun.elapsed().as_secs_f64();
    let results = Results::simulated(plan, threads.max(1), outcome, seconds);
    Ok(Results { thread_panics, ..results })
}

#[cfg(test)]
mod tests {
    use peerlet_core::{Nothing, Peer, Peerlet};
    use peerlet_scenario::Source;

    use super::*;

    struct Idle;

    impl Peerlet for Idle {
        const NAME: &'static str = "idle";
        type Message = Nothing;
        type Timer = Nothing;
    }

    #[test]
    fn a_plan_for_another_world_is_refused() {
        let experiment = Experiment::new("idle").peer(|_seat| Peer::new().with(Idle));
        let run = |world| {
            let source = Source::new("test", "peers = 2\nfor = \"1s\"");
            let plan = Plan::new(&experiment, source, &[], world).expect("it is in order");
            simulate(&experiment, plan, SimOptions::default())
        };
        assert!(run(World::Sim).is_ok());
        for world in [World::Emulate, World::Live] {
            let error = run(world).expect_err("it is for another world");
            assert!(matches!(error, RunError::World(planned, World::Sim) if planned == world));
            assert!(error.to_string().contains("make one for that world"), "{error}");
            assert_eq!(format!("{error:?}"), error.to_string(), "an `unwrap` says it in words");
        }
    }
}
