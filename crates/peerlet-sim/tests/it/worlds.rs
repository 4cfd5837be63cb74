//! Larger worlds, generated from one seed each: stacks, a network, lives, and instants at which a
//! run is interrupted and looked at.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use peerlet_core::runtime::{Act, Directive, Port, SeatSet, State, Tampering};
use peerlet_core::{
    Duration, MILLISECOND, NANOSECOND, Rng, SECOND, Seat, Seed, Signature, Time, Value,
};
use peerlet_network::{
    AccessConfig, Arrival, Change, Constant, CorruptConfig, Departure, Distribution, Fault, Faults,
    Generated, Gilbert, JitterConfig, KING_LIKE, Layers, LayersConfig, LossConfig, LossModel,
    Model, ModelState as Kept, PLANETLAB_LIKE, Packet, PacketDrop, Per, Preset, Probability, Rate,
    ReorderConfig, Size, Uniform, Ways,
};
use peerlet_sim::{ActError, Engine, Handled, Outcome, RunError, Setup, Simulation, Sums, Trace};

use crate::hostile_network::{HostileNetwork, Wall};
use crate::random_faults::choose;
use crate::random_peerlets::{Activity, Asker, Talker, memory};

/// A world, generated from one seed.
#[derive(Clone, Debug)]
pub struct World {
    seed: u64,
    activity: Activity,
    net: Net,
    layers: LayersConfig,
    faults: Vec<Fault>,
    handshakes: bool,
    timeout: Duration,
    duration: Duration,
    epoch: Duration,
    from: Time,
    cuts: Vec<Time>,
    directives: Vec<Directive>,
}

#[derive(Clone, Debug)]
enum Net {
    Constant(Duration),
    Uniform(Duration, Duration),
    KingLike(Duration),
    PlanetlabLike(Duration),
    Hostile(HostileNetwork),
    Narrow(Duration),
}

impl Net {
    fn sample(rng: &mut Rng, end: Time) -> Net {
        let ms = MILLISECOND;
        match rng.below(10) {
            0 => Net::Constant(choose(rng, [Duration::ZERO, NANOSECOND, NANOSECOND * 3])),
            1 | 2 => Net::Constant(choose(rng, [ms, ms * 7, ms * 50, ms * 300])),
            3 => {
                let min = choose(rng, [Duration::ZERO, ms, ms * 20, ms * 250]);
                Net::Uniform(min, min + choose(rng, [NANOSECOND * 2, ms, ms * 60]))
            }
            4 | 5 => Net::KingLike(choose(rng, [ms, ms * 5, ms * 40])),
            6 => Net::PlanetlabLike(choose(rng, [ms / 2, ms * 3])),
            7 => Net::Narrow(choose(rng, [Duration::ZERO, ms, ms * 30])),
            _ => Net::Hostile(hostile_network(rng, end)),
        }
    }

    fn model(&self, seed: u64, seats: u32) -> Box<dyn Model> {
        let like = |preset: &'static Preset, floor| Generated::new(preset, seed, seats, floor);
        match self {
            Net::Constant(delay) => Box::new(Constant { delay: *delay }),
            Net::Uniform(min, max) => Box::new(Uniform { min: *min, max: *max }),
            Net::KingLike(floor) => Box::new(like(&KING_LIKE, *floor)),
            Net::PlanetlabLike(floor) => Box::new(like(&PLANETLAB_LIKE, *floor)),
            Net::Hostile(network) => Box::new(network.clone()),
            Net::Narrow(min) => Box::new(Narrow(*min)),
        }
    }
}

fn hostile_network(rng: &mut Rng, end: Time) -> HostileNetwork {
    let odds = |rng: &mut Rng| choose(rng, [0.0, 0.05, 0.3]);
    let min = choose(rng, [Duration::ZERO, MILLISECOND, MILLISECOND * 20, MILLISECOND * 150]);
    let spread = choose(rng, [Duration::ZERO, NANOSECOND, MILLISECOND * 10, MILLISECOND * 200]);
    let mut walls = (0..2).map(|_| {
        let from = Time::from_nanos(rng.below(end.as_nanos()));
        let to = from + Duration::from_nanos(rng.below(end.as_nanos() / 2));
        Wall { from, to, sides: rng.bits() as u32 }
    });
    let (wall, gate) = (walls.next(), walls.next());
    drop(walls);
    HostileNetwork {
        loss: odds(rng),
        twice: odds(rng),
        refusal: odds(rng),
        lag: (odds(rng), choose(rng, [MILLISECOND, MILLISECOND * 70])),
        max: min + spread,
        walls: wall.filter(|_| rng.chance(0.5)).into_iter().collect(),
        gates: gate.filter(|_| rng.chance(0.3)).into_iter().collect(),
        ..HostileNetwork::constant(min)
    }
}

