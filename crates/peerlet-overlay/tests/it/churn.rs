//! Invariants under churn and loss for any seed, and the repair that must follow.

use std::collections::BTreeMap;

use peerlet_core::runtime::{Act, Directive};
use peerlet_core::{Address, SECOND, Seat, Seed, Time};
use peerlet_overlay::Neighbors;
use peerlet_sim::Simulation;

use crate::overlay_fixture::{
    OverlayFixture, in_order, measured, misplaced, reached, running, seed,
};

const PEERS: u32 = 60;

/// Until when peers come and go, and messages are lost.
const FAULTS_END: u64 = 60;

/// How long a neighbor that is gone may stay one, in seconds: three heartbeats, the rest of a
/// period until somebody looks, and two for a message that was on its way.
const NOTICED: u64 = 3 + 1 + 2;

fn at(secs: u64) -> Time {
    Time::ZERO + SECOND * secs
}

/// When each seat ended last before `now`, if it was not started again.
fn ends(acts: &[Directive], now: Time) -> BTreeMap<Seat, Time> {
    let mut ends = BTreeMap::new();
    for directive in acts.iter().filter(|directive| directive.at < now) {
        match directive.act {
            Act::Start => drop(ends.remove(&directive.seat)),
            _ => drop(ends.insert(directive.seat, directive.at)),
        }
    }
    ends
}

/// Safety: nobody is a neighbor of itself, has too many, or keeps the dead.
fn check_safety(simulation: &Simulation, acts: &[Directive], now: Time) {
    let ends = ends(acts, now);
    for seat in running(simulation, PEERS) {
        let near = simulation.peerlet::<Neighbors>(seat).unwrap();
        assert!(near.random().count() <= 10 && near.all().count() <= 14, "{seat} at {now}");
        for neighbor in near.all() {
            assert_ne!(neighbor.address, Address::simulated(seat), "{seat} at {now}");
            let end = ends.get(&Seat(neighbor.address.slot()));
            let long_dead = end.is_some_and(|end| now.since(*end) > SECOND * NOTICED);
            assert!(!long_dead, "{seat} keeps {neighbor:?}, dead since {end:?}, at {now}");
        }
    }
}

fn check(seed: u64) {
    let fixture = OverlayFixture {
        span: SECOND * (FAULTS_END + 60),
        from: SECOND * (FAULTS_END + 30),
        loss: 0.1,
        lossy: SECOND * FAULTS_END,
        ..OverlayFixture::new(PEERS, seed)
    };
    let mut acts = fixture.joins(SECOND * 5);
    acts.extend(fixture.churn([SECOND * 10, SECOND * FAULTS_END], SECOND * 40, SECOND * 10));
    let acts = in_order(acts);
    let mut simulation = fixture.simulation(acts.clone());
    for now in (1..FAULTS_END).map(at) {
        simulation.run_until(now).unwrap();
        check_safety(&simulation, &acts, now);
    }
    simulation.run_until(at(FAULTS_END + 30)).unwrap();
    assert_eq!(misplaced(&simulation, PEERS, 2), 0, "seed {seed}");
    assert_eq!(reached(&simulation, PEERS), running(&simulation, PEERS).len(), "seed {seed}");
    simulation.run_until(at(FAULTS_END + 60)).unwrap();
    let outcome = simulation.finish();
    assert!(outcome.ledger.is_balanced());
    let (count, success) = measured(&outcome, "lookups/success");
    assert!(count > 1_000 && success == 1.0, "seed {seed}: {success} of {count}");
}

#[test]
fn faults_are_survived_whatever_the_seed() {
    let first = Seed::new(seed());
    (0..5).for_each(|n| check(first.at(n).bits()));
}

/// Sessions of ten minutes and absences of two, as in measured file-sharing networks but shorter by
/// a factor of five, so that a minute shows what five would.
#[test]
fn most_lookups_succeed_under_churn() {
    let fixture =
        OverlayFixture { span: SECOND * 90, from: SECOND * 30, ..OverlayFixture::new(200, seed()) };
    let mut acts = fixture.joins(SECOND);
    acts.extend(fixture.churn([SECOND * 5, fixture.span], SECOND * 120, SECOND * 24));
    let outcome = fixture.simulation(in_order(acts)).run().unwrap();
    let (count, success) = measured(&outcome, "lookups/success");
    assert!(count > 5_000 && success >= 0.9, "{success} of {count}");
}
