//! Runs peers in virtual time from one seed.
//!
//! The simulator brings every event to its peer in the contract's order, (time, round, source,
//! seq), asks the network model for the fate of every message, and keeps a digest of all that was
//! handled: the same seed and scenario give the same digest, on every machine and in every build
//! profile.
//!
//! ```
//! use peerlet_core::{Context, Nothing, Peer, Peerlet, SECOND, Seat, Time};
//! use peerlet_core::runtime::{Act, Directive};
//! use peerlet_sim::{Setup, Simulation};
//!
//! #[derive(Default)]
//! struct Ticker;
//! impl Peerlet for Ticker {
//!     const NAME: &'static str = "ticker";
//!     type Message = Nothing;
//!     type Timer = ();
//!     fn start(&mut self, ctx: &mut Context<Self>) {
//!         ctx.every(SECOND, ());
//!     }
//! }
//!
//! let setup = Setup::new(10, SECOND * 60, |_seat| Peer::new().with(Ticker));
//! let starts = (0..10).map(|s| Directive { at: Time::ZERO, seat: Seat(s), act: Act::Start });
//! let outcome = Simulation::new(setup, starts)?.run()?;
//! assert_eq!(outcome.events, 10 + 10 * 59);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod at_cut;
mod setup;
mod simulation;
mod steps;

mod director;
mod running_seats;
mod simple;
mod threads;
mod windows;
mod worker;

mod batch;
mod books;
mod connection;
mod counting;
mod egress;
mod handshake;
mod ingress;
mod outbox;
mod seat_state;
mod sim_world;
mod worker_state;

mod calendar_queue;
mod event;
mod grid;
mod heap;
mod packed;
mod pause;
mod peer_counts;
mod signal;
mod sort;
mod sweep;

mod digest;
#[cfg(feature = "injected-bugs")]
mod injected_bugs;
mod outcome;
mod story;
mod story_hooks;
mod trace;
mod view;
mod watch;

/// The models that a simulation takes.
pub use peerlet_network as network;

pub use at_cut::ActError;
pub use digest::{Digest, EventKind, fold};
#[cfg(feature = "injected-bugs")]
#[doc(hidden)]
pub use injected_bugs::InjectedBug;
pub use outcome::{Outcome, RunError, StepError};
pub use peer_counts::PeerCounts;
pub use setup::{Build, Engine, Setup, SetupError};
pub use simulation::Simulation;
pub use story::{Story, StoryEvent, StoryEventKind, StoryFilter};
pub use threads::worker_name;
pub use trace::{Handled, JsonTrace, Sums, Trace};
pub use watch::Watch;
