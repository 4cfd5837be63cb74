//! The order of a timeline.

use expect_test::{Expect, expect};
use peerlet_core::{Seat, Time};
use peerlet_scenario::{Timeline, TimelineEntry};

use crate::parse;

/// Checks the timeline of three peers that join within 3 s and run for 60 s.
fn check(lines: &str, expected: Expect) {
    let text =
        format!("peers = 3\nfor = \"60s\"\njoin = \"3s\"\n[events]\nlines = '''\n{lines}'''\n");
    let scenario = parse(&text).expect("the lines are fine");
    expected.assert_eq(&Timeline::expand(&scenario, &[]).to_string());
}

#[test]
fn lines_of_one_instant_keep_their_order_behind_the_joins() {
    check(
        "* 1 B.b()\n0 1 A.a()\n2 500ms C.c()\n",
        expect![[r#"
        0 0s Peer.start()
        2 500ms Peer.C.c()
        1 1s Peer.start()
        0-2 1s Peer.B.b()
        0 1s Peer.A.a()
        2 2s Peer.start()
    "#]],
    );
}

#[test]
fn the_earliest_event_decides_who_waits_for_its_start() {
    check(
        "1 9 Peer.start()\n1 8 A.a()\n2 5 Peer.start()\n2 6 Peer.crash()\n",
        expect![[r#"
        0 0s Peer.start()
        1 1s Peer.start()
        2 5s Peer.start()
        2 6s Peer.crash()
        1 8s Peer.A.a()
        1 9s Peer.start()
    "#]],
    );
    check(
        "* 0 Peer.start()\n",
        expect![[r#"
        0-2 0s Peer.start()
    "#]],
    );
    check(
        "1-2 5 Peer.restart()\n",
        expect![[r#"
        0 0s Peer.start()
        1 1s Peer.start()
        2 2s Peer.start()
        1-2 5s Peer.restart()
    "#]],
    );
}

#[test]
fn running_follows_every_turn() {
    let text = "peers = 2\nfor = \"60s\"\n[events]\nlines = '''\n\
                1 10 Peer.crash()\n1 20 Peer.restart()\n* 30 Peer.stop()\n0 30 Peer.start()\n'''\n";
    let timeline = Timeline::expand(&parse(text).unwrap(), &[]);
    let up = |seat, seconds: u64| {
        timeline.running(Seat(seat), Time::from_nanos(seconds * 1_000_000_000))
    };
    assert_eq!(
        [0, 9, 10, 19, 20, 29, 30, 59].map(|t| up(1, t)),
        [false, true, false, false, true, true, false, false]
    );
    assert_eq!([0, 10, 30, 59].map(|t| up(0, t)), [true; 4]);
}

#[test]
fn what_is_written_reads_as_the_same() {
    let head = "seed = 3\npeers = 40\nfor = \"300s\"\n";
    let churn = "[churn]\nsession.exponential.mean = \"20s\"\nabsence.exponential.mean = \"9s\"\n";
    let lines = "10% 30 Peer.crash()\n10% 40 Peer.restart()\n* 50 R.say('it\\'s', 1.5s, -2, 0.5)\n";
    let events = format!("[events]\nlines = '''\n{lines}'''\n");
    let timeline = Timeline::expand(&parse(&format!("{head}{churn}{events}")).unwrap(), &[]);
    let written = timeline.to_string();
    let again = parse(&format!("{head}[events]\nlines = '''\n{written}'''\n")).unwrap();
    assert_eq!(Timeline::expand(&again, &[]).to_string(), written);
    assert_eq!(written.lines().count(), timeline.entries().len());
}

#[test]
fn a_million_seats_are_lean() {
    let timeline = Timeline::expand(&parse("peers = 1_000_000\nfor = \"60s\"\n").unwrap(), &[]);
    assert_eq!(timeline.entries().len(), 1_000_000);
    assert_eq!(size_of::<TimelineEntry>(), 16);
    assert_eq!(timeline.entries()[999_999].at, Time::from_nanos(59_999_940_000));
}

#[test]
fn calls_on_the_network_are_nobodys_first_event() {
    check(
        "0 500ms Network.cut()\n0 1 Peer.start()\n1-2 2 network.cutOut('0,2', 'in-flight')\n",
        expect![[r#"
            0 500ms Network.cut()
            1 1s Peer.start()
            0 1s Peer.start()
            2 2s Peer.start()
            1-2 2s Network.cutOut("0,2", "in-flight")
        "#]],
    );
}

#[test]
fn a_swizzle_is_told_by_its_parts() {
    check(
        "0-1 10 Network.swizzle(8s)\n2 58 Network.swizzle(9s)\n",
        expect![[r#"
        0 0s Peer.start()
        1 1s Peer.start()
        2 2s Peer.start()
        1 10.542168559s Network.clog()
        0 13.858209264s Network.clog()
        1 15.381784344s Network.release()
        0 17.61944001s Network.release()
    "#]],
    );
}

#[test]
fn a_group_is_a_zone() {
    let group =
        |name: &str, peers: &str| format!("[[group]]\nname = \"{name}\"\npeers = \"{peers}\"\n");
    let lines = "eastside 1 Network.cut(\"west\")\nwest 2 Peer.crash()\n";
    let text = format!(
        "peers = 10\nfor = \"60s\"\n{}{}[events]\nlines = '''\n{lines}'''\n",
        group("East_Side", "2-4"),
        group("west", "7,9")
    );
    let scenario = parse(&text).expect("the lines are fine");
    let events: Vec<_> = scenario
        .events
        .iter()
        .map(|event| format!("{} {} {}", event.seats, event.at, event.action))
        .collect();
    assert_eq!(events, ["2-4 1s Network.cut(\"7,9\")", "7,9 2s Peer.crash()"]);
}
