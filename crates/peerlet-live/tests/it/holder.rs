//! A holder of a UDP network's secret who speaks its protocol by hand, as the documents of the
//! transport describe it.

use std::net::SocketAddr;
use std::sync::Arc;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::net::UdpSocket;

use crate::attackers::meter::Counts;

/// A socket with a session.
pub struct Holder {
    pub socket: UdpSocket,
    /// Counts the packets of handshakes.
    pub counts: Arc<Counts>,
    secret: hmac::Key,
    session: [u8; 8],
    endpoint: [u8; 8],
    sending: Option<hmac::Key>,
}

impl Holder {
    /// A socket that is going to talk to this address.
    pub async fn begin(secret: &[u8], with: SocketAddr) -> Holder {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback can be bound");
        socket.connect(with).await.expect("loopback can be reached");
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let (session, endpoint, counts) = (random(), random(), Arc::default());
        Holder { socket, counts, secret, session, endpoint, sending: None }
    }

    /// Makes a session.
    pub async fn greet(&mut self) {
        let (cookie, other) = self.ask(0x90, &[0; 16], &[0; 8]).await;
        let (nonce, other) = self.ask(0x92, &cookie, &other).await;
        let parts = [b"began", &self.session[..], &self.endpoint, &other, &nonce];
        let key = self.tag(b"peerlet udp 1 session", &parts);
        self.sending = Some(hmac::Key::new(hmac::HMAC_SHA256, &key));
    }

    /// A packet with this number and these frames.
    pub fn data(&self, number: u64, frames: &[u8]) -> Vec<u8> {
        let mut packet = [&[0x95][..], &self.session, &number.to_be_bytes(), frames].concat();
        let key = self.sending.as_ref().expect("there is a session");
        let code = hmac::sign(key, &packet);
        packet.extend_from_slice(&code.as_ref()[..16]);
        packet
    }

    /// The first packet of a handshake.
    pub fn greeting(&self) -> Vec<u8> {
        self.step(0x90, &[0; 16], &[0; 8])
    }

    fn step(&self, kind: u8, value: &[u8; 16], other: &[u8; 8]) -> Vec<u8> {
        let mut packet = [&[kind][..], &self.session, &self.endpoint, value].concat();
        let code = self.tag(b"peerlet udp 1 handshake", &[&packet, other]);
        packet.extend_from_slice(&code[..16]);
        packet
    }

    /// Sends one step of a handshake; gives the value in the next one, and its sender.
    async fn ask(&self, kind: u8, value: &[u8; 16], other: &[u8; 8]) -> ([u8; 16], [u8; 8]) {
        let packet = self.step(kind, value, other);
        self.socket.send(&packet).await.expect("loopback takes it");
        self.counts.sent(packet.len());
        let mut answer = [0; 2_000];
        let len = self.socket.recv(&mut answer).await.expect("it is answered");
        self.counts.came(len);
        assert_eq!((len, answer[0], &answer[1..9]), (packet.len(), kind + 1, &self.session[..]));
        let code = self.tag(b"peerlet udp 1 handshake", &[&answer[..33], &self.endpoint]);
        assert_eq!(answer[33..49], code[..16], "the answer is a holder's, and for this one");
        (answer[17..33].try_into().expect("16 bytes"), answer[9..17].try_into().expect("8 bytes"))
    }

    /// HMAC-SHA256 over a purpose and parts, each after its length.
    fn tag(&self, purpose: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let parts = std::iter::once(purpose).chain(parts.iter().copied());
        let all = parts.flat_map(|part| [&(part.len() as u64).to_be_bytes(), part].concat());
        hmac::sign(&self.secret, &all.collect::<Vec<u8>>()).as_ref().to_vec()
    }
}

fn random() -> [u8; 8] {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).expect("there is randomness");
    bytes
}
