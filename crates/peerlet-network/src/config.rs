//! What a scenario's `[network]` table says about each model, and how models are built from it.
//!
//! The table's `model` key names the model and is read by whoever reads the scenario; the other
//! keys are the fields below, and `loss` goes around any of them.

use std::path::{Path, PathBuf};
use std::{error, fmt};

use peerlet_core::{Duration, Seed};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::catalogue::NOT_YET;
use crate::delay::{Constant, Uniform};
use crate::generated::{Generated, Preset};
use crate::loss::{Lossy, Probability};
use crate::matrix::{Assign, Matrix, MatrixError, Missing, Unit};
use crate::model::Model;

/// The shortest one-way delay of measured and generated networks, where none is given: 1 ms, which
/// touches 0.5 % of the pairs of PlanetLab and makes windows worth having.
const FLOOR: Duration = Duration::from_millis(1);

fn floor() -> Duration {
    FLOOR
}

/// Of [`Constant`].
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConstantConfig {
    /// How long every message takes, one way. 50 ms: our choice, a round number below the medians
    /// measured (67 ms among PlanetLab hosts, 71 ms between cities).
    pub delay: Duration,
}

impl Default for ConstantConfig {
    fn default() -> ConstantConfig {
        ConstantConfig { delay: Duration::from_millis(50) }
    }
}

impl ConstantConfig {
    /// Builds the model. It needs neither seed nor folder.
    ///
    /// # Errors
    /// Never.
    pub fn build(&self, _: Seed, _: u32, _: &Path) -> Result<Box<dyn Model>, BuildError> {
        Ok(Box::new(Constant { delay: self.delay }))
    }
}

/// Of [`Uniform`].
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UniformConfig {
    /// The shortest delay, one way. 50 ms: our choice, as is the constant model's.
    pub min: Duration,
    /// The longest delay, one way, itself excluded. 150 ms: our choice, near the nineteenth
    /// twentieth of the delays measured (163 to 165 ms).
    pub max: Duration,
}

impl Default for UniformConfig {
    fn default() -> UniformConfig {
        UniformConfig { min: Duration::from_millis(50), max: Duration::from_millis(150) }
    }
}

impl UniformConfig {
    /// Builds the model. Its dice are the packets', so it needs neither seed nor folder.
    ///
    /// # Errors
    /// Refuses a `min` longer than `max`.
    pub fn build(&self, _: Seed, _: u32, _: &Path) -> Result<Box<dyn Model>, BuildError> {
        let UniformConfig { min, max } = *self;
        if min > max {
            return Err(BuildError::Bounds { min, max });
        }
        Ok(Box::new(Uniform { min, max }))
    }
}

/// Of [`Generated`], with any preset.
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeneratedConfig {
    /// One-way delays below this are raised to it. 1 ms.
    pub floor: Duration,
}

impl Default for GeneratedConfig {
    fn default() -> GeneratedConfig {
        GeneratedConfig { floor: FLOOR }
    }
}

impl GeneratedConfig {
    /// Generates the preset's network for this many peers. It needs no folder.
    ///
    /// # Errors
    /// Never.
    pub fn build(
        &self,
        preset: &'static Preset,
        seed: Seed,
        peers: u32,
        _: &Path,
    ) -> Result<Box<dyn Model>, BuildError> {
        Ok(Box::new(Generated::new(preset, seed.bits(), peers, self.floor)))
    }
}

/// Of [`Matrix`].
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatrixConfig {
    /// The file of round trips: `.u16le` and `.u16le.zst` hold 16-bit numbers, all others text.
    pub file: PathBuf,
    /// How long a 1 in the file is.
    pub unit: Unit,
    /// What to do about round trips that the file lacks. Refuse the file.
    #[serde(default)]
    pub missing: Missing,
    /// Which row of the matrix a peer has. The one with its seat's index.
    #[serde(default)]
    pub assign: Assign,
    /// One-way delays below this are raised to it. 1 ms.
    #[serde(default = "floor")]
    pub floor: Duration,
}

impl MatrixConfig {
    /// Reads the matrix; a relative path starts from the folder `base`.
    ///
    /// # Errors
    /// Says what is wrong with the file, and where.
    pub fn build(&self, seed: Seed, peers: u32, base: &Path) -> Result<Box<dyn Model>, BuildError> {
        match Matrix::read(self, seed, peers, base) {
            Ok(matrix) => Ok(Box::new(matrix)),
            Err(why) => Err(BuildError::Matrix { file: base.join(&self.file), why }),
        }
    }
}

/// The `loss` key: how probable it is that a message is lost, from 0 to 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LossConfig(pub Probability);

impl LossConfig {
    /// The model with this loss around it; the model itself when nothing is ever lost.
    pub fn wrap(self, inner: Box<dyn Model>) -> Box<dyn Model> {
        let LossConfig(probability) = self;
        if probability.is_zero() { inner } else { Box::new(Lossy { inner, probability }) }
    }
}

