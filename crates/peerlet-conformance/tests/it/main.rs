//! The runtimes of this project, held to the contract.

mod sim;
