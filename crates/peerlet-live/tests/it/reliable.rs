//! Reliable connections over QUIC: what a shard does with the two, without peers.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use peerlet_core::runtime::Call;
use peerlet_core::{Address, MILLISECOND, Time};
use peerlet_live::{
    ConnectionConfig, Connections, Effect, Frame, Inbound, Message, Outbound, ProcessKey,
    QuicTransport, SendError, Tag, Transport,
};

/// A shard with one peer, in slot 1.
struct Shard {
    transport: QuicTransport,
    connections: Connections,
    now: Time,
    delivered: Vec<u32>,
    undelivered: usize,
    writable: usize,
}

impl Shard {
    fn bind(nonce: u32) -> Shard {
        let at = SocketAddr::from(([127, 0, 0, 1], 0));
        let transport =
            QuicTransport::bind(ProcessKey::generate(), at).expect("loopback can be bound");
        let mut connections = Connections::new(ConnectionConfig::new(Tag::of("test", &[]), nonce));
        connections.started(1, 1);
        let (now, delivered) = (Time::ZERO, Vec::new());
        Shard { transport, connections, now, delivered, undelivered: 0, writable: 0 }
    }

    fn address(&self) -> Address {
        Address::new(self.transport.local_addr(), 1)
    }

    fn send(&mut self, to: Address, number: u32) -> Result<(), SendError> {
        let body = Bytes::copy_from_slice(&number.to_be_bytes());
        self.connections.send(self.now, 1, to, Message { port: 0, call: Call::None, body })
    }

    /// Sends what the machine wants sent.
    async fn transmit(&mut self) {
        let mut batch = Vec::new();
        while let Some(effect) = self.connections.poll() {
            match effect {
                Effect::Transmit { to, pair, frame, .. } => {
                    batch.push(Outbound::Stream { to, pair, frame: frame.into() });
                }
                Effect::Undelivered { .. } => self.undelivered += 1,
                Effect::Dropped { .. } => panic!("no peer crashes here"),
                Effect::Writable { .. } => self.writable += 1,
            }
        }
        self.transport.send(&mut batch).await;
    }

    /// Waits for one batch and does all that follows from it; gives how many links were lost.
    async fn iterate(&mut self) -> usize {
        self.transmit().await;
        let (mut batch, mut lost) = (Vec::new(), 0);
        self.transport.receive(&mut batch).await;
        self.now += MILLISECOND;
        for inbound in batch {
            match inbound {
                Inbound::Stream { from, frame, .. } => {
                    let frame = Frame::parse(&frame).expect("the other side sends frames");
                    if let Some(message) = self.connections.receive(self.now, from, &frame) {
                        let number =
                            message.body.as_ref().try_into().expect("four bytes were sent");
                        self.delivered.push(u32::from_be_bytes(number));
                    }
                }
                Inbound::LinkLost { with, .. } => {
                    lost += 1;
                    self.connections.link_lost(self.now, with);
                }
                Inbound::Blocked { to } => self.connections.blocked(to),
                Inbound::Unblocked { to } => self.connections.unblocked(to),
                Inbound::LinkUp { with, .. } => self.connections.link_up(with),
                Inbound::Mistaken { to, pair, identity } => {
                    self.connections.mistaken(to, pair, identity)
                }
                Inbound::Datagram { .. } => {}
            }
        }
        self.connections.flush(self.now);
        self.transmit().await;
        lost
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it hangs")
}

#[tokio::test]
async fn ten_thousand_messages_each_way_arrive_in_order() {
    const COUNT: u32 = 10_000;
    let (mut alice, mut bob) = (Shard::bind(1), Shard::bind(2));
    let (a, b) = (alice.address(), bob.address());
    let (mut from_alice, mut from_bob) = (0, 0);
    while alice.delivered.len() < COUNT as usize || bob.delivered.len() < COUNT as usize {
        while from_alice < COUNT && alice.send(b, from_alice).is_ok() {
            from_alice += 1;
        }
        while from_bob < COUNT && bob.send(a, from_bob).is_ok() {
            from_bob += 1;
        }
        alice.transmit().await;
        bob.transmit().await;
        soon(async {
            tokio::select! {
                _ = alice.iterate() => {}
                _ = bob.iterate() => {}
            }
        })
        .await;
    }
    let expected = Vec::from_iter(0..COUNT);
    assert_eq!(alice.delivered, expected);
    assert_eq!(bob.delivered, expected);
    assert_eq!(alice.undelivered + bob.undelivered, 0);
    assert!(alice.writable > 0, "the queue was full at times");
}

#[tokio::test]
async fn a_process_that_is_gone_is_dialled_again_and_found_when_it_is_back() {
    let (mut alice, mut bob) = (Shard::bind(1), Shard::bind(2));
    let b = bob.address();
    alice.send(b, 0).unwrap();
    soon(async {
        while bob.delivered.is_empty() {
            tokio::select! {
                _ = alice.iterate() => {}
                _ = bob.iterate() => {}
            }
        }
    })
    .await;
    // Bob's process ends; another one, with another key, takes its place.
    soon(bob.transport.close(peerlet_core::SECOND * 10)).await;
    drop(bob);
    soon(async { while alice.iterate().await == 0 {} }).await;
    let mut again = Shard::bind(3);
    again.transport = loop {
        match QuicTransport::bind(ProcessKey::generate(), b.socket()) {
            Ok(transport) => break transport,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    alice.send(b, 1).unwrap();
    soon(async {
        while again.delivered.is_empty() {
            tokio::select! {
                _ = alice.iterate() => {}
                _ = again.iterate() => {}
            }
        }
    })
    .await;
    assert_eq!(again.delivered, [1]);
}
