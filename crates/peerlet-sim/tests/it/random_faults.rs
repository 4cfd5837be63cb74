//! Random peers, networks and lives: the contract always holds.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use peerlet_core::runtime::{Act, Directive};
use peerlet_core::{Context, Duration, MILLISECOND, NANOSECOND, Rng, SECOND, Seat, Seed, Time};
use peerlet_sim::{Digest, Engine, Outcome};

use crate::actor::{Actor, Happened, Log, Stage, send, send_sized};
use crate::hostile_network::{HostileNetwork, Wall};
use crate::verifier::{Score, Verifier};

/// A scenario, generated from one seed.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    seats: u32,
    network: HostileNetwork,
    /// Whether a pair's first message waits for a handshake.
    handshakes: bool,
    timeout: Duration,
    /// Whether some messages come in pieces.
    large: bool,
    directives: Vec<Directive>,
    /// The longest pause between two acts of a peer.
    pause: Duration,
}

pub fn choose<T: Copy, const N: usize>(rng: &mut Rng, from: [T; N]) -> T {
    from[rng.index(N)]
}

fn instant(rng: &mut Rng, end: Time) -> Time {
    // Whole steps of 5 ms, so that many things fall on one instant.
    Time::ZERO + MILLISECOND * 5 * rng.below(end.as_nanos() / 5_000_000)
}

/// Directives at random instants, in an order that a run takes.
fn random_directives(rng: &mut Rng, seats: u32, end: Time, changes: u64) -> Vec<Directive> {
    let mut directives: Vec<Directive> = (0..seats)
        .map(|seat| {
            let at = if rng.chance(0.7) { Time::ZERO } else { instant(rng, end) };
            Directive { at, seat: Seat(seat), act: Act::Start }
        })
        .collect();
    for _ in 0..changes {
        let seat = Seat(rng.below(u64::from(seats)) as u32);
        let at = instant(rng, end);
        let acts = match rng.below(7) {
            0 => vec![Act::Start],
            1 => vec![Act::Stop],
            2 => vec![Act::Crash],
            3 => vec![Act::Stop, Act::Start],
            4 => vec![Act::Crash, Act::Start],
            5 => vec![Act::Pause(Duration::from_nanos(rng.below(800_000_000)))],
            _ => vec![Act::Start, Act::Stop, Act::Crash, Act::Start],
        };
        directives.extend(acts.into_iter().map(|act| Directive { at, seat, act }));
    }
    directives.sort_by_key(|directive| directive.at);
    directives
}

fn wall(rng: &mut Rng, seats: u32, end: Time, longest: Duration) -> Wall {
    let from = instant(rng, end);
    let to = from + Duration::from_nanos(rng.below(longest.as_nanos()));
    Wall { from, to: to.min(end), sides: rng.below(1 << seats) as u32 }
}

impl Plan {
    /// All faults at once.
    pub fn stormy(seed: u64) -> Plan {
        let rng = &mut Seed::new(seed).named("plan").rng();
        let seats = 2 + rng.below(7) as u32;
        let min = choose(rng, [Duration::ZERO, MILLISECOND, MILLISECOND * 20, MILLISECOND * 150]);
        let spread = choose(rng, [Duration::ZERO, NANOSECOND, MILLISECOND * 10, MILLISECOND * 200]);
        let until = Time::ZERO + MILLISECOND * choose(rng, [300, 1_000]);
        let odds = |rng: &mut Rng| choose(rng, [0.0, 0.0, 0.05, 0.3]);
        let mut network = HostileNetwork {
            loss: odds(rng),
            twice: odds(rng),
            refusal: odds(rng),
            lag: (odds(rng), choose(rng, [MILLISECOND, MILLISECOND * 70, SECOND])),
            until,
            max: min + spread,
            ..HostileNetwork::constant(min)
        };
        for _ in 0..rng.below(3) {
            network.walls.push(wall(rng, seats, until, SECOND));
        }
        for _ in 0..rng.below(2) {
            network.gates.push(wall(rng, seats, until, SECOND));
        }
        let timeout = MILLISECOND * choose(rng, [100, 200, 500, 1_000, 3_000]);
        let changes = choose(rng, [0, 2, 10, 30]);
        let directives = random_directives(rng, seats, until, changes);
        let pause = MILLISECOND * choose(rng, [3, 20, 100]);
        let handshakes = rng.chance(0.25);
        let large = rng.chance(0.25);
        Plan { large, seed, seats, network, handshakes, timeout, directives, pause }
    }

