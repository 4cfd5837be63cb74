//! The sender's side of reliable connections: queues, windows, and what is not acknowledged yet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use bytes::Bytes;
use peerlet_core::{Address, Duration, FRAME_MAX, Time, Undelivered};

use super::{
    Effect, Effects, IDLE_MAX, LINK_BYTES_MAX, PairConfig, RETRY, RETRY_MAX, SENDING_MAX,
    SendError, WINDOW_BYTES_MAX, WINDOW_MESSAGES_MAX,
};
use crate::frame::{Kind, Link, Message, STREAM_FRAME_MAX};

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

/// What connections to the same process share.
#[derive(Debug, Default)]
struct Shared {
    blocked: bool,
    pairs: BTreeSet<Key>,
    /// Frame bytes under way, over all connections.
    sent_bytes: usize,
    /// Connections with messages that had to wait for the others, in turn.
    starved: VecDeque<Key>,
}

impl Shared {
    fn has_room(&self) -> bool {
        !self.blocked && self.sent_bytes < LINK_BYTES_MAX
    }
}

#[derive(Debug)]
struct Pair {
    /// The other's life; 0 until it has answered once.
    theirs: u32,
    /// The other has answered on the link that stands: messages flow.
    open: bool,
    /// Our life has ended: what it sent goes out, nobody is told how it went.
    orphan: bool,
    /// A message was refused: `writable` is owed.
    full: bool,
    /// Messages by number: the first `sent` are under way, the others wait.
    queue: VecDeque<(u64, Message<Bytes>)>,
    sent: usize,
    /// Bytes of the frames under way.
    sent_bytes: usize,
    /// Bytes of the bodies that wait.
    waiting_bytes: usize,
    /// Among its link's starved.
    starved: bool,
    /// The number of the last message that was accepted, whose upper half is this connection's
    /// alone.
    last: u64,
    /// The highest number ever transmitted: nothing above it can be acknowledged.
    highest: u64,
    /// What was transmitted before the last question: the answer says if it arrived.
    asked: u64,
    /// Since when there is no progress, or nothing to do.
    since: Time,
    /// When to ask again.
    retry: Time,
    backoff: Duration,
    /// The connection's entry among the timers.
    timer: Time,
}

impl Pair {
    /// A connection whose numbers have this upper half.
    fn new(now: Time, half: u32) -> Pair {
        Pair {
            theirs: 0,
            open: false,
            orphan: false,
            full: false,
            queue: VecDeque::new(),
            sent: 0,
            sent_bytes: 0,
            waiting_bytes: 0,
            starved: false,
            last: u64::from(half) << 32,
            highest: 0,
            asked: 0,
            since: now,
            retry: now + RETRY,
            backoff: RETRY,
            timer: Time::MAX,
        }
    }

    fn waiting(&self) -> usize {
        self.queue.len() - self.sent
    }

    fn progressed(&mut self, now: Time) {
        (self.since, self.retry, self.backoff) = (now, now + RETRY, RETRY);
    }

    /// When something is due: to ask again or give up, or with nothing to send, to be forgotten.
    fn due(&self, timeout: Duration) -> Time {
        match self.queue.is_empty() {
            true => self.since + IDLE_MAX,
            false => self.retry.min(self.since + timeout),
        }
    }

    /// Asks for the connection, or how far it is.
    fn ask(&mut self, key: Key, effects: &mut Effects) {
        self.asked = self.highest;
        let seq = self.queue.front().map_or(self.last, |(seq, _)| *seq);
        let open = Kind::Open(Link { life: self.theirs, seq });
        effects.transmit(key.slot, key.life, key.to, open);
    }

    /// Transmits what waits, as far as the window and the link go.
    fn pump(&mut self, key: Key, shared: &mut Shared, effects: &mut Effects) {
        while self.open && self.sent < self.queue.len() && self.sent < WINDOW_MESSAGES_MAX {
            let (seq, message) = &self.queue[self.sent];
            let len = frame_len(message);
            if self.sent_bytes + len > WINDOW_BYTES_MAX {
                break;
            }
            if !shared.has_room() {
                if !self.starved {
                    self.starved = true;
                    shared.starved.push_back(key);
                }
                break;
            }
            let link = Link { life: self.theirs, seq: *seq };
            let Message { port, call, body } = message;
            let data = Kind::Data(link, Message { port: *port, call: *call, body: &body[..] });
            effects.transmit(key.slot, key.life, key.to, data);
            self.highest = self.highest.max(*seq);
            self.sent += 1;
            self.sent_bytes += len;
            shared.sent_bytes += len;
            self.waiting_bytes -= body.len();
        }
    }

