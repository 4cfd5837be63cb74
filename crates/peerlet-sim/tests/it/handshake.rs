//! Handshakes before the first message, to the nanosecond.

use peerlet_core::{Act, Duration, MILLISECOND, SECOND, Seat};
use peerlet_measure::{DropCause, Flow};
use peerlet_network::Constant;

use crate::actor::{Happened, Stage, send, send_reliably};
use crate::weather::Weather;

const MS: u64 = 1_000_000;
const DELAY: Duration = Duration::from_millis(20);

/// Who sends at which millisecond: seat 0 to seat 1, or back.
type Sends = &'static [(u32, u64)];

/// Two peers that send numbers from 0 on, as datagrams or reliably.
fn stage(sends: Sends, reliably: bool) -> Stage {
    let mut stage = Stage::new(2, SECOND * 20, move |ctx, log, what| match what {
        Happened::Start => {
            for (number, (seat, at)) in sends.iter().enumerate() {
                if ctx.seat() == Seat(*seat) {
                    ctx.after(MILLISECOND * *at, number as u64);
                }
            }
        }
        Happened::Timer(number) => {
            let to = 1 - ctx.seat().0;
            match reliably {
                true => _ = send_reliably(ctx, log, to, *number),
                false => send(ctx, log, to, *number),
            }
        }
        _ => {}
    });
    stage.setup.handshakes = true;
    stage.over(Constant { delay: DELAY })
}

/// When which numbers came, in milliseconds, to seat 0 and to seat 1.
fn came(stage: Stage) -> [Vec<(u64, u64)>; 2] {
    let (outcome, log) = stage.run();
    assert!(outcome.ledger.is_balanced(), "{:?}", outcome.ledger);
    [0, 1].map(|seat| {
        let number = |(at, what)| match what {
            Happened::Message(_, number) => Some((at / MS, number)),
            _ => None,
        };
        log.of(seat).into_iter().filter_map(number).collect()
    })
}

fn datagrams(stage: Stage) -> Flow {
    let ledger = stage.run().0.ledger;
    assert!(ledger.is_balanced(), "{ledger:?}");
    ledger.datagram
}

#[test]
fn the_first_datagrams_wait_for_a_round_trip() {
    let sends: Sends = &[(0, 1_000), (0, 1_010), (0, 1_040), (0, 1_050), (1, 1_060), (0, 2_000)];
    let to_1 = vec![(1_060, 0), (1_060, 1), (1_060, 2), (1_070, 3), (2_020, 5)];
    // Whoever was met waits for nothing.
    assert_eq!(came(stage(sends, false)), [vec![(1_080, 4)], to_1]);
}

#[test]
fn who_dials_at_once_meets_when_the_first_is_done() {
    // The second dials before the first one's hello is there, and is answered before it hears more.
    assert_eq!(came(stage(&[(0, 1_000), (1, 1_010)], false)), [vec![(1_070, 1)], vec![(1_060, 0)]]);
    // It dials later, and hears from the first one before it is answered.
    assert_eq!(came(stage(&[(0, 1_000), (1, 1_035)], false)), [vec![(1_080, 1)], vec![(1_060, 0)]]);
}

#[test]
fn reliable_messages_wait_for_it_as_well() {
    // A round trip to meet, one to open, and the way.
    let sends: Sends = &[(0, 1_000), (0, 1_090), (1, 2_000)];
    let expected = [vec![(2_060, 2)], vec![(1_100, 0), (1_110, 1)]];
    assert_eq!(came(stage(sends, true)), expected);
}

#[test]
fn a_lost_hello_is_said_again() {
    let weather = |until| Weather::constant(DELAY).wall(Duration::ZERO, MILLISECOND * until);
    let sends: Sends = &[(0, 1_000), (0, 1_500)];
    let [_, to_1] = came(stage(sends, false).over(weather(1_100)));
    assert_eq!(to_1, [(2_059, 0), (2_059, 1)]);
    let [_, to_1] = came(stage(sends, false).over(weather(3_996)));
    assert_eq!(to_1, [(4_057, 0), (4_057, 1)]);
    // So is one for which reliable messages wait, after the first was given up.
    let [_, to_1] = came(stage(&[(0, 1_000)], true).over(weather(7_000)));
    assert_eq!(to_1.len(), 1, "{to_1:?}");
}

#[test]
fn nobody_waits_for_ever() {
    const SENDS: Sends = &[(0, 1_000); 70];
    let cut = |sends| stage(sends, false).over(Weather::constant(DELAY).wall(DELAY, SECOND * 9));
    let flow = datagrams(cut(SENDS));
    let dropped = [DropCause::Undelivered, DropCause::Queue].map(|cause| flow.dropped(cause));
    assert_eq!((flow.sent, dropped), (70, [64, 6]));
    // What is sent after that dials anew.
    let [_, to_1] = came(cut(&[(0, 1_000), (0, 4_999), (0, 5_001), (0, 9_500)]));
    assert_eq!(to_1, [(9_560, 3)]);
}

#[test]
fn sockets_answer_and_not_lives() {
    let sends: Sends = &[(0, 1_000), (0, 2_000)];
    for act in [Act::Stop, Act::Crash] {
        let stage =
            stage(sends, false).then(SECOND / 2, 1, act).then(MILLISECOND * 1_500, 1, Act::Start);
        let flow = datagrams(stage);
        assert_eq!((flow.delivered, flow.dropped(DropCause::Stopped)), (1, 1));
    }
    let paused = Act::Pause(MILLISECOND * 1_000);
    let [_, to_1] = came(stage(sends, false).then(SECOND / 2, 1, paused.clone()));
    assert_eq!(to_1, [(1_500, 0), (2_020, 1)]);
    // What a peer sent departs though it is paused, or gone.
    for act in [paused, Act::Stop, Act::Crash] {
        let [_, to_1] = came(stage(&[(0, 1_000)], false).then(MILLISECOND * 1_020, 0, act));
        assert_eq!(to_1, [(1_060, 0)]);
    }
}

#[test]
fn what_waits_at_the_end_is_in_flight() {
    let mut short = stage(&[(0, 1_000), (0, 1_001)], false);
    short.setup.duration = MILLISECOND * 1_030;
    assert_eq!(datagrams(short).in_flight, 2);
}
