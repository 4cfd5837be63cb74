//! One connection that a peer of ours sends on: its queue, its window, and the pieces that large
//! messages are cut into.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use peerlet_core::runtime::FRAME_MAX;
use peerlet_core::{Duration, Identity, Time};

use super::sending::OutgoingKey;
use super::{
    ConnectionConfig, Effects, IDLE_MAX, LINK_BYTES_MAX, RETRY, WINDOW_BYTES_MAX,
    WINDOW_MESSAGES_MAX,
};
use crate::frame::{ConnectionPosition, DATA_HEAD_MAX, Kind, Message, Part};

/// Questions of one connection that wait for their answers: more are asked only where the receiver
/// answers none.
const QUESTIONS_MAX: usize = 16;

/// The state of a link that its connections share.
#[derive(Debug, Default)]
pub(super) struct LinkState {
    pub(super) blocked: bool,
    /// Whether one of the two processes did not let the other in when it was last tried.
    pub(super) kept_out: bool,
    pub(super) connections: BTreeSet<OutgoingKey>,
    /// Frame bytes under way, over all connections.
    pub(super) sent_bytes: usize,
    /// Connections with messages that had to wait for the others, in turn.
    pub(super) starved: VecDeque<OutgoingKey>,
}

impl LinkState {
    pub(super) fn has_room(&self) -> bool {
        !self.blocked && self.sent_bytes < LINK_BYTES_MAX
    }
}

/// A message in the queue, or a piece of a large one.
#[derive(Debug)]
struct QueuedFrame {
    seq: u64,
    /// The whole message, which all its pieces share.
    message: Message<Bytes>,
    /// How many of its bytes come before this piece.
    offset: usize,
}

impl QueuedFrame {
    fn len(&self) -> usize {
        (self.message.body.len() - self.offset).min(FRAME_MAX)
    }

    /// Whether it is one of several pieces.
    fn is_piece(&self) -> bool {
        self.message.body.len() > FRAME_MAX
    }

    fn is_first(&self) -> bool {
        self.offset == 0
    }

    /// Whether the message has left when this has.
    fn is_last(&self) -> bool {
        self.offset + self.len() == self.message.body.len()
    }

    /// The bytes it takes in the windows, its head included.
    fn frame_len(&self) -> usize {
        DATA_HEAD_MAX + self.len()
    }

    /// How long the whole message is; at most 64 MiB.
    fn total(&self) -> u32 {
        self.message.body.len() as u32
    }

    fn kind(&self, life: u32) -> Kind<'_> {
        let Message { port, call, body } = &self.message;
        let position = ConnectionPosition { life, seq: self.seq };
        let body = &body[self.offset..self.offset + self.len()];
        let message = Message { port: *port, call: *call, body };
        match self.is_piece() {
            false => Kind::Data(position, message),
            true => Kind::Piece(
                position,
                Part { offset: self.offset as u32, total: self.total() },
                message,
            ),
        }
    }
}

/// Whether the large message that is next may start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Credit {
    /// Nobody was asked.
    None,
    /// The receiver was asked, and has not answered or has no room yet.
    Asked,
    /// The message that starts with this number may come.
    Granted(u64),
}

#[derive(Debug)]
pub(super) struct OutgoingConnection {
    /// The other's life; 0 until it has answered once.
    pub(super) theirs: u32,
    /// The other has answered on the link that stands: messages flow.
    pub(super) open: bool,
    /// Our life has ended: its messages still go out, and no handler hears of their fate.
    pub(super) orphan: bool,
    /// The only process that it is with, if our peer trusts one there.
    pub(super) trusted: Option<Identity>,
    /// The length of the longest message that was refused: `writable` is owed.
    refused: Option<usize>,
    /// Accepted and not acknowledged: the first `sent` are under way, the others wait.
    queue: VecDeque<QueuedFrame>,
    sent: usize,
    /// Bytes of the frames under way.
    pub(super) sent_bytes: usize,
    /// How many messages wait, in whole or in part.
    waiting: usize,
    /// Their bytes that wait.
    waiting_bytes: usize,
    credit: Credit,
    /// Among its link's starved.
    pub(super) starved: bool,
    /// The number of the last entry, whose upper half is this connection's alone.
    last: u64,
    /// The highest number ever transmitted: nothing above it can be acknowledged.
    highest: u64,
    /// The questions that were not answered yet, in order: the number of the last frame that was
    /// under way before each. Its answer says if that arrived.
    questions: VecDeque<u64>,
    /// Since when there is no progress, or nothing to do.
    pub(super) since: Time,
    /// When to ask again.
    pub(super) retry: Time,
    pub(super) backoff: Duration,
    /// The connection's entry among the timers.
    pub(super) timer: Time,
}

