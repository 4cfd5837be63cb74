//! The suite that every runtime must pass: the contract, case by case.
//!
//! To check a runtime, implement [`Candidate`]: run an [`Experiment`] of a few peers for a
//! second or two of its own time and report. [`run`] goes through all [`CASES`] and returns a
//! [`Score`], which prints what ran, what was refused by name for want of a capability, and what
//! failed.
//!
//! Cases observe peers through a [`Probe`], a peerlet that runs a case's closures and records its
//! events in a shared [`Journal`]. They assert order and content, and no durations but those that
//! the contract bounds, so that they hold in virtual and in real time.

mod candidate;
mod cases;
mod journal;
mod overlap;
mod probe;
mod suite;

pub use candidate::{Candidate, Experiment, Refusal, Report};
pub use journal::{Journal, Observation, Observed};
pub use overlap::Overlap;
pub use probe::{Changed, LooseProbe, Message, Plain, Probe, Prober, Sibling};
pub use suite::{CASES, Case, Failure, Score, Verdict, run, run_at_once};
