//! The sender's side of reliable connections: queues, windows, and what is not acknowledged yet.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use bytes::Bytes;
use peerlet_core::{Address, Identity, Time, Undelivered};

use super::outgoing::{Pair, Shared};
use super::{Effect, Effects, PairConfig, RETRY, RETRY_MAX, SENDING_MAX, SendError};
use crate::frame::Message;

/// Names a connection: a life of ours and the address it sends to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key {
    pub(super) slot: u32,
    pub(super) life: u32,
    pub(super) to: Address,
}

/// Why a link is found: it is kept as long as there are connections over it.
const LINKED: &str = "a connection has a link";

/// Connections that our peers send on.
#[derive(Debug)]
pub(super) struct Sending {
    config: PairConfig,
    pairs: BTreeMap<Key, Pair>,
    links: BTreeMap<SocketAddr, Shared>,
    /// One entry a connection, at or before the time at which something is due on it.
    timers: BTreeSet<(Time, Key)>,
    /// The upper half of the next connection's numbers.
    next: u32,
}

impl Sending {
    pub(super) fn new(config: PairConfig) -> Sending {
        Sending {
            config,
            pairs: BTreeMap::new(),
            links: BTreeMap::new(),
            timers: BTreeSet::new(),
            next: config.nonce,
        }
    }

    pub(super) fn send(
        &mut self,
        now: Time,
        (key, trusted): (Key, Option<Identity>),
        message: Message<Bytes>,
        effects: &mut Effects,
    ) -> Result<(), SendError> {
        if self.pairs.len() >= SENDING_MAX && !self.pairs.contains_key(&key) {
            return Err(SendError::TooMany);
        }
        let shared = self.links.entry(key.to.socket()).or_default();
        let pair = self.pairs.entry(key).or_insert_with(|| {
            shared.pairs.insert(key);
            self.next = self.next.wrapping_add(1);
            Pair::new(now, self.next, trusted)
        });
        let first = pair.is_idle();
        if !pair.push(&message, &self.config) {
            return Err(SendError::Full);
        }
        if first {
            pair.progressed(now);
            if !pair.open {
                pair.ask(key, effects);
            }
        }
        pair.pump(key, shared, effects);
        self.arm(key);
        Ok(())
    }

    /// From now on a connection is with this process only; with `None`, with whoever is there.
    pub(super) fn trust(&mut self, key: Key, identity: Option<Identity>) {
        if let Some(pair) = self.pairs.get_mut(&key) {
            pair.trusted = identity;
        }
    }

    /// A frame for this process only met another one: connections that are with this one only fail.
    pub(super) fn mistaken(
        &mut self,
        slot: u32,
        to: Address,
        identity: Identity,
        effects: &mut Effects,
    ) {
        let Some(shared) = self.links.get(&to.socket()) else { return };
        let first = Key { slot, life: 0, to: Address::from_bytes([0; Address::ENCODED_LEN]) };
        let of_slot = shared.pairs.range(first..).take_while(|key| key.slot == slot);
        for key in of_slot.filter(|key| key.to == to).copied().collect::<Vec<_>>() {
            if self.pairs.get(&key).is_some_and(|pair| pair.trusted == Some(identity)) {
                self.fail(key, Undelivered::Identity, effects);
            }
        }
    }

    /// The other side has answered in its life `theirs`, and has all messages up to `seq`.
    pub(super) fn opened(
        &mut self,
        now: Time,
        key: Key,
        theirs: u32,
        seq: u64,
        effects: &mut Effects,
    ) {
        let Some(pair) = self.pairs.get_mut(&key) else { return };
        if pair.theirs == 0 || pair.theirs == theirs {
            if pair.answered(seq) {
                let shared = self.links.get_mut(&key.to.socket()).expect(LINKED);
                pair.rewind(shared);
            } else if !pair.open {
                pair.progressed(now);
            }
            (pair.theirs, pair.open) = (theirs, true);
            self.links.get_mut(&key.to.socket()).expect(LINKED).kept_out = false;
            self.acked(now, key, theirs, seq, effects);
        }
    }

