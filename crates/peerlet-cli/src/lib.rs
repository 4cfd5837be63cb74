//! The command line of an experiment: arguments, commands, the terminal.
//!
//! [`main`] is all that a program needs; `peerlet::Experiment::main` calls it.

mod arguments;
mod commands;
mod exit;
mod failure;
mod logs;
mod main_command;
mod terminal;

pub use main_command::main;
