//! How QUIC is set up, with the limits of one connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use peerlet_core::Identity;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    AsyncUdpSocket, ClientConfig, Connection, ConnectionId, ConnectionIdGenerator, Endpoint,
    EndpointConfig, IdleTimeout, Runtime, ServerConfig, TokioRuntime, TransportConfig, VarInt,
};
use ring::rand::{SecureRandom, SystemRandom};

use crate::buffers;
use crate::frame::DATAGRAM_FRAME_MAX;
use crate::key::ProcessKey;
use crate::tls;

/// Streams of single pairs that each side may open on a connection, beside one for answers. A
/// connection costs 70 kB at 100 and 1.1 MB at 4,096 (measured).
pub(super) const PAIR_STREAMS_MAX: usize = 64;
const STREAMS_MAX: u32 = PAIR_STREAMS_MAX as u32 + 1;
/// Packets are this large from the start, so that the largest datagram fits: see
/// [`DATAGRAM_FRAME_MAX`].
const MTU_MIN: u16 = 1232;
/// The bytes that a packet adds to a datagram: 1 flag, 8 connection id, 4 packet number, 16 tag, 9
/// for the datagram's head.
const DATAGRAM_OVERHEAD: usize = 38;
const _: () = assert!(DATAGRAM_FRAME_MAX + DATAGRAM_OVERHEAD <= MTU_MIN as usize);
/// Bytes that one stream, and all streams of a connection, may send ahead of our reading: 10 MB/s
/// at 100 ms a round trip.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 2 * STREAM_WINDOW;
/// Bytes that the windows of all connections of an endpoint have together, apart from the smallest
/// one that each has in any case.
pub(super) const WINDOWS_MAX: u64 = 96 * 1024 * 1024;
pub(super) const WINDOW_MIN: u32 = 8 * 1024;
/// The same for a process that is not known to take part, and the streams that it may open: one for
/// its proof, and one more.
pub(super) const STRANGER_WINDOW: u32 = 16 * 1024;
const STRANGER_STREAMS: u32 = 2;
/// Bytes of datagrams that wait on a connection, each way: about 400 of the largest.
pub(super) const DATAGRAM_BUFFER: usize = 512 * 1024;
/// Silence after which a connection is dead (RFC 9308, section 3.2); we break ours three times as
/// often.
const IDLE_MAX: Duration = Duration::from_secs(30);
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Handshakes that wait to be looked at, and the bytes that wait with them, each and all.
pub(super) const INCOMING_MAX: usize = 1024;
const INCOMING_BYTES_MAX: u64 = 16 * 1024;
pub(super) const INCOMING_BYTES_TOTAL_MAX: u64 = 4 * 1024 * 1024;

/// Binds the one socket on which a process listens and dials.
pub(super) fn bind(at: SocketAddr) -> io::Result<Arc<dyn AsyncUdpSocket>> {
    TokioRuntime.wrap_udp_socket(buffers::bind(at)?)
}

/// An endpoint on a socket of its own.
#[cfg(test)]
pub(super) fn endpoint(key: &ProcessKey, at: SocketAddr) -> io::Result<Endpoint> {
    over(key, bind(at)?)
}

/// Listens and dials on a socket that is there.
pub(super) fn over(key: &ProcessKey, socket: Arc<dyn AsyncUdpSocket>) -> io::Result<Endpoint> {
    // The same for a process that starts again with its key on its port, so that it can tell those
    // who still talk to its former self (stateless reset, RFC 9000, section 10.3).
    let reset_key = key.derive(&format!("reset {}", socket.local_addr()?.port()));
    let mut config = EndpointConfig::new(Arc::new(reset_key));
    config.cid_generator(|| Box::new(RandomIds));
    let server = Some(server(key));
    Endpoint::new_with_abstract_socket(config, server, socket, Arc::new(TokioRuntime))
}

fn server(key: &ProcessKey) -> ServerConfig {
    let crypto = QuicServerConfig::try_from(tls::server(key))
        .expect("the provider has the suite that QUIC starts with");
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config
        .transport_config(Arc::new(transport()))
        // An address names a process here: one that moves is dialled, or dials, anew.
        .migration(false)
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BYTES_MAX)
        .incoming_buffer_size_total(INCOMING_BYTES_TOTAL_MAX);
    config
}

/// How to dial anybody, or nobody but `expected`.
pub(super) fn client(key: &ProcessKey, expected: Option<Identity>) -> ClientConfig {
    let crypto = QuicClientConfig::try_from(tls::client(key, expected))
        .expect("the provider has the suite that QUIC starts with");
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport()));
    config
}

fn transport() -> TransportConfig {
    let idle = IdleTimeout::try_from(IDLE_MAX).expect("30 s fit a QUIC integer");
    let mut config = TransportConfig::default();
    config
        .max_concurrent_uni_streams(VarInt::from_u32(STRANGER_STREAMS))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(STRANGER_WINDOW))
        .send_window(u64::from(CONNECTION_WINDOW))
        .datagram_receive_buffer_size(Some(DATAGRAM_BUFFER))
        .datagram_send_buffer_size(DATAGRAM_BUFFER)
        .initial_mtu(MTU_MIN)
        .min_mtu(MTU_MIN)
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(KEEP_ALIVE));
    config
}

/// Lets the other end of a connection send as much as a member may: this many bytes ahead of our
/// reading.
pub(super) fn open_wide(connection: &Connection, window: u32) {
    connection.set_receive_window(VarInt::from_u32(window));
    connection.set_max_concurrent_uni_streams(VarInt::from_u32(STREAMS_MAX));
}

/// Bytes of datagrams that wait to be sent on a connection.
pub(super) fn datagrams_held(connection: &Connection) -> usize {
    DATAGRAM_BUFFER.saturating_sub(connection.datagram_send_buffer_space())
}

/// The window of the next connection, when those that are open have this many bytes: a full one as
/// long as there are few, and a share of the rest when there are many.
pub(super) const fn next_window(granted: u64) -> u32 {
    let share = WINDOWS_MAX.saturating_sub(granted) / 16;
    if share > CONNECTION_WINDOW as u64 {
        CONNECTION_WINDOW
    } else if share > WINDOW_MIN as u64 {
        share as u32
    } else {
        WINDOW_MIN
    }
}

/// Connection ids without structure: a process that starts again recognizes none, but can reset
/// all.
struct RandomIds;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; 8];
        SystemRandom::new().fill(&mut id).expect("the operating system gives randomness");
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        8
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_all_connections_have_a_bound() {
        let (mut granted, mut first) = (0, 0);
        for _ in 0..super::super::LINKS_MAX {
            let window = next_window(granted);
            first += u32::from(window == CONNECTION_WINDOW);
            granted += u64::from(window);
        }
        assert!(first >= 32, "a network of {first} processes has full windows");
        let most = WINDOWS_MAX + super::super::LINKS_MAX as u64 * u64::from(WINDOW_MIN);
        assert!(granted <= most, "{granted}");
    }
}
