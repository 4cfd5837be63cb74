//! The seam between a shard and its sockets.
//!
//! A shard waits once for a batch of what arrived and hands over one batch of what is to go; no
//! message has an await of its own. A transport never waits for a slow process: what does not fit
//! is dropped by cause (datagrams) or makes the transport say [`Inbound::Blocked`] (streams), on
//! which the shard holds back until [`Inbound::Unblocked`].

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use peerlet_core::{Duration, Identity};
use rustix::io::Errno;

use crate::counters::Counters;

/// Frames that one call of [`Transport::receive`] gives at most, about: what keeps a batch in cache
/// and timers in time.
pub const BATCH_MAX: usize = 1024;

/// The capabilities of a transport.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// It has ordered streams.
    pub reliable: bool,
    /// It knows who is at the other end.
    pub identity: bool,
}

/// A frame to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outbound {
    /// A frame that may get lost.
    Datagram {
        /// The other process.
        to: SocketAddr,
        /// At most [`DATAGRAM_FRAME_MAX`](crate::DATAGRAM_FRAME_MAX) bytes.
        frame: Bytes,
    },
    /// A frame that arrives in order with the others of its pair, or after which the link is
    /// reported lost.
    Stream {
        /// The other process.
        to: SocketAddr,
        /// The slots that name the stream: ours and theirs.
        pair: (u32, u32),
        /// At most [`STREAM_FRAME_MAX`](crate::STREAM_FRAME_MAX) bytes.
        frame: Bytes,
    },
    /// A frame for one process only. Where another one is found at its socket it is not sent: a
    /// datagram is dropped then, and one of a stream comes back as [`Inbound::Mistaken`]. A
    /// transport without identities sends it to whoever is there.
    Trusted {
        /// The other process's socket.
        to: SocketAddr,
        /// The identity that process must have.
        identity: Identity,
        /// The slots that name the stream; `None` for a datagram.
        pair: Option<(u32, u32)>,
        /// As long as one of its kind may be.
        frame: Bytes,
    },
}

/// A frame or an event that came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Inbound {
    /// A frame that came alone.
    Datagram {
        /// The process that sent it.
        from: SocketAddr,
        /// The identity of that process, where the transport knows it.
        identity: Option<Identity>,
        /// Its bytes, not parsed yet.
        frame: Bytes,
    },
    /// A frame that came in order.
    Stream {
        /// The process that sent it.
        from: SocketAddr,
        /// The identity of that process, where the transport knows it.
        identity: Option<Identity>,
        /// Its bytes, not parsed yet.
        frame: Bytes,
    },
    /// There is now a link to this process.
    LinkUp {
        /// The process.
        with: SocketAddr,
        /// The identity of that process.
        identity: Identity,
    },
    /// The link that our frames went over broke, or none could be made: those under way may be
    /// lost. What is sent from now on goes over a new one.
    LinkLost {
        /// The process.
        with: SocketAddr,
        /// The reason.
        why: LinkError,
    },
    /// A frame of a stream was not sent, since it was [for one process
    /// only](Outbound::Trusted) and another one is there. The link, if there is one, stands.
    Mistaken {
        /// The socket that it was for.
        to: SocketAddr,
        /// The slots that name its stream: ours and theirs.
        pair: (u32, u32),
        /// The identity that it was for.
        identity: Identity,
    },
    /// Much waits for this process: send it no more on streams for now.
    Blocked {
        /// The process.
        to: SocketAddr,
    },
    /// It takes more again.
    Unblocked {
        /// The process.
        to: SocketAddr,
    },
}

/// Sockets as a shard sees them.
#[async_trait]
pub trait Transport: Send {
    /// The address at which others reach this process, as far as the socket knows.
    fn local_addr(&self) -> SocketAddr;

    /// Others, and peers of this process, reach the socket at this address.
    fn known_as(&mut self, _at: SocketAddr) {}

    /// From now on this is called with each process that is not let in, and with each that does not
    /// let this one in.
    fn on_kept_out(&mut self, _tell: KeptOutNotice) {}

    /// Its capabilities.
    fn capabilities(&self) -> Capabilities;

    /// From now on only this process is taken for the one at `socket`: another one is refused when
    /// it is dialled, and when it dials us from there. `None` takes anybody again.
    fn expect(&mut self, socket: SocketAddr, identity: Option<Identity>);