impl OutgoingConnection {
    /// A connection whose numbers have this upper half, with this process only where one is given.
    pub(super) fn new(now: Time, half: u32, trusted: Option<Identity>) -> OutgoingConnection {
        OutgoingConnection {
            theirs: 0,
            open: false,
            orphan: false,
            trusted,
            refused: None,
            queue: VecDeque::new(),
            sent: 0,
            sent_bytes: 0,
            waiting: 0,
            waiting_bytes: 0,
            credit: Credit::None,
            starved: false,
            last: u64::from(half) << 32,
            highest: 0,
            questions: VecDeque::new(),
            since: now,
            retry: now + RETRY,
            backoff: RETRY,
            timer: Time::MAX,
        }
    }

    /// Whether all that was accepted has arrived.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// The number of the first entry that has not arrived.
    pub(super) fn first(&self) -> Option<u64> {
        self.queue.front().map(|entry| entry.seq)
    }

    /// Whether a message of this length has room: one that is larger than the queue has it when
    /// nothing else waits.
    fn fits(&self, len: usize, config: &ConnectionConfig) -> bool {
        self.waiting == 0 || self.waiting_bytes + len <= config.queue_bytes
    }

    /// Queues a message; false when it has no room, and `writable` is owed.
    pub(super) fn push(&mut self, message: &Message<Bytes>, config: &ConnectionConfig) -> bool {
        let len = message.body.len();
        if self.waiting >= config.queue_messages || !self.fits(len, config) {
            self.refused = self.refused.max(Some(len));
            return false;
        }
        for offset in (0..len.max(1)).step_by(FRAME_MAX) {
            self.last += 1;
            self.queue.push_back(QueuedFrame { seq: self.last, message: message.clone(), offset });
        }
        self.waiting += 1;
        self.waiting_bytes += len;
        true
    }

    /// Whether the peer is to be told now that half of the queue is free, and that what was refused
    /// has room; once.
    pub(super) fn take_writable(&mut self, config: &ConnectionConfig) -> bool {
        let half_free = self.waiting <= config.queue_messages / 2
            && self.waiting_bytes <= config.queue_bytes / 2;
        half_free
            && self
                .refused
                .take_if(|len| self.waiting == 0 || self.waiting_bytes + *len <= config.queue_bytes)
                .is_some()
    }

