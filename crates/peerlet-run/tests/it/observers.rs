//! Observers: the links of peers as a graph, measured while a network runs.

use std::cell::RefCell;
use std::rc::Rc;

use peerlet_core::{
    Address, Context, Description, Links, Nothing, Peer, Peerlet, SECOND, Seat, Time,
};
use peerlet_measure::Row;
use peerlet_run::{Experiment, Observation, Plan, Results, RunError, SimOptions, World, simulate};
use peerlet_scenario::Source;

/// Links to the next seat, and to the one seven seats on.
#[derive(Clone, Default)]
struct Ring {
    next: Option<Address>,
    shortcut: Option<Address>,
}

impl Peerlet for Ring {
    const NAME: &'static str = "ring";
    type Message = Nothing;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.links(|ring, links: &mut Links| {
            links.at(0.5);
            links.add("next", ring.next);
            links.add("shortcut", ring.shortcut);
        });
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        let count = ctx.seats().count();
        let of = |ahead: u32| Seat((ctx.seat().0 + ahead) % count);
        (self.next, self.shortcut) = (ctx.seats().address(of(1)), ctx.seats().address(of(7)));
        ctx.every(SECOND, ());
    }

    fn timer(&mut self, _: &mut Context<Self>, (): ()) {}
}

fn experiment() -> Experiment {
    Experiment::new("ring").peer(|_seat| Peer::new().with(Ring::default()))
}

const SCENARIO: &str = "peers = 20\nfor = \"30s\"\njoin = \"0s\"\n";
const OBSERVE: &str = "[[observe]]\nlinks = \"ring\"\n";

fn run(more: &str) -> Result<Results, RunError> {
    experiment().sim(format!("{SCENARIO}{more}")).run()
}

fn row(results: &Results, name: &str) -> Row {
    results.summary().rows[&format!("ring/links.{name}")]
}

#[test]
fn a_ring_with_shortcuts_has_the_numbers_of_one() {
    let results = run(OBSERVE).expect("it runs");
    let of = |name: &str| {
        let row = row(&results, name);
        (row.count, row.min, row.max)
    };
    assert_eq!(of("nodes"), (3, Some(20.0), Some(20.0)), "one observation an epoch");
    assert_eq!(of("count"), (3, Some(40.0), Some(40.0)));
    assert_eq!(of("components"), (3, Some(1.0), Some(1.0)));
    assert_eq!(of("out_degree"), (60, Some(2.0), Some(2.0)));
    assert_eq!(of("in_degree"), (60, Some(2.0), Some(2.0)));
    assert_eq!(of("clustering"), (60, Some(0.0), Some(0.0)));
    // The opposite node is the farthest: back by a shortcut, and three steps.
    let hops = row(&results, "hops");
    assert_eq!((hops.count, hops.min, hops.max), (3 * 20 * 19, Some(1.0), Some(4.0)));
    assert_eq!(of("unreachable").2, Some(0.0));
    assert!(of("robustness{removed=10%,by=random}").1 > Some(0.8));
    assert!(results.summary().rows.values().all(|row| row.observed));
}

#[test]
fn who_does_not_run_is_no_node_and_links_to_it_dangle() {
    let crash = "[events]\nlines = \"0-9 15 Peer.crash()\"\n";
    let results = run(&format!("{OBSERVE}every = \"5s\"\n{crash}")).expect("it runs");
    let epochs: Vec<f64> = results
        .measures
        .epochs()
        .map(|epoch| epoch.accumulators[2].max().map_or(-1.0, |max| max as f64))
        .collect();
    assert_eq!(results.measures.metrics()[2].full_name, "ring/links.dangling");
    // 19 links to the next, and those by shortcut from 13 to 19: of ten nodes that are left.
    assert_eq!(epochs, [0.0, 8.0, 8.0]);
}

#[test]
fn looking_changes_nothing() {
    let faults = "[network]\nmodel = \"king-like\"\n[events]\nlines = \"0-9 15 Peer.crash()\"\n";
    let digest = |more: &str, threads: u32| {
        let scenario = format!("{SCENARIO}{faults}{more}");
        let results = experiment().sim(scenario).threads(threads).run().expect("it runs");
        (results.digest.clone(), results.summary().rows)
    };
    let (unobserved, _) = digest("", 1);
    let (observed, rows) = digest(&format!("{OBSERVE}samples = 5\nevery = \"3s\"\n"), 1);
    assert_eq!(unobserved, observed);
    for threads in [2, 4] {
        let (again, same) = digest(&format!("{OBSERVE}samples = 5\nevery = \"3s\"\n"), threads);
        assert_eq!((&observed, &rows), (&again, &same), "{threads} threads");
    }
}

#[test]
fn links_are_kept_where_they_are_asked_for() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let sink = seen.clone();
    let source = Source::new("test", format!("{SCENARIO}{OBSERVE}from = \"12s\"\nevery = \"4s\""));
    let plan = Plan::new(&experiment(), source, &[], World::Sim).expect("it is in order");
    let links = Box::new(move |seen: &Observation| sink.borrow_mut().push(seen.clone()));
    let options = SimOptions { links: Some(links), ..SimOptions::default() };
    simulate(&experiment(), plan, options).expect("it runs");
    let times: Vec<Time> = seen.borrow().iter().map(|observation| observation.time).collect();
    assert_eq!(times, [12, 16, 20, 24, 28, 30].map(|at| Time::ZERO + SECOND * at));
    let first = &seen.borrow()[0];
    assert_eq!((first.nodes.len(), first.links.len(), first.dangling), (20, 40, 0));
    assert_eq!(first.kinds, ["next", "shortcut"]);
    assert_eq!(first.links[..2], [(Seat(0), Seat(1), 0), (Seat(0), Seat(7), 1)]);
    assert_eq!(first.positions[3], (Seat(3), 0.5));
}

#[test]
fn expectations_are_judged_on_graphs() {
    let one = "[[expect]]\nmeasure = \"ring/links.components\"\nmax_max = 1\nat_end = true\n";
    assert!(run(&format!("{OBSERVE}{one}")).expect("it runs").check().is_ok());
    let error = run(one).expect_err("nobody measures it").to_string();
    assert!(error.contains("no peerlet measures `ring/links.components`"), "{error}");
}

#[test]
fn wrong_observers_are_refused() {
    let check = |more: &str, expected: &str| {
        let error = run(more).expect_err("it is wrong").to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("[[observe]]\nlinks = \"rings\"", "did you mean `ring`?");
    check(&format!("{OBSERVE}{OBSERVE}"), "two observers look at the links of `ring`");
    check(&format!("{OBSERVE}from = \"30s\""), "never looked at");
    let plan = |more: &str, world: World| {
        let source = Source::new("test", format!("{SCENARIO}{OBSERVE}{more}"));
        Plan::new(&experiment(), source, &[], world)
    };
    let error = plan("", World::Live).expect_err("nobody sees all peers").to_string();
    assert!(error.contains("looks at all peers at once"), "{error}");
    let expect = "live = \"skip\"\n[[expect]]\nmeasure = \"ring/links.components\"\nmax_max = 1";
    let plan = plan(expect, World::Emulate).expect("it is left out");
    assert_eq!(plan.skipped[0].name, "the links of ring");
    assert!(plan.observers.is_empty() && plan.scenario.expect.is_empty());
}
