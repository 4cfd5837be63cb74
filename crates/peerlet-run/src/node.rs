//! Live peers inside a program of anybody's: without a scenario, seats or an end.

use std::future::Future;
use std::net::SocketAddr;

use peerlet_core::runtime::{Act, Directive};
use peerlet_core::{
    Address, Contact, Context, Duration, Identity, Peer, Peerlet, Seat, Task, Time,
};
use peerlet_live::{
    Admission, Events, LiveOutcome, LiveRun, LiveSetup, Membership, OnEpoch, PeerError, Peers,
    ProcessKey, Secret, ShardStats, Sockets,
};
use peerlet_measure::{Measurements, Summary};

use crate::error::RunError;
use crate::experiment::Experiment;

impl Experiment {
    /// A node: live peers of this stack in a program that has a tokio runtime of its own.
    ///
    /// Nodes of programs whose experiments have the same name and codec, and whose stacks have the
    /// same peerlets, in the same versions and order, make up one network. There is no coordinator:
    /// a node comes and goes as it likes, and its peers learn of others by their addresses, as
    /// [`Bootstrap::through`](peerlet_overlay::Bootstrap::through) does. `ctx.seats()` is empty.
    ///
    /// The stack is built for the first life of each peer and for each life after a crash.
    pub fn node(&self, stack: impl Fn(Seat) -> Peer + Send + Sync + 'static) -> NodeBuilder {
        let mut setup = LiveSetup::new(self.name, 1, Duration::ZERO, stack);
        (setup.membership, setup.codec) = (Membership::Free, self.codec);
        NodeBuilder { setup }
    }
}

/// A node that is about to start.
///
/// ```
/// # use peerlet_core::{Context, Nothing, Peer, Peerlet};
/// # #[derive(Default)]
/// # struct Counter { count: u32 }
/// # impl Peerlet for Counter {
/// #     const NAME: &'static str = "counter";
/// #     type Message = Nothing;
/// #     type Timer = Nothing;
/// # }
/// use peerlet_run::Experiment;
///
/// # let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// let experiment = Experiment::new("counter");
/// let node = experiment.node(|_seat| Peer::new().with(Counter::default())).start().await?;
/// let count = node.with(|counter: &mut Counter, _ctx| {
///     counter.count += 1;
///     counter.count
/// });
/// assert_eq!(count.await?, 1);
/// node.stop().await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a node begins with `start`"]
pub struct NodeBuilder {
    setup: LiveSetup,
}

/// One epoch of a node, closed.
#[derive(Clone, Debug)]
pub struct Epoch {
    /// Its first instant, since the node started.
    pub from: Time,
    /// The instant that it ends before.
    pub to: Time,
    /// All metrics of it, in units.
    pub summary: Summary,
}

impl Epoch {
    fn of(measures: &Measurements) -> Option<Epoch> {
        let epoch = measures.epochs().next()?;
        Some(Epoch { from: epoch.from, to: epoch.to, summary: Summary::of(measures) })
    }
}

impl NodeBuilder {
    /// Sets the address that the socket binds; a free port of 127.0.0.1 unless set. Of several
    /// shards, the k-th binds k ports higher.
    pub fn bind(mut self, at: SocketAddr) -> Self {
        self.setup.bind = at;
        self
    }

    /// Sets the address at which others reach this node, where it is not the one that the node
    /// binds. A node that binds all addresses of the machine needs it.
    pub fn advertise(mut self, at: SocketAddr) -> Self {
        self.setup.advertise = Some(at);
        self
    }

    /// Gives the node a lasting identity, which [`ProcessKey::load_or_create`] keeps in a file; a
    /// new one for each start unless set.
    ///
    /// With a lasting one, a node that starts again at the same address is reached at once. Others
    /// take one with a new identity for somebody else: they reach it only when their connection to
    /// the former one has given up, after [`connection_timeout`](NodeBuilder::connection_timeout).
    pub fn key(mut self, key: ProcessKey) -> Self {
        self.setup.key = Some(key);
        self
    }

