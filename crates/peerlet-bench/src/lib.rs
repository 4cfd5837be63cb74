//! Measures the simulator beside a hand-written loop and beside other simulators, on the same
//! workloads.
//!
//! `README.md` says how to run it and what the figures mean.

pub mod case;
pub mod sample;

pub mod others;
pub mod peerlets;

pub mod arguments;
pub mod child;
pub mod rounds;

pub mod figures;
pub mod plot;
pub mod table;
