//! Time and durations, in whole nanoseconds.
//!
//! Virtual time must never depend on rounding, so both types count `u64` nanoseconds (584 years)
//! and saturate at the ends instead of wrapping. `Duration` reads and writes itself as text with a
//! unit (`"1.5s"`), exactly.

use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One nanosecond.
pub const NANOSECOND: Duration = Duration(1);
/// One microsecond.
pub const MICROSECOND: Duration = Duration(1_000);
/// One millisecond.
pub const MILLISECOND: Duration = Duration(1_000_000);
/// One second.
pub const SECOND: Duration = Duration(1_000_000_000);
/// One minute.
pub const MINUTE: Duration = Duration(60 * SECOND.0);
/// One hour.
pub const HOUR: Duration = Duration(60 * MINUTE.0);

/// An instant: nanoseconds since time zero of the run.
///
/// ```
/// use peerlet_core::{SECOND, Time};
/// let start = Time::ZERO + SECOND * 3;
/// assert_eq!(start.since(Time::ZERO), SECOND * 3);
/// assert_eq!(start.to_string(), "3s");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(u64);

impl Time {
    /// Time zero of the run.
    pub const ZERO: Time = Time(0);
    /// The last instant that can be written: "never".
    pub const MAX: Time = Time(u64::MAX);

    /// The instant this many nanoseconds after time zero.
    pub const fn from_nanos(nanos: u64) -> Time {
        Time(nanos)
    }

    /// Nanoseconds since time zero.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since time zero, rounded to a float: for display and measurement only.
    pub fn as_secs_f64(self) -> f64 {
        Duration(self.0).as_secs_f64()
    }

    /// How long ago `earlier` was; zero when it is not earlier.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

impl<D: Into<Duration>> Add<D> for Time {
    type Output = Time;
    fn add(self, rhs: D) -> Time {
        Time(self.0.saturating_add(rhs.into().0))
    }
}

impl<D: Into<Duration>> AddAssign<D> for Time {
    fn add_assign(&mut self, rhs: D) {
        *self = *self + rhs;
    }
}

impl Sub for Time {
    type Output = Duration;
    fn sub(self, earlier: Time) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Duration(self.0).fmt(f)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Duration(self.0).fmt(f)
    }
}

/// A length of time in nanoseconds.
///
/// Written in scenarios and parameters as a number with a unit: `ns`, `us`, `ms`, `s`, `m`, `h` or
/// `d`.
///
/// ```
/// use peerlet_core::{Duration, MILLISECOND, SECOND};
/// let period: Duration = "1.5s".parse()?;
/// assert_eq!(period, SECOND + MILLISECOND * 500);
/// assert_eq!(period.to_string(), "1.5s");
/// assert!("1.5".parse::<Duration>().is_err(), "a unit is asked for");
/// # Ok::<(), peerlet_core::DurationError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(u64);

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);
    /// The longest duration, 584 years.
    pub const MAX: Duration = Duration(u64::MAX);

    /// A duration of this many nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Duration {
        Duration(nanos)
    }

    /// A duration of this many microseconds.
    pub const fn from_micros(micros: u64) -> Duration {
        Duration(micros.saturating_mul(1_000))
    }

    /// A duration of this many milliseconds.
    pub const fn from_millis(millis: u64) -> Duration {
        Duration(millis.saturating_mul(1_000_000))
    }

    /// A duration of this many seconds.
    pub const fn from_secs(secs: u64) -> Duration {
        Duration(secs.saturating_mul(1_000_000_000))
    }

    /// The nearest duration to this many seconds; zero for negative numbers and NaN.
    pub fn from_secs_f64(secs: f64) -> Duration {
        Duration((secs * 1e9).round() as u64)
    }

    /// The whole duration in nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The duration in seconds, rounded to a float: for display and measurement only.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The difference, or zero where `other` is longer.
    pub const fn saturating_sub(self, other: Duration) -> Duration {
        Duration(self.0.saturating_sub(other.0))
    }
}

impl Add for Duration {
    type Output = Duration;
    fn add(self, rhs: Duration) -> Duration {
        Duration(self.0.saturating_add(rhs.0))
    }
}

impl Sub for Duration {
    type Output = Duration;
    fn sub(self, rhs: Duration) -> Duration {
        self.saturating_sub(rhs)
    }
}

impl Mul<u64> for Duration {
    type Output = Duration;
    fn mul(self, rhs: u64) -> Duration {
        Duration(self.0.saturating_mul(rhs))
    }
}

impl Div<u64> for Duration {
    type Output = Duration;
    fn div(self, rhs: u64) -> Duration {
        Duration(self.0 / rhs)
    }
}

