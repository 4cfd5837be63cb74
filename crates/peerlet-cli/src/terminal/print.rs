//! Standard output.

use std::io::{self, Write};

use peerlet_scenario::printable;

use crate::exit::Exit;
use crate::failure::Failure;

/// Prints on standard output, with nothing in it that would steer a terminal. A reader that went
/// away, having seen enough, is no error.
pub(crate) fn print(text: &str) -> Result<Exit, Failure> {
    print_exactly(&printable(text))
}

/// Prints as it is, for files and pipes.
pub(crate) fn print_exactly(text: &str) -> Result<Exit, Failure> {
    match try_print(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unprinted(&error)),
        _ => Ok(Exit::Done),
    }
}

/// Prints and flushes.
pub(crate) fn try_print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The failure of standard output.
pub(crate) fn unprinted(error: &io::Error) -> Failure {
    Failure::Io(format!("standard output: {error}"))
}
