//! From a scenario to its results.
//!
//! An [`Experiment`] names the peerlets, stacks and network models of a program. A [`Plan`] is a
//! scenario resolved with one: all its problems are found then. [`simulate`] runs a plan in virtual
//! time; with the feature `live`, `emulate` and `run_live` run it on real sockets. All of them give
//! [`Results`].
//!
//! This crate prints nothing, reads no arguments and ends no process.

mod catalog;
mod experiment;
mod faults;
pub mod inputs;
mod models;
mod plan;
mod transport;
mod world;

#[cfg(feature = "live")]
mod sections;
mod setup;
mod simulate;
#[cfg(feature = "live")]
mod sockets;

mod error;
mod expectations;
#[cfg(not(feature = "live"))]
#[path = "no_sockets.rs"]
mod on_sockets;
#[cfg(feature = "live")]
mod on_sockets;
mod panics;
mod results;
pub mod threads;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

pub use catalog::{Catalog, Entry, Prototype};
pub use error::RunError;
pub use expectations::Verdict;
pub use experiment::{Experiment, Stacks};
pub use models::{MakeModel, Models};
pub use on_sockets::OnSockets;
pub use panics::PanicReport;
pub use plan::Plan;
pub use results::Results;
pub use setup::{SimOptions, simulated};
pub use simulate::simulate;
pub use threads::SystemLimit;
pub use transport::Transport;
pub use world::World;

#[cfg(feature = "live")]
pub use setup::{LiveOptions, live};
#[cfg(feature = "live")]
pub use sockets::{emulate, run_live};
