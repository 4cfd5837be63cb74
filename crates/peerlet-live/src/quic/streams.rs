//! The ordered streams of a connection, on our side: each has a queue and a task that writes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use peerlet_core::runtime::mix;
use quinn::Connection;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::LinkEvent;
use super::config::PAIR_STREAMS_MAX;
use crate::frame::is_answer;

/// Bytes for one process above which the shard has to hold back, and below which it may go on.
const HELD_HIGH: usize = 4 * 1024 * 1024;
const HELD_LOW: usize = HELD_HIGH / 2;
/// Bytes for one process that are held at all: twice what reliable connections may have under way,
/// so that only a shard that does not listen gets here.
const HELD_MAX: usize = 2 * crate::connection::LINK_BYTES_MAX;
/// The priority of the stream with answers: others have 0, and wait for it.
const ANSWERS_FIRST: i32 = 1;
/// Bytes that are written at once: small frames share a write.
const WRITE_MAX: usize = 64 * 1024;

/// The frames that wait for one process.
#[derive(Debug, Default)]
pub(super) struct HeldBytes {
    bytes: AtomicUsize,
    blocked: AtomicBool,
}

/// The state of the queue after a frame was added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Queued {
    Fine,
    Blocked,
    Overflow,
}

impl HeldBytes {
    pub(super) fn add(&self, bytes: usize) -> Queued {
        let held = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if held > HELD_MAX {
            Queued::Overflow
        } else if held > HELD_HIGH && !self.blocked.swap(true, Ordering::Relaxed) {
            Queued::Blocked
        } else {
            Queued::Fine
        }
    }

    /// Whether the shard is now to be told that it may go on.
    pub(super) fn release(&self, bytes: usize) -> bool {
        let held = self.bytes.fetch_sub(bytes, Ordering::Relaxed) - bytes;
        held < HELD_LOW && self.blocked.swap(false, Ordering::Relaxed)
    }
}

/// The streams that we write on one connection.
#[derive(Debug)]
pub(super) struct Streams {
    to: SocketAddr,
    connection: Connection,
    held: Arc<HeldBytes>,
    events: mpsc::Sender<LinkEvent>,
    /// The pairs with a stream of their own. Later ones share them by hash, and stay there: no pair
    /// ever changes.
    own: BTreeMap<(u32, u32), usize>,
    /// Bounded by `held`, in bytes over all.
    queues: Vec<mpsc::UnboundedSender<Bytes>>,
    /// The queue of answers to the other side's frames, of all pairs: acknowledgements do not wait
    /// behind data of the same pair.
    answers: Option<mpsc::UnboundedSender<Bytes>>,
    writers: Vec<JoinHandle<()>>,
}

impl Streams {
    pub(super) fn new(
        to: SocketAddr,
        connection: Connection,
        held: Arc<HeldBytes>,
        events: mpsc::Sender<LinkEvent>,
    ) -> Streams {
        let (own, queues, writers) = Default::default();
        Streams { to, connection, held, events, own, queues, answers: None, writers }
    }

    /// Queues a frame that `held` knows of already; false when the stream is broken.
    pub(super) fn push(&mut self, pair: (u32, u32), frame: Bytes) -> bool {
        if is_answer(&frame) {
            if self.answers.is_none() {
                self.answers = Some(self.open(ANSWERS_FIRST));
            }
            return self.answers.as_ref().is_some_and(|queue| queue.send(frame).is_ok());
        }
        let stream = match self.own.get(&pair) {
            Some(stream) => *stream,
            None if self.own.len() < PAIR_STREAMS_MAX => {
                let queue = self.open(0);
                self.queues.push(queue);
                self.own.insert(pair, self.own.len());
                self.own.len() - 1
            }
            None => shared_stream(pair),
        };
        self.queues[stream].send(frame).is_ok()
    }

    /// Opens a stream of this priority.
    fn open(&mut self, priority: i32) -> mpsc::UnboundedSender<Bytes> {
        let (queue, frames) = mpsc::unbounded_channel();
        let (connection, held) = (self.connection.clone(), Arc::clone(&self.held));
        let writer = write(connection, priority, frames, held, self.events.clone(), self.to);
        self.writers.push(tokio::spawn(writer));
        queue
    }

    /// Takes no more frames; gives the tasks that end when all that was queued has arrived.
    pub(super) fn finish(self) -> Vec<JoinHandle<()>> {
        self.writers
    }
}

/// The index of the stream of a pair that has none of its own.
fn shared_stream((ours, theirs): (u32, u32)) -> usize {
    (mix(u64::from(ours) << 32 | u64::from(theirs)) % PAIR_STREAMS_MAX as u64) as usize
}

/// Writes frames, each after its length (4 bytes, big-endian), until there will be no more and all
/// have arrived.
async fn write(
    connection: Connection,
    priority: i32,
    mut frames: mpsc::UnboundedReceiver<Bytes>,
    held: Arc<HeldBytes>,
    events: mpsc::Sender<LinkEvent>,
    to: SocketAddr,
) {
    let Ok(mut stream) = connection.open_uni().await else { return };
    // An error means that the stream is broken, as the first write will.
    stream.set_priority(priority).ok();
    let mut buffer = Vec::new();
    while let Some(frame) = frames.recv().await {
        let mut bytes = append(&mut buffer, &frame);
        while buffer.len() < WRITE_MAX
            && let Ok(frame) = frames.try_recv()
        {
            bytes += append(&mut buffer, &frame);
        }
        if stream.write_all(&buffer).await.is_err() {
            // The connection is gone; the one who watches it reports that.
            return;
        }
        buffer.clear();
        buffer.shrink_to(WRITE_MAX);
        if held.release(bytes) && events.send(LinkEvent::Unblocked { to }).await.is_err() {
            return;
        }
    }
    if stream.finish().is_ok() {
        // Errors mean the same here: nobody is left to wait for.
        stream.stopped().await.ok();
    }
}

fn append(buffer: &mut Vec<u8>, frame: &Bytes) -> usize {
    buffer.extend_from_slice(&(frame.len() as u32).to_be_bytes());
    buffer.extend_from_slice(frame);
    frame.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shard_is_told_once_each_way() {
        let held = HeldBytes::default();
        assert_eq!(held.add(HELD_HIGH), Queued::Fine);
        assert_eq!(held.add(1), Queued::Blocked);
        assert_eq!(held.add(1), Queued::Fine, "it knows");
        assert!(!held.release(HELD_HIGH - HELD_LOW), "not low enough");
        assert!(held.release(10));
        assert!(!held.release(10), "it knows");
        assert_eq!(held.add(HELD_MAX), Queued::Overflow);
    }

    #[test]
    fn shared_streams_are_used_evenly() {
        let mut counts = [0u32; PAIR_STREAMS_MAX];
        for ours in 0..100 {
            (0..100).for_each(|theirs| counts[shared_stream((ours, theirs))] += 1);
        }
        // Six standard deviations of a binomial around 156 are 75.
        assert!(counts.iter().all(|count| count.abs_diff(156) < 75), "{counts:?}");
    }
}
