//! Keeps neighbors: random links by handshake, and the nearest peers on both sides of a ring of
//! identifiers, found by exchanging lists as in T-Man (Jelasity, Montresor, Babaoglu: Computer
//! Networks 53, 2009). Heartbeats show which peers live.

mod config;
mod known_peers;
mod layout;
mod message;
mod properties;

use std::collections::{BTreeMap, BTreeSet};

use peerlet_core::{
    Address, Context, Description, Duration, Metric, Peerlet, Rng, RoleContext, Seed, Time,
    TimerId, metrics,
};

pub use config::{LayoutConfig, NeighborsConfig};
use known_peers::{KnownPeers, clockwise_from};
use layout::{Layout, Links};
use message::SAMPLE_MAX;
pub use message::{NeighborsMessage, Peers};

use crate::bootstrap::Bootstrapped;
use crate::configured::Configured;
use crate::ring::RingId;
use crate::roles::PeerSampler;

metrics! {
    METRICS for Neighbors {
        /// Neighbors of a peer.
        DEGREE: gauge.quantum(1.0),
        /// Peers that became neighbors.
        FOUND: counter,
        /// Neighbors that left, or were displaced by nearer ones.
        LOST: counter,
    }
}

/// How many peers may be waited for at once: more than a handler ever asks.
const ASKED_MAX: usize = 64;
/// How many peers that fell silent or left are kept in mind.
const GONE_MAX: usize = 64;
/// For how many times the allowed silence they are: by then nobody's lists name them any more.
const GONE_SILENCES: u64 = 4;
/// How many candidates for random links are kept: several times the links that are sought.
const CANDIDATES_MAX: usize = 64;

/// A peer became a neighbor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NeighborFound(pub Address);

/// A peer is no longer a neighbor: it fell silent, left, or others are nearer on the ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NeighborLost(pub Address);

/// A neighbor as siblings see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Neighbor {
    /// Where it is reached.
    pub address: Address,
    /// Its position on the ring.
    pub id: RingId,
    /// Whether there is a random link to it; if not, it is a ring neighbor only.
    pub random: bool,
    /// Whether a sibling [suspected](Neighbors::suspect) it since it was last heard.
    pub suspected: bool,
}

/// Keeps random links and ring neighbors, and tells siblings which neighbors were
/// [found](NeighborFound) and [lost](NeighborLost).
///
/// Every message from a peer proves that it lives. A peer becomes a neighbor only after it was
/// heard itself, and is lost when nothing was heard from it for the time of `misses` heartbeats: at
/// most one period later.
///
/// ```
/// use peerlet_core::{Peer, SECOND, TestPeer};
/// use peerlet_overlay::{Bootstrap, Neighbors, NeighborsMessage};
///
/// let siblings = Peer::new().with(Bootstrap::default());
/// let mut peer = TestPeer::beside(siblings, Neighbors::default());
/// let other = peer.stranger(1);
/// peer.deliver(other, NeighborsMessage::Connect);
/// assert_eq!(peer.sent(), [(other, NeighborsMessage::Accept)]);
/// assert_eq!(peer.peerlet().random().collect::<Vec<_>>(), [other]);
/// peer.advance(SECOND * 4);
/// assert_eq!(peer.peerlet().all().count(), 0, "it fell silent");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Neighbors {
    config: NeighborsConfig,
    known: KnownPeers,
    /// Peers that were written to and not heard yet.
    asked: BTreeMap<Address, Asked>,
    /// Peers that fell silent or left, and until when others' word that they live is not taken.
    gone: BTreeMap<Address, Time>,
    /// Peers to try for random links.
    candidates: Vec<Address>,
    /// The neighbors that siblings were told of.
    told: BTreeSet<Address>,
    /// The timer for the next one who may have been silent for too long.
    watching: Option<TimerId>,
    /// The links of all seats, where they are laid out, and the seed that chooses them.
    layout: Layout,
    seed: Option<Seed>,
    /// The random stream of a peer whose links were laid out.
    own: Option<Rng>,
    /// How many random links are sought: those asked for, or those laid out.
    sought: usize,
}

/// A question to a peer that was not heard yet.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Time,
    connect: bool,
}

