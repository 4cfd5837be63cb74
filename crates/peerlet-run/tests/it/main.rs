//! Running plans from a program: whole, step by step, and with many seeds.

mod gossip;
mod observers;
mod panics;
mod properties;
mod roles;
mod seeds;
mod steps;
mod stopwatches;
mod tags;
