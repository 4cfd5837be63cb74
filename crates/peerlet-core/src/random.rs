//! Randomness that is the same on every machine and in every release.
//!
//! A run has one [`Seed`]; every stream of randomness is a path below it
//! (`seed.at(seat).at(life)`), so that no other random stream changes when a peer, a thread or a
//! purpose is added. The values are guarded by golden vectors.

use std::convert::Infallible;

use rand::TryRng;

/// The finalizer of splitmix64 after one step of its counter (Steele, Lea, Flood: OOPSLA 2014).
///
/// A bijection of 64-bit words that scrambles every bit: the one hash under all streams.
#[inline]
pub const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A place in the tree of seeds.
///
/// ```
/// use peerlet_core::Seed;
/// let run = Seed::new(7);
/// let (mut a, mut b) = (run.at(1).at(2).rng(), run.at(2).at(1).rng());
/// assert_ne!(a.bits(), b.bits());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seed(u64);

impl Seed {
    /// The root of a run's tree.
    pub const fn new(seed: u64) -> Seed {
        Seed(mix(seed))
    }

    /// The place `index` below this one.
    #[inline]
    pub const fn at(self, index: u64) -> Seed {
        Seed(mix(self.0 ^ index))
    }

    /// The place below this one that two numbers lead to, at the cost of one multiplication. Its
    /// bits are random enough to lead on from there ([`at`](Seed::at), [`named`](Seed::named)),
    /// which scrambles them once more.
    #[inline]
    pub const fn at_pair(self, a: u64, b: u64) -> Seed {
        let product = (self.0 ^ a) as u128 * (b ^ 0xD6E8_FEB8_6659_FD93) as u128;
        Seed((product >> 64) as u64 ^ product as u64)
    }

    /// The place below this one that a name leads to (FNV-1a of its bytes).
    pub const fn named(self, name: &str) -> Seed {
        let (bytes, mut hash, mut i) = (name.as_bytes(), 0xcbf2_9ce4_8422_2325_u64, 0);
        while i < bytes.len() {
            hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            i += 1;
        }
        self.at(hash)
    }

    /// The 64 random bits found at this place.
    #[inline]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The generator that starts at this place.
    #[inline]
    pub const fn rng(self) -> Rng {
        // A bijection of two different inputs: never both zero, which xoroshiro cannot leave.
        Rng { s0: mix(self.0 ^ 1), s1: mix(self.0 ^ 2) }
    }
}

/// A small fast generator: xoroshiro128++ 1.0 (Blackman, Vigna: ACM TOMS 47, 2021), 16 bytes.
///
/// It implements [`rand::Rng`], so all of `rand` works on it. `rand`'s distributions may change
/// between its versions; [`below`](Rng::below), [`chance`](Rng::chance) and [`unit`](Rng::unit)
/// never will.
///
/// ```
/// use peerlet_core::Seed;
/// let mut rng = Seed::new(1).rng();
/// assert!(rng.below(6) < 6);
/// assert!((0.0..1.0).contains(&rng.unit()));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rng {
    s0: u64,
    s1: u64,
}

impl Rng {
    /// The next 64 bits.
    #[inline]
    pub const fn bits(&mut self) -> u64 {
        let (s0, mut s1) = (self.s0, self.s1);
        let out = s0.wrapping_add(s1).rotate_left(17).wrapping_add(s0);
        s1 ^= s0;
        self.s0 = s0.rotate_left(49) ^ s1 ^ (s1 << 21);
        self.s1 = s1.rotate_left(28);
        out
    }

    /// A number below `bound`, by multiplication: biased by at most `bound / 2^64`. Zero when
    /// `bound` is zero.
    #[inline]
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.bits() as u128 * bound as u128) >> 64) as u64
    }

    /// An index into something of this length.
    ///
    /// # Panics
    /// Panics when `len` is zero: there is nothing to choose.
    #[inline]
    pub fn index(&mut self, len: usize) -> usize {
        assert!(len > 0, "an index into nothing was asked for");
        self.below(len as u64) as usize
    }

    /// True with probability `p`.
    #[inline]
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// A float in `[0, 1)`, a multiple of 2^-53.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// One element chosen uniformly; `None` from an empty slice.
    pub fn choose<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { from.get(self.index(from.len())) }
    }

    /// Puts the elements into a uniformly random order (Fisher, Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.index(i + 1));
        }
    }
}

impl TryRng for Rng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.bits() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.bits())
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for chunk in dst.chunks_mut(8) {
            chunk.copy_from_slice(&self.bits().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by an independent Python program from the published algorithms.
    #[test]
    fn golden_vectors() {
        assert_eq!(mix(0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(mix(1), 0x910A_2DEC_8902_5CC1);
        let mut rng = Rng { s0: 1, s1: 2 };
        assert_eq!(
            [rng.bits(), rng.bits(), rng.bits()],
            [393_217, 669_327_710_093_319, 1_732_421_326_133_921_491]
        );
    }

    /// By the same program.
    #[test]
    fn pairs_are_golden() {
        let at = |a, b| Seed::new(7).at_pair(a, b).bits();
        let golden = [0x85D7_DC6B_300D_9EFB, 0x2183_FE4F_5AFB_8CAF, 0xC89C_FF17_F081_8310];
        assert_eq!([at(3, 0), at(3, 1), at(4, 1)], golden);
    }

    /// One step below a pair, what neighbors draw is spread evenly, and no two neighbors alike.
    #[test]
    fn pairs_of_neighbors_draw_apart() {
        let draw = |a: u64, b: u64| Seed::new(11).at(5).at_pair(a, b).named("delay").bits();
        let (mut counts, mut same, mut low) = ([0u32; 10], 0, 0u32);
        for a in 0..300 {
            for b in 0..300 {
                let (here, next) = (draw(a, b), draw(a, b + 1));
                let tenth = |bits: u64| ((u128::from(bits) * 10) >> 64) as usize;
                counts[tenth(here)] += 1;
                same += u32::from(tenth(here) == tenth(next));
                same += u32::from(tenth(here) == tenth(draw(a + 1, b)));
                low += (here ^ next).count_ones();
            }
        }
        // Five standard deviations of binomials around 9,000, 18,000 and 2,880,000.
        assert!(counts.iter().all(|count| count.abs_diff(9_000) < 450), "{counts:?}");
        assert!(same.abs_diff(18_000) < 637, "{same}");
        assert!(low.abs_diff(2_880_000) < 6_000, "{low}");
    }

    #[test]
    fn rand_works_on_it() {
        use rand::Rng as _;
        let (mut a, mut b) = (Seed::new(3).rng(), Seed::new(3).rng());
        assert_eq!(a.next_u64(), b.bits());
        let mut bytes = [0; 11];
        a.fill_bytes(&mut bytes);
        assert_eq!(bytes[..8], b.bits().to_le_bytes());
    }

    #[test]
    fn draws_are_spread_evenly() {
        let mut rng = Seed::new(9).rng();
        let mut counts = [0u32; 10];
        for _ in 0..100_000 {
            counts[rng.index(10)] += 1;
        }
        // Five standard deviations of a binomial around 10,000 are 474.
        assert!(counts.iter().all(|&c| c.abs_diff(10_000) < 474), "{counts:?}");
    }
}
