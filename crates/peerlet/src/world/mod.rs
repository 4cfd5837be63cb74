//! The worlds that a command line can run a plan in.

pub(crate) mod address;
pub(crate) mod emulate;
pub(crate) mod live;
pub(crate) mod sim;
pub(crate) mod twin;

pub(crate) mod interrupts;
pub(crate) mod lookout;
mod panics;
mod sections;
pub(crate) mod setup;
pub(crate) mod threads;
