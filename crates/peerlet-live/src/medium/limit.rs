//! The limits of a process: how many sockets it may have, and its share of the processor.

use std::fmt;

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Peers that one process emulates at most, each with a socket of its own.
pub const EMULATED_MAX: u32 = 4_096;

/// The niceness that an emulation asks for, since lateness spoils it: about ten times the share of
/// the processor that a process gets without asking.
#[cfg(unix)]
const NICENESS: i32 = -10;

/// Descriptors of each peer: its socket, and its shard's alarm clock.
const EACH: u64 = 2;
/// Descriptors that a process has open besides: the runtime's own, files, standard streams.
const OTHERS: u64 = 64;

/// So many sockets cannot be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SocketLimit {
    /// How many peers there are, each with a socket.
    pub peers: u32,
    /// How many there can be.
    pub limit: u32,
}

impl fmt::Display for SocketLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SocketLimit { peers, limit } = self;
        write!(f, "{peers} peers need a socket each, and ")?;
        match *limit >= EMULATED_MAX {
            true => write!(f, "a process emulates {EMULATED_MAX} at most; take fewer peers"),
            false => write!(
                f,
                "this process may have {limit}; take fewer peers, or raise the limit of open files \
                 (`ulimit -n {}`)",
                u64::from(*peers) * EACH + OTHERS
            ),
        }
    }
}

impl std::error::Error for SocketLimit {}

/// Makes sure that this many peers can have a socket each. Raises the process's own limit as far as
/// the system lets it.
///
/// # Errors
/// When the system does not allow that many.
pub fn make_room(peers: u32) -> Result<(), SocketLimit> {
    if peers > EMULATED_MAX {
        return Err(SocketLimit { peers, limit: EMULATED_MAX });
    }
    raise_limit(peers)
}

/// Raises the limit of open files where it is too low for this many peers.
#[cfg(unix)]
fn raise_limit(peers: u32) -> Result<(), SocketLimit> {
    let needed = u64::from(peers) * EACH + OTHERS;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(needed), maximum };
    let is_possible = maximum.is_none_or(|maximum| maximum >= needed);
    if is_possible && setrlimit(Resource::Nofile, raised).is_ok() {
        return Ok(());
    }
    let most = maximum.or(current).unwrap_or(0).saturating_sub(OTHERS) / EACH;
    Err(SocketLimit { peers, limit: u32::try_from(most).unwrap_or(u32::MAX) })
}

/// Windows has no such limit for sockets.
#[cfg(not(unix))]
fn raise_limit(_: u32) -> Result<(), SocketLimit> {
    Ok(())
}

/// Asks the system to prefer this thread, and the threads that it starts from now on, to others.
/// Whether they are: mostly it takes root for that; without, an emulation needs a machine with
/// little else to do.
pub fn ask_for_priority() -> bool {
    #[cfg(unix)]
    return rustix::process::setpriority_process(None, NICENESS).is_ok();
    // A priority of Windows is a class of processes, which this does not set.
    #[cfg(not(unix))]
    return false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_to_do() {
        let refused = make_room(4_097).unwrap_err().to_string();
        assert_eq!(
            refused,
            "4097 peers need a socket each, and a process emulates 4096 at most; take fewer peers"
        );
        let refused = SocketLimit { peers: 1_000, limit: 192 }.to_string();
        assert_eq!(
            refused,
            "1000 peers need a socket each, and this process may have 192; take fewer peers, or \
             raise the limit of open files (`ulimit -n 2064`)"
        );
        assert_eq!(make_room(10), Ok(()));
    }
}
