//! Results of a run, in any world.

use std::fmt;

use peerlet_core::property::WorldSource;
use peerlet_core::runtime::State;
use peerlet_core::{Seat, Time};
use peerlet_measure::{Ledger, Measurements, Summary};
use peerlet_sim::{Outcome, PeerCounts, Simulation};

use crate::expectations::{self, Unmet, Verdict};
use crate::on_sockets::OnSockets;
use crate::panics::PanicReport;
use crate::plan::Plan;
use crate::properties::PropertyReport;
use crate::transport::Transport;
use crate::world::World;

/// A run that is over.
pub struct Results {
    /// The world it ran in.
    pub world: World,
    /// The transport that messages went over, where that shows.
    pub transport: Option<Transport>,
    /// The plan that ran.
    pub plan: Plan,
    /// Threads of a simulation, shards of a live process.
    pub threads: u32,
    /// The instant at which it ended.
    pub end: Time,
    /// Real time that it took, in seconds.
    pub wall_seconds: f64,
    /// How many events peers handled.
    pub events: u64,
    /// The digest of a simulation, in hexadecimal.
    pub digest: Option<String>,
    /// The digest over the payloads of a simulation with encoded messages.
    pub payload_digest: Option<String>,
    /// The accounts of messages.
    pub ledger: Ledger,
    /// All that was measured, by epoch.
    pub measures: Measurements,
    /// Answers that came after the question was given up.
    pub late_answers: u64,
    /// Acts of the scenario that found nothing to do.
    pub idle_directives: u64,
    /// The part that only runs on real sockets have.
    pub sockets: Option<OnSockets>,
    /// The properties that were checked, and how they ended.
    pub properties: Vec<PropertyReport>,
    /// The states of the peers that were to be shown at its end.
    pub states: Vec<PeerState>,
    /// Why it ended before its time, where that was asked for: expectations are not judged then.
    pub stopped: Option<String>,
    /// The messages of each peer, in the order of seats, where a simulation counted them.
    pub peers: Vec<PeerCounts>,
    /// The accounts of messages at the end of each epoch of a simulation.
    pub accounts: Vec<(Time, Ledger)>,
    /// Whether it ended early, by no wish of the scenario's: everything here is partial.
    pub is_interrupted: bool,
    /// The panic that ended it, if one did: then it counts as interrupted.
    pub panicked: Option<PanicReport>,
    /// Messages of threads that panicked and ended no run, each with its place in the program.
    pub thread_panics: Vec<String>,
    /// Whether the seed decided what peers did.
    pub is_seeded: bool,
}

/// What was seen of the peers of a simulation.
pub(crate) struct Seen {
    pub(crate) properties: Vec<PropertyReport>,
    pub(crate) stopped: Option<String>,
    pub(crate) states: Vec<PeerState>,
    pub(crate) accounts: Vec<(Time, Ledger)>,
}

/// The state of a peer at the end of a run, as its peerlets tell it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerState {
    /// Its seat.
    pub seat: Seat,
    /// Whether it lives.
    pub state: State,
    /// The number of its life.
    pub life: u32,
    /// Its peerlets, in order, each with its [`snapshot`](peerlet_core::Peerlet::snapshot).
    pub peerlets: Vec<(&'static str, Option<String>)>,
}

impl PeerState {
    /// The state of the peer in a seat that there is.
    pub(crate) fn of(simulation: &Simulation, seat: Seat) -> PeerState {
        let (peers, row) = WorldSource::peer(simulation, seat);
        let (state, life) = (peers.state(row), peers.life(row));
        PeerState { seat, state, life, peerlets: peers.snapshots(row) }
    }

    /// Whether it lives, in one word.
    pub fn state_name(&self) -> &'static str {
        match self.state {
            State::Running => "running",
            State::Stopped => "stopped",
            State::Absent => "absent",
        }
    }
}

