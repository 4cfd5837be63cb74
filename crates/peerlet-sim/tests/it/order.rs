//! The contract's order, as peers and a trace see it.

use std::sync::{Arc, Mutex};

use peerlet_core::runtime::Act;
use peerlet_core::{Duration, MILLISECOND, NANOSECOND, SECOND, Seat, Undelivered};
use peerlet_network::Constant;
use peerlet_sim::EventKind;

use crate::actor::{Happened, Stage, cue, note, send, send_reliably};

const MS: u64 = 1_000_000;

/// Everybody talks to everybody at the same instants, so that only round, source and seq are left
/// to tell events apart.
#[test]
fn ties_are_broken_by_round_source_and_seq() {
    let stage = Stage::new(6, MILLISECOND * 200, |ctx, log, what| match what {
        Happened::Start => _ = ctx.every(MILLISECOND * 5, 0),
        Happened::Timer(0) => {
            // From the last seat to the first: not the order in which they are to arrive.
            for to in (0..6).rev() {
                send(ctx, log, to, 0);
                send_reliably(ctx, log, to, 0);
            }
            ctx.after(Duration::ZERO, 1);
            ctx.after(MILLISECOND * 10, 2);
        }
        _ => {}
    });
    let (_, log) = stage.over(Constant { delay: MILLISECOND * 5 }).run();
    for seat in (0..6).map(Seat) {
        let mut trace = log.trace();
        trace.retain(|event| event.seat == seat);
        let places: Vec<_> = trace.iter().map(|e| (e.time, e.round, e.source, e.seq)).collect();
        assert!(places.is_sorted_by(|a, b| a < b), "seat {seat}");
        let ties = |same: fn(&(_, _, _, _), &(_, _, _, _)) -> bool| {
            places.windows(2).filter(|pair| same(&pair[0], &pair[1])).count()
        };
        assert!(ties(|a, b| (a.0, a.1) == (b.0, b.1)) > 300, "few fall on one round");
        assert!(ties(|a, b| (a.0, a.1, a.2) == (b.0, b.1, b.2)) > 100, "few have one source");
        assert!(ties(|a, b| a.0 == b.0 && a.1 < b.1) > 30, "few rounds");
    }
}

#[test]
fn what_falls_on_its_own_instant_comes_a_round_later() {
    let stage = Stage::new(1, SECOND, |ctx, log, what| match what {
        Happened::Start => {
            ctx.after(Duration::ZERO, 1);
            send(ctx, log, 0, 2);
            send_reliably(ctx, log, 0, 3);
            ctx.after(Duration::ZERO, 4);
        }
        Happened::Timer(1) => _ = ctx.after(Duration::ZERO, 5),
        Happened::Message(_, 2) => send(ctx, log, 0, 6),
        _ => {}
    });
    let (_, log) = stage.run();
    let trace = log.trace();
    let seen: Vec<_> = trace.iter().map(|e| (e.time.as_nanos(), e.round, e.kind)).collect();
    use EventKind::{Deliver, Start, Timer};
    let expected = [
        (0, 0, Start),
        (0, 1, Timer),
        (0, 1, Deliver),
        (0, 1, Deliver),
        (0, 1, Timer),
        (0, 2, Timer),
        (0, 2, Deliver),
    ];
    assert_eq!(seen, expected);
    let mut heard = log.of(0);
    heard.retain(|(_, what)| matches!(what, Happened::Timer(_) | Happened::Message(..)));
    let numbers: Vec<_> = heard
        .iter()
        .map(|(_, what)| match what {
            Happened::Timer(number) | Happened::Message(_, number) => *number,
            _ => unreachable!("the others were left out"),
        })
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}

/// At 10 ms come a command, a message from seat 0, a timer of one's own, and one from seat 2.
#[test]
fn the_environment_comes_before_every_seat_and_seats_ascend() {
    let stage = Stage::new(3, SECOND, |ctx, log, what| match what {
        Happened::Start if ctx.seat() == Seat(1) => _ = ctx.after(MILLISECOND * 10, 7),
        Happened::Start => send(ctx, log, 1, 7),
        _ => {}
    });
    let stage = stage.over(Constant { delay: MILLISECOND * 10 });
    let (_, log) = stage.then(MILLISECOND * 10, 1, cue()).run();
    let heard: Vec<_> = log.of(1).into_iter().map(|(_, what)| what).collect();
    let message = |from| Happened::Message(Seat(from), 7);
    assert_eq!(heard, [Happened::Command, message(0), Happened::Timer(7), message(2)]);
}

