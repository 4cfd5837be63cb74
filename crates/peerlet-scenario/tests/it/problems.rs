//! Refusals of scenarios, and their messages.

use expect_test::{Expect, expect};

use crate::parse;

/// A head that is fine.
pub const HEAD: &str = "peers = 10\nfor = \"60s\"\n";

/// Checks what is said of this text.
fn whole(text: &str, expected: Expect) {
    expected.assert_eq(&parse(text).expect_err("it is wrong").to_string());
}

/// Checks what is said of this text behind a head that is fine.
pub fn check(text: &str, expected: Expect) {
    whole(&format!("{HEAD}{text}"), expected);
}

#[test]
fn what_must_be_there() {
    whole(
        "peers = 10\n",
        expect![[r#"
            test.toml:1:1: `for` is missing in the scenario
               ,----
             1 | peers = 10
               : ^
               `----
              help: add for = "60s", or --for 60s
        "#]],
    );
    whole(
        "",
        expect![[r#"
            test.toml:1:1: `peers` is missing in the scenario
               ,----
             1 |  
               : ^
               `----
              help: add peers = 1000, or --peers 1000
            test.toml:1:1: `for` is missing in the scenario
               ,----
             1 |  
               : ^
               `----
              help: add for = "60s", or --for 60s
        "#]],
    );
}

#[test]
fn how_many_peers() {
    whole(
        "peers = 0\nfor = \"60s\"\n",
        expect![[r#"
            test.toml:1:9: `peers` is 0, which is out of range
               ,----
             1 | peers = 0
               :         ^
               `----
              help: give a number from 1 to 16777216
        "#]],
    );
    whole(
        "peers = 16777217\nfor = \"60s\"\n",
        expect![[r#"
            test.toml:1:9: `peers` is 16777217, which is out of range
               ,----
             1 | peers = 16777217
               :         ^^^^^^^^
               `----
              help: give a number from 1 to 16777216
        "#]],
    );
}

#[test]
fn values_of_the_wrong_kind() {
    whole(
        "peers = \"10\"\nfor = 60\nseed = -1\ntitle = 5\n",
        expect![[r#"
            test.toml:4:9: `title` is a whole number, not a text
               ,----
             4 | title = 5
               :         ^
               `----
              help: put it in quotes: title = "..."
            test.toml:3:8: `seed` is -1, which is out of range
               ,----
             3 | seed = -1
               :        ^^
               `----
              help: give a number from 0 to 18446744073709551615
            test.toml:1:9: `peers` is a text, not a whole number
               ,----
             1 | peers = "10"
               :         ^^^^
               `----
              help: write digits without quotes: peers = 1000
            test.toml:2:7: `for` is a whole number, not a duration
               ,----
             2 | for = 60
               :       ^^
               `----
              help: write a number and a unit in quotes: for = "60s"
        "#]],
    );
}

#[test]
fn durations() {
    whole(
        "peers = 10\nfor = \"60 sec\"\n",
        expect![[r#"
            test.toml:2:7: `60 sec` needs a unit of time: ns, us, ms, s, m, h or d
               ,----
             2 | for = "60 sec"
               :       ^^^^^^^^
               `----
              help: write a number and a unit in quotes: for = "60s"
        "#]],
    );
    whole(
        "peers = 10\nfor = \"0s\"\n",
        expect![[r#"
            test.toml:2:7: `for` is no time at all
               ,----
             2 | for = "0s"
               :       ^^^^
               `----
              help: give a longer one: for = "60s"
        "#]],
    );
    check(
        "join = \"61s\"\n",
        expect![[r#"
            test.toml:3:8: peers join over 61s, but the run is over at 60s
               ,----
             3 | join = "61s"
               :        ^^^^^
               `----
              help: give a shorter `join` or a longer `for`
        "#]],
    );
}

#[test]
fn keys_nobody_knows() {
    check(
        "[mesure]\nepoch = \"1s\"\n[speed]\n[[properties]]\nname = \"safe\"\n",
        expect![[r#"
            test.toml:3:2: unknown key `mesure` in a scenario
               ,----
             3 | [mesure]
               :  ^^^^^^
               `----
              help: did you mean `measure`?
            test.toml:5:2: unknown key `speed` in a scenario
               ,----
             5 | [speed]
               :  ^^^^^
               `----
              help: did you mean `seed`?
            test.toml:6:3: unknown key `properties` in a scenario
               ,----
             6 | [[properties]]
               :   ^^^^^^^^^^
               `----
              help: did you mean `property`?
        "#]],
    );
}

#[test]
fn measuring() {
    check(
        "[measure]\nepoch = \"0s\"\nfrom = \"2m\"\nto = \"3m\"\n",
        expect![[r#"
            test.toml:4:9: `epoch` is no time at all
               ,----
             4 | epoch = "0s"
               :         ^^^^
               `----
              help: give a longer one: epoch = "60s"
            test.toml:6:1: unknown key `to` in [measure]
               ,----
             6 | to = "3m"
               : ^^
               `----
              help: leave it out, or write one of: epoch, from, groups, peers
            test.toml:5:8: nothing is measured: the run is over at 60s
               ,----
             5 | from = "2m"
               :        ^^^^
               `----
              help: give an earlier `from` or a longer `for`
        "#]],
    );
}

#[test]
fn toml_itself() {
    whole(
        "peers = 10\nfor = 60s\n",
        expect![[r#"
            test.toml:2:7: string values must be quoted, expected literal string
               ,----
             2 | for = 60s
               :       ^^^
               `----
              help: write keys as `key = value`, and texts, durations and shares in quotes
        "#]],
    );
    whole(
        "peers = 10\n[network\nmodel = 3\n",
        expect![[r#"
            test.toml:2:9: unclosed table, expected `]`
               ,----
             2 | [network 
               :         ^
               `----
              help: write keys as `key = value`, and texts, durations and shares in quotes
        "#]],
    );
    whole(
        "peers = 10\npeers = 11\n",
        expect![[r#"
            test.toml:2:1: duplicate key
               ,----
             2 | peers = 11
               : ^^^^^
               `----
              help: write keys as `key = value`, and texts, durations and shares in quotes
        "#]],
    );
    whole(
        "title = \"grün\", peers = 10\n",
        expect![[r#"
            test.toml:1:15: unexpected key or value, expected newline, `#`
               ,----
             1 | title = "grün", peers = 10
               :               ^
               `----
              help: write keys as `key = value`, and texts, durations and shares in quotes
        "#]],
    );
}

#[test]
fn the_network() {
    check(
        "network = \"fast\"\n",
        expect![[r#"
            test.toml:3:11: `network` is a text, not a table
               ,----
             3 | network = "fast"
               :           ^^^^^^
               `----
              help: write network = { key = value }
        "#]],
    );
    check(
        "[network]\nmin = \"5ms\"\n",
        expect![[r#"
            test.toml:3:2: `model` is missing in [network]
               ,----
             3 | [network]
               :  ^^^^^^^
               `----
              help: add model = "king-like"
        "#]],
    );
}

#[test]
fn stacks() {
    check(
        "[stack]\nchord = 8\nkey_value = {}\nKeyValue = {}\n",
        expect![[r#"
            test.toml:4:9: the parameters of `chord` are a whole number, not a table
               ,----
             4 | chord = 8
               :         ^
               `----
              help: write chord = { parameter = value }
            test.toml:6:1: `KeyValue` is on the stack twice
               ,----
             6 | KeyValue = {}
               : ^^^^^^^^
               `----
              help: give each peerlet one entry; case and underscores make no other name
        "#]],
    );
}

#[test]
fn keys_of_groups() {
    check(
        "[[group]]\npeers = \"5%\"\nstck = {}\n",
        expect![[r#"
            test.toml:5:1: unknown key `stck` in [[group]]
               ,----
             5 | stck = {}
               : ^^^^
               `----
              help: did you mean `stack`?
            test.toml:3:1: `name` is missing in [[group]]
               ,----
             3 | [[group]]
               : ^^^^^^^^^
               `----
              help: add name = "slow"
        "#]],
    );
    check(
        "[group]\nname = \"a\"\n",
        expect![[r#"
            test.toml:3:1: `group` is a table, not a list of tables
               ,----
             3 | [group]
               : ^^^^^^^
               `----
              help: write [[group]] above each table
        "#]],
    );
}

#[test]
fn seats_in_two_groups() {
    check(
        "[[group]]\nname = \"a\"\npeers = \"0-5\"\n[[group]]\nname = \"b\"\npeers = \"9,4-6\"\n",
        expect![[r#"
            test.toml:8:9: seats 4-5 are in another group already
               ,----
             8 | peers = "9,4-6"
               :         ^^^^^^^
               `----
              help: a seat has one group at most: leave them out of one
        "#]],
    );
    check(
        "[[group]]\nname = \"a\"\npeers = \"60%\"\n[[group]]\nname = \"a\"\npeers = 5\n",
        expect![[r#"
            test.toml:7:8: two groups are named `a`
               ,----
             7 | name = "a"
               :        ^^^
               `----
              help: give each its own name
            test.toml:8:9: only 3 seats are left for this group of 5
               ,----
             8 | peers = 5
               :         ^
               `----
              help: make it smaller: seats of other groups and of servers are not chosen
        "#]],
    );
}

#[test]
fn seats_of_groups() {
    check(
        "[[group]]\nname = \"a\"\npeers = \"0,7-12\"\n",
        expect![[r#"
            test.toml:5:14: there is no seat 12
               ,----
             5 | peers = "0,7-12"
               :              ^^
               `----
              help: 10 peers have the seats 0 to 9
        "#]],
    );
    check(
        "[[group]]\nname = \"a\"\npeers = 11\n",
        expect![[r#"
            test.toml:5:9: `peers` is 11, which is out of range
               ,----
             5 | peers = 11
               :         ^^
               `----
              help: give a number from 1 to 10
        "#]],
    );
    check(
        "[[group]]\nname = \"a\"\npeers = 1.5\n",
        expect![[r#"
            test.toml:5:9: `peers` is a number, not a choice of seats
               ,----
             5 | peers = 1.5
               :         ^^^
               `----
              help: write peers as `*`, `3`, `4-9`, `0,4,7-9`, `10-*`, `10%` or `5 of 10-*`
        "#]],
    );
}

#[test]
fn distributions_of_churn() {
    check(
        "[churn]\nsession = { weibull = { shape = 0.59 } }\nabsence = \"5m\"\n",
        expect![[r#"
            test.toml:4:23: `scale` is missing in `weibull`
               ,----
             4 | session = { weibull = { shape = 0.59 } }
               :                       ^^^^^^^^^^^^^^^^
               `----
              help: add scale = "5m"
            test.toml:5:11: `absence` is a text, not a distribution
               ,----
             5 | absence = "5m"
               :           ^^^^
               `----
              help: write absence = { exponential = { mean = "5m" } }
        "#]],
    );
    check(
        "[churn]\nsession = { exponental = { mean = \"5m\" } }\nabsence = { exponential = {} }\n\
         initial = \"some\"\n",
        expect![[r#"
            test.toml:6:11: `some` is no way to begin
               ,----
             6 | initial = "some"
               :           ^^^^^^
               `----
              help: write "all", "none" or "stationary"
            test.toml:4:13: `exponental` is no distribution
               ,----
             4 | session = { exponental = { mean = "5m" } }
               :             ^^^^^^^^^^
               `----
              help: write session = { exponential = { mean = "5m" } }; or weibull, pareto, lognormal
            test.toml:5:27: `mean` is missing in `exponential`
               ,----
             5 | absence = { exponential = {} }
               :                           ^^
               `----
              help: add mean = "5m"
        "#]],
    );
}

#[test]
fn churn_out_of_bounds() {
    check(
        "[churn]\nsession.exponential.mean = \"1ns\"\nabsence.exponential.mean = \"1ns\"\n",
        expect![[r#"
            test.toml:3:2: peers would come and go about 600000000000 times
               ,----
             3 | [churn]
               :  ^^^^^
               `----
              help: more than 100000000 do not fit; lengthen `session` or `absence`
        "#]],
    );
    check(
        "[churn]\npeers = \"0-*\"\nsession = {}\n",
        expect![[r#"
            test.toml:5:11: `exponential` is missing in session
               ,----
             5 | session = {}
               :           ^^
               `----
              help: add { exponential = { mean = "5m" } }
            test.toml:3:2: `absence` is missing in [churn]
               ,----
             3 | [churn]
               :  ^^^^^
               `----
              help: add absence = { exponential = { mean = "5m" } }, or law = "kad-2007"
        "#]],
    );
}

#[test]
fn expectations() {
    check(
        "[[expect]]\nmean_min = 1\n",
        expect![[r#"
            test.toml:3:1: `measure` is missing in [[expect]]
               ,----
             3 | [[expect]]
               : ^^^^^^^^^^
               `----
              help: add measure = "peerlet/metric"
        "#]],
    );
    check(
        "[[expect]]\nmeasure = \"a/b\"\n",
        expect![[r#"
            test.toml:3:1: `mean_min` is missing in [[expect]]
               ,----
             3 | [[expect]]
               : ^^^^^^^^^^
               `----
              help: add a bound, such as mean_min = 0.99
        "#]],
    );
    check(
        "[[expect]]\nmeasure = \"a/b\"\nmean_mni = 1\np97_min = 0\nsum_max = \"3\"\n",
        expect![[r#"
            test.toml:5:1: unknown key `mean_mni` in [[expect]]
               ,----
             5 | mean_mni = 1
               : ^^^^^^^^
               `----
              help: did you mean `mean_min`?
            test.toml:6:1: unknown key `p97_min` in [[expect]]
               ,----
             6 | p97_min = 0
               : ^^^^^^^
               `----
              help: did you mean `p90_min`?
            test.toml:7:11: `sum_max` is a text, not a finite number
               ,----
             7 | sum_max = "3"
               :           ^^^
               `----
              help: write it without quotes: sum_max = 0.99
        "#]],
    );
    check(
        "[[expect]]\nmeasure = \"a/b\"\np50_min = 2\np50_max = 1\n",
        expect![[r#"
            test.toml:5:11: `p50_min` is above `p50_max`
               ,----
             5 | p50_min = 2
               :           ^
               `----
              help: exchange the two: nothing lies between them
        "#]],
    );
}

/// All that the first manual of scenarios shows can be read.
#[test]
fn the_manual() {
    let scenario = parse(include_str!("manual.toml")).unwrap();
    assert!(scenario.churn.is_some() && scenario.events.len() == 5);
}

#[test]
fn how_long_a_message_may_be() {
    check(
        "[connection]\nmessage_max = \"65 MiB\"\n",
        expect![[r#"
            test.toml:4:15: a message of 65 MiB is out of range
               ,----
             4 | message_max = "65 MiB"
               :               ^^^^^^^^
               `----
              help: give a whole number of B, KiB or MiB from 1 B to 64 MiB, such as "16 MiB"
        "#]],
    );
    let scenario =
        parse(&format!("{HEAD}[connection]\nmessage_max = \"1 MiB\"\ntimeout = \"3s\"\n"));
    let connection = scenario.expect("it is right").connection;
    assert_eq!((connection.message_max, connection.timeout.to_string().as_str()), (1 << 20, "3s"));
}
