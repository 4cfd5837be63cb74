//! The setup of a simulation.

use std::fmt;
use std::sync::Arc;

use peerlet_core::runtime::{MESSAGE_MAX_LIMIT, Registry, StackError};
use peerlet_core::{Codec, Duration, MESSAGE_MAX, MILLISECOND, Need, Peer, SECOND, Seat, Time};
use peerlet_measure::{Details, EpochsError};
use peerlet_network::{Constant, Model};

use crate::story::Story;
use crate::trace::Trace;
use crate::watch::Watch;

/// Builds the stack of a seat's peer: called for its first life and for each life after a crash.
pub type Build = Box<dyn Fn(Seat) -> Peer + Send + Sync>;

/// The engine that brings events to the peers. The outcome is the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Engine {
    /// Windows as long as the model's smallest delay, blocks of peers, any number of threads.
    #[default]
    Windowed,
    /// One heap and one event after the other: slow and simple, a reference for the other engine.
    /// It always uses one thread.
    Reference,
}

/// The setup of a simulation: all but the acts of the environment.
pub struct Setup {
    /// The number of seats. Default: as given to [`Setup::new`].
    pub seats: u32,
    /// How long it runs, from time zero. Messages that would arrive at the end are in flight.
    pub duration: Duration,
    /// The seed of all randomness. Default 1.
    pub seed: u64,
    /// Builds the stack of a seat's peer.
    pub build: Build,
    /// The peerlet types, when they are known; otherwise every seat's stack is built once to learn
    /// them.
    pub registry: Option<Arc<Registry>>,
    /// The network between the peers. Default: a constant delay of 50 ms.
    pub model: Box<dyn Model>,
    /// The length of an epoch. Default 10 s.
    pub epoch: Duration,
    /// The time from which values count in the summary. Default: time zero.
    pub from: Time,
    /// Optional measurements. Default: none.
    pub details: Details,
    /// Whether every message is encoded and decoded, as it is on real sockets. Default: no.
    pub wire: bool,
    /// Whether a pair's first message, a datagram too, waits for a handshake of a round trip, as
    /// over QUIC. Default: no; only reliable delivery has something to open.
    pub handshakes: bool,
    /// Whether peers have identities that others can [trust](peerlet_core::Context::trust), as over
    /// QUIC; over UDP they have none. Default: they have.
    pub identities: bool,
    /// The time without success after which a reliable connection gives up. Default 10 s, the same
    /// value as live.
    pub connection_timeout: Duration,
    /// How long a reliable message may be, in encoded bytes; at most [`MESSAGE_MAX_LIMIT`]. Default
    /// 16 MiB, the same value as live.
    pub message_max: usize,
    /// How messages are encoded, which their sizes follow. Default: [`Codec::Postcard`].
    pub codec: Codec,
    /// Sees every event that is handled. Default: nobody.
    pub trace: Option<Box<dyn Trace>>,
    /// A story that is told meanwhile. Such a run uses the reference engine, one thread, whatever
    /// is asked for: the outcome is the same, and it takes longer. Default: none.
    pub story: Option<Story>,
    /// How many threads share the peers. The outcome is the same for any number. Default 1.
    pub threads: u32,
    /// The engine that brings events to the peers. Default: [`Engine::Windowed`].
    pub engine: Engine,
    /// Shows the progress of the run, and may end it early. Default: a private one.
    pub watch: Arc<Watch>,
    /// An injected bug, for tests of bug finders. Default: none.
    #[cfg(feature = "injected-bugs")]
    #[doc(hidden)]
    pub injected_bug: Option<crate::injected_bugs::InjectedBug>,
}

impl Setup {
    /// A setup with the defaults named at the fields.
    pub fn new(
        seats: u32,
        duration: Duration,
        build: impl Fn(Seat) -> Peer + Send + Sync + 'static,
    ) -> Setup {
        Setup {
            seats,
            duration,
            seed: 1,
            build: Box::new(build),
            registry: None,
            model: Box::new(Constant { delay: MILLISECOND * 50 }),
            epoch: SECOND * 10,
            from: Time::ZERO,
            details: Details::default(),
            wire: false,
            handshakes: false,
            identities: true,
            connection_timeout: SECOND * 10,
            message_max: MESSAGE_MAX,
            codec: Codec::default(),
            trace: None,
            story: None,
            threads: 1,
            engine: Engine::Windowed,
            watch: Arc::default(),
            #[cfg(feature = "injected-bugs")]
            injected_bug: None,
        }
    }

    /// The needs that this world meets: broadcast only where its network has local networks, and
    /// identities unless the setup says otherwise.
    pub const fn gives() -> &'static [Need] {
        &[Need::Reliable, Need::Broadcast, Need::Identity]
    }

    /// Checks the fields of a setup that can be wrong by themselves.
    pub(crate) fn check(&self) -> Result<(), SetupError> {
        match self.message_max {
            0..=MESSAGE_MAX_LIMIT => Ok(()),
            asked => Err(SetupError::MessageMax { asked }),
        }
    }

    /// The engine that brings the events, and its number of threads.
    pub(crate) fn engine_and_threads(&self) -> (Engine, u32) {
        match self.engine {
            Engine::Windowed if self.story.is_none() => (Engine::Windowed, self.threads.max(1)),
            _ => (Engine::Reference, 1),
        }
    }

    /// The registry of all seats' stacks, checked.
    pub(crate) fn registry(&self) -> Result<Arc<Registry>, StackError> {
        let registry = match &self.registry {
            Some(registry) => registry.clone(),
            None => {
                let stacks = (0..self.seats).map(|seat| (self.build)(Seat(seat)));
                Arc::new(Registry::of(stacks)?)
            }
        };
        let has_local = self.model.has_local_networks();
        let is_given = |need: &&Need| match **need {
            Need::Broadcast => has_local,
            Need::Identity => self.identities,
            _ => true,
        };
        let gives: Vec<Need> = Setup::gives().iter().filter(is_given).copied().collect();
        registry.check_needs(&gives)?;
        Ok(registry)
    }
}

/// The reason why a simulation cannot be set up.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum SetupError {
    /// A stack cannot run.
    Stack(StackError),
    /// The epochs do not fit the run.
    Epochs(EpochsError),
    /// The bound of reliable messages is beyond [`MESSAGE_MAX_LIMIT`].
    MessageMax {
        /// The bound asked for, in bytes.
        asked: usize,
    },
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetupError::Stack(error) => error.fmt(f),
            SetupError::Epochs(error) => error.fmt(f),
            SetupError::MessageMax { asked } => write!(
                f,
                "reliable messages of {asked} bytes do not fit into the {MESSAGE_MAX_LIMIT} bytes \
                 that a process puts together; set a lower bound"
            ),
        }
    }
}

impl std::error::Error for SetupError {}

impl From<StackError> for SetupError {
    fn from(error: StackError) -> SetupError {
        SetupError::Stack(error)
    }
}

impl From<EpochsError> for SetupError {
    fn from(error: EpochsError) -> SetupError {
        SetupError::Epochs(error)
    }
}
