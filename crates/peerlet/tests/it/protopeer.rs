//! ProtoPeer's six event lines, in both worlds.

use std::path::Path;

use peerlet::live::{LiveSetup, Sockets};
use peerlet::measure::Summary;
use peerlet::prelude::*;
use peerlet::scenario::Source;
use peerlet::sim::{Setup, Simulation};
use peerlet::{Plan, World, scenario};
use peerlet_core::runtime::State;

fn plan(source: Source) -> Plan {
    Plan::new(&Experiment::new("test"), source, &[], World::Sim).expect("it is in order")
}

fn shipped() -> Source {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/protopeer.toml");
    Source::open(&path).expect("the scenario is shipped")
}

#[test]
fn each_line_acts_at_its_time_in_simulation() {
    let plan = plan(shipped());
    let experiment = Experiment::new("test");
    let build = plan.stacks();
    let setup = Setup {
        seed: plan.scenario.seed,
        model: plan.model(&experiment).expect("the model was built before"),
        ..Setup::new(plan.scenario.peers, plan.scenario.duration, move |seat| build(seat))
    };
    let mut run = Simulation::new(setup, plan.directives()).expect("the stacks can run");
    let at = |text: &str| Time::ZERO + text.parse::<Duration>().expect("a duration");
    let nanosecond = Duration::from_nanos(1);
    // Just before and just after each line: who runs.
    let lines = [
        ("14.3s", 4, State::Absent, State::Running),
        ("15.1s", 3, State::Running, State::Stopped),
        ("36.9s", 1, State::Absent, State::Running),
        ("44.4s", 4, State::Running, State::Stopped),
    ];
    for (time, seat, before, after) in lines {
        run.run_until(at(time)).expect("nothing is endless");
        assert_eq!(run.state(Seat(seat)), before, "seat {seat} before {time}");
        run.run_until(at(time) + nanosecond).expect("nothing is endless");
        assert_eq!(run.state(Seat(seat)), after, "seat {seat} after {time}");
    }
    let dropping = |run: &Simulation| {
        let drops = |seat| run.peerlet::<Router>(Seat(seat)).map(|router| router.drops_messages());
        (0..10).map(drops).collect::<Vec<_>>()
    };
    run.run_until(at("150s")).expect("nothing is endless");
    assert_eq!(dropping(&run), [Some(false); 10]);
    run.run_until(at("150s") + nanosecond).expect("nothing is endless");
    assert_eq!(dropping(&run), [Some(true); 10], "those of the stopped peers 3 and 4 as well");
    assert_eq!(run.finish().idle_directives, 0);
}

/// The same lines live, with a tenth of their times: what they do is seen in what is measured.
#[test]
fn each_line_acts_live() {
    let mut text = shipped().text.to_string();
    for (long, short) in [
        ("4    14.3 ", "4 0.5 "),
        ("3    15.1 ", "3 1.0 "),
        ("1    36.9 ", "1 1.2 "),
        ("4    44.4 ", "4 1.4 "),
        ("0-9  150.0 ", "0-9 2.5 "),
        ("for = \"180s\"", "for = \"4s\"\njoin = \"10ms\""),
        ("rate = \"1/s\"", "rate = \"50/s\", warmup = \"500ms\""),
    ] {
        assert!(text.contains(long), "{long}");
        text = text.replace(long, short);
    }
    let plan = plan(Source::new("shortened", text));
    let build = plan.stacks();
    let setup = LiveSetup {
        sockets: Sockets::Udp { closed_network: false },
        epoch: Duration::from_millis(500),
        ..LiveSetup::new("test", 10, plan.scenario.duration, move |seat| build(seat))
    };
    let (lines, directives) = (plan.scenario.events.len(), plan.directives().count());
    assert_eq!((lines, directives), (5, 8 + 4 + 10), "8 of 10 peers join by themselves");
    let outcome = crate::sockets::run(setup, &plan);
    // All did something: the starts and stops at their turn, the commands at all ten peers.
    assert_eq!(outcome.idle_directives, 0);
    let dropped = |epochs: std::ops::Range<usize>| -> i128 {
        let place = outcome.measures.metrics().iter().position(|m| m.full_name == "router/dropped");
        let place = place.expect("the router counts what it drops");
        let inside = outcome.measures.epochs().filter(|e| epochs.contains(&e.epoch));
        inside.map(|epoch| epoch.accumulators[place].sum()).sum()
    };
    assert_eq!(dropped(0..5), 0, "before 2.5 s nobody drops anything");
    assert!(dropped(5..8) > 0, "afterwards all do: {}", Summary::of(&outcome.measures));
}

/// What the scenario crate calls these lines.
#[test]
fn the_lines_are_protopeers() {
    let plan = plan(shipped());
    let calls: Vec<_> = plan.scenario.events.iter().map(|e| e.action.to_string()).collect();
    let drop = scenario::Action::Command {
        peerlet: "Router".into(),
        name: "setDropMessages".into(),
        arguments: vec![Value::Bool(true)],
    };
    let expected = ["Peer.start()", "Peer.stop()", "Peer.start()", "Peer.stop()"];
    assert_eq!(calls[..4], expected);
    assert_eq!(plan.scenario.events[4].action, drop);
}
