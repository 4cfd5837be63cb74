//! A run inside a program: its peers are reached from outside, between their events.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use peerlet_core::runtime::{Act, Directive};
use peerlet_core::{Address, Contact, Context, Identity, Peerlet, Seat, Task};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::error::LiveError;
use crate::live::begin;
use crate::outcome::LiveOutcome;
use crate::panics::FirstPanic;
use crate::process::Process;
use crate::setup::LiveSetup;
use crate::shard::{Call, PeerError, Shard, ShardStats};

/// Events that wait for a reader unless it asks for another number.
pub const EVENTS_MAX: usize = 1_024;

/// How long after a call was dropped a panic is waited for, in milliseconds.
const PANIC_KNOWN_MILLIS: u32 = 50;

/// Starts a run, and returns when its peers are about to live: a process of several first waits
/// for the others.
///
/// It goes on in tasks of its own. Must be called within a multi-threaded tokio runtime.
///
/// # Errors
/// As [`run`](crate::run), for what goes wrong before peers live.
pub async fn start(setup: LiveSetup, directives: Vec<Directive>) -> Result<LiveRun, LiveError> {
    let (stop, stopped) = watch::channel(false);
    // From here on a caller that waits no more leaves nothing running.
    let stop = Stop(stop);
    let mut begun = begin(setup, directives, stopped).await?;
    let (mut zero, shards, own) = (begun.zero(), begun.calls(), begun.own.clone());
    let (panic, stopping) = (begun.first_panic(), stop.0.subscribe());
    let peers = Peers { shards: shards.into(), own: Arc::new(own), panic, stopping };
    let mut ended = tokio::spawn(begun.end());
    let lives = async {
        // Without a sender the run is over, and says why.
        if let Ok(zero) = zero.wait_for(Option::is_some).await {
            let zero = zero.unwrap_or_else(std::time::Instant::now);
            sleep_until(Instant::from_std(zero)).await;
            peers.until_begun().await;
        }
    };
    tokio::select! {
        biased;
        early = &mut ended => {
            let outcome = early.unwrap_or_else(|error| Err(lost(&error)));
            let outcome = outcome?;
            Ok(LiveRun { peers, stop, ended: None, outcome: Some(outcome) })
        }
        () = lives => Ok(LiveRun { peers, stop, ended: Some(ended), outcome: None }),
    }
}

/// The runtime was shut down around a run.
fn lost(error: &tokio::task::JoinError) -> LiveError {
    LiveError::Lost(error.to_string())
}

