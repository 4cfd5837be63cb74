//! Generated networks have the distribution of what was measured.

use peerlet_core::{MILLISECOND, Rng, Seat, Seed};
use peerlet_network::{Generated, KING_LIKE, Model, PLANETLAB_LIKE, Preset, WORLD_LIKE};

/// The percentiles that are compared.
const PERCENTS: [usize; 7] = [5, 10, 25, 50, 75, 90, 95];

/// Measured round trips at these percentiles, in milliseconds. Those of `king-like` are the
/// world's, scaled to a median of 159 ms.
const PLANETLAB: [f64; 7] = [18.84, 30.87, 59.111, 133.905, 203.21, 290.765, 326.045];
const WORLD: [f64; 7] = [22.953, 34.99, 77.08, 142.85, 217.265, 290.078, 330.45];
const KING: [f64; 7] = [25.55, 38.95, 85.79, 159.0, 241.83, 322.87, 367.81];

/// Means over networks: the percentiles, and the share of triangles with a side longer than the
/// other two together.
struct Shape {
    percentiles: [f64; 7],
    violations: f64,
}

impl Shape {
    fn mean(preset: &'static Preset, peers: u32, seeds: u64, triangles: usize) -> Shape {
        let mut mean = Shape { percentiles: [0.0; 7], violations: 0.0 };
        for seed in 1..=seeds {
            let network = Generated::new(preset, seed, peers, MILLISECOND);
            let one = Shape::sample(&network, Seed::new(seed).rng(), peers, triangles);
            mean.violations += one.violations / seeds as f64;
            for (sum, p) in mean.percentiles.iter_mut().zip(one.percentiles) {
                *sum += p / seeds as f64;
            }
        }
        mean
    }

    fn sample(network: &Generated, mut rng: Rng, peers: u32, triangles: usize) -> Shape {
        let (mut sides, mut violations) = (Vec::new(), 0);
        while sides.len() < 3 * triangles {
            let [a, b, c] = [(); 3].map(|()| Seat(rng.below(u64::from(peers)) as u32));
            if a == b || b == c || a == c {
                continue;
            }
            let lengths = [(a, b), (b, c), (a, c)].map(|(p, q)| network.round_trip(p, q));
            let longest = lengths.into_iter().max().expect("a triangle has three sides");
            let around = lengths[0] + lengths[1] + lengths[2];
            violations += usize::from(longest * 2 > around);
            sides.extend(lengths);
        }
        sides.sort_unstable();
        let percentile = |p: usize| sides[p * sides.len() / 100].as_secs_f64() * 1e3;
        Shape {
            percentiles: PERCENTS.map(percentile),
            violations: violations as f64 / triangles as f64,
        }
    }

    /// Fails unless p5 is within `first` of the target, p10 to p95 within 5 % of it.
    fn check(&self, name: &str, target: [f64; 7], first: f64) {
        for (i, percent) in PERCENTS.into_iter().enumerate() {
            let off = self.percentiles[i] / target[i] - 1.0;
            let within = if i == 0 { first } else { 0.05 };
            assert!(off.abs() < within, "{name}: p{percent} is off by {:.1} %", off * 100.0);
        }
        self.check_violations(name);
    }

    fn check_violations(&self, name: &str) {
        assert!((0.14..0.21).contains(&self.violations), "{name}: {}", self.violations);
    }
}

#[test]
fn planetlab_like_is_like_planetlab() {
    Shape::mean(&PLANETLAB_LIKE, 1_740, 20, 40_000).check("1,740 peers", PLANETLAB, 0.07);
    Shape::mean(&PLANETLAB_LIKE, 100_000, 5, 100_000).check("100,000 peers", PLANETLAB, 0.05);
}

#[test]
fn world_like_is_like_the_world() {
    Shape::mean(&WORLD_LIKE, 1_740, 20, 40_000).check("1,740 peers", WORLD, 0.07);
    Shape::mean(&WORLD_LIKE, 100_000, 5, 100_000).check("100,000 peers", WORLD, 0.05);
}

/// Only the median is King's. The rest of the shape is the world's, whose p5 the generator misses
/// by 3 %, and stretching by another 2 %.
#[test]
fn king_like_has_the_median_of_king() {
    let check_median = |shape: &Shape| {
        let median = shape.percentiles[3];
        assert!((median / 159.0 - 1.0).abs() < 0.02, "the median is {median} ms");
    };
    let small = Shape::mean(&KING_LIKE, 1_740, 20, 40_000);
    small.check("1,740 peers", KING, 0.07);
    check_median(&small);
    let large = Shape::mean(&KING_LIKE, 100_000, 5, 100_000);
    large.check("100,000 peers", KING, 0.05);
    check_median(&large);
}

/// A peer's place depends on the seed and its seat alone.
#[test]
fn more_peers_move_nobody() {
    let [few, many] = [10, 1_000].map(|peers| Generated::new(&WORLD_LIKE, 9, peers, MILLISECOND));
    for (a, b) in (1..10).flat_map(|a| (0..a).map(move |b| (Seat(a), Seat(b)))) {
        assert_eq!(few.round_trip(a, b), many.round_trip(b, a));
    }
}
