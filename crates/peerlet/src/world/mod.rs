//! The worlds that a command line can run a plan in.

pub(crate) mod address;
pub(crate) mod attended;
pub(crate) mod conclude;
pub(crate) mod emulate;
pub(crate) mod live;
pub(crate) mod sim;
pub(crate) mod twin;

pub(crate) mod interrupts;
pub(crate) mod lookout;
pub(crate) mod panics;
mod sections;
pub(crate) mod setup;
pub(crate) mod threads;
