//! The messages by which peers become and stay neighbors.

use peerlet_core::Address;
use serde::{Deserialize, Serialize};

/// How many peers near the receiver a list names at most: two more on each side than the most ring
/// neighbors.
pub(super) const NEAR_MAX: usize = 20;
/// How many random peers a list names: two samples a second refill any pool soon.
pub(super) const SAMPLE_MAX: usize = 2;

/// The messages of `Neighbors`. All but the last say that the sender lives.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum NeighborsMessage {
    /// You are a neighbor of mine.
    Heartbeat {
        /// By a random link.
        random: bool,
    },
    /// I know these peers; which do you know near me?
    Exchange(Peers),
    /// The answer to an exchange, and to a heartbeat from a peer that is not a neighbor.
    Near(Peers),
    /// Let us be random neighbors.
    Connect,
    /// We are random neighbors.
    Accept,
    /// We are not random neighbors; try these.
    Refuse(Vec<Address>),
    /// I leave.
    Goodbye,
}

/// Peers that the sender heard of directly within the last periods.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Peers {
    /// Those nearest to the receiver on the ring, on both sides: 20 at most.
    pub near: Vec<Address>,
    /// Some of the sender's random neighbors: 2 at most.
    pub random: Vec<Address>,
}

impl Peers {
    /// The list as a stranger sent it, cut to what is allowed.
    pub(super) fn bounded(mut self) -> Peers {
        self.near.truncate(NEAR_MAX);
        self.random.truncate(SAMPLE_MAX);
        self
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{DATAGRAM_MAX, Seat, wire};

    use super::*;

    fn bytes(message: NeighborsMessage) -> Vec<u8> {
        let mut bytes = Vec::new();
        wire::encode(&message, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn golden_bytes() {
        let [a, b] = [7, 8].map(|n| Address::simulated(Seat(n)));
        let list = Peers { near: vec![a], random: vec![b] };
        let listed = [&[1][..], &a.to_bytes(), &[1], &b.to_bytes()].concat();
        assert_eq!(bytes(NeighborsMessage::Heartbeat { random: true }), [0, 1]);
        assert_eq!(bytes(NeighborsMessage::Exchange(list.clone())), [&[1], &*listed].concat());
        assert_eq!(bytes(NeighborsMessage::Near(list)), [&[2], &*listed].concat());
        assert_eq!(bytes(NeighborsMessage::Connect), [3]);
        assert_eq!(bytes(NeighborsMessage::Accept), [4]);
        assert_eq!(bytes(NeighborsMessage::Refuse(vec![b])), [&[5, 1][..], &b.to_bytes()].concat());
        assert_eq!(bytes(NeighborsMessage::Goodbye), [6]);
    }

    #[test]
    fn the_longest_lists_are_a_datagram() {
        let peer = Address::simulated(Seat(7));
        let full = Peers { near: vec![peer; NEAR_MAX], random: vec![peer; SAMPLE_MAX] };
        let long = Peers { near: vec![peer; 500], random: vec![peer; 500] };
        assert_eq!(long.bounded(), full);
        assert!(bytes(NeighborsMessage::Exchange(full)).len() <= DATAGRAM_MAX);
    }
}
