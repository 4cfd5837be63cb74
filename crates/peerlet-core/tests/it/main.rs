//! The behavior of a peer, seen through its test bench.

mod combine;
mod locals;
mod questions;
mod runner;
mod tasks;
mod timers;
