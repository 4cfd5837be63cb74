//! The distributions of sessions and absences.

use std::f64::consts::TAU;

use peerlet_core::{Duration, Rng};

use crate::raw::{Part, RawValue};
use crate::reader::{Fields, Reader};

/// The longest length that is sampled, some 146 years.
const NANOS_MAX: f64 = (1_u64 << 62) as f64;

/// A distribution of sessions or absences.
///
/// Logarithms, powers and the gamma function are `libm`'s, at a pinned version: the platform's own
/// may differ in the last bit.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum SessionDistribution {
    /// The time to the next of events that happen at a constant rate: memoryless.
    Exponential {
        /// The mean.
        mean: Duration,
    },
    /// Longer than `t` with probability `exp(-(t / scale)^shape)`. A shape below 1 gives many short
    /// lengths and some very long ones.
    Weibull {
        /// The shape, from 0.1 to 10; 1 makes it exponential.
        shape: f64,
        /// The scale, which 36.8 % are longer than.
        scale: Duration,
    },
    /// Longer than `t` with probability `(min / t)^shape`, for `t` of at least `min`.
    Pareto {
        /// The shape, above 1 and up to 100: the tail index.
        shape: f64,
        /// The shortest length.
        min: Duration,
    },
    /// Its logarithm is normal.
    Lognormal {
        /// The median.
        median: Duration,
        /// The standard deviation of the logarithm, up to 4.
        sigma: f64,
    },
}

impl SessionDistribution {
    /// The mean length.
    pub fn mean(&self) -> Duration {
        match *self {
            SessionDistribution::Exponential { mean } => mean,
            SessionDistribution::Weibull { shape, scale } => {
                length(libm::tgamma(1.0 + 1.0 / shape) * nanos(scale))
            }
            SessionDistribution::Pareto { shape, min } => {
                length(shape / (shape - 1.0) * nanos(min))
            }
            SessionDistribution::Lognormal { median, sigma } => {
                length(libm::exp(sigma * sigma / 2.0) * nanos(median))
            }
        }
    }

    /// The probability that a length is longer than this.
    pub fn survival(&self, time: Duration) -> f64 {
        let time = nanos(time);
        match *self {
            SessionDistribution::Exponential { mean } => libm::exp(-time / nanos(mean)),
            SessionDistribution::Weibull { shape, scale } => {
                libm::exp(-libm::pow(time / nanos(scale), shape))
            }
            SessionDistribution::Pareto { shape, min } => {
                libm::pow((nanos(min) / time).min(1.0), shape)
            }
            SessionDistribution::Lognormal { .. } if time == 0.0 => 1.0,
            SessionDistribution::Lognormal { median, sigma } => {
                let z = libm::log(time / nanos(median)) / sigma;
                libm::erfc(z / std::f64::consts::SQRT_2) / 2.0
            }
        }
    }

    /// Samples a length, at least a nanosecond.
    pub fn sample(&self, rng: &mut Rng) -> Duration {
        match *self {
            SessionDistribution::Exponential { mean } => {
                let nanos = -libm::log(positive(rng)) * mean.as_nanos() as f64;
                length(nanos)
            }
            SessionDistribution::Weibull { shape, scale } => {
                length(libm::pow(-libm::log(positive(rng)), 1.0 / shape) * nanos(scale))
            }
            SessionDistribution::Pareto { shape, min } => {
                length(libm::pow(positive(rng), -1.0 / shape) * nanos(min))
            }
            SessionDistribution::Lognormal { median, sigma } => {
                length(libm::exp(sigma * normal(rng)) * nanos(median))
            }
        }
    }

    /// Samples what is left of a length that is under way at a random time: such a time is more
    /// likely in a long one, and anywhere in it.
    pub fn sample_rest(&self, rng: &mut Rng) -> Duration {
        match *self {
            SessionDistribution::Exponential { .. } => self.sample(rng),
            // With y = (t / scale)^shape the density of the rest, survival / mean, is that of a
            // gamma distribution.
            SessionDistribution::Weibull { shape, scale } => {
                length(libm::pow(gamma(1.0 / shape, rng), 1.0 / shape) * nanos(scale))
            }
            // Survival is 1 below `min`, and a Pareto's density of a smaller shape above.
            SessionDistribution::Pareto { shape, min } => {
                let (is_short, unit) = (rng.chance((shape - 1.0) / shape), positive(rng));
                let times = if is_short { unit } else { libm::pow(unit, -1.0 / (shape - 1.0)) };
                length(times * nanos(min))
            }
            // Weighted by length it is lognormal again.
            SessionDistribution::Lognormal { median, sigma } => {
                let whole = libm::exp(sigma * (sigma + normal(rng))) * nanos(median);
                length(positive(rng) * whole)
            }
        }
    }

