//! Reliable delivery, to the nanosecond.

use peerlet_core::runtime::Act;
use peerlet_core::{Duration, MILLISECOND, NANOSECOND, SECOND, Seat, Undelivered};
use peerlet_measure::DropCause;
use peerlet_network::{Constant, Departure, Model, ModelState, Packet, PacketDrop};
use peerlet_sim::Engine;

use crate::actor::{Happened, Stage, send_reliably};
use crate::hostile_network::HostileNetwork;

const MS: u64 = 1_000_000;
const DELAY: Duration = Duration::from_millis(20);

/// Seat 0 sends number n reliably to seat 1 at the n-th of these times.
fn sender(at: &'static [Duration]) -> Stage {
    let stage = Stage::new(2, SECOND * 30, move |ctx, log, what| match what {
        Happened::Start if ctx.seat() == Seat(0) => {
            for (number, at) in at.iter().enumerate() {
                ctx.after(*at, number as u64);
            }
        }
        Happened::Timer(number) => _ = send_reliably(ctx, log, 1, *number),
        _ => {}
    });
    stage.over(Constant { delay: DELAY })
}

/// When messages came to seat 1.
fn received(stage: Stage) -> Vec<(u64, u64)> {
    let (_, log) = stage.run();
    let number = |(at, what)| match what {
        Happened::Message(_, number) => Some((at, number)),
        _ => None,
    };
    log.of(1).into_iter().filter_map(number).collect()
}

/// When messages were reported to seat 0.
fn reported(stage: Stage) -> Vec<(u64, u64, Undelivered)> {
    let (_, log) = stage.run();
    let report = |(at, what)| match what {
        Happened::Undelivered(_, number, why) => Some((at, number, why)),
        _ => None,
    };
    log.of(0).into_iter().filter_map(report).collect()
}

#[test]
fn first_use_costs_a_round_trip() {
    const AT: &[Duration] = &[SECOND, SECOND, Duration::from_millis(1_010), Duration::from_secs(2)];
    let times = [(1_060, 0), (1_060, 1), (1_060, 2), (2_020, 3)];
    assert_eq!(received(sender(AT)), times.map(|(at, number)| (at * MS, number)));
}

#[test]
fn a_reset_comes_back_after_a_one_way_delay() {
    const AT: &[Duration] =
        &[SECOND, Duration::from_secs(2), Duration::from_millis(2_005), Duration::from_secs(3)];
    // Seat 1 stops while two messages are on their way; the next one meets a closed door.
    let stage = sender(AT).then(MILLISECOND * 2_015, 1, Act::Stop);
    let times = [(2_040, 1), (2_045, 2), (3_040, 3)];
    let expected = times.map(|(at, number)| (at * MS, number, Undelivered::Reset));
    assert_eq!(reported(stage), expected);
}

#[test]
fn messages_belong_to_the_life_that_was_met() {
    const AT: &[Duration] = &[SECOND, Duration::from_secs(2), Duration::from_secs(3)];
    let restart = |act: Act| {
        let at = MILLISECOND * 2_010;
        sender(AT).then(at, 1, act).then(at, 1, Act::Start)
    };
    for act in [Act::Stop, Act::Crash] {
        let (outcome, log) = restart(act.clone()).run();
        assert_eq!(outcome.ledger.reliable.dropped(DropCause::OldLife), 1);
        assert_eq!(outcome.ledger.reliable.delivered, 2);
        let told = log.of(0).into_iter().filter(|(_, w)| matches!(w, Happened::Undelivered(..)));
        let expected = (2_040 * MS, Happened::Undelivered(Seat(1), 1, Undelivered::Reset));
        assert_eq!(told.collect::<Vec<_>>(), [expected]);
        // The new life is met by a new connection.
        assert_eq!(received(restart(act)), [(1_060 * MS, 0), (3_060 * MS, 2)]);
    }
}

#[test]
fn what_was_sent_before_a_life_ended_still_arrives() {
    const AT: &[Duration] = &[SECOND, Duration::from_secs(2)];
    for act in [Act::Stop, Act::Crash] {
        let stage = sender(AT).then(SECOND * 2 + NANOSECOND, 0, act);
        assert_eq!(received(stage), [(1_060 * MS, 0), (2_020 * MS, 1)]);
    }
}

/// No answer: the sender is told at the timeout, to the nanosecond.
#[test]
fn patience_ends_on_its_nanosecond() {
    const AT: &[Duration] = &[SECOND, Duration::from_secs(2)];
    for timeout in [MILLISECOND * 300, SECOND * 10, SECOND * 7 + NANOSECOND] {
        let after = |seconds: u64| seconds * 1_000 * MS + timeout.as_nanos();
        // A silent peer from the beginning: the connection never opens.
        let mute = sender(&AT[..1]).patient(timeout).then(Duration::ZERO, 1, Act::Crash);
        assert_eq!(reported(mute), [(after(1), 0, Undelivered::Timeout)]);
        // Silent once it was met: each message waits for its own timeout.
        let stage = sender(AT).patient(timeout).then(MILLISECOND * 1_500, 1, Act::Crash);
        assert_eq!(reported(stage), [(after(2), 1, Undelivered::Timeout)]);
        // A wall: the sender's own attempts fail.
        let wall = HostileNetwork::constant(DELAY).wall(MILLISECOND * 1_500, SECOND * 30);
        let stage = sender(AT).patient(timeout).over(wall);
        assert_eq!(reported(stage), [(after(2), 1, Undelivered::Timeout)]);
    }
}

