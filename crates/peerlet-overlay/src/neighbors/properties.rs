//! The properties of neighbors, their links, and their state as a text.

use std::fmt::Write;

use peerlet_core::property::{PeerView, Violation, WorldView, each_peer, whole_network};
use peerlet_core::{Address, Links, Property, Seat};

use crate::neighbors::Neighbors;
use crate::ring::RingId;

/// Those that neighbors declare.
pub(super) fn all() -> [Property; 3] {
    [
        Property::always("nobody is its own neighbor", each_peer(is_no_neighbor_of_itself)),
        Property::always(
            "the list of neighbors is sound",
            each_peer(|me: &Neighbors, _| me.known.is_sound(me.config.accepted_max())),
        ),
        Property::eventually("the ring is one", whole_network(ring_is_one)),
    ]
}

fn is_no_neighbor_of_itself(me: &Neighbors, peer: &PeerView<'_>) -> bool {
    me.all().all(|neighbor| neighbor.address != peer.address())
}

/// Whether the first successor of each running peer is the next running one on the ring.
fn ring_is_one(world: &WorldView<'_>) -> Result<(), Violation> {
    let mut ring: Vec<(RingId, Seat, Address, Option<Address>)> = world
        .peers()
        .filter_map(|peer| {
            let neighbors = peer.peerlet::<Neighbors>()?;
            // A peer that keeps no neighbors on the ring has no part in it.
            let is_on_it = neighbors.config.ring > 0;
            let (at, next) = (peer.address(), neighbors.successors().next());
            is_on_it.then(|| (RingId::of(at), peer.seat(), at, next))
        })
        .collect();
    ring.sort_unstable();
    if ring.len() < 2 {
        return Ok(());
    }
    let next = ring.iter().cycle().skip(1);
    let wrong = ring.iter().zip(next).filter(|((.., successor), next)| *successor != Some(next.2));
    let named = wrong.map(|((_, seat, _, successor), next)| {
        let has = match successor.map(|at| world.seat_of(at)) {
            None => "it has no successor".to_owned(),
            Some(None) => "its successor is nobody".to_owned(),
            Some(Some(other)) => format!("its successor is {other}"),
        };
        (*seat, format!("{has}, and {} is next to it on the ring", next.1))
    });
    Violation::of_peers("the ring is not one", named)
}

/// The links of a peer: along the ring, and at random.
pub(super) fn links(me: &Neighbors, links: &mut Links) {
    links.at(me.known.me().0 as f64 / 2.0_f64.powi(64));
    links.add("ring", me.successors().chain(me.predecessors()));
    links.add("random", me.random());
}

/// The state of a peer's neighbors: its place on the ring, and whom it knows.
pub(super) fn snapshot(me: &Neighbors) -> String {
    let mut out = format!("ring id {}", me.known.me());
    let lists: [(&str, Vec<Address>); 3] = [
        ("successors", me.successors().collect()),
        ("predecessors", me.predecessors().collect()),
        ("random", me.random().collect()),
    ];
    for (name, addresses) in lists {
        let addresses: Vec<String> = addresses.iter().map(Address::to_string).collect();
        let list = if addresses.is_empty() { "none".to_owned() } else { addresses.join(" ") };
        write!(out, "\n{name}: {list}").expect("a text takes all");
    }
    out
}
