//! The sender's side of reliable connections: queues, windows, and what is not acknowledged yet.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use bytes::Bytes;
use peerlet_core::{Address, Identity, Time, Undelivered};

use super::outgoing::{LinkState, OutgoingConnection};
use super::{ConnectionConfig, Effect, Effects, RETRY, RETRY_MAX, SENDING_MAX, SendError};
use crate::frame::Message;

/// Names a connection: a life of ours and the address it sends to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct OutgoingKey {
    pub(super) slot: u32,
    pub(super) life: u32,
    pub(super) to: Address,
}

/// The invariant by which a link is found: it is kept as long as there are connections over it.
const LINKED: &str = "a connection has a link";

/// Connections that our peers send on.
#[derive(Debug)]
pub(super) struct Sending {
    config: ConnectionConfig,
    connections: BTreeMap<OutgoingKey, OutgoingConnection>,
    links: BTreeMap<SocketAddr, LinkState>,
    /// One entry a connection, at or before the time at which something is due on it.
    timers: BTreeSet<(Time, OutgoingKey)>,
    /// The upper half of the next connection's numbers.
    next: u32,
}

impl Sending {
    pub(super) fn new(config: ConnectionConfig) -> Sending {
        Sending {
            config,
            connections: BTreeMap::new(),
            links: BTreeMap::new(),
            timers: BTreeSet::new(),
            next: config.nonce,
        }
    }

    pub(super) fn send(
        &mut self,
        now: Time,
        (key, trusted): (OutgoingKey, Option<Identity>),
        message: Message<Bytes>,
        effects: &mut Effects,
    ) -> Result<(), SendError> {
        if self.connections.len() >= SENDING_MAX && !self.connections.contains_key(&key) {
            return Err(SendError::TooMany);
        }
        let shared = self.links.entry(key.to.socket()).or_default();
        let connection = self.connections.entry(key).or_insert_with(|| {
            shared.connections.insert(key);
            self.next = self.next.wrapping_add(1);
            OutgoingConnection::new(now, self.next, trusted)
        });
        let first = connection.is_idle();
        if !connection.push(&message, &self.config) {
            return Err(SendError::Full);
        }
        if first {
            connection.progressed(now);
            if !connection.open {
                connection.ask(key, effects);
            }
        }
        connection.pump(key, shared, effects);
        self.arm(key);
        Ok(())
    }

    /// From now on a connection is with this process only; with `None`, with whoever is there.
    pub(super) fn trust(&mut self, key: OutgoingKey, identity: Option<Identity>) {
        if let Some(connection) = self.connections.get_mut(&key) {
            connection.trusted = identity;
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
        let first =
            OutgoingKey { slot, life: 0, to: Address::from_bytes([0; Address::ENCODED_LEN]) };
        let of_slot = shared.connections.range(first..).take_while(|key| key.slot == slot);
        for key in of_slot.filter(|key| key.to == to).copied().collect::<Vec<_>>() {
            if self
                .connections
                .get(&key)
                .is_some_and(|connection| connection.trusted == Some(identity))
            {
                self.fail(key, Undelivered::Identity, effects);
            }
        }
    }

    /// The other side has answered in its life `theirs`, and has all messages up to `seq`.
    pub(super) fn opened(
        &mut self,
        now: Time,
        key: OutgoingKey,
        theirs: u32,
        seq: u64,
        effects: &mut Effects,
    ) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        if connection.theirs == 0 || connection.theirs == theirs {
            if connection.answered(seq) {
                let shared = self.links.get_mut(&key.to.socket()).expect(LINKED);
                connection.rewind(shared);
            } else if !connection.open {
                connection.progressed(now);
            }
            (connection.theirs, connection.open) = (theirs, true);
            self.links.get_mut(&key.to.socket()).expect(LINKED).kept_out = false;
            self.acked(now, key, theirs, seq, effects);
        }
    }

