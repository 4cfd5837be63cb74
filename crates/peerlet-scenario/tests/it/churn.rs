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

/// 100,000 seats with the churn of a BitTorrent swarm.
const SWARM: &str = "seed = 5\npeers = 100000\nfor = \"30m\"\njoin = \"0s\"\n[churn]\n\
                     law = \"bittorrent-2006\"\ninitial = \"stationary\"\n";

/// How many seats are up at the start, and how many of these stop in the first minute.
fn first_minute(timeline: &Timeline) -> (f64, f64) {
    let minute = Time::from_nanos(60_000_000_000);
    let mut up = vec![false; 100_000];
    let mut gone = 0;
    for entry in timeline.entries() {
        match entry.step {
            Step::Start(seat) if entry.at == Time::ZERO => up[seat.index()] = true,
            Step::Stop(seat) if entry.at < minute && std::mem::take(&mut up[seat.index()]) => {
                gone += 1;
            }
            _ => {}
        }
    }
    let left = up.iter().filter(|up| **up).count();
    ((left + gone) as f64, gone as f64)
}

/// Of running peers' sessions 1.4 % end in a minute, of fresh ones 10 %.
#[test]
fn a_stationary_start_is_in_the_middle_of_sessions() {
    let (up, gone) = first_minute(&Timeline::expand(&parse(SWARM).unwrap(), &[]));
    // Half of the seats, with a standard deviation of 158.
    assert!((up - 50_000.0).abs() < 800.0, "{up}");
    // A standard deviation is 0.05 %.
    assert!((gone / up - 0.0142).abs() < 0.003, "{}", gone / up);
    let fresh = parse_with(SWARM, &["churn.initial=all"]).unwrap();
    let (up, gone) = first_minute(&Timeline::expand(&fresh, &[]));
    assert_eq!(up, 100_000.0);
    assert!((gone / up - 0.103).abs() < 0.005, "{}", gone / up);
}

#[test]
fn as_many_stay_up_as_a_stationary_start_has() {
    let timeline = Timeline::expand(&parse_with(SWARM, &["for=3h"]).unwrap(), &[]);
    for minutes in [0, 5, 30, 175] {
        let at = Time::from_nanos(minutes * 60_000_000_000);
        let up = (0..100_000).filter(|seat| timeline.running(Seat(*seat), at)).count();
        assert!(up.abs_diff(50_000) < 1_000, "{minutes} min: {up}");
    }
}

#[test]
fn a_name_stands_for_its_laws() {
    let table = parse_with(SWARM, &["churn.initial=all", "peers=50"]).unwrap();
    let text = "seed = 5\npeers = 50\nfor = \"30m\"\njoin = \"0s\"\nchurn = \"bittorrent-2006\"\n";
    let named = parse(text).unwrap();
    assert_eq!(table.churn, named.churn);
    let other = parse_with(SWARM, &["churn.absence={ exponential = { median = \"1m\" } }"]);
    assert_ne!(other.unwrap().churn, named.churn);
}

#[test]
fn peers_crash_or_stop_and_keep_or_lose_their_state() {
    let count = |assignments: &[&str]| {
        let timeline = Timeline::expand(&parse_with(CHURN, assignments).unwrap(), &[]);
        let mut counts = [0, 0, 0];
        for entry in timeline.entries() {
            counts[match entry.step {
                Step::Start(_) => 0,
                Step::Stop(_) => 1,
                _ => 2,
            }] += 1;
        }
        counts
    };
    let [starts, stops, crashes] = count(&[]);
    assert!(stops > 7_000 && crashes == 0);
    assert_eq!(count(&["churn.departure=crash"]), [starts, 0, stops]);
    assert_eq!(count(&["churn.state=lost"]), [starts, stops, stops]);
    let [same, some, rest] = count(&["churn.departure={ crash = 0.3 }"]);
    assert_eq!((same, some + rest), (starts, stops), "the same sessions");
    assert!((f64::from(rest) / f64::from(stops) - 0.3).abs() < 0.03, "{rest} of {stops}");
}

#[test]
fn what_churn_does_can_be_written_as_event_lines() {
    let lost = ["peers=6", "churn.state=lost", "churn.departure={ crash = 0.5 }", "for=3m"];
    let expanded = Timeline::expand(&parse_with(CHURN, &lost).unwrap(), &[]).to_string();
    assert!(expanded.contains("crash"), "{expanded}");
    let text =
        format!("seed = 7\npeers = 6\nfor = \"3m\"\n[events]\nlines = \"\"\"\n{expanded}\"\"\"\n");
    let again = Timeline::expand(&parse(&text).unwrap(), &[]);
    assert_eq!(again.to_string(), expanded);
}

