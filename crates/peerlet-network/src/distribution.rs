//! Distributions of lengths of time, sampled from tables of quantiles.
//!
//! A sample is read from a table of integers, so it is the same on every machine. The table is made
//! once, by `libm` at a pinned version.

use std::fmt;

use peerlet_core::Duration;
use serde::Deserialize;

/// Each side of the median is cut into this many octaves of probability; the last begins at 2^-33.
const OCTAVES: usize = 32;

/// Each octave is cut into this many cells, over which quantiles grow evenly.
const CELL_BITS: u32 = 5;
const CELLS: usize = 1 << CELL_BITS;

/// A distribution of lengths of time.
///
/// Lengths below zero are cut to zero. The longest have a probability of 2^-33, about one in ten
/// thousand million.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Distribution {
    /// All lengths between two bounds are as probable.
    Uniform {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// The time to the next of events that happen at a constant rate.
    Exponential {
        /// The mean.
        mean: Duration,
    },
    /// The bell curve.
    Normal {
        /// The mean.
        mean: Duration,
        /// The standard deviation.
        sd: Duration,
    },
    /// The logarithm is normal.
    Lognormal {
        /// Half of all are longer.
        median: Duration,
        /// The standard deviation of the natural logarithm.
        sigma: f64,
    },
    /// The share that is longer than x is (min / x)^shape.
    Pareto {
        /// The shortest.
        min: Duration,
        /// The larger, the fewer long ones; above 1, so that there is a mean.
        shape: f64,
    },
}

/// Why a distribution cannot be sampled.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum DistributionError {
    /// Uniform bounds are the wrong way round.
    Bounds {
        /// The shortest length asked for.
        min: Duration,
        /// The longest length asked for.
        max: Duration,
    },
    /// The logarithm's standard deviation is not from 0 to 4.
    Sigma(f64),
    /// The shape is not above 1, or above 100.
    Shape(f64),
}

impl fmt::Display for DistributionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DistributionError::Bounds { min, max } => {
                write!(f, "the uniform distribution's min {min} exceeds its max {max}; set both")
            }
            DistributionError::Sigma(sigma) => {
                write!(
                    f,
                    "a sigma of {sigma} makes no lognormal distribution; give one from 0 to 4, as \
                     0.5"
                )
            }
            DistributionError::Shape(shape) => write!(
                f,
                "a shape of {shape} makes no Pareto distribution with a mean; give one above 1 and \
                 up to 100, as 2.5"
            ),
        }
    }
}

impl std::error::Error for DistributionError {}

impl DistributionError {
    /// The distribution's name.
    pub(crate) const fn distribution(self) -> &'static str {
        match self {
            DistributionError::Bounds { .. } => "uniform",
            DistributionError::Sigma(_) => "lognormal",
            DistributionError::Shape(_) => "pareto",
        }
    }

    /// The parameters that can mend it, the most likely one first.
    pub(crate) const fn keys(self) -> &'static [&'static str] {
        match self {
            DistributionError::Bounds { .. } => &["max", "min"],
            DistributionError::Sigma(_) => &["sigma"],
            DistributionError::Shape(_) => &["shape"],
        }
    }
}

impl Distribution {
    /// The table to sample from.
    ///
    /// # Errors
    /// When the parameters make no distribution.
    pub fn table(&self) -> Result<Quantiles, DistributionError> {
        let nanos = |duration: Duration| duration.as_nanos() as f64;
        match *self {
            Distribution::Uniform { min, max } if min > max => {
                Err(DistributionError::Bounds { min, max })
            }
            Distribution::Lognormal { sigma, .. } if !(0.0..=4.0).contains(&sigma) => {
                Err(DistributionError::Sigma(sigma))
            }
            Distribution::Pareto { shape, .. } if !(shape > 1.0 && shape <= 100.0) => {
                Err(DistributionError::Shape(shape))
            }
            Distribution::Uniform { min, max } => {
                Ok(Quantiles::new(|tail| nanos(min) + (nanos(max) - nanos(min)) * tail.below()))
            }
            Distribution::Exponential { mean } => {
                Ok(Quantiles::new(|tail| -nanos(mean) * libm::log(tail.above())))
            }
            Distribution::Normal { mean, sd } => {
                Ok(Quantiles::new(|tail| nanos(mean) + nanos(sd) * tail.normal()))
            }
            Distribution::Lognormal { median, sigma } => {
                Ok(Quantiles::new(|tail| nanos(median) * libm::exp(sigma * tail.normal())))
            }
            Distribution::Pareto { min, shape } => {
                Ok(Quantiles::new(|tail| nanos(min) * libm::pow(tail.above(), -1.0 / shape)))
            }
        }
    }
}

/// A point of a distribution, by the probability beyond it on its side of the median.
#[derive(Clone, Copy)]
enum Tail {
    Low(f64),
    High(f64),
}

impl Tail {
    /// The probability of less.
    fn below(self) -> f64 {
        match self {
            Tail::Low(p) => p,
            Tail::High(p) => 1.0 - p,
        }
    }

