//! The configuration of a scenario's `[network]` table, and the networks built from it.
//!
//! The table's `model` key names the model and is read by whoever reads the scenario. Of the other
//! keys, those of [`LAYERS`](crate::LAYERS) are layers that go around any model, and the rest are
//! the model's own.

mod access;
mod layers;
mod loss;
mod models;
mod regions;

use std::path::PathBuf;
use std::{error, fmt};

use peerlet_core::Duration;

pub use access::{AccessConfig, ClassConfig, ClassesConfig};
pub use layers::{CorruptConfig, JitterConfig, LayersConfig, ReorderConfig};
pub use loss::{LinkConfig, LossConfig};
pub use models::{
    ConstantConfig, GeneratedConfig, LanConfig, LognormalConfig, MatrixConfig, NormalConfig,
    ParetoConfig, UniformConfig,
};
pub use regions::{DelaysConfig, RegionsConfig, RegionsError};

use crate::assign::AssignError;
use crate::distribution::DistributionError;
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
        /// Why not.
        why: MatrixError,
    },
    /// Rows or regions cannot be assigned.
    Assign(AssignError),
    /// The regions make no network.
    Regions(RegionsError),
    /// A distribution has impossible parameters.
    Distribution(DistributionError),
    /// The way of loss leads from or to a seat that there is not.
    Seat {
        /// Which of the ways, from 0.
        link: usize,
        /// The key: `from` or `to`.
        end: &'static str,
        /// The seat.
        seat: u32,
        /// How many there are.
        peers: u32,
    },
    /// A local network is to have no peers.
    Lan,
    /// `access` has neither rates nor classes, or both.
    Access {
        /// Whether it has both.
        has_both: bool,
    },
    /// Shares that add up to nothing, of regions or of classes of access.
    Shares(&'static str),
    /// A layer could not be built.
    Layer {
        /// Its key.
        layer: &'static str,
        /// Why not.
        why: Box<BuildError>,
    },
}

impl BuildError {
    /// The keys that can mend it, the most likely one first, each as the path that leads to it from
    /// the `[network]` table; numbers lead into lists. None where a key is missing in that table.
    pub fn keys(&self) -> Vec<Vec<String>> {
        let path = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        let paths = |keys: &[&str]| keys.iter().map(|key| path(&[key])).collect::<Vec<_>>();
        match self {
            BuildError::Bounds { .. } => paths(&["max", "min"]),
            BuildError::Matrix { why, .. } => {
                // The delays of regions are in a file as well.
                let keys = why.keys().iter().copied().chain(["delays"]);
                keys.map(|key| path(&[key])).collect()
            }
            BuildError::Assign(why) => {
                let group = why.group().map(|group| path(&["assign", group]));
                group.into_iter().chain([path(&["assign"])]).collect()
            }
            BuildError::Regions(why) => {
                let keys = |(key, item): (&str, Option<usize>)| {
                    let item = item.map(|item| item.to_string());
                    [key.to_owned()].into_iter().chain(item).collect()
                };
                why.keys().into_iter().map(keys).collect()
            }
            BuildError::Distribution(why) => why.keys().iter().map(|key| path(&[key])).collect(),
            BuildError::Seat { link, end, .. } => {
                vec![path(&["links", &link.to_string(), end])]
            }
            BuildError::Lan => paths(&["size"]),
            BuildError::Access { has_both: true } => paths(&["classes"]),
            BuildError::Access { has_both: false } => Vec::new(),
            BuildError::Shares("region") => paths(&["shares"]),
            BuildError::Shares(_) => paths(&["classes"]),
            BuildError::Layer { layer, why } => {
                let within = |mut keys: Vec<String>| {
                    if let (BuildError::Distribution(distribution), "jitter") = (&**why, *layer) {
                        keys.insert(0, distribution.distribution().to_owned());
                    }
                    keys.insert(0, (*layer).to_owned());
                    keys
                };
                why.keys().into_iter().map(within).chain([path(&[layer])]).collect()
            }
        }
    }

