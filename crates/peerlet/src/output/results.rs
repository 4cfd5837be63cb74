//! What came out of a run, in any world.

use peerlet_core::Time;
use peerlet_live::{Carried, Counters, Delays, Whole};
use peerlet_measure::{Ledger, Measures, Summary};
use peerlet_sim::Outcome;

use crate::plan::Plan;
use crate::transport::Transport;
use crate::world::interrupts::Taken;
use crate::world::live::Ran;

/// A run that is over.
pub(crate) struct Results {
    pub(crate) world: &'static str,
    /// What the messages went over, where that shows.
    pub(crate) transport: Option<Transport>,
    pub(crate) plan: Plan,
    /// Threads of a simulation, shards of a live process.
    pub(crate) threads: u32,
    pub(crate) end: Time,
    pub(crate) wall_seconds: f64,
    pub(crate) events: u64,
    /// Simulated runs have one, and with encoded messages one over payloads.
    pub(crate) digest: Option<String>,
    pub(crate) payload_digest: Option<String>,
    pub(crate) ledger: Ledger,
    pub(crate) measures: Measures,
    pub(crate) late_answers: u64,
    pub(crate) idle_directives: u64,
    /// What the sockets dropped.
    pub(crate) counters: Option<Counters>,
    /// What seat 0's process knows of the whole network, when there are several processes.
    pub(crate) whole: Option<Whole>,
    /// Shares of the whole network that are missing, in words.
    pub(crate) missing: Vec<String>,
    /// Processes that were not let in or refused, in words.
    pub(crate) kept_out: Vec<String>,
    /// Whether this is one process's share: nothing balances, and nothing can be expected of it.
    pub(crate) is_share: bool,
    /// What became of packets, and how late they were, where a model stood between the sockets.
    pub(crate) carried: Option<Carried>,
    /// How late the shards of a process on real sockets were, and why.
    pub(crate) delays: Option<Delays>,
    /// Whether it was interrupted: what is here is partial, and nothing can be expected of it.
    pub(crate) is_interrupted: bool,
    /// The panic that ended it, if one did: then it counts as interrupted.
    pub(crate) panicked: Option<String>,
    /// Whether the seed decided what peers did.
    pub(crate) is_seeded: bool,
    /// Until what is here was shown and written, signals end the process.
    _signals: Option<Taken>,
}

impl Results {
    pub(crate) fn simulated(
        plan: Plan,
        threads: u32,
        transport: Option<Transport>,
        outcome: Outcome,
        wall_seconds: f64,
    ) -> Results {
        let is_interrupted = outcome.end < Time::ZERO + plan.scenario.duration;
        Results {
            world: "sim",
            transport,
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
            counters: None,
            whole: None,
            missing: Vec::new(),
            kept_out: Vec::new(),
            is_share: false,
            carried: None,
            delays: None,
            is_interrupted,
            panicked: None,
            is_seeded: true,
            _signals: None,
        }
    }

    /// A live run, or an emulated one.
    pub(crate) fn on_sockets(
        world: &'static str,
        plan: Plan,
        shards: u32,
        ran: Ran,
        is_seeded: bool,
    ) -> Results {
        let Ran { outcome, transport, wall_seconds, is_interrupted, panicked, signals } = ran;
        Results {
            world,
            transport: Some(transport),
            plan,
            threads: shards,
            end: outcome.end,
            wall_seconds,
            events: outcome.events,
            digest: None,
            payload_digest: None,
            ledger: outcome.ledger,
            measures: outcome.measures,
            late_answers: outcome.late_answers,
            idle_directives: outcome.idle_directives,
            counters: Some(outcome.counters),
            whole: outcome.whole,
            missing: outcome.missing,
            kept_out: outcome.kept_out,
            is_share: outcome.is_share,
            carried: outcome.carried,
            delays: Some(outcome.delays),
            is_interrupted,
            panicked,
            is_seeded,
            _signals: Some(signals),
        }
    }

    /// Whether it was emulated, and the machine could not keep up.
    pub(crate) fn is_void(&self) -> bool {
        self.world == "emulate" && self.carried.as_ref().is_some_and(|carried| !carried.is_valid())
    }

    /// Events by real time; 0 where no time passed.
    pub(crate) fn events_per_second(&self) -> f64 {
        if self.wall_seconds > 0.0 { self.events as f64 / self.wall_seconds } else { 0.0 }
    }

    /// Whether some of the network is missing in it, by no act of the scenario.
    pub(crate) fn is_incomplete(&self) -> bool {
        let is_covered = self.whole.as_ref().is_none_or(|whole| whole.coverage >= 1.0);
        !self.missing.is_empty() || !is_covered
    }

    /// Why its expectations are not judged, in words; `None` where they are. They are of the whole
    /// network, the whole run, and the time after the warm-up.
    pub(crate) fn not_judged(&self) -> Option<&'static str> {
        let scenario = &self.plan.scenario;
        if self.panicked.is_some() || self.is_interrupted {
            Some("the run was interrupted")
        } else if self.is_void() {
            Some("the run is void")
        } else if self.is_share {
            Some("this is one process's share of the network")
        } else if self.is_incomplete() {
            Some("the run is incomplete")
        } else if scenario.measure.from >= scenario.duration {
            Some("the run ended within its warm-up")
        } else {
            None
        }
    }

    /// What was measured, in units.
    pub(crate) fn summary(&self) -> Summary {
        Summary::of(&self.measures)
    }
}
