//! The receiver's side of reliable connections: the last number taken on each, and the
//! acknowledgements that are due.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;

use peerlet_core::{Address, Duration, Time};

use super::assembly::{Assembly, Budget, Put};
use super::{Effects, RECEIVING_MAX, RECEIVING_PER_LINK_MAX};
use crate::frame::{ConnectionPosition, Kind, Message, Part};

/// Our slot, their slot, their life.
pub(super) type IncomingKey = (u32, u32, u32);

/// Connections that others send on, by the process that they come from.
#[derive(Debug)]
pub(super) struct Receiving {
    links: BTreeMap<SocketAddr, BTreeMap<IncomingKey, IncomingConnection>>,
    /// How many connections there are over all links.
    count: usize,
    /// Links that broke, with the time by which their senders have given up.
    lost: BTreeMap<SocketAddr, Time>,
    due: Vec<(SocketAddr, IncomingKey)>,
    /// Large messages on their way.
    assembly: Assembly,
    /// How long one of them may stand still: its sender has given up long before.
    patience: Duration,
}

#[derive(Debug)]
struct IncomingConnection {
    /// Our life.
    life: u32,
    /// The number of the last message taken.
    last: u64,
    ack_due: bool,
}

impl Receiving {
    /// No connections; senders give up after `timeout`.
    pub(super) fn new(timeout: Duration) -> Receiving {
        let (links, count, lost, due, assembly) = Default::default();
        Receiving { links, count, lost, due, assembly, patience: timeout * 2 }
    }

    /// Puts large messages together within this budget.
    pub(super) fn set_budget(&mut self, budget: Budget) {
        self.assembly.set_budget(budget);
    }

    /// Begins a connection with message `seq`, and gives the number before it; `None` when there
    /// are too many.
    ///
    /// A question that was asked before finds the connection as it is; one with another start
    /// replaces it.
    pub(super) fn open(
        &mut self,
        from: SocketAddr,
        key: IncomingKey,
        seq: u64,
        life: u32,
    ) -> Option<u64> {
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
        let over: Vec<IncomingKey> = link.range(older).map(|(key, _)| *key).collect();
        for key in over {
            self.count -= usize::from(link.remove(&key).is_some());
            self.assembly.forget((from, key));
        }
        if !link.contains_key(&key) {
            if full || link.len() >= RECEIVING_PER_LINK_MAX {
                return None;
            }
            self.count += 1;
        }
        let last = seq.saturating_sub(1);
        let taken = link.entry(key).or_insert(IncomingConnection { life, last, ack_due: false });
        if taken.last >> 32 != last >> 32 {
            *taken = IncomingConnection { life, last, ack_due: false };
            self.assembly.forget((from, key));
        }
        Some(taken.last)
    }

    /// The number of the last message taken on a connection, if there is one.
    pub(super) fn last(&mut self, from: SocketAddr, key: IncomingKey) -> Option<u64> {
        self.lost.remove(&from);
        self.links.get(&from)?.get(&key).map(|taken| taken.last)
    }

