//! The parts of this crate at work together.

mod attacks_udp;
mod blocking;
mod holder;
mod panics;
mod reliable;
mod runs;
mod starving;
mod trust;
mod undelivered;
