//! Against values that are kept, sorted and summed directly.

use peerlet_core::runtime::QUANTA_MAX;
use peerlet_measure::{Accumulator, ks};

use crate::{DISTRIBUTIONS, draw, rng};

const QUANTILES: [f64; 11] = [0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0];

fn accumulate(values: &[i64]) -> Accumulator {
    let mut accumulator = Accumulator::default();
    values.iter().for_each(|value| accumulator.record(*value));
    accumulator
}

#[test]
fn quantiles_are_within_the_stated_error() {
    let mut rng = rng("quantiles");
    for round in 0..60 {
        let distribution = round % DISTRIBUTIONS;
        let count = 1 + rng.index(3_000);
        let mut values: Vec<i64> = (0..count).map(|_| draw(&mut rng, distribution)).collect();
        let accumulator = accumulate(&values);
        values.sort_unstable();
        for q in QUANTILES {
            let millionths = (q * 1e6).round() as usize;
            let exact = values[(millionths * count).div_ceil(1_000_000).max(1) - 1];
            let got = accumulator.quantile(q).unwrap();
            let error = got.abs_diff(exact);
            let context = format!("distribution {distribution}, {count} values, q {q}: {got}");
            assert!(error <= exact.unsigned_abs() / 256, "{context} for {exact}");
            assert!((values[0]..=values[count - 1]).contains(&got), "{context} is outside");
        }
        assert_eq!(accumulator.min(), values.first().copied());
        assert_eq!(accumulator.max(), values.last().copied());
    }
}

#[test]
fn sums_are_exact_and_std_is_that_of_direct_computation() {
    let mut rng = rng("sums");
    for round in 0..60 {
        let distribution = round % DISTRIBUTIONS;
        let count = 2 + rng.index(2_000);
        let values: Vec<i64> = (0..count).map(|_| draw(&mut rng, distribution)).collect();
        let accumulator = accumulate(&values);
        let wide = || values.iter().map(|value| i128::from(*value));
        assert!(wide().all(|value| value.abs() <= i128::from(QUANTA_MAX)));
        assert_eq!(accumulator.sum(), wide().sum::<i128>());
        assert_eq!(accumulator.squares() as i128, wide().map(|value| value * value).sum::<i128>());
        // Distances to the first value are exact in a float, or as far as one goes.
        let first = values[0];
        let shifted: Vec<f64> = values.iter().map(|value| (value - first) as f64).collect();
        let mean = shifted.iter().sum::<f64>() / count as f64;
        let squares: f64 = shifted.iter().map(|value| (value - mean).powi(2)).sum();
        let expected = (squares / (count - 1) as f64).sqrt();
        let got = accumulator.std().unwrap();
        assert!((got - expected).abs() <= 1e-9 * expected, "{distribution}: {got}, {expected}");
    }
}

#[test]
fn ks_is_that_of_the_sorted_values() {
    let mut rng = rng("ks");
    for _ in 0..20 {
        // Below 256 every value has a bucket of its own, so both must agree but for the last bits
        // of floats.
        let [a, b] = [0, 1].map(|_| {
            let (count, range) = (1 + rng.index(400), 1 + rng.below(255));
            (0..count).map(|_| rng.below(range) as i64).collect::<Vec<_>>()
        });
        let share = |values: &[i64], up_to: i64| {
            values.iter().filter(|value| **value <= up_to).count() as f64 / values.len() as f64
        };
        let exact = (0..256).map(|x| (share(&a, x) - share(&b, x)).abs()).fold(0.0, f64::max);
        let got = ks(accumulate(&a).histogram(), accumulate(&b).histogram());
        assert!((got - exact).abs() < 1e-12, "{got} for {exact}");
    }
}
