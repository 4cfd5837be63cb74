//! Routing and lookups: hand-sized worlds, one router on the test bench, and loss by size.

use expect_test::expect;
use peerlet_core::runtime::Act;
use peerlet_core::{
    Address, Context, MILLISECOND, Nothing, Peer, Peerlet, SECOND, Seat, TestPeer, Time, Value,
    wire,
};
use peerlet_overlay::{
    Bootstrap, Envelope, Neighbors, NeighborsMessage, Payload, RingId, Router, RouterMessage,
    UserTag,
};

use crate::overlay_fixture::{OverlayFixture, act, in_order, measured};

/// Makes one peer a neighbor at the start, by the first word that it would say.
struct Introducer;

const NEIGHBOR: Address = Address::simulated(Seat(1));

impl Peerlet for Introducer {
    const NAME: &'static str = "introducer";
    type Message = Nothing;
    type Timer = Nothing;

    fn start(&mut self, ctx: &mut Context<Self>) {
        let mut near = ctx.sibling::<Neighbors>().expect("it is below on the stack");
        near.message(&mut ctx.of::<Neighbors>(), NEIGHBOR, NeighborsMessage::Connect);
    }
}

/// A router with one neighbor, which says no more than the test lets it.
fn bench() -> TestPeer<Router> {
    let siblings =
        Peer::new().with(Bootstrap::default()).with(Neighbors::default()).with(Introducer);
    TestPeer::beside(siblings, Router::default())
}

/// An envelope for whoever is at the key, the `id`-th.
fn envelope(key: RingId, id: u64, hops: u32) -> Envelope {
    let origin = Address::simulated(Seat(9));
    Envelope { key, origin, id, hops, user: UserTag::ALL, payload: Payload::default() }
}

fn route(id: u64, key: RingId) -> RouterMessage {
    RouterMessage::Route { hop: 77, envelope: envelope(key, id, 3) }
}

#[test]
fn what_is_for_this_peer_is_delivered_once() {
    let mut router = bench();
    let (other, here) = (router.stranger(1), RingId::of(router.address()));
    router.deliver(other, route(1, here));
    router.deliver(other, route(1, here));
    assert_eq!(router.sent(), [(other, RouterMessage::Ack(77)), (other, RouterMessage::Ack(77))]);
    assert_eq!(router.measured("delivered"), [1.0]);
    assert_eq!(router.measured("hops"), [4.0]);
    router.command("set_drop_messages", &[Value::Bool(true)]);
    router.deliver(other, route(2, here));
    assert_eq!(router.measured("delivered").len(), 2, "who drops messages keeps its own");
    assert_eq!(router.measured("dropped"), [0.0; 0]);
}

#[test]
fn the_largest_envelope_with_room_for_a_header_is_a_datagram() {
    let payload = Payload::new(vec![0; peerlet_overlay::PAYLOAD_MAX]).unwrap();
    let envelope = Envelope { payload, ..envelope(RingId(u64::MAX), u64::MAX, u32::MAX) };
    let message = RouterMessage::Route { hop: u32::MAX, envelope };
    assert!(wire::encoded_len(&message).unwrap() <= wire::DATAGRAM_MAX);
}

/// The numbers of the hops that were sent to the neighbor.
fn hops(router: &mut TestPeer<Router>) -> Vec<u32> {
    let hop = |(to, message)| match message {
        RouterMessage::Route { hop, .. } => {
            assert_eq!(to, NEIGHBOR);
            Some(hop)
        }
        RouterMessage::Ack(_) => None,
    };
    router.sent().into_iter().filter_map(hop).collect()
}

#[test]
fn what_is_passed_on_is_sent_until_it_is_acknowledged() {
    let (mut router, key) = (bench(), RingId::of(NEIGHBOR));
    let other = router.stranger(2);
    router.deliver(other, route(1, key));
    assert_eq!(hops(&mut router), [0]);
    router.advance(MILLISECOND * 500);
    assert_eq!(hops(&mut router), [1]);
    router.deliver(other, RouterMessage::Ack(1));
    router.advance(MILLISECOND * 500);
    assert_eq!(hops(&mut router), [2], "who was not asked acknowledges nothing");
    router.deliver(NEIGHBOR, RouterMessage::Ack(2));
    router.advance(SECOND * 5);
    assert_eq!(hops(&mut router), [0; 0]);
    assert_eq!(router.measured("delivered"), [0.0; 0]);
}

