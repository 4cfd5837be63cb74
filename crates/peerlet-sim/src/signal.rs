//! Signals between the two ends of a connection: events of the simulator's own, which no peer sees.

use peerlet_core::runtime::{Body, Header};
use peerlet_core::{Address, Seat, Seed, Undelivered};

/// The size of a packet that opens a connection or asks for a large message to start.
pub(crate) const CONTROL_BYTES: u32 = 64;

/// A signal from one end of a connection to the other, or to itself.
#[derive(Debug)]
pub(crate) enum Signal {
    /// To the receiver: answer, if a peer lives there.
    Open { from: Address, number: u64, life: u32 },
    /// To the sender: this life is there.
    Opened { to: Address, number: u64, life: u32, theirs: u32 },
    /// To the sender: nobody lives there.
    Refused { to: Address, number: u64, life: u32 },
    /// To oneself: try again.
    Retry { to: Address, life: u32, ticket: u64 },
    /// Between sockets, before anything else, in runs with handshakes.
    Handshake(Handshake),
    /// To the sender: its large message may start.
    Granted { to: Address, number: u64, life: u32 },
    /// To the sender: all pieces up to this one arrived.
    PieceTaken { to: Address, number: u64, life: u32, index: u64 },
    /// To the sender: this piece, or request to start, was for another life or was not admitted.
    PartReturned { to: Address, number: u64, life: u32, index: u64, why: Undelivered },
    /// To oneself: look for large messages that make no progress.
    LookForIdle,
    /// To the sender: this message was for another life or was not admitted.
    Returned { to: Address, number: u64, life: u32, index: u64, message: Queued, why: Undelivered },
}

/// A message in the sender's queue.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) header: Header,
    pub(crate) body: Body,
    pub(crate) size: u32,
    pub(crate) payload: u64,
}

/// A step of a handshake, for the other end or for oneself.
#[derive(Debug)]
pub(crate) enum Handshake {
    Packet {
        from: Seat,
        step: Step,
        /// The seed of the network's random stream for it.
        draws: Seed,
        /// Whether the receiving side of the network has accepted it already.
        accepted: bool,
    },
    /// To oneself: the wait for an answer to this attempt is over.
    Again { with: Seat, step: Step, attempt: u32 },
}

/// The content of a packet of a handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// From the dialer: the request.
    Hello,
    /// The answer.
    Welcome,
    /// From the dialer: the handshake is complete.
    Finished,
    /// The acknowledgement of that.
    Confirmed,
}
