//! The parts of this crate at work together.

mod panics;
mod reliable;
mod runs;
mod starving;
mod undelivered;