#[test]
fn when_nobody_nearer_answers_this_peer_is_the_nearest() {
    let (mut router, key) = (bench(), RingId::of(NEIGHBOR));
    let other = router.stranger(2);
    router.deliver(other, route(1, key));
    router.advance(MILLISECOND * 2_400);
    assert_eq!(hops(&mut router).len(), 5);
    assert_eq!(router.measured("delivered"), [0.0; 0]);
    router.advance(MILLISECOND * 100);
    assert_eq!(router.measured("delivered"), [1.0]);
}

#[test]
fn who_drops_messages_acknowledges_them() {
    let (mut router, key) = (bench(), RingId::of(NEIGHBOR));
    let other = router.stranger(2);
    router.command("set_drop_messages", &[Value::Bool(true)]);
    router.deliver(other, route(1, key));
    assert_eq!(router.sent(), [(other, RouterMessage::Ack(77))]);
    assert_eq!(router.measured("dropped"), [1.0]);
    router.command("set_drop_messages", &[Value::Bool(false)]);
    router.deliver(other, route(2, key));
    assert_eq!(hops(&mut router).len(), 1);
    assert_eq!(router.measured("dropped"), [1.0]);
}

#[test]
fn an_envelope_that_went_too_far_is_dropped() {
    let (mut router, key) = (bench(), RingId::of(NEIGHBOR));
    let other = router.stranger(2);
    for (id, far) in [(1, 62), (2, 63), (3, u32::MAX)] {
        router.deliver(other, RouterMessage::Route { hop: 1, envelope: envelope(key, id, far) });
    }
    assert_eq!(hops(&mut router).len(), 1);
    assert_eq!(router.measured("expired"), [1.0, 1.0]);
}

/// Runs five peers for forty seconds; maybe one crashes on the way.
fn five(crash: Option<u32>) -> (u64, f64, f64) {
    let fixture =
        OverlayFixture { span: SECOND * 40, from: SECOND * 10, ..OverlayFixture::new(5, 1) };
    let mut acts = fixture.joins(SECOND);
    acts.extend(crash.map(|seat| act(Time::ZERO + SECOND * 20, seat, Act::Crash)));
    let outcome = fixture.simulation(in_order(acts)).run().unwrap();
    assert!(outcome.ledger.is_balanced());
    let (count, success) = measured(&outcome, "lookups/success");
    (count, success, measured(&outcome, "lookups/hops").1)
}

#[test]
fn among_five_every_lookup_is_right_and_takes_a_hop_at_most() {
    let (count, success, hops) = five(None);
    assert!(count > 100 && success == 1.0 && hops < 1.0, "{count} {success} {hops}");
    let (count, success, _) = five(Some(3));
    assert!(count > 100 && success > 0.95, "a crash is routed around: {count} {success}");
}

#[test]
fn encoding_changes_nothing() {
    let digest = |wire| {
        let fixture =
            OverlayFixture { wire, span: SECOND * 30, loss: 0.05, ..OverlayFixture::new(30, 1) };
        fixture.simulation(fixture.joins(SECOND)).run().unwrap().digest
    };
    assert_eq!(digest(true), digest(false));
}

/// The share of lookups that succeed, by loss and number of peers: seed 1, half a minute.
#[test]
fn success_by_loss_and_size() {
    let mut table = String::from("loss    10 peers  30 peers  100 peers\n");
    for loss in [0.0, 0.02, 0.1, 0.3] {
        let success = |peers| {
            let (span, from) = (SECOND * 40, SECOND * 10);
            let fixture = OverlayFixture { loss, span, from, ..OverlayFixture::new(peers, 1) };
            let outcome = fixture.simulation(fixture.joins(SECOND)).run().unwrap();
            measured(&outcome, "lookups/success").1
        };
        let [a, b, c] = [10, 30, 100].map(success);
        table += &format!("{loss:<6}  {a:<8.4}  {b:<8.4}  {c:.4}\n");
    }
    expect![[r#"
        loss    10 peers  30 peers  100 peers
        0       1.0000    1.0000    1.0000
        0.02    1.0000    1.0000    1.0000
        0.1     1.0000    0.9977    0.9997
        0.3     0.9391    0.9093    0.8872
    "#]]
    .assert_eq(&table);
}