    /// Everybody lives, and once in a while half of the network does not reach the other, for
    /// less than the connections' patience.
    fn divided(seed: u64) -> Plan {
        let mut plan = Plan::stormy(seed);
        let rng = &mut Seed::new(seed).named("divided").rng();
        let (min, max) = (plan.network.min, plan.network.max);
        plan.timeout = choose(rng, [SECOND * 2, SECOND * 10]);
        plan.handshakes &= plan.timeout == SECOND * 10;
        // The last attempt leaves three typical round trips; and the first one may have passed the
        // wall before it rose, with an answer that did not.
        let mut round_trips = ((min + max) * 3).max(MILLISECOND * 20) + max;
        if plan.handshakes {
            // Two hellos are 2 s apart; and what is sent behind the end of a handshake may be
            // there before it, and be sent again.
            round_trips = round_trips + SECOND * 2 + (min + max) * 4;
        }
        plan.network = HostileNetwork { max, ..HostileNetwork::constant(min) };
        // The one division comes anywhere and ends within the patience.
        let end = Time::ZERO + SECOND * 20;
        let division = wall(rng, plan.seats, end, plan.timeout - round_trips);
        plan.network.until = division.to.max(division.from + MILLISECOND * 300);
        match rng.chance(0.5) {
            true => plan.network.walls.push(division),
            false => plan.network.gates.push(division),
        }
        plan.directives = random_directives(rng, plan.seats, Time::ZERO + MILLISECOND * 5, 0);
        plan.pause = plan.timeout / 20;
        plan
    }

    /// Peers act until the network's faults end; then there is time for all messages to settle.
    pub fn stage(&self, seed: u64) -> Stage {
        let (seats, pause, until) = (self.seats, self.pause, self.network.until);
        let large = self.large;
        let quiet = self.timeout * 5 + self.network.max * 10 + SECOND * 6;
        let duration = (until + quiet).since(Time::ZERO);
        let script = move |ctx: &mut Context<Actor>, log: &Log, what: &Happened| {
            if ctx.now() < until {
                act(ctx, log, what, (seats, large), pause);
            }
        };
        let mut stage = Stage::empty(seats, duration, script);
        stage.directives = self.directives.clone();
        (stage.setup.seed, stage.setup.handshakes) = (seed, self.handshakes);
        stage.patient(self.timeout).over(self.network.clone())
    }

    pub fn run(&self, change: impl FnOnce(&mut Stage)) -> (Outcome, Log) {
        let mut stage = self.stage(self.seed);
        change(&mut stage);
        stage.run()
    }
}

/// A peer's reaction to an event: now and then it sends to a random peer, itself included.
fn act(
    ctx: &mut Context<Actor>,
    log: &Log,
    what: &Happened,
    (seats, large): (u32, bool),
    pause: Duration,
) {
    let talks = match what {
        Happened::Start | Happened::Timer(0) => {
            let after = Duration::from_nanos(ctx.rng().below(pause.as_nanos()));
            ctx.after(after, 0);
            true
        }
        Happened::Stop => ctx.rng().chance(0.5),
        Happened::Writable(_) => true,
        Happened::Message(..) | Happened::Undelivered(..) => ctx.rng().chance(0.1),
        _ => false,
    };
    if !talks {
        return;
    }
    if ctx.rng().chance(0.1) {
        let timer = ctx.after(pause / 2, 1);
        if ctx.rng().chance(0.5) {
            ctx.cancel(timer);
        }
        ctx.after(Duration::ZERO, 2);
    }
    let count = if ctx.rng().chance(0.01) { 300 } else { ctx.rng().below(4) };
    let to = ctx.rng().below(u64::from(seats)) as u32;
    let reliably = ctx.rng().chance(0.6);
    for _ in 0..count {
        let number = ctx.rng().bits();
        match reliably {
            true if large && ctx.rng().chance(0.02) => {
                let ballast = ctx.rng().below(2_000_000) as usize;
                send_sized(ctx, log, to, number, ballast);
            }
            true => drop(send_sized(ctx, log, to, number, 0)),
            false => send(ctx, log, to, number),
        }
    }
}

