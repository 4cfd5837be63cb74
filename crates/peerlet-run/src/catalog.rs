//! The peerlets that scenarios can name.

use peerlet_core::runtime::Registry;
use peerlet_core::{AnyPeerlet, Peer, Seed};
use peerlet_overlay::{
    Bootstrap, ConfigError, Configured, Lookups, Neighbors, Parameter, Parameters, Router,
};
use peerlet_scenario::{Problem, Raw, Sources, normalize, suggest};

/// Makes one more peerlet for one more peer, from parameters that were read and checked.
pub type Prototype = Box<dyn Fn() -> AnyPeerlet + Send + Sync>;

/// The peerlets that a scenario's `[stack]` can name, with their parameters.
pub struct Catalog {
    entries: Vec<Entry>,
}

/// One peerlet that scenarios can name.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// The parameters, with their defaults.
    pub parameters: Vec<(Parameter, String)>,
    /// A registry that holds this peerlet alone: what it says of itself.
    pub about: Registry,
    read: fn(&Sources, &Raw, Seed) -> Result<Prototype, Problem>,
}

impl Catalog {
    /// A catalog without peerlets.
    pub fn new() -> Catalog {
        Catalog { entries: Vec::new() }
    }

    /// The catalog of the stock peerlets.
    pub fn stock() -> Catalog {
        let mut catalog = Catalog::new();
        catalog.add::<Bootstrap>();
        catalog.add::<Neighbors>();
        catalog.add::<Router>();
        catalog.add::<Lookups>();
        catalog
    }

    /// Adds a peerlet, in the place of the one of its name if there is one.
    ///
    /// # Panics
    /// Panics when the parameters that it names are not those of its `Config`.
    pub fn add<P: Configured + Clone + Sync>(&mut self) {
        let defaults = serde_json::to_value(P::Config::default());
        let defaults = defaults.expect("parameters are plain values");
        let keys = defaults.as_object().map(|table| table.keys().map(String::as_str));
        let mut keys: Vec<&str> = keys.into_iter().flatten().collect();
        let mut named: Vec<&str> = P::Config::PARAMETERS.iter().map(Parameter::name).collect();
        keys.sort_unstable();
        named.sort_unstable();
        assert!(
            keys == named,
            "`{}` names the parameters {named:?} and its `Config` has {keys:?}; make them agree",
            P::NAME
        );
        let default = |name: &str| match defaults.get(name) {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(serde_json::Value::Null) | None => "none".to_owned(),
            Some(value) => value.to_string(),
        };
        let parameters = P::Config::PARAMETERS.iter().map(|p| (*p, default(p.name()))).collect();
        let mut about = Registry::new();
        if let Ok(peerlet) = P::configured(P::Config::default()) {
            about.describe(&Peer::new().with(peerlet));
        }
        let entry = Entry { name: P::NAME, parameters, about, read: read::<P> };
        match self.entries.iter_mut().find(|e| e.name == P::NAME) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
    }

    /// The peerlets, in the order in which they were added.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The names of the peerlets that play this role.
    pub(crate) fn players(&self, role: &str) -> Vec<&'static str> {
        let plays = |about: &Registry| about.entries().iter().any(|e| e.plays().any(|r| r == role));
        let players = self.entries.iter().filter(|entry| plays(&entry.about));
        players.map(|entry| entry.name).collect()
    }

    /// Reads the parameters of the peerlet with this name, written at `span`, in a scenario with
    /// this seed.
    pub fn read(
        &self,
        sources: &Sources,
        (name, span): (&str, &std::ops::Range<usize>),
        params: &Raw,
        seed: Seed,
    ) -> Result<Prototype, Problem> {
        let same = |e: &&Entry| normalize(e.name) == normalize(name);
        match self.entries.iter().find(same) {
            Some(entry) => (entry.read)(sources, params, seed),
            None => {
                let known: Vec<_> = self.entries.iter().map(|e| e.name).collect();
                let help = match suggest(name, &known) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("the peerlets of this program are: {}", known.join(", ")),
                };
                Err(sources.problem(span, format!("no peerlet is named `{name}`"), help))
            }
        }
    }
}

impl Default for Catalog {
    fn default() -> Catalog {
        Catalog::stock()
    }
}

fn read<P: Configured + Clone + Sync>(
    sources: &Sources,
    params: &Raw,
    seed: Seed,
) -> Result<Prototype, Problem> {
    let config: P::Config = sources.read(params)?;
    let wrong = |error: ConfigError| {
        let part = match &error {
            ConfigError::OutOfRange { parameter, .. } => params.get(parameter),
            _ => None,
        };
        let span = part.map_or(&params.span, |part| &part.raw.span);
        sources.problem(span, error.to_string(), "")
    };
    let peerlet = P::configured(config).map_err(wrong)?.seeded(seed);
    Ok(Box::new(move || AnyPeerlet::new(peerlet.clone())))
}
