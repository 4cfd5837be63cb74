//! Why a live run could not begin, or broke.

use std::fmt;
use std::net::Ipv6Addr;

use peerlet_core::runtime::{MESSAGE_MAX_LIMIT, StackError};
use peerlet_core::{Duration, MILLISECOND};
use peerlet_measure::EpochsError;

use crate::medium::MediumError;
use crate::member::JoinError;
use crate::outcome::LiveOutcome;
use crate::panics::PanicPlace;
use crate::transport::BindError;

/// Epochs that a run of several processes may have at any length, and the length from which on it
/// may have any number: each is a report of its own, of which 32 are under way at once and must not
/// pile up at a round trip of a second.
pub(crate) const EPOCHS_OF_SEVERAL_MAX: u64 = 1_000;
pub(crate) const EPOCH_OF_SEVERAL_MIN: Duration =
    Duration::from_nanos(100 * MILLISECOND.as_nanos());

/// Why a live run could not begin, or broke.
#[derive(Debug)]
#[non_exhaustive]
pub enum LiveError {
    /// A stack cannot run on these sockets.
    Stack(StackError),
    /// The epochs do not fit the run.
    Epochs(EpochsError),
    /// A socket cannot be bound.
    Bind(BindError),
    /// The process's seats are none of the scenario's.
    Index {
        /// The first seat.
        first: u32,
        /// The last seat.
        last: u32,
        /// The number of seats.
        seats: u32,
    },
    /// Seat 0's process was told to join one.
    JoinsItself,
    /// A process that is to join another one was given no time for it.
    NoTimeToJoin,
    /// A process without seat 0 was not told which one to join.
    JoinsNobody {
        /// Its first seat.
        first: u32,
    },
    /// A process that others reach by its address is bound to all addresses, and was not told
    /// which of them others know, or was told one that is nobody's.
    NoAddress,
    /// The process cannot take part in the run.
    Join(JoinError),
    /// The bound of reliable messages is beyond [`MESSAGE_MAX_LIMIT`].
    MessageMax {
        /// The bound that was asked for, in bytes.
        asked: usize,
    },
    /// There cannot be a model between the peers' sockets.
    Medium(MediumError),
    /// The processes of a run of several cannot report this many epochs this often.
    ShortEpochs {
        /// The length of an epoch.
        length: Duration,
        /// The number of epochs.
        count: u64,
    },
    /// A list of identities was given for UDP, which has none.
    ListOverUdp,
    /// The shards need ports beyond the last one.
    Ports {
        /// The first shard's port.
        first: u16,
        /// The number of shards.
        shards: u32,
    },
    /// The shards bind free ports, which have no order, and a port was given for the first of them
    /// to be known by.
    PortsInNoOrder {
        /// The number of shards.
        shards: u32,
    },
    /// An address holds on one link of this machine only: peers' addresses do not say which.
    LinkLocal {
        /// That address.
        at: Ipv6Addr,
    },
    /// The process has no peers.
    NoPeers,
    /// It was not called within a tokio runtime that it can run on.
    Runtime(&'static str),
    /// Epochs of a node are shorter than it can hand on.
    ShortEpoch {
        /// Their length.
        length: Duration,
    },
    /// The tokio runtime ended the run: it was shut down.
    Lost(String),
    /// A thread that watches the run could not be started.
    Thread(std::io::Error),
    /// Something in it panicked: a peer's handler, the network's model, the function that takes
    /// notices.
    Panicked(Panicked),
}

impl LiveError {
    /// Writes one of the errors that runs inside programs have besides.
    fn of_a_node(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LiveError::ShortEpoch { length } => write!(
                f,
                "epochs of {length} are too short to be handed on; give at least \
                 {EPOCH_OF_SEVERAL_MIN}"
            ),
            LiveError::Lost(error) => write!(
                f,
                "the tokio runtime ended the run ({error}); stop the run before its runtime"
            ),
            LiveError::NoPeers => f.write_str("a process without peers does nothing; give it one"),
            LiveError::Runtime(what) => write!(
                f,
                "{what}; build one with `tokio::runtime::Builder::new_multi_thread().enable_all()`"
            ),
            _ => Ok(()),
        }
    }

