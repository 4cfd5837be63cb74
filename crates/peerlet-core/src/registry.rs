//! All peerlet types of a run, numbered.

use std::any::{TypeId, type_name};
use std::collections::BTreeMap;
use std::fmt;

use crate::column::Column;
use crate::command::Signature;
use crate::description::{Description, Need};
use crate::links::LinkSource;
use crate::map::Map;
use crate::metric::{Metric, MetricOf};
use crate::parcel::{MetricIndex, Port};
use crate::peer::Peer;
use crate::peerlet::Peerlet;
use crate::picks::WrongPick;
use crate::property::Property;
use crate::role::{Played, Players, RoleName, Roles};

/// The peerlet types of a run, numbered by [`Port`], and their metrics, numbered by
/// [`MetricIndex`].
///
/// Every process of a run makes the same one from the same stacks, so that ports agree between
/// them.
#[derive(Default)]
pub struct Registry {
    entries: Vec<Entry>,
    metrics: Vec<(String, Metric)>,
    /// For each of them that is a combination of tag values, the metric that it belongs to.
    parents: Vec<Option<MetricIndex>>,
    /// For each type of event, the indices of the listeners of each port.
    heard: Map<TypeId, BTreeMap<Port, Vec<usize>>>,
    roles: Roles,
}

/// Ends the compilation of a peerlet that records a metric with a place, and whose `METRICS` has
/// another one there, or none.
pub(crate) const fn assert_listed<P: Peerlet, M: MetricOf<P>>() {
    if let Some((place, metric)) = M::LISTED {
        let place = place as usize;
        assert!(
            place < P::METRICS.len() && same(P::METRICS[place].name(), metric.name()),
            "a peerlet records a metric and does not list it; write \
             `const METRICS: &'static [Metric] = ..;` in its `impl Peerlet`, with the list that \
             `metrics!` made"
        );
        assert!(
            M::TAGGED == 0 || M::TAGGED == metric.tag_count(),
            "a value is recorded with another number of tags than its metric has; give one for each"
        );
    }
}

/// Whether two texts are the same, for constants.
const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut i = 0;
    while i < one.len() && i < other.len() && one[i] == other[i] {
        i += 1;
    }
    i == one.len() && i == other.len()
}

/// The registry's entry of one peerlet type.
pub struct Entry {
    name: &'static str,
    version: u16,
    type_id: TypeId,
    /// The type of its messages, with its path.
    message: &'static str,
    help: &'static str,
    needs: Vec<Need>,
    uses: Vec<(TypeId, &'static str)>,
    plays: Vec<RoleName>,
    wants: Vec<RoleName>,
    listeners: Vec<TypeId>,
    metrics: Vec<Metric>,
    /// The metrics' names, close together.
    metric_names: Vec<&'static str>,
    commands: Vec<Signature>,
    properties: Vec<Property>,
    links: Option<LinkSource>,
    metrics_from: u16,
    /// For each metric, the index of its first combination of tag values.
    cells_from: Vec<u16>,
    /// The way to each role that it plays, until the type is numbered.
    casts: Vec<Played>,
    column: fn() -> Box<dyn Column>,
}

impl Entry {
    pub(crate) fn of<P: Peerlet>(column: fn() -> Box<dyn Column>) -> Entry {
        let about = Description::<P>::of();
        Entry {
            name: P::NAME,
            version: P::VERSION,
            type_id: TypeId::of::<P>(),
            message: type_name::<P::Message>(),
            help: about.help,
            needs: about.needs,
            uses: about.uses,
            plays: about.plays.iter().map(|played| played.role).collect(),
            casts: about.plays,
            wants: about.wants,
            listeners: about.listeners.iter().map(|(event, _)| *event).collect(),
            metric_names: about.metrics.iter().map(Metric::name).collect(),
            metrics: about.metrics,
            commands: about.commands,
            properties: about.properties,
            links: about.links,
            metrics_from: 0,
            cells_from: Vec::new(),
            column,
        }
    }

    #[cold]
    fn metric_named(&self, name: &str) -> Option<usize> {
        self.metric_names.iter().position(|known| *known == name)
    }

    #[inline]
    pub(crate) fn is_of<P: Peerlet>(&self) -> bool {
        self.type_id == TypeId::of::<P>()
    }

    pub(crate) fn played(&self) -> &[RoleName] {
        &self.plays
    }

