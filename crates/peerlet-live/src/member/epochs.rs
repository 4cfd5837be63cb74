//! Measurements: own epochs that all shards have closed, and the reports of others.

use peerlet_core::{Identity, Time, wire};

use super::numbers::Numbers;
use super::totals::{Report, Reporter};
use super::{Member, OwnEpoch, RoleState};

impl Member {
    /// One of the own shards has closed an epoch; when all have, it is reported.
    pub(super) fn own_epoch(&mut self, epoch: OwnEpoch) {
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
        let Some((_, OwnEpoch { measures, lost })) = self.open.remove(&number) else { return };
        // A process that came late has nothing to say of what was before, nor has it missed that.
        let from = measures.from.max(self.lived_from);
        if from >= measures.to {
            return;
        }
        let seats = u64::from(self.setup.own.len());
        let lived = ((measures.to - from).as_nanos() * seats).saturating_sub(lost);
        if let RoleState::Coordinator(_) = &self.state {
            return self.totals.add_own_epoch(self.setup.own.seat_range(), lived, measures);
        }
        let mut words = Numbers::default();
        measures.words(&mut |word| words.push(word));
        self.report(&Report::Epoch { lived, words });
    }

    /// Reports something to seat 0's process, which has no need to.
    pub(super) fn report(&mut self, report: &Report) {
        let RoleState::Participant(search) = &mut self.state else { return };
        let mut bytes = Vec::new();
        wire::encode(report, &mut bytes).expect("reports are plain");
        let is_last = matches!(report, Report::Closing { .. });
        if !search.participant.outbox.push(&bytes, is_last) {
            tracing::warn!(
                "a report of {} bytes is left out: it is too long, or seat 0's process does not \
                 accept those before it",
                bytes.len()
            );
        }
    }

    /// A report of another process is complete.
    pub(super) fn reported(&mut self, identity: Identity, bytes: &[u8]) {
        let now = self.run_time();
        let (member_now, RoleState::Coordinator(coordinator)) = (self.now(), &mut self.state)
        else {
            return;
        };
        let entry = coordinator.roster.entries_mut().find(|e| e.process.identity() == identity);
        let Some(entry) = entry else { return };
        let Ok(report) = wire::decode(bytes) else {
            return tracing::debug!("a report was refused");
        };
        let since_joined = member_now.saturating_sub(entry.joined);
        let joined = Time::ZERO + (now - Time::ZERO).saturating_sub(since_joined);
        let (incarnation, seats) = (entry.process.incarnation, entry.process.seat_range());
        let reporter = Reporter { identity, incarnation, seats, joined, now };
        if let Err(error) = self.totals.add(reporter, report) {
            tracing::debug!(?error, "a report was refused");
        }
        entry.closed = self.totals.has_closed(identity, incarnation);
    }
}
