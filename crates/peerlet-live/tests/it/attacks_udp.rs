//! Attacks on UDP with a secret, over real sockets: by strangers who listen, repeat and forge, and
//! by holders of the secret who want more than their share.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use peerlet_live::{
    Inbound, Outbound, SESSIONS_PER_NETWORK_MAX, Secret, SocketDrop, Transport, UdpOptions,
    UdpTransport,
};
use tokio::net::UdpSocket;

use crate::holder::Holder;

const SECRET: &[u8; 32] = b"thirty-two bytes that are shared";
const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
/// How often a condition is looked at that no packet brings about.
const GLANCE: Duration = Duration::from_millis(50);
/// Bytes of each packet of a handshake.
const HANDSHAKE_LEN: usize = 49;

async fn bind(secret: &[u8]) -> UdpTransport {
    let secret = Some(Secret::from_bytes(secret).expect("it is long enough"));
    let options = UdpOptions { secret, ..UdpOptions::default() };
    UdpTransport::bind(LOOPBACK, options).await.expect("loopback can be bound")
}

async fn socket() -> UdpSocket {
    UdpSocket::bind(LOOPBACK).await.expect("loopback can be bound")
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it hangs")
}

fn count(transport: &UdpTransport, causes: &[SocketDrop]) -> u64 {
    causes.iter().map(|cause| transport.counters().get(*cause)).sum()
}

/// Alice and Bob, each of whom knows the other at an address of Mallory's, who passes everything
/// on.
struct Path {
    alice: UdpTransport,
    bob: UdpTransport,
    /// Where Alice believes Bob to be, and Bob Alice.
    mallory: UdpSocket,
    /// All packets, with whether they were for Bob.
    log: Vec<(bool, Vec<u8>)>,
    at_alice: Vec<Inbound>,
    at_bob: Vec<Inbound>,
    sent: u32,
}

impl Path {
    async fn new() -> Path {
        let (alice, bob, mallory) = (bind(SECRET).await, bind(SECRET).await, socket().await);
        let (log, at_alice, at_bob) = Default::default();
        Path { alice, bob, mallory, log, at_alice, at_bob, sent: 0 }
    }

    fn bob(&self) -> SocketAddr {
        self.bob.local_addr()
    }

    fn place(&self) -> SocketAddr {
        self.mallory.local_addr().expect("it is bound")
    }

    /// Waits for one thing to happen, but not for long; a packet is given to `meddle` with whom it
    /// is for, and goes on when that says so.
    async fn step(&mut self, meddle: impl FnOnce(bool, &[u8]) -> bool) {
        let mut buffer = [0; 2_000];
        let (alice, bob) = (self.alice.local_addr(), self.bob.local_addr());
        tokio::select! {
            () = self.alice.receive(&mut self.at_alice) => {}
            () = self.bob.receive(&mut self.at_bob) => {}
            () = tokio::time::sleep(GLANCE) => {}
            Ok((len, from)) = self.mallory.recv_from(&mut buffer) => {
                let packet = &buffer[..len];
                let is_for_bob = from == alice;
                self.log.push((is_for_bob, packet.to_vec()));
                if meddle(is_for_bob, packet) {
                    let to = if is_for_bob { bob } else { alice };
                    self.mallory.send_to(packet, to).await.expect("loopback takes it");
                }
            }
        }
    }

    /// Sends a new frame from Alice to Bob and waits until it has come, alone.
    async fn talk(&mut self) {
        self.sent += 1;
        let (to, frame) = (self.place(), Bytes::from(self.sent.to_string()));
        self.alice.send(&mut vec![Outbound::Datagram { to, frame: frame.clone() }]).await;
        let before = self.at_bob.len();
        soon(async {
            while self.at_bob.len() == before {
                self.step(|_, _| true).await;
            }
        })
        .await;
        let expected = Inbound::Datagram { from: to, identity: None, frame };
        assert_eq!(self.at_bob[before..], [expected], "an honest frame, and nothing else");
    }

    /// The same from Bob to Alice.
    async fn talk_back(&mut self) {
        let (to, frame) = (self.place(), Bytes::from_static(b"back"));
        self.bob.send(&mut vec![Outbound::Datagram { to, frame }]).await;
        let before = self.at_alice.len();
        soon(async {
            while self.at_alice.len() == before {
                self.step(|_, _| true).await;
            }
        })
        .await;
        assert_eq!(self.at_alice.len(), before + 1);
    }

