//! UDP over real sockets of loopback.

use peerlet_core::Seed;

use super::*;

async fn bind() -> UdpTransport {
    UdpTransport::bind("127.0.0.1:0".parse().unwrap(), UdpOptions::default()).await.unwrap()
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
    assert_eq!(alice.counters().get(SocketDrop::TooLarge), 1);
    assert_eq!(alice.counters().get(SocketDrop::Unsupported), 1);
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
    let counted = counters.get(SocketDrop::Decode) + counters.get(SocketDrop::TooLarge);
    assert_eq!(counted, bad, "seed {seed}");
    assert!(bad > 1_000, "seed {seed}: only {bad} packets were bad");
}

#[tokio::test]
async fn open_networks_are_refused_unless_said_to_be_closed() {
    for at in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error =
            UdpTransport::bind(at.parse().unwrap(), UdpOptions::default()).await.unwrap_err();
        assert!(matches!(error, BindError::Open(_)), "{error}");
    }
    let closed = UdpOptions { closed_network: true, ..UdpOptions::default() };
    let secret = UdpOptions { secret: Some(Secret::generate()), ..UdpOptions::default() };
    for options in [closed, secret] {
        assert!(UdpTransport::bind("0.0.0.0:0".parse().unwrap(), options).await.is_ok());
    }
    let taken = bind().await.local_addr();
    let _holder = UdpTransport::bind(taken, UdpOptions::default()).await;
    let error = UdpTransport::bind(taken, UdpOptions::default()).await.unwrap_err();
    assert!(matches!(error, BindError::Io { .. }), "{error}");
}

#[tokio::test]
async fn frames_for_the_own_socket_stay_with_a_secret() {
    for at in ["127.0.0.1:0", "0.0.0.0:0"] {
        let options = UdpOptions { secret: Some(Secret::generate()), ..UdpOptions::default() };
        let mut alone = UdpTransport::bind(at.parse().unwrap(), options).await.unwrap();
        let local = SocketAddr::from(([127, 0, 0, 1], alone.local_addr().port()));
        let advertised = "192.0.2.1:7000".parse().unwrap();
        alone.known_as(advertised);
        for to in [local, advertised] {
            alone.send(&mut vec![datagram(to, b"home".to_vec())]).await;
            let mut came = Vec::new();
            alone.receive(&mut came).await;
            let frame = Bytes::from_static(b"home");
            assert_eq!(came, [Inbound::Datagram { from: to, identity: None, frame }]);
        }
        let elsewhere = SocketAddr::from(([192, 0, 2, 1], local.port()));
        alone.send(&mut vec![datagram(elsewhere, b"away".to_vec())]).await;
        assert_eq!(alone.sealed.as_ref().unwrap().looped.len(), 0);
        assert_eq!(alone.sessions(), 0);
    }
    assert!(is_here("127.0.0.1".parse().unwrap()) && is_here("0.0.0.0".parse().unwrap()));
    assert!(!is_here("192.0.2.1".parse().unwrap()));
}