    /// The other side has all messages up to `seq`.
    pub(super) fn acked(
        &mut self,
        now: Time,
        key: Key,
        theirs: u32,
        seq: u64,
        effects: &mut Effects,
    ) {
        let Some(pair) = self.pairs.get_mut(&key).filter(|pair| pair.theirs == theirs) else {
            return;
        };
        pair.settle(now, seq, self.links.get_mut(&key.to.socket()).expect(LINKED));
        if pair.orphan && pair.is_idle() {
            self.remove(key);
        } else {
            self.flow(key, effects);
        }
        self.feed(key.to.socket(), effects);
    }

    /// The other side lets a large message start, or wait where the length is 0.
    pub(super) fn granted(
        &mut self,
        now: Time,
        key: Key,
        theirs: u32,
        (seq, total): (u64, u32),
        effects: &mut Effects,
    ) {
        let pair = self.pairs.get_mut(&key).filter(|pair| pair.open && pair.theirs == theirs);
        if let Some(pair) = pair {
            pair.granted(now, seq, total);
            self.flow(key, effects);
        }
    }

    /// The life that a frame of ours looked for, `theirs`, is not there.
    pub(super) fn reset(&mut self, key: Key, theirs: u32, seq: u64, effects: &mut Effects) {
        let Some(pair) = self.pairs.get(&key) else { return };
        // While no life is known, only the answer to our own question counts: others are answers to
        // messages of an earlier connection.
        let asked = pair.theirs != 0 || pair.first() == Some(seq);
        if pair.theirs == theirs && asked {
            self.fail(key, Undelivered::Reset, effects);
        }
    }

    pub(super) fn link_lost(&mut self, now: Time, with: SocketAddr, effects: &mut Effects) {
        let Some(shared) = self.links.get_mut(&with) else { return };
        (shared.blocked, shared.kept_out) = (false, false);
        for key in shared.pairs.clone() {
            let Some(pair) = self.pairs.get_mut(&key) else { continue };
            let worked = pair.open;
            pair.forget_questions();
            pair.rewind(self.links.get_mut(&with).expect(LINKED));
            if pair.is_idle() {
                self.remove(key);
            } else if worked {
                // A link that worked is tried again at once; one that could not be made, when the
                // next retry is due.
                pair.ask(key, effects);
                (pair.retry, pair.backoff) = (now + RETRY, RETRY);
                self.arm(key);
            }
        }
    }

    /// One of the two processes does not let the other in.
    pub(super) fn kept_out(&mut self, with: SocketAddr) {
        if let Some(shared) = self.links.get_mut(&with) {
            shared.kept_out = true;
        }
    }

    pub(super) fn blocked(&mut self, link: SocketAddr) {
        if let Some(shared) = self.links.get_mut(&link) {
            shared.blocked = true;
        }
    }

    pub(super) fn unblocked(&mut self, link: SocketAddr, effects: &mut Effects) {
        let Some(shared) = self.links.get_mut(&link) else { return };
        shared.blocked = false;
        if shared.pairs.is_empty() {
            self.links.remove(&link);
        }
        self.feed(link, effects);
    }

    /// Lets those go on that waited for room on their link, in turn.
    fn feed(&mut self, link: SocketAddr, effects: &mut Effects) {
        while let Some(shared) = self.links.get_mut(&link)
            && shared.has_room()
            && let Some(key) = shared.starved.pop_front()
        {
            let pair = self.pairs.get_mut(&key).expect("a starved connection is there");
            pair.starved = false;
            self.flow(key, effects);
        }
    }

