//! From a plan to the results of a simulation.

use std::time::Instant;

use peerlet_core::Time;
use peerlet_core::runtime::SeatSet;
use peerlet_sim::{Outcome, Simulation};

use crate::error::RunError;
use crate::experiment::Experiment;
use crate::inspection::Inspection;
use crate::panics;
use crate::plan::Plan;
use crate::results::{PeerState, Results, Seen};
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
    let (until, show) = (options.until, options.show.clone());
    let mut options = options;
    let mut inspection = Inspection::of(&plan, options.links.take());
    let setup = setup::simulated(experiment, &plan, options)?;
    let seed = plan.scenario.seed;
    let made = panics::catch(&watch, seed, || Simulation::new(setup, plan.directives()));
    let (simulation, _) = made.map_err(RunError::Panicked)?;
    let simulation = simulation.map_err(RunError::Setup)?;
    let begun = Instant::now();
    let ran = panics::catch(&watch, seed, || run(simulation, &mut inspection, until, &show));
    let (ran, thread_panics) = ran.map_err(RunError::Panicked)?;
    let (outcome, seen) = ran.map_err(RunError::Simulation)?;
    let seconds = begun.elapsed().as_secs_f64();
    let results = Results::simulated(plan, threads.max(1), outcome, seconds);
    Ok(results.seen(seen).with_thread_panics(thread_panics))
}

/// Runs a simulation to its end, or to this earlier instant, and looks at it meanwhile.
fn run(
    mut simulation: Simulation,
    inspection: &mut Inspection,
    until: Option<Time>,
    show: &SeatSet,
) -> Result<(Outcome, Seen), peerlet_sim::RunError> {
    let end = simulation.end();
    inspection.run_until(&mut simulation, until.unwrap_or(Time::MAX))?;
    let asked = until.filter(|until| *until < end && simulation.now() == *until);
    let stopped = match inspection.stopped_by() {
        _ if simulation.now() == end => None,
        Some(name) => Some(format!("the verdict on `{name}` is known")),
        None => asked.map(|until| format!("it was to run until {until}")),
    };
    let states = show.iter().map(|seat| PeerState::of(&simulation, seat)).collect();
    let accounts = inspection.accounts(simulation.now(), simulation.ledger());
    let seen = Seen { properties: inspection.reports(), stopped, states, accounts };
    let mut outcome = simulation.finish();
    outcome.measures = inspection.beside(&outcome.measures, outcome.end);
    Ok((outcome, seen))
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
