//! Binding a process's sockets, and saying where they are reached.

use std::net::SocketAddr;

use peerlet_core::Identity;

use crate::emulator::Emulator;
use crate::entropy::random;
use crate::key::ProcessKey;
use crate::process::Process;
use crate::quic::QuicTransport;
use crate::seats::SeatMap;
use crate::setup::{LiveSetup, Sockets};
use crate::transport::{BindError, Transport};
use crate::udp::UdpTransport;

/// Binds the socket of a shard.
pub(crate) async fn bind(
    setup: &LiveSetup,
    key: &ProcessKey,
    shard: u32,
    emulator: Option<&mut Emulator>,
) -> Result<Box<dyn Transport>, BindError> {
    let mut at = setup.bind;
    if at.port() != 0 {
        at.set_port(at.port().saturating_add(shard as u16));
    }
    if let Some(emulator) = emulator {
        return emulator.bind(setup, key, shard, at);
    }
    Ok(match setup.sockets {
        Sockets::Quic => Box::new(QuicTransport::bind_guarded(key.copy(), at, setup.guard())?),
        Sockets::Udp { .. } => Box::new(UdpTransport::bind(at, setup.udp_options()).await?),
    })
}

/// This process as it shows itself to others.
pub(crate) fn own_process(
    setup: &LiveSetup,
    sockets: &[SocketAddr],
    identity: Identity,
) -> Process {
    let advertised = setup.advertise.unwrap_or(sockets[0]);
    // An advertised port is that of the first shard; the others follow it, as the bound ones do.
    let shift = match setup.advertise {
        Some(at) if at.port() != 0 => at.port().wrapping_sub(sockets[0].port()),
        _ => 0,
    };
    let ports = sockets.iter().map(|socket| socket.port().wrapping_add(shift)).collect();
    Process::new(began(), setup.own_seats(), advertised.ip(), ports, identity)
}

/// Announces the process's address to its sockets and seats, and to the user.
pub(crate) fn show(
    setup: &LiveSetup,
    own: &Process,
    transports: &mut [Box<dyn Transport>],
    seats: &SeatMap,
) {
    for (transport, at) in transports.iter_mut().zip(own.sockets()) {
        transport.known_as(at);
    }
    if !own.ip().is_unspecified() {
        seats.learn(own);
    }
    if let Some(reached) = own.sockets().next() {
        (setup.notice)(&format!("reached as {}@{reached}", own.identity()));
    }
    let bound: Vec<_> = transports.iter().map(|transport| transport.local_addr()).collect();
    warn_of_open_network(setup, &bound);
}

/// Says loudly that a network which others can reach is open to them.
fn warn_of_open_network(setup: &LiveSetup, sockets: &[SocketAddr]) {
    let is_open = |at: &&SocketAddr| !at.ip().to_canonical().is_loopback();
    let at = sockets.iter().find(is_open);
    let (Some(at), true) = (at, setup.admission.is_open()) else { return };
    (setup.notice)(&match setup.sockets {
        Sockets::Udp { .. } => format!(
            "warning: whoever can send packets to {at} can pose as any process of this run, change \
             its results and end it; give all processes one secret, or use QUIC"
        ),
        Sockets::Quic => format!(
            "warning: this network is open: whoever can reach {at} may take part in it; give all \
             processes one secret, or a list of identities"
        ),
    });
}

/// The nanoseconds since 1970, by which the starts of a process are told apart.
fn began() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // A clock before 1970 tells nothing; any number does.
    since.map_or_else(|_| random(), |since| since.as_nanos() as u64)
}
