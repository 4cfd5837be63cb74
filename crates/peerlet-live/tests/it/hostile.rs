//! Tools of somebody who attacks processes over QUIC: what processes tell each other, written down
//! anew, and endpoints that do what no process does.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use peerlet_core::{Identity, MILLISECOND, Time, wire};
use peerlet_live::{
    Frame, Guard, Inbound, Kind, Outbound, ProcessKey, QuicTransport, Refusal, Section, Tag,
    Transport,
};
use peerlet_measure::EpochMeasurements;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use quinn::rustls::crypto::ring as suites;
use quinn::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use quinn::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use quinn::rustls::sign::{CertifiedKey, SingleCertAndKey};
use quinn::rustls::version::TLS13;
use quinn::rustls::{
    self, ClientConfig, DigitallySignedStruct, DistinguishedName, SignatureScheme,
};
use quinn::{AsyncUdpSocket, Runtime, TokioRuntime};
use ring::digest;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};

use crate::runs::PATIENCE;

pub const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A process, as processes tell each other of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Process {
    pub incarnation: u64,
    pub first: u32,
    pub last: u32,
    pub ip: [u8; 16],
    pub ports: Vec<u16>,
    pub identity: Identity,
}

impl Process {
    pub fn new(seats: (u32, u32), at: SocketAddr, identity: Identity) -> Process {
        let mut process = Process {
            incarnation: 7,
            first: seats.0,
            last: seats.1,
            ip: [0; 16],
            ports: vec![at.port()],
            identity,
        };
        process.set_ip(at.ip());
        process
    }

    pub fn set_ip(&mut self, ip: IpAddr) {
        self.ip = match ip {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
    }

    pub fn ip(&self) -> IpAddr {
        Ipv6Addr::from(self.ip).to_canonical()
    }
}

/// What processes tell each other, in the order of the protocol.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Control {
    Join { process: Process, run: [u8; 32], asked: SocketAddr, sent: u64 },
    Welcome { sent: u64, clock: u64, zero: Option<u64>, version: u64, seen: SocketAddr },
    Refused { why: Refusal },
    AskMap { from: u32, padding: Vec<u8> },
    Map { version: u64, from: u32, processes: Vec<Process>, total: u32 },
    AskSections { from: u32, padding: Vec<u8> },
    Sections { from: u32, sections: Vec<Section>, total: u32 },
    Piece { incarnation: u64, report: u32, piece: u32, pieces: u32, bytes: Vec<u8> },
    Taken { report: u32, piece: u32 },
    Probe,
}

/// A report, in the order of the protocol.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Report {
    Epoch {
        lived: u64,
        words: Vec<u64>,
    },
    Closing {
        ledger: Vec<u64>,
        counters: Vec<u64>,
        events: u64,
        late_answers: u64,
        idle_directives: u64,
    },
}

impl Report {
    /// An epoch of half a second with this many answers, in which a process claims to have lived
    /// for longer than anybody can.
    pub fn epoch(number: usize, answers: u64) -> Report {
        let at = |number: usize| Time::ZERO + MILLISECOND * 500 * number as u64;
        let mut epoch = EpochMeasurements::new(number, at(number)..at(number + 1), 1);
        epoch.accumulators[0].record_n(1, answers);
        let mut words = Vec::new();
        epoch.words(&mut |word| words.push(word));
        Report::Epoch { lived: u64::MAX, words }
    }

    /// A last report in which everything is this many.
    pub fn closing(count: u64) -> Report {
        let ledger = vec![count; 2 * (4 + peerlet_measure::DropCause::ALL.len())];
        let counters = vec![count; peerlet_live::SocketDrop::ALL.len()];
        let (late_answers, idle_directives) = (count, count);
        Report::Closing { ledger, counters, events: count, late_answers, idle_directives }
    }

    /// The piece that it is sent in.
    pub fn piece(&self, incarnation: u64, report: u32) -> Control {
        let mut bytes = Vec::new();
        wire::encode(self, &mut bytes).expect("it is plain");
        assert!(bytes.len() <= 900, "it fits one piece");
        Control::Piece { incarnation, report, piece: 0, pieces: 1, bytes }
    }
}

impl Control {
    pub fn ask_map() -> Control {
        Control::AskMap { from: 0, padding: vec![0; 360] }
    }

    /// The frame that holds it.
    pub fn frame(&self) -> Bytes {
        let mut bytes = Vec::new();
        wire::encode(self, &mut bytes).expect("it is plain");
        let kind = Kind::Control(&bytes);
        Frame { tag: Tag::CONTROL, from: 0, to: 0, life: 0, kind }.to_vec().into()
    }
}

