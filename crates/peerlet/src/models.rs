//! The network models that scenarios can name.

use std::path::Path;

use peerlet_core::Seed;
use peerlet_network::{
    BuildError, ConstantConfig, GeneratedConfig, KING_LIKE, LAYERS, LanConfig, LayersConfig,
    LognormalConfig, MODELS, MatrixConfig, Model, NOT_YET, NormalConfig, PLANETLAB_LIKE,
    ParetoConfig, Preset, RegionsConfig, UniformConfig, WORLD_LIKE,
};
use peerlet_scenario::{Network, Part, Problem, Problems, Raw, RawValue, Sources, suggest};

/// Makes a user's own model for a run with this seed and this many peers.
pub type MakeModel = fn(seed: Seed, peers: u32) -> Box<dyn Model>;

/// The network models of a program: the stock ones and the user's own.
#[derive(Default)]
pub struct Models {
    own: Vec<(&'static str, MakeModel)>,
}

/// Where and for whom a model is built.
#[derive(Clone, Copy)]
struct Site<'a> {
    seed: Seed,
    peers: u32,
    base: &'a Path,
}

type Built = Result<Box<dyn Model>, BuildError>;

impl Models {
    /// Adds a model of the user's own; it takes no parameters from the scenario.
    pub fn add(&mut self, name: &'static str, make: MakeModel) {
        self.own.push((name, make));
    }

    /// The names of the user's own models.
    pub fn own(&self) -> impl Iterator<Item = &'static str> {
        self.own.iter().map(|(name, _)| *name)
    }

    /// Builds the model that the scenario names, with its layers; a constant 50 ms where it names
    /// none.
    ///
    /// # Errors
    /// When there is no such model, or a parameter is wrong, or a file cannot be read.
    pub fn build(
        &self,
        sources: &Sources,
        network: Option<&Network>,
        seed: Seed,
        peers: u32,
    ) -> Result<Box<dyn Model>, Problems> {
        let base = sources.file().base.clone();
        let site = Site { seed, peers, base: &base };
        let Some(network) = network else {
            return Ok(ConstantConfig::default()
                .build(seed, peers, &base)
                .expect("the default network needs nothing"));
        };
        let (mut own, mut layers) = (network.parameters.clone(), Vec::new());
        if let RawValue::Table(parts) = &mut own.value {
            let is_layer = |part: &mut Part| LAYERS.iter().any(|layer| layer.name == part.name);
            layers.extend(parts.extract_if(.., is_layer));
        }
        let model = self.bare(sources, network, &own, site)?;
        wrap(sources, &layers, model, site)
    }

    fn bare(
        &self,
        sources: &Sources,
        network: &Network,
        parameters: &Raw,
        site: Site<'_>,
    ) -> Result<Box<dyn Model>, Problems> {
        let name = network.model.as_str();
        if let Some((_, make)) = self.own.iter().find(|(own, _)| *own == name) {
            if let Some(part) = parameters.parts().first() {
                let message = format!("`{name}` takes no parameter `{}`", part.name);
                return Err(sources.problem(&part.name_span, message, "leave it out").into());
            }
            return Ok(make(site.seed, site.peers));
        }
        let (seed, peers, base) = (site.seed, site.peers, site.base);
        if let Some(part) = parameters.parts().iter().find(|p| NOT_YET.contains(&p.name.as_str())) {
            let name = format!("network.{}", part.name);
            return Err(sources.not_yet(&part.name_span, &name).into());
        }
        let read = Read { sources, parameters };
        let generated = |preset: &'static Preset| {
            read.then(|config: GeneratedConfig| config.build(preset, seed, peers, base))
        };
        match name {
            "constant" => read.then(|config: ConstantConfig| config.build(seed, peers, base)),
            "uniform" => read.then(|config: UniformConfig| config.build(seed, peers, base)),
            "lan" => read.then(|config: LanConfig| config.build(seed, peers, base)),
            "normal" => read.then(|config: NormalConfig| config.build(seed, peers, base)),
            "lognormal" => read.then(|config: LognormalConfig| config.build(seed, peers, base)),
            "pareto" => read.then(|config: ParetoConfig| config.build(seed, peers, base)),
            "regions" => read.then(|config: RegionsConfig| config.build(seed, peers, base)),
            "matrix" => read.then(|config: MatrixConfig| config.build(seed, peers, base)),
            "king-like" => generated(&KING_LIKE),
            "planetlab-like" => generated(&PLANETLAB_LIKE),
            "world-like" => generated(&WORLD_LIKE),
            _ if NOT_YET.contains(&name) => Err(sources.not_yet(&network.model_span, name).into()),
            _ => Err(self.unknown(sources, network).into()),
        }
    }

    fn unknown(&self, sources: &Sources, network: &Network) -> Problem {
        let known: Vec<_> = MODELS.iter().map(|model| model.name).chain(self.own()).collect();
        let help = match suggest(&network.model, &known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the models are: {}", known.join(", ")),
        };
        let message = format!("no network model is named `{}`", network.model);
        sources.problem(&network.model_span, message, help)
    }
}

/// Puts the layers that a scenario has around a model.
fn wrap(
    sources: &Sources,
    parts: &[Part],
    model: Box<dyn Model>,
    site: Site<'_>,
) -> Result<Box<dyn Model>, Problems> {
    let mut layers = LayersConfig::default();
    for Part { name, raw, .. } in parts {
        match name.as_str() {
            "access" => layers.access = Some(sources.read(raw)?),
            "corrupt" => layers.corrupt = Some(sources.read(raw)?),
            "duplicate" => layers.duplicate = Some(sources.read(raw)?),
            "jitter" => layers.jitter = Some(sources.read(raw)?),
            "loss" => layers.loss = Some(sources.read(raw)?),
            "reorder" => layers.reorder = Some(sources.read(raw)?),
            other => unreachable!("`{other}` is listed as a layer and not read"),
        }
    }
    layers.wrap(model, site.seed, site.peers).map_err(|error| {
        let layer = match &error {
            BuildError::Law(_) => "jitter",
            BuildError::Seat { .. } => "loss",
            _ => "access",
        };
        let part = parts.iter().find(|part| part.name == layer);
        let span = part.map_or(0..0, |part| part.raw.span.clone());
        sources.problem(&span, error.to_string(), "").into()
    })
}

/// Reads a model's parameters and builds it, with the place of whatever goes wrong.
struct Read<'a> {
    sources: &'a Sources,
    parameters: &'a Raw,
}

impl Read<'_> {
    fn then<C: serde::de::DeserializeOwned>(
        &self,
        build: impl FnOnce(C) -> Built,
    ) -> Result<Box<dyn Model>, Problems> {
        let config = self.sources.read(self.parameters)?;
        build(config).map_err(|error| {
            // Point at the file that was named, where it was one.
            let file = self.parameters.get("file").map(|part| part.raw.span.clone());
            let span = file.unwrap_or(self.parameters.span.clone());
            let problem = self.sources.problem(&span, error.to_string(), "");
            if is_of_reading(&error) { problem.unreadable().into() } else { problem.into() }
        })
    }
}

/// Whether a model cannot be built because a file cannot be read.
fn is_of_reading(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<std::io::Error>() || error.source().is_some_and(is_of_reading)
}
