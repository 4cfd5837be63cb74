//! The command from outside, and the rules of the house.

mod circles;
mod codecs;
mod command;
mod compare;
mod digest;
mod engines;
mod fidelity;
mod folders;
mod fuzzing;
mod input;
mod interrupt;
mod limits;
mod network;
mod new;
mod process;
mod processes;
mod random;
mod remedies;
mod rerun;
mod secret;
mod stopping;
mod terminal;
mod tidy;
mod udp;
mod verdicts;
mod words;
