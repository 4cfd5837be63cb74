//! The parts of this crate at work together.

mod blocking;
mod panics;
mod reliable;
mod runs;
mod starving;
mod undelivered;
