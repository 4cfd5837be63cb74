//! Quantiles of Student's t distribution.

/// The 0.975 quantile for 1 to 30 degrees of freedom (Abramowitz and Stegun 1964, table 26.10).
const T_975: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// The 0.95 quantile for 1 to 30 degrees of freedom (the same table).
const T_95: [f64; 30] = [
    6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782, 1.771,
    1.761, 1.753, 1.746, 1.740, 1.734, 1.729, 1.725, 1.721, 1.717, 1.714, 1.711, 1.708, 1.706,
    1.703, 1.701, 1.699, 1.697,
];

/// The 0.975 quantile of the normal distribution.
const NORMAL_975: f64 = 1.959_964;
/// The 0.95 quantile of the normal distribution.
pub(crate) const NORMAL_95: f64 = 1.644_854;
/// The 0.9 quantile of the normal distribution.
pub(crate) const NORMAL_90: f64 = 1.281_552;

/// The 0.975 quantile of Student's t: that many standard errors to both sides hold the mean 95
/// times of 100.
///
/// By table up to 30 degrees of freedom, then by the expansion around the normal quantile
/// (Abramowitz and Stegun, 26.7.5, two terms), which is off by less than 0.0001 there. Infinite for
/// no degrees of freedom: nothing is known.
pub fn student_t(freedom: u64) -> f64 {
    quantile(&T_975, NORMAL_975, freedom)
}

/// The 0.95 quantile of Student's t, as [`student_t`]: that many standard errors to both sides are
/// the 90 % interval, and one to a side a one-sided test at 5 %.
pub fn student_t_one_sided(freedom: u64) -> f64 {
    quantile(&T_95, NORMAL_95, freedom)
}

fn quantile(table: &[f64; 30], normal: f64, freedom: u64) -> f64 {
    match usize::try_from(freedom) {
        Ok(0) => f64::INFINITY,
        Ok(freedom @ 1..=30) => table[freedom - 1],
        _ => {
            let (x, n) = (normal, freedom as f64);
            let (x2, x3) = (x * x, x * x * x);
            x + (x3 + x) / (4.0 * n) + (5.0 * x3 * x2 + 16.0 * x3 + 3.0 * x) / (96.0 * n * n)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;

    /// The probability of |T| < t by the finite series for whole degrees of freedom (Abramowitz and
    /// Stegun, 26.7.3-4).
    fn inside(t: f64, freedom: u64) -> f64 {
        let angle = (t / (freedom as f64).sqrt()).atan();
        let (sin, cos2) = (angle.sin(), angle.cos() * angle.cos());
        let odd = freedom % 2 == 1;
        let (mut term, mut sum) = if odd { (angle.cos(), 0.0) } else { (1.0, 0.0) };
        let mut k = if odd { 3 } else { 2 };
        while k <= freedom {
            sum += term;
            term *= cos2 * (k - 1) as f64 / k as f64;
            k += 2;
        }
        if odd { 2.0 / PI * (angle + sin * sum) } else { sin * sum }
    }

    #[test]
    fn quantiles_hold_their_share() {
        assert!(
            (inside(1.0, 1) - 0.5).abs() < 1e-12,
            "the Cauchy distribution has its quartile at 1"
        );
        for freedom in (1..=200).chain([1_000, 1_000_001]) {
            let wide = inside(student_t(freedom), freedom);
            assert!((wide - 0.95).abs() < 6e-5, "{freedom}: {wide}");
            let narrow = inside(student_t_one_sided(freedom), freedom);
            assert!((narrow - 0.9).abs() < 1.1e-4, "{freedom}: {narrow}");
        }
        for quantile in [student_t, student_t_one_sided] {
            assert!((1..100).all(|freedom| quantile(freedom) > quantile(freedom + 1)));
            assert_eq!(quantile(0), f64::INFINITY);
        }
    }
}
