//! A world of peers with the stock stack, and what is asked of it.

use std::collections::BTreeSet;

use peerlet_core::runtime::{Act, Directive};
use peerlet_core::{Address, Duration, Peer, Peerlet, Rng, SECOND, Seat, Seed, Time};
use peerlet_overlay::{
    Bootstrap, Configured, Lookups, LookupsConfig, Neighbors, Rate, RingId, Router,
};
use peerlet_sim::network::{
    Departure, GeneratedConfig, KING_LIKE, Model, ModelState, Packet, PacketDrop, Probability, Site,
};
use peerlet_sim::{Outcome, Setup, Simulation};

/// A world of peers with the stock stack on a king-like network.
pub struct OverlayFixture {
    pub peers: u32,
    pub seed: u64,
    pub span: Duration,
    /// When measuring begins.
    pub from: Duration,
    /// The share of messages lost, until `lossy`.
    pub loss: f64,
    pub lossy: Duration,
    /// Lookups per second and peer.
    pub rate: f64,
    /// The share of sessions that end in a crash; the others stop in order.
    pub crashes: f64,
    /// Whether messages are encoded on their way.
    pub wire: bool,
}

impl OverlayFixture {
    pub fn new(peers: u32, seed: u64) -> OverlayFixture {
        OverlayFixture {
            peers,
            seed,
            span: SECOND * 60,
            from: SECOND * 20,
            loss: 0.0,
            lossy: Duration::MAX,
            rate: 1.0,
            crashes: 0.5,
            wire: false,
        }
    }

    pub fn simulation(&self, acts: Vec<Directive>) -> Simulation {
        let rate = Rate::per_second(self.rate).unwrap();
        let lookups = Lookups::configured(LookupsConfig { rate, ..Default::default() }).unwrap();
        let mut setup = Setup::new(self.peers, self.span, move |_| {
            Peer::new()
                .with(Bootstrap::default())
                .with(Neighbors::default())
                .with(Router::default())
                .with(lookups.clone())
        });
        let place = Seed::new(self.seed).named("network");
        let site = Site::new(place, self.peers, ".".as_ref());
        let king = GeneratedConfig::default().build(&KING_LIKE, &site);
        let probability = Probability::new(self.loss).unwrap();
        let until = Time::ZERO + self.lossy;
        setup.model = Box::new(LossyAtFirst { inner: king.unwrap(), probability, until });
        setup.seed = self.seed;
        setup.wire = self.wire;
        setup.from = Time::ZERO + self.from;
        Simulation::new(setup, acts).expect("the stock stack runs")
    }

    /// All start within this time, evenly spread.
    pub fn joins(&self, within: Duration) -> Vec<Directive> {
        let gap = within / u64::from(self.peers);
        (0..self.peers).map(|n| act(Time::ZERO + gap * u64::from(n), n, Act::Start)).collect()
    }

    /// From `from` until `to` all but seat 0 come and go: sessions and absences are exponential
    /// with these means;
    /// who is away at the end comes back then.
    pub fn churn(
        &self,
        span: [Duration; 2],
        session: Duration,
        absence: Duration,
    ) -> Vec<Directive> {
        let [from, to] = span.map(|at| Time::ZERO + at);
        let place = Seed::new(self.seed).named("churn");
        let mut acts = Vec::new();
        for seat in 1..self.peers {
            let mut rng = place.at(u64::from(seat)).rng();
            let mut at = from + exponential(session, &mut rng);
            while at < to {
                let end = if rng.chance(self.crashes) { Act::Crash } else { Act::Stop };
                acts.push(act(at, seat, end));
                at = (at + exponential(absence, &mut rng)).min(to);
                acts.push(act(at, seat, Act::Start));
                at += exponential(session, &mut rng);
            }
        }
        acts
    }
}

/// Loses messages by chance until some time.
#[derive(Debug)]
struct LossyAtFirst {
    inner: Box<dyn Model>,
    probability: Probability,
    until: Time,
}

impl Model for LossyAtFirst {
    fn lookahead(&self) -> Duration {
        self.inner.lookahead()
    }

    fn depart(&self, packet: &Packet, state: &mut ModelState) -> Departure {
        let is_lost = self.probability.happens(packet.random.named("loss").bits());
        if packet.at < self.until && is_lost {
            return Departure::Drop(PacketDrop::Loss);
        }
        self.inner.depart(packet, state)
    }

