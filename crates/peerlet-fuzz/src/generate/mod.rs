//! Scenarios, generated from a seed.

mod churn;
mod events;
mod network;
mod sample;
mod stacks;

pub(crate) mod scenario;
