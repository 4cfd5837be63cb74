//! Rates of events, written as `1/s`.

use std::fmt;
use std::str::FromStr;

use peerlet_core::{Duration, Rng};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How often something happens, written as a number per `s`, `m` or `h`.
///
/// ```
/// use peerlet_overlay::Rate;
/// let rate: Rate = "6/m".parse()?;
/// assert_eq!(rate.to_string(), "0.1/s");
/// assert!("6".parse::<Rate>().is_err(), "a unit is asked for");
/// # Ok::<(), peerlet_overlay::RateError>(())
/// ```
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Rate {
    per_second: f64,
}

impl Rate {
    /// The highest rate: a million a second.
    const MAX: f64 = 1e6;

    /// A rate of this many a second.
    ///
    /// # Errors
    /// When it is negative, more than a million, or NaN.
    pub fn per_second(per_second: f64) -> Result<Rate, RateError> {
        if !(0.0..=Rate::MAX).contains(&per_second) {
            return Err(RateError::Range(per_second.to_string()));
        }
        Ok(Rate { per_second })
    }

    /// The time until it happens next when it happens at random, independently of the past (a
    /// Poisson process); `None` when it never does.
    pub fn gap(self, rng: &mut Rng) -> Option<Duration> {
        // `libm` and not the platform's logarithm: every machine samples the same gap.
        let unit_gap = -libm::log(1.0 - rng.unit());
        (self.per_second > 0.0).then(|| Duration::from_secs_f64(unit_gap / self.per_second))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.per_second)
    }
}

/// Why a text is not a rate.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RateError {
    /// The text is not a number with a unit.
    Text(String),
    /// The rate is negative or too high.
    Range(String),
}

impl fmt::Display for RateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RateError::Text(text) => {
                write!(f, "`{text}` is no rate; write a number per s, m or h, such as `1/s`")
            }
            RateError::Range(text) => {
                write!(f, "`{text}` is out of range; rates are 0 to a million a second")
            }
        }
    }
}

impl std::error::Error for RateError {}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Rate, RateError> {
        let bad = || RateError::Text(text.to_owned());
        let (number, unit) = text.split_once('/').ok_or_else(bad)?;
        let seconds = match unit.trim() {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return Err(bad()),
        };
        let number: f64 = number.trim().parse().map_err(|_| bad())?;
        Rate::per_second(number / seconds).map_err(|_| RateError::Range(text.to_owned()))
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Rate;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rate in quotes, such as \"1/s\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Rate, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{SECOND, Seed};

    use super::*;

    #[test]
    fn text_round_trips() {
        for (text, per_second) in [("1/s", 1.0), ("90 / m", 1.5), ("0/s", 0.0), ("36/h", 0.01)] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(rate, Rate { per_second });
            assert_eq!(rate.to_string().parse(), Ok(rate));
        }
    }

    #[test]
    fn bad_text_says_what_to_write() {
        let error = |text: &str| text.parse::<Rate>().unwrap_err();
        for text in ["1", "x/s", "1/d", "/s"] {
            assert_eq!(error(text), RateError::Text(text.to_owned()));
        }
        for text in ["-1/s", "1e7/s", "nan/s", "inf/s"] {
            assert_eq!(error(text), RateError::Range(text.to_owned()));
        }
        let error = serde_json::from_str::<Rate>("1").unwrap_err().to_string();
        assert!(error.contains("a rate in quotes"), "{error}");
    }

    #[test]
    fn gaps_are_exponential() {
        let (rate, mut rng) = (Rate::per_second(2.0).unwrap(), Seed::new(5).rng());
        let gaps: Vec<f64> =
            (0..40_000).map(|_| rate.gap(&mut rng).unwrap().as_secs_f64()).collect();
        let mean = gaps.iter().sum::<f64>() / 40_000.0;
        let longer = gaps.iter().filter(|gap| **gap > 0.5).count() as f64 / 40_000.0;
        // Five standard errors: of the mean 0.5 * 5 / 200, of the share 0.48 * 5 / 200.
        assert!((mean - 0.5).abs() < 0.0125, "{mean}");
        assert!((longer - 0.3679).abs() < 0.012, "{longer}");
        assert_eq!(Rate::per_second(0.0).unwrap().gap(&mut rng), None);
        let longest = Rate { per_second: 1e-300 }.gap(&mut rng).unwrap();
        assert!(longest > SECOND, "the longest sample saturates");
    }
}