impl fmt::Display for PeerState {
    /// A line for the peer, and one or several for each of its peerlets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "peer {}: {}, life {}", self.seat, self.state_name(), self.life)?;
        for (name, state) in &self.peerlets {
            match state {
                None => write!(f, "\n  {name}: shows no state")?,
                Some(state) => {
                    let state = state.trim_end().replace('\n', "\n    ");
                    write!(f, "\n  {name}: {state}")?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Results")
            .field("plan", &self.plan)
            .field("end", &self.end)
            .field("events", &self.events)
            .field("digest", &self.digest)
            .field("is_interrupted", &self.is_interrupted)
            .finish_non_exhaustive()
    }
}

impl Results {
    /// The results of a simulation.
    pub fn simulated(plan: Plan, threads: u32, outcome: Outcome, wall_seconds: f64) -> Results {
        let is_interrupted = outcome.end < Time::ZERO + plan.scenario.duration;
        Results {
            world: World::Sim,
            transport: plan.transport,
            plan,
            threads,
            end: outcome.end,
            wall_seconds,
            events: outcome.events,
            digest: Some(outcome.digest.to_string()),
            payload_digest: outcome.payload_digest.map(|digest| digest.to_string()),
            ledger: outcome.ledger,
            measures: outcome.measures,
            late_answers: outcome.late_answers,
            idle_directives: outcome.idle_directives,
            sockets: None,
            properties: Vec::new(),
            stopped: None,
            states: Vec::new(),
            peers: outcome.peers,
            accounts: Vec::new(),
            is_interrupted,
            panicked: None,
            thread_panics: Vec::new(),
            is_seeded: true,
        }
    }

    /// The same with what was seen of its peers.
    pub(crate) fn seen(self, seen: Seen) -> Results {
        let Seen { properties, stopped, states, accounts } = seen;
        let is_interrupted = self.is_interrupted && stopped.is_none();
        Results { properties, stopped, states, accounts, is_interrupted, ..self }
    }

    /// The same with the messages of threads that panicked.
    pub(crate) fn with_thread_panics(self, thread_panics: Vec<String>) -> Results {
        Results { thread_panics, ..self }
    }

    /// Whether this is one process's share of the network.
    pub fn is_share(&self) -> bool {
        self.sockets.as_ref().is_some_and(OnSockets::is_share)
    }

    /// Whether it was emulated, and the machine could not keep up.
    pub fn is_void(&self) -> bool {
        self.world == World::Emulate && self.sockets.as_ref().is_some_and(OnSockets::was_late)
    }

    /// Events by real time; 0 where no time passed.
    pub fn events_per_second(&self) -> f64 {
        if self.wall_seconds > 0.0 { self.events as f64 / self.wall_seconds } else { 0.0 }
    }

    /// Whether some of the network is missing in it, by no act of the scenario.
    pub fn is_incomplete(&self) -> bool {
        self.sockets.as_ref().is_some_and(OnSockets::is_incomplete)
    }

    /// Why its expectations are not judged, in words; `None` where they are. They are of the whole
    /// network, the whole run, and the time after the warm-up.
    pub fn not_judged(&self) -> Option<&'static str> {
        let scenario = &self.plan.scenario;
        if self.panicked.is_some() || self.is_interrupted {
            Some("the run was interrupted")
        } else if self.stopped.is_some() {
            Some("the run was stopped before its end")
        } else if self.is_void() {
            Some("the run is void")
        } else if self.is_share() {
            Some("this is one process's share of the network")
        } else if self.is_incomplete() {
            Some("the run is incomplete")
        } else if scenario.measure.from >= scenario.duration {
            Some("the run ended within its warm-up")
        } else {
            None
        }
    }

    /// How the scenario's expectations ended; empty where they are [not judged](Self::not_judged).
    pub fn verdicts(&self) -> Vec<Verdict> {
        match self.not_judged() {
            Some(_) => Vec::new(),
            None => expectations::check(&self.plan.scenario, &self.measures),
        }
    }

    /// Fails where a property or an expectation of the scenario does not hold. An expectation that
    /// is [not judged](Self::not_judged) does not.
    ///
    /// # Errors
    /// Names the properties and the bounds that were not kept, and says why none were judged.
    pub fn check(&self) -> Result<(), Unmet> {
        let not_judged = match self.plan.scenario.expect.is_empty() {
            true => None,
            false => self.not_judged(),
        };
        let failed: Vec<_> = self.verdicts().into_iter().filter(|verdict| !verdict.held).collect();
        let properties: Vec<_> = self.properties.iter().filter(|one| !one.held).cloned().collect();
        match failed.is_empty() && properties.is_empty() && not_judged.is_none() {
            true => Ok(()),
            false => Err(Unmet { properties, failed, not_judged }),
        }
    }

    /// All metrics over the epochs after the warm-up, in units.
    pub fn summary(&self) -> Summary {
        Summary::of(&self.measures)
    }
}