#[test]
fn a_population_grows_and_shrinks() {
    let crowd = "population = [[\"0s\", \"10%\"], [\"5m\", \"10%\"], [\"310s\", \"100%\"], \
                 [\"8m\", \"100%\"], [\"9m\", \"0%\"]]";
    let text = CHURN.replace("50s", "100h").replace("25s", "1s") + crowd;
    let timeline = Timeline::expand(&parse_with(&text, &["join=0s"]).unwrap(), &[]);
    let counts = [1, 299, 305, 311, 480, 510, 541].map(|seconds| up(&timeline, seconds));
    assert_eq!(counts, [100, 100, 550, 1000, 1000, 500, 0]);
    let other = Timeline::expand(&parse_with(&text, &["join=0s", "seed=8"]).unwrap(), &[]);
    assert_ne!(transitions(&timeline, Seat(3)), transitions(&other, Seat(3)));
}

/// A file that is gone when this is dropped.
struct File(std::path::PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

fn file(name: &str, text: &str) -> File {
    let path = std::env::temp_dir().join(format!("peerlet-{}-{name}", std::process::id()));
    std::fs::write(&path, text).expect("the temporary folder can be written to");
    File(path)
}

fn traced(file: &File) -> String {
    let path = file.0.display();
    format!("peers = 5\nfor = \"60s\"\n[churn]\ntrace = {:?}\n", path.to_string())
}

#[test]
fn a_trace_is_followed() {
    let recorded = "peer,start,stop\n3, 1.5, 10s\r\n# a note\n1,20,\n3,12,13\n3,90,95\n\n";
    let file = file("sessions.csv", recorded);
    let scenario = parse(&traced(&file)).unwrap();
    assert_eq!(scenario.warnings, ["1 sessions of the trace begin after the end at 60s"]);
    expect![[r#"
        0 0s Peer.start()
        2 2ms Peer.start()
        4 4ms Peer.start()
        3 1.5s Peer.start()
        3 10s Peer.stop()
        3 12s Peer.start()
        3 13s Peer.stop()
        1 20s Peer.start()
    "#]]
    .assert_eq(&Timeline::expand(&scenario, &[]).to_string());
}

#[test]
fn mistakes_in_a_trace_are_pointed_at() {
    let wrong = file("wrong.csv", "peer,start\n7,1,2\nx,1,2\n1,soon,2\n1,5,5\n2,1,9\n2,8,12\n");
    let error = parse(&traced(&wrong)).expect_err("it is wrong").to_string();
    let error = error.replace(&wrong.0.display().to_string(), "FILE");
    expect![[r#"
        FILE:1:1: this row has 2 fields
           ,----
         1 | peer,start
           : ^^^^^^^^^^
           `----
          help: write peer,start,stop, such as 17,0.5,1200
        FILE:2:1: there is no peer 7
           ,----
         2 | 7,1,2
           : ^^^^^
           `----
          help: the scenario has the peers 0 to 4
        FILE:3:1: `x` is no peer
           ,----
         3 | x,1,2
           : ^^^^^
           `----
          help: write the number of its seat, from 0 on
        FILE:4:1: `soon` is no instant
           ,----
         4 | 1,soon,2
           : ^^^^^^^^
           `----
          help: write seconds from the start of the run, such as 12.5
        FILE:5:1: this session ends before it begins
           ,----
         5 | 1,5,5
           : ^^^^^
           `----
          help: write a `stop` after `start`, or leave it empty
        FILE:7:1: peer 2 is still up at 8s
           ,----
         7 | 2,8,12
           : ^^^^^^
           `----
          help: its session before lasts from 1s to 9s
    "#]]
    .assert_eq(&error);
    let gone = File(std::env::temp_dir().join("peerlet-no-such-trace.csv"));
    let error = parse(&traced(&gone)).expect_err("it is gone").to_string();
    assert!(error.contains("cannot read") && error.contains("no-such-trace"), "{error}");
    let both = file("both.csv", "");
    let error = parse(&(traced(&both) + "initial = \"all\"\n")).expect_err("it says both");
    assert!(error.to_string().contains("`initial` and `trace` exclude each other"), "{error}");
}
