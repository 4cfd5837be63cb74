//! Properties of a run: which are checked, when, and with which verdict.

mod checker;
#[cfg(feature = "live")]
mod live_checker;
mod lives;
mod planned;
mod report;
mod watched;

pub(crate) use checker::Checker;
#[cfg(feature = "live")]
pub(crate) use live_checker::LiveChecker;
pub(crate) use planned::plan;
pub use planned::{PlannedProperty, SkippedProperty};
pub use report::{PropertyReport, PropertyVerdict};
