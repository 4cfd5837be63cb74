//! Contacts that a peerlet trusts, by the test's hand.

use peerlet_core::runtime::TRUSTED_MAX;
use peerlet_core::{
    Address, Contact, Context, Identity, Nothing, Peer, Peerlet, SECOND, Seat, TestPeer, TrustError,
};

fn contact(seat: u32, identity: u8) -> Contact {
    Contact { address: Address::simulated(Seat(seat)), identity: Identity([identity; 32]) }
}

/// A sibling that trusts somebody for itself.
struct Near;

impl Peerlet for Near {
    const NAME: &'static str = "near";
    type Message = Nothing;
    type Timer = Nothing;

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.trust(contact(1, 1)).expect("there is room");
    }
}

/// Trusts, or stops trusting, the number of contacts that a message names.
#[derive(Default)]
struct Truster {
    lives: u32,
    refused: Vec<TrustError>,
}

impl Peerlet for Truster {
    const NAME: &'static str = "truster";
    type Message = u32;
    type Timer = ();

    fn start(&mut self, ctx: &mut Context<Self>) {
        self.lives += 1;
        if self.lives == 1 {
            ctx.trust(contact(2, 2)).expect("there is room");
            ctx.spawn(|me| async move {
                me.sleep(SECOND).await;
                me.with(|_, ctx| ctx.trust(contact(2, 3)).expect("there is room")).await;
            });
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, count: u32) {
        if count == 0 {
            return ctx.untrust(from);
        }
        let all = (1..=count).map(|seat| ctx.trust(contact(seat, 9)));
        self.refused.extend(all.filter_map(Result::err));
    }
}

#[test]
fn a_peer_trusts_for_all_its_peerlets_and_for_one_life() {
    let mut peer = TestPeer::beside(Peer::new().with(Near), Truster::default());
    assert_eq!(peer.trusted(), [contact(1, 1), contact(2, 2)]);
    peer.advance(SECOND * 2);
    assert_eq!(peer.trusted(), [contact(1, 1), contact(2, 3)], "the last one holds");
    peer.deliver(peer.stranger(1), 0);
    peer.deliver(peer.stranger(7), 0);
    assert_eq!(peer.trusted(), [contact(2, 3)]);
    peer.stop();
    assert_eq!(peer.trusted(), []);
    peer.start();
    assert_eq!(peer.trusted(), [contact(1, 1)], "only its sibling says so again");
}

#[test]
fn a_peer_that_trusts_too_many_is_told() {
    let mut peer = TestPeer::new(Truster::default());
    peer.deliver(peer.stranger(1), TRUSTED_MAX as u32 + 2);
    assert_eq!(peer.peerlet().refused, [TrustError::TooMany; 2]);
    assert_eq!(peer.trusted().len(), TRUSTED_MAX);
    let said = TrustError::TooMany.to_string();
    assert!(said.contains("4096") && said.contains("untrust"), "{said}");
}
