//! Properties of a network, checked while it runs.

use std::sync::atomic::{AtomicU32, Ordering};

use expect_test::expect;
use peerlet_core::property::{PropertyKind, Violation, each_peer, whole_network};
use peerlet_core::{
    Address, Context, Description, MILLISECOND, Peer, Peerlet, Property, SECOND, Seat, Time,
};
use peerlet_run::{Experiment, PropertyVerdict, Results, RunError};
use peerlet_sim::Engine;
use serde::{Deserialize, Serialize};

/// Keeps the address of the last peer that it heard, and beats every second.
#[derive(Clone, Default)]
struct Beat {
    last: Option<Address>,
    heard: u32,
}

#[derive(Serialize, Deserialize)]
struct Here;

impl Peerlet for Beat {
    const NAME: &'static str = "beat";
    type Message = Here;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about
            .property(Property::always(
                "nobody hears itself",
                each_peer(|me: &Beat, peer| me.last != Some(peer.address())),
            ))
            .property(Property::eventually(
                "all were heard",
                whole_network(|world| {
                    let deaf = world.peerlets::<Beat>().filter(|(_, beat)| beat.heard == 0);
                    Violation::of_peers("some heard nobody", deaf.map(|(seat, _)| (seat, "deaf")))
                }),
            ))
            .property(Property::sometimes(
                "somebody was heard often",
                each_peer(|me: &Beat, _| me.heard >= 40),
            ));
    }

    fn snapshot(&self) -> Option<String> {
        Some(format!("heard {}", self.heard))
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.every(SECOND, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let next = Seat((ctx.seat().0 + 1) % ctx.seats().count());
        if let Some(next) = ctx.seats().address(next) {
            ctx.send(next, Here);
        }
    }

    fn message(&mut self, _: &mut Context<Self>, from: Address, Here: Here) {
        (self.last, self.heard) = (Some(from), self.heard + 1);
    }
}

fn experiment() -> Experiment {
    Experiment::new("beat").peer(|_seat| Peer::new().with(Beat::default()))
}

const SCENARIO: &str =
    "peers = 20\nfor = \"30s\"\njoin = \"0s\"\n[network]\nmodel = \"king-like\"\n";

fn run(experiment: &Experiment, more: &str) -> Result<Results, RunError> {
    experiment.sim(format!("{SCENARIO}{more}")).run()
}

/// The lines that a run says of its properties.
fn lines(results: &Results) -> String {
    results.properties.iter().map(|report| format!("{report}\n")).collect()
}