/// The timers of `Neighbors`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NeighborsTimer {
    /// Tell neighbors that this peer lives, and drop those that do not.
    Beat,
    /// Drop those who have been silent for too long by now.
    Silence,
    /// Exchange lists with one neighbor.
    Exchange,
}

impl Peerlet for Neighbors {
    const NAME: &'static str = "neighbors";
    const METRICS: &'static [Metric] = METRICS;
    type Message = NeighborsMessage;
    type Timer = NeighborsTimer;

    fn describe(about: &mut Description<Self>) {
        about
            .help("keeps random links and the nearest peers on a ring")
            .plays::<dyn PeerSampler>(|me| me)
            .hears(Neighbors::bootstrapped)
            .links(properties::links);
        for property in properties::all() {
            about.property(property);
        }
    }

    fn snapshot(&self) -> Option<String> {
        Some(properties::snapshot(self))
    }

    /// Begins anew: who was a neighbor in an older life is a stranger.
    fn start(&mut self, ctx: &mut Context<Self>) {
        let Neighbors { config, layout, seed, .. } = std::mem::take(self);
        let sought = config.random as usize;
        *self = Neighbors { config, layout, seed, sought, ..Neighbors::default() };
        self.known = KnownPeers::new(RingId::of(ctx.address()), self.config.ring as usize);
        ctx.measure(DEGREE, 0.0);
        if self.config.layout == LayoutConfig::Ring {
            self.lay_out(ctx);
        }
        // Somewhere within the first period, so that peers that began together take turns.
        let beat = part_of(self.config.heartbeat, ctx.rng());
        let exchange = part_of(self.config.exchange, ctx.rng());
        ctx.after(beat, NeighborsTimer::Beat);
        ctx.after(exchange, NeighborsTimer::Exchange);
    }

    fn stop(&mut self, ctx: &mut Context<Self>) {
        for neighbor in self.known.neighbors() {
            ctx.send(neighbor.address, NeighborsMessage::Goodbye);
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: NeighborsMessage) {
        if from == ctx.address() {
            return;
        }
        self.swap_streams(ctx);
        if message != NeighborsMessage::Goodbye {
            self.asked.remove(&from);
            self.gone.remove(&from);
            self.known.hear(from, ctx.now());
        }
        match message {
            NeighborsMessage::Heartbeat { random } => self.answer_heartbeat(ctx, from, random),
            NeighborsMessage::Exchange(peers) => {
                self.guide(ctx, from);
                self.learn(ctx, peers.bounded());
            }
            NeighborsMessage::Near(peers) => self.learn(ctx, peers.bounded()),
            NeighborsMessage::Connect => {
                if self.link(from) {
                    ctx.send(from, NeighborsMessage::Accept);
                } else {
                    self.refuse(ctx, from);
                }
            }
            NeighborsMessage::Accept => drop(self.link(from)),
            NeighborsMessage::Refuse(instead) => {
                self.known.set_random(from, false);
                let random = instead;
                self.learn(ctx, Peers { near: Vec::new(), random }.bounded());
            }
            NeighborsMessage::Goodbye if self.known.knows(from) => self.lose(from, ctx.now()),
            NeighborsMessage::Goodbye => {}
        }
        self.tell(ctx);
        self.swap_streams(ctx);
    }

    fn timer(&mut self, ctx: &mut Context<Self>, timer: NeighborsTimer) {
        self.swap_streams(ctx);
        match timer {
            NeighborsTimer::Beat => {
                ctx.after(self.config.heartbeat, NeighborsTimer::Beat);
                self.drop_silent(ctx.now());
                self.seek(ctx);
                self.tell(ctx);
                self.watch_silence(ctx);
                debug_assert!(self.known.is_sound(self.config.accepted_max()), "{:?}", self.known);
                debug_assert!(!self.known.knows(ctx.address()), "nobody is their own neighbor");
                for Neighbor { address, random, .. } in self.known.neighbors() {
                    ctx.send(address, NeighborsMessage::Heartbeat { random });
                }
            }
            NeighborsTimer::Silence => {
                self.drop_silent(ctx.now());
                self.tell(ctx);
                self.watch_silence(ctx);
            }
            NeighborsTimer::Exchange => {
                ctx.after(self.config.exchange, NeighborsTimer::Exchange);
                if let Some(partner) = self.partner(ctx.rng()) {
                    self.exchange(ctx, partner);
                }
            }
        }
        self.swap_streams(ctx);
    }
}

/// The queries of siblings.
impl Neighbors {
    /// All neighbors, in order of their addresses.
    pub fn all(&self) -> impl Iterator<Item = Neighbor> {
        self.known.neighbors()
    }

