//! The command from outside, and the rules of the house.

mod command;
mod compare;
mod digest;
mod engines;
mod fidelity;
mod input;
mod interrupt;
mod network;
mod random;
mod secret;
mod tidy;
mod udp;
