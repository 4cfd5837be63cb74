//! The network models that scenarios can name.

use peerlet_core::Seed;
use peerlet_core::runtime::SeatSet;
use peerlet_network::{
    BuildError, ConstantConfig, GeneratedConfig, KING_LIKE, LAYERS, LanConfig, LayersConfig,
    LognormalConfig, MODELS, MatrixConfig, Model, NOT_YET, NormalConfig, PLANETLAB_LIKE,
    ParetoConfig, Preset, RegionsConfig, Site, UniformConfig, WORLD_LIKE,
};
use peerlet_scenario::{
    NetworkTable, Part, Problem, Problems, Raw, RawValue, Scenario, Sources, read_file, suggest,
};

/// Makes a user's own model for a run with this seed and this many peers.
pub type MakeModel = fn(seed: Seed, peers: u32) -> Box<dyn Model>;

/// The network models of a program: the stock ones and the user's own.
#[derive(Default)]
pub struct Models {
    own: Vec<(&'static str, MakeModel)>,
}

/// Puts something around the model itself, below all layers.
pub(crate) type Around<'a> = &'a dyn Fn(Box<dyn Model>) -> Box<dyn Model>;

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

    /// Builds the model that the scenario names, puts `around` around it, and the scenario's layers
    /// around both; a constant 50 ms where it names none.
    ///
    /// # Errors
    /// When there is no such model, or a parameter is wrong, or a file cannot be read.
    pub fn build(
        &self,
        scenario: &Scenario,
        seed: Seed,
        around: Around<'_>,
    ) -> Result<Box<dyn Model>, Problems> {
        let Scenario { sources, network, peers, groups, .. } = scenario;
        let groups: Vec<(&str, &SeatSet)> =
            groups.iter().map(|group| (group.name.as_str(), &group.seats)).collect();
        // A file that a model names is beside the scenario that names it, which may be included.
        let named = network.as_ref().and_then(|network| {
            ["file", "delays"].iter().find_map(|name| network.parameters.get(name))
        });
        let base = named.map_or(&*sources.file().base, |part| sources.base(&part.raw.span));
        let site = Site { groups: &groups, read: &read_file, ..Site::new(seed, *peers, base) };
        let Some(network) = network else {
            let model = ConstantConfig::default().build(&site);
            let model = model.expect("the default network needs nothing");
            return Ok(around(model));
        };
        let (mut own, mut layers) = (network.parameters.clone(), Vec::new());
        if let RawValue::Table(parts) = &mut own.value {
            let is_layer = |part: &mut Part| LAYERS.iter().any(|layer| layer.name == part.name);
            layers.extend(parts.extract_if(.., is_layer));
        }
        let model = self.bare(sources, network, &own, &site)?;
        wrap(sources, &layers, around(model), network, &site)
    }

    fn bare(
        &self,
        sources: &Sources,
        network: &NetworkTable,
        parameters: &Raw,
        site: &Site<'_>,
    ) -> Result<Box<dyn Model>, Problems> {
        let name = network.model.as_str();
        if let Some((_, make)) = self.own.iter().find(|(own, _)| *own == name) {
            if let Some(part) = parameters.parts().first() {
                let message = format!("`{name}` takes no parameter `{}`", part.name);
                return Err(sources.problem(&part.name_span, message, "leave it out").into());
            }
            return Ok(make(site.seed, site.peers));
        }
        if let Some(part) = parameters.parts().iter().find(|p| NOT_YET.contains(&p.name.as_str())) {
            let name = format!("network.{}", part.name);
            return Err(sources.not_yet(&part.name_span, &name).into());
        }
        let read = Read { sources, parameters };
        let generated = |preset: &'static Preset| {
            read.then(|config: GeneratedConfig| config.build(preset, site))
        };
        match name {
            "constant" => read.then(|config: ConstantConfig| config.build(site)),
            "uniform" => read.then(|config: UniformConfig| config.build(site)),
            "lan" => read.then(|config: LanConfig| config.build(site)),
            "normal" => read.then(|config: NormalConfig| config.build(site)),
            "lognormal" => read.then(|config: LognormalConfig| config.build(site)),
            "pareto" => read.then(|config: ParetoConfig| config.build(site)),
            "regions" => read.then(|config: RegionsConfig| config.build(site)),
            "matrix" => read.then(|config: MatrixConfig| config.build(site)),
            "king-like" => generated(&KING_LIKE),
            "planetlab-like" => generated(&PLANETLAB_LIKE),
            "world-like" => generated(&WORLD_LIKE),
            _ if NOT_YET.contains(&name) => Err(sources.not_yet(&network.model_span, name).into()),
            _ => Err(self.unknown(sources, network).into()),
        }
    }

    fn unknown(&self, sources: &Sources, network: &NetworkTable) -> Problem {
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
    network: &NetworkTable,
    site: &Site<'_>,
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
    layers
        .wrap(model, site.seed, site.peers)
        .map_err(|error| problem(sources, &network.parameters, parts, &error).into())
}

/// The problem with a network, at the key that can mend it; at the table where that is missing.
fn problem(sources: &Sources, table: &Raw, parts: &[Part], error: &BuildError) -> Problem {
    let keys = error.keys();
    let found = keys.iter().find_map(|path| {
        let (first, rest) = path.split_first()?;
        let part = parts.iter().find(|part| part.name == *first)?;
        rest.iter().try_fold(&part.raw, |raw, key| within(raw, key))
    });
    let span = found.map_or(&table.span, |raw| &raw.span);
    // The message is one sentence: first the problem, then the remedy.
    let message = error.to_string();
    let (what, remedy) = message.rsplit_once("; ").unwrap_or((&message, ""));
    let problem = sources.problem(span, what, remedy);
    if is_of_reading(error) { problem.unreadable() } else { problem }
}

/// The part of a table or of a list that a key leads to.
fn within<'a>(raw: &'a Raw, key: &str) -> Option<&'a Raw> {
    match &raw.value {
        RawValue::List(items) => items.get(key.parse::<usize>().ok()?),
        _ => raw.get(key).map(|part| &part.raw),
    }
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
        let Read { sources, parameters } = self;
        let config = sources.read(parameters)?;
        let wrong = |error| problem(sources, parameters, parameters.parts(), &error).into();
        build(config).map_err(wrong)
    }
}

/// Whether a model cannot be built because a file cannot be read; one whose content is wrong was.
fn is_of_reading(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{FileTooLarge, InvalidData};
    match error.downcast_ref::<std::io::Error>() {
        Some(error) => !matches!(error.kind(), InvalidData | FileTooLarge),
        None => error.source().is_some_and(is_of_reading),
    }
}
