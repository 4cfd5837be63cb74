//! A peer's random streams do not change when other peers come or go.

use peerlet_core::runtime::Act;
use peerlet_core::{Duration, MILLISECOND, SECOND, Seat, Seed};
use peerlet_network::Uniform;

use crate::actor::{Happened, Log, LogEntry, Stage, note, send};

/// The notes of one seat.
fn notes(log: &Log, seat: u32) -> Vec<u64> {
    let number = |(_, what)| match what {
        Happened::Note(number) => Some(number),
        _ => None,
    };
    log.of(seat).into_iter().filter_map(number).collect()
}

/// Each life notes two samples for behavior and two secrets.
fn samples(seats: u32) -> Stage {
    Stage::new(seats, SECOND, |ctx, log, what| {
        if *what == Happened::Start {
            for _ in 0..2 {
                let bits = ctx.rng().bits();
                note(ctx, log, bits);
                let secret = ctx.secret().bits();
                note(ctx, log, secret);
            }
        }
    })
}

#[test]
fn golden_samples_of_seed_1_seat_0_life_1() {
    let (_, log) = samples(1).run();
    // The same by the published tree of seeds: run, peer, seat, life, purpose.
    let life = Seed::new(1).named("peer").at(0).at(1);
    let (mut behavior, secret) = (life.named("behavior").rng(), life.named("secret"));
    let expected = [behavior.bits(), secret.at(0).bits(), behavior.bits(), secret.at(1).bits()];
    assert_eq!(notes(&log, 0), expected);
    let shown = notes(&log, 0).iter().map(|bits| format!("{bits:016x}\n")).collect::<String>();
    expect_test::expect![[r#"
        9a42daafa1e93022
        27f0947e3c70ec8e
        e2620f2f24e42d0e
        0b9a456e565dffa2
    "#]]
    .assert_eq(&shown);
}

#[test]
fn seats_lives_and_purposes_have_random_streams_of_their_own() {
    let at = MILLISECOND * 10;
    let stage = samples(3).then(at, 1, Act::Stop).then(at, 1, Act::Start);
    let (_, log) = stage.then(at, 2, Act::Crash).then(at, 2, Act::Start).run();
    let mut all: Vec<u64> = (0..3).flat_map(|seat| notes(&log, seat)).collect();
    assert_eq!(all.len(), 5 * 4);
    all.sort_unstable();
    assert!(all.is_sorted_by(|a, b| a < b), "two draws are equal: {all:x?}");
}

/// Seats 0 to 3 talk to each other at random over a random network, the others among themselves
/// only.
fn talk(seats: u32) -> Vec<LogEntry> {
    let stage = Stage::new(seats, SECOND, move |ctx, log, what| {
        if matches!(what, Happened::Start | Happened::Timer(_)) {
            let pause = Duration::from_nanos(ctx.rng().below(20_000_000));
            ctx.after(pause, 0);
            let to = match ctx.seat().0 {
                0..4 => ctx.rng().below(4) as u32,
                _ => 4 + ctx.rng().below(u64::from(seats) - 4) as u32,
            };
            let number = ctx.secret().bits();
            send(ctx, log, to, number);
        }
    });
    let (_, log) = stage.over(Uniform { min: MILLISECOND, max: MILLISECOND * 50 }).run();
    log.entries()
}

/// The events of seats 0 to 3, seat by seat: the order among seats means nothing.
fn first_four(log: Vec<LogEntry>) -> Vec<LogEntry> {
    let mut log: Vec<LogEntry> = log.into_iter().filter(|(_, seat, _)| *seat < Seat(4)).collect();
    log.sort_by_key(|(_, seat, _)| *seat);
    log
}

#[test]
fn another_seat_changes_no_other_random_stream() {
    let four = first_four(talk(4));
    assert!(four.len() > 1_000, "{}", four.len());
    assert_eq!(first_four(talk(5)), four);
    assert_eq!(first_four(talk(9)), four);
}