    /// Whether `writable` is owed.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    pub(super) fn progressed(&mut self, now: Time) {
        (self.since, self.retry, self.backoff) = (now, now + RETRY, RETRY);
    }

    /// When something is due: to ask again or give up, or with nothing to send, to be forgotten.
    pub(super) fn due(&self, timeout: Duration) -> Time {
        match self.queue.is_empty() {
            true => self.since + IDLE_MAX,
            false => self.retry.min(self.since + timeout),
        }
    }

    /// Asks for the connection, or how far it is.
    pub(super) fn ask(&mut self, key: OutgoingKey, effects: &mut Effects) {
        if self.questions.len() == QUESTIONS_MAX {
            self.questions.pop_front();
        }
        self.questions.push_back(self.sent.checked_sub(1).map_or(0, |last| self.queue[last].seq));
        // What the receiver is asked about a large message may be lost as well.
        if self.credit == Credit::Asked {
            self.credit = Credit::None;
        }
        let seq = self.first().unwrap_or(self.last);
        let open = Kind::Open(ConnectionPosition { life: self.theirs, seq });
        effects.transmit_to(self.trusted, key, open);
    }

    /// The first question is answered: the receiver has all up to `seq`. Whether frames that went
    /// before the question were lost: it overtook none.
    pub(super) fn answered(&mut self, seq: u64) -> bool {
        self.questions.pop_front().is_some_and(|asked| self.open && seq < asked)
    }

    /// The link is gone, and with it all answers that were still to come.
    pub(super) fn forget_questions(&mut self) {
        self.questions.clear();
    }

    /// The receiver has answered about the large message that starts with this number: it may come,
    /// or, where the length is 0, not yet.
    pub(super) fn granted(&mut self, now: Time, seq: u64, total: u32) {
        let next = self.queue.get(self.sent).filter(|entry| entry.seq == seq && entry.is_first());
        let Some(starts) = next.map(|entry| entry.total() == total) else { return };
        if self.credit == Credit::Asked {
            // To be let wait is to be heard.
            self.progressed(now);
            if starts {
                self.credit = Credit::Granted(seq);
            }
        }
    }

    /// Transmits what waits, as far as the window, the link and the receiver's credit go.
    pub(super) fn pump(&mut self, key: OutgoingKey, shared: &mut LinkState, effects: &mut Effects) {
        while self.open && self.sent < WINDOW_MESSAGES_MAX {
            let Some(entry) = self.queue.get(self.sent) else { return };
            let len = entry.frame_len();
            if self.sent_bytes + len > WINDOW_BYTES_MAX {
                return;
            }
            if !shared.has_room() {
                if !self.starved {
                    self.starved = true;
                    shared.starved.push_back(key);
                }
                return;
            }
            let starts = entry.is_piece() && entry.is_first();
            if starts && self.credit != Credit::Granted(entry.seq) {
                if self.credit != Credit::Asked {
                    self.credit = Credit::Asked;
                    let position = ConnectionPosition { life: self.theirs, seq: entry.seq };
                    let ask = Kind::Ask(position, entry.total());
                    effects.transmit_to(self.trusted, key, ask);
                }
                return;
            }
            effects.transmit_to(self.trusted, key, entry.kind(self.theirs));
            self.highest = self.highest.max(entry.seq);
            self.waiting -= usize::from(entry.is_last());
            self.waiting_bytes -= entry.len();
            self.sent += 1;
            self.sent_bytes += len;
            shared.sent_bytes += len;
        }
    }

    /// Drops what has arrived from the queue.
    pub(super) fn settle(&mut self, now: Time, seq: u64, shared: &mut LinkState) {
        let seq = seq.min(self.highest);
        while let Some(entry) = self.queue.front()
            && entry.seq <= seq
        {
            if self.sent > 0 {
                let len = entry.frame_len();
                self.sent -= 1;
                self.sent_bytes -= len;
                shared.sent_bytes -= len;
            } else {
                self.waiting -= usize::from(entry.is_last());
                self.waiting_bytes -= entry.len();
            }
            self.queue.pop_front();
            self.progressed(now);
        }
    }

    /// Puts frames under way back in the queue, for the next link or the next attempt.
    pub(super) fn rewind(&mut self, shared: &mut LinkState) {
        self.open = false;
        self.credit = Credit::None;
        // What was asked about is under way no more.
        self.questions.iter_mut().for_each(|asked| *asked = 0);
        shared.sent_bytes -= self.sent_bytes;
        self.sent_bytes = 0;
        while self.sent > 0 {
            self.sent -= 1;
            let entry = &self.queue[self.sent];
            self.waiting += usize::from(entry.is_last());
            self.waiting_bytes += entry.len();
        }
    }

    /// Drops all messages that have not wholly left, and counts them.
    pub(super) fn drop_waiting(&mut self, shared: &mut LinkState) -> u64 {
        let dropped = self.waiting as u64;
        self.queue.truncate(self.sent);
        (self.waiting, self.waiting_bytes) = (0, 0);
        // The pieces that have left are of no use without the others.
        while let Some(entry) = self.queue.back().filter(|entry| !entry.is_last()) {
            let len = entry.frame_len();
            self.sent -= 1;
            self.sent_bytes -= len;
            shared.sent_bytes -= len;
            self.queue.pop_back();
        }
        dropped
    }

    /// The messages that have not wholly arrived, in order.
    pub(super) fn into_messages(self) -> impl Iterator<Item = Message<Bytes>> {
        self.queue.into_iter().filter(QueuedFrame::is_last).map(|entry| entry.message)
    }
}
