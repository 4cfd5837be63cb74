//! Churn, sampled before the run.

use expect_test::expect;
use peerlet_core::{Seat, Time};
use peerlet_scenario::{Step, Timeline, TimelineEntry};

use crate::{parse, parse_with};

const CHURN: &str = r#"
seed = 7
peers = 1000
for = "10m"
[churn]
session = { exponential = { mean = "50s" } }
absence = { exponential = { mean = "25s" } }
"#;

/// The starts and stops of one seat.
fn transitions(timeline: &Timeline, seat: Seat) -> Vec<TimelineEntry> {
    let of_seat =
        |entry: &&TimelineEntry| matches!(entry.step, Step::Start(s) | Step::Stop(s) if s == seat);
    timeline.entries().iter().filter(of_seat).copied().collect()
}

/// The mean lengths of sessions and absences that begin in the first half, in seconds. The second
/// half is long enough for nearly all of them to end in it, so that the end of the run hides no
/// long ones.
fn means(timeline: &Timeline, half: f64) -> (f64, f64) {
    let (mut sessions, mut absences) = ((0.0, 0), (0.0, 0));
    for seat in (0..1000).map(Seat) {
        for pair in transitions(timeline, seat).windows(2) {
            if pair[0].at.as_secs_f64() > half {
                break;
            }
            let sum = match pair[0].step {
                Step::Start(_) => &mut sessions,
                _ => &mut absences,
            };
            *sum = (sum.0 + (pair[1].at - pair[0].at).as_secs_f64(), sum.1 + 1);
        }
    }
    (sessions.0 / f64::from(sessions.1), absences.0 / f64::from(absences.1))
}

/// How many of the 1,000 seats are up.
fn up(timeline: &Timeline, seconds: u64) -> usize {
    let at = Time::from_nanos(seconds * 1_000_000_000);
    (0..1000).filter(|seat| timeline.running(Seat(*seat), at)).count()
}

#[test]
fn sessions_and_absences_have_their_means() {
    let timeline = Timeline::expand(&parse(CHURN).unwrap(), &[]);
    let (session, absence) = means(&timeline, 300.0);
    assert!((session / 50.0 - 1.0).abs() < 0.03, "{session}");
    assert!((absence / 25.0 - 1.0).abs() < 0.03, "{absence}");
    let entries = timeline.entries().len();
    assert!((15_000..18_000).contains(&entries), "{entries}");
}

#[test]
fn it_begins_as_told() {
    let begun = |initial: &str, seconds| {
        let scenario = parse_with(CHURN, &[&format!("churn.initial={initial}"), "join=1s"]);
        up(&Timeline::expand(&scenario.unwrap(), &[]), seconds)
    };
    // Of 1,000 seats, two thirds are up in the long run: 667, with a standard deviation of 15.
    assert!(begun("all", 1) > 950);
    assert!(begun("none", 1) < 50);
    assert!(begun("stationary", 1).abs_diff(667) < 75);
    for initial in ["all", "none", "stationary"] {
        assert!(begun(initial, 400).abs_diff(667) < 75, "{initial}");
    }
}

#[test]
fn another_seat_moves_nobodys_churn() {
    let few = Timeline::expand(&parse(CHURN).unwrap(), &[]);
    let many = Timeline::expand(&parse_with(CHURN, &["peers=1001"]).unwrap(), &[]);
    for seat in (0..1000).map(Seat) {
        assert_eq!(transitions(&few, seat), transitions(&many, seat));
    }
    let other = Timeline::expand(&parse_with(CHURN, &["seed=8"]).unwrap(), &[]);
    assert_ne!(transitions(&few, Seat(3)), transitions(&other, Seat(3)));
}

#[test]
fn servers_stay_unless_named() {
    let scenario = parse(CHURN).unwrap();
    let timeline = Timeline::expand(&scenario, &[Seat(0), Seat(5)]);
    assert_eq!(transitions(&timeline, Seat(5)).len(), 1);
    assert!(transitions(&timeline, Seat(4)).len() > 1);
    let scenario = parse_with(CHURN, &["churn.peers=5-*"]).unwrap();
    let timeline = Timeline::expand(&scenario, &[Seat(0), Seat(5)]);
    assert_eq!(transitions(&timeline, Seat(4)).len(), 1);
    assert!(transitions(&timeline, Seat(5)).len() > 1);
}

#[test]
fn a_seat_started_by_event_comes_and_goes_from_there() {
    let text = format!("{CHURN}[events]\nlines = \"7 300 Peer.start()\"\n");
    let timeline = Timeline::expand(&parse(&text).unwrap(), &[]);
    let transitions = transitions(&timeline, Seat(7));
    assert!(transitions[0].at > Time::from_nanos(300_000_000_000));
    assert_eq!(transitions[0].step, Step::Stop(Seat(7)), "the event has started it");
}

/// The values must not move between machines and releases.
#[test]
fn golden_expansion() {
    let assignments = ["peers=4", "for=60s", "join=1s", "churn.initial=stationary"];
    let scenario = parse_with(CHURN, &assignments).unwrap();
    expect![[r#"
        0 0s Peer.start()
        1 250ms Peer.start()
        2 500ms Peer.start()
        3 750ms Peer.start()
        1 18.636002999s Peer.stop()
        2 23.602740363s Peer.stop()
        2 54.72078091s Peer.start()
        2 59.221926104s Peer.stop()
    "#]]
    .assert_eq(&Timeline::expand(&scenario, &[Seat(0)]).to_string());
}