    /// One neighbor, chosen uniformly; `None` while there is none.
    pub fn any(&self, rng: &mut Rng) -> Option<Address> {
        let all: Vec<Address> = self.all().map(|neighbor| neighbor.address).collect();
        rng.choose(&all).copied()
    }

    /// The neighbors by random links.
    pub fn random(&self) -> impl Iterator<Item = Address> {
        self.known.random()
    }

    /// The ring neighbors clockwise, the nearest first.
    pub fn successors(&self) -> impl Iterator<Item = Address> {
        self.known.successors()
    }

    /// The ring neighbors counterclockwise, the nearest first.
    pub fn predecessors(&self) -> impl Iterator<Item = Address> {
        self.known.predecessors()
    }

    /// The neighbor nearest to a key; `None` where none is nearer than this peer.
    pub fn nearest(&self, key: RingId) -> Option<Address> {
        let nearest = self.all().min_by_key(|neighbor| neighbor.id.closeness(key))?;
        nearest.id.is_nearer(key, self.known.me()).then_some(nearest.address)
    }

    /// A sibling waits in vain for this peer: until it is heard again, all siblings can see that
    /// others are preferable. It stays a neighbor, since usually only a message was lost.
    pub fn suspect(&mut self, peer: Address) {
        self.known.suspect(peer);
    }

    /// Drops this peer at once, and for some time does not believe others that it lives.
    pub fn forget(&mut self, ctx: &mut Context<Self>, peer: Address) {
        self.lose(peer, ctx.now());
        self.tell(ctx);
    }
}

impl PeerSampler for Neighbors {
    fn sample(&self, rng: &mut Rng, count: usize, into: &mut Vec<Address>) {
        let before = into.len();
        into.extend(self.all().map(|neighbor| neighbor.address));
        rng.shuffle(&mut into[before..]);
        into.truncate(before.saturating_add(count));
    }

    fn known(&self) -> usize {
        self.all().count()
    }

    fn suspect(&mut self, _: &mut RoleContext, peer: Address) {
        self.known.suspect(peer);
    }
}

/// Links that are laid out.
impl Neighbors {
    /// Takes the links that the layout has for this seat, as if all had just been heard.
    ///
    /// # Panics
    /// Panics when the address of a seat is not known, so that this peer's links cannot be.
    fn lay_out(&mut self, ctx: &mut Context<Self>) {
        let seed = self.seed.unwrap_or(Seed::new(0));
        let links = self.layout.links(ctx.seats(), ctx.seat(), seed, &self.config);
        let Links { ring, random } = links.unwrap_or_else(|seat| {
            panic!(
                "`neighbors` has the layout `ring`, which needs the address of every seat when a \
                 peer starts, and that of seat {} is not known; run all seats in one process, or \
                 let the overlay grow",
                seat.0
            )
        });
        let now = ctx.now();
        ring.iter().chain(&random).for_each(|peer| self.known.hear(*peer, now));
        random.iter().for_each(|peer| self.known.set_random(*peer, true));
        self.sought = random.len();
        self.own = Some(Seed::new(ctx.rng().bits()).rng());
        // Siblings hear of it when all of them have started.
        ctx.after(Duration::ZERO, NeighborsTimer::Silence);
    }

    /// Puts the stream of a peer whose links were laid out into the place of its peer's, or back.
    /// This peerlet takes as many samples as the messages that come make it take. Its siblings' own
    /// samples do not depend on that, and so are the same in every world.
    fn swap_streams(&mut self, ctx: &mut Context<Self>) {
        if let Some(own) = &mut self.own {
            std::mem::swap(own, ctx.rng());
        }
    }
}

/// The ring.
impl Neighbors {
    /// The peers to tell another one: those known near it, and some random ones.
    fn peers_for(&self, peer: Address, rng: &mut Rng) -> Peers {
        let side = self.config.ring as usize + 2;
        let near = self.known.nearest(RingId::of(peer), side, peer);
        Peers { near, random: self.some_random(peer, rng) }
    }

