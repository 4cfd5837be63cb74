//! Endless loops are ended with an error that names them.

use peerlet_core::{Duration, MILLISECOND, SECOND, Seat, Time};
use peerlet_sim::RunError;

use crate::actor::{Happened, Stage, send};

#[test]
fn an_endless_timer_ends_the_run_and_names_the_peer() {
    let stage = Stage::new(3, SECOND, |ctx, _, what| match what {
        Happened::Start if ctx.seat() == Seat(1) => _ = ctx.after(MILLISECOND * 7, 0),
        Happened::Timer(_) => _ = ctx.after(Duration::ZERO, 0),
        _ => {}
    });
    let (simulation, log) = stage.simulation();
    let at = Time::ZERO + MILLISECOND * 7;
    assert_eq!(simulation.run().err(), Some(RunError::Endless { seat: Seat(1), at }));
    // Rounds 0 to 10,000 were handled; the next one is the error.
    assert_eq!(log.trace().last().map(|event| event.round), Some(10_000));
}

#[test]
fn an_endless_message_to_oneself_does_so_too() {
    let stage = Stage::new(2, SECOND, |ctx, log, what| match what {
        Happened::Start | Happened::Message(..) if ctx.seat() == Seat(0) => send(ctx, log, 0, 0),
        _ => {}
    });
    let (simulation, _) = stage.simulation();
    let error = simulation.run().err().expect("it is endless");
    assert_eq!(error, RunError::Endless { seat: Seat(0), at: Time::ZERO });
    assert!(error.to_string().contains("peer 0 made more than 10,000 rounds"), "{error}");
}

/// Rounds are counted in one instant: a peer may have as many as it likes over time.
#[test]
fn rounds_begin_anew_at_each_instant() {
    let stage = Stage::new(1, MILLISECOND * 3, |ctx, _, what| match what {
        Happened::Start => _ = ctx.after(Duration::ZERO, 1),
        Happened::Timer(9_999) => _ = ctx.after(MILLISECOND, 1),
        Happened::Timer(count) => _ = ctx.after(Duration::ZERO, count + 1),
        _ => {}
    });
    let (outcome, log) = stage.run();
    assert_eq!(outcome.events, 1 + 3 * 9_999);
    assert_eq!(log.trace().iter().map(|event| event.round).max(), Some(9_999));
}