    /// The probability of more.
    fn above(self) -> f64 {
        match self {
            Tail::Low(p) => 1.0 - p,
            Tail::High(p) => p,
        }
    }

    /// The standard normal quantile, by bisection of the error function.
    fn normal(self) -> f64 {
        let (Tail::Low(p) | Tail::High(p)) = self;
        let (mut near, mut far) = (0.0, 8.0);
        for _ in 0..52 {
            let middle = (near + far) / 2.0;
            let beyond = 0.5 * libm::erfc(middle / std::f64::consts::SQRT_2);
            if beyond > p { near = middle } else { far = middle }
        }
        match self {
            Tail::Low(_) => -near,
            Tail::High(_) => near,
        }
    }
}

/// The quantiles of a distribution in nanoseconds, fine enough that the mean is right to a
/// ten-thousandth. 17 KB.
///
/// ```
/// use peerlet_core::{Duration, Seed};
/// use peerlet_network::Distribution;
/// let distribution = Distribution::Exponential { mean: Duration::from_millis(10) }.table()?;
/// let sum: u64 = (0..10_000).map(|i| distribution.sample(Seed::new(i).bits()).as_nanos()).sum();
/// assert!((9_700_000..10_300_000).contains(&(sum / 10_000)));
/// # Ok::<(), peerlet_network::DistributionError>(())
/// ```
#[derive(Clone)]
pub struct Quantiles {
    /// For each side and octave, the quantiles where its cells begin, and where the last one ends.
    octaves: Box<[[u64; CELLS + 1]]>,
}

impl Quantiles {
    fn new(quantile: impl Fn(Tail) -> f64) -> Quantiles {
        let value = |side: usize, octave: usize, cell: usize| {
            let p = (1.0 + cell as f64 / CELLS as f64) * 0.5f64.powi(octave as i32 + 2);
            let tail = if side == 0 { Tail::Low(p) } else { Tail::High(p) };
            // A negative value becomes zero.
            quantile(tail).round() as u64
        };
        let octave = |i| std::array::from_fn(|cell| value(i / OCTAVES, i % OCTAVES, cell));
        Quantiles { octaves: (0..2 * OCTAVES).map(octave).collect() }
    }

    /// The length that 64 random bits choose.
    #[inline]
    pub fn sample(&self, bits: u64) -> Duration {
        // The first bit is the side. The zeros that follow are the octave: each is half as probable
        // as the one before. The bits behind the first one are the offset in it.
        let (side, rest) = ((bits >> 63) as usize, bits << 1);
        let octave = (rest.leading_zeros() as usize).min(OCTAVES - 1);
        let offset = rest << (octave + 1);
        let cells = &self.octaves[side * OCTAVES + octave];
        let cell = (offset >> (64 - CELL_BITS)) as usize;
        let along = offset << CELL_BITS >> 32;
        let (from, to) = (cells[cell], cells[cell + 1]);
        let step = ((i128::from(to) - i128::from(from)) * i128::from(along)) >> 32;
        Duration::from_nanos((i128::from(from) + step) as u64)
    }

    /// Half of all lengths are longer.
    pub fn median(&self) -> Duration {
        Duration::from_nanos(self.octaves[0][CELLS])
    }

    /// No length is shorter.
    pub fn shortest(&self) -> Duration {
        Duration::from_nanos(self.octaves[OCTAVES - 1][0])
    }
}

