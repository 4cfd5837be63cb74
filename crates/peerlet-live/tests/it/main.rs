//! The parts of this crate at work together.

mod reliable;
