//! Every fault in every world: what it does, beside the same seed without it. The table that this
//! prints (`cargo test -p peerlet --test it each_fault -- --nocapture`) is docs/FAULTS.md's.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use peerlet::Plan;
use peerlet::live::{LiveSetup, Medium, Sockets};
use peerlet::measure::Summary;
use peerlet::prelude::*;
use peerlet::scenario::Source;
use peerlet::sim::{Setup, Simulation};

use crate::heartbeat_fixture::{Beats, SCENARIO, Seen};
use crate::sockets;

/// Runs of real time at once: more would keep each other from their time.
const AT_ONCE: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum World {
    Sim,
    Emulate(Sockets),
    Live(Sockets),
}

const UDP: Sockets = Sockets::Udp { closed_network: false };

const WORLDS: [(&str, World); 5] = [
    ("sim", World::Sim),
    ("emulate, UDP", World::Emulate(UDP)),
    ("emulate, QUIC", World::Emulate(Sockets::Quic)),
    ("live, UDP", World::Live(UDP)),
    ("live, QUIC", World::Live(Sockets::Quic)),
];

/// A fault, what it is known by, and what that should come to with it and without.
struct Fault {
    lines: &'static str,
    what: &'static str,
    effect: fn(&Seen) -> f64,
    /// By world: from, to.
    with: fn(World) -> Option<(f64, f64)>,
    without: (f64, f64),
}

/// The same everywhere.
macro_rules! everywhere {
    ($from:expr, $to:expr) => {
        |_| Some(($from, $to))
    };
}

fn is_quic(world: World) -> bool {
    matches!(world, World::Emulate(Sockets::Quic) | World::Live(Sockets::Quic))
}

fn is_live(world: World) -> bool {
    matches!(world, World::Live(_))
}

/// Timers of real sockets are a millisecond late, and beats as many fewer.
const ALL: (f64, f64) = (0.93, 1.03);
const NONE: (f64, f64) = (0.0, 0.0);

