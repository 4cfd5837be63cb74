//! Three gossips a peer, each with a timer and counters of its own, and nothing idle.

use peerlet_core::{Peer};

use super::gossip::Gossip;

/// The stack of three.
pub fn stack(peer: Peer) -> Peer {
    peer.with(Gossip::<0>::default()).with(Gossip::<1>::default()).with(Gossip::<2>::default())
}
