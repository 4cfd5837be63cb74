//! The tokio runtime that a run is called in: what it must have.

use std::net::{Ipv4Addr, UdpSocket};

use tokio::runtime::Handle;

use crate::error::LiveError;
use crate::panics::caught_now;

/// Checks that there is a runtime, and that it has timers and sockets.
pub(crate) fn check_runtime() -> Result<(), LiveError> {
    let lacks = |what| Err(LiveError::Runtime(what));
    if Handle::try_current().is_err() {
        return lacks("a run on sockets needs a tokio runtime around it");
    }
    // Nothing but a panic tells.
    if caught_now(|| drop(tokio::time::sleep(std::time::Duration::ZERO))).is_err() {
        return lacks("the tokio runtime has no timers");
    }
    // If the system refuses a socket here, binding the run's own sockets reports it.
    let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) else { return Ok(()) };
    if socket.set_nonblocking(true).is_ok()
        && caught_now(|| drop(tokio::net::UdpSocket::from_std(socket))).is_err()
    {
        return lacks("the tokio runtime has no sockets");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    fn check(builder: &mut Builder, expected: &str) {
        let runtime = builder.build().expect("a runtime");
        let checked = runtime.block_on(async { check_runtime() });
        assert_eq!(checked.err().map(|error| error.to_string()).unwrap_or_default(), expected);
    }

    #[test]
    fn a_runtime_that_lacks_something_is_refused_with_a_remedy() {
        const REMEDY: &str =
            "build one with `tokio::runtime::Builder::new_multi_thread().enable_all()`";
        check(
            &mut Builder::new_multi_thread(),
            &format!("the tokio runtime has no timers; {REMEDY}"),
        );
        let mut timers = Builder::new_multi_thread();
        check(timers.enable_time(), &format!("the tokio runtime has no sockets; {REMEDY}"));
        check(Builder::new_multi_thread().enable_all(), "");
        let error = check_runtime().expect_err("there is none");
        assert_eq!(
            error.to_string(),
            format!("a run on sockets needs a tokio runtime around it; {REMEDY}")
        );
    }
}
