//! Messages that come in pieces: how long they take, and what becomes of them under faults.

use peerlet_core::runtime::{Act, FRAME_MAX, MESSAGE_MAX_LIMIT};
use peerlet_core::{
    Duration, MESSAGE_MAX, MILLISECOND, Refusal, SECOND, Seat, Seed, Time, Undelivered,
};
use peerlet_measure::DropCause;
use peerlet_network::{AccessConfig, Constant, LayersConfig, Rate, Size};
use peerlet_sim::{Engine, Outcome, SetupError, Simulation};

use crate::actor::{Happened, Log, Stage, at, ballast_of, send, send_sized};
use crate::hostile_network::HostileNetwork;

const MS: u64 = 1_000_000;
const MIB: usize = 1024 * 1024;
const DELAY: Duration = Duration::from_millis(20);

/// Each seat but 0 sends messages of these sizes to seat 0 at one second; what finds no room is
/// sent when there is some.
fn senders(seats: u32, sizes: &'static [usize]) -> Stage {
    let stage = Stage::new(seats, SECOND * 60, move |ctx, log, what| {
        let mut from = match *what {
            Happened::Start if ctx.seat() != Seat(0) => {
                ctx.after(SECOND, 0);
                return;
            }
            Happened::Timer(number) => number as usize,
            Happened::Writable(_) => {
                let sent = |(_, seat, what): &(_, Seat, Happened)| {
                    *seat == ctx.seat() && matches!(what, Happened::SentReliably(..))
                };
                log.entries().iter().filter(|entry| sent(entry)).count()
            }
            _ => return,
        };
        while from < sizes.len() && send_sized(ctx, log, 0, from as u64, sizes[from]) {
            from += 1;
        }
    });
    stage.over(Constant { delay: DELAY })
}

/// The numbers that seat 0 got, with their times.
fn received(log: &Log) -> Vec<(u64, u64)> {
    let number = |(at, what)| match what {
        Happened::Message(_, number) => Some((at, number)),
        _ => None,
    };
    log.of(0).into_iter().filter_map(number).collect()
}

/// The messages reported undelivered to seat 1.
fn reported(log: &Log) -> Vec<(u64, Undelivered)> {
    let report = |(_, what)| match what {
        Happened::Undelivered(_, number, why) => Some((number, why)),
        _ => None,
    };
    log.of(1).into_iter().filter_map(report).collect()
}

/// The same stage with access links of this many Mbit/s each way.
fn over_access(stage: Stage, up: Option<u64>, down: Option<u64>) -> Stage {
    let rate = |mbit: Option<u64>| mbit.map(|mbit| Rate::bits(mbit * 1_000_000));
    let (up, down, queue) = (rate(up), rate(down), Some(Size::bytes(64 << 10)));
    let queue = queue.expect("it was just given");
    let access = Some(AccessConfig { up, down, classes: None, queue, overhead: 0 });
    let layers = LayersConfig { access, ..LayersConfig::default() };
    let (seats, model) = (stage.setup.seats, Box::new(Constant { delay: DELAY }));
    stage.over_boxed(layers.wrap(model, Seed::new(5), seats).expect("the layers can be built"))
}

/// The time of a mebibyte with its head on a link of 10 Mbit/s, in nanoseconds.
const MEBIBYTE_AT_10_MBIT: u64 = (MIB as u64 - 4) * 800;

/// Opening takes a round trip, the question another one; then byte follows byte.
#[test]
fn a_megabyte_on_a_link_takes_its_time() {
    for (up, down) in
        [(Some(10), None), (None, Some(10)), (Some(10), Some(10)), (Some(20), Some(10))]
    {
        let (_, log) = over_access(senders(2, &[MIB - 8]), up, down).run();
        let [(came, 0)] = received(&log)[..] else { panic!("{:?}", received(&log)) };
        let took = came - 1_000 * MS - 5 * 20 * MS;
        // The last piece comes in after it has left, where both sides have a link.
        let last_piece = if up.is_some() && down.is_some() { 210 * MS } else { 0 };
        let expected = MEBIBYTE_AT_10_MBIT..MEBIBYTE_AT_10_MBIT + last_piece + 2 * MS;
        assert!(expected.contains(&took), "{up:?} {down:?}: {took} ns, not {expected:?}");
    }
}

/// Without rates a large message takes a round trip for its question, and one way for each window
/// of pieces; small ones around it keep their order.
#[test]
fn large_messages_come_whole_and_in_order_among_small_ones() {
    const SIZES: &[usize] =
        &[1, MIB, 2, FRAME_MAX - 4, FRAME_MAX, 3, 5 * MIB, 4, MESSAGE_MAX - 6, 5];
    let run = |engine, threads, wire| {
        let mut stage = senders(3, SIZES);
        (stage.setup.engine, stage.setup.threads, stage.setup.wire) = (engine, threads, wire);
        stage.run()
    };
    let (outcome, log) = run(Engine::Reference, 1, false);
    for from in [1, 2] {
        let of_one = |(_, what)| match what {
            Happened::Message(seat, number) if seat == Seat(from) => Some(number),
            _ => None,
        };
        let came: Vec<u64> = log.of(0).into_iter().filter_map(of_one).collect();
        assert_eq!(came, Vec::from_iter(0..SIZES.len() as u64));
    }
    assert_eq!(outcome.ledger.reliable.delivered, 2 * SIZES.len() as u64);
    for (threads, wire) in [(1, false), (2, false), (3, true)] {
        let (same, again) = run(Engine::Windowed, threads, wire);
        assert_eq!((same.digest, same.events), (outcome.digest, outcome.events));
        assert_eq!(received(&again), received(&log));
    }
}

