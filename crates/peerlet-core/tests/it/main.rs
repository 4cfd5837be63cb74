//! The behavior of a peer, seen through its test bench.

mod large;
mod locals;
mod tasks;
mod timers;
