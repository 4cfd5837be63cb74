//! Refusals of events and of the command line, and their messages.

use expect_test::{Expect, expect};
use peerlet_scenario::{Override, Scenario, Source, Timeline};

use crate::problems::{HEAD, check};
use crate::{parse, parse_with};

/// Checks what is said of this event line.
fn event(line: &str, expected: Expect) {
    check(&format!("[events]\nlines = \"\"\"\n# two lines\n  {line}\n\"\"\"\n"), expected);
}

#[test]
fn peers_and_times() {
    event(
        "10 5 Peer.stop()",
        expect![[r#"
            test.toml:6:3: there is no seat 10
               ,----
             6 |   10 5 Peer.stop()
               :   ^^
               `----
              help: 10 peers have the seats 0 to 9
        "#]],
    );
    event(
        "1-3,x 5 Peer.stop()",
        expect![[r#"
            test.toml:6:7: `x` is no seat
               ,----
             6 |   1-3,x 5 Peer.stop()
               :       ^
               `----
              help: write peers as `*`, `3`, `4-9`, `0,4,7-9`, `10-*`, `10%` or `5 of 10-*`
        "#]],
    );
    event(
        "1 soon Peer.stop()",
        expect![[r#"
            test.toml:6:5: `soon` is no time
               ,----
             6 |   1 soon Peer.stop()
               :     ^^^^
               `----
              help: write seconds such as 14.3, or a number with a unit such as 250ms
        "#]],
    );
    event(
        "1 5 hours Peer.stop()",
        expect![[r#"
            test.toml:6:7: `hours Peer.stop` is no name to call
               ,----
             6 |   1 5 hours Peer.stop()
               :       ^^^^^^^^^^^^^^^
               `----
              help: write Peer.stop() or Peer.NAME.command(arguments)
        "#]],
    );
    event(
        "1 60 Peer.stop()",
        expect![[r#"
            test.toml:6:5: this never happens: the run is over at 60s
               ,----
             6 |   1 60 Peer.stop()
               :     ^^
               `----
              help: give an earlier time, or a longer `for`
        "#]],
    );
}

#[test]
fn calls() {
    event(
        "1 5",
        expect![[r#"
            test.toml:6:6: the line ends before its call
               ,----
             6 |   1 5 
               :      ^
               `----
              help: write PEERS TIME CALL, such as `0-9 14.3 Peer.stop()`
        "#]],
    );
    event(
        "1 5 Peer.stop",
        expect![[r#"
            test.toml:6:7: `Peer.stop` is no call
               ,----
             6 |   1 5 Peer.stop
               :       ^^^^^^^^^
               `----
              help: write Peer.stop() or Peer.NAME.command(arguments)
        "#]],
    );
    event(
        "1 5 Peer.stpo()  # typo",
        expect![[r#"
            test.toml:6:7: a peer has no `stpo`
               ,----
             6 |   1 5 Peer.stpo()  # typo
               :       ^^^^^^^^^
               `----
              help: did you mean Peer.stop()?
        "#]],
    );
    event(
        "1 5 Router.drop(yes)",
        expect![[r#"
            test.toml:6:19: `yes` is no argument
               ,----
             6 |   1 5 Router.drop(yes)
               :                   ^^^
               `----
              help: arguments are numbers, booleans, durations such as 1.5s, and texts in quotes
        "#]],
    );
    event(
        "1 5 Peer.stop() 2 6 Peer.stop()",
        expect![[r#"
            test.toml:6:19: the line goes on after its call
               ,----
             6 |   1 5 Peer.stop() 2 6 Peer.stop()
               :                   ^^^^^^^^^^^^^^^
               `----
              help: put each call on its own line
        "#]],
    );
}

#[test]
fn event_lines_written_otherwise() {
    check(
        "[events]\nlines = \"1 5 Peer.stop()\\n1 99 Peer.stop()\"\n",
        expect![[r#"
            test.toml:4:29: this never happens: the run is over at 60s
               ,----
             4 | lines = "1 5 Peer.stop()\n1 99 Peer.stop()"
               :                             ^^
               `----
              help: give an earlier time, or a longer `for`
        "#]],
    );
    check(
        "[events]\nlines = '1 99 Peer.stop()'\n",
        expect![[r#"
            test.toml:4:12: this never happens: the run is over at 60s
               ,----
             4 | lines = '1 99 Peer.stop()'
               :            ^^
               `----
              help: give an earlier time, or a longer `for`
        "#]],
    );
    check(
        "[events]\r\nlines = '''\r\n# 1 99 Peer.stop()\r\n1 99 Peer.stop()\r\n'''\n",
        expect![[r#"
            test.toml:6:3: this never happens: the run is over at 60s
               ,----
             6 | 1 99 Peer.stop()
               :   ^^
               `----
              help: give an earlier time, or a longer `for`
        "#]],
    );
    check(
        "[events]\nlines = 5\nfiel = \"x\"\n",
        expect![[r#"
            test.toml:5:1: unknown key `fiel` in [events]
               ,----
             5 | fiel = "x"
               : ^^^^
               `----
              help: did you mean `file`?
            test.toml:4:9: `lines` is a whole number, not a text
               ,----
             4 | lines = 5
               :         ^
               `----
              help: put it in quotes: lines = "..."
        "#]],
    );
}

#[test]
fn event_files() {
    check(
        "[events]\nfile = \"no/such.events\"\n",
        expect![[r#"
            test.toml:4:8: cannot read `no/such.events`: entity not found
               ,----
             4 | file = "no/such.events"
               :        ^^^^^^^^^^^^^^^^
               `----
              help: a path is relative to the folder of the scenario
        "#]],
    );
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(folder.join("ten.toml"), format!("{HEAD}[events]\nfile = \"ten.events\"\n"))
        .unwrap();
    std::fs::write(folder.join("ten.events"), "# late\n\n3 75 Peer.stop()\n").unwrap();
    let source = Source::open(&folder.join("ten.toml")).unwrap();
    let problems = Scenario::parse(source, &[]).unwrap_err().to_string();
    let problems = problems.replace(&format!("{}/", folder.display()), "");
    expect![[r#"
        ten.events:3:3: this never happens: the run is over at 60s
           ,----
         3 | 3 75 Peer.stop()
           :   ^^
           `----
          help: give an earlier time, or a longer `for`
    "#]]
    .assert_eq(&problems);
}

#[test]
fn the_command_line() {
    let check = |assignments: &[&str], expected: Expect| {
        let problems = parse_with(HEAD, assignments).unwrap_err();
        expected.assert_eq(&problems.to_string());
    };
    check(
        &["jion=5s"],
        expect![[r#"
            command line:1:7: unknown key `jion` in a scenario
               ,----
             1 | --set jion=5s
               :       ^^^^
               `----
              help: did you mean `join`?
        "#]],
    );
    check(
        &["for=60"],
        expect![[r#"
            command line:1:11: `for` is a whole number, not a duration
               ,----
             1 | --set for=60
               :           ^^
               `----
              help: write a number and a unit in quotes: for = "60s"
        "#]],
    );
    check(
        &["events.lines=99 5 Peer.stop()"],
        expect![[r#"
            command line:1:20: there is no seat 99
               ,----
             1 | --set events.lines=99 5 Peer.stop()
               :                    ^^
               `----
              help: 10 peers have the seats 0 to 9
        "#]],
    );
    check(
        &["peers.x=1"],
        expect![[r#"
            command line:1:13: `x` leads nowhere, for what is there is a whole number
               ,----
             1 | --set peers.x=1
               :             ^
               `----
              help: replace the whole of it by a table: --set KEY='{ ... }'
        "#]],
    );
}

#[test]
fn no_file_at_all() {
    let problems = Scenario::from_overrides(&[Override::option("--peers", "peers", "none")]);
    expect![[r#"
        command line:1:1: `for` is missing in the scenario
           ,----
         1 |  
           : ^
           `----
          help: add for = "60s", or --for 60s
        command line:1:9: `peers` is a text, not a whole number
           ,----
         1 | --peers none
           :         ^^^^
           `----
          help: write digits without quotes: peers = 1000
    "#]]
    .assert_eq(&problems.unwrap_err().to_string());
}

#[test]
fn no_more_than_a_screenful_is_told() {
    let lines = "99 5 Peer.stop()\n".repeat(100);
    let problems = parse(&format!("{HEAD}[events]\nlines = '''\n{lines}'''\n")).unwrap_err();
    assert_eq!(problems.0.len(), peerlet_scenario::PROBLEMS_MAX);
}

#[test]
fn a_run_cut_short_leaves_out_what_lies_beyond() {
    let events = "lines = \"\"\"\n1 5 Peer.stop()\n1 50 Peer.start()\n\"\"\"\n";
    let text = format!("peers = 5\nfor = \"60s\"\n[events]\n{events}");
    let shorter = Override::option("--for", "for", "20s");
    let scenario = Scenario::parse(Source::new("test.toml", text), &[shorter]).expect("it is fine");
    assert_eq!((scenario.events.len(), scenario.left_out), (1, 1));
}

#[test]
fn a_run_cut_short_warns_of_everything_that_lies_beyond() {
    let text = "peers = 4\nfor = \"60s\"\njoin = \"40s\"\n[measure]\nfrom = \"30s\"\n[events]\n\
                lines = \"1 50 Peer.stop()\"\n";
    let parse = |text: &str, overrides: &[Override]| {
        Scenario::parse(Source::new("test.toml", text), overrides)
    };
    let cut = |text: &str, overrides: &[Override]| {
        let scenario = parse(text, overrides).expect("the command line cuts it");
        let starts = Timeline::expand(&scenario, &[]).to_string();
        format!("{}\n{starts}", scenario.warnings.join("\n"))
    };
    assert_eq!(parse(text, &[]).expect("it fits").warnings, [] as [&str; 0]);
    let told = cut(text, &[Override::option("--for", "for", "15s")]);
    expect![[r#"
        peers join over 40s, but the run is over at 15s: the last of them never start
        1 event line lies beyond the end of the run at 15s
        nothing is judged: the run is over at 15s, the warm-up at 30s
        0 0s Peer.start()
        1 10s Peer.start()
    "#]]
    .assert_eq(&told);
    assert_eq!(cut(text, &[Override::set("for=15s").unwrap()]), told);
    // In a file it is an error, unless the file itself says that it was cut.
    let short = text.replace("60s", "15s");
    assert_eq!(parse(&short, &[]).expect_err("it contradicts itself").0.len(), 3);
    assert_eq!(cut(&format!("{short}[run]\ncut = true\n"), &[]), told);
}

#[test]
fn how_a_scenario_is_run() {
    let sum = "0123456789abcdef".repeat(4);
    let run = format!("transport = \"quic\"\nwire = true\nsha256.network.file = \"{sum}\"\n");
    let scenario = parse(&format!("{HEAD}[run]\n{run}")).expect("it is fine");
    let sums: Vec<_> = scenario.run.sha256.iter().map(|sum| (&*sum.key, &*sum.sha256)).collect();
    assert_eq!(sums, [("network.file", sum.as_str())]);
    assert_eq!(scenario.run.transport.map(|(name, _)| name).as_deref(), Some("quic"));
    assert!(scenario.run.wire && !scenario.run.cut);
    let problems =
        parse(&format!("{HEAD}[run]\nwire = 1\nsha256.events.file = \"ab\"\nfast = 1\n"));
    expect![[r#"
        test.toml:6:1: unknown key `fast` in [run]
           ,----
         6 | fast = 1
           : ^^^^
           `----
          help: leave it out, or write one of: transport, wire, cut, sha256
        test.toml:4:8: `wire` is a whole number, not a boolean
           ,----
         4 | wire = 1
           :        ^
           `----
          help: write wire = true or wire = false, without quotes
        test.toml:5:22: `file` is no SHA-256
           ,----
         5 | sha256.events.file = "ab"
           :                      ^^^^
           `----
          help: write its 64 hexadecimal digits in quotes, as `sha256sum FILE` prints them
    "#]]
    .assert_eq(&problems.unwrap_err().to_string());
}

#[test]
fn durations_finer_than_time() {
    let head = HEAD.replace("60s", "1.5ns");
    let lines = "[events]\nlines = \"\"\"\n1 0.0000000004 Peer.stop()\n\"\"\"\n";
    let measure = "[measure]\nepoch = \"0.4 ns\"\n";
    expect![[r#"
        test.toml:2:7: `1.5ns` is no whole number of nanoseconds; round it
           ,----
         2 | for = "1.5ns"
           :       ^^^^^^^
           `----
          help: write a number and a unit in quotes: for = "60s"
    "#]]
    .assert_eq(&parse(&head).unwrap_err().to_string());
    expect![[r#"
        test.toml:7:3: `0.0000000004s` is no whole number of nanoseconds; round it
           ,----
         7 | 1 0.0000000004 Peer.stop()
           :   ^^^^^^^^^^^^
           `----
          help: write seconds such as 14.3, or a number with a unit such as 250ms
        test.toml:4:9: `0.4 ns` is no whole number of nanoseconds; round it
           ,----
         4 | epoch = "0.4 ns"
           :         ^^^^^^^^
           `----
          help: write a number and a unit in quotes: epoch = "60s"
    "#]]
    .assert_eq(&parse(&format!("{HEAD}{measure}{lines}")).unwrap_err().to_string());
}

#[test]
fn a_missing_file_is_told_from_a_wrong_scenario() {
    let missing = parse(&format!("{HEAD}[events]\nfile = \"no/such.ev\"\n")).unwrap_err();
    assert!(missing.are_unreadable());
    let both = parse(&format!("{HEAD}seeed = 3\n[events]\nfile = \"no/such.ev\"\n"));
    assert!(!both.unwrap_err().are_unreadable());
}

#[test]
fn groups() {
    let group = "[[group]]\nname = \"east\"\npeers = \"2-4\"\n";
    let check = |line: &str, expected: Expect| {
        check(&format!("{group}[events]\nlines = \"{line}\"\n"), expected);
    };
    check(
        "west 5 Peer.stop()",
        expect![[r#"
            test.toml:7:10: no seats are named `west`
               ,----
             7 | lines = "west 5 Peer.stop()"
               :          ^^^^
               `----
              help: the names are: east
        "#]],
    );
    check(
        "0 5 Network.cut('eats')",
        expect![[r#"
            test.toml:7:26: no seats are named `eats`
               ,----
             7 | lines = "0 5 Network.cut('eats')"
               :                          ^^^^^^
               `----
              help: did you mean `east`?
        "#]],
    );
}