/// A network whose every end remembers: what a peer sends waits for what it sent before.
#[derive(Debug)]
struct Narrow(Duration);

fn kept(state: &mut Kept) -> &mut u64 {
    let state = state.get_or_insert_with(|| Box::new(0u64));
    state.downcast_mut().expect("every end remembers a number")
}

impl Model for Narrow {
    fn lookahead(&self) -> Duration {
        self.0
    }
    /// Most ends have nothing to remember until they are used.
    fn outbound(&self, seat: Seat) -> Kept {
        (seat == Seat(0)).then(|| Box::new(0u64) as _)
    }
    fn has_arrival(&self) -> bool {
        true
    }
    fn depart(&self, packet: &Packet, state: &mut Kept) -> Departure {
        let (free, now) = (kept(state), packet.at.as_nanos());
        let waits = free.saturating_sub(now);
        if waits > 20_000_000 {
            return Departure::Drop(PacketDrop::Queue);
        }
        *free = now + waits + 300_000;
        Departure::Arrive { after: self.0 + Duration::from_nanos(waits) }
    }
    fn arrive(&self, _: &Packet, state: &mut Kept) -> Arrival {
        let count = kept(state);
        *count += 1;
        match *count % 50 {
            0 => Arrival::Drop(PacketDrop::Nat),
            count => Arrival::Accept { after: MILLISECOND * (count % 4) },
        }
    }
    fn round_trip(&self, _: Seat, _: Seat) -> Duration {
        self.0 * 2
    }
}

/// An instant, often one at which other things happen as well.
fn instant(rng: &mut Rng, end: Time, lookahead: Duration) -> Time {
    let end = end.as_nanos();
    let edges = |rng: &mut Rng, step: u64| rng.below(end / step + 1) * step;
    let nanos = match rng.below(6) {
        0 => edges(rng, 5_000_000),
        1 => edges(rng, lookahead.as_nanos().max(1)),
        2 => (edges(rng, lookahead.as_nanos().max(1)) + 1).saturating_sub(rng.below(3)),
        3 => edges(rng, 33_333_333),
        _ => rng.below(end),
    };
    Time::from_nanos(nanos.min(end - 1))
}

fn act(rng: &mut Rng) -> Vec<Act> {
    let command =
        |name: Signature, values: &[Value]| Arc::new(name.call(values).expect("the arguments fit"));
    let talk = Signature::new("talk").takes("words", peerlet_core::Kind::Integer);
    let pause = |rng: &mut Rng| {
        let nanos = choose(rng, [0, 1, 1_000_000, 70_000_000, 900_000_000]);
        Act::Pause(Duration::from_nanos(rng.below(nanos + 1)))
    };
    match rng.below(12) {
        11 => {
            let ways =
                [Tampering::Drop, Tampering::Mutate, Tampering::Replay, Tampering::Equivocate];
            let way = choose(rng, ways);
            vec![Act::Tamper(if rng.chance(0.2) { Tampering::End } else { way(0.3 * rng.unit()) })]
        }
        9 => vec![pause(rng)],
        10 => {
            let end = if rng.chance(0.5) { Act::Crash } else { Act::Stop };
            vec![pause(rng), end, Act::Start]
        }
        0 => vec![Act::Start],
        1 => vec![Act::Stop],
        2 => vec![Act::Crash],
        3 => vec![Act::Stop, Act::Start],
        4 => vec![Act::Crash, Act::Start],
        5 => vec![Act::Start, Act::Stop, Act::Crash, Act::Start],
        6 => vec![Act::Command(Port(2), command(Signature::new("ask"), &[]))],
        7 => vec![Act::Stop, Act::Command(Port(2), command(Signature::new("ask"), &[]))],
        _ => vec![Act::Command(Port(0), command(talk, &[Value::Integer(rng.below(99) as i64)]))],
    }
}

fn directives(rng: &mut Rng, seats: u32, end: Time, lookahead: Duration) -> Vec<Directive> {
    let late = choose(rng, [0.0, 0.3]);
    let mut all: Vec<Directive> = Vec::new();
    for seat in 0..seats {
        let at = if rng.chance(late) { instant(rng, end, lookahead) } else { Time::ZERO };
        all.push(Directive { at, seat: Seat(seat), act: Act::Start });
    }
    for _ in 0..choose(rng, [0, 10, 60, 300]) {
        // Often to a whole run of seats at once.
        let (at, first) = (instant(rng, end, lookahead), rng.below(u64::from(seats)) as u32);
        let many = if rng.chance(0.2) { 20 } else { 1 };
        let acts = act(rng);
        for seat in first..seats.min(first + many) {
            let acts = acts.iter().cloned();
            all.extend(acts.map(|act| Directive { at, seat: Seat(seat), act }));
        }
    }
    all.sort_by_key(|directive| directive.at);
    all
}

