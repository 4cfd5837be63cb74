//! Back-pressure, exactly.

use peerlet_core::{Address, Context, MILLISECOND, SECOND, Seat};
use peerlet_network::Constant;

use crate::actor::{Actor, Happened, Log, Message, Stage, at, note, send_reliably};
use crate::hostile_network::HostileNetwork;

const MS: u64 = 1_000_000;

/// Sends until a message is handed back; notes how many were taken.
fn fill(ctx: &mut Context<Actor>, log: &Log, to: Address, ballast: usize) {
    let mut taken = 0;
    let message = || -> Message { (0, "x".repeat(ballast)) };
    while taken < 1_000 && ctx.send_reliably(to, message()).is_ok() {
        taken += 1;
    }
    note(ctx, log, taken);
}

/// How many messages with this ballast a queue takes at once.
fn taken(ballast: usize) -> u64 {
    let stage = Stage::new(2, SECOND, move |ctx, log, what| {
        if *what == Happened::Start && ctx.seat() == Seat(0) {
            fill(ctx, log, at(1), ballast);
        }
    });
    let (outcome, log) = stage.run();
    let [(0, Happened::Note(taken)), (_, Happened::Writable(Seat(1)))] = log.of(0)[..] else {
        panic!("{:?}", log.of(0));
    };
    assert_eq!((outcome.ledger.reliable.sent, outcome.ledger.reliable.delivered), (taken, taken));
    taken
}

#[test]
fn a_queue_takes_256_messages_or_a_mebibyte() {
    assert_eq!(taken(0), 256);
    // With its number and length a message of this ballast has 4,096 bytes: 256 of them fit.
    assert_eq!(taken(4_096 - 3), 256);
    // One byte more, and the 256th is too many.
    assert_eq!(taken(4_096 - 2), 255);
    // Four of the longest messages make a mebibyte.
    assert_eq!(taken(256 * 1_024 - 4), 4);
}

/// The queue is empty as soon as the connection is open, and that is when the peer is told.
#[test]
fn writable_comes_when_the_connection_opens() {
    let stage = Stage::new(2, SECOND, |ctx, log, what| {
        if *what == Happened::Start && ctx.seat() == Seat(0) {
            while send_reliably(ctx, log, 1, 0) {}
            send_reliably(ctx, log, 1, 0);
        }
    });
    let (_, log) = stage.over(Constant { delay: MILLISECOND * 20 }).run();
    let mut told = log.of(0);
    told.retain(|(_, what)| !matches!(what, Happened::SentReliably(..) | Happened::Full(_)));
    assert_eq!(told, [(40 * MS, Happened::Writable(Seat(1)))], "once, though two were refused");
}

/// While seat 0 is cut off, 256 messages wait; who meets the full queue is told in the instant in
/// which it has room, and not a message earlier.
#[test]
fn writable_waits_for_the_wall_to_fall() {
    let stage = Stage::new(2, SECOND * 3, |ctx, log, what| match what {
        Happened::Start if ctx.seat() == Seat(0) => {
            send_reliably(ctx, log, 1, 0);
            ctx.after(MILLISECOND * 200, 0);
        }
        Happened::Timer(0) => fill(ctx, log, at(1), 0),
        _ => {}
    });
    let network = HostileNetwork::constant(MILLISECOND * 10).wall(MILLISECOND * 100, SECOND);
    let (_, log) = stage.over(network).run();
    let mut seen = log.of(0);
    seen.retain(|(_, what)| matches!(what, Happened::Note(_) | Happened::Writable(_)));
    // Attempts after 0, 30, 90, 210, 450 and 930 ms: the last one finds no wall.
    let expected = [(200, Happened::Note(256)), (1_130, Happened::Writable(Seat(1)))];
    assert_eq!(seen, expected.map(|(at, what)| (at * MS, what)));
}

/// The peer is told when half of the queue is free: at once where the first half left at once, and
/// not before the next attempt where it did not.
#[test]
fn writable_comes_when_half_is_free() {
    let mut kinds = [0, 0];
    for seed in 1..60 {
        let stage = Stage::new(2, SECOND * 9, |ctx, log, what| match what {
            Happened::Start if ctx.seat() == Seat(0) => {
                send_reliably(ctx, log, 1, 0);
                ctx.after(SECOND * 5, 0);
            }
            Happened::Timer(0) => while send_reliably(ctx, log, 1, 0) {},
            _ => {}
        });
        let mut stage =
            stage.over(HostileNetwork { loss: 0.01, ..HostileNetwork::constant(MILLISECOND * 50) });
        stage.setup.seed = seed;
        let (_, log) = stage.run();
        let at_once = (5_050 * MS, Happened::Message(Seat(0), 0));
        let left = log.of(1).iter().filter(|entry| **entry == at_once).count();
        let mut told = log.of(0);
        told.retain(|(_, what)| matches!(what, Happened::Writable(_)));
        let [(at, _)] = told[..] else { panic!("seed {seed}: {told:?}") };
        assert_eq!(at == 5_000 * MS, left >= 128, "seed {seed}: {left} left at once, told at {at}");
        kinds[usize::from(left >= 128)] += usize::from(left < 256);
    }
    assert!(kinds.iter().all(|kind| *kind > 3), "{kinds:?}");
}

/// Two bursts in one instant meet a full queue each, before the peer hears of the first: it is told
/// once.
#[test]
fn writable_is_told_once_for_an_instant() {
    let stage = Stage::new(2, SECOND, |ctx, log, what| match what {
        Happened::Start if ctx.seat() == Seat(0) => {
            send_reliably(ctx, log, 1, 0);
            ctx.after(MILLISECOND * 500, 1);
            ctx.after(MILLISECOND * 500, 2);
        }
        Happened::Timer(_) => while send_reliably(ctx, log, 1, 0) {},
        _ => {}
    });
    let (outcome, log) = stage.run();
    let mut told = log.of(0);
    told.retain(|(_, what)| matches!(what, Happened::Writable(_)));
    assert_eq!(told, [(500 * MS, Happened::Writable(Seat(1)))]);
    assert_eq!(outcome.ledger.reliable.delivered, 1 + 256 * 2);
}
