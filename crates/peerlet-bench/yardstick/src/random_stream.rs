//! The generator of the loops: as little work a draw as there is.

/// Eight bytes of state and one wide multiplication a draw (wyrand).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RandomStream(u64);

impl RandomStream {
    /// The random of one peer.
    pub const fn new(seed: u64, peer: u32) -> RandomStream {
        RandomStream((peer as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ seed)
    }

    /// RandomStream of their own, for a part of the peer.
    pub const fn split(&mut self) -> RandomStream {
        RandomStream(self.below(u64::MAX))
    }

    /// The state, for a hash.
    pub const fn state(self) -> u64 {
        self.0
    }

    /// A number below `bound`.
    #[inline(always)]
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0xa076_1d64_78bd_642f);
        let wide = (self.0 as u128) * ((self.0 ^ 0xe703_7ed1_a0b4_28db) as u128);
        let bits = (wide >> 64) as u64 ^ wide as u64;
        ((bits as u128 * bound as u128) >> 64) as u64
    }

    /// One of the other peers.
    #[inline(always)]
    pub const fn other(&mut self, me: u32, peers: u32) -> u32 {
        let other = self.below(peers as u64 - 1) as u32;
        other + (other >= me) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_everybody_else_evenly() {
        let (mut random, mut counts) = (RandomStream::new(7, 3), [0u32; 8]);
        for _ in 0..70_000 {
            counts[random.other(3, 8) as usize] += 1;
        }
        assert_eq!(counts[3], 0);
        // Five standard deviations of a binomial around 10,000 are 463.
        let even = |(i, c): (usize, &u32)| i == 3 || c.abs_diff(10_000) < 463;
        assert!(counts.iter().enumerate().all(even), "{counts:?}");
    }
}
