//! The processes of one run, among themselves: who takes part, when time is zero, what was
//! measured.
//!
//! One task a process speaks for it, over the socket of its first shard. The states are machines
//! without sockets ([`hub`] for seat 0's process, [`guest`] for the others); this file moves their
//! datagrams and carries out what they decide.

mod control;
mod guest;
mod hub;
mod report;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use peerlet_core::{Duration, Identity, Time, wire};
use peerlet_measure::{DropCause, EpochMeasures, Ledger, Measures};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use crate::frame::{Frame, Kind, Tag};
use crate::seats::SeatMap;
use crate::transport::LinkError;
use control::Control;
pub(crate) use control::{Process, SHARDS_MAX};
use guest::{Guest, GuestError};
use hub::Hub;

/// How often the member looks at its clock.
const TICK: Duration = Duration::from_millis(25);
/// How long the last reports may take.
const CLOSING: Duration = Duration::from_secs(5);
/// Events and datagrams that wait for the member; more are dropped, and asked for again.
pub(crate) const WAITING_MAX: usize = 1_024;

/// What the first shard hands to the member.
pub(crate) enum Heard {
    Control { from: SocketAddr, bytes: Bytes },
    LinkUp { with: SocketAddr, identity: Identity },
    LinkLost { with: SocketAddr, why: LinkError },
}

/// The member's end of its first shard.
pub(crate) struct Line {
    pub(crate) heard: mpsc::Receiver<Heard>,
    pub(crate) said: mpsc::Sender<(SocketAddr, Vec<u8>)>,
    /// Epochs that the shards have closed.
    pub(crate) epochs: mpsc::UnboundedReceiver<OwnEpoch>,
}

/// An epoch as one shard of the process saw it.
pub(crate) struct OwnEpoch {
    pub(crate) measures: EpochMeasures,
    /// The seat-nanoseconds of it in which the shard did not run.
    pub(crate) lost: u64,
}

/// Takes a line for whoever runs a process.
pub type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// How a process takes part.
pub(crate) enum Role {
    Hub,
    Guest { asked: SocketAddr, expected: Option<Identity> },
}

/// What a member is made of.
pub(crate) struct Setup {
    pub(crate) role: Role,
    pub(crate) own: Process,
    pub(crate) tag: Tag,
    pub(crate) seats: Arc<SeatMap>,
    pub(crate) count: u32,
    pub(crate) shards: usize,
    pub(crate) start_within: Duration,
    pub(crate) line: Line,
    /// Told when time is zero.
    pub(crate) zero: watch::Sender<Option<Instant>>,
    /// The measures of nothing: what those of others are added to.
    pub(crate) nothing: Measures,
    pub(crate) notice: Notice,
}

/// Why a process could not take part.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum JoinError {
    /// Nobody answered.
    Unanswered(SocketAddr, Duration),
    /// Seat 0's process refused.
    Refused(SocketAddr, String),
    /// Another process answered than the one that was named.
    Identity(SocketAddr),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Unanswered(at, within) => write!(
                f,
                "nobody answered at {at} for {within}; is seat 0's process running there, with the \
                 same scenario, transport and secret?"
            ),
            JoinError::Refused(at, why) => write!(f, "the process at {at} refused: {why}"),
            JoinError::Identity(at) => write!(
                f,
                "the process at {at} is not the one named before the `@` of --join; check it"
            ),
        }
    }
}

impl std::error::Error for JoinError {}

/// What one process reports.
#[derive(Serialize, Deserialize)]
enum Report {
    /// What was measured in one epoch, and for how many seat-nanoseconds of it the process lived.
    Epoch {
        nonce: u64,
        lived: u64,
        words: Vec<u64>,
    },
    Closing {
        nonce: u64,
        ledger: Vec<u64>,
        events: u64,
        late_answers: u64,
        idle_directives: u64,
    },
}

/// A process's own end of the run, for its last report.
#[derive(Clone, Copy, Default)]
pub(crate) struct Closing {
    pub(crate) ledger: Ledger,
    pub(crate) events: u64,
    pub(crate) late_answers: u64,
    pub(crate) idle_directives: u64,
}

/// What seat 0's process knows of the whole network at the end.
pub(crate) struct Network {
    pub(crate) measures: Measures,
    pub(crate) closing: Closing,
    /// The seat-nanoseconds that reported, by epoch.
    lived: BTreeMap<usize, u64>,
    /// Processes whose last report came, the own one included.
    pub(crate) processes: u32,
    /// The number of seats, at seat 0's process.
    count: Option<u32>,
}

