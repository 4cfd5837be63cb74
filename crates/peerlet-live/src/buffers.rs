//! Binds UDP sockets with buffers that hold a burst.
//!
//! A process that dials many others at once gets all their answers within one round trip, and what
//! does not fit the socket's buffer is lost and sent again a second later.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Once;

use rustix::net::sockopt;

/// Bytes that are asked for, each way. A packet of 1,200 bytes takes about 2,300 of them, so it is
/// room for some 1,800 packets. It is a bound, and no memory until packets wait.
pub(crate) const BUFFER_WANTED: usize = 4 * 1024 * 1024;
/// A request for less is not worth a call.
const BUFFER_MIN: usize = 64 * 1024;

/// Binds a socket. Its buffers are as large as the operating system allows, and never smaller than
/// by default.
pub(crate) fn bind(at: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(at)?;
    widen(
        || sockopt::socket_recv_buffer_size(&socket),
        |bytes| sockopt::set_socket_recv_buffer_size(&socket, bytes),
    );
    widen(
        || sockopt::socket_send_buffer_size(&socket),
        |bytes| sockopt::set_socket_send_buffer_size(&socket, bytes),
    );
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        tracing::debug!(
            wanted = BUFFER_WANTED,
            receiving = sockopt::socket_recv_buffer_size(&socket).unwrap_or_default(),
            sending = sockopt::socket_send_buffer_size(&socket).unwrap_or_default(),
            "the sizes of the first socket's buffers, in bytes",
        );
    });
    Ok(socket)
}

/// Asks for a larger buffer. Linux gives at most its limit, and others refuse what is beyond
/// theirs, so less is asked for then; where all is refused, the buffer stays as it is.
fn widen(
    has: impl Fn() -> rustix::io::Result<usize>,
    set: impl Fn(usize) -> rustix::io::Result<()>,
) {
    let mut asked = BUFFER_WANTED;
    while asked >= BUFFER_MIN && has().is_ok_and(|bytes| bytes < asked) {
        if set(asked).is_ok() {
            return;
        }
        asked /= 2;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use rustix::io::Errno;

    use super::*;

    /// The size that a buffer gets where the system cuts or refuses requests above a limit.
    fn widened(bytes: usize, limit: usize, is_cut: bool) -> usize {
        let size = Cell::new(bytes);
        widen(
            || Ok(size.get()),
            |asked| {
                if asked > limit && !is_cut {
                    return Err(Errno::NOBUFS);
                }
                size.set(asked.min(limit));
                Ok(())
            },
        );
        size.get()
    }

    #[test]
    fn buffers_are_as_large_as_the_system_allows() {
        assert_eq!(widened(200_000, usize::MAX, true), BUFFER_WANTED);
        assert_eq!(widened(200_000, 1_000_000, true), 1_000_000);
        assert_eq!(widened(200_000, 3 << 20, false), 2 << 20);
        assert_eq!(widened(200_000, 100_000, false), 200_000, "all is refused");
        assert_eq!(widened(8 << 20, usize::MAX, true), 8 << 20, "there is enough already");
    }

    /// The most that a program may ask for here.
    #[cfg(target_os = "linux")]
    fn allowed(way: &str) -> usize {
        let text = std::fs::read_to_string(format!("/proc/sys/net/core/{way}mem_max")).unwrap();
        text.trim().parse().unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn sockets_have_what_the_kernel_allows() {
        for at in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(socket) = bind(at.parse().unwrap()) else {
                println!("passed over: no socket at {at} (1 case)");
                continue;
            };
            let has = sockopt::socket_recv_buffer_size(&socket).unwrap();
            assert!(has >= BUFFER_WANTED.min(allowed("r")), "{has}");
            let has = sockopt::socket_send_buffer_size(&socket).unwrap();
            assert!(has >= BUFFER_WANTED.min(allowed("w")), "{has}");
        }
    }
}
