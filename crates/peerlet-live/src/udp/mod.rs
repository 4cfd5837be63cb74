//! UDP: datagrams only, without identities.
//!
//! Small frames for the same process share a packet: each has its length (2 bytes, big-endian)
//! before it. Packing is per batch, so it delays nothing.
//!
//! # Without a secret
//! A packet is its frames. Anybody who can reach the socket can send any frame from any address
//! that the network lets through, so this is for loopback and closed networks.
//!
//! # With a secret
//! Packets are sealed ([`packet`] has the layout): each carries its session (8 bytes), its number
//! in the session (8) and a code (16) that nobody can make who does not have the secret. A session
//! belongs to two sockets. The side with something to send begins it, and datagrams wait meanwhile,
//! up to 64 an address:
//!
//! 1. `Hello`: a new session, eight random bytes.
//! 2. `Cookie`: a code over the greeting's source address and the time, under a key that only the
//!    answering socket knows. It keeps nothing.
//! 3. `Proof`: the cookie, back from the address that it was sent to. Now the other side makes the
//!    session and chooses a random nonce.
//! 4. `Accept`: the nonce.
//! 5. `Data`, in both directions, each under its own key: HMAC-SHA256 under the secret of the
//!    direction, the session, both sockets' random names and the nonce.
//!
//! A handshake begins again after 250 ms, 500 ms and so on, and is given up after 4 s with all that
//! waits for it. The steps 1 to 4 have the same length, so no answer is larger than its question,
//! and nobody without the secret is answered. A socket that gets data of a session that it does not
//! know, since it was restarted or the session was idle for 30 s, says so (`Lost`, smaller than any
//! data); the other side then begins a new one.
//!
//! This is what the parts are against:
//!
//! - *Repeated packets*: data counts once in a session, and is refused when 1,024 newer packets
//!   have come. A session is never made twice, since the nonce is random. A cookie holds for 5
//!   to 10 s, and a repeated proof finds its session.
//! - *Packets of other sessions, and own ones that come back*: each session and direction has a key
//!   of its own, and a socket refuses handshakes under its own name.
//! - *Forged source addresses*: nothing is kept for an address that has not brought a cookie back.
//! - *Exhaustion*: there are at most [`SESSIONS_MAX`] sessions, [`SESSIONS_PER_NETWORK_MAX`] for
//!   each network and 4 for each address. Those that are of least use go first.
//!
//! It does not promise more. Whoever holds the secret can pose as any process of the network. The
//! content is readable on its way. Whoever sits on the way can hold packets back, and deliver them
//! once and late. QUIC has identities and encryption.

mod frames;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
#[cfg(test)]
mod machine_tests;
mod packet;
mod session;
mod sessions;
mod table;
#[cfg(test)]
mod tests;
mod window;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use peerlet_core::{Duration, Identity};
use tokio::time::Instant;

use crate::counters::{Counters, SocketDrop};
use crate::frame::DATAGRAM_FRAME_MAX;
use crate::secret::Secret;
use crate::socket::{Socket, is_here};
use crate::transport::{
    BATCH_MAX, BindError, Capabilities, Inbound, KeptOutNotice, LinkError, Outbound, Transport,
};
pub(crate) use frames::damage;
use frames::{append, frames};
use packet::{SEAL_LEN, is_sealed};
use sessions::Sessions;
pub use table::{SESSIONS_MAX, SESSIONS_PER_NETWORK_MAX};

/// The largest packet sent: what every path that carries IPv6 takes (RFC 8200: 1,280 less 48).
const PACKET_MAX: usize = 1232;
const _: () = assert!(2 + DATAGRAM_FRAME_MAX + SEAL_LEN <= PACKET_MAX);
/// Room for one packet of any size, so that a larger one is seen to be too large.
const RECEIVE_LEN: usize = 64 * 1024;
/// Packets that one call of `receive` reads, whatever is in them: a flood of packets without frames
/// does not keep a shard from its peers.
const PACKETS_MAX: usize = BATCH_MAX;
/// Frames for peers on the same socket that wait to be received.
const LOOPED_MAX: usize = 4 * BATCH_MAX;

