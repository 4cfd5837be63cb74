//! A live run: this process's peers, from binding the sockets to adding everything up.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use peerlet_core::runtime::Directive;
use peerlet_core::{Duration, MILLISECOND, Time};
use peerlet_measure::Measurements;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::binding::{bind, own_process, show};
use crate::connection::Budget;
use crate::emulator::Emulator;
use crate::entropy::random;
use crate::error::{LiveError, Panicked};
use crate::kept_out::KeptOut;
use crate::key::ProcessKey;
use crate::member::{
    self, JoinError, Member, NetworkTotals, OwnEnd, OwnEpoch, Role, STRANGERS_WAITING_MAX,
    WAITING_MAX,
};
use crate::monitor::{Monitor, MonitorHandle};
use crate::outcome::{LiveOutcome, Whole, add_up};
use crate::panics::{Failure, Failures, FirstPanic, PanicPlace, caught, message_of};
use crate::parts::Parts;
use crate::process::{Process, SHARDS_MAX};
use crate::runtime::check_runtime;
use crate::seats::SeatMap;
use crate::setup::{LiveSetup, OnEpoch};
use crate::shard::{CALLS_MAX, Call, MemberHandle, ShardChannels, ShardOutcome, Undecoded};
use crate::transport::Transport;

/// From binding to time zero in a process that has all seats: enough for its tasks to begin.
const SETTLING: Duration = Duration::from_nanos(20 * MILLISECOND.as_nanos());
/// And this much more for each of its tasks.
const SETTLING_EACH: Duration = Duration::from_nanos(MILLISECOND.as_nanos() / 10);
/// How long peers have to stop in order, and what they sent to drain, when seat 0's process does
/// not have this one any more.
const STOPPING: std::time::Duration = std::time::Duration::from_secs(4);
/// How long a run that something panicked in waits for its shards: for what they have, and for the
/// end of their links.
const GIVING_UP: std::time::Duration = std::time::Duration::from_secs(1);

/// Runs this process's seats to the end, or until `stop` becomes true: then peers stop in order.
///
/// A process with all seats begins at once. Of several, each with an [`index`](LiveSetup::index) of
/// its own, seat 0's process sets time zero when all are there, and its outcome is that of the
/// whole network; the others [join](LiveSetup::join) it, and their outcome is their own share.
///
/// Must be called within a multi-threaded tokio runtime; its threads carry the shards.
///
/// # Errors
/// When a stack cannot run on these sockets, one of them cannot be bound, or the process cannot
/// take part: no peer has lived then. And when something in the run panics: then it ends at once,
/// its links are closed, and the error holds what was reached.
pub async fn run(
    setup: LiveSetup,
    directives: Vec<Directive>,
    stop: watch::Receiver<bool>,
) -> Result<LiveOutcome, LiveError> {
    begin(setup, directives, stop).await?.end().await
}

/// Begins a run: its sockets are bound and its shards wait for time zero.
pub(crate) async fn begin(
    mut setup: LiveSetup,
    directives: Vec<Directive>,
    stop: watch::Receiver<bool>,
) -> Result<Begun, LiveError> {
    check_runtime()?;
    let seed = *setup.seed.get_or_insert_with(random);
    match caught(prepare(setup, directives, stop)).await {
        Ok(begun) => begun,
        Err(payload) => {
            let message = message_of(&payload);
            Err(panicked(Failure { place: PanicPlace::Setup, message }, None, seed))
        }
    }
}

fn panicked(failure: Failure, partial: Option<LiveOutcome>, seed: u64) -> LiveError {
    let (Failure { place, message }, partial) = (failure, partial.map(Box::new));
    LiveError::Panicked(Panicked { place, message, seed, partial })
}

/// A run whose shards wait for time zero, or run.
pub(crate) struct Begun {
    run: Run,
    member: Option<Member>,
    monitor: Monitor,
    emulator: Option<Emulator>,
    kept_out: KeptOut,
    /// The process's sockets and seats, as others know them.
    pub(crate) own: Process,
    /// When the run is over.
    end: Time,
    /// The number of seats, where this process has all of them.
    alone: Option<u32>,
    seed: u64,
}

impl Begun {
    /// When time is zero, once that is known.
    pub(crate) fn zero(&self) -> watch::Receiver<Option<Instant>> {
        self.run.zero.subscribe()
    }

