//! The totals of the whole network at seat 0's process: the sum of all reports.
//!
//! A report is taken once for each process and epoch, from the process itself, and only as far as
//! that process can have lived and done it. A process is trusted about the values it measured.

use std::collections::BTreeMap;

use peerlet_core::{Duration, Identity, Time};
use peerlet_measure::{DropCause, EpochMeasurements, Ledger, Measurements};
use serde::{Deserialize, Serialize};

use super::numbers::Numbers;
use super::roster::PROCESSES_MAX;
use crate::counters::{Counters, SocketDrop};

/// Events, messages and values that a process can count in a second: fifty times what the fastest
/// shard does on each of 64 cores.
const RATE_MAX: u64 = 64 * 50_000_000;
/// Bytes that a process can send in a second: 3,200 Gbit/s.
const BYTE_RATE_MAX: u64 = 400_000_000_000;
/// Time that is added to what a process had, since clocks differ and messages take time.
const SLACK: Duration = Duration::from_secs(2);

/// Processes that report, those included whose seats others have by now.
const REPORTED_MAX: usize = 4 * PROCESSES_MAX;

/// How far clocks may differ where time is granted: much more than a round trip's half.
const CLOCKS: Duration = Duration::from_nanos(100_000_000);

/// A report of one process.
#[derive(Serialize, Deserialize)]
pub(crate) enum Report {
    /// The measurements of one epoch, and the seat-nanoseconds of it in which the process lived.
    Epoch { lived: u64, words: Numbers },
    /// The accounts of the whole life of the process.
    Closing {
        ledger: Numbers,
        counters: Numbers,
        events: u64,
        late_answers: u64,
        idle_directives: u64,
    },
}

/// A process's own end of the run, for its last report.
#[derive(Clone, Copy, Default)]
pub(crate) struct Closing {
    pub(crate) ledger: Ledger,
    pub(crate) counters: Counters,
    pub(crate) events: u64,
    pub(crate) late_answers: u64,
    pub(crate) idle_directives: u64,
}

/// The process that reports, as the roster knows it.
#[derive(Clone, Copy)]
pub(crate) struct Reporter {
    pub(crate) identity: Identity,
    pub(crate) incarnation: u64,
    pub(crate) seats: (u32, u32),
    /// When it was taken in, on the run's clock.
    pub(crate) joined: Time,
    /// The run's clock now.
    pub(crate) now: Time,
}

/// Why a report was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReportRefusal {
    /// It cannot be read, or is about another run.
    Unreadable,
    /// The process has reported this already.
    Again,
    /// Nobody can have done so much in that time.
    TooMuch,
    /// Too many processes have reported, one after the other.
    TooMany,
}

/// How far a process has reported.
#[derive(Default)]
struct Reported {
    incarnation: u64,
    /// Epochs below this one were reported.
    next_epoch: usize,
    closed: bool,
    /// Whether it is among the processes that reported to the end, in this incarnation or before.
    counted: bool,
}

/// The totals of the whole network, as seat 0's process knows them.
pub(crate) struct NetworkTotals {
    pub(crate) measures: Measurements,
    pub(crate) closing: Closing,
    /// The seat-nanoseconds that reported, by epoch.
    lived: BTreeMap<usize, u64>,
    reported: BTreeMap<Identity, Reported>,
    /// Processes whose last report came, the own one included.
    pub(crate) processes: u32,
    /// The number of seats, at seat 0's process.
    count: Option<u32>,
    /// The time at which the run ended early at seat 0's process, if it did.
    end: Option<Time>,
    /// Shares that are missing, in words.
    pub(crate) missing: Vec<String>,
    /// The seat-nanoseconds that reported, by the first and the last seat of the process.
    lived_of: BTreeMap<(u32, u32), u64>,
}

impl NetworkTotals {
    /// Empty totals of a network with this many seats, where their number is known here.
    pub(crate) fn new(nothing: Measurements, count: Option<u32>) -> NetworkTotals {
        let (closing, lived, reported, missing) = Default::default();
        let (processes, measures, lived_of) = (1, nothing, BTreeMap::new());
        let end = None;
        NetworkTotals {
            measures,
            closing,
            lived,
            reported,
            processes,
            count,
            end,
            missing,
            lived_of,
        }
    }