/// How a UDP socket is used.
#[derive(Clone, Debug, Default)]
pub struct UdpOptions {
    /// Whether everybody who can reach the socket is trusted. Without this and without a secret,
    /// it must be on loopback.
    pub closed_network: bool,
    /// The secret that all processes of the network share. With it, packets of others are refused.
    pub secret: Option<Secret>,
}

impl UdpOptions {
    /// Refuses an address that is open to everybody.
    pub(crate) fn check(&self, at: SocketAddr) -> Result<(), BindError> {
        let is_guarded = self.closed_network || self.secret.is_some();
        match at.ip().to_canonical().is_loopback() || is_guarded {
            true => Ok(()),
            false => Err(BindError::Open(at)),
        }
    }
}

/// One UDP socket.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use peerlet_live::{Inbound, Outbound, Transport, UdpOptions, UdpTransport};
/// let options = UdpOptions::default();
/// let mut alice = UdpTransport::bind("127.0.0.1:0".parse()?, options.clone()).await?;
/// let mut bob = UdpTransport::bind("127.0.0.1:0".parse()?, options).await?;
/// let (to, frame) = (bob.local_addr(), "hello".into());
/// alice.send(&mut vec![Outbound::Datagram { to, frame }]).await;
/// let mut came = Vec::new();
/// bob.receive(&mut came).await;
/// let (from, frame) = (alice.local_addr(), "hello".into());
/// assert_eq!(came, [Inbound::Datagram { from, identity: None, frame }]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// With a secret, sessions come about in [`receive`](Transport::receive): whoever sends must also
/// receive.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use peerlet_live::{Outbound, Secret, Transport, UdpOptions, UdpTransport};
/// let options = UdpOptions { secret: Some(Secret::generate()), ..UdpOptions::default() };
/// let mut alice = UdpTransport::bind("127.0.0.1:0".parse()?, options.clone()).await?;
/// let mut bob = UdpTransport::bind("127.0.0.1:0".parse()?, options).await?;
/// let (to, frame) = (bob.local_addr(), "hello".into());
/// alice.send(&mut vec![Outbound::Datagram { to, frame }]).await;
/// let (mut at_alice, mut at_bob) = (Vec::new(), Vec::new());
/// while at_bob.is_empty() {
///     tokio::select! {
///         () = alice.receive(&mut at_alice) => {}
///         () = bob.receive(&mut at_bob) => {}
///     }
/// }
/// assert_eq!((alice.sessions(), bob.sessions()), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct UdpTransport {
    socket: Socket,
    local: SocketAddr,
    buffer: Box<[u8]>,
    counters: Counters,
    sealed: Option<Sealed>,
    kept_out: Option<KeptOutNotice>,
}

/// A socket whose network has a secret.
struct Sealed {
    sessions: Sessions,
    /// The origin of the sessions' time.
    base: Instant,
    /// The address at which others reach the socket, as far as that is known.
    known_as: Option<SocketAddr>,
    /// Frames for this socket itself, with the address that they were sent to.
    looped: VecDeque<(SocketAddr, Bytes)>,
}

impl UdpTransport {
    /// Binds a socket. Anything beyond loopback needs a secret or a closed network: without, nobody
    /// proves anything here.
    ///
    /// # Errors
    /// When the address is refused, by us or by the operating system.
    pub async fn bind(at: SocketAddr, options: UdpOptions) -> Result<UdpTransport, BindError> {
        options.check(at)?;
        let io = |source| BindError::Io { at, source };
        let socket = Socket::bind(at).map_err(io)?;
        UdpTransport::over(socket, options).map_err(io)
    }

    /// UDP over a socket that is there.
    pub(crate) fn over(socket: Socket, options: UdpOptions) -> io::Result<UdpTransport> {
        let local = socket.local_addr()?;
        let buffer = vec![0; RECEIVE_LEN].into();
        let sealed = options.secret.map(|secret| Sealed {
            sessions: Sessions::new(secret),
            base: Instant::now(),
            known_as: None,
            looped: VecDeque::new(),
        });
        let (counters, kept_out) = (Counters::default(), None);
        Ok(UdpTransport { socket, local, buffer, counters, sealed, kept_out })
    }

