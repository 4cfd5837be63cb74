//! From a plan to the setup of each world: the only place that makes one from the other.

use std::sync::Arc;

use peerlet_core::Time;
use peerlet_core::runtime::SeatSet;
#[cfg(feature = "live")]
use peerlet_live::{LiveSetup, Medium, Observer};
use peerlet_network::Model;
use peerlet_scenario::Problems;
use peerlet_sim::{Engine, Setup, Story, Trace, Watch};

use crate::experiment::Experiment;
use crate::observers::LinkSink;
use crate::plan::Plan;
#[cfg(feature = "live")]
use crate::sections::sections;
use crate::transport::Transport;

/// The options of a simulation that are not in the plan.
#[derive(Default)]
pub struct SimOptions {
    /// The engine that brings the events.
    pub engine: Engine,
    /// How many threads share the peers; 0 counts as 1.
    pub threads: u32,
    /// Whether every message is encoded and decoded.
    pub wire: bool,
    /// Sees every event.
    pub trace: Option<Box<dyn Trace>>,
    /// A story that is told meanwhile, by the reference engine and one thread.
    pub story: Option<Story>,
    /// Takes the links that observers keep.
    pub links: Option<LinkSink>,
    /// Shows how far the run is, and may end it early.
    pub watch: Arc<Watch>,
    /// The instant at which it ends, where that is before its end; expectations are not judged.
    pub until: Option<Time>,
    /// The seats whose peers' states are among the results.
    pub show: SeatSet,
}

#[cfg(feature = "live")]
/// The options of a run on real sockets and the real network.
#[derive(Clone, Copy, Default, Debug)]
pub struct LiveOptions {
    /// Whether sockets that trust everybody may be reached from beyond this machine.
    pub closed_network: bool,
    /// Whether the plan's seed decides what peers do; the system seeds them otherwise.
    pub is_seeded: bool,
    /// Whether some of the peers live in other processes.
    pub is_share: bool,
}

/// The setup of a simulation.
///
/// # Errors
/// When the plan's network cannot be built.
pub fn simulated(
    experiment: &Experiment,
    plan: &Plan,
    options: SimOptions,
) -> Result<Setup, Problems> {
    Ok(simulated_over(plan.model(experiment)?, plan, options))
}

/// The setup of a simulation over this network.
pub(crate) fn simulated_over(model: Box<dyn Model>, plan: &Plan, options: SimOptions) -> Setup {
    let SimOptions { engine, threads, wire, trace, story, watch, .. } = options;
    let (scenario, transport, build) = (&plan.scenario, plan.transport, plan.stacks());
    Setup {
        seed: scenario.seed,
        registry: Some(plan.registry.clone()),
        model,
        epoch: scenario.measure.epoch,
        from: plan.measured_from(),
        details: plan.details.clone(),
        wire,
        handshakes: transport == Some(Transport::Quic),
        identities: transport != Some(Transport::Udp),
        connection_timeout: scenario.connection.timeout,
        message_max: scenario.connection.message_max,
        codec: plan.codec,
        trace,
        story,
        threads: threads.max(1),
        engine,
        watch,
        ..Setup::new(scenario.peers, scenario.duration, move |seat| build(seat))
    }
}

#[cfg(feature = "live")]
/// The setup of an emulation: real sockets with the plan's own network between them.
///
/// # Errors
/// When the plan's network cannot be built.
pub fn emulated(experiment: &Experiment, plan: &Plan) -> Result<LiveSetup, Problems> {
    Ok(LiveSetup {
        seed: Some(plan.scenario.seed),
        medium: Medium::Emulated(plan.model(experiment)?),
        ..on_sockets(experiment, plan, false)
    })
}

#[cfg(feature = "live")]
/// The setup of a live run. What the scenario does to the network acts on the real one.
///
/// # Errors
/// When some of that cannot be done to a real network, or not to a share of the peers.
pub fn live(
    experiment: &Experiment,
    plan: &Plan,
    options: LiveOptions,
) -> Result<LiveSetup, Problems> {
    let LiveOptions { closed_network, is_seeded, is_share } = options;
    if is_share {
        plan.check_share()?;
    }
    Ok(LiveSetup {
        seed: is_seeded.then_some(plan.scenario.seed),
        medium: plan.live_faults(is_share)?.map_or(Medium::Real, Medium::Faulty),
        sections: sections(plan),
        ..on_sockets(experiment, plan, closed_network)
    })
}

#[cfg(feature = "live")]
/// The parts that all runs on sockets have in common.
fn on_sockets(experiment: &Experiment, plan: &Plan, closed_network: bool) -> LiveSetup {
    let (scenario, build) = (&plan.scenario, plan.stacks());
    let name = format!("{}/{}", experiment.name, scenario.title);
    LiveSetup {
        registry: Some(plan.registry.clone()),
        sockets: plan.transport.unwrap_or(Transport::Quic).sockets(closed_network),
        connection_timeout: scenario.connection.timeout,
        message_max: scenario.connection.message_max,
        codec: plan.codec,
        epoch: scenario.measure.epoch,
        from: plan.measured_from(),
        details: plan.details.clone(),
        observer: (!plan.properties.is_empty()).then(|| plan.checker.clone() as Arc<dyn Observer>),
        ..LiveSetup::new(name, scenario.peers, scenario.duration, move |seat| build(seat))
    }
}

impl Plan {
    /// The instant from which values count in the summary.
    pub(crate) fn measured_from(&self) -> Time {
        // A run that is cut short may be over before its warm-up is.
        Time::ZERO + self.scenario.measure.from.min(self.scenario.duration)
    }
}
