//! Two endpoints on loopback. Timeouts only guard against hanging.

use std::future::Future;
use std::net::UdpSocket;
use std::time::Duration as StdDuration;

use peerlet_core::{SECOND, Seed};
use tokio::time::timeout;

use super::*;

mod budget;
mod crossed;
mod crowd;
mod dialling;
mod trusted;

fn bind() -> QuicTransport {
    QuicTransport::bind(ProcessKey::generate(), "127.0.0.1:0".parse().unwrap()).unwrap()
}

/// The result of what must not take long.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(StdDuration::from_secs(30), future).await.expect("it hangs")
}

/// Waits for the future while the other transport works, which keeps what comes in for later.
async fn beside<T>(other: &mut QuicTransport, future: impl Future<Output = T>) -> T {
    let (mut future, mut came) = (std::pin::pin!(future), Vec::new());
    let result = loop {
        tokio::select! {
            result = &mut future => break result,
            () = other.receive(&mut came) => {}
        }
    };
    other.pending.splice(0..0, came);
    result
}

async fn send_datagram(from: &mut QuicTransport, to: SocketAddr, frame: &[u8]) {
    from.send(&mut vec![Outbound::Datagram { to, frame: frame.to_vec().into() }]).await;
}

async fn send_stream(from: &mut QuicTransport, to: SocketAddr, pair: (u32, u32), frame: &[u8]) {
    from.send(&mut vec![Outbound::Stream { to, pair, frame: frame.to_vec().into() }]).await;
}

/// Receives until something is found in what came in, and gives that.
async fn until<T>(
    transport: &mut QuicTransport,
    mut find: impl FnMut(&Inbound) -> Option<T>,
) -> (Vec<Inbound>, T) {
    let mut came = Vec::new();
    loop {
        let seen = came.len();
        soon(transport.receive(&mut came)).await;
        if let Some(found) = came[seen..].iter().find_map(&mut find) {
            return (came, found);
        }
    }
}

fn frame_of(inbound: &Inbound) -> Option<Bytes> {
    match inbound {
        Inbound::Datagram { frame, .. } | Inbound::Stream { frame, .. } => Some(frame.clone()),
        _ => None,
    }
}

fn lost(inbound: &Inbound) -> Option<LinkError> {
    match inbound {
        Inbound::LinkLost { why, .. } => Some(*why),
        _ => None,
    }
}

/// The next `n` frames.
async fn frames(transport: &mut QuicTransport, n: usize) -> Vec<Bytes> {
    let mut frames = Vec::new();
    until(transport, |inbound| {
        frames.extend(frame_of(inbound));
        (frames.len() == n).then_some(())
    })
    .await;
    frames
}

#[tokio::test]
async fn datagrams_and_streams_go_both_ways_and_identities_are_seen() {
    let (mut alice, mut bob) = (bind(), bind());
    let (a, b) = (alice.local_addr(), bob.local_addr());
    // The first datagram over a fresh link may be as large as any.
    let largest = vec![7; DATAGRAM_FRAME_MAX];
    send_datagram(&mut alice, b, &largest).await;
    let (came, frame) = beside(&mut alice, until(&mut bob, frame_of)).await;
    assert_eq!(frame, largest);
    let identity = alice.identity();
    assert_eq!(came[0], Inbound::LinkUp { with: a, identity });
    assert_eq!(came[1], Inbound::Datagram { from: a, identity: Some(identity), frame });

    send_stream(&mut bob, a, (1, 2), b"back").await;
    let (came, frame) = beside(&mut bob, until(&mut alice, frame_of)).await;
    let identity = bob.identity();
    assert_eq!(came[0], Inbound::LinkUp { with: b, identity });
    assert_eq!(came[1], Inbound::Stream { from: b, identity: Some(identity), frame });
    assert_eq!(came.len(), 2);

    send_stream(&mut alice, b, (1, 2), &vec![8; STREAM_FRAME_MAX]).await;
    assert_eq!(beside(&mut alice, frames(&mut bob, 1)).await, [vec![8; STREAM_FRAME_MAX]]);
    send_datagram(&mut alice, b, &vec![0; DATAGRAM_FRAME_MAX + 1]).await;
    send_stream(&mut alice, b, (1, 2), &vec![0; STREAM_FRAME_MAX + 1]).await;
    assert_eq!(alice.counters().get(SocketDrop::TooLarge), 2);
    assert_eq!(bob.endpoint.open_connections(), 1, "all of it over one connection");
}

