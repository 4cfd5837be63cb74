//! The runtimes of this project, held to the contract.

mod live;
mod race;
mod sim;
