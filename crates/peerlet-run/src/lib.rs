//! From a scenario to its results.
//!
//! An [`Experiment`] names the peerlets, stacks and network models of a program. A [`Plan`] is a
//! scenario resolved with one: all its problems are found then. [`simulate`] runs a plan in virtual
//! time; with the feature `live`, `emulate` and `run_live` run it on real sockets. All of them give
//! [`Results`].
//!
//! ```
//! use peerlet_core::{Context, Metric, Nothing, Peer, Peerlet, SECOND};
//! use peerlet_run::{Experiment, Plan, SimOptions, World, simulate};
//! use peerlet_scenario::Source;
//!
//! /// Counts the seconds.
//! struct Clock;
//!
//! const TICKS: Metric = Metric::counter("ticks");
//!
//! impl Peerlet for Clock {
//!     const NAME: &'static str = "clock";
//!     type Message = Nothing;
//!     type Timer = ();
//!
//!     fn describe(about: &mut peerlet_core::Description<Self>) {
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
//! let experiment = Experiment::new("clock").peer(|_seat| Peer::new().with(Clock));
//! let scenario = Source::new("test", "peers = 100\nfor = \"10s\"\njoin = \"0s\"");
//! let plan = Plan::new(&experiment, scenario, &[], World::Sim)?;
//! let run = simulate(&experiment, plan, SimOptions::default())?;
//! assert_eq!(run.summary().rows["clock/ticks"].sum, 900.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate prints nothing, reads no arguments and ends no process.

mod catalog;
mod details;
mod experiment;
mod faults;
pub mod inputs;
mod models;
mod plan;
mod transport;
mod world;

#[cfg(feature = "live")]
mod live_run;
#[cfg(feature = "live")]
mod node;
#[cfg(feature = "live")]
mod sections;
mod setup;
mod sim;
mod sim_run;
mod simulate;
#[cfg(feature = "live")]
mod sockets;
mod story_filter;

mod error;
mod expectations;
mod inspection;
mod observers;
#[cfg(not(feature = "live"))]
#[path = "no_sockets.rs"]
mod on_sockets;
#[cfg(feature = "live")]
mod on_sockets;
mod panics;
mod parallel;
mod properties;
mod results;
pub mod threads;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

pub use catalog::{Catalog, Entry, Prototype};
pub use error::RunError;
pub use expectations::{Unmet, Verdict};
pub use experiment::{Experiment, Stacks};
pub use models::{MakeModel, Models};
pub use observers::{LinkSink, Observation, ObservedLink, PlannedObserver};
pub use on_sockets::OnSockets;
pub use panics::PanicReport;
pub use parallel::run_parallel;
pub use peerlet_overlay::Parameter;
pub use plan::Plan;
pub use properties::{PlannedProperty, PropertyReport, PropertyVerdict, SkippedProperty};
pub use results::{PeerState, Results};
pub use setup::{SimOptions, simulated};
pub use sim::Sim;
pub use sim_run::SimRun;
pub use simulate::simulate;
pub use story_filter::story_filter;
pub use threads::SystemLimit;
pub use transport::Transport;
pub use world::World;

#[cfg(feature = "live")]
pub use live_run::{LivePlan, ScenarioRun};
#[cfg(feature = "live")]
pub use node::{Epoch, Node, NodeBuilder, NodePeer};
#[cfg(feature = "live")]
pub use setup::{LiveOptions, live};
#[cfg(feature = "live")]
pub use sockets::{emulate, run_live};
