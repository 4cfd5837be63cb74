//! Handshakes before the first message, to the nanosecond.

use peerlet_core::runtime::Act;
use peerlet_core::{Duration, MILLISECOND, SECOND, Seat};
use peerlet_measure::{DropCause, Flow};
use peerlet_network::Constant;

use crate::actor::{Happened, Stage, send, send_reliably};
use crate::hostile_network::HostileNetwork;

const MS: u64 = 1_000_000;
const DELAY: Duration = Duration::from_millis(20);

/// The sender of each message, by millisecond: seat 0 to seat 1, or back.
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
    // After the handshake nothing waits.
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
    let network = |until| HostileNetwork::constant(DELAY).wall(Duration::ZERO, MILLISECOND * until);
    let sends: Sends = &[(0, 1_000), (0, 1_500)];
    let [_, to_1] = came(stage(sends, false).over(network(1_100)));
    assert_eq!(to_1, [(2_059, 0), (2_059, 1)]);
    let [_, to_1] = came(stage(sends, false).over(network(3_996)));
    assert_eq!(to_1, [(4_057, 0), (4_057, 1)]);
}

/// Given up after 4 s, the other peer is dialled anew at once where reliable messages wait.
#[test]
fn reliable_messages_meet_soon_after_a_cut() {
    let after = |heals: u64| {
        let network = HostileNetwork::constant(DELAY).wall(Duration::ZERO, MILLISECOND * heals);
        let [_, to_1] = came(stage(&[(0, 1_000)], true).over(network));
        to_1
    };
    // Hellos at 1, 2, 4, 5, 6, 8, 9 and 10 s and some milliseconds.
    assert_eq!(after(4_500), [(5_100, 0)]);
    assert_eq!(after(7_000), [(8_097, 0)]);
    assert_eq!(after(9_500), [(10_099, 0)]);
    // The connection times out at 11 s, whatever the attempts.
    assert_eq!(after(10_970), []);
}

#[test]
fn a_lost_welcome_is_asked_for_again() {
    // Seat 0 admits nothing for that time.
    let network = HostileNetwork::constant(DELAY).gate(Duration::ZERO, MILLISECOND * 1_100);
    let [_, to_1] = came(stage(&[(0, 1_000)], false).over(network));
    assert_eq!(to_1, [(2_059, 0)]);
}

/// What departs right behind the end of the handshake is lost when that is lost, and until it is
/// told again.
#[test]
fn what_overtakes_the_end_of_a_handshake_is_lost() {
    let at = |millis| MILLISECOND * millis;
    let sends: Sends = &[(0, 1_000), (0, 1_130), (0, 1_170), (0, 1_200)];
    let lossy = HostileNetwork::constant(DELAY).wall(at(1_030), at(1_050));
    let flow = datagrams(stage(sends, false).over(lossy.clone()));
    let dropped = [DropCause::Partition, DropCause::Loss].map(|cause| flow.dropped(cause));
    assert_eq!((flow.delivered, dropped), (2, [1, 1]));
    // It is told again three round trips later; what comes before that cannot be read.
    let [_, to_1] = came(stage(sends, false).over(lossy));
    assert_eq!(to_1, [(1_190, 2), (1_220, 3)]);
}

#[test]
fn a_sender_that_ends_meanwhile_is_told_of_nothing() {
    for act in [Act::Stop, Act::Crash] {
        let stage = stage(&[(0, 1_000)], true).then(MILLISECOND * 1_010, 0, act.clone()).then(
            MILLISECOND * 1_015,
            0,
            Act::Start,
        );
        let (outcome, log) = stage.run();
        let flow = outcome.ledger.reliable;
        assert!(outcome.ledger.is_balanced(), "{:?}", outcome.ledger);
        // Messages queued before a stop still depart; the next life sends as well.
        assert_eq!(flow.delivered, 1 + u64::from(act == Act::Stop));
        assert!(!log.of(0).iter().any(|(_, what)| matches!(what, Happened::Undelivered(..))));
    }
}

/// Connections that give up before a handshake does.
#[test]
fn a_short_patience_ends_first() {
    let cut = HostileNetwork::constant(DELAY).wall(Duration::ZERO, SECOND * 3);
    let (outcome, log) = stage(&[(0, 1_000)], true).patient(SECOND).over(cut).run();
    assert!(outcome.ledger.is_balanced(), "{:?}", outcome.ledger);
    let told = log.of(0).into_iter().find(|(_, what)| matches!(what, Happened::Undelivered(..)));
    assert_eq!(told.map(|(at, _)| at / MS), Some(2_000));
}

#[test]
fn nobody_waits_for_ever() {
    const SENDS: Sends = &[(0, 1_000); 70];
    let cut =
        |sends| stage(sends, false).over(HostileNetwork::constant(DELAY).wall(DELAY, SECOND * 9));
    let flow = datagrams(cut(SENDS));
    let dropped = [DropCause::Undelivered, DropCause::Queue].map(|cause| flow.dropped(cause));
    assert_eq!((flow.sent, dropped), (70, [64, 6]));
    // The next message dials again.
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
    // A peer's messages depart although it is paused or gone.
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
