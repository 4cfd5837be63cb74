//! The end of an endpoint: saying farewell, and giving its socket back to the system.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use quinn::{AsyncUdpSocket, Connection, Endpoint};
use tokio::time::{Instant, sleep};

use super::config::DATAGRAM_BUFFER;

/// How long the end of a socket without links takes: enough to send what ends its handshakes.
const UNLINKED: Duration = Duration::from_millis(50);
/// How long the tasks of an endpoint may take to send its datagrams, and to let go of its socket,
/// and how often that is looked at: each takes them a fraction of a millisecond.
const LETTING_GO: Duration = Duration::from_millis(200);
const LOOK: Duration = Duration::from_millis(1);

/// Until when the ends of links may be said. A handshake that nobody answers would take all of the
/// time, and tells nobody anything.
pub(super) fn farewell(is_linked: bool, until: Instant, now: Instant) -> Instant {
    if is_linked { until } else { until.min(now + UNLINKED) }
}

/// Waits until all datagrams that were given to connections have left: the end of a connection
/// takes away those that have not.
pub(super) async fn let_datagrams_leave(connections: &[Connection], until: Instant) {
    let until = until.min(Instant::now() + LETTING_GO);
    // An empty buffer has room for the note that one datagram takes, and no less.
    let empty = DATAGRAM_BUFFER - size_of::<Bytes>();
    let waits = |connection: &Connection| {
        connection.close_reason().is_none() && connection.datagram_send_buffer_space() < empty
    };
    while connections.iter().any(waits) && Instant::now() < until {
        sleep(LOOK).await;
    }
}

/// A real socket that an endpoint has.
#[derive(Debug)]
pub(super) struct BoundSocket(Weak<dyn AsyncUdpSocket>);

impl BoundSocket {
    pub(super) fn new(socket: &Arc<dyn AsyncUdpSocket>) -> BoundSocket {
        BoundSocket(Arc::downgrade(socket))
    }

    /// Takes the socket away from an endpoint that is closed, so that its port can be bound again
    /// at once: an endpoint keeps it for seconds if another process does not answer its farewell.
    pub(super) async fn release(&self, endpoint: &Endpoint) {
        let local = endpoint.local_addr();
        // The endpoint keeps the socket before the last one as well.
        for _ in 0..2 {
            let Ok(elsewhere) = local.as_ref().map(|at| loopback(*at)) else { return };
            let Ok(socket) = UdpSocket::bind(elsewhere) else { return };
            if endpoint.rebind(socket).is_err() {
                return;
            }
        }
        let mut waited = Duration::ZERO;
        while self.0.strong_count() > 0 && waited < LETTING_GO {
            sleep(LOOK).await;
            waited += LOOK;
        }
    }
}

/// A free port of this machine alone, in the same family of addresses.
fn loopback(at: SocketAddr) -> SocketAddr {
    let ip: IpAddr = match at {
        SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, 0)
}
