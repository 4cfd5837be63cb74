//! The configuration of each model.

use std::path::{Path, PathBuf};

use peerlet_core::{Duration, Seed};

use super::BuildError;
use crate::delay::{Constant, Uniform};
use crate::drawn::Drawn;
use crate::generated::{Generated, Preset};
use crate::lan::Lan;
use crate::law::Law;
use crate::matrix::{Assign, Matrix, Missing, Unit};
use crate::model::Model;
use crate::regions::{REGIONS, Regions};

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

/// Of [`Lan`].
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LanConfig {
    /// How many peers are on each local network. 20: our choice, an office.
    pub size: u32,
    /// How long a message takes within one, one way. 200 us: our choice, a switch and the two
    /// hosts' own time.
    pub within: Duration,
    /// How long it takes from one to another, one way. 20 ms: our choice, two access links of one
    /// country.
    pub between: Duration,
}

impl Default for LanConfig {
    fn default() -> LanConfig {
        let (within, between) = (Duration::from_micros(200), Duration::from_millis(20));
        LanConfig { size: 20, within, between }
    }
}

impl LanConfig {
    /// Builds the model for this many peers. It needs neither seed nor folder.
    ///
    /// # Errors
    /// Refuses local networks without peers.
    pub fn build(&self, _: Seed, peers: u32, _: &Path) -> Result<Box<dyn Model>, BuildError> {
        let LanConfig { size, within, between } = *self;
        if size == 0 {
            return Err(BuildError::Lan);
        }
        Ok(Box::new(Lan { size, peers, within, between }))
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

/// Of [`Drawn`], by [`Law::Normal`].
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NormalConfig {
    /// The mean delay, one way. 70 ms: near the medians measured (67 and 71 ms).
    pub mean: Duration,
    /// The standard deviation. 20 ms: our choice.
    pub sd: Duration,
    /// Delays below this are raised to it. 1 ms.
    pub floor: Duration,
}

impl Default for NormalConfig {
    fn default() -> NormalConfig {
        let [mean, sd] = [70, 20].map(Duration::from_millis);
        NormalConfig { mean, sd, floor: FLOOR }
    }
}

impl NormalConfig {
    /// Builds the model. It needs neither seed nor folder.
    ///
    /// # Errors
    /// Never.
    pub fn build(&self, _: Seed, _: u32, _: &Path) -> Result<Box<dyn Model>, BuildError> {
        let NormalConfig { mean, sd, floor } = *self;
        Ok(Box::new(Drawn { delays: Law::Normal { mean, sd }.table()?, floor }))
    }
}

/// Of [`Drawn`], by [`Law::Lognormal`].
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LognormalConfig {
    /// The median delay, one way. 70 ms: near the medians measured (67 and 71 ms).
    pub median: Duration,
    /// The standard deviation of the natural logarithm. 0.5: so the nineteenth twentieth is 2.3
    /// times the median, as it is among the cities measured.
    pub sigma: f64,
    /// Delays below this are raised to it. 1 ms.
    pub floor: Duration,
}

impl Default for LognormalConfig {
    fn default() -> LognormalConfig {
        LognormalConfig { median: Duration::from_millis(70), sigma: 0.5, floor: FLOOR }
    }
}

impl LognormalConfig {
    /// Builds the model. It needs neither seed nor folder.
    ///
    /// # Errors
    /// Refuses a sigma that is not from 0 to 4.
    pub fn build(&self, _: Seed, _: u32, _: &Path) -> Result<Box<dyn Model>, BuildError> {
        let LognormalConfig { median, sigma, floor } = *self;
        Ok(Box::new(Drawn { delays: Law::Lognormal { median, sigma }.table()?, floor }))
    }
}

/// Of [`Drawn`], by [`Law::Pareto`].
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ParetoConfig {
    /// The shortest delay, one way. 30 ms: our choice, which makes a mean of 50 ms.
    pub min: Duration,
    /// How fast long delays get rare. 2.5: our choice.
    pub shape: f64,
}

impl Default for ParetoConfig {
    fn default() -> ParetoConfig {
        ParetoConfig { min: Duration::from_millis(30), shape: 2.5 }
    }
}

impl ParetoConfig {
    /// Builds the model. It needs neither seed nor folder.
    ///
    /// # Errors
    /// Refuses a shape that is not above 1.
    pub fn build(&self, _: Seed, _: u32, _: &Path) -> Result<Box<dyn Model>, BuildError> {
        let ParetoConfig { min, shape } = *self;
        let delays = Law::Pareto { min, shape }.table()?;
        Ok(Box::new(Drawn { delays, floor: Duration::ZERO }))
    }
}

/// Of [`Regions`].
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegionsConfig {
    /// How many peers each region has, in relation to the others: North America, Europe, South
    /// America, Asia and Pacific, Japan, Australia. As Bitcoin's nodes in 2019 (SimBlock).
    pub shares: [u32; REGIONS],
    /// One-way delays below this are raised to it. 1 ms.
    pub floor: Duration,
}

impl Default for RegionsConfig {
    fn default() -> RegionsConfig {
        RegionsConfig { shares: [3316, 4998, 90, 1177, 224, 195], floor: FLOOR }
    }
}

impl RegionsConfig {
    /// Gives each of so many peers a region. It needs no folder.
    ///
    /// # Errors
    /// Refuses shares that are all zero.
    pub fn build(&self, seed: Seed, peers: u32, _: &Path) -> Result<Box<dyn Model>, BuildError> {
        if self.shares.iter().all(|share| *share == 0) {
            return Err(BuildError::Shares("region"));
        }
        Ok(Box::new(Regions::new(self.shares, seed, peers, self.floor)))
    }
}