    fn some_random(&self, except: Address, rng: &mut Rng) -> Vec<Address> {
        let mut random: Vec<Address> = self.known.random().filter(|peer| *peer != except).collect();
        rng.shuffle(&mut random);
        random.truncate(SAMPLE_MAX);
        random
    }

    fn exchange(&self, ctx: &mut Context<Self>, partner: Address) {
        let peers = self.peers_for(partner, ctx.rng());
        ctx.send(partner, NeighborsMessage::Exchange(peers));
    }

    /// Tells a peer whom this one knows near it.
    fn guide(&self, ctx: &mut Context<Self>, peer: Address) {
        let peers = self.peers_for(peer, ctx.rng());
        ctx.send(peer, NeighborsMessage::Near(peers));
    }

    /// With whom to exchange: mostly with ring neighbors, which know best who is near, and in one
    /// of four cases with a random one, by which separate rings become one.
    fn partner(&self, rng: &mut Rng) -> Option<Address> {
        let ring: Vec<Address> = self.known.ring().collect();
        let random: Vec<Address> = self.known.random().collect();
        let (first, second) = if rng.below(4) == 0 { (random, ring) } else { (ring, random) };
        rng.choose(&first).or_else(|| rng.choose(&second)).copied()
    }

    /// Others told of these peers. Those that would be ring neighbors are asked whether they live,
    /// and whom they know that is nearer still: a newcomer finds its position in a few round trips.
    fn learn(&mut self, ctx: &mut Context<Self>, peers: Peers) {
        let (me, now) = (ctx.address(), ctx.now());
        for peer in &peers.random {
            self.remember(ctx.rng(), me, *peer);
        }
        let told = peers.near.into_iter().chain(peers.random);
        let fresh = told.map(|peer| (RingId::of(peer), peer)).filter(|(id, peer)| {
            *peer != me
                && self.known.improves(*id)
                && !self.known.knows(*peer)
                && !self.asked.contains_key(peer)
                && !self.is_gone(*peer, now)
        });
        let mut fresh = clockwise_from(self.known.me(), fresh);
        fresh.dedup();
        let side = self.config.ring as usize;
        let (first, last) = (side.min(fresh.len()), fresh.len().saturating_sub(side).max(side));
        for (_, peer) in fresh[..first].iter().chain(fresh.get(last..).unwrap_or_default()) {
            if self.ask(*peer, now, false) {
                self.exchange(ctx, *peer);
            }
        }
    }

    fn bootstrapped(&mut self, ctx: &mut Context<Self>, found: &Bootstrapped) {
        self.swap_streams(ctx);
        let me = ctx.address();
        for peer in &found.peers {
            // News, and seldom: worth a question to a peer that was gone, which may be back.
            self.gone.remove(peer);
            self.remember(ctx.rng(), me, *peer);
        }
        self.learn(ctx, Peers { near: found.peers.clone(), random: Vec::new() });
        self.seek(ctx);
        self.swap_streams(ctx);
    }
}

/// Random links.
impl Neighbors {
    /// Keeps a candidate for a random link, in the place of any other when there is no room.
    fn remember(&mut self, rng: &mut Rng, me: Address, peer: Address) {
        if peer == me || self.candidates.contains(&peer) {
            return;
        }
        if self.candidates.len() < CANDIDATES_MAX {
            self.candidates.push(peer);
        } else {
            let index = rng.index(CANDIDATES_MAX);
            self.candidates[index] = peer;
        }
    }

    /// Asks candidates for random links until enough are on their way.
    fn seek(&mut self, ctx: &mut Context<Self>) {
        let now = ctx.now();
        let asked = self.asked.values().filter(|asked| asked.connect).count();
        let mut missing = self.sought.saturating_sub(self.known.random().count() + asked);
        while missing > 0 && !self.candidates.is_empty() {
            let index = ctx.rng().index(self.candidates.len());
            let peer = self.candidates.swap_remove(index);
            if !self.known.is_random(peer) && !self.is_gone(peer, now) && self.ask(peer, now, true)
            {
                ctx.send(peer, NeighborsMessage::Connect);
                missing -= 1;
            }
        }
    }

