//! Peerlets that a scenario puts on a stack by name, with parameters.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;

use peerlet_core::{Peerlet, Seed};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The parameters of a peerlet: a plain struct whose fields have defaults and ranges.
///
/// Most are [derived](macro@crate::Parameters). By hand, the struct derives serde's `Serialize` and
/// `Deserialize` with `#[serde(default, deny_unknown_fields)]`, and lists its fields:
///
/// ```
/// use peerlet_core::{Duration, HOUR, MILLISECOND, SECOND};
/// use peerlet_overlay::{ConfigError, Parameter, Parameters, check_range};
/// use serde::{Deserialize, Serialize};
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
/// impl Parameters for HelloConfig {
///     const PARAMETERS: &'static [Parameter] =
///         &[Parameter::new("period", "time between two greetings")];
///
///     fn check(&self) -> Result<(), ConfigError> {
///         check_range("period", self.period, MILLISECOND..=HOUR)
///     }
/// }
/// ```
pub trait Parameters: Serialize + DeserializeOwned + Default {
    /// Each parameter, by the name of its field.
    const PARAMETERS: &'static [Parameter];

    /// Checks that each parameter is in its range.
    ///
    /// # Errors
    /// Says which parameter is out of range and what is allowed.
    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }
}

/// The description of one parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameter {
    name: &'static str,
    help: &'static str,
    unit: Option<&'static str>,
}

impl Parameter {
    /// A parameter of this name, and what it is.
    pub const fn new(name: &'static str, help: &'static str) -> Parameter {
        Parameter { name, help, unit: None }
    }

    /// The same parameter in this unit, where its type says none.
    pub const fn unit(self, unit: &'static str) -> Parameter {
        Parameter { unit: Some(unit), ..self }
    }

    /// Its name in scenarios.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// A sentence on what it is; may be empty.
    pub const fn description(&self) -> &'static str {
        self.help
    }

    /// The symbol of its unit, where its type says none.
    pub const fn unit_symbol(&self) -> Option<&'static str> {
        self.unit
    }
}

/// A peerlet that a scenario can put on a stack by name, with parameters: its table
/// `hello = { period = "2s" }` is read into the peerlet's configuration.
///
/// ```
/// use peerlet_core::{Context, Duration, HOUR, MILLISECOND, Nothing, Peerlet, SECOND};
/// use peerlet_overlay::{Configured, Parameters};
///
/// struct Hello { config: HelloConfig }
///
/// #[derive(Parameters)]
/// struct HelloConfig {
///     /// Time between two greetings.
///     #[parameter(default = SECOND, range = MILLISECOND..=HOUR)]
///     period: Duration,
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
///     fn with_config(config: HelloConfig) -> Hello {
///         Hello { config }
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
    type Config: Parameters;

    /// The peerlet with these parameters, which were checked.
    fn with_config(config: Self::Config) -> Self;

    /// The peerlet with these parameters, if they are in their ranges.
    ///
    /// # Errors
    /// Says which parameter is out of range and what is allowed.
    fn configured(config: Self::Config) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self::with_config(config))
    }

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
    check_in(parameter, &given, &allowed)
}

/// The same for the code of `#[derive(Parameters)]`, which borrows the parameter.
pub fn check_in<T: PartialOrd + Display>(
    parameter: &'static str,
    given: &T,
    allowed: &RangeInclusive<T>,
) -> Result<(), ConfigError> {
    if allowed.contains(given) {
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
        let parameters = P::Config::PARAMETERS;
        let told: BTreeSet<&str> = parameters.iter().map(Parameter::name).collect();
        assert_eq!(told, fields, "{}", P::NAME);
        assert_eq!(parameters.len(), fields.len(), "{} tells each once", P::NAME);
        assert!(parameters.iter().all(|p| !p.description().is_empty()), "{}", P::NAME);
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
