//! What a scenario's `[network]` table says, and how networks are built from it.
//!
//! The table's `model` key names the model and is read by whoever reads the scenario. Of the other
//! keys, those of [`LAYERS`](crate::LAYERS) are layers that go around any model, and the rest are
//! the model's own.

mod access;
mod layers;
mod loss;
mod models;

use std::path::PathBuf;
use std::{error, fmt};

use peerlet_core::Duration;

pub use access::{AccessConfig, ClassConfig, ClassesConfig};
pub use layers::{CorruptConfig, JitterConfig, LayersConfig, ReorderConfig};
pub use loss::{LinkConfig, LossConfig};
pub use models::{
    ConstantConfig, GeneratedConfig, LanConfig, LognormalConfig, MatrixConfig, NormalConfig,
    ParetoConfig, RegionsConfig, UniformConfig,
};

use crate::law::LawError;
use crate::matrix::MatrixError;

/// Why a model could not be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// A uniform delay's bounds are the wrong way round.
    Bounds {
        /// The shortest delay asked for.
        min: Duration,
        /// The longest delay asked for.
        max: Duration,
    },
    /// The matrix cannot be used.
    Matrix {
        /// Its file.
        file: PathBuf,
        /// What is wrong with it.
        why: MatrixError,
    },
    /// A law of chance has parameters that make none.
    Law(LawError),
    /// The way of loss leads from or to a seat that there is not.
    Seat {
        /// The seat.
        seat: u32,
        /// How many there are.
        peers: u32,
    },
    /// A local network is to have no peers.
    Lan,
    /// `access` has neither rates nor classes, or both.
    Access,
    /// Shares that add up to nothing, of regions or of classes of access.
    Shares(&'static str),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Bounds { min, max } => {
                write!(f, "the uniform delay's min {min} exceeds its max {max}; set both")
            }
            BuildError::Matrix { file, why } => write!(f, "matrix {} {why}", file.display()),
            BuildError::Law(why) => why.fmt(f),
            BuildError::Seat { seat, peers } => write!(
                f,
                "the link of seat {seat} is nowhere: the last of {peers} seats is {}",
                peers.saturating_sub(1)
            ),
            BuildError::Lan => f.write_str("a local network has no peers; give a size from 1 on"),
            BuildError::Access => {
                f.write_str("access is either rates or classes; give `up` and `down`, or `classes`")
            }
            BuildError::Shares(what) => write!(f, "no {what} has a share; give at least one"),
        }
    }
}

impl From<LawError> for BuildError {
    fn from(why: LawError) -> BuildError {
        BuildError::Law(why)
    }
}

impl error::Error for BuildError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            BuildError::Matrix { why, .. } => Some(why),
            BuildError::Law(why) => Some(why),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use std::path::Path;

    use peerlet_core::Seed;
    use serde::de;

    use super::*;
    use crate::catalogue::MODELS;

    pub(super) fn read<T: de::DeserializeOwned>(json: &str) -> T {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    pub(super) fn refused<'de, T: serde::Deserialize<'de> + fmt::Debug>(
        json: &'de str,
        expected: Expect,
    ) {
        let error = serde_json::from_str::<T>(json).unwrap_err().to_string();
        expected.assert_eq(error.split(" at line").next().unwrap());
    }

    #[test]
    fn unknown_keys_and_units_are_refused() {
        refused::<ConstantConfig>(
            r#"{ "dealy": "1ms" }"#,
            expect!["unknown field `dealy`, expected `delay`"],
        );
        refused::<MatrixConfig>(r#"{ "file": "x" }"#, expect!["missing field `unit`"]);
        refused::<MatrixConfig>(
            r#"{ "file": "x", "unit": "mile" }"#,
            expect![[r#"no unit of a matrix; write "ms", "us" or a duration, as "50us""#]],
        );
        refused::<MatrixConfig>(
            r#"{ "file": "x", "unit": "ms", "missing": "guess" }"#,
            expect!["unknown variant `guess`, expected one of `refuse`, `median`, `unreachable`"],
        );
    }

    #[test]
    fn uniform_bounds_are_checked() {
        let build = |config: UniformConfig| config.build(Seed::new(1), 2, Path::new("."));
        assert!(build(UniformConfig::default()).is_ok());
        let [min, max] = [2, 1].map(Duration::from_millis);
        let swapped = UniformConfig { min, max };
        expect!["the uniform delay's min 2ms exceeds its max 1ms; set both"]
            .assert_eq(&build(swapped).unwrap_err().to_string());
    }

    #[test]
    fn a_local_network_has_peers() {
        let nobody = LanConfig { size: 0, ..LanConfig::default() };
        let refused = nobody.build(Seed::new(1), 2, Path::new(".")).unwrap_err();
        expect!["a local network has no peers; give a size from 1 on"]
            .assert_eq(&refused.to_string());
    }

    /// Reads the configuration once as the catalogue's defaults spell it out, once with only what
    /// must be given.
    fn check_defaults<T: PartialEq + fmt::Debug + de::DeserializeOwned>(model: &str) {
        let entry = MODELS.iter().find(|entry| entry.name == model).unwrap();
        let spelled = |all: bool| {
            let wanted = entry.parameters.iter().filter(|p| all || p.default.is_none());
            let field = |p: &crate::Parameter| {
                let text = p.default.unwrap_or("1ms");
                let plain = serde_json::from_str::<serde_json::Value>(text);
                (p.name.to_owned(), plain.unwrap_or_else(|_| text.into()))
            };
            serde_json::from_value::<T>(wanted.map(field).collect()).unwrap()
        };
        assert_eq!(spelled(true), spelled(false), "{model}");
    }

    #[test]
    fn the_catalogue_tells_the_defaults() {
        check_defaults::<ConstantConfig>("constant");
        check_defaults::<LanConfig>("lan");
        check_defaults::<LognormalConfig>("lognormal");
        check_defaults::<NormalConfig>("normal");
        check_defaults::<ParetoConfig>("pareto");
        check_defaults::<RegionsConfig>("regions");
        check_defaults::<UniformConfig>("uniform");
        check_defaults::<MatrixConfig>("matrix");
        for preset in ["king-like", "planetlab-like", "world-like"] {
            check_defaults::<GeneratedConfig>(preset);
        }
        assert_eq!(MODELS.len(), 11, "each model is checked above");
    }
}
