//! Floods over QUIC: handshakes, connections, streams and questions of strangers keep nobody out
//! and take no more room than they are given.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use peerlet_live::{Admission, SocketDrop};
use quinn::{Connection, Endpoint};
use tokio::net::UdpSocket;

use crate::honest::{Honest, dropped};
use crate::hostile::{Control, Credentials, LOOPBACK, Stranger};
use crate::runs::{PATIENCE, runtime};

/// Connections of strangers from one network.
const STRANGERS_PER_NETWORK: usize = 32;
/// The most that a stranger may send ahead, in bytes.
const WINDOW: usize = 16 * 1024;

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it hangs")
}

/// A path on which handshakes come to a halt: all goes to the process, and only the demand to prove
/// the own address (Retry) comes back. So the process sees one source of handshakes that begin,
/// with a proved address, and never end. Gives where to dial.
async fn half_way(to: SocketAddr, clients: SocketAddr) -> SocketAddr {
    let near = UdpSocket::bind(LOOPBACK).await.expect("loopback can be bound");
    let at = near.local_addr().expect("it is bound");
    let far = UdpSocket::bind(LOOPBACK).await.expect("loopback can be bound");
    let (near, far) = (Arc::new(near), Arc::new(far));
    let (near_too, far_too) = (near.clone(), far.clone());
    tokio::spawn(async move {
        let mut buffer = [0; 2_000];
        while let Ok((len, _)) = near.recv_from(&mut buffer).await {
            // A full buffer loses it, as networks do.
            drop(far.send_to(&buffer[..len], to).await);
        }
    });
    tokio::spawn(async move {
        let mut buffer = [0; 2_000];
        while let Ok((len, _)) = far_too.recv_from(&mut buffer).await {
            if buffer[0] & 0xf0 == 0xf0 {
                drop(near_too.send_to(&buffer[..len], clients).await);
            }
        }
    });
    at
}

#[test]
fn a_thousand_handshakes_that_never_end_keep_nobody_out() {
    runtime().block_on(async {
        let mut honest = Honest::first(4, Admission::default()).await;
        let endpoint = Credentials::generate().endpoint();
        let own = endpoint.local_addr().expect("it is bound");
        let to = half_way(honest.at(), own).await;
        let mut handshakes = Vec::new();
        for _ in 0..1_000 {
            handshakes.push(endpoint.connect(to, "peerlet").expect("it can be dialled"));
            tokio::task::yield_now().await;
        }
        honest.join(1).await;
        honest.rounds_go_on().await;
        drop(handshakes);
        let outcome = honest.finish().await;
        // Those that made room for others, at least.
        assert!(dropped(&outcome, &[SocketDrop::Handshake]) > 0, "{:?}", outcome.counters);
    });
}

/// A connection of somebody new.
async fn dial(to: SocketAddr) -> (Connection, Endpoint) {
    let endpoint = Credentials::generate().endpoint();
    let connecting = endpoint.connect(to, "peerlet").expect("it can be dialled");
    (soon(connecting).await.expect("it is open to all"), endpoint)
}

#[test]
fn connections_of_strangers_are_few() {
    runtime().block_on(async {
        let mut honest = Honest::first(4, Admission::default()).await;
        let (mut connections, at) = (Vec::new(), honest.at());
        // Each from a port of its own, as this many processes would; some at once.
        for _ in 0..15 {
            let dialling: Vec<_> = (0..20).map(|_| tokio::spawn(dial(at))).collect();
            for dialled in dialling {
                connections.push(dialled.await.expect("nothing panics"));
            }
        }
        let (connections, _endpoints): (Vec<_>, Vec<_>) = connections.into_iter().unzip();
        let open = || connections.iter().filter(|it| it.close_reason().is_none()).count();
        soon(async {
            while open() > STRANGERS_PER_NETWORK {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        honest.join(1).await;
        honest.rounds_go_on().await;
        assert!(open() <= STRANGERS_PER_NETWORK);
        let outcome = honest.finish().await;
        let made_room = (300 - STRANGERS_PER_NETWORK) as u64;
        assert!(dropped(&outcome, &[SocketDrop::Stranger]) >= made_room, "{:?}", outcome.counters);
    });
}

#[test]
fn a_stranger_sends_no_more_ahead_than_its_window() {
    runtime().block_on(async {
        let honest = Honest::pair(Admission::default()).await;
        let endpoint = Credentials::generate().endpoint();
        let mut taken = Vec::new();
        for _ in 0..STRANGERS_PER_NETWORK / 4 {
            let connecting = endpoint.connect(honest.at(), "peerlet").expect("it can be dialled");
            let connection = soon(connecting).await.expect("it is open to all");
            let (mut streams, mut sum) = (Vec::new(), 0);
            // The length of a frame of 256 KiB, and what follows of it; as many streams as it may.
            let content = [&(256u32 * 1024).to_be_bytes()[..], &[7; 256 * 1024]].concat();
            let quiet = Duration::from_millis(20);
            while let Ok(Ok(mut stream)) = tokio::time::timeout(quiet, connection.open_uni()).await
            {
                while let Ok(Ok(written)) =
                    tokio::time::timeout(quiet, stream.write(&content)).await
                {
                    sum += written;
                }
                streams.push(stream);
            }
            assert!(sum <= WINDOW && streams.len() <= 2, "{sum} in {}", streams.len());
            taken.push((connection, streams));
        }
        honest.rounds_go_on().await;
        honest.finish().await;
    });
}

#[test]
fn questions_of_strangers_keep_no_member_from_being_heard() {
    runtime().block_on(async {
        let mut honest = Honest::first(4, Admission::default()).await;
        let at = honest.at();
        // As fast as they can be sent, from several at once.
        let flood = || async move {
            let mut stranger = Stranger::new(at);
            let ask = Control::AskSections { from: 0, padding: vec![0; 360] };
            loop {
                for _ in 0..50 {
                    stranger.say(&ask).await;
                }
                // What comes back is read, and dropped.
                drop(stranger.hear(Duration::from_millis(1)).await);
            }
        };
        let floods: Vec<_> = (0..4).map(|_| tokio::spawn(flood())).collect();
        honest.join(1).await;
        honest.rounds_go_on().await;
        honest.rounds_go_on().await;
        let outcome = honest.finish().await;
        floods.iter().for_each(tokio::task::JoinHandle::abort);
        assert!(dropped(&outcome, &[SocketDrop::Stranger]) >= 1_000, "{:?}", outcome.counters);
    });
}