impl Network {
    /// The share of seat-seconds that reported; `None` at a process that knows its own share only.
    pub(crate) fn coverage(&self) -> Option<f64> {
        let seats = self.count?;
        let (mut reported, mut all) = (0, 0);
        for epoch in self.measures.epochs() {
            let whole = (epoch.to - epoch.from).as_nanos().saturating_mul(u64::from(seats));
            let lived = self.lived.get(&epoch.epoch).copied().unwrap_or(0);
            reported += u128::from(lived.min(whole));
            all += u128::from(whole);
        }
        Some(if all > 0 { reported as f64 / all as f64 } else { 0.0 })
    }
}

enum State {
    Hub(Hub),
    Guest(Guest),
}

/// The one who speaks for a process.
pub(crate) struct Member {
    setup: Setup,
    state: State,
    base: Instant,
    /// The version of the map that the seats know.
    known: u64,
    /// From when on this process's peers live.
    lived_from: Time,
    /// Own epochs that some shards have not closed yet, with how many have.
    open: BTreeMap<usize, (usize, OwnEpoch)>,
    network: Network,
    /// The guests' last reports that came.
    closed: Vec<u64>,
    /// Whether its own process has ended.
    is_ending: bool,
}

impl Member {
    pub(crate) fn new(setup: Setup) -> Member {
        let base = Instant::now();
        let (own, within) = (setup.own.clone(), setup.start_within);
        let state = match setup.role {
            Role::Hub => {
                let learns = own.ip().is_unspecified();
                State::Hub(Hub::new(own, setup.count, within, learns))
            }
            Role::Guest { asked, .. } => {
                State::Guest(Guest::new(own, asked, within, Duration::ZERO))
            }
        };
        let measures = setup.nothing.clone();
        let closing = Closing::default();
        let count = matches!(setup.role, Role::Hub).then_some(setup.count);
        let lived = BTreeMap::new();
        let network = Network { measures, closing, lived, processes: 1, count };
        let (open, closed) = Default::default();
        let (known, lived_from, is_ending) = (0, Time::ZERO, false);
        Member { setup, state, base, known, lived_from, open, network, closed, is_ending }
    }

    fn now(&self) -> Duration {
        Duration::from(self.base.elapsed())
    }

    /// Speaks for the process until its own end came, and then until all reports are through.
    pub(crate) async fn run(
        mut self,
        mut own_end: tokio::sync::oneshot::Receiver<Closing>,
    ) -> Result<Network, JoinError> {
        let mut ticks = tokio::time::interval(TICK.into());
        loop {
            tokio::select! {
                Some(heard) = self.setup.line.heard.recv() => self.hear(heard)?,
                Some(epoch) = self.setup.line.epochs.recv() => self.own_epoch(epoch),
                _ = ticks.tick() => self.tick()?,
                closing = &mut own_end => {
                    self.close(closing.unwrap_or_default());
                    break;
                }
            }
        }
        let until = self.now() + CLOSING;
        let mut through = None;
        while self.now() < until {
            if self.is_through() {
                let since = *through.get_or_insert(self.now());
                if self.now() >= since + self.linger() {
                    break;
                }
            }
            tokio::select! {
                Some(heard) = self.setup.line.heard.recv() => self.hear(heard)?,
                _ = ticks.tick() => self.tick()?,
            }
        }
        Ok(self.network)
    }

    /// Takes in the own end: the last epochs, and the closing report.
    fn close(&mut self, closing: Closing) {
        self.is_ending = true;
        while let Ok(epoch) = self.setup.line.epochs.try_recv() {
            self.own_epoch(epoch);
        }
        let Closing { ledger, events, late_answers, idle_directives } = closing;
        let (nonce, ledger) = (self.setup.own.nonce, words_of(&ledger));
        self.network.closing.add(&closing);
        self.report(&Report::Closing { nonce, ledger, events, late_answers, idle_directives });
    }

    /// Whether there is nothing left to wait for.
    fn is_through(&self) -> bool {
        match &self.state {
            State::Hub(hub) => hub.open_guests(self.now()) == 0,
            State::Guest(guest) => guest.outbox.is_empty(),
        }
    }

    /// How long to stay when there is nothing left to wait for: who answers others stays until a
    /// lost answer would have been asked for again.
    fn linger(&self) -> Duration {
        match &self.state {
            State::Hub(_) => report::AGAIN + TICK * 4,
            State::Guest(_) => Duration::ZERO,
        }
    }

    fn say(&self, to: SocketAddr, control: &Control) {
        let mut bytes = Vec::new();
        wire::encode(control, &mut bytes).expect("control messages are plain");
        let kind = Kind::Control(&bytes);
        let frame = Frame { tag: self.setup.tag, from: 0, to: 0, life: 0, kind };
        // A full line loses it, as the network might: it is said again.
        self.setup.line.said.try_send((to, frame.to_vec())).ok();
    }

