//! Relative errors between two sides of several runs, with intervals.

use serde::Serialize;

use crate::spread::Spread;

/// A relative error, right / left - 1, over runs.
///
/// Of a left side below zero, a positive error is still an increase.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct RelativeError {
    /// The error: 0.01 is one percent more on the right.
    pub value: f64,
    /// Half the width of its 90 % confidence interval by Student's t: the interval of two one-sided
    /// tests at 5 % each. `None` where a side has a single run.
    pub margin: Option<f64>,
    /// How the margin depends on the number of runs; `None` like the margin.
    #[serde(skip)]
    pub(crate) spread: Option<Spread>,
}

impl RelativeError {
    fn new(value: f64, spread: Option<Spread>) -> RelativeError {
        RelativeError { value, margin: spread.map(|spread| spread.margin()), spread }
    }

    /// The two ends of its interval.
    pub fn interval(&self) -> Option<[f64; 2]> {
        self.margin.map(|margin| [self.value - margin, self.value + margin])
    }

    /// From pairs of runs with the same seed: the mean of the pairs' relative errors, and its
    /// interval over the pairs.
    ///
    /// Where a pair has none, since its left side is zero and its right side is not, the sides are
    /// compared as if they were no pairs. `None` without pairs, and where the left mean is zero and
    /// the right one is not.
    ///
    /// ```
    /// use peerlet_measure::RelativeError;
    /// let pairs = [(100.0, 101.0), (200.0, 206.0)];
    /// let error = RelativeError::paired(&pairs).expect("there are runs");
    /// assert!((error.value - 0.02).abs() < 1e-12);
    /// // The errors are 1 % and 3 %: a standard error of 1 %, and t at one degree is 6.314.
    /// assert!((error.margin.expect("two runs") - 0.06314).abs() < 1e-12);
    /// ```
    pub fn paired(pairs: &[(f64, f64)]) -> Option<RelativeError> {
        let errors: Option<Vec<f64>> = pairs.iter().map(|(l, r)| relative(*l, *r)).collect();
        let Some(errors) = errors else {
            let (left, right): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
            return RelativeError::unpaired(&left, &right);
        };
        Some(RelativeError::new(mean(&errors)?, Spread::of(&errors)))
    }

    /// From runs that are no pairs: the relative error of the means.
    ///
    /// Its variance is that of a ratio to the first order, its degrees of freedom are Welch's,
    /// rounded down. `None` where a side has no runs, and where the left mean is zero and the right
    /// one is not.
    pub fn unpaired(left: &[f64], right: &[f64]) -> Option<RelativeError> {
        let (a, b) = (mean(left)?, mean(right)?);
        let value = relative(a, b)?;
        // The part that each mean has in the error of their ratio.
        let of_right = if a == 0.0 { 1.0 } else { 1.0 / a };
        let of_left = if a == 0.0 { 1.0 } else { b / (a * a) };
        Some(RelativeError::new(value, Spread::of_two([left, right], [of_left, of_right])))
    }
}

/// The absolute difference of two sides' means, right - left, and how far off it may be: for sides
/// that have no relative error. `None` where a side has no runs.
pub(crate) fn difference(left: &[f64], right: &[f64]) -> Option<(f64, Option<Spread>)> {
    let value = mean(right)? - mean(left)?;
    Some((value, Spread::of_two([left, right], [1.0, 1.0])))
}

/// By how much the right one is more; `None` where that is beyond all bounds.
fn relative(left: f64, right: f64) -> Option<f64> {
    if left == right {
        return Some(0.0);
    }
    (left != 0.0).then(|| (right - left) / left.abs())
}

pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The distance by Kolmogorov and Smirnov that two samples of one distribution, `n` and `m`
/// numbers, exceed in 5 of 100 cases, for large samples; `None` where a side has none.
///
/// ```
/// use peerlet_measure::ks_critical;
/// assert!((ks_critical(200, 200).expect("there are numbers") - 0.13581).abs() < 1e-12);
/// ```
pub fn ks_critical(n: u64, m: u64) -> Option<f64> {
    let (n, m) = (n as f64, m as f64);
    (n > 0.0 && m > 0.0).then(|| KS_5_PERCENT * ((n + m) / (n * m)).sqrt())
}