/// The layers of the network: half of the worlds have none.
fn layers(rng: &mut Rng) -> LayersConfig {
    let mut layers = LayersConfig::default();
    if rng.chance(0.5) {
        return layers;
    }
    let probability = |p| Probability::new(p).expect("it is below 1");
    let mut any = |p: f64| rng.chance(p).then(|| probability(0.2 * rng.unit()));
    layers.duplicate = any(0.3);
    layers.reorder = any(0.3).map(|probability| ReorderConfig { probability, by: MILLISECOND * 9 });
    layers.corrupt = any(0.3).map(|probability| CorruptConfig { probability, bits: 2 });
    let distribution = Distribution::Exponential { mean: MILLISECOND };
    layers.jitter = any(0.3)
        .map(|_| JitterConfig { distribution, per: any(0.5).map_or(Per::Message, |_| Per::Pair) });
    let mut loss = || match any(0.7) {
        Some(probability) if any(0.5).is_none() => LossModel::Independent(probability),
        Some(_) => LossModel::Gilbert(Gilbert::new(0.1, 3.0).expect("bursts are long enough")),
        None => LossModel::Independent(Probability::NEVER),
    };
    layers.loss = Some(LossConfig { up: loss(), down: loss(), links: Vec::new() });
    let queue = Size::bytes(choose(rng, [0, 500, 20_000]));
    let rate = Some(Rate::bits(choose(rng, [50_000, 1_000_000, 1_000_000_000])));
    let (up, down) = choose(rng, [(None, None), (rate, None), (None, rate), (rate, rate)]);
    let access = AccessConfig { up, down, classes: None, queue, overhead: 28 };
    layers.access = (up.is_some() || down.is_some()).then_some(access);
    layers
}

/// The faults of the network: none in two of three worlds.
fn faults(rng: &mut Rng, seats: u32, end: Time) -> Vec<Fault> {
    let count = choose(rng, [0, 0, 6]);
    let mut faults = Vec::new();
    for _ in 0..count {
        let at = Time::from_nanos(rng.below(end.as_nanos()));
        let change = change(rng, seats);
        let share = choose(rng, [0.1, 0.6]);
        let seats = (0..seats).filter(|_| rng.chance(share)).map(Seat).collect();
        faults.push(Fault { at, seats, change });
    }
    faults
}

/// A change of the network.
fn change(rng: &mut Rng, seats: u32) -> Change {
    let probability = Probability::new(0.2).expect("it is below 1");
    let some = |rng: &mut Rng| -> SeatSet {
        let share = choose(rng, [0.02, 0.5]);
        (0..seats).filter(|_| rng.chance(share)).map(Seat).collect()
    };
    match rng.below(10) {
        0 => Change::Cut { from: None, ways: Ways::Both, in_flight: rng.chance(0.5) },
        1 => Change::Cut { from: Some(some(rng)), ways: Ways::Out, in_flight: rng.chance(0.5) },
        2 => Change::Heal { from: None },
        3 => Change::Loss(LossModel::Independent(probability)),
        4 => Change::Loss(LossModel::Gilbert(Gilbert::new(0.1, 3.0).expect("bursts are long"))),
        5 => Change::Bandwidth { up: Some(Rate::bits(100_000)), down: None },
        6 => Change::Slow(3 << 16),
        7 => Change::Clog,
        8 => Change::Release,
        _ => Change::Duplicate(probability),
    }
}