    /// Takes a message if it is the next: how its number compares, or `None` where there is no such
    /// connection.
    pub(super) fn take(
        &mut self,
        from: SocketAddr,
        key: IncomingKey,
        seq: u64,
    ) -> Option<Ordering> {
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

    /// Takes in a piece that was just taken: gives the message when it is whole. A piece that does
    /// not belong there ends its connection.
    pub(super) fn put(
        &mut self,
        now: Time,
        (from, key): (SocketAddr, IncomingKey),
        (seq, part): (u64, Part),
        message: Message<&[u8]>,
    ) -> Put {
        let put = self.assembly.put(now, (from, key), seq, part, message);
        if let Put::Wrong = put {
            self.remove(from, key);
        }
        put
    }

    /// Lets a message of this length start with number `seq`, or wait; false when there is no such
    /// connection.
    pub(super) fn ask(
        &mut self,
        now: Time,
        (from, key): (SocketAddr, IncomingKey),
        (seq, total): (u64, u32),
        effects: &mut Effects,
    ) -> bool {
        let taken = self.links.get(&from).and_then(|link| link.get(&key));
        let Some(taken) = taken else { return false };
        if seq != taken.last.wrapping_add(1) {
            // The sender finds out and asks again.
            return true;
        }
        let starts = self.assembly.ask(now, (from, key), seq, total as usize);
        let answered = starts || self.grant(now, effects).contains(&(from, key));
        if starts || !answered {
            self.answer((from, key), seq, if starts { total } else { 0 }, effects);
        }
        true
    }

    /// Lets those start for whom there is room now.
    fn grant(&mut self, now: Time, effects: &mut Effects) -> Vec<(SocketAddr, IncomingKey)> {
        let mut granted = Vec::new();
        while let Some((origin, seq, total)) = self.assembly.grant(now) {
            let (from, key) = origin;
            let taken = self.links.get(&from).and_then(|link| link.get(&key));
            match taken.is_some_and(|taken| taken.last.wrapping_add(1) == seq) {
                true => self.answer(origin, seq, total, effects),
                false => self.assembly.forget(origin),
            }
            granted.push(origin);
        }
        granted
    }

    fn answer(
        &mut self,
        (from, key): (SocketAddr, IncomingKey),
        seq: u64,
        total: u32,
        effects: &mut Effects,
    ) {
        let Some(taken) = self.links.get(&from).and_then(|link| link.get(&key)) else { return };
        let (slot, peer, life) = key;
        let grant = Kind::Grant(ConnectionPosition { life, seq }, total);
        effects.transmit(slot, taken.life, Address::new(from, peer), grant);
    }

    /// Forgets a connection.
    fn remove(&mut self, from: SocketAddr, key: IncomingKey) {
        self.assembly.forget((from, key));
        if let Some(link) = self.links.get_mut(&from) {
            self.count -= usize::from(link.remove(&key).is_some());
            if link.is_empty() {
                self.links.remove(&from);
            }
        }
    }

    /// Sends the acknowledgements that are due.
    pub(super) fn acknowledge(&mut self, effects: &mut Effects) {
        for (from, key) in self.due.drain(..) {
            let taken = self.links.get_mut(&from).and_then(|link| link.get_mut(&key));
            let Some(taken) = taken.filter(|taken| taken.ack_due) else { continue };
            taken.ack_due = false;
            let (slot, peer, life) = key;
            let ack = Kind::Ack(ConnectionPosition { life, seq: taken.last });
            effects.transmit(slot, taken.life, Address::new(from, peer), ack);
        }
    }

    /// Lets large messages start that waited for room, if there is some.
    pub(super) fn start_waiting(&mut self, now: Time, effects: &mut Effects) {
        if !self.assembly.is_empty() {
            self.grant(now, effects);
        }
    }

    /// Drops what is left of large messages whose connections are over.
    fn retain_large(&mut self) {
        let links = &self.links;
        if !self.assembly.is_empty() {
            let stands = |(from, key): &(SocketAddr, IncomingKey)| {
                links.get(from).is_some_and(|link| link.contains_key(key))
            };
            self.assembly.retain(stands);
        }
    }

    /// Forgets all connections of a slot of ours, whose life has ended.
    pub(super) fn forget(&mut self, slot: u32) {
        for link in self.links.values_mut() {
            let over: Vec<IncomingKey> = link
                .range((slot, 0, 0)..=(slot, u32::MAX, u32::MAX))
                .map(|(key, _)| *key)
                .collect();
            self.count -= over.iter().filter(|key| link.remove(key).is_some()).count();
        }
        self.links.retain(|_, link| !link.is_empty());
        self.retain_large();
    }

    /// A process is reached again, or still: one of two connections with it may break, and its
    /// senders, who send on the other one, hear nothing of that and do not ask.
    pub(super) fn link_up(&mut self, with: SocketAddr) {
        self.lost.remove(&with);
    }

    /// A link broke: its connections may go on over another one until `until`.
    pub(super) fn link_lost(&mut self, until: Time, with: SocketAddr) {
        if self.links.contains_key(&with) {
            self.lost.insert(with, until);
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let lost = self.lost.values().min().copied();
        lost.into_iter().chain(self.assembly.deadline(self.patience)).min()
    }

    /// Forgets the connections of links that broke too long ago, and those whose large messages
    /// stand still.
    pub(super) fn timer(&mut self, now: Time, effects: &mut Effects) {
        let (links, count) = (&mut self.links, &mut self.count);
        self.lost.retain(|from, until| {
            if *until <= now {
                *count -= links.remove(from).map_or(0, |link| link.len());
            }
            *until > now
        });
        self.retain_large();
        if !self.assembly.is_empty() {
            for (from, key) in self.assembly.overdue(now, self.patience) {
                self.remove(from, key);
            }
            self.grant(now, effects);
        }
    }
}