/// The first packets of seat 0 take these times, what it sends after them is lost.
#[derive(Debug)]
struct Few(&'static [Duration]);

impl Model for Few {
    fn lookahead(&self) -> Duration {
        DELAY
    }
    fn outbound(&self, _: Seat) -> ModelState {
        Some(Box::new(0usize))
    }
    fn depart(&self, packet: &Packet, state: &mut ModelState) -> Departure {
        let state = state.as_mut().and_then(|state| state.downcast_mut());
        let count: &mut usize = state.expect("every seat has its count");
        *count += 1;
        match self.0.get(*count - 1) {
            _ if packet.from != Seat(0) => Departure::Arrive { after: DELAY },
            Some(after) => Departure::Arrive { after: *after },
            None => Departure::Drop(PacketDrop::Loss),
        }
    }
    fn round_trip(&self, _: Seat, _: Seat) -> Duration {
        DELAY * 2
    }
}

/// What departed may still come back when the patience with the next message ends: it is reported
/// first, or known to be delivered.
#[test]
fn what_departed_is_reported_before_what_did_not() {
    const AT: &[Duration] = &[SECOND, Duration::from_secs(2), Duration::from_secs(2)];
    let (at, reset, timeout) = (MILLISECOND * 1_500, Undelivered::Reset, Undelivered::Timeout);
    // The packets are a greeting and two messages; the third is lost as it departs.
    let even = || sender(AT).over(Few(&[DELAY, DELAY, DELAY]));
    let told = reported(even().then(at, 1, Act::Crash));
    assert_eq!(told, [(12_000 * MS, 1, timeout), (12_000 * MS, 2, timeout)]);
    // Seat 1 lives and got what departed. The sender waits until that cannot come back any more:
    // a nanosecond, as it departed in the instant of the first lost attempt.
    assert_eq!(reported(even()), [(12_000 * MS + 1, 2, timeout)]);
    // Here it comes back long after the next one's time was over.
    const SLOW: &[Duration] = &[DELAY, DELAY, Duration::from_millis(200)];
    let slow = sender(AT).over(Few(SLOW));
    let told = reported(slow.patient(MILLISECOND * 100).then(at, 1, Act::Stop));
    assert_eq!(told, [(2_220 * MS, 1, reset), (2_220 * MS, 2, reset)]);
}

/// The last attempt is made three round trips before the end, whatever doubling says.
#[test]
fn a_wall_that_falls_in_time_loses_nothing() {
    const AT: &[Duration] = &[SECOND, Duration::from_secs(2)];
    // The attempts are at 60 ms times 1, 3, 7 ... 63 and, instead of 127, at 9.88 s.
    let last = Duration::from_millis(11_880);
    for (from, numbers) in [(SECOND * 2, vec![0, 1]), (Duration::ZERO, vec![0, 1])] {
        let last = if from == Duration::ZERO { last - SECOND } else { last };
        for (to, whole) in [(last, true), (last + NANOSECOND, false)] {
            let stage = sender(AT).over(HostileNetwork::constant(DELAY).wall(from, to));
            let got: Vec<u64> = received(stage).into_iter().map(|(_, number)| number).collect();
            assert_eq!(got == numbers, whole, "a wall from {from} to {to}: {got:?}");
        }
    }
}

/// The receiving side lets nobody in for a while: order is kept, nothing is lost.
#[test]
fn a_gate_that_opens_in_time_loses_nothing() {
    const AT: &[Duration] = &[SECOND, Duration::from_secs(2), Duration::from_millis(2_500)];
    let gate = |to| sender(AT).over(HostileNetwork::constant(DELAY).gate(SECOND * 2, to));
    let got = received(gate(SECOND * 11));
    assert_eq!(got.iter().map(|(_, number)| *number).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(got[1].0, got[2].0, "the second waits behind the first");
    // A message rejected until its timeout is given up, and all behind it.
    let told: Vec<u64> = reported(gate(SECOND * 13)).iter().map(|(_, number, _)| *number).collect();
    assert_eq!(told, [1, 2]);
}

/// Every attempt at admission has its own random stream: a rejection is by chance, not for good.
#[test]
fn chance_at_the_receiving_side_loses_nothing() {
    let refusal = HostileNetwork { refusal: 0.1, ..HostileNetwork::constant(DELAY) };
    let (outcome, log) = Stage::new(2, SECOND * 30, |ctx, log, what| match what {
        Happened::Start if ctx.seat() == Seat(0) => {
            for number in 0..200 {
                ctx.after(MILLISECOND * number, number);
            }
        }
        Happened::Timer(number) => _ = send_reliably(ctx, log, 1, *number),
        _ => {}
    })
    .over(refusal)
    .run();
    assert_eq!(outcome.ledger.reliable.delivered, 200, "{:?}", outcome.ledger.reliable);
    let numbers: Vec<_> = log
        .of(1)
        .into_iter()
        .filter_map(|(_, what)| match what {
            Happened::Message(_, number) => Some(number),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
}

/// A network that lets messages in late, each by its own time, still keeps a connection's order.
#[test]
fn late_entries_keep_the_order() {
    const AT: &[Duration] = &[
        SECOND,
        Duration::from_millis(1_500),
        Duration::from_millis(1_501),
        Duration::from_millis(1_502),
        Duration::from_millis(1_503),
        Duration::from_millis(1_504),
        Duration::from_millis(1_505),
    ];
    let lag = HostileNetwork { lag: (0.5, MILLISECOND * 300), ..HostileNetwork::constant(DELAY) };
    let got = received(sender(AT).over(lag));
    assert_eq!(got.iter().map(|(_, number)| *number).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    assert!(got[6].0 > 1_525 * MS, "nobody was late");
}

/// Times of messages before and after a crash.
const AROUND_A_CRASH: &[Duration] =
    &[SECOND, Duration::from_secs(2), Duration::from_millis(2_100), Duration::from_millis(2_950)];

/// A crashed peer is silent. Its sender keeps retrying, and hears of the next life as soon as an
/// attempt finds it; what it sends after that reaches the new life.
#[test]
fn a_new_life_within_the_time_answers_with_a_reset() {
    let crash = |stage: Stage| stage.then(MILLISECOND * 1_500, 1, Act::Crash);
    let restart = |at: u64| crash(sender(AROUND_A_CRASH)).then(MILLISECOND * at, 1, Act::Start);
    // The attempts come at 2.02 s, and 60 ms times 1, 3, 7 and 15 later; the last finds the life.
    let told = [(2_940 * MS, 1, Undelivered::Reset), (2_940 * MS, 2, Undelivered::Reset)];
    assert_eq!(reported(restart(2_500)), told);
    assert_eq!(received(restart(2_500)), [(1_060 * MS, 0), (3_010 * MS, 3)]);
    let (outcome, _) = restart(2_500).run();
    assert_eq!(outcome.ledger.reliable.dropped(DropCause::OldLife), 2);
    // A receiving side of the network, and a stop in the new life, change nothing about it.
    let gate = || HostileNetwork::constant(DELAY).gate(SECOND * 20, SECOND * 21);
    assert_eq!(reported(restart(2_500).over(gate())), told);
    assert_eq!(reported(restart(2_500).then(MILLISECOND * 2_600, 1, Act::Stop))[..2], told);
    // So do two crashes.
    let twice = restart(2_030).then(MILLISECOND * 2_040, 1, Act::Crash);
    assert_eq!(reported(twice.then(MILLISECOND * 2_500, 1, Act::Start)), told);
    // The last attempt is made three round trips before the end, on arrival at 11.88 s.
    let last: &[Undelivered] = &[Undelivered::Reset; 2];
    for (at, why) in [(11_879, last), (11_881, &[Undelivered::Timeout; 2])] {
        let told = reported(restart(at));
        let of_old: Vec<_> = told.iter().filter(|(_, number, _)| [1, 2].contains(number)).collect();
        assert_eq!(of_old.iter().map(|(.., why)| *why).collect::<Vec<_>>(), why, "{at}: {told:?}");
    }
}

/// A pause keeps what came; the crash that ends it lets that find nobody, and be tried again.
#[test]
fn what_a_crash_releases_from_a_pause_is_tried_again() {
    const AT: &[Duration] = &[SECOND, Duration::from_secs(2)];
    let stage = sender(AT).then(MILLISECOND * 1_500, 1, Act::Pause(SECOND * 5));
    let stage = stage.then(SECOND * 3, 1, Act::Crash).then(MILLISECOND * 3_010, 1, Act::Start);
    // Found nobody at 3 s, and the new life 60 ms later.
    assert_eq!(reported(stage), [(3_080 * MS, 1, Undelivered::Reset)]);
}

#[test]
fn engines_agree_on_new_lives() {
    let run = |engine, threads| {
        let stage = sender(AROUND_A_CRASH).then(MILLISECOND * 1_500, 1, Act::Crash);
        let mut stage = stage.then(MILLISECOND * 2_500, 1, Act::Start);
        (stage.setup.engine, stage.setup.threads) = (engine, threads);
        let (outcome, _) = stage.run();
        (outcome.digest, outcome.events)
    };
    let reference = run(Engine::Reference, 1);
    for threads in [1, 2] {
        assert_eq!(run(Engine::Windowed, threads), reference);
    }
}
