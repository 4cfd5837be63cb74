//! The `peerlet` command: everything that scenarios can name without a program of one's own.

use std::process::ExitCode;

use peerlet::Experiment;

fn main() -> ExitCode {
    Experiment::new("peerlet").main()
}
