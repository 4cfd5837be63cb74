//! The configuration of each model.

use std::path::PathBuf;

use peerlet_core::{Duration, Seat};

use super::BuildError;
use crate::assign::{Assign, Rows};
use crate::delay::{Constant, Uniform};
use crate::distribution::Distribution;
use crate::generated::{Generated, Preset};
use crate::lan::Lan;
use crate::matrix::{Form, LatencyTable, Matrix, Missing, Unit};
use crate::model::Model;
use crate::per::{Per, PerPair};
use crate::sampled::Sampled;
use crate::site::Site;

/// The shortest one-way delay of measured and generated networks, where none is given: 1 ms, which
/// touches 0.5 % of the pairs of PlanetLab and makes windows worth having.
const FLOOR: Duration = Duration::from_millis(1);

pub(super) fn floor() -> Duration {
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
    /// Builds the model.
    ///
    /// # Errors
    /// Never.
    pub fn build(&self, _: &Site<'_>) -> Result<Box<dyn Model>, BuildError> {
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
    /// Whether each message samples its delay, or each pair once. Each message.
    pub per: Per,
}

impl Default for UniformConfig {
    fn default() -> UniformConfig {
        let [min, max] = [50, 150].map(Duration::from_millis);
        UniformConfig { min, max, per: Per::Message }
    }
}

impl UniformConfig {
    /// Builds the model.
    ///
    /// # Errors
    /// Refuses a `min` longer than `max`.
    pub fn build(&self, site: &Site<'_>) -> Result<Box<dyn Model>, BuildError> {
        let UniformConfig { min, max, per } = *self;
        if min > max {
            return Err(BuildError::Bounds { min, max });
        }
        Ok(sampled(Uniform { min, max }, per, site))
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
    /// Builds the model for the site's peers.
    ///
    /// # Errors
    /// Refuses local networks without peers.
    pub fn build(&self, site: &Site<'_>) -> Result<Box<dyn Model>, BuildError> {
        let LanConfig { size, within, between } = *self;
        if size == 0 {
            return Err(BuildError::Lan);
        }
        Ok(Box::new(Lan { size, peers: site.peers, within, between }))
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
    /// Generates the preset's network for the site's peers.
    ///
    /// # Errors
    /// Never.
    pub fn build(
        &self,
        preset: &'static Preset,
        site: &Site<'_>,
    ) -> Result<Box<dyn Model>, BuildError> {
        Ok(Box::new(Generated::new(preset, site.seed.bits(), site.peers, self.floor)))
    }
}

fn index() -> Assign {
    Assign::Index
}

/// Puts the samples of a model without state where they belong: to messages, or to pairs.
fn sampled(model: impl Model + 'static, per: Per, site: &Site<'_>) -> Box<dyn Model> {
    match per {
        Per::Message => Box::new(model),
        Per::Pair => {
            Box::new(PerPair { inner: Box::new(model) as _, seed: site.seed.named("pair") })
        }
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
    /// Whether a text is a square or a list of edges. The one that it shows.
    #[serde(default)]
    pub form: Option<Form>,
    /// The treatment of round trips that the file lacks. The default refuses the file.
    #[serde(default)]
    pub missing: Missing,
    /// Which row of the matrix a peer has. The one with its seat's index.
    #[serde(default = "index")]
    pub assign: Assign,
    /// One-way delays below this are raised to it. 1 ms.
    #[serde(default = "floor")]
    pub floor: Duration,
}

impl MatrixConfig {
    /// Reads the matrix and gives each peer a row; a relative path starts from the site's folder.
    ///
    /// # Errors
    /// Says what is wrong with the file, and where. Refuses gaps unless [`missing`](Self::missing)
    /// says what they mean, and more peers than rows unless they may share them.
    pub fn build(&self, site: &Site<'_>) -> Result<Box<dyn Model>, BuildError> {
        let file = site.base.join(&self.file);
        let table = LatencyTable::of_hosts(&file, self.unit, self.form, self.missing, site)
            .map_err(|why| BuildError::Matrix { file, why })?;
        let known = Rows { what: "row", count: table.rows(), names: table.names() };
        let random = |seat: Seat| site.seed.at(u64::from(seat.0)).rng().index(known.count);
        let rows = self.assign.rows(site, &known, random).map_err(BuildError::Assign)?;
        Ok(Box::new(Matrix::new(table, rows, self.assign.shares_rows(), self.floor)))
    }
}

/// Of [`Sampled`], by [`Distribution::Normal`].
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NormalConfig {
    /// The mean delay, one way. 70 ms: near the medians measured (67 and 71 ms).
    pub mean: Duration,
    /// The standard deviation. 20 ms: our choice.
    pub sd: Duration,
    /// Delays below this are raised to it. 1 ms.
    pub floor: Duration,
    /// Whether each message samples its delay, or each pair once. Each message.
    pub per: Per,
}

impl Default for NormalConfig {
    fn default() -> NormalConfig {
        let [mean, sd] = [70, 20].map(Duration::from_millis);
        NormalConfig { mean, sd, floor: FLOOR, per: Per::Message }
    }
}

impl NormalConfig {
    /// Builds the model.
    ///
    /// # Errors
    /// Never.
    pub fn build(&self, site: &Site<'_>) -> Result<Box<dyn Model>, BuildError> {
        let NormalConfig { mean, sd, floor, per } = *self;
        Ok(sampled(
            Sampled { delays: Distribution::Normal { mean, sd }.table()?, floor },
            per,
            site,
        ))
    }
}

/// Of [`Sampled`], by [`Distribution::Lognormal`].
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
    /// Whether each message samples its delay, or each pair once. Each message.
    pub per: Per,
}

impl Default for LognormalConfig {
    fn default() -> LognormalConfig {
        let (median, per) = (Duration::from_millis(70), Per::Message);
        LognormalConfig { median, sigma: 0.5, floor: FLOOR, per }
    }
}

impl LognormalConfig {
    /// Builds the model.
    ///
    /// # Errors
    /// Refuses a sigma that is not from 0 to 4.
    pub fn build(&self, site: &Site<'_>) -> Result<Box<dyn Model>, BuildError> {
        let LognormalConfig { median, sigma, floor, per } = *self;
        let delays = Distribution::Lognormal { median, sigma }.table()?;
        Ok(sampled(Sampled { delays, floor }, per, site))
    }
}

/// Of [`Sampled`], by [`Distribution::Pareto`].
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ParetoConfig {
    /// The shortest delay, one way. 30 ms: our choice, which makes a mean of 50 ms.
    pub min: Duration,
    /// How fast long delays get rare. 2.5: our choice.
    pub shape: f64,
    /// Whether each message samples its delay, or each pair once. Each message.
    pub per: Per,
}

impl Default for ParetoConfig {
    fn default() -> ParetoConfig {
        ParetoConfig { min: Duration::from_millis(30), shape: 2.5, per: Per::Message }
    }
}

impl ParetoConfig {
    /// Builds the model.
    ///
    /// # Errors
    /// Refuses a shape that is not above 1.
    pub fn build(&self, site: &Site<'_>) -> Result<Box<dyn Model>, BuildError> {
        let ParetoConfig { min, shape, per } = *self;
        let delays = Distribution::Pareto { min, shape }.table()?;
        Ok(sampled(Sampled { delays, floor: Duration::ZERO }, per, site))
    }
}
