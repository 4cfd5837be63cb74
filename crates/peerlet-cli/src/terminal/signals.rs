//! SIGINT and SIGTERM: the first ends a run in order, the second ends the process. On Windows
//! Ctrl-C and Ctrl-Break take their place.

use std::io;
use std::thread::Builder;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlBreak, CtrlC, ctrl_break, ctrl_c};
use tokio::sync::{oneshot, watch};

use crate::exit::Exit;
use crate::terminal::status;

/// SIGINT and SIGTERM, taken from whoever handled them before, for as long as the process lives.
pub(crate) struct Interrupts {
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(windows)]
    interrupt: CtrlC,
    #[cfg(windows)]
    terminate: CtrlBreak,
}

impl Interrupts {
    /// Takes the signals over. Needs a runtime that is entered and drives I/O.
    pub(crate) fn new() -> io::Result<Interrupts> {
        #[cfg(unix)]
        let (interrupt, terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        #[cfg(windows)]
        let (interrupt, terminate) = (ctrl_c()?, ctrl_break()?);
        Ok(Interrupts { interrupt, terminate })
    }

    /// Waits for one of them.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// SIGXFSZ, which has this number on every system but MIPS.
#[cfg(unix)]
const FILE_SIZE: i32 = 25;

/// Lets a file that grows beyond the limit of its size (`ulimit -f`) be an error of writing, as a
/// full disk is, and not the end of the process.
#[cfg(unix)]
pub(crate) fn outlive_file_limits() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    // The handler stays for as long as the process lives.
    signal(SignalKind::from_raw(FILE_SIZE)).map(drop)
}

/// Windows has no such limit.
#[cfg(not(unix))]
pub(crate) fn outlive_file_limits() -> io::Result<()> {
    Ok(())
}

/// As long as this lives, signals are taken.
pub(crate) type Taken = oneshot::Sender<()>;

/// Sets `stop` at the first signal and ends the process at the second, for as long as what is
/// returned lives. On a thread of its own, which no handler of a peer can keep busy.
pub(crate) fn stop_at_signal(stop: watch::Sender<bool>) -> io::Result<Taken> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut interrupts = {
        let _entered = runtime.enter();
        Interrupts::new()?
    };
    let (keep, is_over) = oneshot::channel::<()>();
    let stopping = async move {
        interrupts.next().await;
        status::say(match stop.is_closed() {
            false => {
                "stopping: peers that live stop in order, what they sent drains, and waits for \
                 others are cut short; a second signal ends it at once"
            }
            true => {
                "the run is over and its results are being written; a second signal ends it at once"
            }
        });
        stop.send_replace(true);
        interrupts.next().await;
        exit();
    };
    Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = is_over => {}
                () = stopping => {}
            }
        });
    })?;
    Ok(keep)
}

/// Ends the process at once: who asks a second time does not want to wait.
pub(crate) fn exit() -> ! {
    std::process::exit(i32::from(Exit::Interrupted.code()))
}