impl<'de> Deserialize<'de> for LossConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LossConfig, D::Error> {
        deserializer.deserialize_any(LossVisitor)
    }
}

struct LossVisitor;

impl<'de> Visitor<'de> for LossVisitor {
    type Value = LossConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the probability of loss, a number from 0 to 1")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<LossConfig, E> {
        Probability::new(value).map(LossConfig).map_err(|e| E::custom(format!("loss: {e}")))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<LossConfig, E> {
        self.visit_f64(value as f64)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<LossConfig, E> {
        self.visit_f64(value as f64)
    }

    /// Laws of loss are written `{ gilbert = { .. } }`; none is built yet.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LossConfig, A::Error> {
        match map.next_key::<String>()? {
            Some(law) if NOT_YET.contains(&law.as_str()) => {
                Err(de::Error::custom(format!("not yet: {law}; {LOSS_HINT}")))
            }
            Some(law) => Err(de::Error::custom(format!("no law of loss is `{law}`; {LOSS_HINT}"))),
            None => Err(de::Error::custom(format!("loss says nothing; {LOSS_HINT}"))),
        }
    }
}

const LOSS_HINT: &str = "give a number from 0 to 1";

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
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Bounds { min, max } => {
                write!(f, "the uniform delay's min {min} exceeds its max {max}; set both")
            }
            BuildError::Matrix { file, why } => write!(f, "matrix {} {why}", file.display()),
        }
    }
}

impl error::Error for BuildError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            BuildError::Bounds { .. } => None,
            BuildError::Matrix { why, .. } => Some(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::catalogue::MODELS;

    fn refused<'de, T: serde::Deserialize<'de> + fmt::Debug>(json: &'de str, expected: Expect) {
        let error = serde_json::from_str::<T>(json).unwrap_err().to_string();
        expected.assert_eq(error.split(" at line").next().unwrap());
    }

    #[test]
    fn loss_is_a_number_for_now() {
        for (json, p) in [("0", 0.0), ("1", 1.0), ("0.05", 0.05)] {
            let loss: LossConfig = serde_json::from_str(json).unwrap();
            assert_eq!(loss, LossConfig(Probability::new(p).unwrap()));
        }
        refused::<LossConfig>(
            "1.5",
            expect!["loss: 1.5 is no probability; give a number from 0 to 1"],
        );
        refused::<LossConfig>(
            "-1",
            expect!["loss: -1 is no probability; give a number from 0 to 1"],
        );
        refused::<LossConfig>(
            r#"{ "gilbert": { "mean": 0.005 } }"#,
            expect!["not yet: gilbert; give a number from 0 to 1"],
        );
        refused::<LossConfig>(
            r#"{ "gilbret": {} }"#,
            expect!["no law of loss is `gilbret`; give a number from 0 to 1"],
        );
        refused::<LossConfig>("{}", expect!["loss says nothing; give a number from 0 to 1"]);
        refused::<LossConfig>(
            "true",
            expect![["invalid type: boolean `true`, expected the probability of loss, \
                 a number from 0 to 1"]],
        );
    }

    #[test]
    fn no_loss_is_no_layer() {
        let layers = |loss: f64| {
            let inner = Box::new(Constant { delay: FLOOR });
            format!("{:?}", LossConfig(Probability::new(loss).unwrap()).wrap(inner))
        };
        assert!(layers(0.0).starts_with("Constant"), "{}", layers(0.0));
        assert!(layers(0.1).starts_with("Lossy"), "{}", layers(0.1));
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
        let swapped = UniformConfig { min: FLOOR * 2, max: FLOOR };
        expect!["the uniform delay's min 2ms exceeds its max 1ms; set both"]
            .assert_eq(&build(swapped).unwrap_err().to_string());
    }

    /// Reads the configuration once as the catalogue's defaults spell it out, once with only what
    /// must be given.
    fn check_defaults<T: PartialEq + fmt::Debug + de::DeserializeOwned>(model: &str) {
        let entry = MODELS.iter().find(|entry| entry.name == model).unwrap();
        let spelled = |all: bool| {
            let wanted = entry.parameters.iter().filter(|p| all || p.default.is_none());
            let field = |p: &crate::Parameter| {
                (p.name.to_owned(), serde_json::Value::from(p.default.unwrap_or("1ms")))
            };
            serde_json::from_value::<T>(wanted.map(field).collect()).unwrap()
        };
        assert_eq!(spelled(true), spelled(false), "{model}");
    }

    #[test]
    fn the_catalogue_tells_the_defaults() {
        check_defaults::<ConstantConfig>("constant");
        check_defaults::<UniformConfig>("uniform");
        check_defaults::<MatrixConfig>("matrix");
        for preset in ["king-like", "planetlab-like", "world-like"] {
            check_defaults::<GeneratedConfig>(preset);
        }
        assert_eq!(MODELS.len(), 6, "each model is checked above");
    }
}
