//! Signals between the two ends of a connection: events of the simulator's own, which no peer sees.

use peerlet_core::runtime::{Body, Header};
use peerlet_core::{Address, Seat, Seed, Undelivered};

/// What the two ends of a connection tell each other and themselves.
#[derive(Debug)]
pub(crate) enum Signal {
    /// To the receiver: whoever lives there, answer.
    Open { from: Address, number: u64, life: u32 },
    /// To the sender: this life is there.
    Opened { to: Address, number: u64, life: u32, theirs: u32 },
    /// To the sender: nobody lives there.
    Refused { to: Address, number: u64, life: u32 },
    /// To oneself: try again.
    Retry { to: Address, life: u32, ticket: u64 },
    /// Between sockets, before all else, in runs that have handshakes.
    Handshake(Handshake),
    /// To the sender: its large message may start.
    Granted { to: Address, number: u64, life: u32 },
    /// To the sender: all pieces up to this one were taken.
    PieceTaken { to: Address, number: u64, life: u32, index: u64 },
    /// To the sender: this piece, or question, was for another life, or was not let in.
    PartReturned { to: Address, number: u64, life: u32, index: u64, why: Undelivered },
    /// To oneself: look for large messages that stand still.
    LookForIdle,
    /// To the sender: this message was for another life, or was not let in.
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

/// What the two ends of a handshake tell each other, and themselves.
#[derive(Debug)]
pub(crate) enum Handshake {
    Packet {
        from: Seat,
        step: Step,
        /// Where the network's dice for it are found.
        draws: Seed,
        /// Whether the receiving side of the network let it pass already.
        accepted: bool,
    },
    /// To oneself: that attempt has waited long enough.
    Again { with: Seat, step: Step, attempt: u32 },
}

/// What a packet of a handshake says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// From who dials: answer.
    Hello,
    /// The answer.
    Welcome,
    /// From who dials: this is it.
    Finished,
    /// The other end has heard so.
    Confirmed,
}
