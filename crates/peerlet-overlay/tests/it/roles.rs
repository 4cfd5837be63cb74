//! Overlays by role: two users of one router, and samples of neighbors.

use std::collections::BTreeSet;

use peerlet_core::{Address, Context, Description, Nothing, Peer, Peerlet, Seed, TestPeer};
use peerlet_overlay::{
    Delivered, Envelope, KeyRouter, Neighbors, NeighborsMessage, Payload, PeerSampler, RingId,
    Router, RouterMessage, UserTag,
};

/// One of two users: sends what it gets to a key, and keeps what arrives.
#[derive(Default)]
struct User<const N: usize> {
    got: Vec<Vec<u8>>,
}

type Letters = User<0>;
type Parcels = User<1>;

impl<const N: usize> Peerlet for User<N> {
    const NAME: &'static str = ["letters", "parcels"][N];
    type Message = Vec<u8>;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.wants::<dyn KeyRouter>().hears(|me: &mut Self, _, delivered: &Delivered| {
            me.got.push(delivered.payload.as_bytes().to_vec());
        });
    }

    fn message(&mut self, ctx: &mut Context<Self>, _: Address, bytes: Vec<u8>) {
        let payload = Payload::new(bytes).expect("it is short");
        let mut router = ctx.role::<dyn KeyRouter>(None).expect("the router calls nobody");
        let port = router.port();
        router.route(&mut ctx.acting(port), RingId(7), payload);
    }
}

fn peer() -> TestPeer<Parcels> {
    let siblings = Peer::new().with(Neighbors::default()).with(Router::default());
    TestPeer::beside(siblings.with(Letters::default()), Parcels::default())
}

fn got(peer: &TestPeer<Parcels>) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    (peer.sibling::<Letters>().got.clone(), peer.peerlet().got.clone())
}

#[test]
fn users_of_one_router_hear_of_their_own_payloads_only() {
    let mut peer = peer();
    let other = peer.stranger(1);
    peer.deliver(other, vec![1]);
    peer.deliver_to::<Letters>(other, vec![2]);
    assert_eq!(got(&peer), (vec![vec![2]], vec![vec![1]]));
}

#[test]
fn an_envelope_says_which_sibling_it_is_for() {
    let mut peer = peer();
    let (other, key) = (peer.stranger(1), RingId(7));
    let tags = [UserTag::of("letters"), UserTag::of("stamps"), UserTag::ALL];
    for (id, user) in (0..).zip(tags) {
        let payload = Payload::new(vec![id as u8]).expect("it is short");
        let envelope = Envelope { key, origin: other, id, hops: 0, user, payload };
        peer.deliver_to::<Router>(other, RouterMessage::Route { hop: 0, envelope });
    }
    assert_eq!(peer.sent_by::<Router>().len(), 3, "each is acknowledged");
    assert_eq!(got(&peer), (vec![vec![0], vec![2]], vec![vec![2]]));
}

#[test]
fn samples_are_of_different_neighbors() {
    let mut peer = TestPeer::new(Neighbors::default());
    let others: Vec<_> = (1..=5).map(|number| peer.stranger(number)).collect();
    for other in &others {
        peer.deliver(*other, NeighborsMessage::Connect);
    }
    let (near, mut rng) = (peer.peerlet(), Seed::new(1).rng());
    assert_eq!(near.known(), 5);
    let mut seen = BTreeSet::new();
    for count in [0, 1, 3, 5, 9, usize::MAX] {
        // Those already in the list stay in front.
        let mut list = vec![others[0]];
        near.sample(&mut rng, count, &mut list);
        let sample: BTreeSet<_> = list[1..].iter().copied().collect();
        assert_eq!(
            (list[0], list.len() - 1, sample.len()),
            (others[0], count.min(5), count.min(5))
        );
        seen.extend(sample);
    }
    assert_eq!(seen, others.into_iter().collect());
}