    fn round_trip(&self, from: Seat, to: Seat) -> Duration {
        self.inner.round_trip(from, to)
    }
}

pub fn act(at: Time, seat: u32, act: Act) -> Directive {
    Directive { at, seat: Seat(seat), act }
}

/// In the order that a simulation asks for.
pub fn in_order(mut acts: Vec<Directive>) -> Vec<Directive> {
    acts.sort_by_key(|directive| (directive.at, directive.seat));
    acts
}

fn exponential(mean: Duration, rng: &mut Rng) -> Duration {
    let per_second = 1.0 / mean.as_secs_f64();
    Rate::per_second(per_second).unwrap().gap(rng).expect("the mean is not endless")
}

/// The seed of a test: `PEERLET_SEED` if it is set, a number or any other text, such as a commit's
/// hash. Printed, to be seen when the test fails.
pub fn seed() -> u64 {
    let given = std::env::var("PEERLET_SEED").unwrap_or("1".into());
    println!("PEERLET_SEED={given}");
    given.parse().unwrap_or_else(|_| Seed::new(0).named(&given).bits())
}

pub fn running(simulation: &Simulation, peers: u32) -> Vec<Seat> {
    (0..peers)
        .map(Seat)
        .filter(|seat| simulation.state(*seat) == peerlet_core::runtime::State::Running)
        .collect()
}

/// How many running peers have other ring neighbors than they should.
pub fn misplaced(simulation: &Simulation, peers: u32, side: usize) -> usize {
    let mut ring: Vec<(RingId, Address)> = running(simulation, peers)
        .into_iter()
        .map(|seat| (RingId::of(Address::simulated(seat)), Address::simulated(seat)))
        .collect();
    ring.sort_unstable();
    let side = side.min(ring.len() - 1);
    let at = |place: usize| ring[place % ring.len()].1;
    (0..ring.len())
        .filter(|place| {
            let seat = Seat(at(*place).slot());
            let near = simulation.peerlet::<Neighbors>(seat).unwrap();
            let successors = (1..=side).map(|k| at(place + k));
            let predecessors = (1..=side).map(|k| at(place + ring.len() - k));
            !near.successors().eq(successors) || !near.predecessors().eq(predecessors)
        })
        .count()
}

/// How many running peers a walk over neighbors reaches from the first of them.
pub fn reached(simulation: &Simulation, peers: u32) -> usize {
    let mut met = vec![false; peers as usize];
    let mut next = vec![running(simulation, peers)[0]];
    met[next[0].index()] = true;
    let mut count = 0;
    while let Some(seat) = next.pop() {
        count += 1;
        let Some(near) = simulation.peerlet::<Neighbors>(seat) else { continue };
        for neighbor in near.all() {
            let seat = Seat(neighbor.address.slot());
            if !std::mem::replace(&mut met[seat.index()], true) {
                next.push(seat);
            }
        }
    }
    count
}

/// How many parts of the network, of running peers, have no link to each other.
pub fn islands<P: Peerlet>(
    simulation: &Simulation,
    peers: u32,
    links: impl Fn(&P) -> Vec<Address>,
) -> usize {
    let mut around = vec![BTreeSet::new(); peers as usize];
    let seats = running(simulation, peers);
    for seat in &seats {
        let Some(peerlet) = simulation.peerlet::<P>(*seat) else { continue };
        for other in links(&peerlet).into_iter().map(|link| Seat(link.slot())) {
            around[seat.index()].insert(other);
            around[other.index()].insert(*seat);
        }
    }
    let (mut met, mut count) = (BTreeSet::new(), 0);
    for seat in seats {
        let mut next = vec![seat];
        count += usize::from(!met.contains(&seat));
        while let Some(seat) = next.pop() {
            if met.insert(seat) {
                next.extend(&around[seat.index()]);
            }
        }
    }
    count
}

/// How many values a metric got in the epochs that count, and their mean.
pub fn measured(outcome: &Outcome, metric: &str) -> (u64, f64) {
    let entries = outcome.measures.metrics();
    let place = entries.iter().position(|entry| entry.full_name == metric).expect("it is measured");
    let total = &outcome.measures.total()[place];
    let mean = total.sum() as f64 / total.count() as f64;
    (total.count(), entries[place].metric.value(mean))
}