#[test]
fn a_message_beyond_the_bound_is_handed_back_at_once() {
    let play = |bound: usize| {
        let mut stage = Stage::new(2, SECOND * 9, move |ctx, _, what| match what {
            Happened::Start if ctx.seat() == Seat(1) => {
                for to in [0, 1] {
                    let message = |ballast: usize| (0, ballast_of(0, ballast));
                    let size = peerlet_core::wire::encoded_len(&message(bound)).unwrap();
                    let over = size - bound;
                    let refused = ctx.try_send_reliably(at(to), message(bound + 1 - over));
                    let refused = refused.expect_err("it is too large");
                    let why = Refusal::TooLarge { size: bound + 1, max: bound };
                    assert_eq!((refused.why, refused.message.1.len()), (why, bound + 1 - over));
                    assert!(ctx.send_reliably(at(to), message(bound + 1 - over)).is_err());
                    assert!(ctx.send_reliably(at(to), message(bound - over)).is_ok());
                }
            }
            Happened::Message(..) | Happened::Start => {}
            _ => panic!("{what:?}"),
        });
        stage.setup.message_max = bound;

        stage.run()
    };
    for bound in [100, FRAME_MAX, FRAME_MAX + 1, MESSAGE_MAX] {
        let (outcome, _) = play(bound);
        let flow = outcome.ledger.reliable;
        assert_eq!((flow.sent, flow.delivered, flow.dropped_total()), (2, 2, 0), "{bound}");
    }
}

#[test]
fn a_bound_that_no_process_can_hold_is_refused() {
    let mut stage = senders(2, &[]);
    stage.setup.message_max = MESSAGE_MAX_LIMIT + 1;
    let Err(error) = Simulation::new(stage.setup, []) else { panic!("it is not refused") };
    assert_eq!(error, SetupError::MessageMax { asked: MESSAGE_MAX_LIMIT + 1 });
}

/// 2 MiB over 10 Mbit/s take 1.7 s from 1.08 s on; half-way something happens to the receiver.
#[test]
fn what_happens_half_way_is_told_once_and_in_order() {
    const SIZES: &[usize] = &[0, 2 * MIB, 1];
    let half_way = |acts: &[(u64, Act)]| {
        let stage = over_access(senders(2, SIZES), Some(10), None);
        let play =
            |stage: Stage, (at, act): &(u64, Act)| stage.then(MILLISECOND * *at, 0, act.clone());
        acts.iter().fold(stage, play).run()
    };
    let check = |(outcome, log): (Outcome, Log), why: Undelivered, first: &[u64]| {
        let came: Vec<u64> = received(&log).into_iter().map(|(_, number)| number).collect();
        assert_eq!((came.as_slice(), &reported(&log)[..1]), (first, &[(1, why)][..]));
        assert_eq!(outcome.ledger.reliable.delivered, came.len() as u64);
        assert_eq!(outcome.ledger.reliable.in_flight, 0);
        let lost = outcome.ledger.reliable.dropped_total();
        assert_eq!(lost, reported(&log).len() as u64);
    };
    check(half_way(&[(2_000, Act::Stop)]), Undelivered::Reset, &[0]);
    check(half_way(&[(2_000, Act::Crash)]), Undelivered::Timeout, &[0]);
    let (stop, start) = (Act::Stop, Act::Start);
    // A new life that comes in time says so, and what left behind it has found nobody, either.
    let crash = [(2_000, Act::Crash), (2_700, Act::Start)];
    check(half_way(&crash), Undelivered::Reset, &[0]);
    // The message behind it was handed back for want of room, and goes to the new life.
    check(half_way(&[(2_000, stop), (2_001, start)]), Undelivered::Reset, &[0, 2]);
    let long = Act::Pause(SECOND * 30);
    check(half_way(&[(2_000, long)]), Undelivered::Timeout, &[0]);
    // A short pause only takes its time.
    let (_, log) = half_way(&[(2_000, Act::Pause(SECOND * 3))]);
    assert_eq!(received(&log).len(), 3);
}

#[test]
fn a_division_half_way_is_waited_out_or_told() {
    let stage = |heals| {
        let network = HostileNetwork::constant(MILLISECOND * 40);
        senders(2, &[0, 9 * MIB, 1]).over(network.wall(MILLISECOND * 1_300, heals))
    };
    let (_, log) = stage(SECOND * 9).run();
    assert_eq!(received(&log).len(), 3);
    let (outcome, log) = stage(SECOND * 30).run();
    assert_eq!(received(&log)[..1].len(), 1);
    assert_eq!(reported(&log)[0], (1, Undelivered::Timeout));
    assert_eq!(outcome.ledger.reliable.in_flight, 0);
}

