//! The processes of one run, among themselves: who takes part, when time is zero, what was
//! measured.
//!
//! One task a process speaks for it, over the socket of its first shard. The states are machines
//! without sockets ([`coordinator`] for seat 0's process, [`participant`] for the others); this
//! file moves their datagrams and carries out what they decide.

#[cfg(test)]
mod amplification;
mod control;
mod coordinator;
mod ending;
mod epochs;
mod error;
mod fingerprint;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod join;
mod numbers;
mod participant;
mod report;
mod roster;
mod seat_zero;
mod totals;
mod waiting;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use peerlet_core::{Duration, Identity, Time, wire};
use peerlet_measure::{EpochMeasurements, Measurements};
use tokio::sync::{mpsc, oneshot, watch};

use crate::frame::{Frame, Kind, Tag};
use crate::kept_out::{KeptOut, KeptOutReason};
use crate::notice::Notice;
use crate::process::Process;
use crate::refusal::Refusal;
use crate::seats::SeatMap;
use crate::transport::LinkError;
use control::{Control, Speaker};
use coordinator::{Coordinator, CoordinatorSetup, Response, ranges};
use fingerprint::shown;
use participant::Participant;
use roster::SILENT;
use seat_zero::SeatZero;
use waiting::{Reminder, whole};

pub use error::JoinError;
pub use fingerprint::{Difference, Section};
pub use join::{Join, JoinTextError};
#[cfg(test)]
pub(crate) use report::{GRANTED_EACH, RESERVED_MAX};
#[cfg(test)]
pub(crate) use roster::PROCESSES_MAX;
pub(crate) use totals::{Closing, NetworkTotals};

/// How often the member looks at its clock.
const TICK: Duration = Duration::from_millis(25);
/// How long the last reports may take: a cut of the network may have to heal first.
const CLOSING: Duration = Duration::from_secs(30);
/// The same when this process was told to stop.
const CLOSING_STOPPED: Duration = Duration::from_secs(5);
/// Datagrams and news of links that wait for the member, from those who take part and from
/// strangers; more are dropped, and asked for again.
pub(crate) const WAITING_MAX: usize = 1_024;
pub(crate) const STRANGERS_WAITING_MAX: usize = 128;

/// A frame or news of a link that the first shard hands to the member.
pub(crate) enum Heard {
    Control { from: SocketAddr, identity: Option<Identity>, bytes: Bytes },
    LinkUp { with: SocketAddr, identity: Identity },
    LinkLost { with: SocketAddr, why: LinkError },
}

/// The member's ends of the channels between it and the shards.
pub(crate) struct MemberChannels {
    /// From those who take part, and news of links.
    pub(crate) heard: mpsc::Receiver<Heard>,
    /// From anybody else.
    pub(crate) strangers: mpsc::Receiver<Heard>,
    pub(crate) said: mpsc::Sender<(SocketAddr, Vec<u8>)>,
    /// Epochs that the shards have closed.
    pub(crate) epochs: mpsc::UnboundedReceiver<OwnEpoch>,
}

/// An epoch as one shard of the process saw it.
pub(crate) struct OwnEpoch {
    pub(crate) measures: EpochMeasurements,
    /// The seat-nanoseconds of it in which the shard did not run.
    pub(crate) lost: u64,
}

/// The own end of a process: its accounts, and when its peers' time was over, if that was before
/// the run's end.
pub(crate) type OwnEnd = (Closing, Option<Time>);

/// The role of a process.
pub(crate) enum Role {
    /// It has seat 0.
    Coordinator,
    /// It joins seat 0's process.
    Participant(Join),
}

/// The setup of a member.
pub(crate) struct Setup {
    pub(crate) role: Role,
    pub(crate) own: Process,
    /// The sockets of the shards, as they are bound.
    pub(crate) sockets: Vec<SocketAddr>,
    /// The sections that all processes of the run must have alike.
    pub(crate) sections: Vec<Section>,
    /// Whether only those take part who know a secret or are on a list.
    pub(crate) is_closed: bool,
    pub(crate) has_secret: bool,
    pub(crate) kept_out: KeptOut,
    pub(crate) seats: Arc<SeatMap>,
    pub(crate) count: u32,
    pub(crate) shards: usize,
    pub(crate) start_within: Duration,
    pub(crate) channels: MemberChannels,
    /// Told when time is zero.
    pub(crate) zero: watch::Sender<Option<Instant>>,
    /// Whether this process was told to stop.
    pub(crate) stop: watch::Receiver<bool>,
    /// The measures of nothing: what those of others are added to.
    pub(crate) nothing: Measurements,
    pub(crate) notice: Notice,
}