    /// Makes a random link to a peer that was just heard; false where there is no room.
    fn link(&mut self, peer: Address) -> bool {
        if !self.known.is_random(peer) {
            let room = self.known.random().count() < self.config.accepted_max();
            self.known.set_random(peer, room);
        }
        self.known.is_random(peer)
    }

    /// A neighbor by only one side's account is made one by both, or told so.
    fn answer_heartbeat(&mut self, ctx: &mut Context<Self>, from: Address, random: bool) {
        if random && !self.link(from) {
            self.refuse(ctx, from);
        } else if !self.known.is_neighbor(from) {
            self.guide(ctx, from);
        }
    }

    fn refuse(&self, ctx: &mut Context<Self>, peer: Address) {
        let instead = self.some_random(peer, ctx.rng());
        ctx.send(peer, NeighborsMessage::Refuse(instead));
    }
}

/// Liveness.
impl Neighbors {
    /// Notes that a peer is about to be written to; false where it was or there is no room.
    fn ask(&mut self, peer: Address, at: Time, connect: bool) -> bool {
        if self.asked.len() >= ASKED_MAX || self.asked.contains_key(&peer) {
            return false;
        }
        self.asked.insert(peer, Asked { at, connect });
        true
    }

    /// A neighbor that would be silent for too long before the next beat is looked at in time: it
    /// is lost after `misses` heartbeats, and not up to one later.
    fn watch_silence(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.watching.take() {
            ctx.cancel(timer);
        }
        let until = self.known.silent_at(self.config.silence_max()).map(|at| at - ctx.now());
        if let Some(wait) = until.filter(|wait| *wait < self.config.heartbeat) {
            self.watching = Some(ctx.after(wait, NeighborsTimer::Silence));
        }
    }

    fn drop_silent(&mut self, now: Time) {
        let silence = self.config.silence_max();
        for peer in self.known.silent(now, silence) {
            if self.known.is_neighbor(peer) {
                self.lose(peer, now)
            } else {
                self.known.remove(peer)
            }
        }
        let unheard = self.asked.iter().filter(|(_, asked)| now.since(asked.at) > silence);
        for peer in unheard.map(|(peer, _)| *peer).collect::<Vec<_>>() {
            self.lose(peer, now);
        }
        self.gone.retain(|_, until| *until > now);
    }

    fn is_gone(&self, peer: Address, now: Time) -> bool {
        self.gone.get(&peer).is_some_and(|until| *until > now)
    }

    fn lose(&mut self, peer: Address, now: Time) {
        self.known.remove(peer);
        self.asked.remove(&peer);
        if self.gone.len() >= GONE_MAX {
            let soonest = self.gone.iter().min_by_key(|(_, until)| **until).map(|(peer, _)| *peer);
            soonest.map(|peer| self.gone.remove(&peer));
        }
        self.gone.insert(peer, now + self.config.silence_max() * GONE_SILENCES);
    }

    /// Tells siblings how the neighbors differ from those that they were told of.
    fn tell(&mut self, ctx: &mut Context<Self>) {
        if !self.known.take_changed() {
            return;
        }
        let now = self.all().map(|neighbor| neighbor.address).collect();
        let told = std::mem::replace(&mut self.told, now);
        for lost in told.difference(&self.told) {
            ctx.emit(NeighborLost(*lost));
            ctx.measure(LOST, 1.0);
        }
        for found in self.told.difference(&told) {
            ctx.emit(NeighborFound(*found));
            ctx.measure(FOUND, 1.0);
        }
        ctx.measure(DEGREE, self.told.len() as f64);
    }
}

/// A random part of a period.
fn part_of(period: Duration, rng: &mut Rng) -> Duration {
    Duration::from_nanos(rng.below(period.as_nanos()))
}

impl Configured for Neighbors {
    type Config = NeighborsConfig;

    fn with_config(config: NeighborsConfig) -> Neighbors {
        Neighbors { config, ..Neighbors::default() }
    }

    fn seeded(self, seed: Seed) -> Neighbors {
        Neighbors { seed: Some(seed), ..self }
    }
}