    /// How many sessions there are; none without a secret.
    pub fn sessions(&self) -> usize {
        self.sealed.as_ref().map_or(0, |sealed| sealed.sessions.len())
    }

    /// Appends the frames in the packet at the start of the buffer.
    fn unpack(&mut self, len: usize, from: SocketAddr, into: &mut Vec<Inbound>) {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let packet = &self.buffer[..len];
        let packet = match &mut self.sealed {
            None => packet,
            Some(sealed) => {
                let now = sealed.now();
                let opened = sealed.sessions.receive(now, from, packet);
                if std::mem::take(&mut sealed.sessions.is_kept_out) {
                    self.tell_kept_out(from, LinkError::Unproved);
                    return;
                }
                let Some(opened) = opened else { return };
                opened
            }
        };
        match frames(&Bytes::copy_from_slice(packet)) {
            Ok(frames) => {
                into.extend(frames.map(|frame| Inbound::Datagram { from, identity: None, frame }));
            }
            Err(cause) => {
                let has_secret = self.sealed.is_none() && is_sealed(packet);
                self.counters.add(cause, 1);
                if has_secret {
                    self.tell_kept_out(from, LinkError::Admission);
                }
            }
        }
    }

    fn tell_kept_out(&self, from: SocketAddr, why: LinkError) {
        if let Some(tell) = &self.kept_out {
            tell(from, None, why);
        }
    }

    /// Drops a reliable message. That should have been refused at start, and was not announced.
    fn refuse_stream(&mut self) {
        if self.counters.get(SocketDrop::Unsupported) == 0 {
            tracing::warn!(
                "reliable messages are dropped, since UDP has datagrams only; run over QUIC, and \
                 let whoever sends them say so: `about.needs(Need::Reliable)`"
            );
        }
        self.counters.add(SocketDrop::Unsupported, 1);
    }

    /// Hands a packet with this many frames to the operating system, waiting while its buffer is
    /// full; sealed, where there is a secret.
    async fn transmit(&mut self, to: SocketAddr, frames: &[u8], count: u64) {
        let Some(sealed) = &mut self.sealed else { return self.put(to, frames, count).await };
        let now = sealed.now();
        match sealed.sessions.seal(now, to, frames) {
            Some(packet) => self.put(to, &packet, count).await,
            None => self.counters.add(SocketDrop::Link, count),
        }
    }

    async fn put(&mut self, to: SocketAddr, packet: &[u8], frames: u64) {
        let to = match (self.local, to) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            _ => to,
        };
        // Errors tell of this address or of an earlier packet (ICMP): either way it is a datagram
        // that got lost.
        if self.socket.send_to(packet, to, frames).await.is_err() {
            self.counters.add(SocketDrop::Link, frames);
        }
    }

    /// Lets the sessions do what is due.
    fn tick(&mut self) {
        if let Some(sealed) = &mut self.sealed {
            let now = sealed.now();
            sealed.sessions.tick(now);
        }
    }

    /// Sends what the sessions want sent.
    async fn flush(&mut self) {
        // Taken out once it is sent: the future may be dropped before.
        while let Some(out) = self.sealed.as_ref().and_then(|s| s.sessions.out.front().cloned()) {
            self.put(out.to, &out.packet, out.frames).await;
            self.sealed.as_mut().map(|sealed| sealed.sessions.out.pop_front());
        }
    }

    /// Waits for a packet, or until the sessions have something to do.
    async fn wait(&mut self) -> Option<io::Result<(usize, SocketAddr)>> {
        let due = self.sealed.as_ref().and_then(|sealed| {
            let deadline = sealed.sessions.deadline()?;
            Some(sealed.base + std::time::Duration::from(deadline))
        });
        let packet = self.socket.recv_from(&mut self.buffer);
        let Some(due) = due else { return Some(packet.await) };
        tokio::select! {
            biased;
            packet = packet => Some(packet),
            () = tokio::time::sleep_until(due) => None,
        }
    }

    /// Takes a frame out of a batch that cannot go at once: one for this socket itself, or for an
    /// address without a session.
    fn divert(&mut self, to: SocketAddr, frame: Bytes) -> Option<Bytes> {
        let Some(sealed) = &mut self.sealed else { return Some(frame) };
        if sealed.sessions.has(to) {
            return Some(frame);
        }
        if sealed.is_own(self.local, to) {
            if sealed.looped.len() < LOOPED_MAX {
                sealed.looped.push_back((to, frame));
            } else {
                self.counters.add(SocketDrop::Queue, 1);
            }
            return None;
        }
        let now = sealed.now();
        sealed.sessions.hold(now, to, frame);
        None
    }
}

