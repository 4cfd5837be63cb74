//! The stacks, groups and network that are kept, and how others read parts of them.

use expect_test::{Expect, expect};
use peerlet_core::{Duration, Seat};
use peerlet_scenario::{RawValue, StackEntry};
use serde::Deserialize;

use crate::{parse, parse_with};

const STACKS: &str = r#"
peers = 100
for = "10m"
[network]
model = "uniform"
min = "50ms"
max = "150ms"
loss = 0.01
[stack]
bootstrap = { server = 99 }
neighbors = { random = 5, ring = 2 }
chord = { successors = 8 }
[[group]]
name = "slow"
peers = "10%"
stack = { neighbors = { random = 1 }, spy = {} }
[[group]]
name = "few"
peers = 7
[[group]]
name = "named"
peers = "0-59"
"#;

/// A stack in one line.
fn line(stack: &[StackEntry]) -> String {
    let params = |entry: &StackEntry| -> String {
        let part = |part: &peerlet_scenario::Part| match &part.raw.value {
            RawValue::Integer(number) => format!(" {}={number}", part.name),
            other => panic!("{other:?}"),
        };
        entry.params.parts().iter().map(part).collect()
    };
    let entry = |entry: &StackEntry| format!("{}{}", entry.name, params(entry));
    stack.iter().map(entry).collect::<Vec<_>>().join(", ")
}

#[test]
fn groups_merge_their_stacks() {
    let scenario = parse(STACKS).unwrap();
    assert_eq!(
        line(&scenario.stack),
        "bootstrap server=99, neighbors random=5 ring=2, chord successors=8"
    );
    assert_eq!(
        line(&scenario.groups[0].stack),
        "bootstrap server=99, neighbors random=1 ring=2, chord successors=8, spy"
    );
    assert_eq!(line(scenario.stack_of(Seat(99))), line(&scenario.stack));
}

#[test]
fn lots_avoid_servers_and_other_groups() {
    for seed in 1..50 {
        let scenario = parse_with(STACKS, &[&format!("seed={seed}")]).unwrap();
        let [slow, few, named] = scenario.groups.as_slice() else { panic!("three groups") };
        assert_eq!((slow.seats.len(), few.seats.len(), named.seats.len()), (10, 7, 60));
        let all = slow.seats.union(&few.seats).union(&named.seats);
        assert_eq!(all.len(), 77, "no seat is in two groups");
        assert!(!all.contains(Seat(99)), "the server is in none");
        let seat = slow.seats.iter().next().unwrap();
        assert_eq!(scenario.group_of(seat).unwrap().name, "slow");
    }
}

#[test]
fn overrides_reach_every_part() {
    let scenario = parse_with(
        STACKS,
        &[
            "network.min=20ms",
            "network.loss=0.5",
            "stack.chord.successors=3",
            "stack.late={ a = 1 }",
            "group.0.peers=20%",
            "group.1.stack.chord.successors=1",
        ],
    );
    let scenario = scenario.unwrap();
    assert_eq!(
        line(&scenario.stack),
        "bootstrap server=99, neighbors random=5 ring=2, chord successors=3, late a=1"
    );
    assert_eq!(scenario.groups[0].seats.len(), 20);
    assert!(line(&scenario.groups[1].stack).contains("chord successors=1"));
    let network = scenario.network.as_ref().unwrap();
    let uniform: Uniform = scenario.sources.read(&network.parameters).unwrap();
    assert_eq!(uniform.min, Duration::from_millis(20));
    assert_eq!(uniform.max, Duration::from_millis(150));
    assert_eq!(uniform.loss, 0.5);
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Uniform {
    min: Duration,
    max: Duration,
    #[serde(default)]
    loss: f64,
}

/// Checks what is said of a network that is no `Uniform`.
fn refused(assignments: &[&str], expected: Expect) {
    let scenario = parse_with(STACKS, assignments).expect("only the model's parameters are wrong");
    let network = scenario.network.as_ref().expect("there is a network");
    let problem = scenario.sources.read::<Uniform>(&network.parameters).expect_err("it is wrong");
    expected.assert_eq(&problem.render(false));
}

#[test]
fn parts_read_by_others_are_refused_at_their_place() {
    refused(
        &["network.mn=50ms"],
        expect![[r#"
            command line:1:15: unknown field `mn`, expected one of `min`, `max`, `loss`
               ,----
             1 | --set network.mn=50ms
               :               ^^
               `----
              help: did you mean `min`?
        "#]],
    );
    refused(
        &["network.min=fast"],
        expect![[r#"
            command line:1:19: `fast` is no duration
               ,----
             1 | --set network.min=fast
               :                   ^^^^
               `----
              help: write a number and a unit, such as `1.5s`
        "#]],
    );
    refused(
        &["network={ model = 'uniform', min = '1ms' }"],
        expect![[r#"
            command line:1:15: missing field `max`
               ,----
             1 | --set network={ model = 'uniform', min = '1ms' }
               :               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               `----
              help: add `max`
        "#]],
    );
    let text = STACKS.replace("max =", "maxx =");
    let scenario = parse(&text).unwrap();
    let parameters = &scenario.network.as_ref().unwrap().parameters;
    let problem = scenario.sources.read::<Uniform>(parameters).unwrap_err();
    expect![[r#"
        test.toml:7:1: unknown field `maxx`, expected one of `min`, `max`, `loss`
           ,----
         7 | maxx = "150ms"
           : ^^^^
           `----
          help: did you mean `max`?
    "#]]
    .assert_eq(&problem.render(false));
}