    /// Waits until something came in, and appends all that is there, up to about [`BATCH_MAX`]. It
    /// may append nothing, when much came that is of no use.
    ///
    /// Nothing is lost when the future is dropped before it is done.
    async fn receive(&mut self, into: &mut Vec<Inbound>);

    /// Takes the whole batch. Waits for the local network at most, never for another process.
    async fn send(&mut self, batch: &mut Vec<Outbound>);

    /// The counters of drops so far.
    fn counters(&self) -> Counters;

    /// Lets what was sent on streams arrive, for at most this long, and ends all links.
    async fn close(&mut self, drain: Duration);
}

/// Takes the socket of a process that was kept out, its identity where that is known, and the
/// reason. It is called from any thread, and as often as somebody is kept out.
pub type KeptOutNotice = Arc<dyn Fn(SocketAddr, Option<Identity>, LinkError) + Send + Sync>;

/// Why a link broke or could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LinkError {
    /// Nobody answered in time.
    Unreachable,
    /// It is not the process that was expected there.
    Identity,
    /// The handshake failed for another reason, or was refused.
    Refused,
    /// The other process does not let this one in: it has another secret, or a list without it.
    Admission,
    /// The other process did not prove that it has our secret.
    Unproved,
    /// The other process is not on our list.
    Unlisted,
    /// The other process closed the link.
    Closed,
    /// Nothing came for too long.
    Silent,
    /// The other process broke the protocol.
    Protocol,
    /// There are too many links.
    TooMany,
    /// More than the transport holds was sent to it, after it said that it was blocked.
    Overflow,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LinkError::Unreachable => "nobody answered; is the process running, is its port open?",
            LinkError::Identity => "another process answered; check the identity that you gave",
            LinkError::Refused => "the handshake was refused; run the same version on both sides",
            LinkError::Admission => {
                "the other process does not let this one in; give both the same secret, or its \
                 list the identity of this one"
            }
            LinkError::Unproved => {
                "the other process did not prove that it has the secret; give both the same one"
            }
            LinkError::Unlisted => {
                "the other process is not on the list of this one; add its identity"
            }
            LinkError::Closed => "the other process closed the link; it has ended or refused us",
            LinkError::Silent => {
                "nothing more was heard from the other process; it is gone or cut off"
            }
            LinkError::Protocol => "the other process broke the protocol; run the same version",
            LinkError::TooMany => "there are too many links; run more shards or fewer processes",
            LinkError::Overflow => "more was sent than the link holds; wait until it is unblocked",
        })
    }
}

impl std::error::Error for LinkError {}

impl LinkError {
    /// Whether one of the two processes does not let the other one in.
    pub fn is_admission(self) -> bool {
        matches!(self, LinkError::Admission | LinkError::Unproved | LinkError::Unlisted)
    }
}

/// Why a socket could not be bound.
#[derive(Debug)]
#[non_exhaustive]
pub enum BindError {
    /// The address can be reached from elsewhere, and the network was not said to be closed.
    Open(SocketAddr),
    /// The operating system refused.
    Io {
        /// The address.
        at: SocketAddr,
        /// Its error.
        source: io::Error,
    },
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindError::Open(at) => write!(
                f,
                "plain UDP at {at} would take messages from anybody; use QUIC, give all processes \
                 one secret, or say that the network is closed"
            ),
            BindError::Io { at, source } => {
                write!(f, "cannot bind {at}: {source}; ")?;
                f.write_str(match self.is_of_files() {
                    true => "raise the limit of open files (`ulimit -n`), or take fewer sockets",
                    false => "choose another address",
                })
            }
        }
    }
}

impl std::error::Error for BindError {}

impl BindError {
    /// Whether there are too many open files: another address would not help.
    pub fn is_of_files(&self) -> bool {
        let BindError::Io { source, .. } = self else { return false };
        source.raw_os_error().map(Errno::from_raw_os_error).is_some_and(is_of_files)
    }
}

/// Whether this is the error of too many open files, in the process or in the system.
fn is_of_files(errno: Errno) -> bool {
    // Windows has no limit for the system, and no number for it.
    #[cfg(unix)]
    return matches!(errno, Errno::MFILE | Errno::NFILE);
    #[cfg(not(unix))]
    return errno == Errno::MFILE;
}
