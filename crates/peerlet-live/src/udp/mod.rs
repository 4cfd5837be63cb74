//! Plain UDP: datagrams only, without identities, for closed networks.
//!
//! Small frames for the same process share a packet: each has its length (2 bytes, big-endian)
//! before it. Packing is per batch, so it delays nothing.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use peerlet_core::{Duration, Identity, Seed};
use tokio::net::UdpSocket;

use crate::counters::{Cause, Counters};
use crate::frame::{DATAGRAM_FRAME_MAX, Frame, Kind};
use crate::socket::Socket;
use crate::transport::{BATCH_MAX, BindError, Capabilities, Inbound, Outbound, Transport};

/// The largest packet sent: what every path that carries IPv6 takes (RFC 8200: 1,280 less 48).
const PACKET_MAX: usize = 1232;
const _: () = assert!(2 + DATAGRAM_FRAME_MAX <= PACKET_MAX);
/// Room for one packet of any size, so that a larger one is seen to be too large.
const RECEIVE_LEN: usize = 64 * 1024;

/// One UDP socket.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use peerlet_live::{Inbound, Outbound, Transport, UdpTransport};
/// let mut alice = UdpTransport::bind("127.0.0.1:0".parse()?, false).await?;
/// let mut bob = UdpTransport::bind("127.0.0.1:0".parse()?, false).await?;
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
#[derive(Debug)]
pub struct UdpTransport {
    socket: Socket,
    local: SocketAddr,
    buffer: Box<[u8]>,
    counters: Counters,
}

impl UdpTransport {
    /// Binds a socket. Anything beyond loopback needs `closed_network`: nobody proves who they are
    /// here.
    ///
    /// # Errors
    /// When the address is refused, by us or by the operating system.
    pub async fn bind(at: SocketAddr, closed_network: bool) -> Result<UdpTransport, BindError> {
        if !at.ip().to_canonical().is_loopback() && !closed_network {
            return Err(BindError::Open(at));
        }
        let io = |source| BindError::Io { at, source };
        let socket = UdpSocket::bind(at).await.map_err(io)?;
        UdpTransport::over(Socket::Real(socket)).map_err(io)
    }

    /// Plain UDP over a socket that is there.
    pub(crate) fn over(socket: Socket) -> io::Result<UdpTransport> {
        let local = socket.local_addr()?;
        let buffer = vec![0; RECEIVE_LEN].into();
        Ok(UdpTransport { socket, local, buffer, counters: Counters::default() })
    }

    /// Appends the frames in the packet at the start of the buffer.
    fn unpack(&mut self, len: usize, from: SocketAddr, into: &mut Vec<Inbound>) {
        let packet = Bytes::copy_from_slice(&self.buffer[..len]);
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        match frames(&packet) {
            Ok(frames) => into.extend(frames.into_iter().map(|frame| Inbound::Datagram {
                from,
                identity: None,
                frame,
            })),
            Err(cause) => self.counters.add(cause, 1),
        }
    }

    /// Drops a reliable message. That should have been refused at start, and was not announced.
    fn refuse_stream(&mut self) {
        if self.counters.get(Cause::Unsupported) == 0 {
            tracing::warn!(
                "reliable messages are dropped, since UDP has datagrams only; run over QUIC, and \
                 let whoever sends them say so: `about.needs(Need::Reliable)`"
            );
        }
        self.counters.add(Cause::Unsupported, 1);
    }

    /// Hands a packet with this many frames to the operating system, waiting while its buffer is
    /// full.
    async fn transmit(&mut self, to: SocketAddr, packet: &[u8], frames: u64) {
        let to = match (self.local, to) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            _ => to,
        };
        // Errors tell of this address or of an earlier packet (ICMP): either way it is a datagram
        // that got lost.
        if self.socket.send_to(packet, to, frames).await.is_err() {
            self.counters.add(Cause::Link, frames);
        }
    }
}

/// Flips so many bits of the messages in a packet, as a model does it to a message: of their
/// bodies, so that it stays known whose they were.
pub(crate) fn damage(packet: &mut [u8], bits: u32, draws: Seed) {
    let Ok(frames) = frames(&Bytes::copy_from_slice(packet)) else { return };
    let (mut bodies, mut end) = (Vec::new(), 0);
    for bytes in &frames {
        end += 2 + bytes.len();
        if let Ok(Frame { kind: Kind::Datagram(message), .. }) = Frame::parse(bytes) {
            bodies.push(end - message.body.len()..end);
        }
    }
    let mut body: Vec<u8> = bodies.iter().cloned().flat_map(|at| packet[at].to_vec()).collect();
    peerlet_network::damage(&mut body, bits, draws);
    let mut rest = body.as_slice();
    for at in bodies {
        let (own, others) = rest.split_at(at.len());
        packet[at].copy_from_slice(own);
        rest = others;
    }
}