impl fmt::Debug for UdpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpTransport")
            .field("local", &self.local)
            .field("sealed", &self.sealed.is_some())
            .field("sessions", &self.sessions())
            .finish_non_exhaustive()
    }
}

impl Sealed {
    fn now(&self) -> Duration {
        Duration::from(self.base.elapsed())
    }

    /// Whether packets to this address come back to the socket.
    fn is_own(&self, local: SocketAddr, to: SocketAddr) -> bool {
        let (local_ip, ip) = (local.ip().to_canonical(), to.ip().to_canonical());
        let is_local = |ip: IpAddr| ip == local_ip || (local_ip.is_unspecified() && is_here(ip));
        Some(to) == self.known_as || (local.port() == to.port() && is_local(ip))
    }
}

#[async_trait]
impl Transport for UdpTransport {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { reliable: false, identity: false }
    }

    fn on_kept_out(&mut self, tell: KeptOutNotice) {
        self.kept_out = Some(tell);
    }

    fn known_as(&mut self, at: SocketAddr) {
        if let Some(sealed) = &mut self.sealed {
            sealed.known_as = Some(at);
        }
    }

    /// Does nothing: `capabilities` says that nobody's identity is known here.
    fn expect(&mut self, _socket: SocketAddr, _identity: Option<Identity>) {}

    async fn receive(&mut self, into: &mut Vec<Inbound>) {
        let before = into.len();
        if let Some(sealed) = &mut self.sealed {
            let looped = sealed.looped.drain(..);
            into.extend(looped.map(|(from, frame)| Inbound::Datagram {
                from,
                identity: None,
                frame,
            }));
        }
        for _ in 0..PACKETS_MAX {
            self.flush().await;
            let came = match into.len() - before {
                0 => self.wait().await,
                BATCH_MAX.. => return,
                _ => match self.socket.try_recv_from(&mut self.buffer) {
                    Ok(came) => Some(Ok(came)),
                    Err(_) => return,
                },
            };
            // Errors are those of earlier packets (ICMP), which datagrams do not care about.
            if let Some(Ok((len, from))) = came {
                self.unpack(len, from, into);
            }
            self.tick();
        }
        self.flush().await;
    }

    async fn send(&mut self, batch: &mut Vec<Outbound>) {
        self.tick();
        let room = PACKET_MAX - self.sealed.as_ref().map_or(0, |_| SEAL_LEN);
        let mut open: BTreeMap<SocketAddr, (BytesMut, u64)> = BTreeMap::new();
        for outbound in batch.drain(..) {
            let (to, frame) = match outbound {
                // Nobody's identity is known here.
                Outbound::Datagram { to, frame }
                | Outbound::Trusted { to, pair: None, frame, .. } => (to, frame),
                Outbound::Stream { .. } | Outbound::Trusted { .. } => {
                    self.refuse_stream();
                    continue;
                }
            };
            if frame.len() > DATAGRAM_FRAME_MAX {
                self.counters.add(SocketDrop::TooLarge, 1);
                continue;
            }
            let Some(frame) = self.divert(to, frame) else { continue };
            let (packet, frames) = open.entry(to).or_default();
            if packet.len() + 2 + frame.len() > room {
                let (full, count) = (packet.split(), std::mem::take(frames));
                self.transmit(to, &full, count).await;
            }
            append(packet, &frame);
            *frames += 1;
        }
        for (to, (packet, frames)) in open {
            self.transmit(to, &packet, frames).await;
        }
        self.flush().await;
    }

    fn counters(&self) -> Counters {
        let mut counters = self.counters;
        if let Some(sealed) = &self.sealed {
            counters.merge(&sealed.sessions.counters);
        }
        counters
    }

    async fn close(&mut self, _drain: Duration) {}
}
