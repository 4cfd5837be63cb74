//! Peer-to-peer systems that run unchanged in a deterministic simulation and on real sockets.
//!
//! A *peerlet* is a piece of message-passing functionality; a peer is a stack of them. An
//! [`Experiment`] names stacks and makes any program a command line that runs them:
//!
#![cfg_attr(feature = "cli", doc = "```no_run")]
#![cfg_attr(not(feature = "cli"), doc = "```ignore")]
//! use peerlet::prelude::*;
//!
//! /// Counts the seconds.
//! #[derive(Clone, Default)]
//! struct Clockwork;
//!
//! metrics! {
//!     METRICS for Clockwork {
//!         /// Seconds counted.
//!         TICKS: counter,
//!     }
//! }
//!
//! impl Peerlet for Clockwork {
//!     const NAME: &'static str = "clockwork";
//!     const METRICS: &'static [Metric] = METRICS;
//!     type Message = Nothing;
//!     type Timer = ();
//!
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
//! # In a test
//!
//! The same experiment simulates a network inside a test, whole or step by step ([`Sim`],
//! [`SimRun`]). The results are the same on every machine:
//!
//! ```
//! use peerlet::prelude::*;
//! # #[derive(Clone, Default)]
//! # struct Clockwork { ticks: u32 }
//! # impl Peerlet for Clockwork {
//! #     const NAME: &'static str = "clockwork"; type Message = Nothing; type Timer = ();
//! #     fn start(&mut self, ctx: &mut Context<Self>) { ctx.every(SECOND, ()); }
//! #     fn timer(&mut self, _: &mut Context<Self>, (): ()) { self.ticks += 1; }
//! # }
//! let experiment =
//!     Experiment::new("clockwork").peer(|_seat| Peer::new().with(Clockwork::default()));
//! let mut run = experiment.sim("peers = 100\nfor = \"1m\"\njoin = \"0s\"").start()?;
//! run.run_for(SECOND * 10)?;
//! run.crash(Seat(7))?;
//! run.run_for(SECOND * 10)?;
//! assert_eq!(run.peerlets::<Clockwork>().filter(|(_, clock)| clock.ticks == 19).count(), 99);
//! # Ok::<(), RunError>(())
//! ```
//!
//! # In a program
//!
//! With the feature `live`, a *node* is a live peer inside a tokio application: `Experiment::node`
//! starts one, closures reach its peerlets between events, and `Bootstrap::through` finds others.
//! `examples/node.rs` is one, and `examples/embedded.rs` serves HTTP over an overlay.
//!
//! # The crates
//!
//! | to | look at |
//! |---|---|
//! | write a peerlet | [`core`]: `Peerlet`, `Context`, tasks, roles, `TestPeer` |
//! | use stock peerlets, give yours parameters | [`overlay`]: `Bootstrap`, `Router`, `Configured` |
//! | simulate, run live, read results | [`run`]: `Sim`, `SimRun`, `Results`; with `live`, `Node` |
//! | read or write scenarios | [`scenario`] |
//! | change what happens to messages | [`network`]: `Model`, `Layer`, `Change` |
//! | work with measurements | [`measure`]: `Summary`, `Measurements`, `Ledger` |
//! | drive the engine yourself | [`sim`]: `Simulation`; with `live`, `live::run` |
//!
//! The parts are crates of their own, re-exported here as [`core`], [`network`], [`measure`],
//! [`overlay`], [`scenario`], [`sim`], [`run`] and, with the feature `live`, `live`. Both features,
//! `cli` and `live`, are on by default; without them the library simulates, and depends on neither
//! tokio nor clap nor quinn. The feature `bincode` adds a [`Codec`](prelude::Codec) that an
//! experiment may choose ([`Experiment::codec`]).

pub mod prelude;

mod experiment;
mod macros;

pub use experiment::Experiment;
pub use macros::{Parameters, commands, metrics};
pub use peerlet_run::{
    Catalog, MakeModel, Models, Plan, Results, RunError, Sim, SimRun, Stacks, World,
};

#[cfg(feature = "live")]
pub use peerlet_run::{Epoch, LiveOptions, LivePlan, Node, NodeBuilder, NodePeer, ScenarioRun};

pub use peerlet_core as core;
pub use peerlet_core::property;
#[cfg(feature = "live")]
pub use peerlet_live as live;
pub use peerlet_measure as measure;
pub use peerlet_network as network;
pub use peerlet_overlay as overlay;
pub use peerlet_run as run;
pub use peerlet_scenario as scenario;
pub use peerlet_sim as sim;
