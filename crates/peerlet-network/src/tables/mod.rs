//! The distributions behind the generated networks, as tables: bit-identical on every machine.
//!
//! All quantiles are taken in the middle of 1,024 equal steps of probability, so that ten random
//! bits pick one. They were made with scipy 1.17 and are recomputed by the tests below.

pub(crate) mod king;
pub(crate) mod normal;
pub(crate) mod planetlab;
pub(crate) mod world;

#[cfg(test)]
mod tests {
    use super::*;

    /// The normal quantile of `p`, by bisection of `libm`'s error function.
    fn quantile(p: f64) -> f64 {
        let (mut low, mut high) = (-8.0, 8.0);
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            let below = 0.5 * libm::erfc(-middle / std::f64::consts::SQRT_2);
            if below < p { low = middle } else { high = middle }
        }
        low
    }

    /// Compares a table with `value(k)`, to within one unit.
    fn check<T: Copy + Into<i64>>(table: &[T; 1024], value: impl Fn(f64) -> f64) {
        for (k, &entry) in table.iter().enumerate() {
            let expected = value(k as f64 + 0.5).round() as i64;
            assert!(entry.into().abs_diff(expected) <= 1, "entry {k}: expected {expected}");
        }
    }

    #[test]
    fn tables_can_be_recomputed() {
        let z = |k: f64| quantile(k / 1024.0);
        let h = |k: f64| quantile(0.5 + k / 2048.0);
        check(&normal::NORMAL, |k| 65_536.0 * z(k));
        check(&planetlab::HEIGHT, |k| 1_000.0 * libm::exp(-0.3864 + 0.9787 * z(k)));
        check(&planetlab::FACTOR, |k| 65_536.0 * libm::exp(0.0327 * z(k)));
        check(&planetlab::DETOUR, |k| 65_536.0 * libm::exp(0.5285 * h(k)));
        check(&world::HEIGHT, |k| 1_000.0 * libm::exp(-0.5406 + 0.6162 * z(k)));
        check(&world::FACTOR, |k| 65_536.0 * libm::exp(0.0451 * z(k)));
        check(&world::DETOUR, |k| 65_536.0 * libm::exp(0.6735 * h(k)));
        check(&king::HEIGHT, |k| 1_000.0 * libm::exp(-0.4548 + 0.6162 * z(k)));
    }
}