#[tokio::test]
async fn ten_thousand_frames_arrive_in_order_beside_a_thousand_pairs() {
    let (mut alice, mut bob) = (bind(), bind());
    let to = bob.local_addr();
    let mut batch = Vec::new();
    for i in 0..10_000u32 {
        // Every tenth frame belongs to one of the thousand: most of them share streams.
        for pair in [Some((0, 0)), (i % 10 == 0).then_some((1, i / 10 % 1000))] {
            let Some((ours, theirs)) = pair else { continue };
            let frame = [ours, theirs, i].map(u32::to_be_bytes).concat().into();
            batch.push(Outbound::Stream { to, pair: (ours, theirs), frame });
        }
    }
    for chunk in batch.chunks(100) {
        alice.send(&mut chunk.to_vec()).await;
    }
    let mut last = BTreeMap::new();
    for frame in beside(&mut alice, frames(&mut bob, 11_000)).await {
        let i = u32::from_be_bytes(*frame.last_chunk().unwrap());
        let before = last.insert(frame.slice(..8), i);
        assert!(before.is_none_or(|before| before < i), "{i} came after {before:?}");
    }
    assert_eq!(last.len(), 1001);
    assert_eq!(alice.counters(), Counters::default());
}

#[tokio::test]
async fn another_process_than_expected_is_not_talked_to() {
    let (mut alice, mut bob, mut carol) = (bind(), bind(), bind());
    let (a, b) = (alice.local_addr(), bob.local_addr());
    // Dialling: Carol was expected where Bob is.
    alice.expect(b, Some(carol.identity()));
    send_datagram(&mut alice, b, b"for Carol").await;
    let (_, why) = beside(&mut bob, until(&mut alice, lost)).await;
    assert_eq!(why, LinkError::Identity);
    assert_eq!(alice.counters().get(SocketDrop::Link), 1, "the datagram is gone");
    // Being dialled: Carol is expected where Alice is.
    bob.expect(a, Some(carol.identity()));
    alice.expect(b, Some(bob.identity()));
    send_datagram(&mut alice, b, b"as Carol").await;
    let (_, why) = beside(&mut bob, until(&mut alice, lost)).await;
    assert_eq!(why, LinkError::Closed);
    // Carol herself is welcome, and nothing of the others has reached Bob.
    send_datagram(&mut carol, b, b"hello").await;
    assert_eq!(beside(&mut carol, frames(&mut bob, 1)).await, [&b"hello"[..]]);
    // A link that stands is ended when it turns out to be with another.
    bob.expect(carol.local_addr(), Some(alice.identity()));
    assert_eq!(until(&mut bob, lost).await.1, LinkError::Identity);
    assert_eq!(until(&mut carol, lost).await.1, LinkError::Closed);
}

#[tokio::test]
async fn a_slow_receiver_blocks_the_sender_until_it_reads() {
    let (mut alice, mut bob) = (bind(), bind());
    let to = bob.local_addr();
    let (mut sent, mut blocked) = (0, false);
    while !blocked {
        send_stream(&mut alice, to, (0, 0), &vec![1; 200_000]).await;
        sent += 1;
        assert!(sent < 1000, "nobody ever said stop");
        blocked = alice.pending.contains(&Inbound::Blocked { to });
    }
    let unblocked = |inbound: &Inbound| (*inbound == Inbound::Unblocked { to }).then_some(());
    let (taken, _) = tokio::join!(frames(&mut bob, sent), until(&mut alice, unblocked));
    assert_eq!(taken.len(), sent);
    assert_eq!(alice.counters(), Counters::default());
}

#[tokio::test]
async fn a_sender_that_does_not_listen_loses_its_link() {
    let (mut alice, bob) = (bind(), bind());
    let to = bob.local_addr();
    let frame = Bytes::from(vec![1; STREAM_FRAME_MAX]);
    let one = Outbound::Stream { to, pair: (0, 0), frame };
    alice.send(&mut vec![one; 130]).await;
    assert_eq!(until(&mut alice, lost).await.1, LinkError::Overflow);
}

#[tokio::test]
async fn both_may_dial_at_once() {
    let (mut alice, mut bob) = (bind(), bind());
    let (a, b) = (alice.local_addr(), bob.local_addr());
    for i in 0..100 {
        send_stream(&mut alice, b, (0, 0), &[i]).await;
        send_stream(&mut bob, a, (0, 0), &[i]).await;
    }
    let expected: Vec<Bytes> = (0..100).map(|i| vec![i].into()).collect();
    let (to_alice, to_bob) = tokio::join!(frames(&mut alice, 100), frames(&mut bob, 100));
    assert_eq!(to_alice, expected);
    assert_eq!(to_bob, expected);
    assert!(bob.endpoint.open_connections() <= 2);
}