    /// Lets those in who have this secret, and nobody else.
    pub fn secret(mut self, secret: Secret) -> Self {
        self.setup.admission.secret = Some(secret);
        self
    }

    /// Sets who is let in; anybody unless set.
    pub fn admission(mut self, admission: Admission) -> Self {
        self.setup.admission = admission;
        self
    }

    /// Uses UDP instead of QUIC: datagrams only, without identities. Beyond loopback it needs a
    /// [secret](NodeBuilder::secret), unless everybody who can reach the socket is trusted.
    pub fn udp(mut self, closed_network: bool) -> Self {
        self.setup.sockets = Sockets::Udp { closed_network };
        self
    }

    /// Sets how many peers live in the process, in the seats from 0 on; 1 unless set.
    pub fn peers(mut self, peers: u32) -> Self {
        self.setup.seats = peers;
        self
    }

    /// Sets how many tasks share the peers, each with a socket; 1 unless set.
    pub fn shards(mut self, shards: u32) -> Self {
        self.setup.shards = shards;
        self
    }

    /// Takes the measurements of each epoch of this length when it is over, on a task of the
    /// runtime. Without it nothing is kept.
    pub fn epochs(
        mut self,
        length: impl Into<Duration>,
        mut take: impl FnMut(Epoch) + Send + 'static,
    ) -> Self {
        self.setup.epoch = length.into();
        let taken =
            move |measures: Measurements| Epoch::of(&measures).into_iter().for_each(&mut take);
        self.setup.on_epoch = Some(OnEpoch::new(taken));
        self
    }

    /// Takes lines for the user: where the node is reached, whom it keeps out. They are logged
    /// unless it is set.
    pub fn notice(mut self, take: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.setup.notice = std::sync::Arc::new(take);
        self
    }

    /// Sets after how long without success a reliable connection gives up; 10 s unless set.
    pub fn connection_timeout(mut self, timeout: impl Into<Duration>) -> Self {
        self.setup.connection_timeout = timeout.into();
        self
    }

    /// Starts the node: its sockets are bound and its peers live when this returns. Must be called
    /// within a multi-threaded tokio runtime, with timers and sockets (`enable_all`).
    ///
    /// # Errors
    /// When a stack cannot run on these sockets, one of them cannot be bound, or the runtime lacks
    /// something.
    pub async fn start(mut self) -> Result<Node, RunError> {
        if self.setup.on_epoch.is_none() {
            // They are dropped as they close.
            self.setup.on_epoch = Some(OnEpoch::new(drop));
        }
        let start = |seat| Directive { at: Time::ZERO, seat: Seat(seat), act: Act::Start };
        let directives = (0..self.setup.seats).map(start).collect();
        let run = peerlet_live::start(self.setup, directives).await.map_err(RunError::Sockets)?;
        Ok(Node { run })
    }
}

/// Live peers inside a program. Dropped, the node stops in order, in the background.
///
/// Its methods reach the peer in seat 0; [`peer`](Node::peer) reaches others.
pub struct Node {
    run: LiveRun,
}

impl Node {
    /// Who this node is: the hash of its key.
    pub fn identity(&self) -> Identity {
        self.run.peers().identity()
    }

    /// Where the node's peer is reached, and who it is: what other nodes are given to find it.
    pub fn contact(&self) -> Contact {
        self.peer(Seat(0)).contact().expect("a node has a first peer")
    }

    /// The peer in this seat.
    pub fn peer(&self, seat: Seat) -> NodePeer {
        NodePeer { peers: self.run.peers().clone(), seat }
    }