const FAULTS: &[Fault] = &[
    Fault {
        lines: "0 1 Peer.crash()",
        what: "beats that seat 0 sends",
        effect: Seen::sent_first,
        with: everywhere!(0.0, 0.0),
        without: ALL,
    },
    Fault {
        lines: "0 1 Peer.stop()",
        what: "beats that seat 0 sends",
        effect: Seen::sent_first,
        with: everywhere!(0.0, 0.0),
        without: ALL,
    },
    Fault {
        lines: "0 1 Peer.crash()\n0 2 Peer.start()",
        what: "beats that seat 0 sends",
        effect: Seen::sent_first,
        with: everywhere!(0.25, 0.40),
        without: ALL,
    },
    Fault {
        lines: "50% 1.5 Peer.crash()",
        what: "beats that all send",
        effect: Seen::sent,
        with: everywhere!(0.60, 0.73),
        without: ALL,
    },
    Fault {
        lines: "0 1 Peer.pause(1s)",
        what: "beats that seat 0 sends",
        effect: Seen::sent_first,
        with: everywhere!(0.25, 0.42),
        without: ALL,
    },
    Fault {
        lines: "0 1 Peer.pause(1s)",
        what: "beats that come to seat 0",
        effect: Seen::to_first,
        with: everywhere!(0.97, 1.0),
        without: ALL,
    },
    Fault {
        lines: "* 1 Network.loss(0.2)",
        what: "beats that come",
        effect: Seen::came,
        with: everywhere!(0.70, 0.90),
        without: ALL,
    },
    Fault {
        lines: "* 1 Network.loss(0.2, 3)",
        what: "beats that come",
        effect: Seen::came,
        with: everywhere!(0.62, 0.93),
        without: ALL,
    },
    Fault {
        lines: "0 1 Network.loss_in(0.5)",
        what: "beats that come to seat 0",
        effect: Seen::to_first,
        with: everywhere!(0.25, 0.75),
        without: ALL,
    },
    Fault {
        lines: "* 1 Network.duplicate(0.3)",
        what: "beats that come again",
        effect: Seen::again,
        // QUIC takes copies of packets out.
        with: |world| Some(if is_quic(world) { NONE } else { (0.2, 0.4) }),
        without: NONE,
    },
    Fault {
        lines: "* 1 Network.reorder(0.3, 200ms)",
        what: "beats that come behind a later one",
        effect: Seen::behind,
        with: everywhere!(0.1, 0.45),
        without: (0.0, 0.02),
    },
    Fault {
        lines: "0 1 Network.jitter(200ms)",
        what: "delay of seat 0's beats, ms",
        effect: Seen::delay_first,
        with: |world| Some(if is_live(world) { (75.0, 130.0) } else { (98.0, 155.0) }),
        without: (0.0, 40.0),
    },
    Fault {
        lines: "* 1 Network.corrupt(0.3, 4)",
        what: "beats that come whole",
        effect: Seen::came,
        with: everywhere!(0.58, 0.82),
        without: ALL,
    },
    Fault {
        lines: "0-2 1 Network.cut()",
        what: "beats that come",
        effect: Seen::came,
        // Of the twelve links, six lead from one half to the other.
        with: everywhere!(0.47, 0.53),
        without: ALL,
    },
    Fault {
        lines: "0-2 1 Network.cut()\n* 1.75 Network.heal()",
        what: "beats that come",
        effect: Seen::came,
        with: everywhere!(0.70, 0.80),
        without: ALL,
    },
    Fault {
        lines: "0 1 Network.cut_in()",
        what: "beats that come to seat 0",
        effect: Seen::to_first,
        with: everywhere!(0.0, 0.0),
        without: ALL,
    },
    Fault {
        lines: "0 1 Network.cut_in()",
        what: "beats of seat 0 that come",
        effect: Seen::came_first,
        with: |world| Some(if is_quic(world) { (0.0, 1.0) } else { ALL }),
        without: ALL,
    },
    Fault {
        lines: "0 1 Network.cut(\"1\")",
        what: "beats of seat 0 that come",
        effect: Seen::came_first,
        with: everywhere!(0.47, 0.53),
        without: ALL,
    },
    Fault {
        lines: "0 1 Network.bandwidth(\"90 kbit/s\")",
        what: "delay of seat 0's beats, ms",
        effect: Seen::delay_first,
        with: everywhere!(100.0, 700.0),
        without: (0.0, 40.0),
    },
    Fault {
        lines: "0 1 Network.slow(10)",
        what: "delay of seat 0's beats, ms",
        effect: Seen::delay_first,
        // How slow a real network is, nobody knows beforehand.
        with: |world| (!is_live(world)).then_some((225.0, 310.0)),
        without: (0.0, 40.0),
    },
    Fault {
        lines: "0 1 Network.pair_delay(\"1-2\", 90ms)",
        what: "delay of seat 0's beats, ms",
        effect: Seen::delay_first,
        // As with `slow`, a real network has delays of its own.
        with: |world| (!is_live(world)).then_some((85.0, 125.0)),
        without: (0.0, 40.0),
    },
    Fault {
        lines: "0 1 Network.pair_delay(\"*\", 5ms)",
        what: "delay of seat 0's beats, ms",
        effect: Seen::delay_first,
        // Shorter than any of the model's own.
        with: |world| (!is_live(world)).then_some((4.5, 19.0)),
        without: (0.0, 40.0),
    },
    Fault {
        lines: "0 1 Network.pair_loss(\"1\", 1)",
        what: "beats of seat 0 that come",
        effect: Seen::came_first,
        with: everywhere!(0.47, 0.53),
        without: ALL,
    },
    Fault {
        lines: "0 1 Network.clog()\n0 2 Network.release()",
        what: "beats of seat 0 that come",
        effect: Seen::came_first,
        with: everywhere!(0.97, 1.0),
        without: ALL,
    },
    Fault {
        lines: "0 1 Network.clog()\n0 2 Network.release()",
        what: "delay of seat 0's beats, ms",
        effect: Seen::delay_first,
        with: everywhere!(320.0, 430.0),
        without: (0.0, 40.0),
    },
    Fault {
        lines: "0 1 Peer.tamper(\"drop\", 0.5)",
        what: "beats of seat 0 that come",
        effect: Seen::came_first,
        with: everywhere!(0.25, 0.75),
        without: ALL,
    },
    Fault {
        lines: "0 1 Peer.tamper(\"mutate\", 0.5)",
        what: "beats of seat 0 that come whole",
        effect: Seen::came_first,
        with: everywhere!(0.25, 0.75),
        without: ALL,
    },
    Fault {
        lines: "0 1 Peer.tamper(\"replay\", 0.5)",
        what: "beats that come again",
        effect: Seen::again,
        // Of six peers one does it.
        with: everywhere!(0.04, 0.13),
        without: NONE,
    },
    Fault {
        lines: "0 1 Peer.tamper(\"equivocate\", 0.5)",
        what: "beats of seat 0 that come",
        effect: Seen::came_first,
        // Instead of one come others, some of which did not come before.
        with: everywhere!(0.35, 0.85),
        without: ALL,
    },
    Fault {
        lines: "* 1 Network.swizzle(1s)",
        what: "delay of all beats, ms",
        effect: Seen::delay,
        with: everywhere!(45.0, 250.0),
        without: (0.0, 40.0),
    },
];

fn experiment() -> Experiment {
    Experiment::new("faults").peer(|_| Peer::new().with(Beats::default()))
}

fn run(world: World, lines: &str) -> Result<Seen, String> {
    let source = Source::new("faults", format!("{SCENARIO}{lines}\n\"\"\"\n"));
    let plan =
        Plan::new(&experiment(), source, &[], peerlet::World::Sim).map_err(|e| e.render(false))?;
    match world {
        World::Sim => Ok(simulated(&plan)),
        World::Emulate(sockets) => {
            let model = plan.model(&experiment()).expect("it was built before");
            Ok(on_sockets(&plan, sockets, Medium::Emulated(model)))
        }
        World::Live(sockets) => {
            let medium = plan.live_faults(false).map_err(|e| e.render(false))?;
            Ok(on_sockets(&plan, sockets, medium.map_or(Medium::Real, Medium::Faulty)))
        }
    }
}

