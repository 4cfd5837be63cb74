//! Positions on a ring of 2^64, one for every peer and every key.

use std::fmt;

use peerlet_core::Address;
use peerlet_core::runtime::mix;
use serde::{Deserialize, Serialize};

/// A position on a ring of 2^64.
///
/// ```
/// use peerlet_overlay::RingId;
/// let (low, high) = (RingId(10), RingId(u64::MAX - 9));
/// assert_eq!(high.clockwise(low), 20);
/// assert_eq!(low.distance(high), 20);
/// assert!(high.is_nearer(RingId(0), RingId(11)));
/// ```
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct RingId(pub u64);

impl RingId {
    /// The position of the peer at this address: a fixed hash of the address's 22 bytes.
    pub fn of(address: Address) -> RingId {
        let hash = address.to_bytes().chunks(8).fold(0, |hash, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            mix(hash ^ u64::from_le_bytes(word))
        });
        RingId(hash)
    }

    /// The position of a key: a fixed hash of its bytes. It spreads keys and hides nothing: anybody
    /// can find a key near a position.
    pub fn of_key(key: impl AsRef<[u8]>) -> RingId {
        let key = key.as_ref();
        let hash = key.chunks(8).fold(mix(key.len() as u64), |hash, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            mix(hash ^ u64::from_le_bytes(word))
        });
        RingId(hash)
    }

    /// How far it is from here to there in the direction of growing positions.
    pub const fn clockwise(self, to: RingId) -> u64 {
        to.0.wrapping_sub(self.0)
    }

    /// How far apart two positions are, the shorter way round.
    pub fn distance(self, other: RingId) -> u64 {
        self.clockwise(other).min(other.clockwise(self))
    }

    /// Orders positions by their distance to a key: smaller is nearer. Of two at the same distance
    /// the one clockwise of the key is nearer, so that different positions never tie.
    pub fn closeness(self, key: RingId) -> (u64, u64) {
        (self.distance(key), key.clockwise(self))
    }

    /// Whether this position is nearer to the key than the other is.
    pub fn is_nearer(self, key: RingId, other: RingId) -> bool {
        self.closeness(key) < other.closeness(key)
    }
}

impl fmt::Display for RingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{Seat, Seed};

    use super::*;

    /// Computed by an independent Python program.
    #[test]
    fn places_never_change() {
        let of = |seat| RingId::of(Address::simulated(Seat(seat))).to_string();
        assert_eq!(
            [of(0), of(1), of(65_536)],
            ["47492b2620135b98", "123d6de2f5d27ab4", "3e29e98428050ca7"]
        );
        let live = RingId::of("192.0.2.1:7000/3".parse().unwrap());
        assert_eq!(live.to_string(), "4a32ff1217cdcd4b");
    }

    #[test]
    fn of_two_as_near_the_clockwise_one_is_nearer() {
        let key = RingId(5);
        assert!(RingId(7).is_nearer(key, RingId(3)));
        assert!(!RingId(3).is_nearer(key, RingId(7)));
        assert!(!RingId(7).is_nearer(key, RingId(7)));
    }

    #[test]
    fn distances_are_symmetric_and_at_most_half_the_ring() {
        let mut rng = Seed::new(1).rng();
        for _ in 0..1_000 {
            let (a, b) = (RingId(rng.bits()), RingId(rng.bits()));
            assert_eq!(a.distance(b), b.distance(a));
            assert!(a.distance(b) <= 1 << 63);
            assert_eq!(a.clockwise(b).wrapping_add(b.clockwise(a)), 0);
        }
    }
}
