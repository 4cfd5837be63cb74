//! The part of the results that only runs on real sockets have.

use peerlet_live::{Carried, Counters, Delays, LiveOutcome, Whole};

use crate::panics::PanicReport;
use crate::plan::Plan;
use crate::results::Results;
use crate::transport::Transport;
use crate::world::World;

/// The outcome of a run on real sockets.
pub struct Ran {
    pub outcome: LiveOutcome,
    pub transport: Transport,
    pub wall_seconds: f64,
    pub is_interrupted: bool,
    /// The panic that ended it, if one did: the outcome is partial.
    pub panicked: Option<PanicReport>,
    /// Messages of threads that panicked and ended no run.
    pub thread_panics: Vec<String>,
}

/// The part of the results that only runs on real sockets have.
pub struct OnSockets {
    /// Frames that the sockets dropped, by cause.
    pub counters: Counters,
    /// Coverage of the whole network, at seat 0's process of several.
    pub whole: Option<Whole>,
    /// Shares of the whole network that are missing, in words.
    pub missing: Vec<String>,
    /// Processes that were not admitted or refused, in words.
    pub kept_out: Vec<String>,
    /// Whether this is one process's share: nothing balances, and nothing can be expected of it.
    pub is_share: bool,
    /// The fates of packets, and how late they were, where a model stood between the sockets.
    pub carried: Option<Carried>,
    /// How late the shards of the process were, and why.
    pub delays: Delays,
}

impl OnSockets {
    pub(crate) fn is_share(&self) -> bool {
        self.is_share
    }

    /// Whether a model stood between the sockets, and the machine could not keep up.
    pub(crate) fn was_late(&self) -> bool {
        self.carried.as_ref().is_some_and(|carried| !carried.is_valid())
    }

    /// Whether some of the network is missing, by no act of the scenario.
    pub(crate) fn is_incomplete(&self) -> bool {
        let is_covered = self.whole.as_ref().is_none_or(|whole| whole.coverage >= 1.0);
        !self.missing.is_empty() || !is_covered
    }
}

impl Results {
    /// The results of a live run, or of an emulated one.
    pub(crate) fn on_sockets(
        world: World,
        plan: Plan,
        shards: u32,
        ran: Ran,
        is_seeded: bool,
    ) -> Results {
        let Ran { outcome, transport, wall_seconds, is_interrupted, panicked, thread_panics } = ran;
        let properties = plan.checker.reports();
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
            sockets: Some(OnSockets {
                counters: outcome.counters,
                whole: outcome.whole,
                missing: outcome.missing,
                kept_out: outcome.kept_out,
                is_share: outcome.is_share,
                carried: outcome.carried,
                delays: outcome.delays,
            }),
            properties,
            stopped: None,
            states: Vec::new(),
            peers: Vec::new(),
            accounts: Vec::new(),
            is_interrupted,
            panicked,
            thread_panics,
            is_seeded,
        }
    }

    /// The fates of packets, where a model stood between real sockets.
    pub fn carried(&self) -> Option<&Carried> {
        self.sockets.as_ref()?.carried.as_ref()
    }

    /// Coverage of the whole network, at seat 0's process of several.
    pub fn whole(&self) -> Option<&Whole> {
        self.sockets.as_ref()?.whole.as_ref()
    }

    /// Shares of the whole network that are missing, in words.
    pub fn missing(&self) -> &[String] {
        self.sockets.as_ref().map_or(&[], |sockets| &sockets.missing)
    }

    /// Processes that were not admitted or refused, in words.
    pub fn kept_out(&self) -> &[String] {
        self.sockets.as_ref().map_or(&[], |sockets| &sockets.kept_out)
    }
}
