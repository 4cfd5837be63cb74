//! The workloads as peerlets, against the public interface.

use std::sync::Arc;
use std::time::Instant;

use peerlet_bench_yardstick::{Plan, Workload};
use peerlet_core::{Duration, MILLISECOND, Peer, SECOND, Seat, Time};
use peerlet_core::runtime::{Act, Directive, Registry};
use peerlet_measure::Measurements;
use peerlet_sim::network::Uniform;
use peerlet_sim::{Engine, Setup, Simulation};

use crate::sample::Sample;

mod gossip;
mod idle;
mod kinds;
mod large;
mod lookups;
mod phold;
mod seats;
mod tasks;
mod three;
mod timers;

use gossip::Gossip;
use idle::Idle;

/// The stack of a workload: its peerlet and two that do nothing.
fn stack(workload: Workload, population: u32) -> Peer {
    let peer = Peer::new();
    let peer = match workload {
        Workload::Gossip => peer.with(Gossip::<0>::default()),
        Workload::Phold => peer.with(phold::Phold::new(population)),
        Workload::Timers => peer.with(timers::Timers::default()),
        Workload::Large => peer.with(large::Large::default()),
        Workload::Tasks => peer.with(tasks::Tasks::default()),
        Workload::Lookups => peer.with(lookups::Lookups),
        Workload::Kinds => peer.with(kinds::Kinds::default()),
        Workload::Three => return three::stack(peer),
    };
    peer.with(Idle::<1>).with(Idle::<2>)
}

/// The network of a workload.
fn network(workload: Workload) -> Uniform {
    match workload {
        Workload::Phold => Uniform { min: MILLISECOND * 100, max: MILLISECOND * 1_100 },
        _ => Uniform { min: MILLISECOND * 50, max: MILLISECOND * 150 },
    }
}

/// Runs a workload, and tells what it was: the set-up ends when all peers have started.
///
/// # Errors
/// When the run cannot be set up, or ends early.
pub fn run(workload: Workload, engine: Engine, plan: &Plan) -> Result<Sample, String> {
    let Plan { peers, seconds, threads, seed, population } = *plan;
    let began = Instant::now();
    let duration = SECOND * u64::from(seconds);
    let mut setup = Setup::new(peers, duration, move |_seat| stack(workload, population));
    let registry = Registry::of([stack(workload, population)]).map_err(|e| e.to_string())?;
    setup.registry = Some(Arc::new(registry));
    setup.model = Box::new(network(workload));
    setup.seed = seed;
    setup.threads = threads;
    setup.engine = engine;
    let start = |seat| Directive { at: Time::ZERO, seat: Seat(seat), act: Act::Start };
    let mut simulation =
        Simulation::new(setup, (0..peers).map(start)).map_err(|e| e.to_string())?;
    let started = Time::ZERO + Duration::from_nanos(1);
    simulation.run_until(started).map_err(|e| e.to_string())?;
    let (set_up, before) = (began.elapsed(), simulation.events());

    let began = Instant::now();
    let outcome = simulation.run().map_err(|e| e.to_string())?;
    let wall = began.elapsed();
    let sample = Sample::new(outcome.events - before, set_up, wall, outcome.digest.0);
    Ok(Sample { hops: mean_hops(&outcome.measures), ..sample })
}

/// The mean of the metric that lookups have.
fn mean_hops(measures: &Measurements) -> Option<f64> {
    let name = lookups::HOPS.name();
    let place = measures.metrics().iter().position(|entry| entry.metric.name() == name)?;
    let mean = measures.total().get(place)?.mean()?;
    Some(lookups::HOPS.value(mean))
}
