//! A shard: the peers of one task, their socket and their timers.
//!
//! A shard is one task. It owns its peers and runs their handlers inline, so handlers of one peer
//! never overlap; a peer never leaves its shard. Each iteration of its loop takes a share of the
//! events that are due and of the frames that arrived, and sends one batch of frames. However much
//! there is to do, it looks at its sockets after each iteration, and yields its thread
//! after a while.

mod alarm_clock;
mod calls;
mod current_event;
mod iteration;
mod late;
mod live_world;
mod observation;
mod pauses;
mod phases;
mod share;
mod timers;
mod undecoded;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use peerlet_core::runtime::{Directive, Host};
use peerlet_core::{Duration, Peer, Seat, Time};
use peerlet_measure::{Ledger, Measurements};
use tokio::sync::{mpsc, oneshot, watch};

use crate::counters::Counters;
use crate::kept_out::KeptOut;
use crate::member::{Heard, OwnEpoch};
use crate::monitor::{Delays, MonitorHandle};
use crate::panics::Failures;
use crate::transport::Transport;
pub(crate) use alarm_clock::AlarmClock;
pub(crate) use calls::{CALLS_MAX, Call};
pub use calls::{PeerError, ShardStats};
pub(crate) use current_event::CurrentEvent;
pub(crate) use late::Punctuality;
pub(crate) use live_world::ShardState;
pub(crate) use observation::Observation;
pub(crate) use pauses::Pauses;
pub(crate) use timers::Timers;
pub(crate) use undecoded::Undecoded;

/// Events that a peer makes for itself when it stops: more are left undone, so that a peer that
/// answers itself without end does not keep the others from stopping.
const SOON_MAX: usize = 10_000;

/// How long a shard lets what was sent reliably arrive when it closes.
const DRAIN: Duration = Duration::from_secs(2);
/// The same where the run broke: enough to close its links.
const DRAIN_BROKEN: Duration = Duration::from_millis(300);

/// Builds the stack of a seat's peer.
pub type Build = Arc<dyn Fn(Seat) -> Peer + Send + Sync>;

/// A shard, ready to run.
pub(crate) struct Shard {
    /// Its number within the process.
    pub(crate) number: u32,
    pub(crate) host: Host,
    /// The seats of its rows, ascending.
    pub(crate) seats: Vec<Seat>,
    pub(crate) state: ShardState,
    pub(crate) pauses: Pauses,
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) alarm_clock: AlarmClock,
    pub(crate) current: CurrentEvent,
    pub(crate) late: Punctuality,
    /// Takes reports of lateness.
    pub(crate) monitor: MonitorHandle,
    /// Whether one of its peers panicked: no handler runs any more.
    pub(crate) is_broken: bool,
    pub(crate) build: Build,
    /// The directives for its seats, in order.
    pub(crate) directives: std::iter::Peekable<std::vec::IntoIter<Directive>>,
    pub(crate) zero: Instant,
    pub(crate) end: Time,
    pub(crate) counters: Counters,
    pub(crate) idle_directives: u64,
    /// Events that its peers handled.
    pub(crate) events: u64,
    /// Whether all peers were stopped: their senders get a reset.
    pub(crate) has_stopped: bool,
    /// How long it went on after they stopped, for what they had sent.
    pub(crate) drained: Duration,
    /// How much of what peers made for themselves comes before anything that is due now.
    pub(crate) backlog: usize,
    /// Since when it has not left its thread to others.
    pub(crate) since: Instant,
    pub(crate) channels: ShardChannels,
    /// How many closed epochs were handed on.
    pub(crate) reported: usize,
    /// Whether there are no seats but this process's: it lasts until it is stopped.
    pub(crate) is_free: bool,
    /// Tells of messages that cannot be decoded; nobody does where a model may damage them.
    pub(crate) undecoded: Option<Undecoded>,
    pub(crate) kept_out: KeptOut,
    /// The version of the pins that the transport knows.
    pub(crate) pins: u64,
    pub(crate) observation: Observation,
}

/// The results of a shard.
pub(crate) struct ShardOutcome {
    pub(crate) ledger: Ledger,
    pub(crate) measures: Measurements,
    pub(crate) counters: Counters,
    pub(crate) late_answers: u64,
    pub(crate) idle_directives: u64,
    pub(crate) events: u64,
    pub(crate) delays: Delays,
    /// The seat-nanoseconds in which it did not run.
    pub(crate) lost: u64,
    /// When the time of its peers ended.
    pub(crate) end: Time,
}

/// The channels by which a shard hears of the run, and reports.
pub(crate) struct ShardChannels {
    /// When time is zero, once that is known.
    pub(crate) zero: watch::Receiver<Option<Instant>>,
    /// Whether all peers are to stop.
    pub(crate) stop: watch::Receiver<bool>,
    /// Whether nobody needs the sockets any more.
    pub(crate) finish: watch::Receiver<bool>,
    /// Takes closed epochs.
    pub(crate) epochs: Option<mpsc::UnboundedSender<OwnEpoch>>,
    /// Takes the outcome as soon as the peers' time is over.
    pub(crate) outcome: Option<oneshot::Sender<ShardOutcome>>,
    /// In an emulation: whether nothing is on its way any more that departed before the end.
    pub(crate) quiet: Option<watch::Receiver<bool>>,
    /// The handle of the member; the first shard has it.
    pub(crate) member: Option<MemberHandle>,
    /// The work that the program around the run has for the shard.
    pub(crate) calls: mpsc::Receiver<Call>,
    /// Takes reports of panics.
    pub(crate) failures: Failures,
}

/// The handle by which the first shard reaches the process's member.
pub(crate) struct MemberHandle {
    pub(crate) heard: mpsc::Sender<Heard>,
    pub(crate) strangers: mpsc::Sender<Heard>,
    pub(crate) said: mpsc::Receiver<(SocketAddr, Vec<u8>)>,
}

impl MemberHandle {
    /// Hands something to the member, from a process that takes part or from a stranger; a full
    /// channel loses it, and it will be asked for again. Strangers fill a channel of their own.
    fn hear(&self, heard: Heard, is_stranger: bool) {
        let channel = if is_stranger { &self.strangers } else { &self.heard };
        channel.try_send(heard).ok();
    }
}