impl World {
    /// Anything, with up to a few thousand events.
    pub fn drawn(seed: u64) -> World {
        let rng = &mut Seed::new(seed).named("world").rng();
        let ms = MILLISECOND;
        // Several blocks a thread, where there are several threads.
        let is_large = rng.chance(0.03);
        let seats = if is_large { 5_000 } else { 50 + rng.below(251) as u32 };
        let pause = choose(rng, [ms * 10, ms * 50, ms * 300, SECOND * 2]);
        let duration = pause * if is_large { 1 } else { 2 + rng.below(6) };
        let end = Time::ZERO + duration;
        let net = Net::sample(rng, end);
        let lookahead = net.model(seed, seats).lookahead();
        let endless = (Seat(rng.below(u64::from(seats)) as u32), 1 + rng.below(6) as u32);
        let activity = Activity {
            seats,
            pause,
            reach: choose(rng, [pause, ms * 900, SECOND * 5, SECOND * 40]),
            reliably: choose(rng, [0.0, 0.3, 0.8]),
            bursts: rng.chance(0.3),
            endless: rng.chance(0.08).then_some(endless),
        };
        let directives = directives(rng, seats, end, lookahead);
        let cuts = (0..rng.below(30)).map(|_| instant(rng, end, lookahead));
        let mut cuts: Vec<Time> = cuts.collect();
        cuts.sort_unstable();
        World {
            seed,
            activity,
            net,
            layers: layers(rng),
            faults: faults(rng, seats, end),
            handshakes: rng.chance(0.2),
            timeout: ms * choose(rng, [100, 500, 3_000]),
            duration,
            epoch: choose(rng, [Duration::from_nanos(33_333_333), ms * 100, SECOND]),
            from: Time::from_nanos(rng.below(duration.as_nanos() / 2)),
            cuts,
            directives,
        }
    }

    fn setup(&self, way: Way, is_open: bool) -> Setup {
        let (activity, seats) = (self.activity, self.activity.seats);
        let model = self.net.model(self.seed, seats);
        let model = self.layers.wrap(model, Seed::new(self.seed), seats);
        let mut model = model.expect("every draw makes a network");
        if is_open || !self.faults.is_empty() {
            let faults = match is_open {
                true => Faults::open(&self.faults, seats),
                false => Faults::new(&self.faults, seats),
            };
            model = Box::new(Layers::around(model, vec![Box::new(faults)]));
        }
        Setup {
            seed: self.seed,
            model,
            epoch: self.epoch,
            from: self.from,
            handshakes: self.handshakes,
            connection_timeout: self.timeout,
            engine: way.engine,
            threads: way.threads,
            wire: way.wire,
            ..Setup::new(seats, self.duration, move |seat| activity.peer(seat))
        }
    }

    /// Runs it; `in_pieces` stops at the world's cuts and looks around.
    pub fn run(&self, way: Way, in_pieces: bool) -> Ran {
        let cuts = if in_pieces { self.cuts.as_slice() } else { &[] };
        self.run_with(self.setup(way, false), cuts, |_, _, _| {})
    }

    /// Runs it, and does something at random at each of its cuts.
    pub fn run_acting(&self, way: Way) -> Ran {
        let rng = &mut Seed::new(self.seed).named("acts").rng();
        self.run_with(self.setup(way, true), &self.cuts, |simulation, _, answers| {
            for _ in 0..rng.below(5) {
                answers.push(self.act(simulation, rng));
            }
        })
    }

    /// Does something to a peer or to the network; returns what came of it.
    pub fn act(&self, simulation: &mut Simulation, rng: &mut Rng) -> Result<u64, ActError> {
        let seat = Seat(rng.below(u64::from(self.activity.seats) + 1) as u32);
        match rng.below(4) {
            0 => simulation.with(seat, |talker: &mut Talker, ctx| talker.called(ctx)),
            1 => simulation.with(seat, |asker: &mut Asker, ctx| asker.called(ctx)),
            2 => act(rng).into_iter().try_fold(0, |done, act| {
                simulation.act(seat, act)?;
                Ok(done + 1)
            }),
            _ => {
                let seats = (0..self.activity.seats).filter(|_| rng.chance(0.3)).map(Seat);
                let seats = seats.collect();
                simulation.change_network(&seats, change(rng, self.activity.seats)).map(|()| 0)
            }
        }
    }

    fn run_with(
        &self,
        setup: Setup,
        cuts: &[Time],
        mut at_cut: impl FnMut(&mut Simulation, Time, &mut Answers),
    ) -> Ran {
        let seen = Seen::default();
        let setup = Setup { trace: Some(Box::new(seen.clone())), ..setup };
        let directives = self.directives.clone();
        let mut simulation = Simulation::new(setup, directives).expect("these stacks can run");
        let mut ran = Ran {
            seen: Vec::new(),
            sums: Sums::default(),
            glances: Vec::new(),
            answers: Vec::new(),
            end: Ok(None),
        };
        for until in cuts.iter().copied().chain([Time::MAX]) {
            if let Err(error) = simulation.run_until(until) {
                // Others may have come farther than the endless peer, or not as far.
                let glances = Vec::new();
                return Ran { end: Err(error), glances, ..ran };
            }
            at_cut(&mut simulation, until, &mut ran.answers);
            let people = (0..self.activity.seats).map(Seat);
            let people = people.map(|seat| (simulation.state(seat), memory(&simulation, seat)));
            ran.glances.push((simulation.now(), simulation.events(), people.collect()));
        }
        ran.end = Ok(Some(simulation.finish()));
        (ran.seen, ran.sums) = seen.0.take();
        ran
    }

