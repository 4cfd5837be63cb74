//! The behavior of a peer, seen through its test bench.

mod combine;
mod compile;
mod large;
mod locals;
mod macros;
mod questions;
mod requests;
mod roles;
mod runner;
mod tasks;
mod timers;
mod trust;
mod ways;