    /// The life of one of ours has ended: its connections finish what they have, in silence. After
    /// a crash that is what has left; gives how many messages had not.
    pub(super) fn orphan(&mut self, slot: u32, life: u32, crashed: bool) -> u64 {
        let of_life = |key: &Key| key.slot == slot && key.life == life;
        let first = Key { slot, life, to: Address::from_bytes([0; Address::ENCODED_LEN]) };
        let ended: Vec<Key> =
            self.pairs.range(first..).map(|(key, _)| *key).take_while(of_life).collect();
        let mut dropped = 0;
        for key in ended {
            let pair = self.pairs.get_mut(&key).expect("the key was just found");
            pair.orphan = true;
            if crashed {
                let shared = self.links.get_mut(&key.to.socket()).expect(LINKED);
                dropped += pair.drop_waiting(shared);
            }
            if pair.is_idle() {
                self.remove(key);
            }
        }
        dropped
    }

    #[cfg(test)]
    pub(super) fn is_settled(&self) -> bool {
        self.pairs.values().all(Pair::is_idle)
    }

    pub(super) fn has_messages(&self) -> bool {
        !self.pairs.values().all(Pair::is_idle)
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.timers.first().map(|(time, _)| *time)
    }

    pub(super) fn timer(&mut self, now: Time, effects: &mut Effects) {
        while let Some((time, key)) = self.timers.first().copied()
            && time <= now
        {
            self.timers.pop_first();
            let pair = self.pairs.get_mut(&key).expect("a timer belongs to a connection");
            pair.timer = Time::MAX;
            if pair.due(self.config.timeout) > now {
                self.arm(key);
            } else if pair.is_idle() {
                self.remove(key);
            } else if pair.since + self.config.timeout <= now {
                let is_kept_out = self.links.get(&key.to.socket()).expect(LINKED).kept_out;
                let why = match is_kept_out {
                    true => Undelivered::Admission,
                    false => Undelivered::Timeout,
                };
                self.fail(key, why, effects);
            } else {
                pair.ask(key, effects);
                pair.backoff = (pair.backoff * 2).min(RETRY_MAX);
                pair.retry = now + pair.backoff;
                self.arm(key);
            }
        }
    }

    /// Sets a connection's timer where what is due comes before the one that is set.
    fn arm(&mut self, key: Key) {
        let pair = self.pairs.get_mut(&key).expect("an armed connection is there");
        let due = pair.due(self.config.timeout);
        if due < pair.timer {
            self.timers.remove(&(pair.timer, key));
            self.timers.insert((due, key));
            pair.timer = due;
        }
    }

    /// Transmits what may go, and says so when half of the queue has become free.
    fn flow(&mut self, key: Key, effects: &mut Effects) {
        let Some(pair) = self.pairs.get_mut(&key) else { return };
        pair.pump(key, self.links.get_mut(&key.to.socket()).expect(LINKED), effects);
        if pair.take_writable(&self.config) && !pair.orphan {
            effects.queue.push_back(Effect::Writable { slot: key.slot, to: key.to });
        }
    }

    /// Ends a connection and reports all that it held, in order.
    fn fail(&mut self, key: Key, why: Undelivered, effects: &mut Effects) {
        let Some(pair) = self.remove(key) else { return };
        self.feed(key.to.socket(), effects);
        let Key { slot, to, .. } = key;
        let told = !pair.orphan;
        let owed = told && pair.is_refused();
        for message in pair.into_messages().filter(|_| told) {
            effects.queue.push_back(Effect::Undelivered { slot, to, message, why });
        }
        if owed {
            effects.queue.push_back(Effect::Writable { slot, to });
        }
    }

    fn remove(&mut self, key: Key) -> Option<Pair> {
        let pair = self.pairs.remove(&key)?;
        self.timers.remove(&(pair.timer, key));
        let socket = key.to.socket();
        let shared = self.links.get_mut(&socket).expect(LINKED);
        shared.sent_bytes -= pair.sent_bytes;
        shared.pairs.remove(&key);
        if pair.starved {
            shared.starved.retain(|starved| *starved != key);
        }
        // A blocked link is remembered without connections: the transport will say when it takes
        // more.
        if shared.pairs.is_empty() && !shared.blocked {
            self.links.remove(&socket);
        }
        Some(pair)
    }
}
