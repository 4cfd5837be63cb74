//! The end of a process's part in a run: the last reports, the lines about the wait for them, and
//! the shares that are missing.

use peerlet_core::Duration;
use tokio::time::Interval;

use super::coordinator::ranges;
use super::roster::SILENT;
use super::waiting::{Awaited, Reminder, for_reports, passed, whole};
use super::{CLOSING, CLOSING_STOPPED, Member, RoleState, TICK, report};

impl Member {
    /// Takes the last reports of others, or hands in the own ones, until all are through or have
    /// had their time.
    pub(super) async fn collect(&mut self, ticks: &mut Interval) {
        let closed = self.now();
        let (mut through, mut reminder) = (None, Reminder::default());
        while !self.has_waited(closed) {
            if self.is_through(closed) {
                let since = *through.get_or_insert(self.now());
                if self.now() >= since + self.linger() {
                    break;
                }
            }
            tokio::select! {
                biased;
                _ = ticks.tick() => {
                    // A refusal at the end is no more than a report that was not taken.
                    if self.tick().is_err() {
                        break;
                    }
                    self.remind_of_reports(&mut reminder, closed);
                }
                Some(heard) = self.setup.channels.heard.recv() => self.hear(heard),
                Some(heard) = self.setup.channels.strangers.recv() => self.hear(heard),
            }
        }
    }

    /// Whether the last reports have had their time.
    fn has_waited(&self, closed: Duration) -> bool {
        self.now() >= closed + self.patience()
    }

    fn patience(&self) -> Duration {
        if *self.setup.stop.borrow() { CLOSING_STOPPED } else { CLOSING }
    }

    /// Says whose last reports are waited for, since when nothing was heard and for how long: at
    /// once where a process is silent already.
    fn remind_of_reports(&self, reminder: &mut Reminder, closed: Duration) {
        let now = self.now();
        if self.is_through(closed) {
            return;
        }
        let left = (closed + self.patience()).saturating_sub(now);
        let line = match &self.state {
            RoleState::Coordinator(coordinator) => {
                let patience = CLOSING + now.saturating_sub(closed);
                let entries = coordinator.roster.entries();
                let open = entries.filter(|entry| entry.is_open(now, patience));
                let awaited: Vec<_> = open
                    .map(|entry| Awaited {
                        seats: entry.process.seat_range(),
                        socket: entry.socket,
                        silent: now.saturating_sub(entry.heard),
                    })
                    .collect();
                let is_silent = awaited.iter().any(|awaited| awaited.silent >= SILENT);
                reminder.is_due(now, closed, is_silent).then(|| for_reports(&awaited, left))
            }
            RoleState::Participant(search) => {
                let heard = search.participant.heard().unwrap_or_default();
                let silent = now.saturating_sub(heard);
                let is_due = reminder.is_due(now, closed, silent >= SILENT);
                let at = search.place();
                let (left, silent) = (whole(left), passed(silent));
                is_due.then(|| {
                    format!(
                        "waiting at most {left} for seat 0's process at {at} to take the reports \
                         of this process (nothing heard from it for {silent})"
                    )
                })
            }
        };
        if let Some(line) = line {
            (self.setup.notice)(&line);
        }
    }

    /// Whether there is nothing left to wait for.
    fn is_through(&self, closed: Duration) -> bool {
        let now = self.now();
        match &self.state {
            RoleState::Coordinator(coordinator) => {
                // Who is cut off has its time to come back; who was long gone at the end has not.
                let patience = CLOSING + now.saturating_sub(closed);
                !coordinator.roster.entries().any(|entry| entry.is_open(now, patience))
            }
            RoleState::Participant(search) => search.participant.outbox.is_empty(),
        }
    }

    /// How long to stay when there is nothing left to wait for: who answers others stays until a
    /// lost answer would have been asked for again.
    fn linger(&self) -> Duration {
        match &self.state {
            RoleState::Coordinator(_) => report::AGAIN + TICK * 4,
            RoleState::Participant(_) => Duration::ZERO,
        }
    }

    /// Notes whose share is missing.
    pub(super) fn note_missing(&mut self) {
        match &self.state {
            RoleState::Coordinator(coordinator) => {
                let vacant = coordinator.vacant();
                if !vacant.is_empty() {
                    let said = format!("{}: no process came", ranges(&vacant));
                    self.totals.missing.push(said);
                }
                let open = coordinator.roster.entries().filter(|entry| !entry.closed);
                let open: Vec<_> = open.map(|entry| entry.process.seat_range()).collect();
                let partly = self.totals.partly_covered();
                let partly: Vec<_> = partly.filter(|(seats, _)| !open.contains(seats)).collect();
                for (seats, share) in partly {
                    let (seats, percent) = (ranges(&[seats]), share * 100.0);
                    let said = format!("{seats}: {percent:.1} % of their time is covered");
                    self.totals.missing.push(said);
                }
                for entry in coordinator.roster.entries().filter(|entry| !entry.closed) {
                    let seats = ranges(&[entry.process.seat_range()]);
                    let silent = self.now().saturating_sub(entry.heard);
                    self.totals.missing.push(match silent >= SILENT {
                        true => format!(
                            "{seats}: nothing heard from their process for {}",
                            passed(silent)
                        ),
                        false => {
                            format!("{seats}: the last report of their process did not arrive")
                        }
                    });
                }
            }
            RoleState::Participant(search) if !search.participant.is_welcomed() => {
                let at = search.search.join();
                self.totals.missing.push(format!(
                    "the whole run: seat 0's process at {at} had not taken this one in when it \
                     was stopped"
                ));
            }
            RoleState::Participant(search) if !search.participant.outbox.is_empty() => {
                let at = search.search.join();
                self.totals.missing.push(format!(
                    "seat 0's process at {at} did not accept the reports of this process, so \
                     nobody has the whole"
                ));
            }
            RoleState::Participant(_) => {}
        }
    }
}