    /// The run ended here, before its time: epochs that begin later are left out, and the one that
    /// was under way counts up to here.
    pub(crate) fn end_at(&mut self, end: Time) {
        self.end = Some(end);
        self.measures.cut_at(end);
    }

    fn ends_before(&self, time: Time) -> bool {
        self.end.is_some_and(|end| end <= time)
    }

    /// The seats of processes that reported less than all of their time, each with the share of it
    /// that they reported.
    pub(crate) fn partly_covered(&self) -> impl Iterator<Item = ((u32, u32), f64)> {
        let epochs = self.measures.epochs();
        let whole: u64 = epochs.map(|epoch| (epoch.to - epoch.from).as_nanos()).sum();
        self.lived_of.iter().filter_map(move |(seats, lived)| {
            let all = u128::from(whole) * u128::from(seats.1 - seats.0 + 1);
            (u128::from(*lived) < all).then(|| (*seats, *lived as f64 / all as f64))
        })
    }

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

    /// Takes in an epoch of the own process.
    pub(crate) fn add_own_epoch(
        &mut self,
        seats: (u32, u32),
        lived: u64,
        epoch: EpochMeasurements,
    ) {
        let number = epoch.epoch;
        self.measures.add(epoch);
        self.add_lived(seats, number, lived);
    }

    /// Takes in the report of another process.
    ///
    /// # Errors
    /// When it is none that this process can make now.
    pub(crate) fn add(&mut self, from: Reporter, report: Report) -> Result<(), ReportRefusal> {
        if self.reported.len() >= REPORTED_MAX && !self.reported.contains_key(&from.identity) {
            return Err(ReportRefusal::TooMany);
        }
        let known = self.reported.entry(from.identity).or_default();
        if known.incarnation != from.incarnation {
            let counted = known.counted;
            *known = Reported { incarnation: from.incarnation, counted, ..Reported::default() };
        }
        if known.closed {
            return Err(ReportRefusal::Again);
        }
        match report {
            Report::Epoch { lived, words } => self.add_epoch(from, lived, &words),
            Report::Closing { ledger, counters, events, late_answers, idle_directives } => {
                let ledger = ledger_of(&ledger).ok_or(ReportRefusal::Unreadable)?;
                let counters = counters_of(&counters).ok_or(ReportRefusal::Unreadable)?;
                let closing = Closing { ledger, counters, events, late_answers, idle_directives };
                if !closing.fits(from.now - from.joined.min(from.now) + SLACK) {
                    return Err(ReportRefusal::TooMuch);
                }
                known.closed = true;
                self.closing.add(&closing);
                self.processes += u32::from(!std::mem::replace(&mut known.counted, true));
                Ok(())
            }
        }
    }

    /// Whether this start of the process has sent its last report.
    pub(crate) fn has_closed(&self, identity: Identity, incarnation: u64) -> bool {
        let known = self.reported.get(&identity);
        known.is_some_and(|known| known.incarnation == incarnation && known.closed)
    }

    fn add_epoch(
        &mut self,
        from: Reporter,
        lived: u64,
        words: &Numbers,
    ) -> Result<(), ReportRefusal> {
        let metrics = self.measures.metrics().len();
        let mut epoch = EpochMeasurements::from_words(words.iter(), metrics)
            .map_err(|_| ReportRefusal::Unreadable)?;
        let known = self.reported.entry(from.identity).or_default();
        let number = epoch.epoch;
        if number < known.next_epoch {
            return Err(ReportRefusal::Again);
        }
        let whole = epoch.to - epoch.from;
        let most = RATE_MAX.saturating_mul((whole + SLACK).as_nanos() / NANOS + 1);
        let counts = epoch.accumulators.iter().map(|accumulator| accumulator.count());
        if epoch.from > from.now + SLACK || counts.max().is_some_and(|count| count > most) {
            return Err(ReportRefusal::TooMuch);
        }
        if self.ends_before(epoch.from) {
            self.reported.entry(from.identity).or_default().next_epoch = number + 1;
            return Ok(());
        }
        epoch.to = self.end.map_or(epoch.to, |end| epoch.to.min(end));
        // What it had of the epoch from when it was taken in until now. Of an epoch that was over
        // by then it has nothing to say, or it could tell the same with each new incarnation.
        let until = epoch.to.min(from.now + CLOCKS);
        if until + CLOCKS <= from.joined {
            return Err(ReportRefusal::TooMuch);
        }
        let begin = epoch.from.max(from.joined);
        let had = until.max(begin) - begin;
        let (first, last) = from.seats;
        let most = had.as_nanos().saturating_mul(u64::from(last - first + 1));
        self.measures.try_add(epoch).map_err(|_| ReportRefusal::Unreadable)?;
        self.reported.entry(from.identity).or_default().next_epoch = number + 1;
        self.add_lived(from.seats, number, lived.min(most));
        Ok(())
    }

