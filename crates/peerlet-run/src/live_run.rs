//! A plan on real sockets inside a program, which goes on meanwhile.

use std::time::Instant;

use peerlet_core::{Seat, Time};
use peerlet_live::{Events, LiveOutcome, LiveRun, LiveSetup, PeerError, Peers};

use crate::error::RunError;
use crate::experiment::Experiment;
use crate::node::NodePeer;
use crate::on_sockets::Ran;
use crate::panics::PanicReport;
use crate::plan::Plan;
use crate::results::Results;
use crate::setup::{self, LiveOptions};
use crate::transport::Transport;
use crate::world::World;

impl Plan {
    /// This plan on real sockets and the real network, in this process or with others.
    ///
    /// # Errors
    /// When some of it cannot be done to a real network, or not to a share of the peers.
    pub fn live(self, experiment: &Experiment, options: LiveOptions) -> Result<LivePlan, RunError> {
        RunError::check_world(self.world, World::Live)?;
        let setup = setup::live(experiment, &self, options)?;
        Ok(LivePlan { plan: self, setup })
    }
}

/// A plan that is about to run on real sockets.
pub struct LivePlan {
    plan: Plan,
    /// The place of this process in the run: its sockets, its seats, whom it joins, who is let in.
    pub setup: LiveSetup,
}

impl LivePlan {
    /// Starts it, and returns when its peers are about to live. Must be called within a
    /// multi-threaded tokio runtime.
    ///
    /// # Errors
    /// When the process cannot take part, or a socket cannot be bound.
    pub async fn start(self) -> Result<ScenarioRun, RunError> {
        let LivePlan { plan, setup } = self;
        let (shards, is_seeded) = (setup.shards, setup.seed.is_some());
        let transport = Transport::of(setup.sockets);
        let directives = plan.directives().collect();
        let begun = Instant::now();
        let run = peerlet_live::start(setup, directives).await.map_err(RunError::Sockets)?;
        Ok(ScenarioRun { plan, run, shards, is_seeded, transport, begun })
    }
}

/// A scenario that runs on real sockets. Dropped, it stops in order, in the background.
pub struct ScenarioRun {
    plan: Plan,
    run: LiveRun,
    shards: u32,
    is_seeded: bool,
    transport: Transport,
    begun: Instant,
}

impl ScenarioRun {
    /// The peer in this seat, where it lives in this process.
    pub fn peer(&self, seat: Seat) -> NodePeer {
        NodePeer::new(self.run.peers().clone(), seat)
    }

    /// The peers of this process.
    pub fn peers(&self) -> &Peers {
        self.run.peers()
    }

    /// Reads the local events of type `E` that peers of this process emit from now on.
    ///
    /// # Errors
    /// When the run is over.
    pub async fn events<E: Clone + Send + 'static>(&self) -> Result<Events<E>, PeerError> {
        self.run.peers().events().await
    }

    /// Stops all peers of this process in order.
    ///
    /// # Errors
    /// When the process could not take part to the end, or a panic left no results.
    pub async fn stop(self) -> Result<Results, RunError> {
        let ScenarioRun { plan, run, shards, is_seeded, transport, begun } = self;
        let end = Time::ZERO + plan.scenario.duration;
        let outcome = run.stop().await;
        let is_interrupted = outcome.as_ref().is_ok_and(|outcome| outcome.end < end);
        results(plan, outcome, (shards, is_seeded, transport, begun), is_interrupted)
    }

    /// Waits for the end of the run.
    ///
    /// # Errors
    /// As [`stop`](ScenarioRun::stop).
    pub async fn ended(self) -> Result<Results, RunError> {
        let ScenarioRun { plan, run, shards, is_seeded, transport, begun } = self;
        results(plan, run.ended().await, (shards, is_seeded, transport, begun), false)
    }
}

fn results(
    plan: Plan,
    outcome: Result<LiveOutcome, peerlet_live::LiveError>,
    (shards, is_seeded, transport, begun): (u32, bool, Transport, Instant),
    is_interrupted: bool,
) -> Result<Results, RunError> {
    let (outcome, panicked) = match outcome {
        Ok(outcome) => (outcome, None),
        Err(peerlet_live::LiveError::Panicked(mut panicked)) => {
            let (message, others) = (panicked.to_string(), Vec::new());
            let report = PanicReport { message, backtraces: String::new(), others };
            match panicked.partial.take() {
                Some(partial) => (*partial, Some(report)),
                None => return Err(RunError::Panicked(report)),
            }
        }
        Err(error) => return Err(RunError::Sockets(error)),
    };
    let is_interrupted = is_interrupted || panicked.is_some();
    let (wall_seconds, thread_panics) = (begun.elapsed().as_secs_f64(), Vec::new());
    let ran = Ran { outcome, transport, wall_seconds, is_interrupted, panicked, thread_panics };
    Ok(Results::on_sockets(World::Live, plan, shards, ran, is_seeded))
}