/// The frames in a packet; all or none.
fn frames(packet: &Bytes) -> Result<Vec<Bytes>, Cause> {
    if packet.len() > PACKET_MAX {
        return Err(Cause::TooLarge);
    }
    let (mut frames, mut at) = (Vec::new(), 0);
    while at < packet.len() {
        let head = packet.get(at..at + 2).ok_or(Cause::Decode)?;
        let len = usize::from(u16::from_be_bytes([head[0], head[1]]));
        // An empty frame is none; allowing it would make 616 frames of one packet.
        if len == 0 || at + 2 + len > packet.len() {
            return Err(Cause::Decode);
        }
        frames.push(packet.slice(at + 2..at + 2 + len));
        at += 2 + len;
    }
    if frames.is_empty() { Err(Cause::Decode) } else { Ok(frames) }
}

#[async_trait]
impl Transport for UdpTransport {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { reliable: false, identity: false }
    }

    /// Does nothing: `capabilities` says that nobody's identity is known here.
    fn expect(&mut self, _socket: SocketAddr, _identity: Option<Identity>) {}

    async fn receive(&mut self, into: &mut Vec<Inbound>) {
        let enough = into.len() + BATCH_MAX;
        let before = into.len();
        while into.len() == before {
            // Errors are those of earlier packets (ICMP), which datagrams do not care about.
            if let Ok((len, from)) = self.socket.recv_from(&mut self.buffer).await {
                self.unpack(len, from, into);
            }
        }
        while into.len() < enough
            && let Ok((len, from)) = self.socket.try_recv_from(&mut self.buffer)
        {
            self.unpack(len, from, into);
        }
    }

    async fn send(&mut self, batch: &mut Vec<Outbound>) {
        let mut open: BTreeMap<SocketAddr, (BytesMut, u64)> = BTreeMap::new();
        for outbound in batch.drain(..) {
            let (to, frame) = match outbound {
                Outbound::Datagram { to, frame } => (to, frame),
                Outbound::Stream { .. } => {
                    self.refuse_stream();
                    continue;
                }
            };
            if frame.len() > DATAGRAM_FRAME_MAX {
                self.counters.add(Cause::TooLarge, 1);
                continue;
            }
            let (packet, frames) = open.entry(to).or_default();
            if packet.len() + 2 + frame.len() > PACKET_MAX {
                let (full, count) = (packet.split(), std::mem::take(frames));
                self.transmit(to, &full, count).await;
            }
            packet.extend_from_slice(&(frame.len() as u16).to_be_bytes());
            packet.extend_from_slice(&frame);
            *frames += 1;
        }
        for (to, (packet, frames)) in open {
            self.transmit(to, &packet, frames).await;
        }
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    async fn close(&mut self, _drain: Duration) {}
}

#[cfg(test)]
mod tests {
    use peerlet_core::Call;

    use super::*;
    use crate::frame::{Message, Tag};

    async fn bind() -> UdpTransport {
        UdpTransport::bind("127.0.0.1:0".parse().unwrap(), false).await.unwrap()
    }

    fn datagram(to: SocketAddr, frame: Vec<u8>) -> Outbound {
        Outbound::Datagram { to, frame: frame.into() }
    }