    fn add_lived(&mut self, seats: (u32, u32), epoch: usize, lived: u64) {
        let of = self.lived_of.entry(seats).or_default();
        *of = of.saturating_add(lived);
        let sum = self.lived.entry(epoch).or_default();
        *sum = sum.saturating_add(lived);
    }
}

const NANOS: u64 = 1_000_000_000;

impl Closing {
    pub(crate) fn add(&mut self, other: &Closing) {
        self.ledger.add(&other.ledger);
        self.counters.merge(&other.counters);
        self.events = self.events.saturating_add(other.events);
        self.late_answers = self.late_answers.saturating_add(other.late_answers);
        self.idle_directives = self.idle_directives.saturating_add(other.idle_directives);
    }

    /// The report that says this.
    pub(crate) fn report(&self) -> Report {
        Report::Closing {
            ledger: words_of(&self.ledger),
            counters: self.counters.iter().map(|(_, count)| count).collect(),
            events: self.events,
            late_answers: self.late_answers,
            idle_directives: self.idle_directives,
        }
    }

    /// Whether a process can have done all this in that time.
    fn fits(&self, time: Duration) -> bool {
        let seconds = time.as_nanos() / NANOS + 1;
        let (most, bytes_most) =
            (RATE_MAX.saturating_mul(seconds), BYTE_RATE_MAX.saturating_mul(seconds));
        let flows = [&self.ledger.datagram, &self.ledger.reliable];
        let flows_fit = flows.iter().all(|flow| {
            let drops = DropCause::ALL.map(|cause| flow.dropped(cause));
            let counts = [flow.sent, flow.duplicated, flow.delivered];
            counts.iter().chain(&drops).all(|count| *count <= most) && flow.bytes <= bytes_most
        });
        let counts = [self.events, self.late_answers, self.idle_directives];
        let counters = self.counters.iter().map(|(_, count)| count);
        flows_fit && counts.into_iter().chain(counters).all(|count| count <= most)
    }
}

/// A ledger as numbers: for each class what was sent, duplicated, delivered, its bytes, and the
/// drops by cause.
fn words_of(ledger: &Ledger) -> Numbers {
    [&ledger.datagram, &ledger.reliable]
        .into_iter()
        .flat_map(|flow| {
            let head = [flow.sent, flow.duplicated, flow.delivered, flow.bytes];
            head.into_iter().chain(DropCause::ALL.map(|cause| flow.dropped(cause)))
        })
        .collect()
}

/// The ledger that these numbers tell; `None` when there are too few or too many.
fn ledger_of(words: &Numbers) -> Option<Ledger> {
    const FLOW: usize = 4 + DropCause::ALL.len();
    if words.len() != 2 * FLOW {
        return None;
    }
    let mut ledger = Ledger::default();
    let mut words = words.iter();
    for flow in [&mut ledger.datagram, &mut ledger.reliable] {
        for count in [&mut flow.sent, &mut flow.duplicated, &mut flow.delivered, &mut flow.bytes] {
            *count = words.next()?;
        }
        for cause in DropCause::ALL {
            flow.add_dropped(cause, words.next()?);
        }
    }
    Some(ledger)
}

fn counters_of(words: &Numbers) -> Option<Counters> {
    let mut counters = Counters::default();
    if words.len() != SocketDrop::ALL.len() {
        return None;
    }
    SocketDrop::ALL
        .into_iter()
        .zip(words.iter())
        .for_each(|(cause, count)| counters.add(cause, count));
    Some(counters)
}

#[cfg(test)]
mod tests {
    use peerlet_core::{Metric, SECOND};
    use peerlet_measure::{Epochs, MetricEntry};

    use super::*;