    /// Drops what has arrived from the queue.
    fn settle(&mut self, now: Time, seq: u64, shared: &mut Shared) {
        let seq = seq.min(self.highest);
        while let Some((first, message)) = self.queue.front()
            && *first <= seq
        {
            if self.sent > 0 {
                let len = frame_len(message);
                self.sent -= 1;
                self.sent_bytes -= len;
                shared.sent_bytes -= len;
            } else {
                self.waiting_bytes -= message.body.len();
            }
            self.queue.pop_front();
            self.progressed(now);
        }
    }

    /// What was under way waits again, for the next link or the next turn.
    fn rewind(&mut self, shared: &mut Shared) {
        self.open = false;
        shared.sent_bytes -= self.sent_bytes;
        self.sent_bytes = 0;
        while self.sent > 0 {
            self.sent -= 1;
            self.waiting_bytes += self.queue[self.sent].1.body.len();
        }
    }
}

/// What a message takes in the windows: its body and its head.
fn frame_len(message: &Message<Bytes>) -> usize {
    STREAM_FRAME_MAX - FRAME_MAX + message.body.len()
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
        key: Key,
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
            Pair::new(now, self.next)
        });
        let len = message.body.len();
        if pair.waiting() >= self.config.queue_messages
            || pair.waiting_bytes + len > self.config.queue_bytes
        {
            pair.full = true;
            return Err(SendError::Full);
        }
        pair.last += 1;
        let first = pair.queue.is_empty();
        pair.queue.push_back((pair.last, message));
        pair.waiting_bytes += len;
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
            if pair.open && seq < pair.asked {
                // The question came after all these messages and overtook none: some were lost on
                // the way.
                let shared = self.links.get_mut(&key.to.socket()).expect(LINKED);
                pair.rewind(shared);
            } else if !pair.open {
                pair.progressed(now);
            }
            (pair.theirs, pair.open) = (theirs, true);
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
        if pair.orphan && pair.queue.is_empty() {
            self.remove(key);
        } else {
            self.flow(key, effects);
        }
        self.feed(key.to.socket(), effects);
    }

    /// The life that a frame of ours looked for, `theirs`, is not there.
    pub(super) fn reset(&mut self, key: Key, theirs: u32, seq: u64, effects: &mut Effects) {
        let Some(pair) = self.pairs.get(&key) else { return };
        // While no life is known, only the answer to our own question counts: others are answers to
        // messages of an earlier connection.
        let asked = pair.theirs != 0 || pair.queue.front().is_some_and(|(first, _)| *first == seq);
        if pair.theirs == theirs && asked {
            self.fail(key, Undelivered::Reset, effects);
        }
    }

    pub(super) fn link_lost(&mut self, now: Time, with: SocketAddr, effects: &mut Effects) {
        let Some(shared) = self.links.get_mut(&with) else { return };
        shared.blocked = false;
        for key in shared.pairs.clone() {
            let Some(pair) = self.pairs.get_mut(&key) else { continue };
            let worked = pair.open;
            pair.rewind(self.links.get_mut(&with).expect(LINKED));
            if pair.queue.is_empty() {
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

    /// The life of one of ours has ended: its connections finish what they have, in silence.
    pub(super) fn orphan(&mut self, slot: u32, life: u32) {
        let of_life = |key: &Key| key.slot == slot && key.life == life;
        let first = Key { slot, life, to: Address::from_bytes([0; Address::ENCODED_LEN]) };
        let ended: Vec<Key> =
            self.pairs.range(first..).map(|(key, _)| *key).take_while(of_life).collect();
        for key in ended {
            let pair = self.pairs.get_mut(&key).expect("the key was just found");
            pair.orphan = true;
            if pair.queue.is_empty() {
                self.remove(key);
            }
        }
    }

    pub(super) fn has_messages(&self) -> bool {
        self.pairs.values().any(|pair| !pair.queue.is_empty())
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
            } else if pair.queue.is_empty() {
                self.remove(key);
            } else if pair.since + self.config.timeout <= now {
                self.fail(key, Undelivered::Timeout, effects);
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
        if pair.full
            && pair.waiting() <= self.config.queue_messages / 2
            && pair.waiting_bytes <= self.config.queue_bytes / 2
        {
            pair.full = false;
            if !pair.orphan {
                effects.queue.push_back(Effect::Writable { slot: key.slot, to: key.to });
            }
        }
    }

    /// Ends a connection and reports all that it held, in order.
    fn fail(&mut self, key: Key, why: Undelivered, effects: &mut Effects) {
        let Some(pair) = self.remove(key) else { return };
        self.feed(key.to.socket(), effects);
        let Key { slot, to, .. } = key;
        let reported = if pair.orphan { VecDeque::new() } else { pair.queue };
        for (_, message) in reported {
            effects.queue.push_back(Effect::Undelivered { slot, to, message, why });
        }
        if pair.full && !pair.orphan {
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
