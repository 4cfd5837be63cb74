//! A program of a user's own, as a command line.

use std::ops::Deref;
#[cfg(feature = "cli")]
use std::process::ExitCode;

use peerlet_core::{Codec, Peer, Property, Seat};
use peerlet_overlay::Configured;
use peerlet_run::MakeModel;

/// Names what a program can run, and runs it: `main` is the whole command line.
///
/// Scenarios can name the stock peerlets, those [added here](Experiment::peerlet), and the stock
/// network models. A stack given by [`peer`](Experiment::peer) is used where the scenario has none,
/// so that a program with one experiment of its own needs no scenario file.
///
/// It is a [`peerlet_run::Experiment`] with a command line: a reference to it serves wherever one
/// of those is asked for, as in [`Plan::new`](crate::Plan::new). The page of [`run`](crate::run)
/// shows how a test simulates a plan.
///
#[cfg_attr(feature = "cli", doc = "```no_run")]
#[cfg_attr(not(feature = "cli"), doc = "```ignore")]
/// use peerlet::prelude::*;
/// # #[derive(Clone)] struct Hello;
/// # impl Peerlet for Hello {
/// #     const NAME: &'static str = "hello"; type Message = Nothing; type Timer = Nothing;
/// # }
/// fn main() -> ExitCode {
///     Experiment::new("hello").peer(|_seat| Peer::new().with(Hello)).main()
/// }
/// ```
pub struct Experiment(peerlet_run::Experiment);

impl Experiment {
    /// An experiment with this name, which titles its runs.
    pub fn new(name: &'static str) -> Experiment {
        Experiment(peerlet_run::Experiment::new(name))
    }

    /// Gives the stack of each peer, for scenarios that have none. It is called for the first life
    /// of a seat and for each life after a crash.
    pub fn peer(self, build: impl Fn(Seat) -> Peer + Send + Sync + 'static) -> Experiment {
        Experiment(self.0.peer(build))
    }

    /// Sets how messages are encoded, in every world. Default: [`Codec::Postcard`]. The processes
    /// of a live run must have the same.
    pub fn codec(self, codec: Codec) -> Experiment {
        Experiment(self.0.codec(codec))
    }

    /// Lets scenarios name this peerlet.
    pub fn peerlet<P: Configured + Clone + Sync>(self) -> Experiment {
        Experiment(self.0.peerlet::<P>())
    }

    /// Has this [property](crate::property) checked in each run, once a second unless the scenario
    /// says otherwise. Properties of the whole network are left out on real sockets.
    pub fn property(self, property: Property) -> Experiment {
        Experiment(self.0.property(property))
    }

    /// Has properties of peerlets checked in each run, as if the scenario named them: one by its
    /// name, as in `ring/nobody forgets`, or all of a peerlet, as in `ring/*`.
    pub fn check(self, name: &'static str) -> Experiment {
        Experiment(self.0.check(name))
    }

    /// Lets scenarios name a network model of the user's own.
    pub fn network(self, name: &'static str, make: MakeModel) -> Experiment {
        Experiment(self.0.network(name, make))
    }

    /// Runs the command line of this process and returns its exit code.
    #[cfg(feature = "cli")]
    pub fn main(self) -> ExitCode {
        peerlet_cli::main(&self.0, std::env::args_os())
    }
}

impl Deref for Experiment {
    type Target = peerlet_run::Experiment;

    fn deref(&self) -> &peerlet_run::Experiment {
        &self.0
    }
}