    /// Writes one of the errors of addresses.
    fn of_addresses(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LiveError::NoAddress => f.write_str(
                "nothing says at which address others reach this process: its socket is bound to \
                 all addresses of the machine, or the one to advertise is nobody's; give one to \
                 advertise",
            ),
            LiveError::Ports { first, shards } => write!(
                f,
                "{shards} shards from port {first} on need ports up to {}, and the last one is \
                 65535; choose a lower port, or fewer shards",
                u32::from(*first) + shards - 1
            ),
            LiveError::PortsInNoOrder { shards } => write!(
                f,
                "{shards} shards bind free ports in no order, so one port to advertise does not \
                 say where the others are; bind a port, or advertise port 0, which stands for \
                 those that are bound"
            ),
            LiveError::LinkLocal { at } => write!(
                f,
                "{at} holds on one link of this machine only, and the addresses of peers do not \
                 say which; give a global or a unique local address"
            ),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for LiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LiveError::Stack(error) => error.fmt(f),
            LiveError::Epochs(error) => error.fmt(f),
            LiveError::Bind(error) => error.fmt(f),
            LiveError::Medium(error) => error.fmt(f),
            LiveError::Thread(error) => write!(
                f,
                "the thread that watches the run cannot be started: {error}; raise the limit of \
                 threads (`ulimit -u`, or a container's `pids` limit)"
            ),
            LiveError::Panicked(panicked) => panicked.fmt(f),
            LiveError::MessageMax { asked } => write!(
                f,
                "reliable messages of {asked} bytes do not fit into the {MESSAGE_MAX_LIMIT} bytes \
                 that a process puts together; set a lower bound"
            ),
            LiveError::Index { first, last, seats } => write!(
                f,
                "seats {first} to {last} do not fit the scenario's seats, 0 to {}",
                seats.saturating_sub(1)
            ),
            LiveError::JoinsItself => f.write_str(
                "this process has seat 0 and is told to join seat 0's process; drop one of the two",
            ),
            LiveError::NoTimeToJoin => f.write_str(
                "a start within 0s leaves this process no time to join seat 0's process; give it \
                 some, such as 30s",
            ),
            LiveError::JoinsNobody { first } => write!(
                f,
                "the seats of this process begin at {first}, so seat 0 lives elsewhere; name the \
                 process to join"
            ),
            LiveError::ShortEpoch { .. }
            | LiveError::NoPeers
            | LiveError::Runtime(_)
            | LiveError::Lost(_) => self.of_a_node(f),
            LiveError::NoAddress
            | LiveError::Ports { .. }
            | LiveError::PortsInNoOrder { .. }
            | LiveError::LinkLocal { .. } => self.of_addresses(f),
            LiveError::Join(error) => error.fmt(f),
            LiveError::ShortEpochs { length, count } => write!(
                f,
                "`measure.epoch`: {count} epochs of {length} are more than the processes of a run \
                 of several can report to seat 0's: at most {EPOCHS_OF_SEVERAL_MAX}, or any number \
                 of at least {EPOCH_OF_SEVERAL_MIN} each; make the epochs longer, or the run \
                 shorter"
            ),
            LiveError::ListOverUdp => f.write_str(
                "a list names identities, and UDP has none; give all processes one secret, or use \
                 QUIC",
            ),
        }
    }
}

impl std::error::Error for LiveError {}

impl From<MediumError> for LiveError {
    fn from(error: MediumError) -> LiveError {
        LiveError::Medium(error)
    }
}

impl From<StackError> for LiveError {
    fn from(error: StackError) -> LiveError {
        LiveError::Stack(error)
    }
}

impl From<EpochsError> for LiveError {
    fn from(error: EpochsError) -> LiveError {
        LiveError::Epochs(error)
    }
}

impl From<JoinError> for LiveError {
    fn from(error: JoinError) -> LiveError {
        LiveError::Join(error)
    }
}

impl From<BindError> for LiveError {
    fn from(error: BindError) -> LiveError {
        LiveError::Bind(error)
    }
}

/// A run that ended because something in it panicked.
pub struct Panicked {
    /// The place of the panic.
    pub place: PanicPlace,
    /// The panic's message.
    pub message: String,
    /// The seed of the randomness of the process's peers.
    pub seed: u64,
    /// The results of the process until then, without shards that did not answer any more. `None`
    /// where no peer had lived yet.
    pub partial: Option<Box<LiveOutcome>>,
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Panicked { place, message, seed, .. } = self;
        write!(f, "a panic ended the run: {place}, seed {seed}: {message}")
    }
}

impl fmt::Debug for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Panicked { place, message, seed, partial } = self;
        f.debug_struct("Panicked")
            .field("place", place)
            .field("message", message)
            .field("seed", seed)
            .field("partial", &partial.is_some())
            .finish()
    }
}
