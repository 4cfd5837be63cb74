//! The properties of measurements as a runtime meets them: many owners of peers, merged.

mod merging;
mod spread;
mod verdicts;
mod words;

use std::env;

use peerlet_core::runtime::QUANTA_MAX;
use peerlet_core::{Rng, Seed};

/// The randomness of one test, from `PEERLET_SEED` when it is set: a number or any other text, such
/// as a commit's hash.
fn rng(test: &str) -> Rng {
    let text = env::var("PEERLET_SEED").unwrap_or_else(|_| "1".to_owned());
    // Shown when the test fails.
    println!("PEERLET_SEED={text}");
    let seed = text.parse().map_or_else(|_| Seed::new(0).named(&text), Seed::new);
    seed.named(test).rng()
}

/// One value of a named distribution, in quanta: of both signs, of any size, small, skewed, or at
/// the clamp.
fn draw(rng: &mut Rng, distribution: usize) -> i64 {
    let sign = if rng.chance(0.5) { 1 } else { -1 };
    match distribution {
        0 => rng.below(100) as i64,
        1 => rng.below(2_000_000) as i64 - 1_000_000,
        2 => (-rng.unit().max(f64::MIN_POSITIVE).ln() * 5e7) as i64,
        3 => sign * (rng.bits() >> (16 + rng.below(48))) as i64,
        4 => sign * (QUANTA_MAX - rng.below(3) as i64),
        _ => 1_000_000_007 + rng.below(2) as i64,
    }
}

/// How many distributions [`draw`] knows.
const DISTRIBUTIONS: usize = 6;
