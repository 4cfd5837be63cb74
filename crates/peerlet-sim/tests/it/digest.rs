//! What the digest tells apart, and what not.

use peerlet_core::{Duration, MILLISECOND, NANOSECOND, SECOND, Seat};
use peerlet_network::{Cause, Constant, Departure, Model, Packet, State};
use peerlet_sim::{Digest, Outcome};

use crate::actor::{Happened, LEVEL, SAID, Stage, send};

/// One packet of one seat is treated differently from all others.
#[derive(Clone, Copy, Debug)]
struct But {
    delay: Duration,
    at: Duration,
    fate: Departure,
}

impl Model for But {
    fn lookahead(&self) -> Duration {
        MILLISECOND
    }
    fn depart(&self, packet: &Packet, _: &mut State) -> Departure {
        match packet.from == Seat(2) && packet.at.as_nanos() == self.at.as_nanos() {
            true => self.fate,
            false => Departure::Arrive { after: self.delay },
        }
    }
    fn round_trip(&self, _: Seat, _: Seat) -> Duration {
        self.delay * 2
    }
}

/// Three seats in a ring; each sends a number to the next every 100 ms.
fn ring(number: u64, level: f64, change: impl FnOnce(&mut Stage)) -> Outcome {
    let mut stage = Stage::new(3, SECOND, move |ctx, log, what| match what {
        Happened::Start => _ = ctx.every(MILLISECOND * 100, 0),
        Happened::Timer(_) => {
            let next = (ctx.seat().0 + 1) % 3;
            send(ctx, log, next, number);
            ctx.measure(LEVEL, level);
        }
        Happened::Message(..) => ctx.measure(SAID, 1.0),
        _ => {}
    });
    stage.setup.model = Box::new(Constant { delay: MILLISECOND * 10 });
    stage.setup.trace = None;
    change(&mut stage);
    stage.run().0
}

fn over(at: Duration, fate: Departure) -> Digest {
    let model = But { delay: MILLISECOND * 10, at, fate };
    ring(1, 1.0, |stage| stage.setup.model = Box::new(model)).digest
}

#[test]
fn one_nanosecond_of_one_message_changes_it() {
    let same = ring(1, 1.0, |_| {}).digest;
    let after = MILLISECOND * 10;
    assert_eq!(over(MILLISECOND * 500, Departure::Arrive { after }), same);
    let later = Departure::Arrive { after: after + NANOSECOND };
    let sooner = Departure::Arrive { after: after - NANOSECOND };
    let [one, other] = [sooner, later].map(|fate| over(MILLISECOND * 500, fate));
    assert!(one != same && other != same && one != other);
    // At another instant it is another run.
    assert_ne!(over(MILLISECOND * 600, later), other);
}

/// Messages on their way at the end are events of nobody, but how they are dropped is told.
#[test]
fn drop_counters_are_in_it() {
    let at = MILLISECOND * 900;
    let never = Departure::Arrive { after: SECOND };
    let [loss, queue] = [Cause::Loss, Cause::Queue].map(|cause| over(at, Departure::Drop(cause)));
    assert_ne!(loss, queue);
    assert_ne!(loss, over(at, never));
}

#[test]
fn measures_are_in_it() {
    let same = ring(1, 1.0, |_| {}).digest;
    assert_eq!(ring(1, 1.0, |_| {}).digest, same);
    // The events are the same; only what is measured differs, by one quantum.
    assert_ne!(ring(1, 2.0, |_| {}).digest, same);
    assert_ne!(ring(1, 1.0, |stage| stage.setup.epoch = MILLISECOND * 300).digest, same);
}

#[test]
fn payloads_have_a_digest_of_their_own() {
    let wired = |number| ring(number, 1.0, |stage| stage.setup.wire = true);
    let bare = ring(1, 1.0, |_| {});
    assert_eq!(bare.payload_digest, None);
    let (one, other) = (wired(1), wired(2));
    assert_eq!((one.digest, other.digest), (bare.digest, bare.digest));
    assert_eq!(one.payload_digest, wired(1).payload_digest);
    assert_ne!(one.payload_digest, other.payload_digest);
}

/// Guards the value itself: no change of the engine may move it by accident.
#[test]
fn it_is_the_one_that_was_written_down() {
    expect_test::expect!["c48055205d33e66f"].assert_eq(&ring(1, 1.0, |_| {}).digest.to_string());
}