    fn tick(&mut self) -> Result<(), JoinError> {
        let now = self.now();
        match &mut self.state {
            State::Hub(hub) => {
                hub.tick(now);
                // Whoever takes the place of a process that has gone has another identity.
                hub.gone(now).iter().for_each(|socket| self.setup.seats.pin(*socket, None));
                if let Some(zero) = hub.zero() {
                    self.begin(self.base + std::time::Duration::from(zero));
                }
            }
            State::Guest(guest) => {
                let Role::Guest { asked, .. } = self.setup.role else { return Ok(()) };
                let said = guest.tick(now).map_err(|error| match error {
                    GuestError::Unanswered => JoinError::Unanswered(asked, self.setup.start_within),
                    GuestError::Refused(why) => JoinError::Refused(asked, why),
                })?;
                if let Some(zero) = guest.zero() {
                    let late = std::time::Duration::from(guest.late_by());
                    let base = self.base.checked_sub(late).unwrap_or(self.base);
                    if self.setup.zero.borrow().is_none() {
                        let error = guest.offset_error();
                        (self.setup.notice)(&format!("time zero is known to within {error}"));
                    }
                    self.begin(base + std::time::Duration::from(zero));
                }
                said.iter().for_each(|control| self.say(asked, control));
            }
        }
        self.learn();
        Ok(())
    }

    fn begin(&mut self, zero: Instant) {
        let news = self.setup.zero.send_if_modified(|known| {
            let news = known.is_none();
            known.get_or_insert(zero);
            news
        });
        if news {
            let late = Instant::now().saturating_duration_since(zero);
            self.lived_from = Time::ZERO + Duration::from(late);
        }
    }

    /// Tells the seats what the map says, when it says something new.
    fn learn(&mut self) {
        let (version, processes): (u64, Vec<Process>) = match &self.state {
            State::Hub(hub) => (hub.version(), hub.processes().cloned().collect()),
            State::Guest(guest) => {
                let (version, map) = guest.map();
                (version, map.to_vec())
            }
        };
        if version == self.known {
            return;
        }
        self.known = version;
        for process in processes.iter().filter(|process| process.is_sound(self.setup.count)) {
            self.setup.seats.learn(process);
        }
    }

    fn hear(&mut self, heard: Heard) -> Result<(), JoinError> {
        match heard {
            Heard::Control { from, bytes } => {
                if let Ok(control) = wire::decode(&bytes) {
                    self.control(from, control);
                }
            }
            Heard::LinkUp { with, identity } => {
                if let Role::Guest { asked, expected: None } = &self.setup.role
                    && with == *asked
                {
                    let line =
                        format!("seat 0's process at {asked} is {identity}: kept for this run");
                    (self.setup.notice)(&line);
                    self.setup.seats.pin(with, Some(identity));
                    self.setup.role = Role::Guest { asked: with, expected: Some(identity) };
                }
            }
            Heard::LinkLost { with, why: LinkError::Identity } => {
                if let Role::Guest { asked, expected: Some(_) } = self.setup.role
                    && with == asked
                {
                    return Err(JoinError::Identity(asked));
                }
            }
            Heard::LinkLost { with, why: LinkError::Closed } => self.left(with),
            Heard::LinkLost { .. } => {}
        }
        Ok(())
    }

    /// A process closed its link: it has ended, or begins anew.
    fn left(&mut self, with: SocketAddr) {
        let now = self.now();
        let line = match &mut self.state {
            State::Hub(hub) => hub.left(now, with).map(|(first, last)| {
                format!("the process of seats {first} to {last} at {with} closed its link")
            }),
            State::Guest(_) => {
                let is_asked =
                    matches!(self.setup.role, Role::Guest { asked, .. } if asked == with);
                (is_asked && !self.is_ending)
                    .then(|| format!("seat 0's process at {with} closed its link"))
            }
        };
        if let Some(line) = line {
            (self.setup.notice)(&line);
        }
    }

    fn control(&mut self, from: SocketAddr, control: Control) {
        let now = self.now();
        match &mut self.state {
            State::Hub(hub) => {
                let (answer, reports) = hub.handle(now, from, control);
                if let Some(answer) = answer {
                    self.say(from, &answer);
                }
                for report in reports {
                    match wire::decode(&report) {
                        Ok(report) => self.reported(report),
                        Err(error) => tracing::debug!(%error, "a report was refused"),
                    }
                }
            }
            State::Guest(guest) => {
                // Only seat 0's process has anything to say here.
                let Role::Guest { asked, .. } = self.setup.role else { return };
                if from == asked
                    && let Some(question) = guest.handle(now, control)
                {
                    self.say(asked, &question);
                }
            }
        }
    }

