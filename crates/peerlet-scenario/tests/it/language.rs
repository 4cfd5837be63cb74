//! What makes scenarios short: included files, variables, named seats, repetition, event tables;
//! and their layout.

use std::path::PathBuf;

use expect_test::{Expect, expect};
use peerlet_scenario::{
    Override, Problems, Rewrite, Scenario, Sessions, Source, Timeline, format_scenario,
};

fn parse(text: &str) -> Result<Scenario, Problems> {
    Scenario::parse(Source::new("test.toml", text), &[])
}

/// The events of a scenario of 20 peers over 2 minutes, as lines; first starts are left out.
fn events(text: &str) -> String {
    let scenario = parse(&format!("peers = 20\nfor = \"2m\"\njoin = \"0s\"\n{text}"));
    let expanded = Timeline::expand(&scenario.expect("it is right"), &[]).to_string();
    expanded
        .lines()
        .filter(|line| !line.ends_with(" 0s Peer.start()"))
        .map(|line| format!("{line}\n"))
        .collect()
}

fn lines(lines: &str) -> String {
    events(&format!("[events]\nlines = '''\n{lines}\n'''"))
}

fn refused(text: &str, expected: Expect) {
    let text = format!("peers = 20\nfor = \"2m\"\n{text}");
    expected.assert_eq(&parse(&text).expect_err("it is wrong").render(false));
}

