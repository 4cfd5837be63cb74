//! Random scenarios: many runs that nobody thought of, each held to everything that can be said of
//! any run.
//!
//! A scenario is drawn from a seed and written as a file. Then it is on trial: it is
//! read like any other, run by one thread, by two, and by the reference engine, which must come to
//! the same; its accounts must balance; and on every stack there is a witness, a peerlet that
//! holds the runtime to the contract from the inside.

mod checker;
mod expected;
mod generate;
mod search;
mod trial;

use std::sync::Arc;

use peerlet_core::Time;
use peerlet_sim::Watch;

pub use search::{Finding, Findings, Search};
pub use trial::{Flaw, Score, Trial};

/// Changes the setup of a run; for tests.
pub type Alter = dyn Fn(&mut peerlet_sim::Setup);

/// Calls the function that it is given, which makes one run. The run ends at the time given, and
/// shows in the watch, which may stop it.
pub type Attend<'a> = dyn Fn(Arc<Watch>, Time, &mut dyn FnMut()) + 'a;