/// Plays the plan and holds it to the contract; all that was sent has found its fate.
fn check(plan: &Plan) -> (Score, Digest) {
    // The verifier reads the lines of peers and engine as one log, in the order of a single heap.
    let (outcome, log) = plan.run(|stage| stage.setup.engine = Engine::Reference);
    let copies_max = if plan.network.twice > 0.0 { 2 } else { 1 };
    let score = Verifier::verify(plan.seats, copies_max, &log.with_trace());
    let flows = [outcome.ledger.datagram, outcome.ledger.reliable];
    assert_eq!(flows.map(|flow| flow.sent), score.sent);
    assert_eq!(flows.map(|flow| flow.delivered), score.delivered);
    assert_eq!(flows.map(|flow| flow.in_flight), [0, 0], "something never finds its fate");
    assert_eq!((score.waiting, score.full), (0, 0), "somebody waits to be told, in vain");
    assert!(score.reported <= flows[1].dropped_total());
    (score, outcome.digest)
}

/// The seed of a test: `PEERLET_SEED` if it is set, a number or any other text.
fn given_seed() -> u64 {
    let given = std::env::var("PEERLET_SEED").unwrap_or("1".to_owned());
    println!("PEERLET_SEED={given}");
    given.parse().unwrap_or_else(|_| Seed::new(0).named(&given).bits())
}

/// Runs the check over this many scenarios, or `PEERLET_SCENARIOS` of them, each generated from a
/// seed and given with its number; a failure tells the scenario.
pub fn each<T: Debug>(count: u64, sample: fn(u64) -> T, check: impl Fn(&T, u64)) {
    let seed = Seed::new(given_seed());
    let given = std::env::var("PEERLET_SCENARIOS").ok();
    let count = given.map_or(count, |given| given.parse().expect("it is a number"));
    for number in 0..count {
        let scenario = sample(seed.at(number).bits());
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(&scenario, number))) {
            println!("scenario {number}: {scenario:#?}");
            resume_unwind(panic);
        }
    }
}

#[test]
fn the_contract_holds_over_hostile_networks() {
    each(150, Plan::stormy, |plan, _| _ = check(plan));
}

#[test]
fn the_storms_blow() {
    let seed = Seed::new(given_seed());
    let (mut total, mut storms) = (Score::default(), 0);
    for scenario in 0..30 {
        let (score, _) = check(&Plan::stormy(seed.at(scenario).bits()));
        storms += u64::from(score.reported > 0);
        for class in [0, 1] {
            total.sent[class] += score.sent[class];
            total.delivered[class] += score.delivered[class];
        }
        total.reported += score.reported;
    }
    println!("{total:?} in 30 scenarios, {storms} of them with reports");
    assert!(storms >= 10 && total.reported > 100, "{total:?}");
    assert!(total.delivered.iter().all(|delivered| *delivered > 1_000), "{total:?}");
    assert!(total.sent[0] > total.delivered[0] && total.sent[1] > total.delivered[1]);
}

#[test]
fn a_division_shorter_than_the_patience_loses_nothing() {
    each(150, Plan::divided, |plan, _| {
        let (score, _) = check(plan);
        assert_eq!((score.reported, score.delivered[1]), (0, score.sent[1]), "{score:?}");
    });
}

#[test]
fn looking_at_a_run_does_not_change_it() {
    each(150, Plan::stormy, |plan, _| {
        let (first, log) = plan.run(|_| {});
        let (bare, again) = plan.run(|stage| stage.setup.trace = None);
        assert_eq!((bare.digest, bare.events), (first.digest, first.events), "without a trace");
        assert_eq!(again.by_seat(), log.by_seat());
        let (wired, again) = plan.run(|stage| stage.setup.wire = true);
        assert_eq!(wired.digest, first.digest, "with every message encoded");
        assert_eq!(again.by_seat(), log.by_seat());
        let (other, log) = plan.stage(plan.seed + 1).run();
        let nothing_happened = log.entries().len() <= plan.directives.len();
        assert!(other.digest != first.digest || nothing_happened, "with another seed");
    });
}