    pub(crate) fn wanted(&self) -> &[RoleName] {
        &self.wants
    }

    /// The peerlet's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The name of the type of the peerlet's messages, without its path.
    pub fn message_type(&self) -> &'static str {
        // The path of a type parameter has colons as well.
        let end = self.message.find('<').unwrap_or(self.message.len());
        let start = self.message[..end].rfind("::").map_or(0, |at| at + 2);
        &self.message[start..]
    }

    /// The version of the peerlet's messages.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// A sentence on what the peerlet does; may be empty.
    pub fn help(&self) -> &'static str {
        self.help
    }

    /// Its needs of a world.
    pub fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// The names of the siblings it uses.
    pub fn uses(&self) -> impl Iterator<Item = &'static str> {
        self.uses.iter().map(|(_, name)| *name)
    }

    /// The names of the roles it plays for its siblings.
    pub fn plays(&self) -> impl Iterator<Item = &'static str> {
        self.plays.iter().map(|role| role.name)
    }

    /// The names of the roles that a sibling must play for it.
    pub fn wants(&self) -> impl Iterator<Item = &'static str> {
        self.wants.iter().map(|role| role.name)
    }

    /// The commands it takes.
    pub fn commands(&self) -> &[Signature] {
        &self.commands
    }

    /// The metrics it records.
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// The properties that it, or the network of its kind, is to have.
    pub fn properties(&self) -> &[Property] {
        &self.properties
    }

    /// How its links are read; `None` where it tells none.
    pub fn links(&self) -> Option<&LinkSource> {
        self.links.as_ref()
    }
}

/// Why a stack cannot run.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StackError {
    /// Two peerlets of one stack, or two types of one run, share a name.
    Name(&'static str),
    /// A name is not of lower-case letters, digits and underscores.
    Spelling(&'static str),
    /// A peerlet uses a sibling that is not on the stack.
    Sibling {
        /// The peerlet.
        peerlet: &'static str,
        /// The sibling it misses.
        sibling: &'static str,
    },
    /// No sibling below a peerlet plays a role that it wants.
    Role {
        /// The peerlet.
        peerlet: &'static str,
        /// The role.
        role: &'static str,
        /// A sibling that plays it and is not below.
        above: Option<&'static str>,
    },
    /// A peerlet picks a sibling by a name that is wrong.
    Pick(WrongPick),
    /// A peerlet needs a service that the world cannot provide.
    Need {
        /// The peerlet.
        peerlet: &'static str,
        /// The need.
        need: &'static str,
    },
    /// A peerlet gives two metrics the same name.
    Metric {
        /// The peerlet.
        peerlet: &'static str,
        /// The metric's name.
        metric: &'static str,
    },
    /// With this peerlet, the stacks have more than 65,535 metrics and combinations of their tags.
    Metrics(&'static str),
    /// A peerlet gives two properties the same name.
    Property {
        /// The peerlet.
        peerlet: &'static str,
        /// The property's name.
        property: String,
    },
}

impl StackError {
    /// The peerlet that has the problem.
    pub fn peerlet(&self) -> &'static str {
        match self {
            StackError::Name(peerlet)
            | StackError::Spelling(peerlet)
            | StackError::Metrics(peerlet) => peerlet,
            StackError::Sibling { peerlet, .. }
            | StackError::Role { peerlet, .. }
            | StackError::Pick(WrongPick { peerlet, .. })
            | StackError::Need { peerlet, .. }
            | StackError::Metric { peerlet, .. }
            | StackError::Property { peerlet, .. } => peerlet,
        }
    }
}

impl StackError {
    /// The role that no peerlet on the stack plays, where that is the problem.
    pub fn unplayed_role(&self) -> Option<&'static str> {
        match self {
            StackError::Role { role, above: None, .. } => Some(role),
            StackError::Pick(wrong) if wrong.players.is_empty() => Some(wrong.role),
            _ => None,
        }
    }
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StackError::Name(name) => {
                write!(f, "two peerlets are named `{name}`; give each its own `NAME`")
            }
            StackError::Spelling(name) => write!(
                f,
                "a peerlet is named `{name}`; use lower-case letters, digits and underscores"
            ),
            StackError::Sibling { peerlet, sibling } => write!(
                f,
                "`{peerlet}` uses `{sibling}`, which is not on the stack; add `{sibling}`"
            ),
            StackError::Role { peerlet, role, above: None } => write!(
                f,
                "`{peerlet}` wants a sibling in the role `{role}`, and none on the stack plays it; \
                 put one below `{peerlet}`"
            ),
            StackError::Role { peerlet, role, above: Some(above) } => write!(
                f,
                "`{peerlet}` wants a sibling in the role `{role}` below it, and `{above}`, which \
                 plays it, is above; put `{above}` below `{peerlet}`, or pick it by its name"
            ),
            StackError::Pick(wrong) => wrong.fmt(f),
            StackError::Need { peerlet, need } => write!(
                f,
                "`{peerlet}` needs {need}, which this world cannot give; \
                 choose another world or transport"
            ),
            StackError::Metric { peerlet, metric } => {
                write!(f, "`{peerlet}` names two metrics `{metric}`; give each its own name")
            }
            StackError::Metrics(peerlet) => write!(
                f,
                "with `{peerlet}` there are more than 65535 metrics and combinations of tags; \
                 give its metrics fewer tag values"
            ),
            StackError::Property { peerlet, property } => {
                write!(f, "`{peerlet}` has two properties `{property}`; give each its own name")
            }
        }
    }
}

