//! Overlays that are laid out: the same in simulation and emulation, and whole on real sockets.

use peerlet::live::{LiveSetup, Medium, Sockets};
use peerlet::measure::{Measurements, Summary};
use peerlet::prelude::*;
use peerlet::scenario::{Override, Source};
use peerlet::sim::{Setup, Simulation};
use peerlet::{Plan, World};

const SCENARIO: &str = "\
peers = 16
for = \"2s\"
join = \"0s\"
[network]
model = \"constant\"
delay = \"20ms\"
[stack]
neighbors = { layout = \"ring\", random = 4 }
router = {}
lookups = { rate = \"10/s\", warmup = \"100ms\" }
census = {}
";
const UDP: Sockets = Sockets::Udp { closed_network: false };

/// Measurements who its peer's neighbors are, and what it draws next, when a second has passed.
#[derive(Clone, Default)]
struct Census;

const LINK: Metric = Metric::histogram("link").quantum(1.0).help("100 * seat + neighbor");
const DRAW: Metric = Metric::histogram("draw").quantum(1.0).help("the peer's next choice");

impl Peerlet for Census {
    const NAME: &'static str = "census";
    type Message = Nothing;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.help("measures who its peer's neighbors are").uses::<Neighbors>();
        about.measures(&LINK).measures(&DRAW);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        // Before the first lookup, and after messages of neighbors.
        ctx.after(MILLISECOND * 90, ());
        let draw = ctx.rng().below(1 << 20);
        ctx.measure(DRAW, draw as f64);
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let me = ctx.seat().0;
        let near = ctx.sibling::<Neighbors>().expect("it is below on the stack");
        for neighbor in near.all() {
            ctx.measure(LINK, f64::from(100 * me + neighbor.address.slot()));
        }
        let draw = ctx.rng().below(1 << 20);
        ctx.measure(DRAW, draw as f64);
    }
}

/// No parameters.
#[derive(Parameters)]
struct NoConfig;

impl Configured for Census {
    type Config = NoConfig;

    fn with_config(_: NoConfig) -> Census {
        Census
    }
}

fn experiment() -> Experiment {
    Experiment::new("layout").peerlet::<Census>()
}

fn plan(seed: u64, world: World) -> Plan {
    let seed = Override::option("--seed", "seed", &seed.to_string());
    let source = Source::new("layout", SCENARIO);
    Plan::new(&experiment(), source, &[seed], world).expect("it is in order")
}

/// Every value of the links and of the choices.
fn census(measures: &Measurements) -> [Vec<i64>; 2] {
    let total = measures.total();
    ["census/link", "census/draw"].map(|name| {
        let at = measures.metrics().iter().position(|metric| metric.full_name == name);
        let values = total[at.expect("it is measured")].histogram();
        values.buckets().flat_map(|b| std::iter::repeat_n(b.lower, b.count as usize)).collect()
    })
}

fn simulated(seed: u64) -> Measurements {
    let plan = plan(seed, World::Sim);
    let build = plan.stacks();
    let setup = Setup {
        seed,
        model: plan.model(&experiment()).expect("the model was built before"),
        ..Setup::new(16, plan.scenario.duration, move |seat| build(seat))
    };
    let simulation = Simulation::new(setup, plan.directives()).expect("the stacks can run");
    simulation.run().expect("nothing is endless").measures
}

fn on_sockets(seed: u64, sockets: Sockets, is_emulated: bool) -> Measurements {
    let plan = plan(seed, World::Emulate);
    let build = plan.stacks();
    let medium = match is_emulated {
        true => Medium::Emulated(plan.model(&experiment()).expect("the model was built before")),
        false => Medium::Real,
    };
    let setup = LiveSetup {
        seed: Some(seed),
        sockets,
        medium,
        ..LiveSetup::new("layout", 16, plan.scenario.duration, move |seat| build(seat))
    };
    crate::sockets::run(setup, &plan).measures
}

#[test]
fn a_seed_has_the_same_overlay_and_choices_in_simulation_and_emulation() {
    let [links, draws] = census(&simulated(1));
    assert!(links.len() >= 16 * 6 && draws.len() == 32, "{links:?}");
    for sockets in [UDP, Sockets::Quic] {
        assert_eq!(census(&on_sockets(1, sockets, true)), [links.clone(), draws.clone()]);
    }
    let [others, _] = census(&on_sockets(2, UDP, true));
    assert_eq!(others, census(&simulated(2))[0]);
    assert_ne!(others, links, "another seed has another overlay");
}

#[test]
fn an_overlay_is_laid_out_on_real_sockets_as_well() {
    let measures = on_sockets(1, UDP, false);
    let summary = Summary::of(&measures);
    assert_eq!(summary.rows["neighbors/lost"].sum, 0.0);
    let success = summary.rows["lookups/success"];
    assert!(success.count > 50 && success.mean == Some(1.0), "{success:?}");
    let [links, _] = census(&measures);
    assert!(links.len() >= 16 * 5, "{links:?}");
}
