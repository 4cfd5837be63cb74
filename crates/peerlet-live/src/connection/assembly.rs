//! The assembly of large messages: who may start one, and the bytes that have come so far.
//!
//! A sender asks before it starts. It is let start when the process has room for the whole message
//! within its budget; otherwise it waits and asks again. Memory is taken as bytes come, never by
//! the length that somebody claims.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use peerlet_core::runtime::{Call, FRAME_MAX, MESSAGE_MAX_LIMIT};
use peerlet_core::{Duration, Time};

use super::receiving::IncomingKey;
use crate::frame::{Message, Part};

/// Senders that wait to start; more have to ask again, and are not queued.
const WAITING_MAX: usize = 1024;
/// How long a sender that waits stays queued without asking again: it asks twice a second.
const WAITING_TIME: Duration = Duration::from_secs(3);

/// Bytes of large messages that a process puts together at a time, shared by its shards.
#[derive(Clone, Debug)]
pub struct Budget {
    free: Arc<AtomicUsize>,
    all: usize,
}

impl Budget {
    /// A budget of this many bytes.
    pub fn new(bytes: usize) -> Budget {
        Budget { free: Arc::new(AtomicUsize::new(bytes)), all: bytes }
    }

    fn take(&self, bytes: usize) -> bool {
        let less = |free: usize| free.checked_sub(bytes);
        self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.free.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Default for Budget {
    /// A process's budget: 64 MiB, as large as the largest message that a run may allow.
    fn default() -> Budget {
        Budget::new(MESSAGE_MAX_LIMIT)
    }
}

/// A connection: the socket that it comes from, and its key there.
type Origin = (SocketAddr, IncomingKey);

/// The outcome of a piece that came in order.
pub(super) enum Put {
    /// More are to come.
    More,
    /// The message is whole.
    Whole(Message<Vec<u8>>),
    /// It belongs to no message that was let start, or contradicts it.
    Wrong,
}

/// A message that was let start.
#[derive(Debug)]
struct Large {
    /// The number of its first piece.
    seq: u64,
    total: usize,
    head: Option<(u16, Call)>,
    bytes: Vec<u8>,
    /// When its sender was heard last.
    heard: Time,
}

/// A sender that waits.
#[derive(Debug)]
struct Waiter {
    origin: Origin,
    seq: u64,
    total: usize,
    asked: Time,
}

/// The large messages on their way to a shard.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    budget: Budget,
    /// At most 256: none is smaller than a piece.
    larges: BTreeMap<Origin, Large>,
    /// In the order in which they asked first.
    waiting: VecDeque<Waiter>,
    /// Bytes of the budget by the process that sends, where there are any.
    held: BTreeMap<SocketAddr, usize>,
}

impl Assembly {
    pub(super) fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
    }

    /// Whether a message of `total` bytes may start with number `seq`; otherwise its sender waits.
    pub(super) fn ask(&mut self, now: Time, origin: Origin, seq: u64, total: usize) -> bool {
        if let Some(large) = self.larges.get_mut(&origin)
            && (large.seq, large.total) == (seq, total)
        {
            large.heard = now;
            return true;
        }
        self.forget(origin);
        let is_full = self.waiting.len() >= WAITING_MAX;
        match self.waiting.iter_mut().find(|waiter| waiter.origin == origin) {
            Some(waiter) => (waiter.seq, waiter.total, waiter.asked) = (seq, total, now),
            None if is_full => {}
            None => self.waiting.push_back(Waiter { origin, seq, total, asked: now }),
        }
        false
    }

    /// The next sender that may start now, with the number and the length of its message: the
    /// process that holds the least comes first, and no process that holds something gets more than
    /// half of the budget.
    pub(super) fn grant(&mut self, now: Time) -> Option<(Origin, u64, u32)> {
        let held = |waiter: &Waiter| self.held.get(&waiter.origin.0).copied().unwrap_or(0);
        let may = |waiter: &&Waiter| {
            held(waiter) == 0 || held(waiter) + waiter.total <= self.budget.all / 2
        };
        let waiting = self.waiting.iter().filter(may);
        let origin = waiting.min_by_key(|waiter| held(waiter))?.origin;
        let at = self.waiting.iter().position(|waiter| waiter.origin == origin)?;
        let (seq, total) = (self.waiting[at].seq, self.waiting[at].total);
        if !self.budget.take(total) {
            return None;
        }
        self.waiting.remove(at);
        *self.held.entry(origin.0).or_default() += total;
        let (head, bytes) = Default::default();
        self.larges.insert(origin, Large { seq, total, head, bytes, heard: now });
        Some((origin, seq, total as u32))
    }

    /// Takes in a piece.
    pub(super) fn put(
        &mut self,
        now: Time,
        origin: Origin,
        seq: u64,
        part: Part,
        message: Message<&[u8]>,
    ) -> Put {
        let Some(large) = self.larges.get_mut(&origin) else { return Put::Wrong };
        let Message { port, call, body } = message;
        let (offset, total) = (large.bytes.len(), large.total);
        let fits = large.seq + (offset / FRAME_MAX) as u64 == seq
            && (part.offset as usize, part.total as usize) == (offset, total)
            && body.len() == (total - offset).min(FRAME_MAX)
            && *large.head.get_or_insert((port, call)) == (port, call);
        if !fits {
            return Put::Wrong;
        }
        large.heard = now;
        large.bytes.reserve_exact(body.len());
        large.bytes.extend_from_slice(body);
        if large.bytes.len() < total {
            return Put::More;
        }
        let body = std::mem::take(&mut large.bytes);
        self.forget(origin);
        Put::Whole(Message { port, call, body })
    }

    /// Drops what a connection has here, since it is over or begins anew.
    pub(super) fn forget(&mut self, origin: Origin) {
        let Some(large) = self.larges.remove(&origin) else { return };
        self.budget.give_back(large.total);
        if let Some(held) = self.held.get_mut(&origin.0) {
            *held -= large.total;
            if *held == 0 {
                self.held.remove(&origin.0);
            }
        }
    }

    /// Drops what belongs to connections that are no more.
    pub(super) fn retain(&mut self, stands: impl Fn(&Origin) -> bool) {
        self.waiting.retain(|waiter| stands(&waiter.origin));
        let over: Vec<Origin> =
            self.larges.keys().filter(|origin| !stands(origin)).copied().collect();
        over.into_iter().for_each(|origin| self.forget(origin));
    }

    /// When something here is over, if nothing comes before.
    pub(super) fn deadline(&self, patience: Duration) -> Option<Time> {
        let larges = self.larges.values().map(|large| large.heard + patience);
        larges.chain(self.waiting.iter().map(|waiter| waiter.asked + WAITING_TIME)).min()
    }

    /// Forgets senders that wait and were not heard, and gives the connections whose messages were
    /// left unfinished for longer than `patience`.
    pub(super) fn overdue(&mut self, now: Time, patience: Duration) -> Vec<Origin> {
        self.waiting.retain(|waiter| waiter.asked + WAITING_TIME > now);
        let late = self.larges.iter().filter(|(_, large)| large.heard + patience <= now);
        late.map(|(origin, _)| *origin).collect()
    }

    /// Whether nothing is here.
    pub(super) fn is_empty(&self) -> bool {
        self.larges.is_empty() && self.waiting.is_empty()
    }
}

impl Drop for Assembly {
    fn drop(&mut self) {
        self.retain(|_| false);
    }
}
