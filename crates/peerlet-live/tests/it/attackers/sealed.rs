//! Attacks on UDP with a secret: by strangers, by listeners who repeat what they heard, and by
//! holders of the secret.

use std::time::Duration;

use super::bytes_alone::noise;
use super::scene::Scene;
use super::sockets::Sockets;
use super::world::SECRET;
use crate::holder::Holder;

const SOCKETS: usize = 32;

/// Sends these packets in turn from many sockets.
async fn repeat(mut scene: Scene, packets: Vec<Vec<u8>>) {
    let mut sockets = Sockets::bind(SOCKETS, &scene.counts).await;
    scene.begin().await;
    for packet in packets.iter().cycle() {
        scene.tick().await;
        sockets.send(packet, scene.first).await;
    }
}

/// Packets of all kinds whose sessions and codes are guessed.
pub async fn forged(scene: Scene) {
    let packet = |number: u64| {
        let mut packet = noise(number, 60 + number as usize % 1_000);
        packet[0] = 0x90 + (number % 6) as u8;
        if packet[0] < 0x95 {
            packet.truncate(49);
        }
        packet
    };
    repeat(scene, (0..2_000).map(packet).collect()).await;
}

/// Packets of any length and content.
pub async fn anything(scene: Scene) {
    let packet = |number: u64| noise(number, number as usize % 1_400);
    repeat(scene, (0..2_000).map(packet).collect()).await;
}

/// A session of a holder; nothing where it was not answered.
async fn session(scene: &Scene) -> Option<Holder> {
    let mut holder = Holder::begin(SECRET, scene.first).await;
    holder.counts = scene.counts.clone();
    let greeting = holder.greet();
    tokio::time::timeout(Duration::from_secs(1), greeting).await.ok()?;
    Some(holder)
}

/// A greeting of a holder that somebody heard, from addresses of others.
pub async fn greetings_repeated(scene: Scene) {
    let holder = Holder::begin(SECRET, scene.first).await;
    let greetings = vec![holder.greeting()];
    repeat(scene, greetings).await;
}

/// Packets of a session that somebody heard, again and again: all steps of its handshake, and
/// frames.
pub async fn packets_repeated(scene: Scene) {
    let holder = session(&scene).await.expect("a holder is answered");
    let frames = crate::honest::forged_datagram(9, 0);
    let frames = [&(frames.len() as u16).to_be_bytes()[..], &frames].concat();
    let mut packets: Vec<_> = (1..500).map(|number| holder.data(number, &frames)).collect();
    packets.push(holder.greeting());
    for packet in &packets {
        drop(holder.socket.send(packet).await);
    }
    let mut scene = scene;
    let mut others = Sockets::bind(SOCKETS, &scene.counts).await;
    scene.begin().await;
    for (number, packet) in packets.iter().cycle().enumerate() {
        scene.tick().await;
        // From its own address, and from others.
        if number % 2 == 0 {
            others.send(packet, scene.first).await;
        } else if holder.socket.send(packet).await.is_ok() {
            scene.counts.sent(packet.len());
        }
    }
}

/// Packets of a session with one bit changed.
pub async fn bits_flipped(scene: Scene) {
    let holder = session(&scene).await.expect("a holder is answered");
    let mut scene = scene;
    scene.begin().await;
    for number in 1.. {
        scene.tick().await;
        let mut packet = holder.data(number, &[0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let bit = number as usize % (packet.len() * 8);
        packet[bit / 8] ^= 1 << (bit % 8);
        if holder.socket.send(&packet).await.is_ok() {
            scene.counts.sent(packet.len());
        }
    }
}

/// Sessions of a holder that are made and not used.
pub async fn sessions(mut scene: Scene) {
    scene.begin().await;
    let mut kept = std::collections::VecDeque::new();
    loop {
        scene.tick().await;
        kept.push_back(session(&scene).await);
        if kept.len() > 500 {
            kept.pop_front();
        }
    }
}
