//! Many peers that join at once become one overlay, and one of them founds it.

use std::collections::BTreeSet;

use peerlet_core::{Address, Context, Description, Duration, MILLISECOND, Peer, Peerlet, SECOND};
use peerlet_core::{Seat, Seed, Time};
use peerlet_overlay::{
    Alone, Bootstrap, BootstrapConfig, Bootstrapped, Configured, Neighbors, NeighborsConfig,
};
use peerlet_sim::network::{GeneratedConfig, KING_LIKE, Site};
use peerlet_sim::{Setup, Simulation};
use serde::{Deserialize, Serialize};

use crate::overlay_fixture::{OverlayFixture, islands, seed};

const PEERS: u32 = 100;

/// Links itself to one of the peers that it is told of, and to all that ask. A peer with a link
/// takes itself for a part of the overlay.
#[derive(Clone, Default)]
struct Joiner {
    links: BTreeSet<Address>,
    founded: bool,
}

#[derive(Serialize, Deserialize)]
enum JoinerMessage {
    Join,
    Welcome,
}

impl Peerlet for Joiner {
    const NAME: &'static str = "joiner";
    type Message = JoinerMessage;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.uses::<Bootstrap>().hears(Joiner::bootstrapped).hears(Joiner::alone);
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: JoinerMessage) {
        self.links.insert(from);
        if let JoinerMessage::Join = message {
            ctx.send(from, JoinerMessage::Welcome);
        }
    }
}

impl Joiner {
    fn bootstrapped(&mut self, ctx: &mut Context<Self>, found: &Bootstrapped) {
        if self.links.is_empty() {
            let any = *ctx.rng().choose(&found.peers).expect("somebody was found");
            ctx.send(any, JoinerMessage::Join);
        }
    }

    fn alone(&mut self, _: &mut Context<Self>, _: &Alone) {
        self.founded = true;
    }
}

/// Peers that start evenly spread within some time, 40 seconds later.
fn grown(
    seed: u64,
    within: Duration,
    peer: impl Fn() -> Peer + Send + Sync + 'static,
) -> Simulation {
    let mut setup = Setup::new(PEERS, SECOND * 60, move |_| peer());
    let site = Site::new(Seed::new(seed).named("network"), PEERS, ".".as_ref());
    setup.model = GeneratedConfig::default().build(&KING_LIKE, &site).unwrap();
    setup.seed = seed;
    let mut simulation =
        Simulation::new(setup, OverlayFixture::new(PEERS, seed).joins(within)).unwrap();
    simulation.run_until(Time::ZERO + SECOND * 40).unwrap();
    simulation
}

/// Checks this of 40 seeds, for peers that join all at once and over some seconds.
fn check_all(count: impl Fn(u64, Duration) -> (usize, usize)) {
    let first = Seed::new(seed());
    for within in [MILLISECOND, SECOND, SECOND * 5] {
        let counts = (0..40).map(|n| count(first.at(n).bits(), within));
        let counts: Vec<(usize, usize)> = counts.collect();
        assert!(counts.iter().all(|both| *both == (1, 1)), "within {within}: {counts:?}");
    }
}

#[test]
fn peers_that_join_through_one_other_are_one_overlay_with_one_founder() {
    check_all(|seed, within| {
        let simulation =
            grown(seed, within, || Peer::new().with(Bootstrap::default()).with(Joiner::default()));
        let is_founder = |seat| simulation.peerlet::<Joiner>(Seat(seat)).unwrap().founded;
        let founders = (0..PEERS).filter(|seat| is_founder(*seat)).count();
        let links = |joiner: &Joiner| joiner.links.iter().copied().collect();
        (islands(&simulation, PEERS, links), founders)
    });
}

#[test]
fn neighbors_that_are_told_of_one_peer_at_a_time_are_one_overlay() {
    let first = Seed::new(seed());
    for n in 0..5 {
        let simulation = grown(first.at(n).bits(), SECOND, || {
            let bootstrap = BootstrapConfig { sample: 1, ..Default::default() };
            let neighbors = NeighborsConfig { random: 1, ring: 1, ..Default::default() };
            Peer::new()
                .with(Bootstrap::configured(bootstrap).unwrap())
                .with(Neighbors::configured(neighbors).unwrap())
        });
        let links = |near: &Neighbors| near.all().map(|neighbor| neighbor.address).collect();
        assert_eq!(islands(&simulation, PEERS, links), 1, "seed {n} of PEERLET_SEED");
    }
}