    /// One of the own shards has closed an epoch; when all have, it is reported.
    fn own_epoch(&mut self, epoch: OwnEpoch) {
        let number = epoch.measures.epoch;
        let count = match self.open.get_mut(&number) {
            Some((count, sum)) => {
                sum.measures.merge(&epoch.measures);
                sum.lost = sum.lost.saturating_add(epoch.lost);
                *count += 1;
                *count
            }
            None => {
                self.open.insert(number, (1, epoch));
                1
            }
        };
        if count < self.setup.shards {
            return;
        }
        let Some((_, OwnEpoch { measures: epoch, lost })) = self.open.remove(&number) else {
            return;
        };
        let mut words = Vec::new();
        epoch.words(&mut |word| words.push(word));
        // A process that came late has nothing to say of what was before, nor has it missed that.
        let from = epoch.from.max(self.lived_from);
        if from >= epoch.to {
            return;
        }
        let seats = u64::from(self.setup.own.len());
        let all = (epoch.to - from).as_nanos() * seats;
        let (nonce, lived) = (self.setup.own.nonce, all.saturating_sub(lost));
        self.report(&Report::Epoch { nonce, lived, words });
    }

    /// Reports something: to oneself at seat 0's process, to it elsewhere.
    fn report(&mut self, report: &Report) {
        let mut bytes = Vec::new();
        wire::encode(report, &mut bytes).expect("reports are plain");
        match &mut self.state {
            State::Guest(guest) => {
                if !guest.outbox.push(&bytes) {
                    tracing::warn!("a report of {} bytes is too long and left out", bytes.len());
                }
            }
            State::Hub(_) => {
                if let Report::Epoch { lived, words, .. } = report {
                    self.add_epoch(*lived, words);
                }
            }
        }
    }

    /// A report of another process is complete.
    fn reported(&mut self, report: Report) {
        match report {
            Report::Epoch { lived, words, .. } => self.add_epoch(lived, &words),
            Report::Closing { nonce, ledger, events, late_answers, idle_directives } => {
                let Some(ledger) = ledger_of(&ledger) else { return };
                if self.closed.contains(&nonce) {
                    return;
                }
                self.closed.push(nonce);
                let closing = Closing { ledger, events, late_answers, idle_directives };
                self.network.closing.add(&closing);
                self.network.processes += 1;
                if let State::Hub(hub) = &mut self.state {
                    hub.close(nonce);
                }
            }
        }
    }

    fn add_epoch(&mut self, lived: u64, words: &[u64]) {
        let metrics = self.setup.nothing.metrics().len();
        let epoch = match EpochMeasures::from_words(words, metrics) {
            Ok(epoch) => epoch,
            Err(error) => return tracing::debug!(%error, "a report was refused"),
        };
        let number = epoch.epoch;
        match self.network.measures.try_add(epoch) {
            Ok(()) => {
                let sum = self.network.lived.entry(number).or_default();
                *sum = sum.saturating_add(lived);
            }
            Err(error) => tracing::debug!(%error, "a report was refused"),
        }
    }
}

impl Closing {
    fn add(&mut self, other: &Closing) {
        self.ledger.add(&other.ledger);
        self.events = self.events.saturating_add(other.events);
        self.late_answers = self.late_answers.saturating_add(other.late_answers);
        self.idle_directives = self.idle_directives.saturating_add(other.idle_directives);
    }
}

/// A ledger as numbers: for each class what was sent, duplicated, delivered, its bytes, and the
/// drops by cause.
fn words_of(ledger: &Ledger) -> Vec<u64> {
    [&ledger.datagram, &ledger.reliable]
        .into_iter()
        .flat_map(|flow| {
            let head = [flow.sent, flow.duplicated, flow.delivered, flow.bytes];
            head.into_iter().chain(DropCause::ALL.map(|cause| flow.dropped(cause)))
        })
        .collect()
}

/// The ledger that these numbers tell; `None` when there are too few, too many or too large ones.
fn ledger_of(words: &[u64]) -> Option<Ledger> {
    const FLOW: usize = 4 + DropCause::ALL.len();
    // Sums of a thousand such accounts stay far from the end of 64 bits.
    if words.len() != 2 * FLOW || words.iter().any(|word| *word > 1 << 48) {
        return None;
    }
    let mut ledger = Ledger::default();
    let flows = [&mut ledger.datagram, &mut ledger.reliable];
    for (flow, words) in flows.into_iter().zip(words.chunks(FLOW)) {
        [flow.sent, flow.duplicated, flow.delivered, flow.bytes] =
            [words[0], words[1], words[2], words[3]];
        for (cause, count) in DropCause::ALL.into_iter().zip(&words[4..]) {
            flow.add_dropped(cause, *count);
        }
    }
    Some(ledger)
}
