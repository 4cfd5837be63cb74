//! Peers that are paused.

use peerlet_core::runtime::Act;
use peerlet_core::{Duration, MILLISECOND, NANOSECOND, SECOND, Seat, Undelivered};
use peerlet_measure::DropCause;
use peerlet_network::Constant;
use peerlet_sim::{Engine, EventKind};

use crate::actor::{Happened, Stage, send, send_reliably};

const MS: u64 = 1_000_000;
const DELAY: Duration = Duration::from_millis(20);

/// Seat 1 ticks every 100 ms; seat 0 sends it a number every 10 ms, from one second to two.
fn stage(reliably: bool) -> Stage {
    let stage = Stage::new(2, SECOND * 20, move |ctx, log, what| match what {
        Happened::Start if ctx.seat() == Seat(0) => {
            (0..100).for_each(|n| _ = ctx.after(SECOND + MILLISECOND * 10 * n, n));
        }
        Happened::Start => {
            (1..40).for_each(|n| _ = ctx.after(MILLISECOND * 100 * n, n));
        }
        Happened::Timer(number) if ctx.seat() == Seat(0) => match reliably {
            true => _ = send_reliably(ctx, log, 1, *number),
            false => send(ctx, log, 1, *number),
        },
        _ => {}
    });
    stage.over(Constant { delay: DELAY })
}

/// The events of seat 1, in milliseconds; checks that all messages are accounted for.
fn seen(stage: Stage) -> (Vec<(u64, Happened)>, peerlet_measure::Ledger) {
    let (outcome, log) = stage.run();
    assert!(outcome.ledger.is_balanced(), "{:?}", outcome.ledger);
    let ms = |(at, what)| (at / MS, what);
    (log.of(1).into_iter().map(ms).collect(), outcome.ledger)
}

fn paused(at: u64, length: Duration, reliably: bool) -> Stage {
    stage(reliably).then(MILLISECOND * at, 1, Act::Pause(length))
}

#[test]
fn what_comes_meanwhile_falls_on_the_end_of_the_pause() {
    let (happened, ledger) = seen(paused(1_205, MILLISECOND * 300, false));
    assert!(happened.iter().all(|(at, _)| !(1_205..1_505).contains(at)), "it does nothing");
    let at_the_end: Vec<_> = happened.iter().filter(|(at, _)| *at == 1_505).collect();
    // The messages sent at 1,190 to 1,480 ms, and its own timers of 1,300 to 1,500 ms between them.
    let message = |n| [(1_020 + 10 * n, Happened::Message(Seat(0), n))];
    let timer = |n| (100 * n, Happened::Timer(n));
    let mut expected: Vec<_> = (19..=48).flat_map(message).chain((13..=15).map(timer)).collect();
    expected.sort_by_key(|(at, _)| *at);
    let expected: Vec<_> = expected.into_iter().map(|(_, what)| what).collect();
    assert_eq!(at_the_end.into_iter().map(|(_, what)| what.clone()).collect::<Vec<_>>(), expected);
    assert_eq!((ledger.datagram.delivered, ledger.datagram.dropped_total()), (100, 0));
}

#[test]
fn of_datagrams_so_many_wait_as_a_buffer_holds() {
    let flood = Stage::new(2, SECOND * 9, |ctx, log, what| {
        if *what == Happened::Start && ctx.seat() == Seat(0) {
            ctx.after(SECOND, 0);
        }
        if *what == Happened::Timer(0) {
            (0..300).for_each(|n| send(ctx, log, 1, n));
        }
    });
    let flood = flood.over(Constant { delay: DELAY });
    let (happened, ledger) = seen(flood.then(SECOND, 1, Act::Pause(SECOND)));
    let numbers = happened.iter().filter_map(|(at, what)| match what {
        Happened::Message(_, number) => Some((*at, *number)),
        _ => None,
    });
    let expected: Vec<_> = (0..256).map(|number| (2_000, number)).collect();
    assert_eq!(numbers.collect::<Vec<_>>(), expected);
    assert_eq!(ledger.datagram.dropped(DropCause::Queue), 44);
}

