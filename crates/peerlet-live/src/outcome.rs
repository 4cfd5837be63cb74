//! The outcome of a live run.

use peerlet_core::Time;
use peerlet_measure::{DropCause, Flow, Ledger, Measurements};

use crate::counters::Counters;
use crate::medium::Carried;
use crate::member::{Closing, JoinError, NetworkTotals};
use crate::monitor::Delays;
use crate::shard::ShardOutcome;

/// The outcome of a live run.
pub struct LiveOutcome {
    /// The accounts of all messages. `in_flight` holds those that are unaccounted for.
    pub ledger: Ledger,
    /// The measurements, epoch by epoch.
    pub measures: Measurements,
    /// Drops at sockets and connections, by cause: garbage, frames of other experiments and
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
    /// The results of the whole network, at seat 0's process, and where there is only one
    /// process.
    pub whole: Option<Whole>,
    /// Whether this is the share of one process of several, and not the whole network: messages to
    /// and from other processes are in no balance then.
    pub is_share: bool,
    /// Shares of the whole network that are missing, in words; at a process that joined, that its
    /// own was not taken.
    pub missing: Vec<String>,
    /// Processes that this one did not let in or refused, or that did not let this one in, in
    /// words: some by name, and how often others were kept out.
    pub kept_out: Vec<String>,
    /// The fates of packets, where the run had a model between its sockets.
    pub carried: Option<Carried>,
    /// How late this process's shards were, and why.
    pub delays: Delays,
}

/// The results of the whole network, as seat 0's process knows them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Whole {
    /// The share of seat-seconds whose measures are among these.
    pub coverage: f64,
    /// Processes that reported to the end.
    pub processes: u32,
}

impl Whole {
    /// The results of one process with all seats, which lost this many seat-nanoseconds.
    pub(crate) fn alone(lost: u64, end: Time, seats: u32) -> Whole {
        let all = u128::from((end - Time::ZERO).as_nanos()) * u128::from(seats);
        let lost = u128::from(lost).min(all);
        Whole { coverage: 1.0 - lost as f64 / all.max(1) as f64, processes: 1 }
    }
}

/// Adds up what the shards of one process came to; `None` where none came to anything. It ran for
/// as long as the last of their peers lived.
pub(crate) fn add_up(outcomes: Vec<ShardOutcome>) -> Option<LiveOutcome> {
    let mut outcomes = outcomes.into_iter();
    let first = outcomes.next()?;
    let mut all = LiveOutcome {
        ledger: first.ledger,
        measures: first.measures,
        counters: first.counters,
        late_answers: first.late_answers,
        idle_directives: first.idle_directives,
        events: first.events,
        end: first.end,
        whole: None,
        is_share: false,
        missing: Vec::new(),
        kept_out: Vec::new(),
        carried: None,
        delays: first.delays,
    };
    for outcome in outcomes {
        all.ledger.add(&outcome.ledger);
        all.measures.merge(&outcome.measures);
        all.counters.merge(&outcome.counters);
        all.late_answers += outcome.late_answers;
        all.idle_directives += outcome.idle_directives;
        all.events += outcome.events;
        all.delays.add(&outcome.delays);
        all.end = all.end.max(outcome.end);
    }
    Some(all)
}

impl LiveOutcome {
    /// Closes the accounts of an emulated run. What was seen of datagrams in packets is known by
    /// its cause. Sealed packets (QUIC) show nothing: of their datagrams those that are missing are
    /// split among the causes as the packets are.
    pub(crate) fn close_emulated(&mut self, mut carried: Carried, seen: &Flow, are_sealed: bool) {
        let arrived_late = self.ledger.datagram.in_flight;
        self.ledger.close();
        let flow = &mut self.ledger.datagram;
        flow.duplicated += seen.duplicated;
        for cause in DropCause::ALL {
            flow.add_dropped(cause, seen.dropped(cause));
        }
        flow.in_flight = arrived_late + seen.in_flight;
        let known = flow.delivered + flow.dropped_total() + flow.in_flight;
        let mut missing = (flow.sent + flow.duplicated).saturating_sub(known);
        if are_sealed && let Some(parts) = carried.packets.split(missing) {
            parts.iter().for_each(|(cause, part)| flow.add_dropped(*cause, *part));
            missing = 0;
        }
        carried.unaccounted = missing;
        flow.in_flight += missing;
        self.carried = Some(carried);
    }

    /// The accounts that a process reports at its end.
    pub(crate) fn closing(&self) -> Closing {
        Closing {
            ledger: self.ledger,
            counters: self.counters,
            events: self.events,
            late_answers: self.late_answers,
            idle_directives: self.idle_directives,
        }
    }

    /// Seat 0's process does not have this process any more: it keeps its share.
    pub(crate) fn excluded(&mut self, why: &JoinError) {
        self.is_share = true;
        self.missing.push(format!("the rest of the run: {why}"));
    }

    /// Takes in what the others reported: from the share of one process to the whole network.
    pub(crate) fn widen(&mut self, totals: NetworkTotals) {
        self.missing.extend(totals.missing.iter().cloned());
        // A process that joined keeps its own share; the whole is at seat 0's.
        let Some(coverage) = totals.coverage() else {
            self.is_share = true;
            return;
        };
        let Closing { ledger, counters, events, late_answers, idle_directives } = totals.closing;
        (self.ledger, self.counters, self.events) = (ledger, counters, events);
        (self.late_answers, self.idle_directives) = (late_answers, idle_directives);
        // Sums of each peer do not travel: those of this process's own are kept.
        self.measures = totals.measures.with_peers_of(&self.measures);
        self.whole = Some(Whole { coverage, processes: totals.processes });
    }
}
