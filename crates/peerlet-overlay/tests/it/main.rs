//! The stock peerlets in simulated worlds.

// Clippy allows it in functions marked as tests only, and here all are.
#![allow(clippy::unwrap_used)]

mod churn;
mod introducers;
mod islands;
mod layout;
mod neighbors;
mod overlay_fixture;
mod parameters;
mod roles;
mod routing;
mod scale;