/// Stops a run when it is dropped.
struct Stop(watch::Sender<bool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

/// A run under way. Dropped, it stops in order, in the background.
pub struct LiveRun {
    peers: Peers,
    stop: Stop,
    ended: Option<JoinHandle<Result<LiveOutcome, LiveError>>>,
    /// Where it was over at once.
    outcome: Option<LiveOutcome>,
}

impl LiveRun {
    /// The peers of this process.
    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    /// Stops all peers in order, lets what they sent reliably arrive for at most 2 s, and returns
    /// what came of the run.
    ///
    /// # Errors
    /// When something in the run panicked.
    pub async fn stop(self) -> Result<LiveOutcome, LiveError> {
        self.stop.0.send_replace(true);
        self.ended().await
    }

    /// Waits until the run is over: at its end, or after a panic.
    ///
    /// # Errors
    /// As [`stop`](LiveRun::stop).
    pub async fn ended(mut self) -> Result<LiveOutcome, LiveError> {
        if let Some(outcome) = self.outcome.take() {
            return Ok(outcome);
        }
        let ended = self.ended.take().expect("a run ends once");
        ended.await.unwrap_or_else(|error| Err(lost(&error)))
    }
}

/// The peers of one process, for the program around their run. Clones reach the same peers.
#[derive(Clone)]
pub struct Peers {
    shards: Arc<[mpsc::Sender<Call>]>,
    own: Arc<Process>,
    /// The panic that ended the run.
    panic: FirstPanic,
    /// Whether the program stops the run.
    stopping: watch::Receiver<bool>,
}

impl Peers {
    /// The identity of the process.
    pub fn identity(&self) -> Identity {
        self.own.identity()
    }

    /// The address at which the peer in this seat is reached; `None` where this process has no such
    /// seat.
    pub fn address(&self, seat: Seat) -> Option<Address> {
        let mut seats = self.own.seats();
        let (seat, socket) = seats.find(|(own, _)| *own == seat)?;
        Some(Address::new(socket, seat.0))
    }

    /// The address of the peer in this seat with the identity of the process.
    pub fn contact(&self, seat: Seat) -> Option<Contact> {
        let (address, identity) = (self.address(seat)?, self.identity());
        Some(Contact { address, identity })
    }

    /// Calls a closure on the peerlet of type `P` in this seat, with its context, between two
    /// events of the peer, and returns its result. The shard wakes up at once.
    ///
    /// A closure that was queued runs even if this future is dropped. It must not block: its shard
    /// runs nothing else meanwhile. One that takes more than 100 ms is counted and named, as a
    /// handler is.
    ///
    /// # Errors
    /// When the peer does not run, is paused or has no such peerlet, and when the run is over.
    pub async fn with<P: Peerlet, R: Send + 'static>(
        &self,
        seat: Seat,
        closure: impl FnOnce(&mut P, &mut Context<'_, '_, P>) -> R + Send + 'static,
    ) -> Result<R, PeerError> {
        self.ask(seat, move |shard| shard.call(seat, closure)).await
    }

    /// Runs a task in the peer in this seat, and waits for its output. It ends with the life of the
    /// peer; where this future is dropped, it goes on, and its output is lost.
    ///
    /// # Errors
    /// As [`with`](Peers::with), and when the peer stops before the task is over.
    pub async fn run<P: Peerlet, F, T>(
        &self,
        seat: Seat,
        task: impl FnOnce(Task<P>) -> F + Send + 'static,
    ) -> Result<T, PeerError>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        self.with(seat, move |_: &mut P, ctx| {
            ctx.spawn(|own| {
                let running = task(own);
                async move {
                    let output = running.await;
                    tell.send(output).ok();
                }
            });
        })
        .await?;
        told.await.map_err(|_| match self.over() {
            Some(panicked @ PeerError::Panicked(_)) => panicked,
            _ => PeerError::TaskEnded(seat),
        })
    }

    /// Reads the local events of type `E` that peers of this process emit from now on.
    ///
    /// At most [`EVENTS_MAX`] wait for the reader; it hears of those beyond by
    /// [`lost`](Events::lost), and peers never wait for it.
    ///
    /// # Errors
    /// When the run is over.
    pub async fn events<E: Clone + Send + 'static>(&self) -> Result<Events<E>, PeerError> {
        self.events_within(EVENTS_MAX).await
    }

    /// As [`events`](Peers::events), with room for another number of them, at least one.
    ///
    /// # Errors
    /// As [`events`](Peers::events).
    pub async fn events_within<E: Clone + Send + 'static>(
        &self,
        room: usize,
    ) -> Result<Events<E>, PeerError> {
        let (send, waiting) = mpsc::channel(room.max(1));
        let lost = Arc::new(AtomicU64::new(0));
        for shard in 0..self.shards.len() {
            let (send, lost) = (send.clone(), lost.clone());
            self.ask_shard(shard, move |shard| {
                let seats = shard.seats.clone();
                let reader = send.clone();
                let is_wanted = move || !reader.is_closed();
                shard.host.tap(is_wanted, move |row, event: &E| {
                    let sent = send.try_send((seats[row], event.clone()));
                    let is_full = matches!(sent, Err(mpsc::error::TrySendError::Full(_)));
                    lost.fetch_add(u64::from(is_full), Ordering::Relaxed);
                });
                Ok(())
            })
            .await?;
        }
        Ok(Events { waiting, lost })
    }

    /// Does to the peer in this seat what a scenario's event can do.
    ///
    /// # Errors
    /// When there is no such seat, and when the run is over.
    pub async fn act(&self, seat: Seat, act: Act) -> Result<(), PeerError> {
        self.ask(seat, move |shard| shard.act(seat, act)).await
    }

    /// What happened in the peers of this process so far.
    ///
    /// # Errors
    /// When the run is over.
    pub async fn stats(&self) -> Result<ShardStats, PeerError> {
        let mut all = self.ask_shard(0, |shard| Ok(shard.stats())).await?;
        for shard in 1..self.shards.len() {
            all.add(&self.ask_shard(shard, |shard| Ok(shard.stats())).await?);
        }
        Ok(all)
    }

    /// Waits until all shards have done what is due by now: the starts at time zero.
    async fn until_begun(&self) {
        for shard in 0..self.shards.len() {
            while let Ok(false) = self.ask_shard(shard, |shard| Ok(shard.has_begun())).await {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Asks the shard of a seat.
    async fn ask<R: Send + 'static>(
        &self,
        seat: Seat,
        question: impl FnOnce(&mut Shard) -> Result<R, PeerError> + Send + 'static,
    ) -> Result<R, PeerError> {
        self.ask_shard(seat.index() % self.shards.len().max(1), question).await
    }

    async fn ask_shard<R: Send + 'static>(
        &self,
        shard: usize,
        question: impl FnOnce(&mut Shard) -> Result<R, PeerError> + Send + 'static,
    ) -> Result<R, PeerError> {
        let (tell, told) = oneshot::channel();
        let call: Call = Box::new(move |shard| {
            // Whoever asked may have stopped waiting.
            tell.send(question(shard)).ok();
        });
        let Some(channel) = self.shards.get(shard) else { return Err(PeerError::Stopped) };
        if channel.send(call).await.is_err() {
            return Err(self.ended().await);
        }
        match told.await {
            Ok(answer) => answer,
            Err(_) => Err(self.ended().await),
        }
    }

    /// Why a run that is over answers nobody. A panic is known a moment after it dropped a call.
    async fn ended(&self) -> PeerError {
        for _ in 0..PANIC_KNOWN_MILLIS {
            if let Some(why) = self.over() {
                return why;
            }
            if *self.stopping.borrow() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        PeerError::Stopped
    }

    fn over(&self) -> Option<PeerError> {
        self.panic.get().map(|what| PeerError::Panicked(what.clone()))
    }
}

/// Local events of the peers of a process, for one reader.
pub struct Events<E> {
    waiting: mpsc::Receiver<(Seat, E)>,
    lost: Arc<AtomicU64>,
}

impl<E> Events<E> {
    /// The next event, with the seat whose peer emitted it; `None` when the run is over. Nothing is
    /// lost when this future is dropped.
    pub async fn next(&mut self) -> Option<(Seat, E)> {
        self.waiting.recv().await
    }

    /// How many events found no room since the last time that this was asked.
    pub fn lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}
