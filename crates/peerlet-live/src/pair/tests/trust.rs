//! Connections that are with one process only.

use super::*;

const BOBS: Identity = Identity([2; 32]);
const CAROLS: Identity = Identity([3; 32]);

impl Pair {
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
                        self.wire[BOB].push_back(frame);
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
    let mut pair = Pair::new();
    pair.side[ALICE].started(8, 1);
    pair.trust(Some(CAROLS));
    (0..3).for_each(|number| pair.send(ALICE, number));
    // Another peer of the process trusts nobody.
    let message = Message { port: 5, call: Call::None, body: vec![0, 0, 0, 9].into() };
    pair.side[ALICE].send(pair.now, 8, address(BOB), message).unwrap();
    let mut transmitted = Vec::new();
    while let Some(effect) = pair.side[ALICE].poll() {
        match effect {
            Effect::Transmit { to, pair: slots, identity, .. } => {
                transmitted.push((slots.0, identity));
                for identity in identity.into_iter().chain(identity) {
                    pair.side[ALICE].mistaken(to, slots, identity);
                }
            }
            Effect::Undelivered { message, why, .. } => {
                pair.undelivered.push((number(&message.body), why));
            }
            effect => panic!("{effect:?}"),
        }
    }
    assert_eq!(transmitted, [(SLOT[ALICE], Some(CAROLS)), (8, None)]);
    let told = [0, 1, 2].map(|number| (number, Undelivered::Identity));
    assert_eq!(pair.undelivered, told);
}

#[test]
fn trust_holds_for_connections_that_stand_and_for_one_life() {
    let mut pair = Pair::new();
    pair.send(ALICE, 0);
    pair.settle_with_bob();
    pair.trust(Some(BOBS));
    pair.send(ALICE, 1);
    pair.settle_with_bob();
    assert_eq!((&pair.delivered[BOB][..], &pair.undelivered[..]), (&[0, 1][..], &[][..]));
    pair.trust(Some(CAROLS));
    assert_eq!(pair.side[ALICE].trusted(SLOT[ALICE], address(BOB)), Some(CAROLS));
    pair.send(ALICE, 2);
    pair.settle_with_bob();
    assert_eq!(pair.undelivered, [(2, Undelivered::Identity)]);
    // What it sent before its life ended is for Carol as well.
    pair.send(ALICE, 3);
    pair.side[ALICE].stopped(SLOT[ALICE]);
    pair.settle_with_bob();
    assert!(!pair.side[ALICE].is_sending());
    pair.side[ALICE].started(SLOT[ALICE], 2);
    assert_eq!(pair.side[ALICE].trusted(SLOT[ALICE], address(BOB)), None);
    pair.send(ALICE, 4);
    pair.settle_with_bob();
    assert_eq!(pair.delivered[BOB], [0, 1, 4]);
    assert_eq!(pair.undelivered.len(), 1);
}

#[test]
fn a_frame_that_was_refused_before_the_trust_changed_is_sent_again() {
    let mut pair = Pair::new();
    pair.trust(Some(CAROLS));
    pair.send(ALICE, 0);
    let Some(Effect::Transmit { to, pair: slots, .. }) = pair.side[ALICE].poll() else {
        panic!("nothing to send")
    };
    // The transport has not told yet that Carol is not there.
    pair.trust(None);
    pair.side[ALICE].mistaken(to, slots, CAROLS);
    pair.now += SECOND;
    pair.side[ALICE].timer(pair.now);
    pair.settle_with_bob();
    assert_eq!((&pair.delivered[BOB][..], &pair.undelivered[..]), (&[0][..], &[][..]));
}
