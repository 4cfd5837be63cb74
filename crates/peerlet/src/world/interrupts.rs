//! The signals that ask a process to end, for runs that then end in order.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;

/// SIGINT and SIGTERM, taken from whoever handled them before, for as long as the process lives.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// Takes the signals over. Needs a runtime that is entered and drives I/O.
    pub(crate) fn new() -> io::Result<Interrupts> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Interrupts { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for one of them.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Ends the process at once: who asks a second time does not want to wait.
pub(crate) fn exit() -> ! {
    std::process::exit(i32::from(Exit::Interrupted.code()))
}
