//! A live run: this process's peers, from binding the sockets to adding everything up.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use peerlet_core::{
    Directive, Duration, Host, MILLISECOND, Map, Need, Peer, Registry, SECOND, Seat, Seed,
    StackError, Time,
};
use peerlet_measure::{Epochs, EpochsError, Ledger, Measures, MetricEntry, Recorder};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::watch;

use crate::counters::Counters;
use crate::frame::Tag;
use crate::key::ProcessKey;
use crate::pair::{PairConfig, Pairs};
use crate::quic::QuicTransport;
use crate::seats::SeatMap;
use crate::shard::{Build, Ground, Shard, ShardOutcome, Timers};
use crate::transport::{BindError, Transport};
use crate::udp::UdpTransport;

/// Which sockets a run uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sockets {
    /// QUIC: both classes of delivery, identities.
    Quic,
    /// Plain UDP: datagrams only, for loopback and closed networks.
    Udp {
        /// Whether everybody who can reach the sockets is trusted; without it, loopback only.
        closed_network: bool,
    },
}

impl Sockets {
    /// What these sockets give to peerlets that need something.
    pub const fn gives(self) -> &'static [Need] {
        match self {
            Sockets::Quic => &[Need::Reliable],
            Sockets::Udp { .. } => &[],
        }
    }
}

/// What a live run is made of, but for what the environment does to its seats.
pub struct LiveSetup {
    /// The experiment's name: processes of different experiments never mix.
    pub name: String,
    /// The number of seats.
    pub seats: u32,
    /// How long it runs, from time zero.
    pub duration: Duration,
    /// Builds the stack of a seat's peer.
    pub build: Build,
    /// The peerlet types, when they are known; otherwise every seat's stack is built once.
    pub registry: Option<Arc<Registry>>,
    /// Where behavior's randomness begins; the operating system decides where it is not given.
    pub seed: Option<u64>,
    /// The sockets. Default: QUIC.
    pub sockets: Sockets,
    /// Where the first shard binds; shard k binds k ports higher, or any port where this one is 0.
    /// Default: a free port of 127.0.0.1.
    pub bind: SocketAddr,
    /// How many shards, each a task with a socket of its own. Seat s lives on shard s mod shards.
    /// Default 1.
    pub shards: u32,
    /// The process's key. Default: a new one.
    pub key: Option<ProcessKey>,
    /// The length of an epoch. Default 10 s.
    pub epoch: Duration,
    /// From when on values count in the summary. Default: time zero.
    pub from: Time,
    /// After how long without success a reliable connection gives up. Default 10 s, the same value
    /// as simulated.
    pub connection_timeout: Duration,
}

impl LiveSetup {
    /// A setup with the defaults named at the fields.
    pub fn new(
        name: impl Into<String>,
        seats: u32,
        duration: Duration,
        build: impl Fn(Seat) -> Peer + Send + Sync + 'static,
    ) -> LiveSetup {
        LiveSetup {
            name: name.into(),
            seats,
            duration,
            build: Arc::new(build),
            registry: None,
            seed: None,
            sockets: Sockets::Quic,
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            shards: 1,
            key: None,
            epoch: SECOND * 10,
            from: Time::ZERO,
            connection_timeout: SECOND * 10,
        }
    }

    fn checked_registry(&self) -> Result<Arc<Registry>, StackError> {
        let registry = match &self.registry {
            Some(registry) => registry.clone(),
            None => {
                let mut registry = Registry::new();
                for seat in 0..self.seats {
                    registry.add(&(self.build)(Seat(seat)))?;
                }
                Arc::new(registry)
            }
        };
        registry.check_needs(self.sockets.gives())?;
        Ok(registry)
    }
}

/// Why a live run cannot begin.
#[derive(Debug)]
#[non_exhaustive]
pub enum LiveError {
    /// A stack cannot run on these sockets.
    Stack(StackError),
    /// The epochs do not fit the run.
    Epochs(EpochsError),
    /// A socket cannot be bound.
    Bind(BindError),
    /// The tokio runtime cannot be made.
    Runtime(std::io::Error),
}

impl fmt::Display for LiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LiveError::Stack(error) => error.fmt(f),
            LiveError::Epochs(error) => error.fmt(f),
            LiveError::Bind(error) => error.fmt(f),
            LiveError::Runtime(error) => write!(f, "no threads can be made: {error}"),
        }
    }
}

impl std::error::Error for LiveError {}

impl From<StackError> for LiveError {
    fn from(error: StackError) -> LiveError {
        LiveError::Stack(error)
    }
}

impl From<EpochsError> for LiveError {
    fn from(error: EpochsError) -> LiveError {
        LiveError::Epochs(error)
    }
}

impl From<BindError> for LiveError {
    fn from(error: BindError) -> LiveError {
        LiveError::Bind(error)
    }
}

/// What came out of a live run.
pub struct LiveOutcome {
    /// The accounts of all messages. `in_flight` holds those that are unaccounted for.
    pub ledger: Ledger,
    /// What was measured, epoch by epoch.
    pub measures: Measures,
    /// What the sockets and the pairs dropped, by cause: garbage, frames of other experiments and
    /// so on.
    pub counters: Counters,
    /// Answers that came when nobody waited for them any more.
    pub late_answers: u64,
    /// Lifecycle events that did nothing.
    pub idle_directives: u64,
    /// Events that peers handled.
    pub events: u64,
    /// How long it ran.
    pub end: Time,
}