#[test]
fn all_kinds_are_judged() {
    let results = run(&experiment(), "[[property]]\nname = \"beat/*\"").expect("it runs");
    expect![[r"
        held   always beat/nobody hears itself: at every check (30 checks)
        held   eventually beat/all were heard: first at 2 s (2 checks)
        never  sometimes beat/somebody was heard often: it never held (30 checks)
    "]]
    .assert_eq(&lines(&results));
    results.check().expect("coverage that is not required fails nothing");
    let required = "[[property]]\nname = \"beat/somebody was heard often\"\nrequired = true";
    let results = run(&experiment(), required).expect("it runs");
    let error = results.check().expect_err("it is required").to_string();
    assert!(error.contains("FAILED sometimes beat/somebody was heard often"), "{error}");
    let longer = format!("{required}\n[events]\nlines = \"* 1 Peer.stop()\"");
    assert!(run(&experiment(), &longer).expect("it runs").check().is_err());
}

#[test]
fn looking_changes_nothing_with_any_number_of_threads_and_either_engine() {
    let looked = format!(
        "{SCENARIO}[[property]]\nname = \"beat/*\"\nevery = \"70ms\"\n\
         [events]\nlines = \"3-9 7 Peer.crash()\\n3-9 9 Peer.start()\""
    );
    let plain = looked.replace("[[property]]\nname = \"beat/*\"\nevery = \"70ms\"\n", "");
    let experiment = experiment();
    let expected = experiment.sim(plain).run().expect("it runs");
    let mut said = Vec::new();
    for (engine, threads) in [
        (Engine::Windowed, 1),
        (Engine::Windowed, 2),
        (Engine::Windowed, 4),
        (Engine::Reference, 1),
    ] {
        let sim = experiment.sim(looked.clone()).engine(engine).threads(threads);
        let results = sim.run().expect("it runs");
        assert_eq!(results.digest, expected.digest, "{engine:?}, {threads} threads");
        assert!(results.properties[0].checked > 400);
        said.push(lines(&results));
    }
    assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
}

#[test]
fn a_failure_names_its_time_and_its_peers_and_a_run_until_then_shows_them() {
    let forgets = Property::always(
        "nobody is heard ten times",
        each_peer(|me: &Beat, _| match me.heard {
            0..10 => Ok(()),
            heard => Err(format!("it was heard {heard} times")),
        }),
    );
    let experiment = experiment().property(forgets);
    let results = run(&experiment, "").expect("it runs");
    let report = &results.properties[0];
    assert_eq!((report.verdict, report.held), (PropertyVerdict::Failed, false));
    assert_eq!((report.failed_at, report.peers.len(), report.more), (Some(11.0), 10, 10));
    assert_eq!(report.peers[3], (3, "it was heard 10 times".to_owned()));
    assert!(results.check().is_err() && !results.is_interrupted);
    let at = report.failed_time.expect("it failed");
    let mut run = experiment.sim(SCENARIO).start().expect("it begins");
    run.run_until(at).expect("it runs");
    let shown = run.states(&[Seat(3)].into_iter().collect());
    assert_eq!(shown[0].to_string(), "peer 3: running, life 1\n  beat: heard 10");
    assert_eq!(run.properties()[0].verdict, PropertyVerdict::Failed);
}

#[test]
fn progress_has_a_time_a_start_and_may_have_to_last() {
    let quiet = |name: &str, property: Property| {
        let experiment = experiment().property(property);
        let more = format!(
            "[[property]]\nname = \"{name}\"\nevery = \"100ms\"\nfrom = \"last-fault\"\n\
             [events]\nlines = \"* 10 Peer.stop()\\n0-4 20 Peer.start()\""
        );
        lines(&run(&experiment, &more).expect("it runs"))
    };
    // Whoever was stopped keeps what it heard: five run again from 20 s on.
    let five = || whole_network(|world| world.peers().count() == 5);
    expect![[r"
        held   eventually five: first at 20.1 s (101 checks)
    "]]
    .assert_eq(&quiet("five", Property::eventually("five", five()).within(SECOND * 11)));
    expect![[r"
        FAILED eventually five: at 15.000000001s: it does not hold (51 checks)
    "]]
    .assert_eq(&quiet("five", Property::eventually("five", five()).within(SECOND * 5)));
    let stays = Property::eventually("five", five()).within(SECOND * 12).and_stays();
    expect![[r#"
        held   eventually five: first at 20.1 s (201 checks)
    "#]]
    .assert_eq(&quiet("five", stays));
    // It holds, and later does not any more.
    let few = whole_network(|world| world.peers().count() < 5);
    let stays = Property::eventually("few", few).within(SECOND * 3).and_stays();
    expect![[r"
        FAILED eventually few: at 20.1s: it does not hold (102 checks)
    "]]
    .assert_eq(&quiet("few", stays));
}

#[test]
fn the_network_and_the_accounts_are_seen() {
    let seen = Property::sometimes(
        "the way is cut",
        whole_network(|world| {
            let messages = world.messages();
            let balanced = messages.delivered + messages.dropped <= messages.sent;
            let (zero, one) = (Seat(0), Seat(1));
            assert_eq!(world.seat_of(world.address(one)), Some(one));
            assert!(balanced && world.peer(Seat(99)).is_none());
            world.is_cut(zero, one) && !world.is_cut(one, zero)
        }),
    );
    let more = "[events]\nlines = '''0 5 Network.cutOut(\"1\")\n0 8 Network.heal(\"1\")'''";
    let results = run(&experiment().property(seen), more).expect("it runs");
    expect![[r#"
        held   sometimes the way is cut: first at 6 s (6 checks)
    "#]]
    .assert_eq(&lines(&results));
}

#[test]
fn a_run_stops_at_a_verdict_that_it_waits_for() {
    let scenario = format!("stop_when = \"beat/all were heard\"\n{SCENARIO}");
    let experiment = experiment();
    let results = experiment.sim(scenario.clone()).run().expect("it runs");
    assert_eq!(results.end, Time::ZERO + SECOND * 2);
    assert_eq!(results.not_judged(), Some("the run was stopped before its end"));
    let why = results.stopped.as_deref();
    assert_eq!(why, Some("the verdict on `beat/all were heard` is known"));
    assert!(!results.is_interrupted && results.check().is_ok());
    // Step by step it stands still there once.
    let mut run = experiment.sim(scenario).start().expect("it begins");
    run.run_for(SECOND * 20).expect("it runs");
    assert_eq!(
        (run.now(), run.stopped_by()),
        (Time::ZERO + SECOND * 2, why.map(|_| "beat/all were heard"))
    );
    run.run_for(SECOND * 20).expect("it runs");
    assert_eq!(run.now(), Time::ZERO + SECOND * 22);
}

#[test]
fn a_check_that_panics_fails_and_the_run_goes_on() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let wrong = Property::always(
        "it is there",
        whole_network(|world| {
            assert!(CALLS.fetch_add(1, Ordering::Relaxed) < 3, "it went away");
            world.seats() == 20
        }),
    );
    let results = run(&experiment().property(wrong), "").expect("it runs to its end");
    let plain = run(&experiment(), "").expect("it runs");
    assert_eq!(results.digest, plain.digest);
    expect![[r"
        FAILED always it is there: at 4s: its check panicked: it went away (4 checks)
    "]]
    .assert_eq(&lines(&results));
}

#[test]
fn mistakes_are_refused_with_a_remedy() {
    let check = |more: &str, expected: &str| {
        let error = run(&experiment(), more).map(drop).expect_err("it is wrong").to_string();
        assert!(error.contains(expected), "{error}");
    };
    let named = |name: &str| format!("[[property]]\nname = \"{name}\"\n");
    check(&named("beat/all were herd"), "no property is named `beat/all were herd`");
    check(&named("bat/*"), "no property is meant by `bat/*`");
    let twice = named("beat/all were heard").repeat(2);
    check(&twice, "`beat/all were heard` is named twice");
    let late = format!("{}from = \"30s\"", named("beat/all were heard"));
    check(&late, "`beat/all were heard` is never checked");
    let within = format!("{}within = \"3s\"", named("beat/nobody hears itself"));
    check(&within, "`beat/nobody hears itself` holds always, so `within` says nothing");
    let same = || Property::always("same", whole_network(|_| true));
    let error = run(&experiment().property(same()).property(same()), "").map(drop);
    let error = error.expect_err("they have one name").to_string();
    assert!(error.contains("the experiment has two properties `same`"), "{error}");
}

#[test]
fn what_is_said_of_one_counts_before_what_is_said_of_all() {
    let more = "[[property]]\nname = \"beat/all were heard\"\nevery = \"250ms\"\n\
                [[property]]\nname = \"*\"\nevery = \"5s\"";
    let results = run(&experiment(), more).expect("it runs");
    let checks: Vec<_> = results.plan.properties.iter().map(|one| one.every).collect();
    assert_eq!(checks, [SECOND * 5, MILLISECOND * 250, SECOND * 5]);
    assert_eq!(results.plan.properties[2].property.kind(), PropertyKind::Sometimes);
    // An experiment chooses those of its peerlets, and a scenario may say more of them.
    let results = run(&experiment().check("beat/*"), "").expect("it runs");
    assert_eq!(results.properties.len(), 3);
}

#[test]
fn progress_of_each_peer_is_made_in_each_life() {
    let heard = |more: &str| {
        let check = each_peer(|me: &Beat, _| if me.heard > 0 { Ok(()) } else { Err("deaf") });
        let heard = Property::eventually("it is heard", check).within(SECOND * 3);
        lines(&run(&experiment().property(heard), more).expect("it runs"))
    };
    let crash = |from: &str, again: &str| {
        format!("[events]\nlines = '''{from}\n4 9.5 Peer.crash()\n4 {again} Peer.start()'''")
    };
    // A crash takes what a peer has heard: its next life has to hear anew.
    expect![[r"
        held   eventually it is heard: of 21 lives, first at 2 s (30 checks)
    "]]
    .assert_eq(&heard(&crash("", "12.5")));
    expect![[r#"
        FAILED eventually it is heard: at 16s: it does not hold of 1 peer (16 checks)
                 peer 4: deaf
                   beat: heard 0
    "#]]
    .assert_eq(&heard(&crash("3 9 Peer.stop()", "12.5")));
    // Its time is not over when the run is.
    expect![[r"
        held   eventually it is heard: of 19 lives, first at 2 s (30 checks)
    "]]
    .assert_eq(&heard(&crash("3 1.5 Peer.stop()", "28.5")));
}

/// Sits on some stacks only.
struct Rare;

impl Peerlet for Rare {
    const NAME: &'static str = "rare";
    type Message = peerlet_core::Nothing;
    type Timer = peerlet_core::Nothing;
}

#[test]
fn peers_without_the_peerlet_are_no_subjects() {
    let experiment = Experiment::new("beat").peer(|seat| match seat {
        Seat(0) => Peer::new().with(Beat::default()).with(Rare),
        _ => Peer::new().with(Beat::default()),
    });
    let never = || each_peer(|_: &Rare, _| false);
    let experiment = experiment
        .property(Property::sometimes("rare", never()))
        .property(Property::eventually("rarely", each_peer(|_: &Rare, _| true)));
    expect![[r"
        never  sometimes rare: it never held (30 checks)
        held   eventually rarely: of 1 life, first at 1 s (30 checks)
    "]]
    .assert_eq(&lines(&run(&experiment, "").expect("it runs")));
}

#[test]
fn the_time_of_a_life_is_over_when_it_says_so_whatever_the_period() {
    let late = |within: u64| {
        let check = each_peer(|_: &Beat, peer| peer.now() >= Time::ZERO + SECOND * 8);
        Property::eventually("late", check).within(SECOND * within)
    };
    let run = |within| {
        let more = "[[property]]\nname = \"late\"\nevery = \"5s\"";
        lines(&run(&experiment().property(late(within)), more).expect("it runs"))
    };
    // A life is seen first at the first check, which is when its time is over at the earliest.
    assert!(run(1).starts_with("FAILED eventually late: at 2s"), "{}", run(1));
    assert!(run(4).starts_with("held   eventually late: of 20 lives"), "{}", run(4));
}

#[test]
fn progress_without_a_time_that_stays_goes_on_once_it_holds() {
    let odd = |now: Time| now.as_nanos() / 1_000_000_000 % 2 == 1;
    let world = whole_network(move |world| odd(world.now()));
    let peers = each_peer(move |_: &Beat, peer| odd(peer.now()));
    let experiment = experiment()
        .property(Property::eventually("all", world).and_stays())
        .property(Property::eventually("each", peers).and_stays());
    let lines = lines(&run(&experiment, "").expect("it runs"));
    assert!(lines.starts_with("FAILED eventually all: at 2s"), "{lines}");
    assert!(lines.contains("FAILED eventually each: at 2s"), "{lines}");
}

#[test]
fn names_that_a_program_checks_must_exist() {
    let check = |name: &'static str, expected: &str| {
        let error = run(&experiment().check(name), "").map(drop).expect_err("it is wrong");
        assert!(error.to_string().contains(expected), "{error}");
    };
    check("beat/all were herd", "did you mean `beat/all were heard`?");
    check("bet/*", "no property is meant by `bet/*`");
    // Peerlets that this run does not have are known all the same.
    assert!(run(&experiment().check("neighbors/*"), "").is_ok());
    let timed = Property::always("timed", whole_network(|_| true)).within(SECOND);
    let error = run(&experiment().property(timed), "").map(drop).expect_err("it says nothing");
    assert!(error.to_string().contains("`within` and `and_stays` say nothing"), "{error}");
}
