//! Messages whose bits are flipped on the way.

use crate::layer::Layer;
use crate::model::{Departure, ModelState, Packet};
use crate::probability::Probability;

/// Flips bits of some encoded messages. It takes nothing a peer; a message that is hit is encoded.
///
/// Of a message that arrives twice, neither copy is hit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Corrupt {
    /// How probable it is that a message is hit.
    pub probability: Probability,
    /// How many of its bits are flipped then.
    pub bits: u32,
}

impl Layer for Corrupt {
    fn is_stateless(&self) -> bool {
        true
    }

    #[inline]
    fn depart(&self, packet: &Packet, fate: Departure, _: &mut ModelState) -> Departure {
        match fate {
            Departure::Arrive { after }
                if self.probability.happens(packet.random.named("corrupt").bits()) =>
            {
                Departure::Damaged { after, bits: self.bits }
            }
            _ => fate,
        }
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{MILLISECOND, Seat, Seed, Time};

    use super::*;
    use crate::model::damage;
    use peerlet_core::runtime::PacketDrop;

    #[test]
    fn its_share_is_hit() {
        let corrupt = Corrupt { probability: Probability::new(0.25).unwrap(), bits: 2 };
        let fate = |i: u64, fate| {
            let random = Seed::new(8).at(i);
            let packet = Packet { from: Seat(0), to: Seat(1), at: Time::ZERO, size: 0, random };
            corrupt.depart(&packet, fate, &mut None)
        };
        let whole = Departure::Arrive { after: MILLISECOND };
        let hit = (0..40_000).filter(|i| {
            let seen = fate(*i, whole);
            assert!(seen == whole || seen == Departure::Damaged { after: MILLISECOND, bits: 2 });
            seen != whole
        });
        // Five standard deviations of a binomial around 10,000 of 40,000 are 433.
        assert!(hit.count().abs_diff(10_000) < 433);
        let gone = Departure::Drop(PacketDrop::Loss);
        assert!((0..100).all(|i| fate(i, gone) == gone));
    }

    #[test]
    fn so_many_bits_are_flipped() {
        for i in 0..200 {
            let mut bytes = [0u8; 40];
            damage(&mut bytes, 3, Seed::new(i));
            let flipped: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
            // One that is chosen twice is flipped back.
            assert!(flipped == 3 || flipped == 1, "{flipped}");
            let mut again = [0u8; 40];
            damage(&mut again, 3, Seed::new(i));
            assert_eq!(bytes, again);
        }
        damage(&mut [], 3, Seed::new(1));
    }
}