    /// A packet of Alice's with a new frame, which Bob has not got.
    async fn withheld(&mut self) -> Vec<u8> {
        let (to, frame) = (self.place(), Bytes::from_static(b"withheld"));
        self.alice.send(&mut vec![Outbound::Datagram { to, frame }]).await;
        let before = self.log.len();
        soon(async {
            while self.log.len() == before {
                self.step(|_, _| false).await;
            }
        })
        .await;
        self.log.pop().expect("it was logged").1
    }
}

#[tokio::test]
async fn repeated_packets_change_nothing() {
    let mut path = Path::new().await;
    for _ in 0..5 {
        path.talk().await;
        path.talk_back().await;
    }
    let (log, stranger) = (path.log.clone(), socket().await);
    assert!(log.len() >= 4 + 10, "a handshake and five packets each way");
    let sessions = (path.alice.sessions(), path.bob.sessions());
    assert_eq!(sessions, (1, 1));
    for (number, (is_for_bob, packet)) in log.iter().enumerate() {
        let to = if *is_for_bob { path.bob() } else { path.alice.local_addr() };
        for socket in [&path.mallory, &stranger] {
            socket.send_to(packet, to).await.expect("loopback takes it");
        }
        path.talk().await;
        path.talk_back().await;
        assert_eq!((path.alice.sessions(), path.bob.sessions()), sessions, "packet {number}");
    }
    assert_eq!(path.at_bob.len(), 5 + log.len());
    // A process that starts anew in Bob's place takes none of it either.
    path.bob = bind(SECRET).await;
    for (is_for_bob, packet) in &log {
        if *is_for_bob {
            path.mallory.send_to(packet, path.bob()).await.expect("loopback takes it");
        }
    }
    // The first words may be lost, since Alice hears only now that Bob knows her no more.
    let before = path.at_bob.len();
    soon(async {
        while path.at_bob.len() == before {
            let (to, frame) = (path.place(), Bytes::from_static(b"new"));
            path.alice.send(&mut vec![Outbound::Datagram { to, frame }]).await;
            (path.step(|_, _| true)).await;
        }
    })
    .await;
    let is_new = |came: &Inbound| matches!(came, Inbound::Datagram { frame, .. } if frame == "new");
    assert!(path.at_bob[before..].iter().all(is_new));
    assert_eq!(path.bob.sessions(), 1);
}

#[tokio::test]
async fn a_flipped_bit_drops_the_packet() {
    let mut path = Path::new().await;
    path.talk().await;
    let sessions = path.bob.sessions();
    let packet = path.withheld().await;
    let refused =
        [SocketDrop::Forged, SocketDrop::Duplicate, SocketDrop::Link, SocketDrop::Handshake];
    let refused = [&refused[..], &[SocketDrop::Decode, SocketDrop::Version]].concat();
    let before = count(&path.bob, &refused);
    for bit in 0..packet.len() * 8 {
        let mut flipped = packet.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        path.mallory.send_to(&flipped, path.bob()).await.expect("loopback takes it");
        path.talk().await;
    }
    assert_eq!(count(&path.bob, &refused) - before, packet.len() as u64 * 8);
    assert_eq!(path.bob.sessions(), sessions);
    // Had it come unchanged, it would still be new.
    let came = path.at_bob.len();
    path.mallory.send_to(&packet, path.bob()).await.expect("loopback takes it");
    soon(async {
        while path.at_bob.len() == came {
            path.step(|_, _| true).await;
        }
    })
    .await;
}

#[tokio::test]
async fn handshakes_with_flipped_bits_come_to_nothing() {
    // Each step of a handshake comes to its receiver with each of its bits flipped first.
    let mut path = Path::new().await;
    let (to, frame) = (path.place(), Bytes::from_static(b"frame"));
    path.alice.send(&mut vec![Outbound::Datagram { to, frame }]).await;
    let mut steps = 0;
    soon(async {
        while path.at_bob.is_empty() {
            let (mut caught, alice, bob) = (None, path.alice.local_addr(), path.bob());
            path.step(|is_for_bob, packet| {
                caught = Some((is_for_bob, packet.to_vec()));
                false
            })
            .await;
            let Some((is_for_bob, packet)) = caught else { continue };
            steps += usize::from(packet.len() == HANDSHAKE_LEN);
            let to = if is_for_bob { bob } else { alice };
            for bit in 0..packet.len() * 8 {
                let mut flipped = packet.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                path.mallory.send_to(&flipped, to).await.expect("loopback takes it");
                path.alice.receive_ready(&mut path.at_alice).await;
                path.bob.receive_ready(&mut path.at_bob).await;
            }
            path.mallory.send_to(&packet, to).await.expect("loopback takes it");
        }
    })
    .await;
    assert!(steps >= 4, "{steps} steps");
    assert_eq!((path.at_bob.len(), path.at_alice.len()), (1, 0));
    assert_eq!((path.alice.sessions(), path.bob.sessions()), (1, 1));
}