    /// The other side has all messages up to `seq`.
    pub(super) fn acked(
        &mut self,
        now: Time,
        key: OutgoingKey,
        theirs: u32,
        seq: u64,
        effects: &mut Effects,
    ) {
        let Some(connection) =
            self.connections.get_mut(&key).filter(|connection| connection.theirs == theirs)
        else {
            return;
        };
        connection.settle(now, seq, self.links.get_mut(&key.to.socket()).expect(LINKED));
        if connection.orphan && connection.is_idle() {
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
        key: OutgoingKey,
        theirs: u32,
        (seq, total): (u64, u32),
        effects: &mut Effects,
    ) {
        let connection = self
            .connections
            .get_mut(&key)
            .filter(|connection| connection.open && connection.theirs == theirs);
        if let Some(connection) = connection {
            connection.granted(now, seq, total);
            self.flow(key, effects);
        }
    }

    /// The life that a frame of ours looked for, `theirs`, is not there.
    pub(super) fn reset(&mut self, key: OutgoingKey, theirs: u32, seq: u64, effects: &mut Effects) {
        let Some(connection) = self.connections.get(&key) else { return };
        // While no life is known, only the answer to our own question counts: others are answers to
        // messages of an earlier connection.
        let asked = connection.theirs != 0 || connection.first() == Some(seq);
        if connection.theirs == theirs && asked {
            self.fail(key, Undelivered::Reset, effects);
        }
    }

    pub(super) fn link_lost(&mut self, now: Time, with: SocketAddr, effects: &mut Effects) {
        let Some(shared) = self.links.get_mut(&with) else { return };
        (shared.blocked, shared.kept_out) = (false, false);
        for key in shared.connections.clone() {
            let Some(connection) = self.connections.get_mut(&key) else { continue };
            let worked = connection.open;
            connection.forget_questions();
            connection.rewind(self.links.get_mut(&with).expect(LINKED));
            if connection.is_idle() {
                self.remove(key);
            } else if worked {
                // A link that worked is tried again at once; one that could not be made, when the
                // next retry is due.
                connection.ask(key, effects);
                (connection.retry, connection.backoff) = (now + RETRY, RETRY);
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
        if shared.connections.is_empty() {
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
            let connection = self.connections.get_mut(&key).expect("a starved connection is there");
            connection.starved = false;
            self.flow(key, effects);
        }
    }

    /// The life of one of ours has ended: its connections finish what they have, in silence. After
    /// a crash that is what has left; gives how many messages had not.
    pub(super) fn orphan(&mut self, slot: u32, life: u32, crashed: bool) -> u64 {
        let of_life = |key: &OutgoingKey| key.slot == slot && key.life == life;
        let first = OutgoingKey { slot, life, to: Address::from_bytes([0; Address::ENCODED_LEN]) };
        let ended: Vec<OutgoingKey> =
            self.connections.range(first..).map(|(key, _)| *key).take_while(of_life).collect();
        let mut dropped = 0;
        for key in ended {
            let connection = self.connections.get_mut(&key).expect("the key was just found");
            connection.orphan = true;
            if crashed {
                let shared = self.links.get_mut(&key.to.socket()).expect(LINKED);
                dropped += connection.drop_waiting(shared);
            }
            if connection.is_idle() {
                self.remove(key);
            }
        }
        dropped
    }

    #[cfg(test)]
    pub(super) fn is_settled(&self) -> bool {
        self.connections.values().all(OutgoingConnection::is_idle)
    }

    pub(super) fn has_messages(&self) -> bool {
        !self.connections.values().all(OutgoingConnection::is_idle)
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.timers.first().map(|(time, _)| *time)
    }

    pub(super) fn timer(&mut self, now: Time, effects: &mut Effects) {
        while let Some((time, key)) = self.timers.first().copied()
            && time <= now
        {
            self.timers.pop_first();
            let connection =
                self.connections.get_mut(&key).expect("a timer belongs to a connection");
            connection.timer = Time::MAX;
            if connection.due(self.config.timeout) > now {
                self.arm(key);
            } else if connection.is_idle() {
                self.remove(key);
            } else if connection.since + self.config.timeout <= now {
                let is_kept_out = self.links.get(&key.to.socket()).expect(LINKED).kept_out;
                let why = match is_kept_out {
                    true => Undelivered::Admission,
                    false => Undelivered::Timeout,
                };
                self.fail(key, why, effects);
            } else {
                connection.ask(key, effects);
                connection.backoff = (connection.backoff * 2).min(RETRY_MAX);
                connection.retry = now + connection.backoff;
                self.arm(key);
            }
        }
    }

    /// Sets a connection's timer where what is due comes before the one that is set.
    fn arm(&mut self, key: OutgoingKey) {
        let connection = self.connections.get_mut(&key).expect("an armed connection is there");
        let due = connection.due(self.config.timeout);
        if due < connection.timer {
            self.timers.remove(&(connection.timer, key));
            self.timers.insert((due, key));
            connection.timer = due;
        }
    }

    /// Transmits what may go, and says so when half of the queue has become free.
    fn flow(&mut self, key: OutgoingKey, effects: &mut Effects) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        connection.pump(key, self.links.get_mut(&key.to.socket()).expect(LINKED), effects);
        if connection.take_writable(&self.config) && !connection.orphan {
            effects.queue.push_back(Effect::Writable { slot: key.slot, to: key.to });
        }
    }

    /// Ends a connection and reports all that it held, in order.
    fn fail(&mut self, key: OutgoingKey, why: Undelivered, effects: &mut Effects) {
        let Some(connection) = self.remove(key) else { return };
        self.feed(key.to.socket(), effects);
        let OutgoingKey { slot, to, .. } = key;
        let told = !connection.orphan;
        let owed = told && connection.is_refused();
        for message in connection.into_messages().filter(|_| told) {
            effects.queue.push_back(Effect::Undelivered { slot, to, message, why });
        }
        if owed {
            effects.queue.push_back(Effect::Writable { slot, to });
        }
    }

    fn remove(&mut self, key: OutgoingKey) -> Option<OutgoingConnection> {
        let connection = self.connections.remove(&key)?;
        self.timers.remove(&(connection.timer, key));
        let socket = key.to.socket();
        let shared = self.links.get_mut(&socket).expect(LINKED);
        shared.sent_bytes -= connection.sent_bytes;
        shared.connections.remove(&key);
        if connection.starved {
            shared.starved.retain(|starved| *starved != key);
        }
        // A blocked link is remembered without connections: the transport will say when it takes
        // more.
        if shared.connections.is_empty() && !shared.blocked {
            self.links.remove(&socket);
        }
        Some(connection)
    }
}
