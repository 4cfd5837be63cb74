//! A live run: this process's peers, from binding the sockets to adding everything up.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use peerlet_core::{
    Directive, Duration, Host, Identity, MILLISECOND, Map, Need, Peer, Registry, SECOND, Seat,
    Seed, StackError, Time,
};
use peerlet_measure::{
    EpochMeasures, Epochs, EpochsError, Ledger, Measures, MetricEntry, Recorder,
};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::counters::Counters;
use crate::frame::Tag;
use crate::key::ProcessKey;
use crate::member::{
    self, Closing, JoinError, Member, Network, Process, Role, SHARDS_MAX, WAITING_MAX,
};
use crate::pair::{PairConfig, Pairs};
use crate::quic::QuicTransport;
use crate::seats::SeatMap;
use crate::shard::{Build, Ground, MemberLine, Shard, ShardOutcome, Timers, Wires};
use crate::transport::{BindError, Transport};
use crate::udp::UdpTransport;

/// From binding to time zero in a process that has all seats: enough for its tasks to begin.
const SETTLING: Duration = Duration::from_nanos(20 * MILLISECOND.as_nanos());

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

/// Takes a line for whoever runs a process.
pub type Notice = Arc<dyn Fn(&str) + Send + Sync>;

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
    /// The first and the last of the seats that live in this process. Default: all.
    pub index: Option<(u32, u32)>,
    /// Seat 0's process; given by every process but that one.
    pub join: Option<Join>,
    /// The address that others are told to reach this process by. Default: the bound one, or, where
    /// that is unspecified, the one that the first other process sees.
    pub advertise: Option<SocketAddr>,
    /// How long seat 0's process waits for others, and others for it. Default 30 s.
    pub start_within: Duration,
    /// Takes what whoever runs this should know: where the process is reached, who it joined.
    /// Default: the log.
    pub notice: Notice,
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
            index: None,
            join: None,
            advertise: None,
            start_within: SECOND * 30,
            notice: Arc::new(|line| tracing::info!("{line}")),
            epoch: SECOND * 10,
            from: Time::ZERO,
            connection_timeout: SECOND * 10,
        }
    }

    /// The first and the last seat of this process.
    fn own_seats(&self) -> (u32, u32) {
        self.index.unwrap_or((0, self.seats.saturating_sub(1)))
    }

    /// The seats of one of this process's shards: those of the process whose number is the shard's,
    /// modulo shards.
    fn seats_of(&self, shard: u32) -> Vec<Seat> {
        let (first, last) = self.own_seats();
        let mine = (first..=last).filter(|seat| seat % self.shards.max(1) == shard);
        mine.map(Seat).collect()
    }

    /// How this process takes part; `None` when it has all seats.
    fn role(&self) -> Result<Option<Role>, LiveError> {
        let (first, last) = self.own_seats();
        if first > last || last >= self.seats {
            return Err(LiveError::Index { first, last, seats: self.seats });
        }
        match (&self.join, first) {
            (Some(_), 0) => Err(LiveError::JoinsItself),
            (Some(join), _) => Ok(Some(Role::Guest { asked: join.at, expected: join.identity })),
            (None, 0) if last + 1 == self.seats => Ok(None),
            (None, 0) => Ok(Some(Role::Hub)),
            (None, _) => Err(LiveError::JoinsNobody { first }),
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

/// Seat 0's process, as another process is told of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Join {
    /// Where it is reached.
    pub at: SocketAddr,
    /// Who it must be. Without, the first one that answers is taken, told, and kept for the run.
    pub identity: Option<Identity>,
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
    /// The process's seats are none of the scenario's.
    Index {
        /// The first seat.
        first: u32,
        /// The last seat.
        last: u32,
        /// The number of seats.
        seats: u32,
    },
    /// Seat 0's process was told to join one.
    JoinsItself,
    /// A process without seat 0 was not told which one to join.
    JoinsNobody {
        /// Its first seat.
        first: u32,
    },
    /// The process cannot take part in the run.
    Join(JoinError),
}

impl fmt::Display for LiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LiveError::Stack(error) => error.fmt(f),
            LiveError::Epochs(error) => error.fmt(f),
            LiveError::Bind(error) => error.fmt(f),
            LiveError::Index { first, last, seats } => write!(
                f,
                "--index {first}-{last} does not fit the scenario's seats, 0 to {}",
                seats.saturating_sub(1)
            ),
            LiveError::JoinsItself => f.write_str(
                "--join names seat 0's process, and --index gives this process seat 0; drop one",
            ),
            LiveError::JoinsNobody { first } => write!(
                f,
                "--index begins at {first}, so seat 0 lives elsewhere; name its process with --join"
            ),
            LiveError::Join(error) => error.fmt(f),
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

impl From<JoinError> for LiveError {
    fn from(error: JoinError) -> LiveError {
        LiveError::Join(error)
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
    /// What the network as a whole came to, at seat 0's process of several.
    pub whole: Option<Whole>,
}

/// What seat 0's process knows of the whole network.
pub struct Whole {
    /// The share of seat-seconds whose measures are among these.
    pub coverage: f64,
    /// Processes that reported to the end.
    pub processes: u32,
}

/// Runs this process's seats to the end, or until `stop` becomes true: then peers stop in order.
///
/// A process with all seats begins at once. Of several, each with an [`index`](LiveSetup::index) of
/// its own, seat 0's process sets time zero when all are there, and its outcome is that of the whole
/// network; the others [join](LiveSetup::join) it, and their outcome is their own share.
///
/// Must be called within a multi-threaded tokio runtime; its threads carry the shards.
///
/// # Errors
/// When a stack cannot run on these sockets, one of them cannot be bound, or the process cannot take
/// part. No peer has lived then.
pub async fn run(
    mut setup: LiveSetup,
    directives: Vec<Directive>,
    stop: watch::Receiver<bool>,
) -> Result<LiveOutcome, LiveError> {
    let role = setup.role()?;
    let registry = setup.checked_registry()?;
    let end = Time::ZERO + setup.duration;
    let epochs = Epochs::new(setup.epoch, setup.from..end)?;
    let seats = Arc::new(SeatMap::new(setup.seats, &directives));
    let (first, last) = setup.own_seats();
    setup.shards = setup.shards.clamp(1, SHARDS_MAX as u32).min(last - first + 1);
    let key = setup.key.take().unwrap_or_else(ProcessKey::generate);
    let mut transports = Vec::new();
    for shard in 0..setup.shards {
        transports.push(bind(&setup, &key, shard).await?);
    }
    let sockets: Vec<_> = transports.iter().map(|transport| transport.local_addr()).collect();
    let own = own_process(&setup, &sockets, key.identity());
    if !own.ip().is_unspecified() {
        seats.learn(&own);
    }
    let reached = setup.advertise.unwrap_or(sockets[0]);
    (setup.notice)(&format!("reached as {}@{reached}", key.identity()));
    let parts = Parts { setup: &setup, registry, epochs, seats, key, end };
    let mut run = Run::new(&parts, stop);
    let member = role.map(|role| run.member(&parts, role, own));
    run.start(&parts, transports, directives, member.is_some());
    run.finish(member, end).await
}

/// A run under way: its shards, and what ties them together.
struct Run {
    zero: watch::Sender<Option<Instant>>,
    finish: watch::Sender<bool>,
    stop: watch::Receiver<bool>,
    epochs: Option<mpsc::UnboundedSender<EpochMeasures>>,
    line: Option<MemberLine>,
    outcomes: Vec<oneshot::Receiver<ShardOutcome>>,
    shards: Vec<JoinHandle<()>>,
}

impl Run {
    fn new(parts: &Parts<'_>, stop: watch::Receiver<bool>) -> Run {
        let (zero, finish) = (watch::channel(None).0, watch::channel(false).0);
        let shards = Vec::with_capacity(parts.setup.shards as usize);
        Run { zero, finish, stop, epochs: None, line: None, outcomes: Vec::new(), shards }
    }

    /// The member that speaks for this process, not running yet.
    fn member(&mut self, parts: &Parts<'_>, role: Role, own: Process) -> Member {
        let (hear, heard) = mpsc::channel(WAITING_MAX);
        let (say, said) = mpsc::channel(WAITING_MAX);
        let (send_epoch, epochs) = mpsc::unbounded_channel();
        self.line = Some(MemberLine { heard: hear, said });
        self.epochs = Some(send_epoch);
        if let Role::Guest { asked, expected: Some(identity) } = role {
            parts.seats.pin(asked, identity);
        }
        let nothing = Measures::new(parts.metrics(), parts.epochs);
        Member::new(member::Setup {
            role,
            own,
            tag: parts.tag(),
            seats: parts.seats.clone(),
            count: parts.setup.seats,
            shards: parts.setup.shards as usize,
            start_within: parts.setup.start_within,
            line: member::Line { heard, said: say, epochs },
            zero: self.zero.clone(),
            nothing,
            notice: parts.setup.notice.clone(),
        })
    }

    /// Starts the shards. Alone, time is zero in a moment; with others, the member says when.
    fn start(
        &mut self,
        parts: &Parts<'_>,
        transports: Vec<Box<dyn Transport>>,
        directives: Vec<Directive>,
        has_member: bool,
    ) {
        let shards = parts.setup.shards;
        let mut by_shard: Vec<Vec<Directive>> = vec![Vec::new(); shards as usize];
        for directive in directives {
            by_shard[(directive.seat.0 % shards) as usize].push(directive);
        }
        for ((shard, transport), directives) in (0..shards).zip(transports).zip(by_shard) {
            let (outcome, receiver) = oneshot::channel();
            let wires = Wires {
                zero: self.zero.subscribe(),
                stop: self.stop.clone(),
                finish: self.finish.subscribe(),
                epochs: self.epochs.clone(),
                outcome: Some(outcome),
                member: self.line.take(),
            };
            self.outcomes.push(receiver);
            let shard = parts.shard(shard, transport, directives, wires);
            self.shards.push(tokio::spawn(shard.run()));
        }
        // The shards hold the ends that count.
        self.epochs = None;
        if !has_member {
            self.zero.send_replace(Some(Instant::now() + std::time::Duration::from(SETTLING)));
        }
    }

    /// Waits for the shards, exchanges the last reports, and adds everything up.
    async fn finish(mut self, member: Option<Member>, end: Time) -> Result<LiveOutcome, LiveError> {
        let (own_end, ended) = oneshot::channel();
        let mut speaking = member.map(|member| tokio::spawn(member.run(ended)));
        let waiting = std::mem::take(&mut self.outcomes);
        let gather = async {
            let mut outcomes = Vec::new();
            for outcome in waiting {
                outcomes.extend(outcome.await);
            }
            outcomes
        };
        let outcomes = match &mut speaking {
            None => gather.await,
            Some(task) => tokio::select! {
                biased;
                outcomes = gather => outcomes,
                failed = task => {
                    self.finish.send_replace(true);
                    self.rethrow().await;
                    let Err(error) = failed.expect("a member does not panic") else {
                        unreachable!("a member speaks until its process has ended")
                    };
                    return Err(LiveError::Join(error));
                }
            },
        };
        if outcomes.len() < self.shards.len() {
            self.rethrow().await;
        }
        let ran = (*self.zero.borrow()).map_or(Time::ZERO, |zero| {
            Time::ZERO + Duration::from(Instant::now().saturating_duration_since(zero))
        });
        let mut all = add_up(outcomes, end.min(ran));
        let closing = Closing {
            ledger: all.ledger,
            events: all.events,
            late_answers: all.late_answers,
            idle_directives: all.idle_directives,
        };
        own_end.send(closing).ok();
        let network = match speaking {
            Some(task) => task.await.ok().transpose()?,
            None => None,
        };
        self.finish.send_replace(true);
        self.rethrow().await;
        if let Some(network) = network {
            all.widen(network);
        }
        all.ledger.close();
        Ok(all)
    }

    /// Waits for the shards to end; what one of them panicked with goes on from here.
    async fn rethrow(&mut self) {
        for shard in self.shards.drain(..) {
            if let Err(error) = shard.await
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }
}

/// This process as it shows itself to others.
fn own_process(setup: &LiveSetup, sockets: &[SocketAddr], identity: Identity) -> Process {
    let advertised = setup.advertise.unwrap_or(sockets[0]);
    // An advertised port is that of the first shard; the others follow it, as the bound ones do.
    let shift = match setup.advertise {
        Some(at) if at.port() != 0 => at.port().wrapping_sub(sockets[0].port()),
        _ => 0,
    };
    let ports = sockets.iter().map(|socket| socket.port().wrapping_add(shift)).collect();
    Process::new(random(), setup.own_seats(), advertised.ip(), ports, identity)
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
    fn tag(&self) -> Tag {
        let names: Vec<_> = self.registry.entries().iter().map(|entry| entry.name()).collect();
        Tag::of(&self.setup.name, &names)
    }

    fn metrics(&self) -> Arc<[MetricEntry]> {
        let metrics = self.registry.metrics().iter().map(|(name, metric)| {
            let peerlet = name.split_once('/').map_or(name.as_str(), |(peerlet, _)| peerlet);
            MetricEntry::new(peerlet, *metric)
        });
        metrics.collect()
    }

    fn shard(
        &self,
        shard: u32,
        transport: Box<dyn Transport>,
        directives: Vec<Directive>,
        wires: Wires,
    ) -> Shard {
        let tag = self.tag();
        let mut config = PairConfig::new(tag, random() as u32);
        config.timeout = self.setup.connection_timeout;
        let seats = self.setup.seats_of(shard);
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
            recorder: Recorder::new(self.metrics(), self.epochs),
        };
        Shard {
            host: Host::new(self.registry.clone(), seats.len()),
            seats,
            ground,
            transport,
            build: self.setup.build.clone(),
            directives: directives.into_iter().peekable(),
            zero: Instant::now(),
            end: self.end,
            counters: Counters::default(),
            idle_directives: 0,
            events: 0,
            wires,
            reported: 0,
            pinned: 0,
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
        whole: None,
    };
    for outcome in outcomes {
        all.ledger.add(&outcome.ledger);
        all.measures.merge(&outcome.measures);
        all.counters.merge(&outcome.counters);
        all.late_answers += outcome.late_answers;
        all.idle_directives += outcome.idle_directives;
        all.events += outcome.events;
    }
    all
}

impl LiveOutcome {
    /// Takes in what the others reported: from the share of one process to the whole network.
    fn widen(&mut self, network: Network) {
        // A process that joined keeps its own share; the whole is at seat 0's.
        let Some(coverage) = network.coverage() else { return };
        let Closing { ledger, events, late_answers, idle_directives } = network.closing;
        (self.ledger, self.events) = (ledger, events);
        (self.late_answers, self.idle_directives) = (late_answers, idle_directives);
        self.measures = network.measures;
        self.whole = Some(Whole { coverage, processes: network.processes });
    }
}