/// Reads what has come, without waiting for more.
trait ReceiveReady {
    async fn receive_ready(&mut self, into: &mut Vec<Inbound>);
}

impl ReceiveReady for UdpTransport {
    async fn receive_ready(&mut self, into: &mut Vec<Inbound>) {
        tokio::select! {
            biased;
            () = self.receive(into) => {}
            () = tokio::task::yield_now() => {}
        }
    }
}

#[tokio::test]
async fn another_secret_is_not_answered() {
    let (mut path, stranger) = (Path::new().await, bind(b"another secret of some bytes").await);
    path.alice = stranger;
    let (to, frame) = (path.place(), Bytes::from_static(b"frame"));
    path.alice.send(&mut vec![Outbound::Datagram { to, frame }]).await;
    soon(async {
        while path.alice.counters().get(SocketDrop::Link) == 0 {
            path.step(|_, _| true).await;
        }
    })
    .await;
    assert!(path.log.iter().all(|(is_for_bob, _)| *is_for_bob), "Bob is silent");
    assert_eq!(path.bob.counters().get(SocketDrop::Handshake), path.log.len() as u64);
    assert_eq!((path.bob.sessions(), path.at_bob.len()), (0, 0));
}

#[tokio::test]
async fn parts_of_several_sessions_do_not_fit_together() {
    let mut path = Path::new().await;
    path.talk().await;
    let mut carol = Holder::begin(SECRET, path.bob()).await;
    beside(&mut path, carol.greet()).await;
    let theirs = carol.data(1, b"\0\x08withheld");
    let own = path.withheld().await;
    assert_eq!(own.len(), theirs.len());
    let before = path.bob.counters().get(SocketDrop::Forged);
    // Every mixture of session, number, frames and code, from both addresses.
    let cuts = [1..9, 9..17, 17..own.len() - 16, own.len() - 16..own.len()];
    for mixture in 1..15 {
        let mut packet = own.clone();
        for (bit, cut) in cuts.iter().enumerate() {
            if mixture >> bit & 1 == 1 {
                packet[cut.clone()].copy_from_slice(&theirs[cut.clone()]);
            }
        }
        // Equal parts make no mixture.
        if packet == own || packet == theirs {
            continue;
        }
        path.mallory.send_to(&packet, path.bob()).await.expect("loopback takes it");
        carol.socket.send_to(&packet, path.bob()).await.expect("loopback takes it");
        path.talk().await;
    }
    // A whole packet from another address than its session's.
    path.mallory.send_to(&theirs, path.bob()).await.expect("loopback takes it");
    carol.socket.send_to(&own, path.bob()).await.expect("loopback takes it");
    path.talk().await;
    assert!(path.bob.counters().get(SocketDrop::Forged) > before);
    assert_eq!(path.bob.sessions(), 2);
}

