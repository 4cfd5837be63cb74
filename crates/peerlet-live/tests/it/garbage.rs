//! Garbage for the sockets of a network with a secret: it is dropped, and nothing else changes.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use peerlet_core::{Address, Context, MILLISECOND, Peer, Peerlet, Seat, Seed};
use peerlet_live::{Admission, Join, LiveSetup, Secret, SocketDrop, Sockets};

use crate::honest::{Running, dropped};
use crate::runs::{LONG, PATIENCE, runtime};

const SEATS: u32 = 4;
/// Packets for each of the two sockets.
const PACKETS: usize = 3_000;

/// Sends a number to all others, again and again, and counts the right ones that come.
#[derive(Clone, Default)]
struct Beats {
    came: Arc<AtomicU64>,
    wrong: Arc<AtomicU64>,
}

impl Peerlet for Beats {
    const NAME: &'static str = "beats";
    type Message = u64;
    type Timer = ();

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.every(MILLISECOND * 10, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let own = ctx.seat();
        for seat in (0..SEATS).map(Seat).filter(|seat| *seat != own) {
            if let Some(to) = ctx.seats().address(seat) {
                ctx.send(to, 0xbea7_bea7_bea7_bea7);
            }
        }
    }

    fn message(&mut self, _: &mut Context<Self>, _: Address, number: u64) {
        let is_right = number == 0xbea7_bea7_bea7_bea7;
        let count = if is_right { &self.came } else { &self.wrong };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Packets of all lengths: noise, and noise behind what packets of QUIC and of sealed UDP begin
/// with.
fn garbage() -> Vec<Vec<u8>> {
    let seed = std::env::var("PEERLET_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    println!("PEERLET_SEED={seed}");
    let mut rng = Seed::new(seed).named("garbage").rng();
    let heads: [&[u8]; 8] = [
        &[],
        &[0x90],
        &[0x92],
        &[0x94],
        &[0x95],
        // Long headers of QUIC's first version, and a short one.
        &[0xc0, 0, 0, 0, 1, 8],
        &[0xe0, 0, 0, 0, 1, 20],
        &[0x40],
    ];
    let packet = |i: usize| {
        let mut packet = heads[i % heads.len()].to_vec();
        let len = [0, 7, 24, 33, 41, 200, 1_200, 1_232, 1_400][rng.index(9)];
        packet.extend((0..len).map(|_| rng.index(256) as u8));
        packet
    };
    (0..PACKETS).map(packet).collect()
}

async fn until(count: &AtomicU64, more: u64) {
    let least = count.load(Ordering::Relaxed) + more;
    let waiting = async {
        while count.load(Ordering::Relaxed) < least {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("messages go on");
}

fn check(sockets: Sockets) {
    runtime().block_on(async {
        let secret = Some(Secret::from_bytes(&[7; 32]).expect("it is long enough"));
        let admission = Admission { secret, ..Admission::default() };
        let beats = Beats::default();
        let new = |index| {
            let beats = beats.clone();
            LiveSetup {
                sockets,
                admission: admission.clone(),
                index: Some(index),
                ..LiveSetup::new("garbage", SEATS, LONG, move |_| Peer::new().with(beats.clone()))
            }
        };
        let first = Running::start(new((0, 1))).await;
        // Before anybody has joined, and while messages are under way.
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
        let throw = |packets: &[Vec<u8>], at| {
            for packet in packets {
                // A full buffer loses it, as a network would.
                socket.send_to(packet, at).ok();
            }
        };
        let packets = garbage();
        throw(&packets[..PACKETS / 2], first.at);
        let join = Some(Join::at(first.at));
        let second = Running::start(LiveSetup { join, ..new((2, 3)) }).await;
        until(&beats.came, 100).await;
        for some in packets.chunks(200) {
            throw(some, first.at);
            throw(some, second.at);
            until(&beats.came, 20).await;
        }
        until(&beats.came, 100).await;
        assert_eq!(beats.wrong.load(Ordering::Relaxed), 0);
        let own = socket.local_addr().expect("it is bound");
        let outcomes = [second.stop().await, first.stop().await];
        for outcome in &outcomes {
            assert!(outcome.kept_out.len() <= 2, "{:?}", outcome.kept_out);
            if sockets != Sockets::Quic {
                let causes = [
                    SocketDrop::Forged,
                    SocketDrop::Handshake,
                    SocketDrop::Decode,
                    SocketDrop::Version,
                ];
                assert!(dropped(outcome, &causes) > 0, "{:?}", outcome.counters);
                let named = format!("packets from {own} were dropped");
                assert!(outcome.kept_out.iter().any(|line| line.starts_with(&named)));
            }
        }
        let whole = outcomes[1].whole.as_ref().expect("seat 0's process knows the whole");
        assert_eq!(whole.processes, 2);
    });
}

#[test]
fn garbage_changes_nothing_over_quic() {
    check(Sockets::Quic);
}

#[test]
fn garbage_changes_nothing_over_udp() {
    check(Sockets::Udp { closed_network: false });
}
