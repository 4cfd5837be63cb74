//! Random scenarios, each checked against everything that holds for any run.
//!
//! A scenario is generated from a seed and written as a file. The trial then reads it like any
//! other, and runs it with one thread, with two, and by the reference engine. All must have the
//! same outcome, and the accounts must balance. On top of every stack there is a checker (the
//! option `--witness`), a peerlet that checks the contract from the inside.

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

/// Calls its function argument, which makes one run. The run ends at the time given; the watch
/// shows its progress and may stop it.
pub type Attend<'a> = dyn Fn(Arc<Watch>, Time, &mut dyn FnMut()) + 'a;