/// Does something while Bob answers.
async fn beside<T>(path: &mut Path, future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    soon(async {
        loop {
            tokio::select! {
                done = &mut future => return done,
                () = path.step(|_, _| true) => {}
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_flood_of_greetings_keeps_nobody_out_and_is_not_amplified() {
    let mut path = Path::new().await;
    path.talk().await;
    let greeting = path.log[0].1.clone();
    let unknown = [&[0x95; 17][..], &[7; 40]].concat();
    let noise = [0x93; 200];
    let (mut asked, mut answered) = (0, 0);
    for round in 0..300 {
        let mut sockets = Vec::new();
        for _ in 0..8 {
            let socket = socket().await;
            for packet in [&greeting[..], &unknown, &noise, &greeting[..30], b"\0\x01a"] {
                asked += socket.send_to(packet, path.bob()).await.expect("loopback takes it");
            }
            sockets.push(socket);
        }
        path.talk().await;
        for socket in sockets {
            // A socket of tokio's does not wait: all that has come is read.
            let (socket, mut buffer) = (socket.into_std().expect("it is whole"), [0; 2_000]);
            while let Ok(len) = socket.recv(&mut buffer) {
                answered += len;
            }
        }
        assert_eq!(path.bob.sessions(), 1, "round {round}");
    }
    println!("{asked} bytes, {answered} for them");
    assert!(answered > 0, "greetings of holders are answered");
    assert!(answered <= asked);
    let handshakes = path.log.iter().filter(|(_, packet)| packet.len() == HANDSHAKE_LEN).count();
    assert_eq!(handshakes, 4, "Alice's session goes on");
}

#[tokio::test]
async fn packets_that_come_back_to_their_sender_change_nothing() {
    let mut path = Path::new().await;
    let (to, frame) = (path.place(), Bytes::from_static(b"frame"));
    path.alice.send(&mut vec![Outbound::Datagram { to, frame }]).await;
    let mut buffer = [0; 2_000];
    soon(async {
        while path.alice.counters().get(SocketDrop::Link) == 0 {
            tokio::select! {
                () = path.alice.receive(&mut path.at_alice) => {}
                () = tokio::time::sleep(GLANCE) => {}
                Ok((len, from)) = path.mallory.recv_from(&mut buffer) => {
                    path.mallory.send_to(&buffer[..len], from).await.expect("loopback takes it");
                }
            }
        }
    })
    .await;
    assert_eq!((path.alice.sessions(), path.at_alice.len()), (0, 0));
    // With a session as well, in which Alice's numbers are ahead of those of Bob.
    for _ in 0..5 {
        path.talk().await;
    }
    path.talk_back().await;
    let (alice, bob, before) = (path.alice.local_addr(), path.bob(), path.at_alice.len());
    for (is_for_bob, packet) in path.log.clone() {
        let sender = if is_for_bob { alice } else { bob };
        path.mallory.send_to(&packet, sender).await.expect("loopback takes it");
    }
    path.talk().await;
    path.talk_back().await;
    assert_eq!(path.at_alice.len(), before + 1, "nothing but what Bob said");
    assert_eq!((path.alice.sessions(), path.bob.sessions()), (1, 1));
}

#[tokio::test]
async fn holders_of_the_secret_have_bounded_sessions_and_spare_those_in_use() {
    let mut path = Path::new().await;
    path.talk().await;
    path.talk_back().await;
    for number in 0..SESSIONS_PER_NETWORK_MAX + 200 {
        path.at_bob.clear();
        let mut holder = Holder::begin(SECRET, path.bob()).await;
        beside(&mut path, holder.greet()).await;
        // Every other one sends.
        if number % 2 == 0 {
            let packet = holder.data(1, b"\0\x05flood");
            holder.socket.send_to(&packet, path.bob()).await.expect("loopback takes it");
            soon(async {
                while path.at_bob.is_empty() {
                    path.step(|_, _| true).await;
                }
            })
            .await;
        }
        if number % 100 == 0 {
            path.talk().await;
            path.talk_back().await;
        }
        assert!(path.bob.sessions() <= SESSIONS_PER_NETWORK_MAX);
    }
    assert_eq!(path.bob.sessions(), SESSIONS_PER_NETWORK_MAX);
    path.talk().await;
    let handshakes = path.log.iter().filter(|(_, packet)| packet.len() == HANDSHAKE_LEN).count();
    assert_eq!(handshakes, 4, "Alice's session goes on");
    // There is still room for somebody new.
    let mut dave = bind(SECRET).await;
    let (to, frame) = (path.bob(), Bytes::from_static(b"dave"));
    dave.send(&mut vec![Outbound::Datagram { to, frame }]).await;
    let (before, mut at_dave) = (path.at_bob.len(), Vec::new());
    soon(async {
        while path.at_bob.len() == before {
            tokio::select! {
                () = dave.receive(&mut at_dave) => {}
                () = path.step(|_, _| true) => {}
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_last_numbers_count_once_as_all_others() {
    let mut path = Path::new().await;
    let mut holder = Holder::begin(SECRET, path.bob()).await;
    beside(&mut path, holder.greet()).await;
    const LAST: u64 = u64::MAX;
    let numbers = [1, LAST, LAST, LAST - 1, LAST - 1_023, LAST - 1_024, LAST - 1, 0, 1, 2];
    for number in numbers {
        let packet = holder.data(number, format!("\0\x01{}", number % 10).as_bytes());
        holder.socket.send_to(&packet, path.bob()).await.expect("loopback takes it");
    }
    path.talk_after(4).await;
    assert_eq!(path.bob.counters().get(SocketDrop::Duplicate), 6);
}

impl Path {
    /// Waits for this many frames of others, and sees that an honest one then comes alone.
    async fn talk_after(&mut self, others: usize) {
        soon(async {
            while self.at_bob.len() < others {
                self.step(|_, _| true).await;
            }
        })
        .await;
        self.talk().await;
        assert_eq!(self.at_bob.len(), others + 1);
    }
}
