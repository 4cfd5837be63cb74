//! The commands, each with its arguments and its exit codes.

pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod emulate;
pub(crate) mod export;
pub(crate) mod fidelity;
pub(crate) mod format;
pub(crate) mod list;
pub(crate) mod live;
pub(crate) mod merge;
pub(crate) mod new;
pub(crate) mod random;
pub(crate) mod report;
pub(crate) mod secret;
pub(crate) mod sim;
pub(crate) mod story;
mod story_output;
pub(crate) mod sweep;
mod sweep_end;

mod address;
mod batch;
mod conclude;
mod determinism;
mod links_output;
