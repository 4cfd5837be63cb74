//! The `peerlet` command: everything that scenarios can name without a program of one's own.

use std::process::ExitCode;

use peerlet_run::Experiment;

fn main() -> ExitCode {
    peerlet_cli::main(&Experiment::new("peerlet"), std::env::args_os())
}