    /// The same, in a layer.
    fn within(self, layer: &'static str) -> BuildError {
        BuildError::Layer { layer, why: Box::new(self) }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Bounds { min, max } => {
                write!(f, "the uniform delay's min {min} exceeds its max {max}; set both")
            }
            BuildError::Matrix { file, why } => write!(f, "matrix {} {why}", file.display()),
            BuildError::Assign(why) => why.fmt(f),
            BuildError::Regions(why) => why.fmt(f),
            BuildError::Distribution(why) => why.fmt(f),
            BuildError::Seat { seat, peers, .. } => write!(
                f,
                "there is no seat {seat}; {peers} peers have the seats 0 to {}",
                peers.saturating_sub(1)
            ),
            BuildError::Lan => f.write_str("a local network has no peers; give a size from 1 on"),
            BuildError::Access { .. } => {
                f.write_str("access is either rates or classes; give `up` and `down`, or `classes`")
            }
            BuildError::Shares(what) => write!(f, "no {what} has a share; give at least one"),
            BuildError::Layer { why, .. } => why.fmt(f),
        }
    }
}

impl From<DistributionError> for BuildError {
    fn from(why: DistributionError) -> BuildError {
        BuildError::Distribution(why)
    }
}

impl error::Error for BuildError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            BuildError::Matrix { why, .. } => Some(why),
            BuildError::Assign(why) => Some(why),
            BuildError::Regions(why) => Some(why),
            BuildError::Distribution(why) => Some(why),
            BuildError::Layer { why, .. } => Some(why),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use peerlet_core::Seed;
    use serde::de;

    use super::*;
    use crate::catalog::MODELS;
    use crate::per::Per;
    use crate::site::Site;

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
            expect![
                "no unit of a matrix; write \"ms\", \"us\" or a duration with its number, such as \
                 \"50us\" or \"1s\""
            ],
        );
        refused::<MatrixConfig>(
            r#"{ "file": "x", "unit": "ms", "missing": "guess" }"#,
            expect![
                "unknown variant `guess`, expected one of `refuse`, `mirror`, `median`, \
                 `unreachable`"
            ],
        );
    }

    #[test]
    fn uniform_bounds_are_checked() {
        let site = Site::new(Seed::new(1), 2, ".".as_ref());
        let build = |config: UniformConfig| config.build(&site);
        assert!(build(UniformConfig::default()).is_ok());
        let [min, max] = [2, 1].map(Duration::from_millis);
        let swapped = UniformConfig { min, max, per: Per::Pair };
        expect!["the uniform delay's min 2ms exceeds its max 1ms; set both"]
            .assert_eq(&build(swapped).unwrap_err().to_string());
    }

    #[test]
    fn a_local_network_has_peers() {
        let nobody = LanConfig { size: 0, ..LanConfig::default() };
        let refused = nobody.build(&Site::new(Seed::new(1), 2, ".".as_ref())).unwrap_err();
        expect!["a local network has no peers; give a size from 1 on"]
            .assert_eq(&refused.to_string());
    }

    /// Reads the configuration once as the catalog's defaults spell it out, once with only what
    /// must be given.
    fn check_defaults<T: PartialEq + fmt::Debug + de::DeserializeOwned>(model: &str) {
        let entry = MODELS.iter().find(|entry| entry.name == model).unwrap();
        let spelled = |all: bool| {
            let has_default = |p: &crate::Parameter| p.default.is_some_and(|text| text != "none");
            let wanted = entry
                .parameters
                .iter()
                .filter(|p| if has_default(p) { all } else { p.default.is_none() });
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
    fn the_catalog_tells_the_defaults() {
        check_defaults::<ConstantConfig>("constant");
        check_defaults::<LanConfig>("lan");
        check_defaults::<LognormalConfig>("lognormal");
        check_defaults::<NormalConfig>("normal");
        check_defaults::<ParetoConfig>("pareto");
        check_defaults::<UniformConfig>("uniform");
        check_defaults::<MatrixConfig>("matrix");
        for preset in ["king-like", "planetlab-like", "world-like"] {
            check_defaults::<GeneratedConfig>(preset);
        }
        assert_eq!(MODELS.len(), 11, "each model is checked here or below");
    }

    #[test]
    fn the_shares_of_the_catalog_are_the_stock_regions() {
        let entry = MODELS.iter().find(|entry| entry.name == "regions").unwrap();
        let shares = entry.parameters.iter().find(|p| p.name == "shares").unwrap().default.unwrap();
        let site = Site::new(Seed::new(1), 60, ".".as_ref());
        let spelled: RegionsConfig = read(&format!(r#"{{ "shares": {shares}, "floor": "1ms" }}"#));
        let [spelled, default] =
            [spelled, RegionsConfig::default()].map(|c| c.build(&site).unwrap());
        for seat in (1..60).map(peerlet_core::Seat) {
            let rtt = |model: &dyn crate::Model| model.round_trip(peerlet_core::Seat(0), seat);
            assert_eq!(rtt(&*spelled), rtt(&*default));
        }
    }
}