    /// The mean of lengths that end at this time at the latest.
    pub(super) fn mean_until(&self, end: Duration) -> Duration {
        // The sum of the survival over steps that grow: 1.02^1400 is 10^12.
        let (end, mut from, mut sum) = (nanos(end), 0.0, 0.0);
        let mut to = (end * 1e-12).max(1.0);
        while from < end {
            to = to.min(end);
            sum +=
                (to - from) * self.survival(Duration::from_nanos(f64::midpoint(from, to) as u64));
            (from, to) = (to, to * 1.02 + 1.0);
        }
        length(sum)
    }
}

/// In nanoseconds.
fn nanos(duration: Duration) -> f64 {
    duration.as_nanos() as f64
}

/// A length of these nanoseconds, at least one.
fn length(nanos: f64) -> Duration {
    Duration::from_nanos((nanos.min(NANOS_MAX) as u64).max(1))
}

/// In (0, 1], so that its logarithm is finite.
fn positive(rng: &mut Rng) -> f64 {
    1.0 - rng.unit()
}

/// A standard normal sample, by Box and Muller.
fn normal(rng: &mut Rng) -> f64 {
    let (radius, angle) = (libm::sqrt(-2.0 * libm::log(positive(rng))), TAU * rng.unit());
    radius * libm::cos(angle)
}