impl From<std::time::Duration> for Duration {
    fn from(d: std::time::Duration) -> Duration {
        Duration(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Duration> for std::time::Duration {
    fn from(d: Duration) -> std::time::Duration {
        std::time::Duration::from_nanos(d.0)
    }
}

/// The units that durations are written in, longest first, with their length in nanoseconds.
const UNITS: [(&str, u64); 7] = [
    ("d", 24 * HOUR.0),
    ("h", HOUR.0),
    ("m", MINUTE.0),
    ("s", SECOND.0),
    ("ms", MILLISECOND.0),
    ("us", MICROSECOND.0),
    ("ns", 1),
];

impl fmt::Display for Duration {
    /// Writes seconds or a shorter unit, without rounding: `90s`, `1.5s`, `250ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, length) = match self.0 {
            0 => ("s", SECOND.0),
            n if n >= SECOND.0 => ("s", SECOND.0),
            n if n >= MILLISECOND.0 => ("ms", MILLISECOND.0),
            n if n >= MICROSECOND.0 => ("us", MICROSECOND.0),
            _ => ("ns", 1),
        };
        let (whole, rest) = (self.0 / length, self.0 % length);
        if rest == 0 {
            return write!(f, "{whole}{unit}");
        }
        let digits = length.ilog10() as usize;
        let fraction = format!("{rest:0digits$}");
        write!(f, "{whole}.{}{unit}", fraction.trim_end_matches('0'))
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DurationError {
    /// The text does not start with a number.
    Number(String),
    /// The number is followed by something other than a unit.
    Unit(String),
    /// The duration is longer than 584 years.
    Range(String),
    /// The duration is not a whole number of nanoseconds.
    Resolution(String),
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DurationError::Number(text) => {
                write!(f, "`{text}` is no duration; write a number and a unit, such as `1.5s`")
            }
            DurationError::Unit(text) => {
                write!(f, "`{text}` needs a unit of time: ns, us, ms, s, m, h or d")
            }
            DurationError::Range(text) => {
                write!(
                    f,
                    "`{text}` is out of range; durations are whole nanoseconds up to 584 years"
                )
            }
            DurationError::Resolution(text) => {
                write!(f, "`{text}` is no whole number of nanoseconds; round it")
            }
        }
    }
}

impl std::error::Error for DurationError {}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Duration, DurationError> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = (&text[..end], text[end..].trim());
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || fraction.contains('.') {
            return Err(DurationError::Number(text.to_owned()));
        }
        let Some((_, length)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(DurationError::Unit(text.to_owned()));
        };
        let (nanos, is_exact) = parse_decimal(whole, fraction, *length)
            .ok_or_else(|| DurationError::Range(text.to_owned()))?;
        match is_exact {
            true => Ok(Duration(nanos)),
            false => Err(DurationError::Resolution(text.to_owned())),
        }
    }
}

/// `whole.fraction * scale`, rounded down, and whether that is exact; `None` when it leaves the
/// range.
fn parse_decimal(whole: &str, fraction: &str, scale: u64) -> Option<(u64, bool)> {
    let whole: u64 = whole.parse().ok()?;
    let mut nanos = u128::from(whole) * u128::from(scale);
    let fraction = fraction.trim_end_matches('0');
    // Eighteen digits resolve any unit to a nanosecond.
    let digits = &fraction[..fraction.len().min(18)];
    let mut is_exact = digits.len() == fraction.len();
    if !digits.is_empty() {
        let (value, parts) = (digits.parse::<u128>().ok()?, 10u128.pow(digits.len() as u32));
        nanos += value * u128::from(scale) / parts;
        is_exact &= (value * u128::from(scale)).is_multiple_of(parts);
    }
    Some((u64::try_from(nanos).ok()?, is_exact))
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        if !deserializer.is_human_readable() {
            return u64::deserialize(deserializer).map(Duration);
        }
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Duration;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration in quotes, such as \"1.5s\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_exactly() {
        for text in ["0s", "1ns", "999us", "1.5ms", "2.000000001s", "90s", "584.25s"] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.to_string(), text);
        }
        assert_eq!("1.000ns".parse(), Ok(NANOSECOND));
        assert_eq!("1.00000000000000000000000000s".parse(), Ok(SECOND));
        assert_eq!("41.9m".parse(), Ok(Duration::from_secs(2514)));
        assert_eq!("1.25h".parse(), Ok(MINUTE * 75));
        assert_eq!("2d".parse(), Ok(HOUR * 48));
    }

    #[test]
    fn bad_text_says_what_to_write() {
        let error = |text: &str| text.parse::<Duration>().unwrap_err();
        assert!(matches!(error("fast"), DurationError::Number(_)));
        assert!(matches!(error("5 lightyears"), DurationError::Unit(_)));
        assert!(matches!(error("5"), DurationError::Unit(_)));
        assert!(matches!(error("1..5s"), DurationError::Number(_)));
        assert!(matches!(error("99999999999h"), DurationError::Range(_)));
        for fine in ["0.4 ns", "1.5ns", "0.0001us", "1.0000000001s", "0.00000000000001d"] {
            assert!(matches!(error(fine), DurationError::Resolution(_)), "{fine}");
            assert!(error(fine).to_string().contains("nanoseconds"), "{fine}");
        }
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Time::MAX + SECOND, Time::MAX);
        assert_eq!(Time::ZERO - Time::MAX, Duration::ZERO);
        assert_eq!(Duration::from_secs_f64(-1.0), Duration::ZERO);
        assert_eq!(Duration::from_secs_f64(0.25), MILLISECOND * 250);
    }
}
