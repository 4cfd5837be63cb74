//! Frames that are for one process only, over links that others use as well.

use super::*;

fn trusted(to: SocketAddr, identity: Identity, pair: Option<(u32, u32)>) -> Outbound {
    Outbound::Trusted { to, identity, pair, frame: "for one only".into() }
}

fn mistaken(inbound: &Inbound) -> Option<Inbound> {
    matches!(inbound, Inbound::Mistaken { .. }).then(|| inbound.clone())
}

/// Bob is where Carol is thought to be: what is for Carol only goes to nobody, before the handshake
/// and after it, and what is for anybody or for Bob goes to Bob.
#[tokio::test]
async fn a_frame_goes_to_the_one_process_that_it_is_for() {
    let (mut alice, mut bob, carol) = (bind(), bind(), bind());
    let (b, is_bob, is_carol) = (bob.local_addr(), bob.identity(), carol.identity());
    for round in 0..2 {
        let mut batch = vec![
            trusted(b, is_carol, None),
            trusted(b, is_carol, Some((1, round))),
            trusted(b, is_bob, None),
            trusted(b, is_bob, Some((2, round))),
            Outbound::Datagram { to: b, frame: "for anybody".into() },
            Outbound::Stream { to: b, pair: (3, round), frame: "for anybody".into() },
        ];
        alice.send(&mut batch).await;
        let (_, told) = beside(&mut bob, until(&mut alice, mistaken)).await;
        let expected = Inbound::Mistaken { to: b, pair: (1, round), identity: is_carol };
        assert_eq!(told, expected, "round {round}");
        let mut came = beside(&mut alice, frames(&mut bob, 4)).await;
        came.sort();
        let (one, anybody) = (&b"for one only"[..], &b"for anybody"[..]);
        assert_eq!(came, [anybody, anybody, one, one], "round {round}");
        assert_eq!(alice.counters().get(SocketDrop::Identity), u64::from(round) + 1);
    }
    let all: u64 = alice.counters().iter().map(|(_, count)| count).sum();
    assert_eq!(all, 2, "nothing else is dropped");
}

/// The transport expects Dave, and Bob answers: who waits for Dave is told, as well as who waits
/// for anybody else in particular.
#[tokio::test]
async fn what_is_for_one_only_is_told_when_another_answers() {
    let (mut alice, mut bob, dave) = (bind(), bind(), bind());
    let b = bob.local_addr();
    alice.expect(b, Some(dave.identity()));
    let mut batch = vec![
        trusted(b, dave.identity(), Some((1, 0))),
        trusted(b, dave.identity(), None),
        Outbound::Stream { to: b, pair: (2, 0), frame: "for anybody".into() },
    ];
    alice.send(&mut batch).await;
    let (came, why) = beside(&mut bob, until(&mut alice, lost)).await;
    assert_eq!(why, LinkError::Identity);
    let expected = Inbound::Mistaken { to: b, pair: (1, 0), identity: dave.identity() };
    assert_eq!(came.iter().find_map(mistaken), Some(expected));
    let counters = alice.counters();
    assert_eq!([SocketDrop::Identity, SocketDrop::Link].map(|cause| counters.get(cause)), [1, 1]);
}

/// Room that refused frames took while the link was dialled is free again.
#[tokio::test]
async fn what_was_refused_holds_nobody_back() {
    let (mut alice, mut bob, carol) = (bind(), bind(), bind());
    let b = bob.local_addr();
    let frame = Bytes::from(vec![0; STREAM_FRAME_MAX / 2]);
    let refused = |i| {
        let (pair, frame) = (Some((1, i)), frame.clone());
        Outbound::Trusted { to: b, identity: carol.identity(), pair, frame }
    };
    // Enough to be told to hold back, and not so much that the link is given up.
    let count = (6 * 1024 * 1024 / frame.len()) as u32;
    alice.send(&mut (0..count).map(refused).collect()).await;
    let told = |inbound: &Inbound| matches!(inbound, Inbound::Unblocked { .. }).then_some(());
    let (came, ()) = beside(&mut bob, until(&mut alice, told)).await;
    let is_blocked = |inbound: &&Inbound| matches!(inbound, Inbound::Blocked { .. });
    assert_eq!(came.iter().filter(is_blocked).count(), 1);
    assert_eq!(came.iter().filter_map(mistaken).count(), count as usize);
}