    fn totals() -> NetworkTotals {
        let metrics = [MetricEntry::new("test", Metric::counter("count"))];
        let grid = Epochs::new(SECOND * 10, Time::ZERO..Time::ZERO + SECOND * 30).unwrap();
        NetworkTotals::new(Measurements::new(metrics.into(), grid), Some(20))
    }

    fn reporter(joined: u64, now: u64) -> Reporter {
        let (identity, incarnation) = (Identity([2; 32]), 7);
        let at = |secs| Time::ZERO + SECOND * secs;
        Reporter { identity, incarnation, seats: (10, 19), joined: at(joined), now: at(now) }
    }

    fn epoch(number: usize, lived: Duration, values: u64) -> Report {
        let at = |number: usize| Time::ZERO + SECOND * 10 * number as u64;
        let mut epoch = EpochMeasurements::new(number, at(number)..at(number + 1), 1);
        if values > 0 {
            epoch.accumulators[0].record_n(1, values);
        }
        let mut words = Numbers::default();
        epoch.words(&mut |word| words.push(word));
        Report::Epoch { lived: lived.as_nanos(), words }
    }

    #[test]
    fn an_epoch_counts_once_and_at_most_the_time_that_its_process_had() {
        let mut totals = totals();
        assert_eq!(totals.add(reporter(0, 11), epoch(0, SECOND * 100, 3)), Ok(()));
        let again = totals.add(reporter(0, 11), epoch(0, SECOND * 100, 3));
        assert_eq!(again, Err(ReportRefusal::Again));
        assert_eq!(totals.coverage(), Some(0.5), "ten seats of twenty");
        // Who came at 16 s had four seconds of the second epoch, whatever it claims.
        assert_eq!(totals.add(reporter(16, 21), epoch(1, SECOND * 9_999, 3)), Ok(()));
        assert_eq!(totals.coverage(), Some((100.0 + 40.0) / 400.0));
        let partly: Vec<_> = totals.partly_covered().collect();
        assert_eq!(partly, [((10, 19), 140.0 / 200.0)], "of the two epochs that were reported");
        // Of an epoch that goes on, it had what has passed.
        let mut early = self::totals();
        assert_eq!(early.add(reporter(0, 1), epoch(0, SECOND * 9_999, 3)), Ok(()));
        assert_eq!(early.coverage(), Some(11.0 / 200.0));
        // A clock that is a little ahead, since it was set over a crowded path, does not cost
        // values.
        assert_eq!(self::totals().add(reporter(0, 9), epoch(1, SECOND, 3)), Ok(()));
        let future = totals.add(reporter(0, 11), epoch(2, SECOND * 100, 3));
        assert_eq!(future, Err(ReportRefusal::TooMuch), "it has not begun");
    }

    #[test]
    fn a_run_that_ends_early_counts_up_to_its_end() {
        let mut totals = totals();
        let at = |millis: u64| Time::ZERO + peerlet_core::MILLISECOND * millis;
        // One that is ahead, or whose report came while the own peers stopped.
        assert_eq!(totals.add(reporter(0, 11), epoch(0, SECOND * 100, 3)), Ok(()));
        assert_eq!(totals.add(reporter(0, 21), epoch(1, SECOND * 100, 3)), Ok(()));
        totals.end_at(at(14_500));
        totals.add_own_epoch(
            (0, 9),
            SECOND.as_nanos() * 100,
            EpochMeasurements::new(0, at(0)..at(10_000), 1),
        );
        totals.add_own_epoch(
            (0, 9),
            SECOND.as_nanos() * 45,
            EpochMeasurements::new(1, at(10_000)..at(14_500), 1),
        );
        let other = Reporter { identity: Identity([3; 32]), seats: (10, 14), ..reporter(0, 31) };
        assert_eq!(totals.add(other, epoch(2, SECOND * 50, 3)), Ok(()), "it is left out");
        totals.end_at(at(14_500));
        assert_eq!(totals.coverage(), Some(1.0));
        assert_eq!(totals.partly_covered().count(), 0);
        let spans: Vec<_> = totals.measures.epochs().map(|e| (e.from, e.to)).collect();
        assert_eq!(spans, [(at(0), at(10_000)), (at(10_000), at(14_500))]);
        assert_eq!(totals.add(other, epoch(2, SECOND * 50, 3)), Err(ReportRefusal::Again));
        // Of the last epoch nobody had more than was there.
        let mut totals = self::totals();
        totals.end_at(at(14_500));
        totals.add_own_epoch(
            (0, 9),
            SECOND.as_nanos() * 45,
            EpochMeasurements::new(1, at(10_000)..at(14_500), 1),
        );
        assert_eq!(totals.add(reporter(0, 31), epoch(1, SECOND * 100, 3)), Ok(()));
        assert_eq!(totals.coverage(), Some(1.0));
        assert_eq!(totals.partly_covered().count(), 0);
    }

