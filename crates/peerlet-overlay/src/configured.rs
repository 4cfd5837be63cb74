//! Peerlets that a scenario puts on a stack by name, with parameters.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;

use peerlet_core::{Peerlet, Seed};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A peerlet that a scenario can put on a stack by name, with parameters.
///
/// The configuration is a plain struct whose fields have defaults; a scenario's table
/// `hello = { period = "2s" }` is read into it.
///
/// ```
/// use peerlet_core::{Context, Duration, HOUR, MILLISECOND, Nothing, Peerlet, SECOND};
/// use peerlet_overlay::{ConfigError, Configured, check_range};
/// use serde::{Deserialize, Serialize};
///
/// struct Hello { config: HelloConfig }
///
/// #[derive(Serialize, Deserialize)]
/// #[serde(default, deny_unknown_fields)]
/// struct HelloConfig { period: Duration }
///
/// impl Default for HelloConfig {
///     fn default() -> HelloConfig {
///         HelloConfig { period: SECOND }
///     }
/// }
///
/// impl Peerlet for Hello {
///     const NAME: &'static str = "hello";
///     type Message = Nothing;
///     type Timer = ();
///     fn start(&mut self, ctx: &mut Context<Self>) {
///         ctx.every(self.config.period, ());
///     }
/// }
///
/// impl Configured for Hello {
///     type Config = HelloConfig;
///     const PARAMETERS: &'static [(&'static str, &'static str)] =
///         &[("period", "time between two greetings")];
///     fn configured(config: HelloConfig) -> Result<Hello, ConfigError> {
///         check_range("period", config.period, MILLISECOND..=HOUR)?;
///         Ok(Hello { config })
///     }
/// }
///
/// let config = serde_json::from_str(r#"{ "period": "2h" }"#)?;
/// let error = Hello::configured(config).err().expect("two hours are too long");
/// assert_eq!(error.to_string(), "`period` is 7200s; give 1ms to 3600s");
/// # Ok::<(), serde_json::Error>(())
/// ```
pub trait Configured: Peerlet {
    /// The parameters with their defaults.
    type Config: Serialize + DeserializeOwned + Default;

    /// Each parameter: its name in [`Config`](Configured::Config), and its meaning, with its unit.
    const PARAMETERS: &'static [(&'static str, &'static str)];

    /// The peerlet with these parameters.
    ///
    /// # Errors
    /// Says which parameter is out of range and what is allowed.
    fn configured(config: Self::Config) -> Result<Self, ConfigError>;

    /// The peerlet with the scenario's seed, which is the same for all peers of a run, in every
    /// world: for choices that must be the same at all peers. A peer's own choices come from its
    /// context. By default the seed is not used.
    #[must_use]
    fn seeded(self, _seed: Seed) -> Self {
        self
    }
}

/// Why a peerlet cannot have the parameters it was given.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// A parameter is out of range.
    OutOfRange {
        /// Which one.
        parameter: &'static str,
        /// Its value.
        given: String,
        /// The values that it may have.
        allowed: String,
    },
}

impl Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::OutOfRange { parameter, given, allowed } => {
                write!(f, "`{parameter}` is {given}; give {allowed}")
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// Checks that a parameter is in range.
///
/// # Errors
/// When it is not.
pub fn check_range<T: PartialOrd + Display>(
    parameter: &'static str,
    given: T,
    allowed: RangeInclusive<T>,
) -> Result<(), ConfigError> {
    if allowed.contains(&given) {
        return Ok(());
    }
    let allowed = format!("{} to {}", allowed.start(), allowed.end());
    Err(ConfigError::OutOfRange { parameter, given: given.to_string(), allowed })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Bootstrap, Lookups, Neighbors, Router};

    /// Whether the parameters told are those that there are, each with a help, and the defaults
    /// are allowed.
    fn check<P: Configured>() {
        let config = serde_json::to_value(P::Config::default()).unwrap();
        let fields: BTreeSet<&str> =
            config.as_object().unwrap().keys().map(String::as_str).collect();
        let told: BTreeSet<&str> = P::PARAMETERS.iter().map(|(name, _)| *name).collect();
        assert_eq!(told, fields, "{}", P::NAME);
        assert_eq!(P::PARAMETERS.len(), fields.len(), "{} tells each once", P::NAME);
        assert!(P::PARAMETERS.iter().all(|(_, help)| !help.is_empty()), "{}", P::NAME);
        assert!(P::configured(P::Config::default()).is_ok(), "{}", P::NAME);
        let unknown = serde_json::json!({ "color": "red" });
        assert!(serde_json::from_value::<P::Config>(unknown).is_err(), "{}", P::NAME);
    }

    #[test]
    fn parameters_told_are_those_that_there_are() {
        check::<Bootstrap>();
        check::<Neighbors>();
        check::<Router>();
        check::<Lookups>();
    }
}
