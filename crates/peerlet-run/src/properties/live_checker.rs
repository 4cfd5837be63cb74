//! Checking the properties of each peer on real sockets, shard by shard.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use peerlet_core::Time;
use peerlet_core::property::{PeerView, PropertyKind};
use peerlet_live::Observer;

use crate::properties::planned::PlannedProperty;
use crate::properties::report::PropertyReport;
use crate::properties::watched::{Checked, Watched, caught};

/// The properties of a run on sockets, with what the shards of this process have found.
pub(crate) struct LiveChecker {
    all: Vec<Mutex<Shared>>,
    /// All instants at which one of them is checked are found by these.
    planned: Vec<PlannedProperty>,
    end: Time,
    shards: Mutex<u32>,
}

/// A property, and the checks of it that not all shards have made yet.
struct Shared {
    watched: Watched,
    open: BTreeMap<Time, (u32, Checked)>,
}

impl LiveChecker {
    /// A checker of these properties, in a run that ends then.
    pub(crate) fn new(planned: &[PlannedProperty], end: Time) -> LiveChecker {
        let watch = |one: &PlannedProperty| {
            let watched = Watched::new(one.clone(), end);
            Mutex::new(Shared { watched, open: BTreeMap::new() })
        };
        let all = planned.iter().map(watch).collect();
        LiveChecker { all, planned: planned.to_vec(), end, shards: Mutex::new(1) }
    }

    /// What is known of all properties.
    pub(crate) fn reports(&self) -> Vec<PropertyReport> {
        self.all.iter().map(|one| lock(one).watched.report()).collect()
    }
}

impl Shared {
    /// Takes what one shard has found; once all have, the check is made.
    fn take(&mut self, at: Time, found: Checked, shards: u32, end: Time) {
        let kind = self.watched.planned.property.kind();
        let (count, all) = match self.open.remove(&at) {
            None => (1, found),
            Some((count, earlier)) => (count + 1, joined(kind, earlier, found)),
        };
        match count >= shards {
            true if self.watched.next.is_some() => self.watched.take(at, all, end),
            true => {}
            false => drop(self.open.insert(at, (count, all))),
        }
    }
}

/// Two parts of one check: what has to hold holds of the peers of both, or sometimes of one.
fn joined(kind: PropertyKind, one: Checked, other: Checked) -> Checked {
    match (one?, other?) {
        (Ok(()), found) | (found, Ok(())) if kind == PropertyKind::Sometimes => {
            drop(found);
            Ok(Ok(()))
        }
        (Ok(()), found) | (found, Ok(())) => Ok(found),
        (Err(one), Err(other)) => Ok(Err(one.and(other))),
    }
}

impl Observer for LiveChecker {
    fn begin(&self, shards: u32) {
        *lock(&self.shards) = shards;
    }

    fn after(&self, last: Option<Time>) -> Option<Time> {
        let last = last.unwrap_or(Time::ZERO);
        if last >= self.end {
            return None;
        }
        self.planned.iter().map(|one| one.check_after(last, self.end)).min()
    }

    fn observe(&self, at: Time, peers: &mut dyn Iterator<Item = PeerView<'_>>) {
        let (peers, shards): (Vec<PeerView<'_>>, u32) = (peers.collect(), *lock(&self.shards));
        for (planned, shared) in self.planned.iter().zip(&self.all) {
            if !planned.is_checked_at(at, self.end) || lock(shared).watched.next.is_none() {
                continue;
            }
            let all = peers.iter().copied();
            let found = match planned.property.is_of_each_life() {
                true => lock(shared).watched.check_lives((at, self.end), all),
                false => caught(|| planned.property.check_peers(all)),
            };
            // What is wrong of one peer is wrong of all: no other shard can mend it.
            let peer = |seat| peers.iter().find(|peer| peer.seat() == seat).copied();
            let found = found.map(|found| found.map_err(|wrong| wrong.with_states(peer)));
            lock(shared).take(at, found, shards, self.end);
        }
    }
}

/// Nothing panics while it has it but a check, which is caught.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