/// sqrt(-ln(0.05 / 2) / 2), from the limit of the distance's distribution (Smirnov 1948).
const KS_5_PERCENT: f64 = 1.3581;

#[cfg(test)]
mod tests {
    use super::*;

    fn near(error: Option<RelativeError>, value: f64, margin: Option<f64>) {
        let error = error.unwrap();
        assert!((error.value - value).abs() < 1e-9, "{error:?}");
        match (error.margin, margin) {
            (Some(actual), Some(margin)) => assert!((actual - margin).abs() < 1e-6, "{error:?}"),
            (actual, expected) => assert_eq!(actual, expected),
        }
    }

    #[test]
    fn pairs() {
        // Errors of 1, 2, 3, 4 and 5 %: mean 3 %, deviation sqrt(2.5) %, t at 4 degrees 2.132.
        let pairs: Vec<_> = (1..=5).map(|i| (100.0 * f64::from(i), 100.0 + f64::from(i))).collect();
        let pairs: Vec<_> =
            pairs.iter().map(|(left, right)| (*left, left * right / 100.0)).collect();
        near(RelativeError::paired(&pairs), 0.03, Some(0.015_075_517));
        near(RelativeError::paired(&[(8.0, 9.0)]), 0.125, None);
        near(RelativeError::paired(&[(-8.0, -6.0)]), 0.25, None);
        near(RelativeError::paired(&[(0.0, 0.0), (0.0, 0.0)]), 0.0, Some(0.0));
        assert_eq!(RelativeError::paired(&[]), None);
        assert_eq!(RelativeError::paired(&[(0.0, 1.0)]), None);
    }

    #[test]
    fn a_pair_without_an_error_of_its_own() {
        let pairs = [(0.0, 1.0), (4.0, 3.0)];
        let apart = RelativeError::unpaired(&[0.0, 4.0], &[1.0, 3.0]);
        assert_eq!(RelativeError::paired(&pairs), apart);
        assert_eq!(apart.unwrap().value, 0.0);
    }

    #[test]
    fn unequal_runs_by_welch() {
        // Left 9, 10, 11: mean 10, squared error 1/3. Right 10, 12, 14, 12: mean 12, squared error
        // (8/3)/4 = 2/3. Ratio 1.2. Parts (1/3)*1.44/100 = 0.0048 and (2/3)/100 = 0.0066667; sum
        // 0.0114667. Freedom 0.0114667^2 / (0.0048^2/2 + 0.0066667^2/3) = 4.993, rounded down to 4:
        // t is 2.132. Margin 2.132 * sqrt(0.0114667).
        let error = RelativeError::unpaired(&[9.0, 10.0, 11.0], &[10.0, 12.0, 14.0, 12.0]);
        near(error, 0.2, Some(0.228_299_9));
        near(RelativeError::unpaired(&[9.0, 11.0], &[12.0]), 0.2, None);
        near(RelativeError::unpaired(&[5.0, 5.0], &[6.0, 6.0, 6.0]), 0.2, Some(0.0));
        assert_eq!(RelativeError::unpaired(&[], &[1.0]), None);
        assert_eq!(RelativeError::unpaired(&[0.0], &[1.0]), None);
        // Means of zero, and some spread: t at 2 degrees is 2.920, both squared errors are 1.
        let zero = RelativeError::unpaired(&[-1.0, 1.0], &[1.0, -1.0]);
        near(zero, 0.0, Some(2.920 * 2.0_f64.sqrt()));
    }

    #[test]
    fn critical_distances() {
        assert!((ks_critical(100, 400).unwrap() - 1.3581 * 0.0125_f64.sqrt()).abs() < 1e-12);
        assert_eq!(ks_critical(0, 400), None);
        assert_eq!(ks_critical(400, 0), None);
        assert!(((-(0.025_f64.ln()) / 2.0).sqrt() - KS_5_PERCENT).abs() < 1e-4);
    }
}