#[test]
fn directives_of_one_instant_run_in_the_given_order() {
    let stage = Stage::empty(2, SECOND, |_, _, _| {});
    let at = MILLISECOND * 3;
    let acts = [
        (1, cue()), // Nobody is there.
        (1, Act::Start),
        (0, Act::Start),
        (1, cue()),
        (1, Act::Stop),
        (0, cue()),
        (1, Act::Crash),
        (1, Act::Start),
        (1, Act::Start), // It lives.
        (0, Act::Stop),
    ];
    let stage = acts.into_iter().fold(stage, |stage, (seat, act)| stage.then(at, seat, act));
    let (outcome, log) = stage.run();
    use EventKind::{Command, Crash, Start, Stop};
    let trace: Vec<_> = log.trace().iter().map(|e| (e.seat.0, e.kind, e.seq, e.life)).collect();
    let expected = [
        (1, Start, 1, 1),
        (0, Start, 2, 1),
        (1, Command, 3, 1),
        (1, Stop, 4, 1),
        (0, Command, 5, 1),
        (1, Crash, 6, 1),
        (1, Start, 7, 2),
        (0, Stop, 9, 1),
    ];
    assert_eq!(trace, expected);
    assert_eq!((outcome.idle_directives, outcome.events), (2, 8));
}

#[test]
fn a_network_without_delay_takes_a_nanosecond() {
    let stage = Stage::new(2, NANOSECOND * 6, |ctx, log, what| match what {
        Happened::Start if ctx.seat() == Seat(0) => send(ctx, log, 1, 0),
        Happened::Message(from, number) => {
            note(ctx, log, *number);
            send(ctx, log, from.0, number + 1);
        }
        _ => {}
    });
    let (outcome, log) = stage.over(Constant { delay: Duration::ZERO }).run();
    let mut notes = log.entries();
    notes.retain(|(_, _, what)| matches!(what, Happened::Note(_)));
    let notes: Vec<_> = notes.into_iter().map(|(at, seat, _)| (at.as_nanos(), seat.0)).collect();
    assert_eq!(notes, [(1, 1), (2, 0), (3, 1), (4, 0), (5, 1)]);
    assert!(log.trace().iter().all(|event| event.round == 0));
    assert_eq!(outcome.ledger.datagram.in_flight, 1, "what falls on the end is in flight");
}

/// A message to oneself belongs to its sender's life, even when the next begins in the same
/// instant.
#[test]
fn reliable_messages_to_oneself_do_not_outlive_the_life() {
    let stage = Stage::new(1, SECOND, |ctx, log, what| {
        if *what == Happened::Stop {
            send(ctx, log, 0, 1);
            send_reliably(ctx, log, 0, 2);
        }
    });
    let at = MILLISECOND * 5;
    let (outcome, log) = stage.then(at, 0, Act::Stop).then(at, 0, Act::Start).run();
    let mut heard = log.of(0);
    heard.retain(|(_, what)| matches!(what, Happened::Message(..) | Happened::Undelivered(..)));
    assert_eq!(heard, [(5 * MS, Happened::Message(Seat(0), 1))], "a datagram goes to an address");
    assert_eq!(outcome.ledger.reliable.dropped(peerlet_measure::DropCause::OldLife), 1);
}

/// Reports come as events of their own, behind what the instant already holds.
#[test]
fn reports_of_one_instant_come_in_sending_order() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let told = order.clone();
    let stage = Stage::empty(2, SECOND, move |ctx, log, what| match what {
        Happened::Start => {
            for number in 0..40 {
                send_reliably(ctx, log, 1, number);
            }
        }
        Happened::Undelivered(_, number, why) => {
            assert_eq!(*why, Undelivered::Reset);
            told.lock().expect("nobody panics").push(*number);
        }
        _ => {}
    });
    stage.then(Duration::ZERO, 0, Act::Start).run();
    assert_eq!(*order.lock().expect("nobody panics"), (0..40).collect::<Vec<_>>());
}