fn simulated(plan: &Plan) -> Seen {
    let build = plan.stacks();
    let setup = Setup {
        seed: plan.scenario.seed,
        model: plan.model(&experiment()).expect("it was built before"),
        epoch: plan.scenario.measure.epoch,
        ..Setup::new(plan.scenario.peers, plan.scenario.duration, move |seat| build(seat))
    };
    let run = Simulation::new(setup, plan.directives()).expect("the stacks can run");
    let outcome = run.run().expect("nothing is endless");
    Seen { ledger: outcome.ledger, summary: Summary::of(&outcome.measures) }
}

fn on_sockets(plan: &Plan, kind: Sockets, medium: Medium) -> Seen {
    let build = plan.stacks();
    let setup = LiveSetup {
        seed: Some(plan.scenario.seed),
        sockets: kind,
        medium,
        epoch: plan.scenario.measure.epoch,
        ..LiveSetup::new("faults", plan.scenario.peers, plan.scenario.duration, move |s| build(s))
    };
    let outcome = sockets::run(setup, plan);
    if let Some(carried) = &outcome.carried {
        assert!(carried.packets.is_balanced(), "{:?}", carried.packets);
        // What is in sealed packets nobody sees: QUIC may lose some datagrams on its own account.
        let unseen = if kind == Sockets::Quic { outcome.ledger.datagram.sent / 20 } else { 0 };
        assert!(carried.unaccounted <= unseen, "{} unaccounted", carried.unaccounted);
    }
    Seen { ledger: outcome.ledger, summary: Summary::of(&outcome.measures) }
}

/// Runs all of these, some at once; what came of each.
fn run_all(jobs: &[(World, &str)]) -> Vec<Result<Seen, String>> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some((world, lines)) = jobs.get(place) else { return };
                    let seen = run(*world, lines);
                    done.lock().expect("nobody panics with it").push((place, seen));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("nobody panicked with it");
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, seen)| seen).collect()
}

/// An effect, and whether it is in its range. A machine that is busy elsewhere may keep real
/// sockets from their time once, so they have two more tries; what is wrong stays so.
fn measured(
    world: World,
    effect: fn(&Seen) -> f64,
    lines: &str,
    seen: &Seen,
    (from, to): (f64, f64),
) -> (f64, bool) {
    let (mut value, mut tries) = (effect(seen), 0);
    while !(from..=to).contains(&value) && world != World::Sim && tries < 2 {
        value = effect(&run(world, lines).expect("it ran before"));
        tries += 1;
    }
    (value, (from..=to).contains(&value))
}

#[test]
fn each_fault_means_the_same_in_every_world() {
    let jobs: Vec<_> = std::iter::once("")
        .chain(FAULTS.iter().map(|fault| fault.lines))
        .flat_map(|lines| WORLDS.map(|(_, world)| (world, lines)))
        .collect();
    let seen = run_all(&jobs);
    let (without, with) = seen.split_at(WORLDS.len());
    let mut wrong = Vec::new();
    let head: Vec<_> = WORLDS.iter().map(|(name, _)| *name).collect();
    println!("| fault | what it shows in | {} |", head.join(" | "));
    println!("|---|---|{}", "---|".repeat(WORLDS.len()));
    for (fault, with) in FAULTS.iter().zip(with.chunks(WORLDS.len())) {
        let mut cells = Vec::new();
        for (i, (name, world)) in WORLDS.iter().enumerate() {
            let seen = without[i].as_ref().expect("nothing is wrong without a fault");
            let (before, is_fine) = measured(*world, fault.effect, "", seen, fault.without);
            if !is_fine {
                wrong.push(format!("{name} without {}: {before}", fault.lines));
            }
            match (&with[i], (fault.with)(*world)) {
                (Err(why), None) if why.contains("not yet") => cells.push("refused".to_owned()),
                (Ok(seen), Some(range)) => {
                    let (after, is_fine) = measured(*world, fault.effect, fault.lines, seen, range);
                    cells.push(format!("{before:.3} → {after:.3}"));
                    if !is_fine {
                        wrong.push(format!("{name} with {}: {after:.3}", fault.lines));
                    }
                    if !is_live(*world) && !seen.ledger.is_balanced() {
                        wrong.push(format!("{name} with {}: {:?}", fault.lines, seen.ledger));
                    }
                }
                (Ok(_), None) => wrong.push(format!("{name} takes {}", fault.lines)),
                (Err(why), _) => wrong.push(format!("{name} refuses {}: {why}", fault.lines)),
            }
        }
        let lines = fault.lines.replace('\n', "; ");
        println!("| `{lines}` | {} | {} |", fault.what, cells.join(" | "));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