enum RoleState {
    Coordinator(Box<Coordinator>),
    Participant(Box<SeatZero>),
}

/// The one who speaks for a process.
pub(crate) struct Member {
    setup: Setup,
    state: RoleState,
    base: Instant,
    /// The version of the map that the seats know.
    known: u64,
    /// The sockets of the processes on that map.
    pinned: BTreeMap<SocketAddr, Identity>,
    /// From when on this process's peers live.
    lived_from: Time,
    /// Own epochs that some shards have not closed yet, with how many have.
    open: BTreeMap<usize, (usize, OwnEpoch)>,
    totals: NetworkTotals,
    /// When the wait for the beginning is mentioned.
    beginning: Reminder,
    /// Whether it was said that seat 0's process is silent, since it was heard last.
    is_silence_told: bool,
    /// Whether its own process has ended.
    is_ending: bool,
    /// Whether it knows that this process is to stop.
    is_stopping: bool,
}

impl Member {
    pub(crate) fn new(mut setup: Setup) -> Member {
        let base = Instant::now();
        let (own, within) = (setup.own.clone(), setup.start_within);
        let sections = std::mem::take(&mut setup.sections);
        let state = match &setup.role {
            Role::Coordinator => {
                RoleState::Coordinator(Box::new(Coordinator::new(CoordinatorSetup {
                    own,
                    seats: setup.count,
                    start_within: within,
                    sections,
                    is_closed: setup.is_closed,
                })))
            }
            Role::Participant(join) => {
                let sockets = setup.sockets.clone();
                let participant =
                    Participant::new(own, sockets[0], sections, within, Duration::ZERO);
                let search = SeatZero::new(participant, join, sockets, setup.has_secret);
                RoleState::Participant(Box::new(search))
            }
        };
        let count = matches!(setup.role, Role::Coordinator).then_some(setup.count);
        let totals = NetworkTotals::new(setup.nothing.clone(), count);
        let (pinned, open) = Default::default();
        let (known, lived_from) = (0, Time::ZERO);
        let (beginning, is_silence_told) = (Reminder::default(), false);
        Member {
            setup,
            state,
            base,
            known,
            pinned,
            lived_from,
            open,
            totals,
            beginning,
            is_silence_told,
            is_ending: false,
            is_stopping: false,
        }
    }

    fn now(&self) -> Duration {
        Duration::from(self.base.elapsed())
    }

    /// The run's clock; zero before it begins.
    fn run_time(&self) -> Time {
        let zero = *self.setup.zero.borrow();
        zero.map_or(Time::ZERO, |zero| {
            Time::ZERO + Duration::from(Instant::now().saturating_duration_since(zero))
        })
    }

    /// Speaks for the process until its own end came, and then until all reports are through.
    pub(crate) async fn run(
        mut self,
        mut own_end: oneshot::Receiver<OwnEnd>,
    ) -> Result<NetworkTotals, JoinError> {
        let mut ticks = tokio::time::interval(TICK.into());
        let mut stop = self.setup.stop.clone();
        loop {
            let is_stopping = self.is_stopping;
            tokio::select! {
                biased;
                closing = &mut own_end => {
                    let (closing, early) = closing.unwrap_or_default();
                    self.close(&closing, early);
                    break;
                }
                Ok(_) = stop.wait_for(|stop| *stop), if !is_stopping => self.stopping(),
                _ = ticks.tick() => self.tick()?,
                Some(epoch) = self.setup.channels.epochs.recv() => self.own_epoch(epoch),
                Some(heard) = self.setup.channels.heard.recv() => self.hear(heard),
                Some(heard) = self.setup.channels.strangers.recv() => self.hear(heard),
            }
        }
        self.collect(&mut ticks).await;
        self.note_missing();
        Ok(self.totals)
    }

    /// This process is to stop. A run of several ends with seat 0's process: what others report
    /// from here on is cut there.
    fn stopping(&mut self) {
        self.is_stopping = true;
        let now = self.run_time();
        if let RoleState::Coordinator(_) = &self.state {
            self.totals.end_at(now);
        }
    }