    /// The first panic, once there is one.
    pub(crate) fn first_panic(&self) -> FirstPanic {
        self.run.tell.first()
    }

    /// The channels by which the shards take calls, in their order.
    pub(crate) fn calls(&mut self) -> Vec<mpsc::Sender<Call>> {
        std::mem::take(&mut self.run.calls)
    }

    /// Goes through the run to its end.
    ///
    /// # Errors
    /// As [`run`].
    pub(crate) async fn end(self) -> Result<LiveOutcome, LiveError> {
        let seed = self.seed;
        match caught(self.finish()).await {
            Ok(Ok(Ended { outcome: Some(outcome), failure: None })) => Ok(outcome),
            Ok(Ok(Ended { outcome, failure })) => {
                let failure = failure.expect("a run that nothing broke has an outcome");
                Err(panicked(failure, outcome, seed))
            }
            Ok(Err(error)) => Err(error),
            Err(payload) => {
                let message = message_of(&payload);
                Err(panicked(Failure { place: PanicPlace::Setup, message }, None, seed))
            }
        }
    }

    async fn finish(self) -> Result<Ended, LiveError> {
        let Begun { run, member, monitor, emulator, kept_out, end, alone, .. } = self;
        let ended = run.finish(member, end, alone).await;
        let still = monitor.finish();
        let mut ended = ended?;
        ended.complete(still, emulator);
        if let Some(outcome) = &mut ended.outcome {
            outcome.kept_out = kept_out.lines();
        }
        Ok(ended)
    }
}

