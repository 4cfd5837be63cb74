//! Churn: peers that come and go at random.

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Duration, Rng, Seed};

use crate::group::read_seats;
use crate::raw::{Part, RawValue};
use crate::reader::{Fields, Reader};

/// The peers that come and go, and how.
///
/// A seat's churn begins at its instant of the join ramp, or at its first `start()` among the
/// events.
#[derive(Clone, PartialEq, Debug)]
pub struct Churn {
    /// The seats that come and go; when none are named, all but the servers.
    pub peers: Option<SeatSet>,
    /// The seats that are up when their churn begins.
    pub initial: Initial,
    /// How long a peer stays.
    pub session: SessionDistribution,
    /// How long a peer stays away.
    pub absence: SessionDistribution,
}

/// The seats that are up when their churn begins.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Initial {
    /// Everybody.
    #[default]
    All,
    /// Nobody: an absence comes first.
    None,
    /// As many as in the long run: the mean session's share of mean session and mean absence.
    Stationary,
}

/// A distribution of sessions or absences.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionDistribution {
    /// The time to the next of events that happen at a constant rate: memoryless.
    Exponential {
        /// The mean.
        mean: Duration,
    },
}

/// The distributions that are planned.
const PLANNED: [&str; 4] = ["weibull", "pareto", "lognormal", "trace"];

impl SessionDistribution {
    /// The mean length.
    pub const fn mean(&self) -> Duration {
        match self {
            SessionDistribution::Exponential { mean } => *mean,
        }
    }

    /// Samples a length, at least a nanosecond.
    ///
    /// The logarithm is `libm`'s, at a pinned version: the platform's own may differ in the last
    /// bit.
    pub fn sample(&self, rng: &mut Rng) -> Duration {
        match self {
            SessionDistribution::Exponential { mean } => {
                // In (0, 1], so that the logarithm is finite.
                let left = 1.0 - rng.unit();
                let nanos = -libm::log(left) * mean.as_nanos() as f64;
                Duration::from_nanos((nanos as u64).max(1))
            }
        }
    }

    fn read(part: &Part, reader: &mut Reader) -> Option<SessionDistribution> {
        if !matches!(part.raw.value, RawValue::Table(_)) {
            reader.wrong_kind(part, "a distribution", format!("write {} = {EXAMPLE}", part.name));
            return None;
        }
        let mut distributions = Fields::new(part.name.as_str(), &part.raw);
        let distribution = distributions.take("exponential");
        let others = distributions.rest();
        if distribution.is_none() && others.is_empty() {
            reader.missing(&part.raw.span, "exponential", &part.name, EXAMPLE);
        }
        for other in &others {
            match PLANNED.contains(&other.name.as_str()) {
                true => reader.push(reader.sources.not_yet(&other.name_span, &other.name)),
                false => {
                    reader.refuse(
                        &other.name_span,
                        format!("`{}` is no distribution", other.name),
                        format!("write {} = {EXAMPLE}", part.name),
                    );
                }
            }
        }
        let distribution = distribution?;
        let mut fields = reader.table(&distribution, "`exponential`")?;
        let mean = fields.take("mean");
        fields.finish(reader, &[]);
        if mean.is_none() {
            reader.missing(&distribution.raw.span, "mean", "`exponential`", "mean = \"5m\"");
        }
        let mean = reader.period(&mean?)?;
        Some(SessionDistribution::Exponential { mean })
    }
}

const EXAMPLE: &str = "{ exponential = { mean = \"5m\" } }";

impl Churn {
    /// Whether a seat is up when its churn begins.
    pub(crate) fn begins_up(&self, rng: &mut Rng) -> bool {
        match self.initial {
            Initial::All => true,
            Initial::None => false,
            Initial::Stationary => {
                let session = self.session.mean().as_nanos() as f64;
                rng.chance(session / (session + self.absence.mean().as_nanos() as f64))
            }
        }
    }

    /// How many starts and stops a seat has on average in this time.
    pub(crate) fn transitions(&self, duration: Duration) -> f64 {
        let cycle = self.session.mean().as_secs_f64() + self.absence.mean().as_secs_f64();
        2.0 * duration.as_secs_f64() / cycle
    }

    pub(crate) fn read(
        part: &Part,
        peers: u32,
        eligible: &SeatSet,
        seed: Seed,
        reader: &mut Reader,
    ) -> Option<Churn> {
        let mut fields = reader.table(part, "[churn]")?;
        let seats = fields.take("peers").and_then(|part| read_seats(&part, peers, reader));
        let initial = fields.take("initial").map(|part| Initial::read(&part, reader));
        let distributions = ["session", "absence"].map(|name| {
            let distribution = fields.take(name);
            if distribution.is_none() {
                reader.missing(&part.name_span, name, "[churn]", &format!("{name} = {EXAMPLE}"));
            }
            distribution.and_then(|part| SessionDistribution::read(&part, reader))
        });
        fields.finish(reader, &[]);
        let [session, absence] = distributions;
        let random = || seed.named("churn").named("peers");
        Some(Churn {
            peers: seats.map(|seats| seats.resolve(eligible, random)),
            initial: initial.unwrap_or(Some(Initial::All))?,
            session: session?,
            absence: absence?,
        })
    }
}

impl Initial {
    fn read(part: &Part, reader: &mut Reader) -> Option<Initial> {
        match reader.text(part)?.as_str() {
            "all" => Some(Initial::All),
            "none" => Some(Initial::None),
            "stationary" => Some(Initial::Stationary),
            other => {
                let message = format!("`{other}` is no way to begin");
                reader.refuse(&part.raw.span, message, "write \"all\", \"none\" or \"stationary\"");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_lengths_have_their_mean_and_spread() {
        let distribution = SessionDistribution::Exponential { mean: Duration::from_secs(100) };
        let mut rng = Seed::new(5).rng();
        let samples: Vec<f64> =
            (0..100_000).map(|_| distribution.sample(&mut rng).as_secs_f64()).collect();
        let mean = samples.iter().sum::<f64>() / 1e5;
        // The mean's standard deviation is 0.32 s.
        assert!((mean - 100.0).abs() < 1.6, "{mean}");
        let late = samples.iter().filter(|sample| **sample > 300.0).count();
        // exp(-3) of 100,000 is 4,979, give or take 69.
        assert!(late.abs_diff(4979) < 345, "{late}");
    }

    /// Computed by Python's `math.log` from the same generator: the values must not move between
    /// machines.
    #[test]
    fn golden_draws() {
        let distribution = SessionDistribution::Exponential { mean: Duration::from_secs(300) };
        let mut rng = Seed::new(7).named("churn").at(3).rng();
        let samples: Vec<u64> = (0..3).map(|_| distribution.sample(&mut rng).as_nanos()).collect();
        assert_eq!(samples, [86_693_534_667, 763_435_143_932, 405_230_954_673]);
    }
}