    /// Takes in the own end: the last epochs, and the closing report.
    fn close(&mut self, closing: &Closing, early: Option<Time>) {
        self.is_ending = true;
        while let Ok(epoch) = self.setup.channels.epochs.try_recv() {
            self.own_epoch(epoch);
        }
        if let (RoleState::Coordinator(_), Some(end)) = (&self.state, early) {
            self.totals.end_at(end);
        }
        self.totals.closing.add(closing);
        // Nobody waits for a word of a process that nobody has taken in.
        let is_known = match &self.state {
            RoleState::Coordinator(_) => true,
            RoleState::Participant(search) => search.participant.is_welcomed(),
        };
        if is_known {
            self.report(&closing.report());
        }
    }

    fn say(&self, to: SocketAddr, control: &Control) {
        let mut bytes = Vec::new();
        wire::encode(control, &mut bytes).expect("control messages are plain");
        let kind = Kind::Control(&bytes);
        let frame = Frame { tag: Tag::CONTROL, from: 0, to: 0, life: 0, kind };
        // A full channel loses it, as the network might: it is said again.
        self.setup.channels.said.try_send((to, frame.to_vec())).ok();
    }

    fn tick(&mut self) -> Result<(), JoinError> {
        let now = self.now();
        match &mut self.state {
            RoleState::Coordinator(coordinator) => {
                let said = coordinator.tick(now);
                // Whoever takes the place of a process that has gone has another identity.
                let gone = coordinator.roster.gone(now);
                for socket in &gone.sockets {
                    self.setup.seats.pin(*socket, None);
                    self.pinned.remove(socket);
                }
                let silent = (!gone.seats.is_empty() && !self.is_ending).then(|| {
                    let (seats, silent) = (ranges(&gone.seats), whole(SILENT));
                    format!("nothing heard from the process of {seats} for {silent}")
                });
                let waits = coordinator.waits(now, &mut self.beginning);
                for line in said.iter().chain(&silent).chain(&waits) {
                    (self.setup.notice)(line);
                }
                if let Some(zero) = coordinator.zero() {
                    if !coordinator.knows_itself() {
                        let (bound, within) = (self.setup.sockets[0], self.setup.start_within);
                        return Err(JoinError::OwnAddress { bound, within });
                    }
                    self.begin(self.base + std::time::Duration::from(zero));
                }
            }
            RoleState::Participant(_) => self.tick_participant(now)?,
        }
        self.learn();
        Ok(())
    }