    /// The next `n` frames that arrive.
    async fn take(transport: &mut UdpTransport, n: usize) -> Vec<Bytes> {
        let mut came = Vec::new();
        while came.len() < n {
            transport.receive(&mut came).await;
        }
        came.into_iter()
            .map(|inbound| match inbound {
                Inbound::Datagram { frame, identity: None, .. } => frame,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[tokio::test]
    async fn frames_of_a_batch_share_packets() {
        let (mut alice, mut bob, watch) = (bind().await, bind().await, bind().await);
        let frames: Vec<Vec<u8>> = (0..100u8).map(|i| vec![i; 60]).collect();
        let batch = |to| Vec::from_iter(frames.iter().map(|frame| datagram(to, frame.clone())));
        let mut both = batch(bob.local_addr());
        both.extend(batch(watch.local_addr()));
        alice.send(&mut both).await;
        assert!(both.is_empty());
        assert_eq!(take(&mut bob, 100).await, frames);
        // 19 frames of 62 bytes fit a packet of 1,232: six packets for a hundred.
        let mut buffer = [0; 2000];
        for _ in 0..5 {
            assert_eq!(watch.socket.recv_from(&mut buffer).await.unwrap().0, 19 * 62);
        }
        assert_eq!(watch.socket.recv_from(&mut buffer).await.unwrap().0, 5 * 62);
        assert_eq!(alice.counters(), Counters::default());
    }

    #[test]
    fn damage_hits_bodies_only() {
        let message = |body: &'static [u8]| {
            let kind = Kind::Datagram(Message { port: 1, call: Call::None, body });
            Frame { tag: Tag(7), from: 2, to: 3, life: 1, kind }.to_vec()
        };
        let mut packet = Vec::new();
        for frame in [message(b"one"), message(b"another")] {
            packet.extend_from_slice(&(frame.len() as u16).to_be_bytes());
            packet.extend(frame);
        }
        let whole = packet.clone();
        for seed in 0..200 {
            let mut damaged = whole.clone();
            damage(&mut damaged, 3, Seed::new(seed));
            let flipped: u32 = damaged.iter().zip(&whole).map(|(a, b)| (a ^ b).count_ones()).sum();
            assert!(flipped == 3 || flipped == 1, "a bit hit twice is as it was: {flipped}");
            for (at, (a, b)) in damaged.iter().zip(&whole).enumerate() {
                let is_body = (26..29).contains(&at) || at >= whole.len() - 7;
                assert!(a == b || is_body, "byte {at}");
            }
        }
        let mut noise = vec![9; 30];
        damage(&mut noise, 3, Seed::new(1));
        assert_eq!(noise, vec![9; 30], "what is no packet has no bodies");
    }

    #[tokio::test]
    async fn the_largest_frame_fits_and_what_cannot_go_is_counted() {
        let (mut alice, mut bob) = (bind().await, bind().await);
        let to = bob.local_addr();
        let mut batch = vec![
            datagram(to, vec![1; DATAGRAM_FRAME_MAX + 1]),
            Outbound::Stream { to, pair: (0, 0), frame: Bytes::new() },
            datagram(to, vec![2; DATAGRAM_FRAME_MAX]),
        ];
        alice.send(&mut batch).await;
        assert_eq!(take(&mut bob, 1).await, [vec![2; DATAGRAM_FRAME_MAX]]);
        assert_eq!(alice.counters().get(Cause::TooLarge), 1);
        assert_eq!(alice.counters().get(Cause::Unsupported), 1);
    }

    #[test]
    fn packets_are_taken_whole_or_not_at_all() {
        let check = |packet: &'static [u8]| frames(&Bytes::from_static(packet));
        assert_eq!(check(b"\0\x01a\0\x02bc"), Ok(vec!["a".into(), "bc".into()]));
        for bad in
            [&b""[..], b"\0", b"\0\0", b"\0\x01a\0\0", b"\0\x02a", b"\0\x01a\0", b"\xff\xffa"]
        {
            assert_eq!(check(bad), Err(Cause::Decode), "{bad:?}");
        }
        assert_eq!(check(&[1; PACKET_MAX + 1]), Err(Cause::TooLarge));
    }

    #[tokio::test]
    async fn strange_packets_are_counted_and_do_no_harm() {
        let seed = std::env::var("PEERLET_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
        let mut rng = Seed::new(seed).named("packets").rng();
        let (stranger, mut alice, mut bob) = (bind().await, bind().await, bind().await);
        let to = bob.local_addr();
        let (mut bad, mut last) = (0, Vec::new());
        for round in 0..2_000u32 {
            let mut packet: Vec<u8> = (0..rng.index(40)).map(|_| rng.below(9) as u8).collect();
            if rng.chance(0.01) {
                packet.resize(PACKET_MAX + 1 + rng.index(9000), 0);
            }
            bad += u64::from(frames(&packet.clone().into()).is_err());
            stranger.socket.send_to(&packet, to, 0).await.unwrap();
            // An honest frame after each, so that there is something to wait for and no buffer
            // overflows.
            let honest = [b"honest", &round.to_be_bytes()[..]].concat();
            alice.send(&mut vec![datagram(to, honest.clone())]).await;
            while last != honest {
                last = take(&mut bob, 1).await.pop().unwrap().to_vec();
            }
        }
        let counters = bob.counters();
        let counted = counters.get(Cause::Decode) + counters.get(Cause::TooLarge);
        assert_eq!(counted, bad, "seed {seed}");
        assert!(bad > 1_000, "seed {seed}: only {bad} packets were bad");
    }

    #[tokio::test]
    async fn open_networks_are_refused_unless_said_to_be_closed() {
        for at in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let error = UdpTransport::bind(at.parse().unwrap(), false).await.unwrap_err();
            assert!(matches!(error, BindError::Open(_)), "{error}");
        }
        assert!(UdpTransport::bind("0.0.0.0:0".parse().unwrap(), true).await.is_ok());
        let taken = bind().await.local_addr();
        let _holder = UdpTransport::bind(taken, false).await;
        let error = UdpTransport::bind(taken, false).await.unwrap_err();
        assert!(matches!(error, BindError::Io { .. }), "{error}");
    }
}