impl std::error::Error for StackError {}

impl Registry {
    /// An empty registry.
    pub fn new() -> Registry {
        Registry::default()
    }

    /// The registry of these stacks, all checked.
    ///
    /// # Errors
    /// As for [`add`](Registry::add).
    pub fn of(peers: impl IntoIterator<Item = Peer>) -> Result<Registry, StackError> {
        let mut registry = Registry::new();
        peers.into_iter().try_for_each(|peer| registry.add(&peer))?;
        Ok(registry)
    }

    /// Numbers the peerlet types of this stack that are new, in order, and checks that the stack
    /// can run.
    ///
    /// # Errors
    /// When a sibling or a player of a role is missing, a name is used twice or misspelled, or a
    /// peerlet [picks](Peerlet::picks) a sibling by a wrong name.
    pub fn add(&mut self, peer: &Peer) -> Result<(), StackError> {
        for (i, peerlet) in peer.peerlets.iter().enumerate() {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if peerlet.name().is_empty() || !peerlet.name().chars().all(plain) {
                return Err(StackError::Spelling(peerlet.name()));
            }
            let again = peer.peerlets[..i].iter().any(|p| p.name() == peerlet.name());
            let known = self.entries.iter().find(|e| e.name == peerlet.name());
            if again || known.is_some_and(|e| e.type_id != (**peerlet).type_id()) {
                return Err(StackError::Name(peerlet.name()));
            }
            if known.is_none() {
                self.number(peerlet.entry())?;
            }
        }
        for entry in peer.peerlets.iter().filter_map(|p| self.entry_of((**p).type_id())) {
            for (id, sibling) in &entry.uses {
                if !peer.peerlets.iter().any(|p| (**p).type_id() == *id) {
                    return Err(StackError::Sibling { peerlet: entry.name, sibling });
                }
            }
        }
        self.check_roles(peer)
    }

    /// Numbers the peerlet types of this stack without checking whether it can run: to read their
    /// descriptions.
    pub fn describe(&mut self, peer: &Peer) {
        for peerlet in &peer.peerlets {
            if self.entry_of((**peerlet).type_id()).is_none() {
                // Two metrics of one name are reported when the peerlet is used.
                drop(self.number(peerlet.entry()));
            }
        }
    }

