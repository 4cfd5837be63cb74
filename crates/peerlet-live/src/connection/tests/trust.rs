//! Connections that are with one process only.

use super::*;

const BOBS: Identity = Identity([2; 32]);
const CAROLS: Identity = Identity([3; 32]);

impl TwoShards {
    fn trust(&mut self, identity: Option<Identity>) {
        self.side[ALICE].trust(SLOT[ALICE], address(BOB), identity).unwrap();
    }

    /// Carries frames until all is quiet, as a transport that has found Bob does: Alice's frames
    /// for Carol go nowhere.
    fn settle_with_bob(&mut self) {
        loop {
            let mut found = Vec::new();
            while let Some(effect) = self.side[ALICE].poll() {
                match effect {
                    Effect::Transmit { to, pair, identity: Some(CAROLS), .. } => {
                        self.side[ALICE].mistaken(to, pair, CAROLS);
                    }
                    Effect::Transmit { identity, frame, .. } => {
                        assert!(identity.is_none_or(|identity| identity == BOBS));
                        self.in_transit[BOB].push_back(frame);
                    }
                    effect => found.push(effect),
                }
            }
            self.side[ALICE].effects.queue.extend(found);
            self.drain(ALICE);
            if self.carry(BOB) + self.carry(ALICE) == 0 {
                return;
            }
        }
    }
}

#[test]
fn what_is_for_another_comes_back_once_and_in_order() {
    let mut shards = TwoShards::new();
    shards.side[ALICE].started(8, 1);
    shards.trust(Some(CAROLS));
    (0..3).for_each(|number| shards.send(ALICE, number));
    // Another peer of the process trusts nobody.
    let message = Message { port: 5, call: Call::None, body: vec![0, 0, 0, 9].into() };
    shards.side[ALICE].send(shards.now, 8, address(BOB), message).unwrap();
    let mut transmitted = Vec::new();
    while let Some(effect) = shards.side[ALICE].poll() {
        match effect {
            Effect::Transmit { to, pair: slots, identity, .. } => {
                transmitted.push((slots.0, identity));
                for identity in identity.into_iter().chain(identity) {
                    shards.side[ALICE].mistaken(to, slots, identity);
                }
            }
            Effect::Undelivered { message, why, .. } => {
                shards.undelivered.push((number(&message.body), why));
            }
            effect => panic!("{effect:?}"),
        }
    }
    assert_eq!(transmitted, [(SLOT[ALICE], Some(CAROLS)), (8, None)]);
    let told = [0, 1, 2].map(|number| (number, Undelivered::Identity));
    assert_eq!(shards.undelivered, told);
}

#[test]
fn trust_holds_for_connections_that_stand_and_for_one_life() {
    let mut shards = TwoShards::new();
    shards.send(ALICE, 0);
    shards.settle_with_bob();
    shards.trust(Some(BOBS));
    shards.send(ALICE, 1);
    shards.settle_with_bob();
    assert_eq!((&shards.delivered[BOB][..], &shards.undelivered[..]), (&[0, 1][..], &[][..]));
    shards.trust(Some(CAROLS));
    assert_eq!(shards.side[ALICE].trusted(SLOT[ALICE], address(BOB)), Some(CAROLS));
    shards.send(ALICE, 2);
    shards.settle_with_bob();
    assert_eq!(shards.undelivered, [(2, Undelivered::Identity)]);
    // What it sent before its life ended is for Carol as well.
    shards.send(ALICE, 3);
    shards.side[ALICE].stopped(SLOT[ALICE]);
    shards.settle_with_bob();
    assert!(!shards.side[ALICE].is_sending());
    shards.side[ALICE].started(SLOT[ALICE], 2);
    assert_eq!(shards.side[ALICE].trusted(SLOT[ALICE], address(BOB)), None);
    shards.send(ALICE, 4);
    shards.settle_with_bob();
    assert_eq!(shards.delivered[BOB], [0, 1, 4]);
    assert_eq!(shards.undelivered.len(), 1);
}

#[test]
fn a_frame_that_was_refused_before_the_trust_changed_is_sent_again() {
    let mut shards = TwoShards::new();
    shards.trust(Some(CAROLS));
    shards.send(ALICE, 0);
    let Some(Effect::Transmit { to, pair: slots, .. }) = shards.side[ALICE].poll() else {
        panic!("nothing to send")
    };
    // The transport has not told yet that Carol is not there.
    shards.trust(None);
    shards.side[ALICE].mistaken(to, slots, CAROLS);
    shards.now += SECOND;
    shards.side[ALICE].timer(shards.now);
    shards.settle_with_bob();
    assert_eq!((&shards.delivered[BOB][..], &shards.undelivered[..]), (&[0][..], &[][..]));
}