/// The sender's life ends half-way: in order, the message still comes; by a crash, none of it does.
#[test]
fn the_senders_end_half_way_drops_the_message_or_not() {
    for (act, came, lost) in [(Act::Stop, 2, 0), (Act::Crash, 1, 1)] {
        let stage = over_access(senders(2, &[0, 2 * MIB]), Some(10), None);
        let (outcome, log) = stage.then(SECOND * 2, 1, act).run();
        assert_eq!(received(&log).len(), came);
        let flow = outcome.ledger.reliable;
        assert_eq!((flow.dropped(DropCause::Undelivered), flow.in_flight), (lost, 0));
    }
}

#[test]
fn lost_pieces_are_sent_again() {
    let network = HostileNetwork {
        loss: 0.3,
        refusal: 0.2,
        lag: (0.3, MILLISECOND * 30),
        ..HostileNetwork::constant(DELAY)
    };
    let (_, log) = senders(3, &[0, 3 * MIB, 1, 9 * MIB, 2]).over(network).run();
    assert_eq!(received(&log).len(), 10);
}

/// Nine peers send 16 MiB each to one that puts together 64 MiB at a time: five of them wait for
/// more than the connections' time, and none fails.
#[test]
fn senders_wait_for_room_and_do_not_fail() {
    let stage = over_access(senders(10, &[MESSAGE_MAX - 6]), Some(20), None);
    let (outcome, log) = stage.patient(SECOND * 3).run();
    let came = received(&log);
    assert_eq!((came.len(), outcome.ledger.reliable.dropped_total()), (9, 0));
    // 6.7 s a message; three rounds of four, four and one.
    let seconds: Vec<u64> = came.iter().map(|(at, _)| at / 1_000 / MS).collect();
    assert_eq!(seconds, [7, 7, 7, 7, 14, 14, 14, 14, 21]);
}

/// Four senders crash in the midst of it: the room that they leave unused is given to the fifth.
#[test]
fn room_of_those_who_are_gone_is_given_back() {
    let stage = over_access(senders(6, &[MESSAGE_MAX - 6]), Some(20), None).patient(SECOND * 3);
    let stage = (1..5).fold(stage, |stage, seat| stage.then(SECOND * 4, seat, Act::Crash));
    let (_, log) = stage.run();
    let [(came, 0)] = received(&log)[..] else { panic!("{:?}", received(&log)) };
    assert!(came < (4 + 2 * 6 + 7) * 1_000 * MS, "{}", Time::from_nanos(came));
}

/// The question of a large message waits for room. By a crash of whom it waits for, it finds nobody
/// and is asked again: the new life says that it is another one.
#[test]
fn a_question_that_waits_for_room_hears_of_the_next_life() {
    let stage = over_access(senders(6, &[MESSAGE_MAX - 8]), None, Some(10));
    let stage = stage.then(SECOND * 3, 0, Act::Crash).then(MILLISECOND * 3_001, 0, Act::Start);
    let (outcome, log) = stage.run();
    let why = |(_, _, what)| match what {
        Happened::Undelivered(.., why) => Some(why),
        _ => None,
    };
    let told: Vec<_> = log.entries().into_iter().filter_map(why).collect();
    assert_eq!(told, [Undelivered::Reset; 5]);
    assert_eq!(outcome.ledger.reliable.in_flight, 0);
}

/// A megabyte on its way out of a link of 10 Mbit/s takes a second, and the link's queue is full of
/// it. Datagrams that come meanwhile wait in that queue, and none is dropped.
#[test]
fn datagrams_share_the_queue_with_a_large_message() {
    let stage = Stage::new(2, SECOND * 5, move |ctx, log, what| match *what {
        Happened::Start if ctx.seat() == Seat(1) => {
            (0..100).for_each(|n| _ = ctx.after(MILLISECOND * (500 + 20 * n), n));
            ctx.after(SECOND, 1_000);
        }
        Happened::Timer(1_000) => assert!(send_sized(ctx, log, 0, 1_000, MIB - 8)),
        Happened::Timer(number) => send(ctx, log, 0, number),
        _ => {}
    });
    let (outcome, log) = over_access(stage.over(Constant { delay: DELAY }), Some(10), None).run();
    let flow = outcome.ledger.datagram;
    assert_eq!((flow.sent, flow.delivered), (100, 100));
    let late = |&(at, number): &(u64, u64)| at / MS - (500 + 20 * number) - 20;
    let came = received(&log);
    let mut waits: Vec<u64> = came.iter().filter(|(_, n)| *n < 1_000).map(late).collect();
    waits.sort_unstable();
    // Three quarters of 64 KiB take 39 ms; without a message in the way a datagram takes none.
    assert!(waits[0] == 0 && waits[99] == 39 && waits[70] == 39, "{waits:?}");
    assert!(came.iter().any(|(_, number)| *number == 1_000));
}
