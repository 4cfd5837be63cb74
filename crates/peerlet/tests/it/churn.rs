//! Churn is the same list of starts, stops and crashes in every world.

use peerlet::live::{LiveSetup, Medium, Sockets};
use peerlet::measure::{Measurements, Summary};
use peerlet::prelude::*;
use peerlet::scenario::Source;
use peerlet::sim::{Setup, Simulation};
use peerlet::{Plan, World};

const SCENARIO: &str = "\
seed = 3
peers = 60
for = \"6s\"
join = \"1s\"
[network]
model = \"constant\"
delay = \"5ms\"
[churn]
session = { weibull = { shape = 0.59, median = \"900ms\" } }
absence = { lognormal = { median = \"300ms\", sigma = 1.0 } }
initial = \"stationary\"
departure = { crash = 0.4 }
population = [[\"0s\", \"80%\"], [\"2s\", \"100%\"], [\"4s\", \"100%\"], [\"4.5s\", \"0%\"]]
";

const UDP: Sockets = Sockets::Udp { closed_network: false };

/// Counts the lives of its peer that it remembers.
#[derive(Clone, Default)]
struct Lives {
    remembered: u32,
}

metrics! { METRICS for Lives { STARTS: counter, KEPT: counter, STOPS: counter } }

impl Peerlet for Lives {
    const NAME: &'static str = "lives";
    const METRICS: &'static [Metric] = METRICS;
    type Message = Nothing;
    type Timer = Nothing;

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.measure(STARTS, 1.0);
        if self.remembered > 0 {
            ctx.measure(KEPT, 1.0);
        }
        self.remembered += 1;
    }

    fn stop(&mut self, ctx: &mut Context<Self>) {
        ctx.measure(STOPS, 1.0);
    }
}

fn experiment() -> Experiment {
    Experiment::new("lives").peer(|_seat| Peer::new().with(Lives::default()))
}

fn plan(more: &str) -> Plan {
    let source = Source::new("churn", format!("{SCENARIO}{more}"));
    Plan::new(&experiment(), source, &[], World::Sim).expect("it is in order")
}

fn counts(measures: &Measurements) -> [f64; 3] {
    let summary = Summary::of(measures);
    ["lives/starts", "lives/kept", "lives/stops"].map(|name| summary.rows[name].sum)
}

fn simulated(plan: &Plan) -> [f64; 3] {
    let build = plan.stacks();
    let setup = Setup::new(60, plan.scenario.duration, move |seat| build(seat));
    let simulation = Simulation::new(setup, plan.directives()).expect("the stacks can run");
    counts(&simulation.run().expect("nothing is endless").measures)
}

fn on_sockets(plan: &Plan, is_emulated: bool) -> [f64; 3] {
    let build = plan.stacks();
    let medium = match is_emulated {
        true => Medium::Emulated(plan.model(&experiment()).expect("the model was built before")),
        false => Medium::Real,
    };
    let setup = LiveSetup {
        seed: Some(3),
        sockets: UDP,
        medium,
        ..LiveSetup::new("churn", 60, plan.scenario.duration, move |seat| build(seat))
    };
    counts(&crate::sockets::run(setup, plan).measures)
}

#[test]
fn peers_come_and_go_alike_in_every_world() {
    for more in ["", "state = \"lost\"\n"] {
        let plan = plan(more);
        let expected = simulated(&plan);
        let [starts, kept, stops] = expected;
        assert!(starts > 100.0 && stops > 40.0, "{expected:?}");
        // Whoever crashes forgets, and with `lost` whoever stops as well.
        assert_eq!(kept > 0.0, more.is_empty(), "{expected:?}");
        assert_eq!(on_sockets(&plan, true), expected, "emulated {more}");
        assert_eq!(on_sockets(&plan, false), expected, "live {more}");
    }
}
