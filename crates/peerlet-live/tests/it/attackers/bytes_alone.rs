//! Packets without a connection: to a QUIC port, and to a UDP network without a secret.

use std::net::SocketAddr;

use peerlet_core::runtime::mix;
use tokio::net::UdpSocket;

use super::scene::Scene;
use super::sockets::Sockets;
use crate::hostile::{Control, Credentials, LOOPBACK};

/// Handshakes that are recorded before they are sent.
const RECORDED: usize = 1_000;
const SOCKETS: usize = 32;

/// Bytes that nobody chose.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let words = (0..len.div_ceil(8) as u64).map(|word| mix(mix(seed) ^ word).to_be_bytes());
    let mut bytes: Vec<u8> = words.flatten().collect();
    bytes.truncate(len);
    bytes
}

/// Sends these packets in turn from many sockets.
async fn repeat(mut scene: Scene, packets: Vec<Vec<u8>>, to: impl Fn(&Scene) -> SocketAddr) {
    let mut sockets = Sockets::bind(SOCKETS, &scene.counts).await;
    scene.begin().await;
    let to = to(&scene);
    for packet in packets.iter().cycle() {
        scene.tick().await;
        sockets.send(packet, to).await;
    }
}

/// The first packets of handshakes, as they were sent to somebody else.
async fn recorded() -> Vec<Vec<u8>> {
    let sink = UdpSocket::bind(LOOPBACK).await.expect("loopback can be bound");
    let at = sink.local_addr().expect("it is bound");
    let endpoint = Credentials::generate().endpoint();
    let (mut packets, mut dialling, mut buffer) = (Vec::new(), Vec::new(), [0; 2_000]);
    while packets.len() < RECORDED {
        dialling.push(endpoint.connect(at, "peerlet").expect("it can be dialled"));
        let (len, _) = sink.recv_from(&mut buffer).await.expect("it is dialled");
        packets.push(buffer[..len].to_vec());
        if dialling.len() > 16 {
            dialling.clear();
        }
    }
    packets
}

/// Begins handshakes and says no more: the sender's address may be anybody's.
pub async fn handshakes_begun(scene: Scene) {
    let packets = recorded().await;
    repeat(scene, packets, |scene| scene.first).await;
}

/// Packets that look as if they belonged to a connection.
pub async fn noise_of_connections(scene: Scene) {
    let packet = |number: u64| {
        let mut packet = noise(number, 40 + (mix(number) % 1_100) as usize);
        packet[0] = 0x40 | packet[0] & 0x3f;
        packet
    };
    repeat(scene, (0..2_000).map(packet).collect(), |scene| scene.first).await;
}

/// Packets of handshakes whose content is noise, of this version of QUIC and of unknown ones.
pub async fn noise_of_handshakes(scene: Scene) {
    let packet = |number: u64| {
        let mut packet = noise(number, 1_200);
        packet[0] |= 0xc0;
        let version = if number.is_multiple_of(2) { 1 } else { 0x1a2a_3a4a_u32 };
        packet[1..5].copy_from_slice(&version.to_be_bytes());
        // Ids of eight bytes, no token, and a length that fits.
        packet[5] = 8;
        packet[14] = 8;
        packet[23] = 0;
        packet[24..26].copy_from_slice(&(0x4000_u16 | (1_200 - 26)).to_be_bytes());
        packet
    };
    repeat(scene, (0..2_000).map(packet).collect(), |scene| scene.first).await;
}

/// A packet of a UDP network without a secret.
fn plain(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as u16).to_be_bytes()[..], frame].concat()
}

/// Questions that have the longest answers for their length.
pub async fn plain_questions(scene: Scene) {
    let questions = [0, 10, 60, 100, 350].into_iter().flat_map(|len| {
        let padding = || vec![0; len];
        [
            Control::AskMap { from: 0, padding: padding() },
            Control::AskSections { from: 0, padding: padding() },
        ]
    });
    let packets = questions.chain([Control::Probe]).map(|it| plain(&it.frame())).collect();
    repeat(scene, packets, |scene| scene.first).await;
}

/// Frames that cannot be read.
pub async fn plain_malformed(scene: Scene) {
    let mut packets: Vec<_> = malformed().iter().map(|frame| plain(frame)).collect();
    // Lengths that do not fit.
    packets.extend((0..50).map(|number| noise(number, 1 + number as usize * 20)));
    packets.push([&[0xff, 0xff][..], &[0; 1_000]].concat());
    repeat(scene, packets, |scene| scene.first).await;
}

/// Frames that nobody can read: cut off, of unknown kinds, with lengths beyond all that there is.
pub fn malformed() -> Vec<Vec<u8>> {
    let ask = Control::AskMap { from: 0, padding: vec![0; 60] }.frame();
    let mut frames: Vec<Vec<u8>> = (0..ask.len()).map(|len| ask[..len].to_vec()).collect();
    // Kinds and calls.
    frames.extend((0..=255).map(|kind| {
        let mut frame = ask.to_vec();
        frame[1] = kind;
        frame
    }));
    // The head of a frame about joining, and each message with lengths of all ones.
    let head = &ask[..22];
    frames.extend((0..12).map(|message| [head, &[message], &[0xff; 9], &[0x01]].concat()));
    frames.extend((0..12).map(|message| [head, &[message], &[0xff; 900]].concat()));
    frames.extend((0..12).map(|message| [head, &[message, 0, 0, 0], &[0x80; 900]].concat()));
    frames.extend((0..100).map(|number| noise(number, 1 + number as usize * 11)));
    frames.extend((0..100).map(|number| [head, &noise(number, number as usize * 9)].concat()));
    frames
}
