//! The peerlets, stacks and network models of one program.

use std::sync::Arc;

use peerlet_core::{Codec, Peer, Property, Seat};
use peerlet_overlay::Configured;

use crate::catalog::Catalog;
use crate::models::{MakeModel, Models};

/// Builds the stack of a seat's peer.
pub type Build = Arc<dyn Fn(Seat) -> Peer + Send + Sync>;

/// The stacks of all seats.
pub type Stacks = dyn Fn(Seat) -> Peer + Send + Sync;

/// Names what a program can run.
///
/// Scenarios can name the stock peerlets, those [added here](Experiment::peerlet), and the stock
/// network models. A stack given by [`peer`](Experiment::peer) is used where the scenario has none,
/// so that a program with one experiment of its own needs no scenario file.
pub struct Experiment {
    /// The name, which titles its runs.
    pub name: &'static str,
    /// The peerlets that scenarios can name.
    pub catalog: Catalog,
    /// The network models that scenarios can name.
    pub models: Models,
    /// How the messages of its runs are encoded.
    pub codec: Codec,
    pub(crate) build: Option<Build>,
    /// The properties of its own that are checked in each run.
    pub properties: Vec<Property>,
    /// The names of properties of peerlets that are checked in each run.
    pub(crate) checks: Vec<&'static str>,
}

impl Experiment {
    /// An experiment with this name, which titles its runs.
    pub fn new(name: &'static str) -> Experiment {
        let (catalog, models) = (Catalog::stock(), Models::default());
        let (codec, properties, checks) = Default::default();
        Experiment { name, catalog, models, codec, build: None, properties, checks }
    }

    /// Gives the stack of each peer, for scenarios that have none. It is called for the first life
    /// of a seat and for each life after a crash.
    pub fn peer(mut self, build: impl Fn(Seat) -> Peer + Send + Sync + 'static) -> Experiment {
        self.build = Some(Arc::new(build));
        self
    }

    /// Sets how messages are encoded, in every world. Default: [`Codec::Postcard`]. The processes
    /// of a live run must have the same.
    pub fn codec(mut self, codec: Codec) -> Experiment {
        self.codec = codec;
        self
    }

    /// Lets scenarios name this peerlet.
    pub fn peerlet<P: Configured + Clone + Sync>(mut self) -> Experiment {
        self.catalog.add::<P>();
        self
    }

    /// Has this [property](peerlet_core::property) checked in each run, once a second unless the
    /// scenario says otherwise. Properties of the whole network are left out on real sockets.
    ///
    /// ```
    /// use peerlet_core::property::each_peer;
    /// # use peerlet_core::{Nothing, Peer, Peerlet, Property};
    /// # #[derive(Default)]
    /// # struct Clock { ticks: u32 }
    /// # impl Peerlet for Clock {
    /// #     const NAME: &'static str = "clock";
    /// #     type Message = Nothing;
    /// #     type Timer = Nothing;
    /// # }
    /// use peerlet_run::Experiment;
    ///
    /// let experiment = Experiment::new("clock")
    ///     .peer(|_seat| Peer::new().with(Clock::default()))
    ///     .property(Property::always("few ticks", each_peer(|clock: &Clock, _| clock.ticks < 9)));
    /// let results = experiment.sim("peers = 10\nfor = \"5s\"").run()?;
    /// assert!(results.properties[0].held && results.properties[0].checked == 5);
    /// # Ok::<(), peerlet_run::RunError>(())
    /// ```
    pub fn property(mut self, property: Property) -> Experiment {
        self.properties.push(property);
        self
    }

    /// Has properties of peerlets checked in each run, as if the scenario named them: one by its
    /// name, as in `ring/nobody forgets`, or all of a peerlet, as in `ring/*`. Those of peerlets
    /// that a run does not have are no part of it.
    pub fn check(mut self, name: &'static str) -> Experiment {
        self.checks.push(name);
        self
    }

    /// Lets scenarios name a network model of the user's own.
    pub fn network(mut self, name: &'static str, make: MakeModel) -> Experiment {
        self.models.add(name, make);
        self
    }
}