    /// Calls a closure on the peerlet of type `P`, with its context, between two events of the
    /// peer, and returns its result. The peer wakes up at once.
    ///
    /// A closure that was queued runs even if this future is dropped. It must not block: nothing
    /// else of the node runs meanwhile. One that takes more than 100 ms is counted and named
    /// ([`stats`](Node::stats)).
    ///
    /// # Errors
    /// When the peer does not run or has no such peerlet, and when the node is stopped.
    pub async fn with<P: Peerlet, R: Send + 'static>(
        &self,
        closure: impl FnOnce(&mut P, &mut Context<'_, '_, P>) -> R + Send + 'static,
    ) -> Result<R, PeerError> {
        self.run.peers().with(Seat(0), closure).await
    }

    /// Runs a task in the peer, and waits for its output. It ends with the life of the peer.
    ///
    /// # Errors
    /// As [`with`](Node::with), and when the peer stops before the task is over.
    pub async fn run<P: Peerlet, F, T>(
        &self,
        task: impl FnOnce(Task<P>) -> F + Send + 'static,
    ) -> Result<T, PeerError>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        self.run.peers().run(Seat(0), task).await
    }

    /// Reads the local events of type `E` that peers of this node emit from now on, each with its
    /// seat. 1,024 wait for a slow reader; those beyond are [counted](Events::lost).
    ///
    /// # Errors
    /// When the node is stopped.
    pub async fn events<E: Clone + Send + 'static>(&self) -> Result<Events<E>, PeerError> {
        self.run.peers().events().await
    }

    /// What happened in the node so far: events, accounts of messages, drops by cause, handlers
    /// and closures that took more than 100 ms.
    ///
    /// # Errors
    /// When the node is stopped.
    pub async fn stats(&self) -> Result<ShardStats, PeerError> {
        self.run.peers().stats().await
    }

    /// Stops the node in order: peers leave, and what they sent reliably arrives, for at most 2 s.
    ///
    /// # Errors
    /// When something in the node panicked.
    pub async fn stop(self) -> Result<LiveOutcome, RunError> {
        self.run.stop().await.map_err(RunError::Sockets)
    }

    /// Waits until the node is over, which only a panic ends.
    ///
    /// # Errors
    /// Says what panicked.
    pub async fn ended(self) -> Result<LiveOutcome, RunError> {
        self.run.ended().await.map_err(RunError::Sockets)
    }
}

/// One peer of a [`Node`], or of a run with a scenario. Clones reach the same peer.
#[derive(Clone)]
pub struct NodePeer {
    peers: Peers,
    seat: Seat,
}

impl NodePeer {
    pub(crate) fn new(peers: Peers, seat: Seat) -> NodePeer {
        NodePeer { peers, seat }
    }

    /// Where it is reached; `None` where the process has no such seat.
    pub fn address(&self) -> Option<Address> {
        self.peers.address(self.seat)
    }

    /// Where it is reached, and who its process is; `None` where the process has no such seat.
    pub fn contact(&self) -> Option<Contact> {
        self.peers.contact(self.seat)
    }

    /// As [`Node::with`].
    ///
    /// # Errors
    /// As [`Node::with`].
    pub async fn with<P: Peerlet, R: Send + 'static>(
        &self,
        closure: impl FnOnce(&mut P, &mut Context<'_, '_, P>) -> R + Send + 'static,
    ) -> Result<R, PeerError> {
        self.peers.with(self.seat, closure).await
    }

    /// As [`Node::run`].
    ///
    /// # Errors
    /// As [`Node::run`].
    pub async fn run<P: Peerlet, F, T>(
        &self,
        task: impl FnOnce(Task<P>) -> F + Send + 'static,
    ) -> Result<T, PeerError>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        self.peers.run(self.seat, task).await
    }

    /// Starts the peer again, after it stopped or crashed; does nothing where it runs.
    ///
    /// # Errors
    /// When there is no such peer, and when the run is over.
    pub async fn start(&self) -> Result<(), PeerError> {
        self.peers.act(self.seat, Act::Start).await
    }

    /// Stops the peer in order; its state is kept.
    ///
    /// # Errors
    /// As [`start`](NodePeer::start).
    pub async fn stop(&self) -> Result<(), PeerError> {
        self.peers.act(self.seat, Act::Stop).await
    }

    /// Crashes the peer: no handler runs, and its state is lost.
    ///
    /// # Errors
    /// As [`start`](NodePeer::start).
    pub async fn crash(&self) -> Result<(), PeerError> {
        self.peers.act(self.seat, Act::Crash).await
    }
}
