//! Broadcast on local networks, in the worlds that have some.

use peerlet::live::{LiveSetup, Medium, Sockets};
use peerlet::measure::Summary;
use peerlet::prelude::*;
use peerlet::scenario::Source;
use peerlet::sim::{Engine, Setup, Simulation};
use peerlet::{Plan, World};

/// Calls out once, and counts who is heard.
#[derive(Default)]
struct Caller;

const HEARD: Metric = Metric::histogram("heard").unit("s").help("how long calls took");

impl Peerlet for Caller {
    const NAME: &'static str = "caller";
    type Message = u64;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.help("calls out once").needs(Need::Broadcast).measures(&HEARD);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.after(MILLISECOND * 500, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let now = ctx.now().as_nanos();
        ctx.broadcast(now);
    }

    fn message(&mut self, ctx: &mut Context<Self>, _: Address, sent: u64) {
        ctx.measure(HEARD, ctx.now().since(Time::from_nanos(sent)).as_secs_f64());
    }
}

/// Ten peers on local networks of four, four and two.
const SCENARIO: &str = "peers = 10\nfor = \"2s\"\njoin = \"0s\"\n\
                        [network]\nmodel = \"lan\"\nsize = 4\nwithin = \"20ms\"\n";
/// How many calls are heard: of four peers by three, twice; of two by one.
const CALLS: u64 = 2 * 4 * 3 + 2;

fn experiment() -> Experiment {
    Experiment::new("broadcast").peer(|_| Peer::new().with(Caller))
}

fn plan(text: &str, world: World) -> Result<Plan, String> {
    let source = Source::new("broadcast", text);
    Plan::new(&experiment(), source, &[], world).map_err(|problems| problems.render(false))
}

/// How many calls were heard, and the shortest time that one took, in milliseconds.
fn heard(summary: &Summary) -> (u64, f64) {
    let row = summary.rows["caller/heard"];
    (row.count, row.min.unwrap_or(f64::NAN) * 1e3)
}

#[test]
fn a_broadcast_reaches_the_local_network_in_simulation() {
    let plan = plan(SCENARIO, World::Sim).unwrap();
    let mut digests = Vec::new();
    for (engine, threads, wire) in [
        (Engine::Windowed, 1, false),
        (Engine::Windowed, 2, false),
        (Engine::Windowed, 1, true),
        (Engine::Reference, 1, false),
    ] {
        let build = plan.stacks();
        let setup = Setup {
            model: plan.model(&experiment()).unwrap(),
            engine,
            threads,
            wire,
            epoch: SECOND,
            ..Setup::new(10, SECOND * 2, move |seat| build(seat))
        };
        let outcome = Simulation::new(setup, plan.directives()).unwrap().run().unwrap();
        assert_eq!(heard(&Summary::of(&outcome.measures)), (CALLS, 20.0));
        assert!(outcome.ledger.is_balanced() && outcome.ledger.datagram.sent == CALLS);
        digests.push(outcome.digest);
    }
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

#[test]
fn a_broadcast_reaches_the_local_network_in_emulation() {
    for sockets in [Sockets::Quic, Sockets::Udp { closed_network: false }] {
        let plan = plan(SCENARIO, World::Emulate).unwrap();
        let build = plan.stacks();
        let setup = LiveSetup {
            sockets,
            medium: Medium::Emulated(plan.model(&experiment()).unwrap()),
            epoch: SECOND,
            ..LiveSetup::new("broadcast", 10, SECOND * 2, move |seat| build(seat))
        };
        let outcome = crate::sockets::run(setup, &plan);
        let (calls, shortest) = heard(&Summary::of(&outcome.measures));
        assert!(calls == CALLS && shortest >= 20.0, "{calls} {shortest}");
    }
}

#[test]
fn who_needs_broadcast_is_refused_where_there_is_none() {
    let elsewhere = SCENARIO.replace("lan", "constant").replace("size = 4\nwithin = \"20ms\"", "");
    let refused = plan(&elsewhere, World::Sim).expect_err("nobody would hear");
    assert!(refused.contains("`caller` needs broadcast on a local network"), "{refused}");
    assert!(refused.contains("the model `constant` has none"), "{refused}");
    assert!(refused.contains("choose the model `lan`"), "{refused}");
    let live = plan(SCENARIO, World::Live).expect_err("live has none");
    assert!(live.contains("`caller` needs broadcast on a local network"), "{live}");
}