#[tokio::test]
async fn closing_lets_everything_arrive_first() {
    let (mut alice, mut bob) = (bind(), bind());
    let to = bob.local_addr();
    // More than the windows of QUIC hold.
    for i in 0..1000 {
        send_stream(&mut alice, to, (i % 100, 0), &[0; 3000]).await;
    }
    // Not even the handshake has happened yet.
    let (came, ()) = tokio::join!(until(&mut bob, lost), soon(alice.close(SECOND * 20)));
    assert_eq!(came.1, LinkError::Closed);
    assert_eq!(came.0.iter().filter_map(frame_of).count(), 1000);
}

#[tokio::test]
async fn closing_lets_datagrams_leave_first() {
    for _ in 0..20 {
        let (mut alice, mut bob) = (bind(), bind());
        let (to, back) = (bob.local_addr(), alice.local_addr());
        send_datagram(&mut alice, to, b"0").await;
        assert_eq!(beside(&mut alice, frames(&mut bob, 1)).await, ["0"]);
        send_datagram(&mut bob, back, b"0").await;
        assert_eq!(beside(&mut bob, frames(&mut alice, 1)).await, ["0"]);
        for _ in 0..10 {
            send_datagram(&mut alice, to, b"bye").await;
        }
        let (came, ()) = tokio::join!(until(&mut bob, lost), soon(alice.close(SECOND * 20)));
        assert_eq!(came.0.iter().filter_map(frame_of).count(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn where_nobody_answers_there_is_no_link() {
    let mute = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (mut alice, to) = (bind(), mute.local_addr().unwrap());
    for _ in 0..DIALLING_DATAGRAMS_MAX + 10 {
        send_datagram(&mut alice, to, b"anybody?").await;
    }
    send_stream(&mut alice, to, (0, 0), b"anybody?").await;
    assert_eq!(until(&mut alice, lost).await.1, LinkError::Unreachable);
    assert_eq!(alice.counters().get(SocketDrop::Queue), 10);
    assert_eq!(alice.counters().get(SocketDrop::Link), DIALLING_DATAGRAMS_MAX as u64 + 1);
    // An address of a family that the socket does not speak.
    send_stream(&mut alice, "[::1]:9".parse().unwrap(), (0, 0), b"anybody?").await;
    assert_eq!(until(&mut alice, lost).await.1, LinkError::Unreachable);
}

#[tokio::test]
async fn strange_packets_do_no_harm() {
    let seed = std::env::var("PEERLET_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let mut rng = Seed::new(seed).named("packets").rng();
    let (mut alice, mut bob) = (bind(), bind());
    let (stranger, to) = (UdpSocket::bind("127.0.0.1:0").unwrap(), bob.local_addr());
    for round in 0..2_000u32 {
        let mut packet: Vec<u8> = (0..rng.index(1400)).map(|_| rng.bits() as u8).collect();
        // Half of them look like the first packet of a connection: long header, version 1, ids of 8
        // bytes.
        if packet.len() > 30 && rng.chance(0.5) {
            packet[0] |= 0xc0;
            packet[1..6].copy_from_slice(&[0, 0, 0, 1, 8]);
            packet[14] = 8;
        }
        stranger.send_to(&packet, to).unwrap();
        if round % 20 == 0 {
            send_stream(&mut alice, to, (0, 0), &round.to_be_bytes()).await;
            let came = beside(&mut alice, frames(&mut bob, 1)).await;
            assert_eq!(came, [&round.to_be_bytes()[..]], "seed {seed}");
        }
    }
}

#[tokio::test]
async fn who_breaks_the_protocol_is_cut_off() {
    let mut bob = bind();
    let to = bob.local_addr();
    let key = ProcessKey::generate();
    let endpoint = config::endpoint(&key, "127.0.0.1:0".parse().unwrap()).unwrap();
    for (bytes, cause) in [([0xff; 8], SocketDrop::TooLarge), ([0; 8], SocketDrop::Decode)] {
        let config = config::client(&key, None);
        let connection = endpoint.connect_with(config, to, "peerlet").unwrap().await.unwrap();
        let mut stream = connection.open_uni().await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let (_, why) = until(&mut bob, lost).await;
        assert_eq!(why, LinkError::Closed, "we closed it");
        assert_eq!(bob.counters().get(cause), 1);
        soon(connection.closed()).await;
    }
    // Streams that answer are not part of the protocol: there is no credit for any.
    let config = config::client(&key, None);
    let connection = endpoint.connect_with(config, to, "peerlet").unwrap().await.unwrap();
    assert!(timeout(StdDuration::from_millis(50), connection.open_bi()).await.is_err());
    assert!(connection.max_datagram_size().unwrap() >= DATAGRAM_FRAME_MAX);
}

/// More handshakes at once than are taken from unproven addresses: they cost a round trip more, or
/// are refused, and others get through.
#[tokio::test]
async fn a_flood_of_handshakes_leaves_room_for_others() {
    let (mut alice, mut bob) = (bind(), bind());
    let to = bob.local_addr();
    let key = ProcessKey::generate();
    let endpoint = config::endpoint(&key, "127.0.0.1:0".parse().unwrap()).unwrap();
    let dial = || endpoint.connect_with(config::client(&key, None), to, "peerlet").unwrap();
    let mut flood = tokio::task::JoinSet::new();
    (0..100).for_each(|_| drop(flood.spawn(dial())));
    send_stream(&mut alice, to, (0, 0), b"honest").await;
    let honest = |inbound: &Inbound| frame_of(inbound).filter(|frame| *frame == "honest");
    beside(&mut alice, until(&mut bob, honest)).await;
    let (mut connections, mut closed) = (Vec::new(), tokio::task::JoinSet::new());
    while let Some(dialled) = beside(&mut bob, soon(flood.join_next())).await {
        let Ok(connection) = dialled.unwrap() else { continue };
        connections.push(connection.clone());
        closed.spawn(async move { connection.closed().await });
    }
    // Only the last one of a process counts: when it dials again, it has lost the one before.
    assert!(connections.len() > 1);
    for _ in 1..connections.len() {
        beside(&mut bob, soon(closed.join_next())).await;
    }
    assert_eq!(bob.links.len(), 2);
}

/// A process that is killed and started again with its key tells those who talk to its former self.
#[tokio::test]
async fn a_process_that_starts_again_resets_old_links() {
    let key = ProcessKey::generate();
    let same_key = ProcessKey::from_pkcs8(key.pkcs8()).unwrap();
    let other = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let other = other.unwrap();
    let guard = other.enter();
    let mut bob = QuicTransport::bind(key, "127.0.0.1:0".parse().unwrap()).unwrap();
    drop(guard);
    let (mut alice, to) = (bind(), bob.local_addr());
    send_stream(&mut alice, to, (0, 0), b"first").await;
    beside(&mut alice, frames(&mut bob, 1)).await;
    // All tasks die with their runtime, before they could say goodbye.
    other.shutdown_background();
    drop(bob);
    let again = async {
        loop {
            // The socket is released when the last task is gone.
            let key = ProcessKey::from_pkcs8(same_key.pkcs8()).unwrap();
            match QuicTransport::bind(key, to) {
                Ok(again) => break again,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let mut again = soon(again).await;
    send_datagram(&mut alice, to, &[0; 200]).await;
    assert_eq!(until(&mut alice, lost).await.1, LinkError::Closed);
    send_stream(&mut alice, to, (0, 0), b"second").await;
    assert_eq!(beside(&mut alice, frames(&mut again, 1)).await, [&b"second"[..]]);
}

/// Answers have a stream of their own, which goes first.
#[tokio::test]
async fn acknowledgements_do_not_wait_behind_data() {
    let (mut alice, mut bob) = (bind(), bind());
    let to = bob.local_addr();
    let frame = |kind: u8, len: usize| {
        let mut frame = vec![1, kind];
        frame.resize(len, 0);
        Bytes::from(frame)
    };
    // Eight megabytes of data, of which a stream may have one ahead of its reader, and an
    // acknowledgement of the same pair.
    let data = (0..32).map(|_| Outbound::Stream { to, pair: (1, 2), frame: frame(4, 256 * 1024) });
    let ack = Outbound::Stream { to, pair: (1, 2), frame: frame(5, 30) };
    alice.send(&mut data.chain([ack]).collect()).await;
    let came = beside(&mut alice, frames(&mut bob, 33)).await;
    let index = came.iter().position(|frame| frame[1] == 5).expect("it comes");
    assert!(index < 24, "it came behind {index} frames");
}