    #[test]
    fn nobody_reports_more_than_a_process_can_do() {
        let closing = |events, sent| {
            let mut closing = Closing { events, ..Closing::default() };
            closing.ledger.datagram.sent = sent;
            closing.report()
        };
        let mut totals = totals();
        for (events, sent) in [(u64::MAX, 0), (0, u64::MAX), (1 << 50, 1 << 50)] {
            let refused = totals.add(reporter(0, 30), closing(events, sent));
            assert_eq!(refused, Err(ReportRefusal::TooMuch));
        }
        assert_eq!(totals.processes, 1);
        assert_eq!(totals.add(reporter(0, 30), closing(1_000_000, 1_000)), Ok(()));
        for _ in 0..50 {
            let again = totals.add(reporter(0, 30), closing(1, 1));
            assert_eq!(again, Err(ReportRefusal::Again));
        }
        assert_eq!((totals.processes, totals.closing.events), (2, 1_000_000));
        let values = totals.add(reporter(0, 11), epoch(0, SECOND, 1 << 38));
        assert_eq!(values, Err(ReportRefusal::Again), "its last word was said");
        let other = Reporter { identity: Identity([3; 32]), ..reporter(0, 11) };
        assert_eq!(totals.add(other, epoch(0, SECOND, 1 << 38)), Err(ReportRefusal::TooMuch));
    }

    #[test]
    fn processes_that_take_over_from_each_other_without_end_are_kept_no_account_of() {
        let mut totals = totals();
        let mut report = |number: usize| {
            let mut identity = [0; 32];
            identity[..8].copy_from_slice(&number.to_be_bytes());
            let from = Reporter { identity: Identity(identity), ..reporter(0, 11) };
            totals.add(from, Closing::default().report())
        };
        assert!((0..REPORTED_MAX).all(|number| report(number) == Ok(())));
        assert_eq!(report(REPORTED_MAX), Err(ReportRefusal::TooMany));
        assert_eq!(report(7), Err(ReportRefusal::Again), "others are known as before");
    }

    #[test]
    fn a_process_that_began_again_reports_anew() {
        let mut totals = totals();
        totals.add(reporter(0, 11), epoch(0, SECOND * 100, 3)).unwrap();
        let again = Reporter { incarnation: 8, ..reporter(15, 21) };
        assert_eq!(totals.add(again, epoch(1, SECOND * 50, 3)), Ok(()));
        assert_eq!(totals.add(again, Closing::default().report()), Ok(()));
        let before = totals.add(Reporter { incarnation: 9, ..again }, epoch(0, SECOND, 3));
        assert_eq!(before, Err(ReportRefusal::TooMuch), "that was over when it was restarted");
        let third = Reporter { incarnation: 9, ..again };
        assert_eq!(totals.add(third, Closing::default().report()), Ok(()));
        assert_eq!(totals.processes, 2, "it is one process, however often it is restarted");
        assert!(
            totals.has_closed(Identity([2; 32]), 9) && !totals.has_closed(Identity([2; 32]), 8)
        );
    }

    #[test]
    fn accounts_travel_unchanged() {
        let mut closing = Closing::default();
        closing.ledger.reliable.delivered = 5;
        closing.ledger.datagram.add_dropped(DropCause::Queue, 7);
        closing.counters.add(SocketDrop::Queue, 9);
        let mut totals = totals();
        totals.add(reporter(0, 30), closing.report()).unwrap();
        assert_eq!(totals.closing.ledger, closing.ledger);
        assert_eq!(totals.closing.counters, closing.counters);
        let report = Report::Closing {
            ledger: [0; 3].into_iter().collect(),
            counters: Numbers::default(),
            events: 0,
            late_answers: 0,
            idle_directives: 0,
        };
        let other = Reporter { identity: Identity([3; 32]), ..reporter(0, 30) };
        assert_eq!(totals.add(other, report), Err(ReportRefusal::Unreadable));
    }
}