/// Reads a frame in which processes tell each other something.
pub fn control_in(frame: &[u8]) -> Option<Control> {
    match Frame::parse(frame) {
        Ok(Frame { tag: Tag::CONTROL, kind: Kind::Control(bytes), .. }) => wire::decode(bytes).ok(),
        _ => None,
    }
}

/// A hash over sections, as processes compare it.
pub fn fingerprint(sections: &[Section]) -> [u8; 32] {
    let mut hash = digest::Context::new(&digest::SHA256);
    for text in sections.iter().flat_map(|section| [&section.name, &section.value]) {
        hash.update(&(text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.finish().as_ref().try_into().expect("a hash has 32 bytes")
}

/// An attacker with a key of its own, who talks to one process.
pub struct Stranger {
    pub transport: QuicTransport,
    pub to: SocketAddr,
    came: Vec<Inbound>,
    /// How often its link was lost.
    pub lost: usize,
}

impl Stranger {
    pub fn new(to: SocketAddr) -> Stranger {
        Stranger::with(to, Guard::default())
    }

    pub fn with(to: SocketAddr, guard: Guard) -> Stranger {
        let transport = QuicTransport::bind_guarded(ProcessKey::generate(), LOOPBACK, guard);
        let transport = transport.expect("loopback can be bound");
        Stranger { transport, to, came: Vec::new(), lost: 0 }
    }

    /// Itself as a process with these seats.
    pub fn process(&self, seats: (u32, u32)) -> Process {
        Process::new(seats, self.transport.local_addr(), self.transport.identity())
    }

    pub async fn say(&mut self, control: &Control) {
        let (to, frame) = (self.to, control.frame());
        self.transport.send(&mut vec![Outbound::Datagram { to, frame }]).await;
    }

    pub async fn send_datagram(&mut self, frame: Vec<u8>) {
        let (to, frame) = (self.to, frame.into());
        self.transport.send(&mut vec![Outbound::Datagram { to, frame }]).await;
    }

    pub async fn send_stream(&mut self, frame: Vec<u8>) {
        let (to, frame, pair) = (self.to, frame.into(), (0, 0));
        self.transport.send(&mut vec![Outbound::Stream { to, pair, frame }]).await;
    }

    /// What comes next, or `None` after a while without.
    pub async fn hear(&mut self, within: Duration) -> Option<Control> {
        let next = async {
            loop {
                for inbound in self.came.drain(..) {
                    match inbound {
                        Inbound::Datagram { frame, .. } => {
                            if let Some(control) = control_in(&frame) {
                                return control;
                            }
                        }
                        Inbound::LinkLost { .. } => self.lost += 1,
                        _ => {}
                    }
                }
                self.transport.receive(&mut self.came).await;
            }
        };
        tokio::time::timeout(within, next).await.ok()
    }

    /// Says something until it is answered; whatever else comes meanwhile is dropped.
    pub async fn ask<T>(
        &mut self,
        control: &Control,
        mut is_answer: impl FnMut(Control) -> Option<T>,
    ) -> T {
        let asking = async {
            loop {
                self.say(control).await;
                while let Some(control) = self.hear(Duration::from_millis(300)).await {
                    if let Some(answer) = is_answer(control) {
                        return answer;
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.expect("it is answered")
    }

    /// Learns what the run is made of, which everybody may.
    pub async fn sections(&mut self) -> Vec<Section> {
        let mut all = Vec::new();
        loop {
            let from = all.len() as u32;
            let question = Control::AskSections { from, padding: vec![0; 360] };
            let (sections, total) = self
                .ask(&question, |control| match control {
                    Control::Sections { from: is, sections, total } if is == from => {
                        Some((sections, total))
                    }
                    _ => None,
                })
                .await;
            all.extend(sections);
            if all.len() >= total as usize {
                return all;
            }
        }
    }

    /// Waits until all that was said before has been heard.
    pub async fn until_heard(&mut self) {
        let question = Control::AskSections { from: 0, padding: vec![0; 360] };
        self.ask(&question, |control| matches!(control, Control::Sections { .. }).then_some(()))
            .await;
    }

    /// Joins as this process; gives the refusal, if it is one.
    pub async fn join(&mut self, process: &Process, run: [u8; 32]) -> Result<(), Refusal> {
        let asked = self.to;
        self.join_at(process, run, asked).await
    }

    /// The same, saying that the other process was reached at this address.
    pub async fn join_at(
        &mut self,
        process: &Process,
        run: [u8; 32],
        asked: SocketAddr,
    ) -> Result<(), Refusal> {
        let token = self.came.len() as u64 + 99;
        let join = Control::Join { process: process.clone(), run, asked, sent: token };
        self.ask(&join, |control| match control {
            Control::Welcome { .. } => Some(Ok(())),
            Control::Refused { why } => Some(Err(why)),
            _ => None,
        })
        .await
    }
}

/// A key and the one form of certificate that processes take, made by hand.
pub struct Credentials {
    pub identity: Identity,
    chain: Vec<CertificateDer<'static>>,
    pkcs8: Vec<u8>,
}

impl Credentials {
    pub fn generate() -> Credentials {
        const SPKI: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
        const HEAD: &[u8] = b"\x30\x81\x85\xa0\x03\x02\x01\x02\x02\x01\x01\
            \x30\x05\x06\x03\x2b\x65\x70\
            \x30\x12\x31\x10\x30\x0e\x06\x03\x55\x04\x03\x0c\x07peerlet\
            \x30\x20\x17\x0d700101000000Z\x18\x0f99991231235959Z\
            \x30\x12\x31\x10\x30\x0e\x06\x03\x55\x04\x03\x0c\x07peerlet";
        const MIDDLE: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70\x03\x41\x00";
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("randomness");
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("it was just made");
        let info = [SPKI, pair.public_key().as_ref()].concat();
        let signed = [HEAD, &info].concat();
        let signature = pair.sign(&signed);
        let whole = [b"\x30\x81\xd2", &signed[..], MIDDLE, signature.as_ref()].concat();
        let hash = digest::digest(&digest::SHA256, &info);
        let identity = Identity(hash.as_ref().try_into().expect("a hash has 32 bytes"));
        Credentials { identity, chain: vec![whole.into()], pkcs8: document.as_ref().to_vec() }
    }

    /// The certificate of another one, without its key.
    pub fn in_the_name_of(&self, other: &Credentials) -> Credentials {
        let (identity, chain) = (other.identity, other.chain.clone());
        Credentials { identity, chain, pkcs8: self.pkcs8.clone() }
    }

    /// The certificate that is shown to others, whether or not the key fits it.
    fn shown(&self) -> Arc<SingleCertAndKey> {
        let key = suites::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(self.pkcs8.clone()));
        let key = key.expect("it is an Ed25519 key");
        Arc::new(SingleCertAndKey::from(CertifiedKey::new(self.chain.clone(), key)))
    }

    /// An endpoint that dials and listens with these, and takes anybody.
    pub fn endpoint(&self) -> quinn::Endpoint {
        let socket = std::net::UdpSocket::bind(LOOPBACK).expect("loopback can be bound");
        let socket = TokioRuntime.wrap_udp_socket(socket).expect("it can be read");
        self.endpoint_over(socket)
    }

    /// The same with a socket that is there.
    pub fn endpoint_over(&self, socket: Arc<dyn AsyncUdpSocket>) -> quinn::Endpoint {
        let builder =
            rustls::ServerConfig::builder_with_provider(Arc::new(suites::default_provider()));
        let mut server = builder
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has TLS 1.3")
            .with_client_cert_verifier(Arc::new(Anybody))
            .with_cert_resolver(self.shown());
        server.alpn_protocols = vec![b"peerlet/1".to_vec()];
        let builder = ClientConfig::builder_with_provider(Arc::new(suites::default_provider()));
        let mut client = builder
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody))
            .with_client_cert_resolver(self.shown());
        client.alpn_protocols = vec![b"peerlet/1".to_vec()];
        let server = QuicServerConfig::try_from(server).expect("the suites are there");
        let client = QuicClientConfig::try_from(client).expect("the suites are there");
        let server = quinn::ServerConfig::with_crypto(Arc::new(server));
        let (config, runtime) = (quinn::EndpointConfig::default(), Arc::new(TokioRuntime));
        let endpoint =
            quinn::Endpoint::new_with_abstract_socket(config, Some(server), socket, runtime);
        let mut endpoint = endpoint.expect("the socket is bound");
        let mut client = quinn::ClientConfig::new(Arc::new(client));
        let mut transport = quinn::TransportConfig::default();
        transport.initial_mtu(1232).min_mtu(1232);
        client.transport_config(Arc::new(transport));
        endpoint.set_default_client_config(client);
        endpoint
    }
}

/// Believes every certificate.
#[derive(Debug)]
struct Anybody;

fn schemes() -> Vec<SignatureScheme> {
    vec![SignatureScheme::ED25519]
}

/// What both sides of a handshake do with a signature: they take any.
macro_rules! any_signature {
    () => {
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            schemes()
        }
    };
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    any_signature!();
}

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    any_signature!();
}