    /// Runs it one event after the other.
    pub fn run_stepping(&self) -> Ran {
        self.run_with(
            self.setup(Way::REFERENCE, false),
            &[Time::ZERO],
            |simulation, at, answers| {
                let mut before = Time::ZERO;
                while at == Time::ZERO
                    && let Some(is_one) = simulation.step().ok()
                    && is_one
                {
                    assert!(simulation.now() >= before, "time does not run backward");
                    before = simulation.now();
                    answers.push(Ok(before.as_nanos()));
                }
            },
        )
    }
}

/// What came of the acts at cuts.
type Answers = Vec<Result<u64, ActError>>;

/// How a world is run.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub engine: Engine,
    pub threads: u32,
    pub wire: bool,
}

impl Way {
    pub const REFERENCE: Way = Way { engine: Engine::Reference, threads: 1, wire: false };

    pub const fn threads(threads: u32) -> Way {
        Way { engine: Engine::Windowed, threads, wire: false }
    }

    pub const fn encoded(self) -> Way {
        Way { wire: true, ..self }
    }
}

/// The events of a run, and the sums of its end.
type Written = (Vec<Handled>, Sums);

#[derive(Clone, Default)]
struct Seen(Rc<RefCell<Written>>);

impl Trace for Seen {
    fn handled(&mut self, event: &Handled) {
        self.0.borrow_mut().0.push(*event);
    }
    fn finished(&mut self, sums: &Sums) {
        self.0.borrow_mut().1 = sums.clone();
    }
}

/// What all peers are and remember at a cut, and how many events there were.
type Glance = (Time, u64, Vec<(State, [Option<u64>; 3])>);

/// A run that is over.
pub struct Ran {
    seen: Vec<Handled>,
    sums: Sums,
    glances: Vec<Glance>,
    answers: Answers,
    end: Result<Option<Outcome>, RunError>,
}

impl Ran {
    /// The run's sum and its events; `None` when it was ended by an endless peer.
    pub fn whole(&self) -> Option<(&Outcome, &[Handled])> {
        Some((self.end.as_ref().ok()?.as_ref()?, &self.seen))
    }

    /// Asserts that the other run, by somebody else, is the same.
    pub fn assert_is(&self, expected: &Ran, who: &str) {
        assert_eq!(self.answers, expected.answers, "{who}: what came of acts");
        let (seen, wanted) = (&self.end, &expected.end);
        assert_eq!(seen.as_ref().err(), wanted.as_ref().err(), "{who}: the end");
        assert_same(&expected.seen, &self.seen, who);
        // A run in one piece was looked at once, at its end.
        let both = self.glances.iter().rev().zip(expected.glances.iter().rev());
        for ((now, events, people), (expected_now, expected_events, expected_people)) in both {
            assert_eq!((now, events), (expected_now, expected_events), "{who}");
            for (seat, pair) in people.iter().zip(expected_people).enumerate() {
                assert_eq!(pair.0, pair.1, "{who}: seat {seat} at {now}");
            }
        }
        let (Ok(Some(seen)), Ok(Some(wanted))) = (seen, wanted) else { return };
        assert_eq!(seen.ledger, wanted.ledger, "{who}");
        assert_eq!(seen.measures, wanted.measures, "{who}");
        assert_eq!(self.sums, expected.sums, "{who}");
        let sum = |o: &Outcome| (o.events, o.idle_directives, o.late_answers, o.end, o.digest);
        assert_eq!(sum(seen), sum(wanted), "{who}");
        if let (Some(seen), Some(wanted)) = (seen.payload_digest, wanted.payload_digest) {
            assert_eq!(seen, wanted, "{who}: payloads");
        }
        assert!(seen.ledger.is_balanced(), "{who}: {:?}", seen.ledger);
    }
}

/// Compares two traces and says where they part; payloads only where both have them.
pub fn assert_same(expected: &[Handled], seen: &[Handled], who: &str) {
    for (place, (expected, seen)) in expected.iter().zip(seen).enumerate() {
        let both = expected.payload != 0 && seen.payload != 0;
        let payload = if both { seen.payload } else { expected.payload };
        assert_eq!(Handled { payload, ..*seen }, *expected, "{who}: event {place} differs");
    }
    assert_eq!(seen.len(), expected.len(), "{who}: one run is longer");
}