impl fmt::Debug for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shortest, median) = (self.shortest(), self.median());
        f.debug_struct("Quantiles")
            .field("shortest", &shortest)
            .field("median", &median)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{MILLISECOND, Seed};

    use super::*;

    const SAMPLES: u64 = 400_000;

    /// Many samples, sorted, in milliseconds.
    fn samples(distribution: Distribution) -> Vec<f64> {
        let table = distribution.table().unwrap();
        let seed = Seed::new(9);
        let sample = |i| table.sample(seed.at(i).bits()).as_secs_f64() * 1e3;
        let mut samples: Vec<f64> = (0..SAMPLES).map(sample).collect();
        samples.sort_by(f64::total_cmp);
        samples
    }

    /// The Kolmogorov distance between the samples and the distribution function.
    fn distance(samples: &[f64], below: impl Fn(f64) -> f64) -> f64 {
        let n = samples.len() as f64;
        let apart = samples.iter().enumerate().map(|(i, &x)| {
            let p = below(x);
            (p - i as f64 / n).abs().max((p - (i + 1) as f64 / n).abs())
        });
        apart.fold(0.0, f64::max)
    }

    fn mean(samples: &[f64]) -> f64 {
        samples.iter().sum::<f64>() / samples.len() as f64
    }

    fn standard_normal(z: f64) -> f64 {
        0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
    }

    /// The distance that is exceeded once in ten thousand times.
    fn critical() -> f64 {
        2.23 / (SAMPLES as f64).sqrt()
    }

    #[test]
    fn samples_follow_their_distribution() {
        let ms = |ms: u64| MILLISECOND * ms;
        let uniform = samples(Distribution::Uniform { min: ms(5), max: ms(9) });
        assert!(distance(&uniform, |x| (x - 5.0) / 4.0) < critical());
        assert!(uniform[0] >= 5.0 && uniform[uniform.len() - 1] <= 9.0);

        let exponential = samples(Distribution::Exponential { mean: ms(20) });
        assert!(distance(&exponential, |x| 1.0 - libm::exp(-x / 20.0)) < critical());
        assert!((mean(&exponential) / 20.0 - 1.0).abs() < 0.01);

        let normal = samples(Distribution::Normal { mean: ms(80), sd: ms(10) });
        assert!(distance(&normal, |x| standard_normal((x - 80.0) / 10.0)) < critical());
        let variance = normal.iter().map(|x| (x - 80.0).powi(2)).sum::<f64>() / normal.len() as f64;
        assert!((variance.sqrt() / 10.0 - 1.0).abs() < 0.01, "{variance}");

        let lognormal = samples(Distribution::Lognormal { median: ms(70), sigma: 0.5 });
        let below = |x: f64| standard_normal(libm::log(x / 70.0) / 0.5);
        assert!(distance(&lognormal, below) < critical());
        assert!((mean(&lognormal) / (70.0 * libm::exp(0.125)) - 1.0).abs() < 0.01);

        let pareto = samples(Distribution::Pareto { min: ms(30), shape: 2.5 });
        assert!(distance(&pareto, |x| 1.0 - libm::pow(30.0 / x, 2.5)) < critical());
        assert!(pareto[0] >= 30.0 && (mean(&pareto) / 50.0 - 1.0).abs() < 0.02);
    }

    /// The mean of a table, summed cell by cell, is that of its distribution.
    #[test]
    fn means_are_right_to_a_ten_thousandth() {
        let of = |distribution: Distribution| {
            let table = distribution.table().unwrap();
            let octave_mean = |cells: &[u64; CELLS + 1]| {
                let middles = cells.windows(2).map(|ends| (ends[0] + ends[1]) as f64 / 2.0);
                middles.sum::<f64>() / CELLS as f64
            };
            let weights = |i: usize| 0.5f64.powi((i % OCTAVES) as i32 + 2);
            let sum: f64 =
                (0..2 * OCTAVES).map(|i| weights(i) * octave_mean(&table.octaves[i])).sum();
            sum / 1e6
        };
        let ms = |ms: u64| MILLISECOND * ms;
        let near = |seen: f64, exact: f64| (seen / exact - 1.0).abs() < 1e-4;
        assert!(near(of(Distribution::Uniform { min: ms(1), max: ms(9) }), 5.0));
        assert!(near(of(Distribution::Exponential { mean: ms(7) }), 7.0));
        assert!(near(of(Distribution::Normal { mean: ms(80), sd: ms(10) }), 80.0));
        let lognormal = of(Distribution::Lognormal { median: ms(70), sigma: 0.5 });
        assert!(near(lognormal, 70.0 * libm::exp(0.125)), "{lognormal}");
        let pareto = of(Distribution::Pareto { min: ms(30), shape: 2.5 });
        assert!(near(pareto, 50.0), "{pareto}");
    }

    #[test]
    fn the_ends_and_the_middle_are_where_they_should_be() {
        let table =
            Distribution::Uniform { min: MILLISECOND, max: MILLISECOND * 3 }.table().unwrap();
        assert_eq!(table.median(), MILLISECOND * 2);
        assert_eq!(table.shortest(), MILLISECOND);
        // The first bits below and above the median.
        let near = |bits: u64| table.sample(bits).as_nanos().abs_diff(2_000_000);
        assert!(near(u64::MAX >> 1) < 2 && near(u64::MAX) < 2);
        // All zeros but the side: the ends.
        assert!(table.sample(0).as_nanos() <= 1_000_001);
        assert!(table.sample(1 << 63).as_nanos() >= 2_999_999);
        let cut = Distribution::Normal { mean: MILLISECOND, sd: MILLISECOND }.table().unwrap();
        assert_eq!(cut.shortest(), Duration::ZERO, "no time is negative");
    }

    #[test]
    fn impossible_parameters_are_refused() {
        let refused = |distribution: Distribution| distribution.table().unwrap_err().to_string();
        let (min, max) = (MILLISECOND * 2, MILLISECOND);
        assert!(refused(Distribution::Uniform { min, max }).contains("exceeds its max"));
        for sigma in [-1.0, 4.5, f64::NAN] {
            let text = refused(Distribution::Lognormal { median: max, sigma });
            assert!(text.contains("no lognormal distribution"), "{text}");
        }
        for shape in [1.0, 0.0, f64::NAN, 101.0] {
            assert!(
                refused(Distribution::Pareto { min, shape }).contains("no Pareto distribution")
            );
        }
    }
}
