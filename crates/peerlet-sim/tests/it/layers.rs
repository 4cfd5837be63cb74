//! The effects of network layers on messages, as senders and receivers see them.

use peerlet_core::{Duration, MILLISECOND, SECOND, Seat, Seed};
use peerlet_measure::DropCause;
use peerlet_network::{
    AccessConfig, Constant, CorruptConfig, LayersConfig, LossConfig, LossModel, Probability, Rate,
    Size,
};
use peerlet_sim::Outcome;

use crate::actor::{Happened, Log, Stage, send, send_reliably};

const MS: u64 = 1_000_000;
const DELAY: Duration = Duration::from_millis(20);

fn probability(p: f64) -> Probability {
    Probability::new(p).expect("it is from 0 to 1")
}

/// Seat 0 sends this many numbers to seat 1, all at one second or one every `pause`.
fn sender(numbers: u64, pause: Duration, reliably: bool, layers: &LayersConfig) -> Stage {
    let stage = Stage::new(2, SECOND * 60, move |ctx, log, what| match what {
        Happened::Start if ctx.seat() == Seat(0) => {
            (0..numbers).for_each(|number| _ = ctx.after(SECOND + pause * number, number));
        }
        Happened::Timer(number) if reliably => _ = send_reliably(ctx, log, 1, *number),
        Happened::Timer(number) => send(ctx, log, 1, *number),
        _ => {}
    });
    let model = layers.wrap(Box::new(Constant { delay: DELAY }), Seed::new(5), 2);
    stage.over_boxed(model.expect("the layers can be built"))
}

/// The numbers that seat 1 got, with their times.
fn received((outcome, log): &(Outcome, Log)) -> Vec<(u64, u64)> {
    assert!(outcome.ledger.is_balanced(), "{:?}", outcome.ledger);
    let number = |(at, what)| match what {
        Happened::Message(_, number) => Some((at, number)),
        _ => None,
    };
    log.of(1).into_iter().filter_map(number).collect()
}

#[test]
fn what_is_damaged_is_no_message_or_another_one() {
    let corrupt = Some(CorruptConfig { probability: probability(0.5), bits: 1 });
    let layers = LayersConfig { corrupt, ..LayersConfig::default() };
    let ran = sender(4_000, MILLISECOND, false, &layers).run();
    let (got, flow) = (received(&ran), ran.0.ledger.datagram);
    let undecodable = flow.dropped(DropCause::Decode);
    assert_eq!((flow.sent, flow.delivered + undecodable), (4_000, 4_000));
    let right = got.iter().filter(|(at, number)| at / MS == 1_020 + number).count() as u64;
    // Five standard deviations of a binomial around a half of 4,000 are 158.
    assert!(right.abs_diff(2_000) < 158, "{right} came through whole");
    assert!(undecodable > 500 && got.len() as u64 - right > 500, "{undecodable} {}", got.len());
}

#[test]
fn reliable_messages_come_through_whole_and_in_order() {
    let corrupt = Some(CorruptConfig { probability: probability(0.2), bits: 1 });
    let layers = LayersConfig { corrupt, ..LayersConfig::default() };
    let ran = sender(200, MILLISECOND * 10, true, &layers).run();
    let numbers: Vec<u64> = received(&ran).into_iter().map(|(_, number)| number).collect();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
}

#[test]
fn copies_are_counted() {
    let duplicate = Some(probability(0.25));
    let loss = LossConfig::from(LossModel::Independent(probability(0.1)));
    let layers = LayersConfig { duplicate, loss: Some(loss), ..LayersConfig::default() };
    let ran = sender(4_000, MILLISECOND, false, &layers).run();
    let (got, flow) = (received(&ran).len() as u64, ran.0.ledger.datagram);
    assert_eq!(got, flow.delivered);
    assert_eq!(flow.sent + flow.duplicated, flow.delivered + flow.dropped(DropCause::Loss));
    // A quarter of the nine tenths that are not lost; five standard deviations are 132.
    assert!(flow.duplicated.abs_diff(900) < 132, "{}", flow.duplicated);
}

/// A millisecond a byte; a message of two bytes is nothing but its number and an empty text.
fn access(up: bool, down: bool, queue: u64) -> LayersConfig {
    let rate = |is_limited: bool| is_limited.then(|| Rate::bits(8_000));
    let (up, down) = (rate(up), rate(down));
    let queue = Size::bytes(queue);
    let access = Some(AccessConfig { up, down, classes: None, queue, overhead: 0 });
    LayersConfig { access, ..LayersConfig::default() }
}

#[test]
fn messages_wait_for_those_before_them_on_a_link() {
    let times = |layers: &LayersConfig| received(&sender(5, Duration::ZERO, false, layers).run());
    let expected = |time: fn(u64) -> u64| (0..5).map(|i| (time(i) * MS, i)).collect::<Vec<_>>();
    assert_eq!(times(&access(true, false, 1_000)), expected(|i| 1_022 + 2 * i));
    assert_eq!(times(&access(false, true, 1_000)), expected(|i| 1_022 + 2 * i));
    assert_eq!(times(&access(true, true, 1_000)), expected(|i| 1_024 + 2 * i));
}

#[test]
fn a_full_queue_drops_the_last() {
    for (up, down) in [(true, false), (false, true)] {
        let ran = sender(9, Duration::ZERO, false, &access(up, down, 10)).run();
        let numbers: Vec<u64> = received(&ran).into_iter().map(|(_, number)| number).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
        assert_eq!(ran.0.ledger.datagram.dropped(DropCause::Queue), 4);
    }
}

#[test]
fn reliable_messages_get_through_a_narrow_link_in_order() {
    for (up, down) in [(true, false), (false, true), (true, true)] {
        let ran = sender(50, Duration::ZERO, true, &access(up, down, 64)).run();
        let numbers: Vec<u64> = received(&ran).into_iter().map(|(_, number)| number).collect();
        assert_eq!(numbers, (0..50).collect::<Vec<_>>(), "{up} {down}");
    }
}
