//! Scenarios, generated from a seed.

mod events;
mod network;
mod sample;
mod stacks;

pub(crate) mod scenario;