/// Runs all seats in this process to the end, or until `stop` becomes true: then peers stop in
/// order.
///
/// Must be called within a multi-threaded tokio runtime; its threads carry the shards.
///
/// # Errors
/// When a stack cannot run on these sockets, or one of them cannot be bound. Nothing has run then.
pub async fn run(
    mut setup: LiveSetup,
    directives: Vec<Directive>,
    stop: watch::Receiver<bool>,
) -> Result<LiveOutcome, LiveError> {
    let registry = setup.checked_registry()?;
    let end = Time::ZERO + setup.duration;
    let epochs = Epochs::new(setup.epoch, setup.from..end)?;
    let seats = Arc::new(SeatMap::new(setup.seats, &directives));
    let shards = setup.shards.max(1);
    let key = setup.key.take().unwrap_or_else(ProcessKey::generate);
    let mut transports = Vec::new();
    for shard in 0..shards {
        let transport = bind(&setup, &key, shard).await?;
        let socket = transport.local_addr();
        for seat in (shard..setup.seats).step_by(shards as usize) {
            seats.set(Seat(seat), socket);
        }
        transports.push(transport);
    }
    let parts = Parts { setup: &setup, registry, epochs, seats, key, end };
    // All sockets are bound: a moment for the tasks to begin, and time is zero.
    let zero = Instant::now() + std::time::Duration::from(MILLISECOND * 20);
    let mut by_shard: Vec<Vec<Directive>> = vec![Vec::new(); shards as usize];
    for directive in directives {
        by_shard[(directive.seat.0 % shards) as usize].push(directive);
    }
    let tasks: Vec<_> = (0..shards)
        .zip(transports)
        .zip(by_shard)
        .map(|((shard, transport), directives)| {
            let shard = parts.shard(shard, shards, transport, directives, zero);
            tokio::spawn(shard.run(stop.clone()))
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        match task.await {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    Ok(add_up(outcomes, end.min(Time::ZERO + Duration::from(zero.elapsed()))))
}

async fn bind(
    setup: &LiveSetup,
    key: &ProcessKey,
    shard: u32,
) -> Result<Box<dyn Transport>, BindError> {
    let mut at = setup.bind;
    if at.port() != 0 {
        at.set_port(at.port().saturating_add(shard as u16));
    }
    Ok(match setup.sockets {
        Sockets::Quic => Box::new(QuicTransport::bind(key.copy(), at)?),
        Sockets::Udp { closed_network } => Box::new(UdpTransport::bind(at, closed_network).await?),
    })
}

/// What all shards of a process share.
struct Parts<'a> {
    setup: &'a LiveSetup,
    registry: Arc<Registry>,
    epochs: Epochs,
    seats: Arc<SeatMap>,
    key: ProcessKey,
    end: Time,
}

impl Parts<'_> {
    fn shard(
        &self,
        shard: u32,
        shards: u32,
        transport: Box<dyn Transport>,
        directives: Vec<Directive>,
        zero: Instant,
    ) -> Shard {
        let names: Vec<_> = self.registry.entries().iter().map(|entry| entry.name()).collect();
        let tag = Tag::of(&self.setup.name, &names);
        let metrics = self.registry.metrics().iter().map(|(name, metric)| {
            let peerlet = name.split_once('/').map_or(name.as_str(), |(peerlet, _)| peerlet);
            MetricEntry::new(peerlet, *metric)
        });
        let mut config = PairConfig::new(tag, random() as u32);
        config.timeout = self.setup.connection_timeout;
        let seats: Vec<_> = (shard..self.setup.seats).step_by(shards as usize).map(Seat).collect();
        let ground = Ground {
            now: Time::ZERO,
            socket: transport.local_addr(),
            identity: self.key.identity(),
            tag,
            seed: Seed::new(self.setup.seed.unwrap_or_else(random)),
            secrets: SystemRandom::new(),
            seats: self.seats.clone(),
            timers: Timers::default(),
            soon: Default::default(),
            outbox: Vec::new(),
            pairs: Pairs::new(config),
            refused: Map::default(),
            ledger: Ledger::default(),
            recorder: Recorder::new(metrics.collect(), self.epochs),
        };
        Shard {
            host: Host::new(self.registry.clone(), seats.len()),
            seats,
            ground,
            transport,
            build: self.setup.build.clone(),
            directives: directives.into_iter().peekable(),
            zero,
            end: self.end,
            counters: Counters::default(),
            idle_directives: 0,
            events: 0,
        }
    }
}

/// Sixty-four bits from the operating system.
fn random() -> u64 {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).expect("the operating system has randomness");
    u64::from_le_bytes(bytes)
}

fn add_up(outcomes: Vec<ShardOutcome>, end: Time) -> LiveOutcome {
    let mut outcomes = outcomes.into_iter();
    let first = outcomes.next().expect("there is at least one shard");
    let mut all = LiveOutcome {
        ledger: first.ledger,
        measures: first.measures,
        counters: first.counters,
        late_answers: first.late_answers,
        idle_directives: first.idle_directives,
        events: first.events,
        end,
    };
    for outcome in outcomes {
        all.ledger.add(&outcome.ledger);
        all.measures.merge(&outcome.measures);
        all.counters.merge(&outcome.counters);
        all.late_answers += outcome.late_answers;
        all.idle_directives += outcome.idle_directives;
        all.events += outcome.events;
    }
    all.ledger.close();
    all
}