async fn prepare(
    mut setup: LiveSetup,
    directives: Vec<Directive>,
    stop: watch::Receiver<bool>,
) -> Result<Begun, LiveError> {
    let (tell, failures) = Failures::new();
    setup.notice = tell.guarding(setup.notice);
    let role = setup.role()?;
    let on_epoch = setup.on_epoch.take().filter(|_| setup.is_free());
    let registry = setup.checked_registry()?;
    let epochs = setup.epochs()?;
    let end = epochs.end();
    let seats = Arc::new(match setup.is_free() {
        true => SeatMap::free(setup.seats),
        false => SeatMap::new(setup.seats, &directives),
    });
    let (first, last) = setup.own_seats();
    setup.shards = setup.shards.clamp(1, SHARDS_MAX as u32).min(last - first + 1);
    setup.check()?;
    let key = setup.key.take().unwrap_or_else(ProcessKey::generate);
    let mut emulator = Emulator::new(&mut setup)?;
    if let Some(observer) = &setup.observer {
        observer.begin(setup.shards);
    }
    let mut transports = Vec::new();
    for shard in 0..setup.shards {
        transports.push(bind(&setup, &key, shard, emulator.as_mut()).await?);
    }
    let sockets: Vec<_> = transports.iter().map(|transport| transport.local_addr()).collect();
    let mut own = own_process(&setup, &sockets, key.identity());
    if own.ip().is_unspecified() && role.is_none() {
        // Nobody else is there: peers reach each other on this machine.
        own.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    match &emulator {
        // An emulation's sockets are known as what they say themselves.
        Some(emulator) if emulator.is_emulated() => emulator.show(&seats),
        _ => show(&setup, &own, &mut transports, &seats),
    }
    let budget = Budget::default();
    let undecoded = emulator.is_none().then(|| Undecoded::new(setup.notice.clone()));
    let kept_out = KeptOut::new(setup.notice.clone());
    for transport in &mut transports {
        transport.on_kept_out(kept_out.of_transport());
    }
    let parts =
        Parts { setup: &setup, registry, epochs, seats, key, end, budget, undecoded, kept_out };
    let mut run = Run::new(&parts, stop, tell, failures);
    let monitor = Monitor::start(Handle::current(), run.zero.subscribe());
    let monitor = monitor.map_err(LiveError::Thread)?;
    let is_alone = role.is_none() && run_is_real(&emulator);
    let member = role.map(|role| run.member(&parts, role, own.clone(), sockets));
    if let Some(emulator) = &mut emulator {
        let (measured, zero) = (setup.from..end, run.zero.subscribe());
        let quiet = emulator.begin(parts.seats.clone(), measured, zero, run.tell.clone())?;
        run.quiet = emulator.is_emulated().then_some(quiet);
    }
    if let Some(on_epoch) = on_epoch {
        run.take_epochs(&parts, on_epoch);
    }
    run.start(&parts, transports, directives, member.is_some(), &monitor.handle());
    let alone = is_alone.then_some(setup.seats);
    let (kept_out, seed) = (parts.kept_out.clone(), setup.seed.unwrap_or_default());
    Ok(Begun { run, member, monitor, emulator, kept_out, own, end, alone, seed })
}

/// A run under way: its shards, and what ties them together.
struct Run {
    zero: watch::Sender<Option<Instant>>,
    finish: watch::Sender<bool>,
    /// Whether the caller wants the run to stop.
    stop: watch::Receiver<bool>,
    /// Whether peers are to stop, for that reason or another.
    halt: watch::Sender<bool>,
    epochs: Option<mpsc::UnboundedSender<OwnEpoch>>,
    member: Option<MemberHandle>,
    /// In an emulation: whether nothing is on its way any more that departed before the end.
    quiet: Option<watch::Receiver<bool>>,
    outcomes: VecDeque<oneshot::Receiver<ShardOutcome>>,
    shards: Vec<JoinHandle<()>>,
    /// The channels by which shards take calls.
    calls: Vec<mpsc::Sender<Call>>,
    /// The channel of panics.
    tell: Failures,
    failures: mpsc::UnboundedReceiver<Failure>,
}

impl Run {
    fn new(
        parts: &Parts<'_>,
        stop: watch::Receiver<bool>,
        tell: Failures,
        failures: mpsc::UnboundedReceiver<Failure>,
    ) -> Run {
        let (zero, finish) = (watch::channel(None).0, watch::channel(false).0);
        let halt = watch::channel(*stop.borrow()).0;
        let shards = Vec::with_capacity(parts.setup.shards as usize);
        let (epochs, member, quiet, outcomes, calls) = Default::default();
        Run {
            zero,
            finish,
            stop,
            halt,
            epochs,
            member,
            quiet,
            outcomes,
            shards,
            calls,
            tell,
            failures,
        }
    }

    /// Hands each epoch that all shards have closed to a function.
    fn take_epochs(&mut self, parts: &Parts<'_>, on_epoch: OnEpoch) {
        let (send, epochs) = mpsc::unbounded_channel();
        self.epochs = Some(send);
        let empty = Measurements::new(parts.metrics(), parts.epochs);
        let taking = take_epochs(epochs, parts.setup.shards as usize, empty, on_epoch);
        let failures = self.tell.clone();
        tokio::spawn(async move {
            if let Err(payload) = caught(taking).await {
                failures.tell(PanicPlace::Epoch, &payload);
            }
        });
    }

    /// The member that speaks for this process, not running yet.
    fn member(
        &mut self,
        parts: &Parts<'_>,
        role: Role,
        own: Process,
        sockets: Vec<SocketAddr>,
    ) -> Member {
        let (hear, heard) = mpsc::channel(WAITING_MAX);
        let (overhear, strangers) = mpsc::channel(STRANGERS_WAITING_MAX);
        let (say, said) = mpsc::channel(WAITING_MAX);
        let (send_epoch, epochs) = mpsc::unbounded_channel();
        self.member = Some(MemberHandle { heard: hear, strangers: overhear, said });
        self.epochs = Some(send_epoch);
        let nothing = Measurements::new(parts.metrics(), parts.epochs);
        Member::new(member::Setup {
            role,
            own,
            sockets,
            sections: parts.setup.all_sections(&parts.registry),
            is_closed: !parts.setup.admission.is_open(),
            has_secret: parts.setup.admission.secret.is_some(),
            kept_out: parts.kept_out.clone(),
            seats: parts.seats.clone(),
            count: parts.setup.seats,
            shards: parts.setup.shards as usize,
            start_within: parts.setup.start_within,
            channels: member::MemberChannels { heard, strangers, said: say, epochs },
            zero: self.zero.clone(),
            stop: self.stop.clone(),
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
        monitor: &MonitorHandle,
    ) {
        let shards = parts.setup.shards;
        let mut by_shard: Vec<Vec<Directive>> = vec![Vec::new(); shards as usize];
        for directive in directives {
            by_shard[(directive.seat.0 % shards) as usize].push(directive);
        }
        for ((shard, transport), directives) in (0..shards).zip(transports).zip(by_shard) {
            let (outcome, receiver) = oneshot::channel();
            let (call, calls) = mpsc::channel(CALLS_MAX);
            self.calls.push(call);
            let channels = ShardChannels {
                zero: self.zero.subscribe(),
                stop: self.halt.subscribe(),
                finish: self.finish.subscribe(),
                epochs: self.epochs.clone(),
                outcome: Some(outcome),
                member: self.member.take(),
                quiet: self.quiet.clone(),
                calls,
                failures: self.tell.clone(),
            };
            self.outcomes.push_back(receiver);
            let number = shard;
            let shard = parts.shard(shard, transport, directives, channels, monitor.clone());
            let failures = self.tell.clone();
            self.shards.push(tokio::spawn(async move {
                if let Err(payload) = caught(shard.run()).await {
                    failures.tell(PanicPlace::Shard(number), &payload);
                }
            }));
        }
        tokio::spawn(pass_on(self.stop.clone(), self.halt.clone()));
        // The shards hold the ends that count.
        self.epochs = None;
        if !has_member {
            let settling = SETTLING + SETTLING_EACH * u64::from(shards);
            self.zero.send_replace(Some(Instant::now() + std::time::Duration::from(settling)));
        }
    }

    /// Waits for the shards, exchanges the last reports, and adds everything up. A panic somewhere
    /// ends that early. A process with all `seats` knows how much of their time they had.
    async fn finish(
        mut self,
        member: Option<Member>,
        end: Time,
        seats: Option<u32>,
    ) -> Result<Ended, LiveError> {
        let (own_end, ended) = oneshot::channel();
        let mut speaking = member.map(|member| speak(member, ended, self.tell.clone()));
        let Gathered { outcomes, mut failure, refusal } = self.gather(&mut speaking).await?;
        let lost: u64 = outcomes.iter().map(|outcome| outcome.lost).sum();
        let mut all = add_up(outcomes);
        if let (Some(all), Some(seats)) = (&mut all, seats) {
            all.whole = Some(Whole::alone(lost, all.end, seats));
        }
        match (&mut all, &mut speaking, refusal) {
            (Some(all), _, Some(error)) => all.excluded(&error),
            (Some(all), Some(task), None) if failure.is_none() => {
                let early = (all.end < end).then_some(all.end);
                own_end.send((all.closing(), early)).ok();
                tokio::select! {
                    biased;
                    broken = self.failures.recv() => failure = broken,
                    totals = task => if let Some(totals) = totals.ok().flatten() {
                        all.widen(totals?);
                    },
                }
            }
            _ => {}
        }
        if let Some(task) = speaking {
            task.abort();
        }
        self.finish.send_replace(true);
        match &failure {
            Some(_) => drop(timeout(GIVING_UP, self.closed()).await),
            None => self.closed().await,
        }
        if let Some(all) = all.as_mut().filter(|_| self.quiet.is_none()) {
            all.ledger.close();
        }
        // The last to panic may be a destructor.
        let failure = failure.or_else(|| self.failures.try_recv().ok());
        Ok(Ended { outcome: all, failure })
    }

    /// Waits for what the shards came to. A panic ends that early; so does a refusal, which stops
    /// peers in order when they have begun to live.
    async fn gather(&mut self, speaking: &mut Option<Speaking>) -> Result<Gathered, LiveError> {
        let (mut waiting, mut outcomes) = (std::mem::take(&mut self.outcomes), Vec::new());
        let mut gathering = Box::pin(gather(&mut waiting, &mut outcomes));
        let mut refusal = None;
        let mut failure = tokio::select! {
            biased;
            failure = self.failures.recv() => failure,
            () = &mut gathering => self.failures.try_recv().ok(),
            error = refused(speaking) => {
                refusal = Some(error);
                None
            }
        };
        if let Some(error) = refusal.take_if(|_| self.zero.borrow().is_none()) {
            self.finish.send_replace(true);
            self.closed().await;
            return Err(LiveError::Join(error));
        }
        if refusal.is_some() {
            // It speaks to nobody any more.
            *speaking = None;
            self.halt.send_replace(true);
            tokio::select! {
                biased;
                broken = self.failures.recv() => failure = broken,
                _ = timeout(STOPPING, &mut gathering) => {}
            }
        }
        if failure.is_some() {
            // Shards that run hand over what they have; one that is blocked is not waited for.
            self.finish.send_replace(true);
            timeout(GIVING_UP, &mut gathering).await.ok();
        }
        drop(gathering);
        outcomes.extend(waiting.iter_mut().filter_map(|outcome| outcome.try_recv().ok()));
        Ok(Gathered { outcomes, failure, refusal })
    }

    /// Waits until all shards have closed their sockets.
    async fn closed(&mut self) {
        for shard in self.shards.drain(..) {
            // They tell of panics themselves, and nobody aborts them.
            shard.await.ok();
        }
    }
}

/// Whether nothing but the real network is between the sockets, faults on it included.
fn run_is_real(emulator: &Option<Emulator>) -> bool {
    emulator.as_ref().is_none_or(|emulator| !emulator.is_emulated())
}

/// The outcomes of the shards.
struct Gathered {
    outcomes: Vec<ShardOutcome>,
    /// The panic that ended it.
    failure: Option<Failure>,
    /// Why seat 0's process, which had taken this one in, does not have it any more.
    refusal: Option<JoinError>,
}

/// How a run came to its end.
struct Ended {
    /// Nothing came out where no shard answered.
    outcome: Option<LiveOutcome>,
    failure: Option<Failure>,
}

impl Ended {
    /// Adds what others than the shards know: how often and how long the process stood still, and
    /// what became of packets.
    fn complete(&mut self, still: (u32, Duration), emulator: Option<Emulator>) {
        let Some(outcome) = &mut self.outcome else { return };
        (outcome.delays.suspensions, outcome.delays.suspended) = still;
        match (emulator, &self.failure) {
            (None, _) => {}
            (Some(emulator), None) => emulator.finish(outcome),
            // Its thread may be what does not answer any more.
            (Some(emulator), Some(_)) => emulator.give_up(outcome),
        }
    }
}

/// Stops the peers when the caller wants that; ends with the shards.
async fn pass_on(mut stop: watch::Receiver<bool>, halt: watch::Sender<bool>) {
    tokio::select! {
        wanted = stop.wait_for(|stop| *stop) => {
            if wanted.is_ok() {
                halt.send_replace(true);
            }
        }
        () = halt.closed() => {}
    }
}

/// Takes the shards' outcomes as they come, in the order of the shards.
async fn gather(
    waiting: &mut VecDeque<oneshot::Receiver<ShardOutcome>>,
    outcomes: &mut Vec<ShardOutcome>,
) {
    while let Some(outcome) = waiting.front_mut() {
        outcomes.extend(outcome.await);
        waiting.pop_front();
    }
}

/// A member that speaks, and gives nothing when it panicked.
type Speaking = JoinHandle<Option<Result<NetworkTotals, JoinError>>>;

/// Lets a member speak, in a task of its own.
fn speak(member: Member, ended: oneshot::Receiver<OwnEnd>, failures: Failures) -> Speaking {
    tokio::spawn(async move {
        let spoken = caught(member.run(ended)).await;
        spoken.map_err(|payload| failures.tell(PanicPlace::Member, &payload)).ok()
    })
}

/// Adds up the epochs of all shards, and hands each on when every shard has closed it.
async fn take_epochs(
    mut epochs: mpsc::UnboundedReceiver<OwnEpoch>,
    shards: usize,
    empty: Measurements,
    mut on_epoch: OnEpoch,
) {
    let mut open: BTreeMap<usize, (usize, Measurements)> = BTreeMap::new();
    while let Some(OwnEpoch { measures, .. }) = epochs.recv().await {
        let number = measures.epoch;
        let (count, all) = open.entry(number).or_insert_with(|| (0, empty.clone()));
        *count += 1;
        all.add(measures);
        if *count == shards
            && let Some((_, all)) = open.remove(&number)
        {
            on_epoch.take(all);
        }
    }
}

/// Waits until the member cannot take part any more; for ever without a member.
async fn refused(speaking: &mut Option<Speaking>) -> JoinError {
    if let Some(task) = speaking
        && let Ok(Some(Err(error))) = task.await
    {
        return error;
    }
    // It ends well only after its process has, and tells of a panic elsewhere.
    std::future::pending().await
}