#[test]
fn reliable_messages_lose_nothing() {
    let (happened, ledger) = seen(paused(1_205, SECOND * 3, true));
    let numbers = happened.iter().filter_map(|(_, what)| match what {
        Happened::Message(_, number) => Some(*number),
        _ => None,
    });
    assert_eq!(numbers.collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    assert_eq!(ledger.reliable.dropped_total(), 0);
}

#[test]
fn a_crash_ends_a_pause_and_what_waited() {
    let stage = paused(1_205, SECOND, false).then(MILLISECOND * 1_405, 1, Act::Crash);
    let (happened, ledger) = seen(stage.then(MILLISECOND * 1_505, 1, Act::Start));
    let between = |(at, _): &&(u64, Happened)| (1_205..1_505).contains(at);
    assert_eq!(happened.iter().filter(between).count(), 0);
    // 1,185 to 1,485 ms: 20 waited, 10 found nobody.
    assert_eq!(ledger.datagram.dropped(DropCause::Stopped), 30);
    assert!(happened.iter().any(|(at, _)| *at == 1_510), "the new life is not paused");
    let old = |(at, what): &&(u64, Happened)| *at < 1_605 && *what == Happened::Timer(13);
    assert_eq!(happened.iter().filter(old).count(), 0, "its timers are gone");
}

#[test]
fn other_acts_wait_for_the_end() {
    let stage = paused(1_205, MILLISECOND * 300, false)
        .then(MILLISECOND * 1_305, 1, Act::Stop)
        .then(MILLISECOND * 1_355, 1, Act::Start)
        .then(MILLISECOND * 1_405, 1, Act::Pause(MILLISECOND * 100));
    let (happened, _) = seen(stage);
    // At the end of the pause it handles what came before it was to stop; then it stops and starts,
    // and is paused anew.
    let at_the_end = happened.iter().filter(|(at, _)| *at == 1_505).map(|(_, what)| what);
    let first = (19..=28).map(|n| Happened::Message(Seat(0), n)).collect::<Vec<_>>();
    let expected = first.iter().chain([&Happened::Timer(13), &Happened::Stop]);
    assert!(at_the_end.clone().take(12).eq(expected), "{:?}", at_the_end.collect::<Vec<_>>());
    assert_eq!(happened.iter().find(|(at, _)| *at > 1_505).map(|(at, _)| *at), Some(1_605));
}

#[test]
fn who_does_not_live_cannot_be_paused() {
    let stage = stage(false).then(SECOND, 1, Act::Stop).then(SECOND * 2, 1, Act::Pause(SECOND));
    let (outcome, _) = stage.then(SECOND * 3, 0, Act::Pause(Duration::ZERO)).run();
    assert_eq!(outcome.idle_directives, 2);
}

#[test]
fn who_asks_a_paused_peer_waits_and_may_give_up() {
    let asker = Stage::new(2, SECOND * 20, |ctx, log, what| match what {
        Happened::Start if ctx.seat() == Seat(0) => _ = ctx.after(SECOND, 7),
        Happened::Timer(number) => _ = send_reliably(ctx, log, 1, *number),
        _ => {}
    });
    let asker = asker.over(Constant { delay: DELAY }).patient(SECOND * 2);
    let stage = asker.then(SECOND - NANOSECOND, 1, Act::Pause(SECOND * 5));
    let (_, log) = stage.run();
    let told = Happened::Undelivered(Seat(1), 7, Undelivered::Timeout);
    assert!(log.of(0).contains(&(3_000 * MS, told)), "{:?}", log.of(0));
}

/// A timer that a pause made late is taken back like any other.
#[test]
fn a_late_timer_that_is_taken_back_does_not_fire() {
    let kept = std::sync::Mutex::new(Vec::new());
    let stage = Stage::new(1, SECOND * 9, move |ctx, _, what| match what {
        Happened::Start => {
            let mut kept = kept.lock().expect("nobody panics while it is held");
            kept.push(ctx.after(MILLISECOND * 1_200, 2));
            kept.push(ctx.every(MILLISECOND * 700, 3));
            ctx.after(MILLISECOND * 1_100, 1);
        }
        Happened::Timer(1) => {
            let kept = kept.lock().expect("nobody panics while it is held");
            kept.iter().for_each(|timer| ctx.cancel(*timer));
        }
        _ => {}
    });
    let (outcome, log) = stage.then(SECOND, 0, Act::Pause(SECOND * 2)).run();
    let timers = log.of(0).into_iter().map(|(at, what)| (at / MS, what)).collect::<Vec<_>>();
    assert_eq!(timers, [(700, Happened::Timer(3)), (3_000, Happened::Timer(1))]);
    assert_eq!(outcome.events, 5, "a start, a pause and its end, two timers");
}

/// Timers that were taken back wait for nothing, whether they were dropped before they were due or
/// not: what comes behind them falls into the first round.
#[test]
fn timers_taken_back_take_no_round() {
    let run = |engine| {
        let mut stage = Stage::new(2, SECOND * 5, move |ctx, log, what| match what {
            Happened::Start if ctx.seat() == Seat(0) => _ = ctx.after(MILLISECOND * 2_100, 0),
            Happened::Start => {
                let due = ctx.after(MILLISECOND * 2_050, 1);
                ctx.cancel(due);
                // Enough that the reference engine sweeps.
                for _ in 0..10_000 {
                    let far = ctx.after(SECOND * 4, 2);
                    ctx.cancel(far);
                }
            }
            Happened::Timer(0) => send(ctx, log, 1, 3),
            _ => {}
        })
        .over(Constant { delay: MILLISECOND * 20 })
        .then(SECOND * 2, 1, Act::Pause(SECOND));
        stage.setup.engine = engine;
        let (outcome, log) = stage.run();
        let came = log.trace().into_iter().filter(|event| event.kind == EventKind::Deliver);
        let rounds: Vec<_> = came.map(|event| event.round).collect();
        (outcome.digest, rounds)
    };
    let reference = run(Engine::Reference);
    assert_eq!(reference.1, [1]);
    assert_eq!(run(Engine::Windowed), reference);
}
