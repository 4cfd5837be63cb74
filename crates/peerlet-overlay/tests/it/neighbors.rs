//! Bootstrap and neighbors: a hand-sized world, and one peer on the test bench.

use peerlet_core::runtime::Act;
use peerlet_core::{
    Address, Context, Description, Nothing, Peer, Peerlet, SECOND, Seat, TestPeer, Time,
};
use peerlet_overlay::{
    Bootstrap, NeighborFound, NeighborLost, Neighbors, NeighborsMessage, Peers, RingId,
};
use peerlet_sim::{Setup, Simulation};

use crate::overlay_fixture::{OverlayFixture, act, in_order, misplaced};

fn at(secs: u64) -> Time {
    Time::ZERO + SECOND * secs
}

fn neighbors(fixture: &OverlayFixture, acts: &[(u64, u32, Act)], until: u64, of: u32) -> Vec<u32> {
    let mut all = fixture.joins(SECOND);
    all.extend(acts.iter().map(|(secs, seat, what)| act(at(*secs), *seat, what.clone())));
    let mut simulation = fixture.simulation(in_order(all));
    simulation.run_until(at(until)).unwrap();
    let near = simulation.peerlet::<Neighbors>(Seat(of)).unwrap();
    near.all().map(|neighbor| neighbor.address.slot()).collect()
}

#[test]
fn five_peers_are_neighbors_until_they_leave() {
    let fixture = OverlayFixture::new(5, 1);
    assert_eq!(neighbors(&fixture, &[], 5, 0), [1, 2, 3, 4]);
    // A peer that stops says so; one that crashes is missed after three silent periods.
    assert_eq!(neighbors(&fixture, &[(5, 2, Act::Stop)], 6, 0), [1, 3, 4]);
    assert_eq!(neighbors(&fixture, &[(5, 2, Act::Crash)], 6, 0), [1, 2, 3, 4]);
    assert_eq!(neighbors(&fixture, &[(5, 2, Act::Crash)], 10, 0), [1, 3, 4]);
    for end in [Act::Stop, Act::Crash] {
        let back = [(5, 2, end), (8, 2, Act::Start)];
        assert_eq!(neighbors(&fixture, &back, 12, 0), [1, 2, 3, 4]);
        assert_eq!(neighbors(&fixture, &back, 12, 2), [0, 1, 3, 4]);
    }
}

#[test]
fn a_server_that_crashed_learns_its_peers_again_and_takes_late_ones_in() {
    let mut fixture = OverlayFixture::new(20, 1);
    fixture.span = SECOND * 120;
    let mut acts = fixture.joins(SECOND);
    // While the server is away, seat 7 begins a life with nobody to ask.
    acts.push(act(at(20), 0, Act::Crash));
    acts.push(act(at(21), 7, Act::Crash));
    acts.push(act(at(25), 7, Act::Start));
    acts.push(act(at(60), 0, Act::Start));
    let mut simulation = fixture.simulation(in_order(acts));
    simulation.run_until(at(59)).unwrap();
    assert_eq!(simulation.peerlet::<Neighbors>(Seat(7)).unwrap().all().count(), 0);
    simulation.run_until(at(100)).unwrap();
    assert_eq!(misplaced(&simulation, fixture.peers, 2), 0);
}

#[test]
fn a_server_alone_waits() {
    let fixture = OverlayFixture { rate: 0.0, ..OverlayFixture::new(1, 1) };
    let outcome = fixture.simulation(fixture.joins(SECOND)).run().unwrap();
    assert_eq!(outcome.ledger.total().sent, 0);
    assert_eq!(outcome.events, 1 + 60 + 60 + 1, "its start, heartbeats, exchanges and a refresh");
}

#[test]
fn two_find_each_other_again() {
    let fixture = OverlayFixture::new(2, 1);
    for (lost, end) in [(0, Act::Stop), (0, Act::Crash), (1, Act::Stop), (1, Act::Crash)] {
        let acts = [(5, lost, end), (12, lost, Act::Start)];
        assert_eq!(neighbors(&fixture, &acts, 11, 1 - lost), Vec::<u32>::new());
        assert_eq!(neighbors(&fixture, &acts, 45, 0), [1]);
        assert_eq!(neighbors(&fixture, &acts, 45, 1), [0]);
    }
}

/// Writes down what its sibling tells.
#[derive(Default)]
struct Watcher {
    seen: Vec<(bool, Address)>,
}

impl Peerlet for Watcher {
    const NAME: &'static str = "watcher";
    type Message = Nothing;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.uses::<Neighbors>().hears(Watcher::found).hears(Watcher::lost);
    }
}

