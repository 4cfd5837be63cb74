//! The unit of a matrix's numbers.

use std::fmt;
use std::str::FromStr;

use peerlet_core::{Duration, DurationError};
use serde::Deserialize;

/// How long a 1 in a matrix is: `"ms"`, `"us"`, or any duration such as `"50us"`.
///
/// ```
/// use peerlet_network::Unit;
/// assert_eq!("ms".parse::<Unit>()?, "1ms".parse()?);
/// assert!("0ms".parse::<Unit>().is_err());
/// # Ok::<(), peerlet_network::UnitError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Unit(Duration);

impl Unit {
    /// The unit's length.
    pub const fn length(self) -> Duration {
        self.0
    }
}

/// Why a text is no unit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnitError {
    /// The text is no duration either.
    Text(DurationError),
    /// The unit is zero.
    Zero,
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnitError::Text(_) => f.write_str(
                "no unit of a matrix; write \"ms\", \"us\" or a duration with its number, such \
                     as \"50us\" or \"1s\"",
            ),
            UnitError::Zero => f.write_str("a matrix's unit is longer than zero; write \"ms\""),
        }
    }
}

impl std::error::Error for UnitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            UnitError::Text(source) => Some(source),
            UnitError::Zero => None,
        }
    }
}

impl FromStr for Unit {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Unit, UnitError> {
        // Of names without a number only these two: a bare `s` or `h` is likely a mistake.
        let is_name = matches!(text, "ms" | "us");
        let length = if is_name { format!("1{text}").parse() } else { text.parse() };
        match length.map_err(UnitError::Text)? {
            Duration::ZERO => Err(UnitError::Zero),
            length => Ok(Unit(length)),
        }
    }
}

impl TryFrom<String> for Unit {
    type Error = UnitError;

    fn try_from(text: String) -> Result<Unit, UnitError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_lengths() {
        let length = |text: &str| text.parse::<Unit>().map(|u| u.length().to_string());
        assert_eq!(length("ms"), Ok("1ms".to_owned()));
        assert_eq!(length("us"), Ok("1us".to_owned()));
        assert_eq!(length("0.05ms"), Ok("50us".to_owned()));
        assert_eq!(length("0us"), Err(UnitError::Zero));
        assert_eq!(length("1s"), Ok("1s".to_owned()));
        for bad in ["", "5", "parsec", ".5ms", "s", "h", "ns"] {
            assert!(matches!(length(bad), Err(UnitError::Text(_))), "{bad}");
        }
    }
}
