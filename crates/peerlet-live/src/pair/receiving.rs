//! The receiver's side of reliable connections: what was taken from whom, and which
//! acknowledgements are due.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;

use peerlet_core::{Address, Time};

use super::{Effects, RECEIVING_MAX, RECEIVING_PER_LINK_MAX};
use crate::frame::{Kind, Link};

/// Our slot, their slot, their life.
type Key = (u32, u32, u32);

/// Connections that others send on, by the process that they come from.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    links: BTreeMap<SocketAddr, BTreeMap<Key, Taken>>,
    /// How many connections there are over all links.
    count: usize,
    /// Links that broke, with the time by which their senders have given up.
    lost: BTreeMap<SocketAddr, Time>,
    due: Vec<(SocketAddr, Key)>,
}

#[derive(Debug)]
struct Taken {
    /// Our life.
    life: u32,
    /// The number of the last message taken.
    last: u64,
    ack_due: bool,
}

impl Receiving {
    /// Begins a connection with message `seq`, and gives the number before it; `None` when there
    /// are too many.
    ///
    /// A question that was asked before finds the connection as it is; one with another start
    /// replaces it.
    pub(super) fn open(&mut self, from: SocketAddr, key: Key, seq: u64, life: u32) -> Option<u64> {
        self.lost.remove(&from);
        let full = self.count >= RECEIVING_MAX;
        let link = match self.links.entry(from) {
            Entry::Vacant(_) if full => return None,
            entry => entry.or_default(),
        };
        // Two lives of a sender may overlap here, since what a life sent arrives after its end;
        // older ones are over.
        let (slot, peer, their_life) = key;
        let older = (slot, peer, 0)..(slot, peer, their_life.saturating_sub(1));
        let over: Vec<Key> = link.range(older).map(|(key, _)| *key).collect();
        self.count -= over.iter().filter(|key| link.remove(key).is_some()).count();
        if !link.contains_key(&key) {
            if full || link.len() >= RECEIVING_PER_LINK_MAX {
                return None;
            }
            self.count += 1;
        }
        let last = seq.saturating_sub(1);
        let taken = link.entry(key).or_insert(Taken { life, last, ack_due: false });
        if taken.last >> 32 != last >> 32 {
            *taken = Taken { life, last, ack_due: false };
        }
        Some(taken.last)
    }

    /// The number of the last message taken on a connection, if there is one.
    pub(super) fn last(&mut self, from: SocketAddr, key: Key) -> Option<u64> {
        self.lost.remove(&from);
        self.links.get(&from)?.get(&key).map(|taken| taken.last)
    }

    /// Takes a message if it is the next: how its number compares, or `None` where there is no such
    /// connection.
    pub(super) fn take(&mut self, from: SocketAddr, key: Key, seq: u64) -> Option<Ordering> {
        let taken = self.links.get_mut(&from)?.get_mut(&key)?;
        if !taken.ack_due {
            taken.ack_due = true;
            self.due.push((from, key));
        }
        let order = seq.cmp(&taken.last.saturating_add(1));
        if order.is_eq() {
            taken.last = seq;
        }
        Some(order)
    }

    /// Sends the acknowledgements that are due.
    pub(super) fn flush(&mut self, effects: &mut Effects) {
        for (from, key) in self.due.drain(..) {
            let taken = self.links.get_mut(&from).and_then(|link| link.get_mut(&key));
            let Some(taken) = taken.filter(|taken| taken.ack_due) else { continue };
            taken.ack_due = false;
            let (slot, peer, life) = key;
            let ack = Kind::Ack(Link { life, seq: taken.last });
            effects.transmit(slot, taken.life, Address::new(from, peer), ack);
        }
    }

    /// Forgets all connections of a slot of ours, whose life has ended.
    pub(super) fn forget(&mut self, slot: u32) {
        for link in self.links.values_mut() {
            let over: Vec<Key> = link
                .range((slot, 0, 0)..=(slot, u32::MAX, u32::MAX))
                .map(|(key, _)| *key)
                .collect();
            self.count -= over.iter().filter(|key| link.remove(key).is_some()).count();
        }
        self.links.retain(|_, link| !link.is_empty());
    }

    /// A link broke: its connections may go on over another one until `until`.
    pub(super) fn link_lost(&mut self, until: Time, with: SocketAddr) {
        if self.links.contains_key(&with) {
            self.lost.insert(with, until);
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.lost.values().min().copied()
    }

    /// Forgets the connections of links that broke too long ago.
    pub(super) fn timer(&mut self, now: Time) {
        let (links, count) = (&mut self.links, &mut self.count);
        self.lost.retain(|from, until| {
            if *until <= now {
                *count -= links.remove(from).map_or(0, |link| link.len());
            }
            *until > now
        });
    }
}
