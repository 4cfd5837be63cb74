//! Probabilities, compared without floats.

use std::fmt;

use serde::Deserialize;

/// A probability from 0 to 1, in steps of 2^-53, compared without floats.
///
/// ```
/// use peerlet_network::Probability;
/// assert_eq!(Probability::new(0.25)?.to_string(), "0.25");
/// assert!(Probability::new(1.5).is_err());
/// # Ok::<(), peerlet_network::ProbabilityError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Deserialize)]
#[serde(try_from = "f64")]
pub struct Probability(u64);

/// How many steps of 2^-53 make a certainty.
const CERTAIN: u64 = 1 << 53;

impl Probability {
    /// Of what never happens.
    pub const NEVER: Probability = Probability(0);

    /// The nearest probability to this number.
    ///
    /// # Errors
    /// Numbers below 0 or above 1, and NaN, are none.
    pub fn new(value: f64) -> Result<Probability, ProbabilityError> {
        if !(0.0..=1.0).contains(&value) {
            return Err(ProbabilityError(value));
        }
        Ok(Probability((value * CERTAIN as f64).round() as u64))
    }

    /// The number.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / CERTAIN as f64
    }

    /// Whether it never happens.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether it happens this time, given 64 random bits.
    #[inline]
    pub const fn happens(self, bits: u64) -> bool {
        bits >> 11 < self.0
    }
}

impl TryFrom<f64> for Probability {
    type Error = ProbabilityError;

    fn try_from(value: f64) -> Result<Probability, ProbabilityError> {
        Probability::new(value)
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_f64().fmt(f)
    }
}

/// The number is no probability.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ProbabilityError(f64);

impl fmt::Display for ProbabilityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no probability; give a number from 0 to 1", self.0)
    }
}

impl std::error::Error for ProbabilityError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_probability() {
        for bad in [-0.1, 1.000_001, f64::NAN, f64::INFINITY] {
            let error = Probability::new(bad).unwrap_err().to_string();
            assert!(error.ends_with("is no probability; give a number from 0 to 1"), "{error}");
        }
        assert!(Probability::new(0.0).unwrap().is_zero());
        assert!(Probability::new(1.0).unwrap().happens(u64::MAX));
        assert!(Probability::new(0.5).unwrap().happens((1 << 63) - 1));
        assert!(!Probability::new(0.5).unwrap().happens(1 << 63));
    }
}