/// A sample of the gamma distribution with this shape and scale 1, by Marsaglia and Tsang (2000).
fn gamma(shape: f64, rng: &mut Rng) -> f64 {
    if shape < 1.0 {
        return gamma(shape + 1.0, rng) * libm::pow(positive(rng), 1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        let x = normal(rng);
        let v = (1.0 + c * x) * (1.0 + c * x) * (1.0 + c * x);
        if v > 0.0 && libm::log(positive(rng)) < x * x / 2.0 + d * (1.0 - v + libm::log(v)) {
            return d * v;
        }
    }
}

/// How a distribution is written.
pub(super) const EXAMPLE: &str = "{ exponential = { mean = \"5m\" } }";

const NAMES: [&str; 4] = ["exponential", "weibull", "pareto", "lognormal"];

impl SessionDistribution {
    pub(super) fn read(part: &Part, reader: &mut Reader) -> Option<SessionDistribution> {
        if !matches!(part.raw.value, RawValue::Table(_)) {
            reader.wrong_kind(part, "a distribution", format!("write {} = {EXAMPLE}", part.name));
            return None;
        }
        let mut distributions = Fields::new(part.name.as_str(), &part.raw);
        let known = NAMES.map(|name| distributions.take(name));
        for other in &distributions.rest() {
            let message = format!("`{}` is no distribution", other.name);
            let help = format!("write {} = {EXAMPLE}; or weibull, pareto, lognormal", part.name);
            reader.refuse(&other.name_span, message, help);
        }
        let mut known = known.into_iter().flatten();
        let Some(one) = known.next() else {
            if part.raw.parts().is_empty() {
                reader.missing(&part.raw.span, "exponential", &part.name, EXAMPLE);
            }
            return None;
        };
        if let Some(second) = known.next() {
            let message = format!("`{}` has two distributions", part.name);
            reader.refuse(&second.name_span, message, "leave one of them out");
            return None;
        }
        read_one(&one, reader)
    }
}

/// Reads the parameters of one distribution: its shape, and one of its lengths.
fn read_one(part: &Part, reader: &mut Reader) -> Option<SessionDistribution> {
    let what = format!("`{}`", part.name);
    let mut fields = reader.table(part, what.as_str())?;
    let (shape, range, keys): (_, (f64, f64), &[&'static str]) = match part.name.as_str() {
        "weibull" => (Some("shape"), (0.1, 10.0), &["scale", "mean", "median"]),
        "pareto" => (Some("shape"), (1.0, 100.0), &["min", "mean", "median"]),
        "lognormal" => (Some("sigma"), (0.0, 4.0), &["median", "mean"]),
        _ => (None, (1.0, 1.0), &["mean", "median"]),
    };
    let shape = shape.map(|key| (key, fields.take(key)));
    let given: Vec<(&str, Part)> =
        keys.iter().filter_map(|key| Some((*key, fields.take(key)?))).collect();
    fields.finish(reader, &[]);
    if let [_, (_, second), ..] = given.as_slice() {
        let message = format!("{what} has two lengths");
        reader.refuse(&second.name_span, message, format!("give one of {}", keys.join(", ")));
        return None;
    }
    let Some((key, length)) = given.first() else {
        reader.missing(&part.raw.span, keys[0], &what, &format!("{} = \"5m\"", keys[0]));
        return None;
    };
    let length = reader.period(length);
    let shape = match shape {
        None => 1.0,
        Some((key, None)) => {
            reader.missing(&part.raw.span, key, &what, &format!("{key} = 1.5"));
            return None;
        }
        Some((key, Some(given))) => {
            let shape = reader.number(&given)?;
            let (least, most) = range;
            // A Pareto distribution of shape 1 has no mean, and a lognormal of sigma 0 no spread.
            let is_open = key == "sigma" || part.name == "pareto";
            if shape < least || shape > most || is_open && shape == least {
                let message = format!("`{key}` is {shape}, which is out of range");
                let from = if is_open { "above" } else { "from" };
                reader.refuse(
                    &given.raw.span,
                    message,
                    format!("give one {from} {least} up to {most}"),
                );
                return None;
            }
            shape
        }
    };
    Some(of(part.name.as_str(), shape, key, length?))
}

/// The distribution of this name whose length of this kind is as given.
fn of(name: &str, shape: f64, key: &str, given: Duration) -> SessionDistribution {
    let with = |scale: Duration| match name {
        "weibull" => SessionDistribution::Weibull { shape, scale },
        "pareto" => SessionDistribution::Pareto { shape, min: scale },
        "lognormal" => SessionDistribution::Lognormal { median: scale, sigma: shape },
        _ => SessionDistribution::Exponential { mean: scale },
    };
    // How much longer than its scale the length of this kind is.
    let times = match (name, key) {
        ("weibull", "mean") => libm::tgamma(1.0 + 1.0 / shape),
        ("weibull", "median") => libm::pow(std::f64::consts::LN_2, 1.0 / shape),
        ("pareto", "mean") => shape / (shape - 1.0),
        ("pareto", "median") => libm::pow(2.0, 1.0 / shape),
        ("lognormal", "mean") => libm::exp(shape * shape / 2.0),
        ("exponential", "median") => std::f64::consts::LN_2,
        _ => return with(given),
    };
    with(length(nanos(given) / times))
}

#[cfg(test)]
mod tests {
    use peerlet_core::{SECOND, Seed};

    use super::*;

    const MINUTE: f64 = 60e9;

    fn all() -> [SessionDistribution; 7] {
        let scale = length(41.9 * MINUTE);
        [
            SessionDistribution::Exponential { mean: SECOND * 300 },
            SessionDistribution::Weibull { shape: 0.59, scale },
            SessionDistribution::Weibull { shape: 0.34, scale: length(21.3 * MINUTE) },
            SessionDistribution::Weibull { shape: 2.5, scale },
            SessionDistribution::Pareto { shape: 2.5, min: SECOND * 30 },
            SessionDistribution::Pareto { shape: 1.4, min: SECOND * 30 },
            SessionDistribution::Lognormal { median: SECOND * 100, sigma: 1.3 },
        ]
    }

    const COUNT: usize = 100_000;

    fn sorted(mut sample: impl FnMut(&mut Rng) -> Duration) -> Vec<f64> {
        let mut rng = Seed::new(5).rng();
        let mut all: Vec<f64> = (0..COUNT).map(|_| nanos(sample(&mut rng))).collect();
        all.sort_unstable_by(f64::total_cmp);
        all
    }

    /// The Kolmogorov-Smirnov distance to a distribution whose share of longer lengths this is.
    fn distance(sorted: &[f64], longer: impl Fn(f64) -> f64) -> f64 {
        let places = sorted.iter().zip(0..).map(|(at, place)| {
            let below = 1.0 - longer(*at);
            let (from, to) = (f64::from(place) / COUNT as f64, f64::from(place + 1) / COUNT as f64);
            (below - from).abs().max((to - below).abs())
        });
        places.fold(0.0, f64::max)
    }

    /// A sample of the distribution is farther away than this with a probability of 1 %.
    fn bound() -> f64 {
        1.63 / (COUNT as f64).sqrt()
    }

    #[test]
    fn samples_follow_their_distribution() {
        for distribution in all() {
            let samples = sorted(|rng| distribution.sample(rng));
            let distance =
                distance(&samples, |at| distribution.survival(Duration::from_nanos(at as u64)));
            assert!(distance < bound(), "{distribution:?}: {distance}");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_law() {
        for (distribution, tolerance) in [(all()[1], 0.03), (all()[2], 0.06)] {
            let SessionDistribution::Weibull { shape, scale } = distribution else {
                unreachable!("it is one")
            };
            let samples = sorted(|rng| distribution.sample(rng));
            for p in [0.25, 0.5, 0.75, 0.9, 0.99] {
                let expected = nanos(scale) * libm::pow(-libm::log(1.0 - p), 1.0 / shape);
                let relative = samples[(p * COUNT as f64) as usize] / expected - 1.0;
                assert!(relative.abs() < tolerance, "{distribution:?} p{p}: {relative}");
            }
        }
    }

    /// The rest is longer than `t` with the probability that the mean has beyond `t`.
    #[test]
    fn rests_follow_their_law() {
        for distribution in all() {
            let samples = sorted(|rng| distribution.sample_rest(rng));
            let mean = nanos(distribution.mean());
            // The law at some hundred places is as good: the law is smooth.
            let mut far: f64 = 0.0;
            for place in (0..COUNT).step_by(500) {
                let until =
                    nanos(distribution.mean_until(Duration::from_nanos(samples[place] as u64)));
                far = far.max((until / mean - place as f64 / COUNT as f64).abs());
            }
            assert!(far < bound(), "{distribution:?}: {far}");
        }
    }

    #[test]
    fn published_numbers_come_out() {
        // Stutzbach and Rejaie: FlatOut, in minutes.
        let flatout = all()[1];
        let minutes = |time: Duration| nanos(time) / MINUTE;
        assert!((minutes(flatout.mean()) - 64.5).abs() < 0.1);
        let by_median = of("weibull", 0.59, "median", length(22.5 * MINUTE));
        assert!((minutes(by_median.mean()) / 64.5 - 1.0).abs() < 0.005);
        // Of fresh sessions 10 % end in the first minute, of those of running peers 1.4 %.
        let fresh = 1.0 - flatout.survival(SECOND * 60);
        let running = nanos(flatout.mean_until(SECOND * 60)) / nanos(flatout.mean());
        assert!((fresh - 0.10).abs() < 0.005, "{fresh}");
        assert!((running - 0.014).abs() < 0.001, "{running}");
    }

    #[test]
    fn a_length_of_another_kind_gives_the_same_distribution() {
        for (name, shape) in [("weibull", 0.59), ("pareto", 2.5), ("lognormal", 1.3)] {
            let scale = if name == "lognormal" { "median" } else { "scale" };
            let one = of(name, shape, scale, SECOND * 1_000);
            let median = of(name, shape, "median", SECOND * 1_000);
            assert!((median.survival(SECOND * 1_000) - 0.5).abs() < 1e-6, "{median:?}");
            let mean = of(name, shape, "mean", one.mean());
            let far = mean.mean().as_nanos().abs_diff(one.mean().as_nanos());
            assert!(far < 1_000, "{one:?} {mean:?}");
        }
    }

    /// Computed by Python's `math.log` from the same generator: the values must not move between
    /// machines.
    #[test]
    fn golden_samples() {
        let distribution = SessionDistribution::Exponential { mean: Duration::from_secs(300) };
        let mut rng = Seed::new(7).named("churn").at(3).rng();
        let samples: Vec<u64> = (0..3).map(|_| distribution.sample(&mut rng).as_nanos()).collect();
        assert_eq!(samples, [86_693_534_667, 763_435_143_932, 405_230_954_673]);
    }
}
