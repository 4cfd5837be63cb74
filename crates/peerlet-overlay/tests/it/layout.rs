//! Overlays that are laid out: whole from the first instant, and kept from then on.

use std::collections::BTreeSet;

use peerlet_core::runtime::{Act, Directive};
use peerlet_core::{Address, Peer, SECOND, Seat, Seed, TestPeer, Time};
use peerlet_overlay::{
    Configured, LayoutConfig, Lookups, LookupsConfig, Neighbors, NeighborsConfig, Router,
};
use peerlet_sim::{Setup, Simulation};

use crate::overlay_fixture::{act, in_order, measured, misplaced, reached};

const PEERS: u32 = 40;

fn at(secs: u64) -> Time {
    Time::ZERO + SECOND * secs
}

fn laid_out() -> NeighborsConfig {
    NeighborsConfig { random: 4, ring: 2, layout: LayoutConfig::Ring, ..NeighborsConfig::default() }
}

/// A world whose peers all start at once, with links laid out by a seed.
fn world(seed: u64, secs: u64, more: Vec<Directive>) -> Simulation {
    let neighbors = Neighbors::configured(laid_out()).unwrap().seeded(Seed::new(seed));
    let config = LookupsConfig { warmup: SECOND, ..LookupsConfig::default() };
    let lookups = Lookups::configured(config).unwrap();
    let mut setup = Setup::new(PEERS, SECOND * secs, move |_| {
        let (neighbors, lookups) = (neighbors.clone(), lookups.clone());
        Peer::new().with(neighbors).with(Router::default()).with(lookups)
    });
    setup.seed = seed;
    let starts = (0..PEERS).map(|seat| act(Time::ZERO, seat, Act::Start));
    Simulation::new(setup, in_order(starts.chain(more).collect())).expect("it can run")
}

/// Each seat's neighbors.
fn links(simulation: &Simulation) -> Vec<BTreeSet<Address>> {
    let of = |seat| {
        let near = simulation.peerlet::<Neighbors>(Seat(seat)).expect("it runs");
        near.all().map(|neighbor| neighbor.address).collect()
    };
    (0..PEERS).map(of).collect()
}

#[test]
fn the_overlay_stands_from_the_first_instant_and_stays() {
    let mut simulation = world(1, 30, Vec::new());
    simulation.run_until(Time::from_nanos(1)).unwrap();
    let first = links(&simulation);
    assert_eq!(
        (misplaced(&simulation, PEERS, 2), reached(&simulation, PEERS)),
        (0, PEERS as usize)
    );
    for seat in 0..PEERS {
        let near = simulation.peerlet::<Neighbors>(Seat(seat)).expect("it runs");
        assert_eq!(near.random().count(), 4);
        let me = Address::simulated(Seat(seat));
        let ends = near.all().map(|peer| first[peer.address.slot() as usize].contains(&me));
        assert!(ends.into_iter().all(|is_known| is_known), "both ends know of a link");
    }
    simulation.run_until(at(30)).unwrap();
    assert_eq!(links(&simulation), first);
    let outcome = simulation.finish();
    let (found, _) = measured(&outcome, "neighbors/found");
    assert_eq!(found as usize, first.iter().map(BTreeSet::len).sum::<usize>(), "told once each");
    assert_eq!(measured(&outcome, "neighbors/lost").0, 0);
    let (count, success) = measured(&outcome, "lookups/success");
    assert!(count > 1_000 && success == 1.0, "{success} of {count}");
}

#[test]
fn the_seed_chooses_the_overlay() {
    let overlay = |seed| {
        let mut simulation = world(seed, 1, Vec::new());
        simulation.run_until(at(1)).unwrap();
        links(&simulation)
    };
    assert_eq!(overlay(1), overlay(1));
    assert_ne!(overlay(1), overlay(2));
}

#[test]
fn who_fails_is_missed_and_comes_back_to_the_same_links() {
    let (fails, comes) = (act(at(5), 7, Act::Crash), act(at(15), 7, Act::Start));
    let mut simulation = world(1, 30, vec![fails, comes]);
    simulation.run_until(at(4)).unwrap();
    let first = links(&simulation);
    let seven = Address::simulated(Seat(7));
    simulation.run_until(at(14)).unwrap();
    let known = |simulation: &Simulation, seat: u32| {
        let near = simulation.peerlet::<Neighbors>(Seat(seat));
        near.is_some_and(|near| near.all().any(|peer| peer.address == seven))
    };
    assert!((0..PEERS).all(|seat| !known(&simulation, seat)), "it is silent");
    simulation.run_until(at(30)).unwrap();
    assert_eq!(misplaced(&simulation, PEERS, 2), 0);
    let near = simulation.peerlet::<Neighbors>(Seat(7)).expect("it runs");
    let again: BTreeSet<_> = near.all().map(|peer| peer.address).collect();
    // Others may have filled the places of its random links meanwhile, and have room for more.
    assert!(again.is_superset(&first[7]), "{again:?} and {:?}", first[7]);
}

/// Peers choose the same lookups for any messages between neighbors.
#[test]
fn messages_between_neighbors_move_no_choice_of_a_sibling() {
    let lookups = |exchange| {
        let config = NeighborsConfig { exchange, ..laid_out() };
        let neighbors = Neighbors::configured(config).unwrap().seeded(Seed::new(1));
        let config = LookupsConfig { warmup: SECOND, ..LookupsConfig::default() };
        let lookups = Lookups::configured(config).unwrap();
        let setup = Setup::new(PEERS, SECOND * 20, move |_| {
            let (neighbors, lookups) = (neighbors.clone(), lookups.clone());
            Peer::new().with(neighbors).with(Router::default()).with(lookups)
        });
        let starts = (0..PEERS).map(|seat| act(Time::ZERO, seat, Act::Start));
        let acts = starts.collect::<Vec<_>>();
        let outcome = Simulation::new(setup, acts).unwrap().run().unwrap();
        let mean = measured(&outcome, "lookups/time");
        (mean, measured(&outcome, "lookups/hops"))
    };
    assert_eq!(lookups(SECOND), lookups(SECOND * 3));
}

#[test]
fn the_only_seat_has_no_neighbors() {
    let mut alone = TestPeer::new(Neighbors::configured(laid_out()).unwrap());
    alone.advance(SECOND * 10);
    assert_eq!((alone.sent(), alone.peerlet().all().count()), (vec![], 0));
}
