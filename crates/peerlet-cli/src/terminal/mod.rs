//! The terminal: what is shown while a command runs, signals, and how a run is repeated.

pub(crate) mod again;
pub(crate) mod attended;
pub(crate) mod color;
pub(crate) mod monitor;
pub(crate) mod print;
pub(crate) mod progress;
pub(crate) mod signals;
pub(crate) mod status;
