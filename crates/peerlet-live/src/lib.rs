//! Runs peers on real sockets.
//!
//! [`run`] runs a process's peers in shards. From the bottom up:
//!
//! - [`ProcessKey`]: the key whose hash names a process, and the file that keeps it.
//! - [`Secret`]: proof of belonging, for networks whose processes share one, and its file.
//! - [`Frame`]: one message of the protocol, byte by byte.
//! - [`Transport`]: the seam to the sockets, one await a batch; [`QuicTransport`] has identities,
//!   datagrams and ordered streams, [`UdpTransport`] has datagrams only and is for networks that
//!   are closed or share a [`Secret`].
//! - [`Connections`]: reliable delivery between lives, as a machine that a shard feeds and empties.
//! - [`Counters`]: what was dropped, by cause.
//!
//! With a [`Medium`] given, each peer has a socket of its own and a model stands between them: a
//! run is *emulated*, or meets the faults of a scenario on the real network.
//!
//! # Platforms
//!
//! It is developed, tested and measured on Linux. On macOS and Windows it is only built, and lacks
//! two things of Linux's kernel: a timer for each shard (timers are up to 2 ms late without it) and
//! the timer slack of an emulation's driver. Windows has no modes of files either, so files of keys
//! and secrets are as private as their folder, and no emulation asks for priority there.

mod admission;
mod buffers;
mod certificate;
mod connection;
mod counters;
mod entropy;
mod frame;
mod kept_out;
mod key;
mod private_file;
mod quic;
mod refusal;
mod secret;
mod socket;
mod tls;
mod transport;
mod udp;

mod binding;
mod emulation;
mod emulator;
mod error;
mod live;
mod medium;
mod member;
mod monitor;
mod notice;
mod observer;
mod outcome;
mod panics;
mod parts;
mod peers;
mod process;
mod runtime;
mod seats;
mod setup;
mod shard;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

pub use admission::{Admission, AllowListError};
pub use connection::{
    Budget, ConnectionConfig, Connections, Effect, LINK_BYTES_MAX, QUEUE_BYTES_MAX,
    QUEUE_MESSAGES_MAX, RECEIVING_MAX, RECEIVING_PER_LINK_MAX, SENDING_MAX, SendError,
    WINDOW_BYTES_MAX, WINDOW_MESSAGES_MAX,
};
pub use counters::{Counters, SocketDrop};
pub use error::{LiveError, Panicked};
pub use frame::{
    ConnectionPosition, DATAGRAM_FRAME_MAX, Frame, FrameError, Kind, Message, Part,
    STREAM_FRAME_MAX, Tag, VERSION,
};
pub use key::{KeyError, ProcessKey};
pub use live::run;
pub use medium::{
    Carried, EMULATED_MAX, Flaw, LATE_MAX, LATENESS_MAX, Lateness, Lost, Medium, MediumError,
    Packets, SocketLimit, WarmUp, ask_for_priority, make_room,
};
pub use member::{Difference, Join, JoinError, JoinTextError, Section};
pub use monitor::Delays;
pub use notice::Notice;
pub use observer::Observer;
pub use outcome::{LiveOutcome, Whole};
pub use panics::PanicPlace;
pub use peers::{EVENTS_MAX, Events, LiveRun, Peers, start};
pub use private_file::{PrivateFileError, PrivateFileProblem};
pub use quic::{Guard, LINKS_MAX, QuicTransport};
pub use refusal::Refusal;
pub use secret::{SECRET_LEN_MAX, SECRET_LEN_MIN, Secret, SecretError};
pub use setup::{LiveSetup, Membership, OnEpoch, Sockets};
pub use shard::{Build, PeerError, ShardStats};
pub use transport::{
    BATCH_MAX, BindError, Capabilities, Inbound, KeptOutNotice, LinkError, Outbound, Transport,
};
pub use udp::{SESSIONS_MAX, SESSIONS_PER_NETWORK_MAX, UdpOptions, UdpTransport};
