//! Joining through peers whose addresses are known, without a server.

use peerlet_core::runtime::{Act, Directive, SeatSet};
use peerlet_core::{Address, Duration, MILLISECOND, Peer, SECOND, Seat, Seed, Time};
use peerlet_overlay::{Bootstrap, Neighbors};
use peerlet_sim::network::{
    Change, Constant, Fault, Faults, Layers, LossModel, Model, Probability,
};
use peerlet_sim::{Setup, Simulation};

use crate::overlay_fixture::{misplaced, reached, running, seed};

const PEERS: u32 = 40;

/// All peers know these three, and those three know each other.
const KNOWN: u32 = 3;

fn at(secs: u64) -> Time {
    Time::ZERO + SECOND * secs
}

fn world(seed: u64, loss: f64, acts: Vec<Directive>) -> Simulation {
    let known = || (0..KNOWN).map(|seat| Address::simulated(Seat(seat)));
    let mut setup = Setup::new(PEERS, SECOND * 160, move |_| {
        Peer::new().with(Bootstrap::through(known())).with(Neighbors::default())
    });
    setup.seed = seed;
    let constant: Box<dyn Model> = Box::new(Constant { delay: MILLISECOND * 40 });
    // Until the last half minute before somebody looks: a ring neighbor whose three heartbeats in a
    // row are lost is gone for a moment, and one peer in some thousand joins only when losses end.
    let fault = |secs, loss| {
        let change = Change::Loss(LossModel::Independent(Probability::new(loss).unwrap()));
        Fault { at: at(secs), seats: SeatSet::all(PEERS), change }
    };
    let faults = [fault(0, loss), fault(39, 0.0), fault(70, loss), fault(120, 0.0)];
    setup.model = Box::new(Layers::around(constant, vec![Box::new(Faults::new(&faults, PEERS))]));
    Simulation::new(setup, acts).unwrap()
}

fn act(secs: u64, seat: u32, act: Act) -> Directive {
    Directive { at: at(secs), seat: Seat(seat), act }
}

/// Everybody starts within two seconds, in any order.
fn starts(seed: u64) -> Vec<Directive> {
    let mut rng = Seed::new(seed).named("starts").rng();
    let mut all: Vec<Directive> = (0..PEERS)
        .map(|seat| {
            let at = Time::ZERO + Duration::from_nanos(rng.below(2_000_000_000));
            Directive { at, seat: Seat(seat), act: Act::Start }
        })
        .collect();
    all.sort_by_key(|directive| directive.at);
    all
}

fn check_ring(simulation: &Simulation, seed: u64) {
    assert_eq!(misplaced(simulation, PEERS, 2), 0, "seed {seed}");
    assert_eq!(reached(simulation, PEERS), running(simulation, PEERS).len(), "seed {seed}");
}

#[test]
fn one_ring_whoever_starts_first_and_whatever_is_lost() {
    for seed in (0..20).map(|n| seed() + n) {
        let mut simulation = world(seed, 0.1, starts(seed));
        simulation.run_until(at(69)).unwrap();
        check_ring(&simulation, seed);
    }
}

/// Any of the known is gone, the one that founded among them, and comes back without its memory.
#[test]
fn known_peers_crash_and_come_back() {
    for seed in (0..12).map(|n| seed() + n) {
        let gone = (seed % u64::from(KNOWN)) as u32;
        let mut acts = starts(seed);
        acts.extend([act(30, gone, Act::Crash), act(31, 20, Act::Crash), act(40, 20, Act::Start)]);
        acts.push(act(70, gone, Act::Start));
        let mut simulation = world(seed, 0.05, acts);
        simulation.run_until(at(69)).unwrap();
        check_ring(&simulation, seed);
        simulation.run_until(at(150)).unwrap();
        assert_eq!(running(&simulation, PEERS).len(), PEERS as usize);
        check_ring(&simulation, seed);
    }
}

/// Only the first of the list founds, and the others wait for somebody.
#[test]
fn nobody_but_the_first_founds() {
    let mut simulation = world(1, 0.0, vec![act(0, 1, Act::Start), act(0, 7, Act::Start)]);
    simulation.run_until(at(60)).unwrap();
    assert_eq!(reached(&simulation, PEERS), 1);
    let acts = vec![act(0, 1, Act::Start), act(0, 7, Act::Start), act(5, 0, Act::Start)];
    let mut simulation = world(1, 0.0, acts);
    simulation.run_until(at(30)).unwrap();
    assert_eq!(reached(&simulation, PEERS), 3);
}