    fn number(&mut self, mut entry: Entry) -> Result<(), StackError> {
        let properties = &entry.properties;
        if let Some(again) = properties.iter().enumerate().find_map(|(i, property)| {
            properties[..i].iter().find(|earlier| earlier.name() == property.name())
        }) {
            let property = again.name().to_owned();
            return Err(StackError::Property { peerlet: entry.name, property });
        }
        entry.metrics_from = self.metrics.len() as u16;
        for (i, metric) in entry.metrics.iter().enumerate() {
            if entry.metrics[..i].iter().any(|m| m.name() == metric.name()) {
                let (peerlet, metric) = (entry.name, metric.name());
                return Err(StackError::Metric { peerlet, metric });
            }
            self.metrics.push((format!("{}/{}", entry.name, metric.name()), *metric));
            self.parents.push(None);
        }
        for (place, metric) in entry.metrics.iter().enumerate() {
            let parent = MetricIndex(entry.metrics_from + place as u16);
            entry.cells_from.push(self.metrics.len() as u16);
            for cell in 0..metric.cells() {
                self.metrics.push((format!("{}/{}", entry.name, metric.cell_name(cell)), *metric));
                self.parents.push(Some(parent));
            }
        }
        if self.metrics.len() > usize::from(u16::MAX) {
            return Err(StackError::Metrics(entry.name));
        }
        let port = Port(self.entries.len() as u16);
        self.roles.add(port, std::mem::take(&mut entry.casts));
        for (place, event) in entry.listeners.iter().enumerate() {
            self.heard.entry(*event).or_default().entry(port).or_default().push(place);
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Checks that a world that provides these services can run all types.
    ///
    /// # Errors
    /// Names the first peerlet with a need that is not met.
    pub fn check_needs(&self, given: &[Need]) -> Result<(), StackError> {
        for entry in &self.entries {
            if let Some(need) = entry.needs.iter().find(|need| !given.contains(need)) {
                return Err(StackError::Need { peerlet: entry.name, need: need.name() });
            }
        }
        Ok(())
    }

    /// The peerlet types, by port.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The metric that the one with this index is a combination of tag values of; `None` where it
    /// is a whole metric.
    pub fn metric_parent(&self, index: usize) -> Option<usize> {
        self.parents.get(index).copied().flatten().map(|parent| usize::from(parent.0))
    }

    /// The metrics with their full names, by index. Behind those of a peerlet come all combinations
    /// of their tag values.
    pub fn metrics(&self) -> &[(String, Metric)] {
        &self.metrics
    }

    /// The type behind a port; `None` when no type has it.
    #[inline]
    pub fn entry(&self, port: Port) -> Option<&Entry> {
        self.entries.get(usize::from(port.0))
    }

    /// The port of the peerlet with this name; `None` when there is none.
    pub fn port_named(&self, name: &str) -> Option<Port> {
        self.entries.iter().position(|e| e.name == name).map(|i| Port(i as u16))
    }

    /// The peerlet types that play a role.
    #[inline]
    pub(crate) fn players_of(&self, role: TypeId) -> Option<&Players> {
        self.roles.of(role)
    }

    pub(crate) fn entry_of(&self, type_id: TypeId) -> Option<&Entry> {
        self.entries.iter().find(|e| e.type_id == type_id)
    }

    pub(crate) fn port_of(&self, type_id: TypeId) -> Option<Port> {
        self.entries.iter().position(|e| e.type_id == type_id).map(|i| Port(i as u16))
    }

    #[inline(always)]
    pub(crate) fn metric_of(&self, port: Port, name: &'static str) -> Option<MetricIndex> {
        let entry = &self.entries[usize::from(port.0)];
        // Names are compared by address first: nearly always the constant itself comes back.
        let place = entry.metric_names.iter().position(|known| std::ptr::eq(*known, name));
        let place = place.or_else(|| entry.metric_named(name))?;
        Some(MetricIndex(entry.metrics_from + place as u16))
    }

    /// The index of the metric at this place of the peerlet's own.
    #[inline(always)]
    pub(crate) fn metric_at(&self, port: Port, place: u16) -> MetricIndex {
        MetricIndex(self.entries[usize::from(port.0)].metrics_from + place)
    }

    /// The index of a combination of tag values of one of the peerlet's own metrics.
    #[inline(always)]
    pub(crate) fn metric_cell(&self, port: Port, metric: MetricIndex, cell: usize) -> MetricIndex {
        let entry = &self.entries[usize::from(port.0)];
        let place = usize::from(metric.0 - entry.metrics_from);
        MetricIndex(entry.cells_from[place] + cell as u16)
    }

    /// Whether any type hears events of this type.
    pub(crate) fn is_heard(&self, event: TypeId) -> bool {
        self.heard.contains_key(&event)
    }

    /// The places of this port's listeners for events of this type, in its list of listeners.
    pub(crate) fn ears_of(&self, port: Port, event: TypeId) -> impl Iterator<Item = usize> {
        let listeners = self.heard.get(&event).and_then(|ports| ports.get(&port));
        listeners.into_iter().flatten().copied()
    }

    pub(crate) fn new_columns(&self) -> Vec<Box<dyn Column>> {
        self.entries.iter().map(|entry| (entry.column)()).collect()
    }
}
