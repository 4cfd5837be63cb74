//! The project that `peerlet new` writes, compiled and tested as it is in its own folder.

#[path = "../../../peerlet-cli/template/src/lib.rs"]
pub mod library;

#[path = "../../../peerlet-cli/template/src/main.rs"]
#[expect(dead_code, reason = "the program of the project is not that of these tests")]
mod program;

#[path = "../../../peerlet-cli/template/tests/simulation.rs"]
mod simulation;
