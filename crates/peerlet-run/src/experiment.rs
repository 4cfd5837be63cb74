//! The peerlets, stacks and network models of one program.

use std::sync::Arc;

use peerlet_core::{Codec, Peer, Seat};
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
}

impl Experiment {
    /// An experiment with this name, which titles its runs.
    pub fn new(name: &'static str) -> Experiment {
        let (catalog, models) = (Catalog::stock(), Models::default());
        Experiment { name, catalog, models, codec: Codec::default(), build: None }
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

    /// Lets scenarios name a network model of the user's own.
    pub fn network(mut self, name: &'static str, make: MakeModel) -> Experiment {
        self.models.add(name, make);
        self
    }
}
