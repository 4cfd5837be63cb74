//! The error of an estimate from several runs, as a function of the number of runs.

use crate::relative::mean;
use crate::student::student_t_one_sided;

/// The spread of an estimate that is a mean over runs, or a difference of two.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Spread {
    /// The estimate's standard error.
    pub(crate) error: f64,
    /// The degrees of freedom of Student's t.
    pub(crate) freedom: u64,
    /// The standard error that one run a side would leave: `n` runs a side leave that divided by
    /// the root of `n`.
    pub(crate) of_one: f64,
    /// How many runs the side with fewer has.
    pub(crate) runs: u64,
}

impl Spread {
    /// Of the mean of these values; `None` of a single one.
    pub(crate) fn of(values: &[f64]) -> Option<Spread> {
        let variance = variance(values)?;
        let runs = values.len() as u64;
        let (of_one, error) = (variance.sqrt(), (variance / runs as f64).sqrt());
        Some(Spread { error, freedom: runs - 1, of_one, runs })
    }

    /// Of a sum of two means that are independent, each with its factor, by Welch; `None` where one
    /// is of a single value.
    pub(crate) fn of_two(sides: [&[f64]; 2], factors: [f64; 2]) -> Option<Spread> {
        let part = |side: usize| Some(variance(sides[side])? * factors[side] * factors[side]);
        let of_one = [part(0)?, part(1)?];
        let runs = sides.map(|values| values.len() as f64);
        let parts = [of_one[0] / runs[0], of_one[1] / runs[1]];
        let squares = |side: usize| parts[side] * parts[side] / (runs[side] - 1.0);
        let (sum, fewest) = (parts[0] + parts[1], sides[0].len().min(sides[1].len()) as u64);
        // Without any spread, the degrees are those of the smaller side.
        let freedom = match sum > 0.0 {
            true => (sum * sum / (squares(0) + squares(1))) as u64,
            false => fewest - 1,
        };
        let of_one = (of_one[0] + of_one[1]).sqrt();
        Some(Spread { error: sum.sqrt(), freedom: freedom.max(1), of_one, runs: fewest })
    }

    /// Half the width of the 90 % interval.
    pub(crate) fn margin(&self) -> f64 {
        if self.error == 0.0 { 0.0 } else { student_t_one_sided(self.freedom) * self.error }
    }
}

/// The variance of at least two values, by that of a sample.
fn variance(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    Some(squares / (values.len() - 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_side() {
        // Variance 2.5 by hand; t at 4 degrees is 2.132.
        let spread = Spread::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert!((spread.of_one - 2.5_f64.sqrt()).abs() < 1e-12);
        assert!((spread.margin() - 2.132 * 0.5_f64.sqrt()).abs() < 1e-12);
        assert_eq!((spread.freedom, spread.runs), (4, 5));
        assert_eq!((Spread::of(&[]), Spread::of(&[1.0])), (None, None));
        assert_eq!(Spread::of(&[7.0; 3]).unwrap().margin(), 0.0);
    }

    #[test]
    fn of_two_sides_by_welch() {
        // Variances 1 and 8/3 of three and four values: parts 1/3 and 4 * 2/3, with factors 1, 2.
        // Freedom 3^2 / ((1/3)^2 / 2 + (8/3)^2 / 3) = 3.71.
        let (left, right) = ([9.0, 10.0, 11.0], [10.0, 12.0, 14.0, 12.0]);
        let spread = Spread::of_two([&left, &right], [1.0, 2.0]).unwrap();
        assert!((spread.error - 3.0_f64.sqrt()).abs() < 1e-12, "{spread:?}");
        assert!((spread.of_one - (1.0 + 32.0 / 3.0_f64).sqrt()).abs() < 1e-12, "{spread:?}");
        assert_eq!((spread.freedom, spread.runs), (3, 3));
        assert_eq!(Spread::of_two([&left, &[1.0]], [1.0, 1.0]), None);
        let none = Spread::of_two([&[1.0, 1.0], &[2.0, 2.0]], [1.0, 1.0]).unwrap();
        assert_eq!((none.margin(), none.freedom), (0.0, 1));
    }
}
