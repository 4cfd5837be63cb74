//! The suite that every runtime must pass: the contract, case by case.
//!
//! To hold a runtime to it, implement [`Candidate`]: run an [`Experiment`] of a few peers for a
//! second or two of its own time and report. [`run`] goes through all [`CASES`] and returns a
//! [`Score`], which prints what ran, what was refused by name for want of a capability, and what
//! failed.
//!
//! Cases observe peers through a [`Probe`], a peerlet that does what a case's closures say and
//! writes what happened to it into a [`Journal`] shared by all. They assert order and content,
//! never how long something took beyond what the contract bounds, so that they hold in virtual and
//! in real time.

mod candidate;
mod cases;
mod journal;
mod overlap;
mod probe;
mod suite;

pub use candidate::{Candidate, Experiment, Refusal, Report};
pub use journal::{Entry, Journal, What};
pub use overlap::Overlap;
pub use probe::{Changed, LooseProbe, Message, Plain, Probe, Prober, Sibling};
pub use suite::{CASES, Case, Failure, Score, Verdict, run, run_at_once};
