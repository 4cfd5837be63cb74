//! Results of a run, in any world.

use peerlet_core::Time;
use peerlet_live::{Carried, Counters, Delays, Whole};
use peerlet_measure::{Ledger, Measures, Summary};
use peerlet_sim::Outcome;

use crate::output::expectations::{self, Verdict};
use crate::plan::Plan;
use crate::sockets::Ran;
use crate::transport::Transport;
use crate::world::panics::PanicReport;

/// The worlds that a plan can run in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum World {
    /// Virtual time.
    Sim,
    /// Real sockets, with the scenario's network between them.
    Emulate,
    /// Real sockets and the real network.
    Live,
}

impl World {
    /// The name, which is that of the command.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            World::Sim => "sim",
            World::Emulate => "emulate",
            World::Live => "live",
        }
    }
}

/// A run that is over.
pub(crate) struct Results {
    /// The world it ran in.
    pub(crate) world: World,
    /// The transport that messages went over, where that shows.
    pub(crate) transport: Option<Transport>,
    /// The plan that ran.
    pub(crate) plan: Plan,
    /// Threads of a simulation, shards of a live process.
    pub(crate) threads: u32,
    /// The instant at which it ended.
    pub(crate) end: Time,
    /// Real time that it took, in seconds.
    pub(crate) wall_seconds: f64,
    /// How many events peers handled.
    pub(crate) events: u64,
    /// The digest of a simulation, in hexadecimal.
    pub(crate) digest: Option<String>,
    /// The digest over the payloads of a simulation with encoded messages.
    pub(crate) payload_digest: Option<String>,
    /// The accounts of messages.
    pub(crate) ledger: Ledger,
    /// All that was measured, by epoch.
    pub(crate) measures: Measures,
    /// Answers that came after the question was given up.
    pub(crate) late_answers: u64,
    /// Acts of the scenario that found nothing to do.
    pub(crate) idle_directives: u64,
    /// The part that only runs on real sockets have.
    pub(crate) sockets: Option<OnSockets>,
    /// Whether it ended before its time: everything here is partial.
    pub(crate) is_interrupted: bool,
    /// The panic that ended it, if one did: then it counts as interrupted.
    pub(crate) panicked: Option<PanicReport>,
    /// Messages of threads that panicked and ended no run, each with its place in the program.
    pub(crate) thread_panics: Vec<String>,
    /// Whether the seed decided what peers did.
    pub(crate) is_seeded: bool,
}

/// The part of the results that only runs on real sockets have.
pub(crate) struct OnSockets {
    /// Frames that the sockets dropped, by cause.
    pub(crate) counters: Counters,
    /// What seat 0's process knows of the whole network, when there are several processes.
    pub(crate) whole: Option<Whole>,
    /// Shares of the whole network that are missing, in words.
    pub(crate) missing: Vec<String>,
    /// Processes that were not let in or refused, in words.
    pub(crate) kept_out: Vec<String>,
    /// Whether this is one process's share: nothing balances, and nothing can be expected of it.
    pub(crate) is_share: bool,
    /// The fates of packets, and how late they were, where a model stood between the sockets.
    pub(crate) carried: Option<Carried>,
    /// How late the shards of the process were, and why.
    pub(crate) delays: Delays,
}

impl Results {
    /// The results of a simulation.
    pub(crate) fn simulated(
        plan: Plan,
        threads: u32,
        transport: Option<Transport>,
        outcome: Outcome,
        wall_seconds: f64,
    ) -> Results {
        let is_interrupted = outcome.end < Time::ZERO + plan.scenario.duration;
        Results {
            world: World::Sim,
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
            sockets: None,
            is_interrupted,
            panicked: None,
            thread_panics: Vec::new(),
            is_seeded: true,
        }
    }

    /// The results of a live run, or of an emulated one.
    pub(crate) fn on_sockets(
        world: World,
        plan: Plan,
        shards: u32,
        ran: Ran,
        is_seeded: bool,
    ) -> Results {
        let Ran { outcome, transport, wall_seconds, is_interrupted, panicked, thread_panics } = ran;
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
            is_interrupted,
            panicked,
            thread_panics,
            is_seeded,
        }
    }

    /// What became of packets, where a model stood between real sockets.
    pub(crate) fn carried(&self) -> Option<&Carried> {
        self.sockets.as_ref()?.carried.as_ref()
    }

    /// What seat 0's process knows of the whole network.
    pub(crate) fn whole(&self) -> Option<&Whole> {
        self.sockets.as_ref()?.whole.as_ref()
    }

    /// Shares of the whole network that are missing, in words.
    pub(crate) fn missing(&self) -> &[String] {
        self.sockets.as_ref().map_or(&[], |sockets| &sockets.missing)
    }

    /// Processes that were not let in or refused, in words.
    pub(crate) fn kept_out(&self) -> &[String] {
        self.sockets.as_ref().map_or(&[], |sockets| &sockets.kept_out)
    }

    /// Whether this is one process's share of the network.
    pub(crate) fn is_share(&self) -> bool {
        self.sockets.as_ref().is_some_and(|sockets| sockets.is_share)
    }

    /// Whether it was emulated, and the machine could not keep up.
    pub(crate) fn is_void(&self) -> bool {
        self.world == World::Emulate && self.carried().is_some_and(|carried| !carried.is_valid())
    }

    /// Events by real time; 0 where no time passed.
    pub(crate) fn events_per_second(&self) -> f64 {
        if self.wall_seconds > 0.0 { self.events as f64 / self.wall_seconds } else { 0.0 }
    }

    /// Whether some of the network is missing in it, by no act of the scenario.
    pub(crate) fn is_incomplete(&self) -> bool {
        let is_covered = self.whole().is_none_or(|whole| whole.coverage >= 1.0);
        !self.missing().is_empty() || !is_covered
    }

    /// Why its expectations are not judged, in words; `None` where they are. They are of the whole
    /// network, the whole run, and the time after the warm-up.
    pub(crate) fn not_judged(&self) -> Option<&'static str> {
        let scenario = &self.plan.scenario;
        if self.panicked.is_some() || self.is_interrupted {
            Some("the run was interrupted")
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
    pub(crate) fn verdicts(&self) -> Vec<Verdict> {
        match self.not_judged() {
            Some(_) => Vec::new(),
            None => expectations::check(&self.plan.scenario, &self.summary()),
        }
    }

    /// All metrics over the epochs after the warm-up, in units.
    pub(crate) fn summary(&self) -> Summary {
        Summary::of(&self.measures)
    }
}
