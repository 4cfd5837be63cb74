//! Observers: the links of peers, looked at as a graph at cuts of a simulation, and measured.

mod observation;
mod planned;
mod quantities;
mod watching;

pub use observation::{LinkSink, Observation, ObservedLink};
pub use planned::PlannedObserver;
pub(crate) use planned::{ObserverPlan, plan};
pub(crate) use watching::Observers;
