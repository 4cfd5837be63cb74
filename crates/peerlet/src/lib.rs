//! Peer-to-peer systems that run unchanged in a deterministic simulation and on real sockets.
//!
//! A *peerlet* is a piece of message-passing functionality; a peer is a stack of them. An
//! [`Experiment`] names stacks and makes any program a command line that runs them:
//!
//! ```no_run
//! use peerlet::prelude::*;
//!
//! /// Counts the seconds.
//! #[derive(Clone, Default)]
//! struct Clockwork;
//!
//! const TICKS: Metric = Metric::counter("ticks").help("seconds counted");
//!
//! impl Peerlet for Clockwork {
//!     const NAME: &'static str = "clockwork";
//!     type Message = Nothing;
//!     type Timer = ();
//!
//!     fn describe(about: &mut About<Self>) {
//!         about.measures(&TICKS);
//!     }
//!     fn start(&mut self, ctx: &mut Context<Self>) {
//!         ctx.every(SECOND, ());
//!     }
//!     fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
//!         ctx.measure(TICKS, 1.0);
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     Experiment::new("clockwork").peer(|_seat| Peer::new().with(Clockwork)).main()
//! }
//! ```
//!
//! and then `clockwork sim --peers 10000 --network king-like --for 60s`.
//!
//! The parts are crates of their own, re-exported here as [`core`], [`network`], [`measure`],
//! [`overlay`], [`scenario`], [`sim`] and [`live`].

pub mod prelude;

mod catalog;
mod error;
mod experiment;
mod faults;
mod inputs;
mod models;
mod plan;
mod simulate;
mod sockets;

mod arguments;
mod compare;
mod exit;
mod failure;
mod fidelity;
mod run;
mod transport;
mod world;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[doc(hidden)]
pub mod random;

mod logs;
mod output;

pub use catalog::Catalog;
pub use experiment::Experiment;
pub use models::{MakeModel, Models};
pub use plan::{Plan, Stacks};

pub use peerlet_core as core;
pub use peerlet_live as live;
pub use peerlet_measure as measure;
pub use peerlet_network as network;
pub use peerlet_overlay as overlay;
pub use peerlet_scenario as scenario;
pub use peerlet_sim as sim;
