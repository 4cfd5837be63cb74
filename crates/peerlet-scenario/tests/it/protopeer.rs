//! The scenario of the ProtoPeer paper, to the letter.

use expect_test::expect;
use peerlet_core::Seat;
use peerlet_core::Value;
use peerlet_scenario::{Action, Timeline};

use crate::parse;

const PROTOPEER: &str = r#"
peers = 20
for = "200s"
[events]
lines = """
#set up the churn sequence
4 14.3 Peer.start()
3 15.1 Peer.stop()
1 36.9 Peer.start()
4 44.4 Peer.stop()
#inject a failure at 150s on 10 peers
0-9 150.0 Peer.Router.setDropMessages(true)
"""
"#;

#[test]
fn its_lines_are_read_exactly() {
    let scenario = parse(PROTOPEER).unwrap();
    let nanos: Vec<u64> = scenario.events.iter().map(|event| event.at.as_nanos()).collect();
    assert_eq!(
        nanos,
        [14_300_000_000, 15_100_000_000, 36_900_000_000, 44_400_000_000, 150_000_000_000]
    );
    let seats: Vec<String> = scenario.events.iter().map(|event| event.seats.to_string()).collect();
    assert_eq!(seats, ["4", "3", "1", "4", "0-9"]);
    let actions: Vec<&Action> = scenario.events.iter().map(|event| &event.action).collect();
    let drop = Action::Command {
        peerlet: "Router".to_owned(),
        name: "setDropMessages".to_owned(),
        arguments: vec![Value::Bool(true)],
    };
    assert_eq!(actions, [&Action::Start, &Action::Stop, &Action::Start, &Action::Stop, &drop]);
    let calls: Vec<&str> =
        scenario.events.iter().map(|event| &PROTOPEER[event.span.clone()]).collect();
    assert_eq!(calls[3..], ["Peer.stop()", "Peer.Router.setDropMessages(true)"]);
}

#[test]
fn peers_that_start_by_event_begin_stopped() {
    let timeline = Timeline::expand(&parse(PROTOPEER).unwrap(), &[]);
    let at = |nanos| peerlet_core::Time::from_nanos(nanos);
    assert!(!timeline.running(Seat(4), at(14_299_999_999)));
    assert!(timeline.running(Seat(4), at(14_300_000_000)));
    assert!(!timeline.running(Seat(4), at(44_400_000_000)));
    assert!(timeline.running(Seat(3), at(3_000_000)) && !timeline.running(Seat(3), at(2_999_999)));
    assert!(timeline.running(Seat(0), at(0)));
    expect![[r#"
        0 0s Peer.start()
        2 2ms Peer.start()
        3 3ms Peer.start()
        5 5ms Peer.start()
        6 6ms Peer.start()
        7 7ms Peer.start()
        8 8ms Peer.start()
        9 9ms Peer.start()
        10 10ms Peer.start()
        11 11ms Peer.start()
        12 12ms Peer.start()
        13 13ms Peer.start()
        14 14ms Peer.start()
        15 15ms Peer.start()
        16 16ms Peer.start()
        17 17ms Peer.start()
        18 18ms Peer.start()
        19 19ms Peer.start()
        4 14.3s Peer.start()
        3 15.1s Peer.stop()
        1 36.9s Peer.start()
        4 44.4s Peer.stop()
        0-9 150s Peer.Router.setDropMessages(true)
    "#]]
    .assert_eq(&timeline.to_string());
}