#[test]
fn an_event_happens_again_and_again() {
    expect![[r#"
        3 30s Peer.restart()
        3 60s Peer.restart()
        4 60s Peer.pause(1s)
        4 70s Peer.pause(1s)
        4 80s Peer.pause(1s)
        3 90s Peer.restart()
        5 100s Peer.stop()
        5 110s Peer.stop()
    "#]]
    .assert_eq(&lines(
        "3 every 30s Peer.restart()\n4 1m..80s every 10 Peer.pause(1s)\n\
         5 100.. every 10s Peer.stop()",
    ));
}

#[test]
fn each_time_other_peers_are_chosen() {
    let all = lines("10% every 10s Peer.restart()");
    let seats: std::collections::BTreeSet<&str> =
        all.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(all.lines().count(), 11);
    assert!(seats.len() > 5, "{all}");
    assert_eq!(all, lines("10% every 10s Peer.restart()"), "the seed decides");
}

#[test]
fn peers_of_a_line_with_a_range_of_time_have_instants_of_their_own() {
    let all = lines("5-9 1m..90s Peer.crash()");
    let mut seats: Vec<&str> = all.lines().filter_map(|line| line.split(' ').next()).collect();
    let times: Vec<f64> = all
        .lines()
        .map(|line| line.split(' ').nth(1).unwrap().trim_end_matches('s').parse().unwrap())
        .collect();
    seats.sort_unstable();
    assert_eq!(seats, ["5", "6", "7", "8", "9"]);
    assert!(times.is_sorted() && times.iter().all(|at| (60.0..=90.0).contains(at)), "{all}");
    assert!(times[4] - times[0] > 1.0, "they differ: {all}");
}

#[test]
fn named_seats_are_the_same_in_every_line() {
    let text = "[seats]\nvictims = \"30%\"\nfirst = \"2 of victims\"\nmiddle = \"8-11\"\n\
                [[group]]\nname = \"east\"\npeers = \"15-19\"\n[events]\nlines = '''\n\
                victims 30 Peer.crash()\nvictims 60 Peer.start()\nfirst 70 Peer.stop()\n\
                100% of east 80 Network.cut(\"middle\")\n3 of 1-* 90 Peer.pause(1s)\n'''";
    let all = events(text);
    let seats: Vec<&str> = all.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(seats[0], seats[1], "{all}");
    let of =
        |seats: &str| parse(&format!("peers = 20\nfor = \"2m\"\n{text}")).unwrap().seats(seats);
    assert_eq!(of("victims").unwrap().len(), 6);
    let (first, victims) = (of("first").unwrap(), of("victims").unwrap());
    assert!(first.len() == 2 && first.without(&victims).is_empty());
    assert!(all.contains("15-19 80s Network.cut(\"8-11\")"), "{all}");
    assert_eq!(of("3 of middle,east").unwrap_or_default().len(), 3);
}

#[test]
fn churn_knows_named_seats() {
    let text = "peers = 20\nfor = \"2m\"\n[seats]\nunstable = \"4-6\"\n\
                [churn]\npeers = \"unstable\"\nlaw = \"kad-2007\"";
    let Sessions::Random(random) = parse(text).unwrap().churn.unwrap().sessions else {
        panic!("the churn is at random");
    };
    assert_eq!(random.peers.unwrap().to_string(), "4-6");
}

#[test]
fn tables_are_events() {
    let tables = "[[event]]\nat = \"60s\"\npeers = \"3-4\"\ncall = \"Peer.stop()\"\n\
                  [[event]]\nevery = \"50s\"\npeers = \"7\"\n\
                  call = [\"Peer.pause(1s)\", \"Ring.check()\"]\n\
                  [[event]]\nat = \"1m..\"\nevery = \"20s\"\npeers = \"2\"\n\
                  call = \"Peer.restart()\"";
    expect![[r#"
        7 50s Peer.pause(1s)
        7 50s Peer.Ring.check()
        3-4 60s Peer.stop()
        2 60s Peer.restart()
        2 80s Peer.restart()
        7 100s Peer.pause(1s)
        7 100s Peer.Ring.check()
        2 100s Peer.restart()
    "#]]
    .assert_eq(&events(tables));
}

#[test]
fn variables_stand_for_values() {
    let text = "peers = \"$n\"\nfor = \"${length}m\"\n[variables]\nn = 30\nlength = 2\n\
                fault = \"90s\"\nwho = \"0-4\"\nlaw = { exponential = { mean = \"$fault\" } }\n\
                [churn]\nsession = \"$law\"\nabsence = \"$law\"\n[network]\nmodel = \"lan\"\n\
                [events]\nlines = \"\"\"\n$who $fault Network.cut()  # $nothing\n\"\"\"";
    let scenario = parse(text).unwrap();
    assert_eq!((scenario.peers, scenario.duration.to_string().as_str()), (30, "120s"));
    assert!(Timeline::expand(&scenario, &[]).to_string().contains("0-4 90s Network.cut()"));
    let over = [Override::set("variables.fault=80s").unwrap()];
    let other = Scenario::parse(Source::new("test.toml", text), &over).unwrap();
    assert!(Timeline::expand(&other, &[]).to_string().contains("0-4 80s Network.cut()"));
}

#[test]
fn what_is_wrong_with_variables_is_told_where_it_stands() {
    refused(
        "title = \"$naem\"\n[variables]\nname = 1\n[events]\nlines = \"\"\"\n1 $name Peer.stop()\n\
         2 ${nme} Peer.stop()\n3 5$name0 Peer.stop()\n\"\"\"",
        expect![[r#"
            test.toml:3:10: no variable is named `naem`
               ,----
             3 | title = "$naem"
               :          ^^^^^
               `----
              help: did you mean `$name`?
            test.toml:9:3: no variable is named `nme`
               ,----
             9 | 2 ${nme} Peer.stop()
               :   ^^^^^^
               `----
              help: did you mean `$name`?
            test.toml:10:4: no variable is named `name0`
                ,----
             10 | 3 5$name0 Peer.stop()
                :    ^^^^^^
                `----
              help: did you mean `$name`?
        "#]],
    );
    refused(
        "[variables]\nunused = 1\n3x = 2",
        expect![[r#"
            test.toml:5:1: `3x` is no name of a variable
               ,----
             5 | 3x = 2
               : ^^
               `----
              help: begin with a letter, and go on with letters, digits and `_`
        "#]],
    );
}

#[test]
fn what_is_wrong_with_events_is_told_where_it_stands() {
    refused(
        "[seats]\nvictims = \"10%\"\n[events]\nlines = \"\"\"\n1 every 0s Peer.stop()\n\
         1 every 1ns Peer.stop()\n1 3m.. every 10s Peer.stop()\n1 1m..3m Peer.stop()\n\
         2 of victmis 5 Peer.stop()\n20 of * 5 Peer.stop()\n1 every 10s\n\"\"\"",
        expect![[r#"
            test.toml:7:9: `0s` is no time at all
               ,----
             7 | 1 every 0s Peer.stop()
               :         ^^
               `----
              help: write seconds such as 14.3, or a number with a unit such as 250ms
            test.toml:8:3: this happens 120000000000 times
               ,----
             8 | 1 every 1ns Peer.stop()
               :   ^^^^^^^^^
               `----
              help: a scenario has at most 10000000 events; give a longer period
            test.toml:9:3: this never happens: the run is over at 120s
               ,----
             9 | 1 3m.. every 10s Peer.stop()
               :   ^^^^^^^^^^^^^^
               `----
              help: give an earlier time, or a longer `for`
            test.toml:10:3: this goes on after the end of the run at 120s
                ,----
             10 | 1 1m..3m Peer.stop()
                :   ^^^^^^
                `----
              help: give an earlier time, or a longer `for`
            test.toml:11:6: no seats are named `victmis`
                ,----
             11 | 2 of victmis 5 Peer.stop()
                :      ^^^^^^^
                `----
              help: did you mean `victims`?
            test.toml:12:1: only 19 of these seats can be chosen
                ,----
             12 | 20 of * 5 Peer.stop()
                : ^^^^^^^
                `----
              help: ask for fewer: seats of servers are not chosen
            test.toml:13:12: the line ends before its call
                ,----
             13 | 1 every 10s 
                :            ^
                `----
              help: write PEERS TIME CALL, such as `0-9 14.3 Peer.stop()`
        "#]],
    );
}

#[test]
fn what_is_wrong_with_tables_is_told_where_it_stands() {
    refused(
        "[[event]]\npeers = \"99\"\nat = \"5s\"\ncall = \"Peer.stop()\"\n\
         [[event]]\npeers = \"3\"\nat = \"soon\"\ncall = \"Peer.stop()\"\n\
         [[event]]\npeers = \"3\"\nat = \"5s\"\ncall = [\"Peer.stop()\", \"Peer.stp()\"]\n\
         [[event]]\npeers = \"3\"\ncall = \"Peer.stop()\"\nwhen = 3\n\
         [[event]]\npeers = 3\nat = \"5s\"\ncall = \"Peer.stop()\"\n\
         [[event]]\npeers = \"3\"\nat = \"every 5s\"\ncall = \"Peer.stop()\"\n\
         [[event]]\npeers = \"3\"\nat = \"5s\"\ncall = []",
        expect![[r#"
            test.toml:4:10: there is no seat 99
               ,----
             4 | peers = "99"
               :          ^^
               `----
              help: 20 peers have the seats 0 to 19
            test.toml:9:7: `soon` is no time
               ,----
             9 | at = "soon"
               :       ^^^^
               `----
              help: write seconds such as 14.3, or a number with a unit such as 250ms
            test.toml:14:25: a peer has no `stp`
                ,----
             14 | call = ["Peer.stop()", "Peer.stp()"]
                :                         ^^^^^^^^
                `----
              help: did you mean Peer.stop()?
            test.toml:18:1: unknown key `when` in [[event]]
                ,----
             18 | when = 3
                : ^^^^
                `----
              help: leave it out, or write one of: peers, at, every, call
            test.toml:15:1: `at` is missing in [[event]]
                ,----
             15 | [[event]]
                : ^^^^^^^^^
                `----
              help: add at = "60s" or every = "10s"
            test.toml:20:9: `peers` is a whole number, not a text
                ,----
             20 | peers = 3
                :         ^
                `----
              help: put it in quotes: peers = "..."
            test.toml:25:6: the period has a key of its own
                ,----
             25 | at = "every 5s"
                :      ^^^^^^^^^^
                `----
              help: write the period as every = "10s"
            test.toml:30:8: there is no call
                ,----
             30 | call = []
                :        ^^
                `----
              help: write call = "Peer.crash()"
        "#]],
    );
}

#[test]
fn wrong_names_of_seats_are_told_where_they_stand() {
    refused(
        "[seats]\n\"3x\" = \"1\"\na = \"5 of 1-3\"\na_ = 3\n",
        expect![[r#"
        test.toml:4:1: `3x` is no name for seats
           ,----
         4 | "3x" = "1"
           : ^^^^
           `----
          help: give them a name of their own: a letter, then letters, digits, `_` and `-`
        test.toml:5:6: there are not 5 of them
           ,----
         5 | a = "5 of 1-3"
           :      ^
           `----
          help: choose at most 3
    "#]],
    );
}

/// A folder with these files, removed at the end.
struct Files(PathBuf);

impl Files {
    fn new(name: &str, files: &[(&str, &str)]) -> Files {
        let folder = std::env::temp_dir().join(format!("peerlet-{}-{name}", std::process::id()));
        for (file, text) in files {
            let path = folder.join(file);
            std::fs::create_dir_all(path.parent().expect("it is right")).expect("it is right");
            std::fs::write(path, text).expect("it is right");
        }
        Files(folder)
    }

    fn parse(&self, file: &str, overrides: &[&str]) -> Result<Scenario, Problems> {
        let overrides: Vec<_> =
            overrides.iter().map(|one| Override::set(one).expect("it is right")).collect();
        Scenario::parse(Source::open(&self.0.join(file)).expect("it is right"), &overrides)
    }

    fn refused(&self, file: &str) -> String {
        let problems = self.parse(file, &[]).expect_err("it is wrong").render(false);
        problems.replace(&format!("{}/", self.0.display()), "")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

const BASE: &str = "peers = 50\nfor = \"5m\"\n[variables]\nloss = 0.01\n[stack]\n\
                    ring = { size = 3, \
                    beat = \"1s\" }\n[network]\nmodel = \"king-like\"\nloss = \"$loss\"\n\
                    [[group]]\nname = \"east\"\npeers = \"10-19\"\n\
                    [events]\nlines = \"east 60 Peer.stop()\"\nfile = \"more.events\"\n";

#[test]
fn a_file_is_built_upon_others() {
    let files = Files::new(
        "include",
        &[
            ("base/base.toml", BASE),
            ("base/more.events", "3 70 Peer.crash()\n"),
            ("own.events", "4 75 Peer.crash()\n"),
            (
                "own.toml",
                "include = \"base/base.toml\"\nfor = \"2m\"\n\
                 [stack]\nlookups = {}\nring = { size = 5 }\n\
                 [network]\nloss = 0\n[[group]]\nname = \"west\"\npeers = \"20-29\"\n\
                 [events]\nlines = \"west 65 Peer.stop()\"\nfile = \"own.events\"\n",
            ),
        ],
    );
    let scenario = files.parse("own.toml", &["variables.loss=0.5"]);
    assert!(scenario.unwrap_err().to_string().contains("`loss` is used nowhere"));
    let scenario = files.parse("own.toml", &["stack.ring.beat=2s"]).unwrap();
    assert_eq!((scenario.peers, scenario.duration.to_string().as_str()), (50, "120s"));
    let stack: Vec<&str> = scenario.stack.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(stack, ["ring", "lookups"]);
    let expanded = Timeline::expand(&scenario, &[]).to_string();
    for line in ["10-19 60s Peer.stop()", "20-29 65s", "3 70s Peer.crash()", "4 75s"] {
        assert!(expanded.contains(line), "{line} is missing in:\n{expanded}");
    }
    let written = Rewrite::of(&scenario, &[]).unwrap().write();
    assert!(parse(&written.replace(", \"own.events\"", "")).unwrap_err().are_unreadable());
    let text = Rewrite::of(&scenario, &[Override::set("stack.ring.beat=2s").unwrap()]).unwrap();
    expect![[r#"
        peers = 50
        for = "2m"
        group = [{ name = "east", peers = "10-19" }, { name = "west", peers = "20-29" }]

        [variables]
        loss = 0.01

        [stack]
        ring = { size = 5, beat = "2s" }
        lookups = {}

        [network]
        model = "king-like"
        loss = 0

        [events]
        lines = ["east 60 Peer.stop()", "west 65 Peer.stop()"]
        file = ["more.events", "own.events"]
    "#]]
    .assert_eq(&text.write());
    // Paths are those of their own files.
    let named: Vec<String> = scenario
        .event_files
        .iter()
        .map(|(key, file)| {
            let base = scenario.sources.base(&file.span).strip_prefix(&files.0).unwrap();
            format!("{key} {}", base.join(&file.name).display())
        })
        .collect();
    assert_eq!(named, ["events.file.0 base/more.events", "events.file.1 own.events"]);
}

#[test]
fn included_files_are_refused_by_their_own_lines() {
    let files = Files::new(
        "includes",
        &[
            ("wrong.toml", "peers = 3\nfor = 90\n"),
            ("by.toml", "title = \"x\"\ninclude = [\"wrong.toml\"]\n"),
            ("broken.toml", "include = \"open.toml\"\n"),
            ("open.toml", "peers = [\n"),
            ("gone.toml", "include = \"nowhere.toml\"\n"),
            ("one.toml", "include = \"two.toml\"\n"),
            ("two.toml", "include = \"./one.toml\"\n"),
            ("kind.toml", "include = 3\n"),
        ],
    );
    let all: String = ["by", "broken", "gone", "one", "kind"]
        .map(|name| files.refused(&format!("{name}.toml")))
        .concat();
    expect![[r#"
        wrong.toml:2:7: `for` is a whole number, not a duration
           ,----
         2 | for = 90
           :       ^^
           `----
          help: write a number and a unit in quotes: for = "60s"
        open.toml:1:10: unclosed array, expected `]`
           ,----
         1 | peers = [ 
           :          ^
           `----
          help: write keys as `key = value`, and texts, durations and shares in quotes
        gone.toml:1:11: cannot read `nowhere.toml`: entity not found
           ,----
         1 | include = "nowhere.toml"
           :           ^^^^^^^^^^^^^^
           `----
          help: a path is relative to the folder of the scenario
        two.toml:1:11: `./one.toml` includes itself
           ,----
         1 | include = "./one.toml"
           :           ^^^^^^^^^^^^
           `----
          help: leave this out: a file is included once
        kind.toml:1:11: `include` names a whole number, not a file
           ,----
         1 | include = 3
           :           ^
           `----
          help: write include = ["base.toml"]
    "#]]
    .assert_eq(&all);
    assert!(files.parse("gone.toml", &[]).unwrap_err().are_unreadable());
}

const MESSY: &str = "# A scenario.


title='x'   # its title
peers   =   100
  # below
for = \"2m\"
[network]
model=\"lan\"
# Three.
   size    = 3
jitter={uniform={min=\"1ms\",max='2ms'}}   # some
[stack]

router={}
lookups = {rate=\"1/s\" ,  warmup = '3s'}
neighbors = { random=5, # five
  ring=2 } # and two


[[group]]
name = \"a\"
# The peers.
peers = \"10%\"
[[expect]]
measure = \"lookups/time\"
list = [1,2 ,
  3, # three
]
short=[ 1,2,  3 ]
[events]
lines = \"\"\"

# First.
0-9   60s Network.cut(\\\"10-*\\\")   # cut
*  90 Network.heal()


5 of a   every 10s   Peer.restart()
nonsense
\"\"\"
# The end.

";

#[test]
fn the_layout_is_the_usual_one() {
    let format = |text: &str| format_scenario(&Source::new("x.toml", text)).unwrap();
    let once = format(MESSY);
    expect![[r##"
        # A scenario.

        title = 'x'   # its title
        peers = 100
        # below
        for = "2m"

        [network]
        model = "lan"
        # Three.
        size = 3
        jitter = { uniform = { min = "1ms", max = '2ms' } }   # some

        [stack]
        router = {}
        lookups = { rate = "1/s", warmup = '3s' }
        neighbors = { random=5, # five
          ring=2 } # and two

        [[group]]
        name = "a"
        # The peers.
        peers = "10%"

        [[expect]]
        measure = "lookups/time"
        list = [1,2 ,
          3, # three
        ]
        short = [1, 2, 3]

        [events]
        lines = """
        # First.
        0-9     60s        Network.cut("10-*")  # cut
        *       90         Network.heal()

        5 of a  every 10s  Peer.restart()
        nonsense
        """

        # The end.
    "##]]
    .assert_eq(&once);
    assert_eq!(format(&once), once, "it stays");
    assert_eq!(format(&MESSY.replace('\n', "\r\n")), once, "line ends do not matter");
    assert_eq!(format(""), "");
    assert!(format_scenario(&Source::new("x.toml", "peers = ")).is_err());
}