    fn tick_participant(&mut self, now: Duration) -> Result<(), JoinError> {
        let RoleState::Participant(search) = &mut self.state else { return Ok(()) };
        if let Some(at) = search.look_up(now) {
            self.setup.seats.pin(at, search.identity);
        }
        if let Some(error) = search.hopeless().filter(|_| search.participant.heard().is_none()) {
            return Err(error);
        }
        let within = self.setup.start_within;
        let line = search.waits(now, within, &mut self.beginning);
        let line = line.or_else(|| search.silence(now, &mut self.is_silence_told));
        if let Some(line) = line.filter(|_| !self.is_ending) {
            (self.setup.notice)(&line);
        }
        let said = search.participant.tick(now).map_err(|error| search.error(error, within))?;
        // Peers need to know where everybody is before they live.
        let (knows_map, zero) = (search.participant.map().0 > 0, search.participant.zero());
        let begun = self.setup.zero.borrow().is_some();
        let begin = zero.filter(|_| knows_map && !begun).map(|zero| {
            let late = std::time::Duration::from(search.participant.late_by());
            let base = self.base.checked_sub(late).unwrap_or(self.base);
            (base + std::time::Duration::from(zero), search.participant.offset_error())
        });
        if let Some(asked) = search.asked {
            said.iter().for_each(|control| self.say(asked, control));
        }
        if let Some((zero, error)) = begin {
            (self.setup.notice)(&format!("time zero is known to within {error}"));
            // Where everybody is, before anybody moves.
            self.learn();
            self.begin(zero);
        }
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
            RoleState::Coordinator(coordinator) => {
                let roster = &coordinator.roster;
                (roster.version(), roster.processes().cloned().collect())
            }
            RoleState::Participant(search) => {
                let (version, map) = search.participant.map();
                (version, map.to_vec())
            }
        };
        if version == self.known {
            return;
        }
        self.known = version;
        let is_usable = |process: &&Process| {
            process.is_sound(self.setup.count) && !process.ip().is_unspecified()
        };
        let mut pinned = BTreeMap::new();
        for process in processes.iter().filter(is_usable) {
            self.setup.seats.learn(process);
            pinned.extend(process.sockets().map(|socket| (socket, process.identity())));
        }
        for socket in self.pinned.keys().filter(|socket| !pinned.contains_key(socket)) {
            self.setup.seats.pin(*socket, None);
        }
        self.pinned = pinned;
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Control { from, identity, bytes } => {
                if let Ok(control) = wire::decode(&bytes) {
                    let speaker = Speaker { socket: from, identity };
                    self.control(speaker, control, bytes.len());
                }
            }
            Heard::LinkUp { with, identity } => {
                let RoleState::Participant(search) = &mut self.state else { return };
                if search.asked == Some(with) && search.identity.is_none() {
                    search.identity = Some(identity);
                    self.setup.seats.pin(with, Some(identity));
                }
            }
            Heard::LinkLost { with, why: LinkError::Closed } => self.left(with),
            Heard::LinkLost { with, why } => self.link_lost(with, why),
        }
    }

    /// A link broke, or could not be made.
    fn link_lost(&mut self, with: SocketAddr, why: LinkError) {
        if let RoleState::Participant(search) = &mut self.state
            && search.asked == Some(with)
        {
            if search.participant.heard().is_none() {
                search.link_lost(why);
            }
        } else if why == LinkError::Admission {
            self.setup.kept_out.note(self.now(), (with, None), KeptOutReason::KeepsUsOut);
        }
    }

    /// A process closed its link: it has ended, or begins anew.
    fn left(&mut self, with: SocketAddr) {
        let now = self.now();
        let line = match &mut self.state {
            RoleState::Coordinator(coordinator) => {
                coordinator.roster.left(now, with).map(|seats| {
                    format!("the process of {} at {with} closed its link", ranges(&[seats]))
                })
            }
            RoleState::Participant(search) => (search.asked == Some(with) && !self.is_ending)
                .then(|| format!("seat 0's process at {with} closed its link")),
        };
        if let Some(line) = line {
            (self.setup.notice)(&line);
        }
    }

    fn control(&mut self, speaker: Speaker, control: Control, len: usize) {
        let now = self.now();
        match &mut self.state {
            RoleState::Coordinator(coordinator) => {
                let response = coordinator.handle(now, speaker, control, len);
                match &response.joined {
                    Some((who, Ok(()))) => self.setup.kept_out.let_in(*who),
                    Some((who, Err(why))) => {
                        let (who, why) =
                            ((speaker.socket, Some(*who)), KeptOutReason::Refused(why.clone()));
                        self.setup.kept_out.note(now, who, why);
                    }
                    None => {}
                }
                self.respond(response);
            }
            // Somebody takes this process for seat 0's.
            RoleState::Participant(_) if matches!(control, Control::Join { .. }) => {
                self.say(speaker.socket, &Control::Refused { why: Refusal::NotSeatZero });
            }
            RoleState::Participant(search) => {
                // Only seat 0's process has anything to say here.
                let is_known = speaker.identity.is_none() || speaker.identity == search.identity;
                if search.asked == Some(speaker.socket) && is_known {
                    let question = search.participant.handle(now, control);
                    self.is_silence_told = false;
                    if let Some(line) = search.introduction() {
                        (self.setup.notice)(&line);
                    }
                    if let Some(question) = question.and_then(|question| question.following(len)) {
                        self.say(speaker.socket, &question);
                    }
                }
            }
        }
    }

    fn respond(&mut self, response: Response) {
        let Response { said, reports, notices, replaced, .. } = response;
        said.iter().for_each(|(to, control)| self.say(*to, control));
        notices.iter().for_each(|line| (self.setup.notice)(&shown(line)));
        for socket in replaced.iter().flat_map(Process::sockets) {
            self.setup.seats.pin(socket, None);
            self.pinned.remove(&socket);
        }
        for (identity, report) in reports {
            self.reported(identity, &report);
        }
    }
}
