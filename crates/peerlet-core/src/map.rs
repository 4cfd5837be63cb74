//! Maps and sets whose order and hashes are the same in every run.
//!
//! The standard library's hash maps are seeded at random: iterating one brings randomness into a
//! simulation, the most common first mistake. These keep the order of insertion and hash with a
//! fixed function.
//!
//! A fixed hash can be guessed: anybody who chooses the keys can make them collide. Keys that
//! strangers choose freely belong in a `BTreeMap`.

use std::hash::{BuildHasherDefault, Hasher};

use crate::random::mix;

/// A map with a fixed hasher that iterates in order of insertion (`swap_remove` moves the last
/// entry).
///
/// ```
/// let mut map = peerlet_core::Map::default();
/// map.insert("b", 2);
/// map.insert("a", 1);
/// assert_eq!(map.keys().copied().collect::<Vec<_>>(), ["b", "a"]);
/// ```
pub type Map<K, V> = indexmap::IndexMap<K, V, BuildHasherDefault<FixedHasher>>;

/// A set with a fixed hasher that iterates in order of insertion (`swap_remove` moves the last
/// element).
pub type Set<T> = indexmap::IndexSet<T, BuildHasherDefault<FixedHasher>>;

/// The hasher of [`Map`] and [`Set`]: one [`mix`] per word, from a fixed start.
#[derive(Clone, Copy, Default)]
pub struct FixedHasher(u64);

impl Hasher for FixedHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word) ^ (chunk.len() as u64) << 56);
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }

    fn write_u16(&mut self, n: u16) {
        self.write_u64(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = mix(self.0 ^ n);
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::Hash;

    #[test]
    fn hashes_never_change() {
        let mut hasher = FixedHasher::default();
        (7u32, "peer", [1u8, 2, 3]).hash(&mut hasher);
        assert_eq!(hasher.finish(), 0x00f8_308d_abb2_5657);
    }
}