impl Watcher {
    fn found(&mut self, _: &mut Context<Self>, NeighborFound(peer): &NeighborFound) {
        self.seen.push((true, *peer));
    }

    fn lost(&mut self, _: &mut Context<Self>, NeighborLost(peer): &NeighborLost) {
        self.seen.push((false, *peer));
    }
}

/// The peer under test, the only one of its world: others are the test's hand.
fn bench() -> TestPeer<Neighbors> {
    TestPeer::beside(Peer::new().with(Bootstrap::default()), Neighbors::default())
}

fn exchange(near: &[Address]) -> NeighborsMessage {
    NeighborsMessage::Near(Peers { near: near.to_vec(), random: Vec::new() })
}

#[test]
fn siblings_hear_who_came_and_who_was_lost() {
    let mut acts = OverlayFixture::new(3, 1).joins(SECOND);
    acts.push(act(at(5), 2, Act::Stop));
    let setup = Setup::new(3, SECOND * 10, |_| {
        Peer::new().with(Bootstrap::default()).with(Neighbors::default()).with(Watcher::default())
    });
    let mut simulation = Simulation::new(setup, acts).unwrap();
    simulation.run_until(at(10)).unwrap();
    let [one, two] = [1, 2].map(|n| Address::simulated(Seat(n)));
    let watcher = simulation.peerlet::<Watcher>(Seat(0)).unwrap();
    assert_eq!(watcher.seen, [(true, one), (true, two), (false, two)]);
}

#[test]
fn the_dead_are_not_believed_in_again_until_they_speak() {
    let mut peer = bench();
    let (alive, dead) = (peer.stranger(1), peer.stranger(2));
    peer.deliver(alive, exchange(&[dead]));
    let asks = |peer: &mut TestPeer<Neighbors>| {
        let sent = peer.sent();
        sent.iter().filter(|(to, _)| *to == dead).count()
    };
    assert_eq!(asks(&mut peer), 1, "a stranger that would be a ring neighbor is asked");
    assert!(!peer.peerlet().all().any(|neighbor| neighbor.address == dead), "and not trusted");
    for _ in 0..5 {
        peer.advance(SECOND);
        peer.deliver(alive, exchange(&[dead]));
    }
    assert_eq!(asks(&mut peer), 0, "it did not answer, so others' word counts for nothing");
    peer.deliver(dead, NeighborsMessage::Heartbeat { random: false });
    assert!(peer.peerlet().all().any(|neighbor| neighbor.address == dead));
    peer.deliver(dead, NeighborsMessage::Goodbye);
    assert!(!peer.peerlet().all().any(|neighbor| neighbor.address == dead));
    peer.sent();
    peer.deliver(alive, exchange(&[dead]));
    assert_eq!(asks(&mut peer), 0);
}

#[test]
fn links_are_bounded_however_many_ask() {
    let mut peer = bench();
    for n in 1..500 {
        let (other, long) = (peer.stranger(n), vec![peer.stranger(1_000 + n); 300]);
        let lists = Peers { near: long.clone(), random: long.clone() };
        for message in [
            NeighborsMessage::Connect,
            NeighborsMessage::Accept,
            NeighborsMessage::Heartbeat { random: true },
            NeighborsMessage::Exchange(lists),
            NeighborsMessage::Refuse(long),
        ] {
            let is_refusal = matches!(message, NeighborsMessage::Refuse(_));
            peer.deliver(other, message);
            assert!(peer.peerlet().random().count() <= 10);
            assert!(peer.peerlet().all().count() <= 14);
            // Half of them keep their link.
            if is_refusal && n % 2 == 0 {
                peer.deliver(other, NeighborsMessage::Connect);
            }
        }
        assert!(peer.sent().len() <= 12, "an answer each, and some questions to newcomers");
    }
    assert_eq!(peer.peerlet().random().count(), 10);
}

#[test]
fn a_new_life_knows_nobody_and_forgetting_works() {
    let mut peer = bench();
    let other = peer.stranger(1);
    peer.deliver(other, NeighborsMessage::Connect);
    let near = |peer: &TestPeer<Neighbors>| peer.peerlet().nearest(RingId::of(other));
    assert_eq!(near(&peer), Some(other));
    assert_eq!(peer.peerlet().nearest(RingId::of(peer.address())), None, "itself is nearest");
    peer.sent();
    peer.stop();
    assert_eq!(peer.sent(), [(other, NeighborsMessage::Goodbye)]);
    peer.start();
    assert_eq!(near(&peer), None);
    assert_eq!(peer.measured("degree"), [0.0, 1.0, 0.0]);
    assert_eq!(peer.measured("found"), [1.0]);
}
