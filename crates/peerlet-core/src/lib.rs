//! What a peer is: its peerlets, their context and lifecycle, and what a runtime must give them.
//!
//! A *peerlet* is a well-defined piece of message-passing functionality with its state. A *peer* is
//! the execution context of its peerlets: a clock, a network interface, randomness, siblings. A
//! peerlet decides, a runtime acts: peerlet code never reads a clock, opens a socket, spawns a
//! thread or draws ambient randomness; all of it comes through its [`Context`]. That is why the
//! same compiled peerlet runs in virtual time and on real sockets.
//!
//! - To write a peerlet: [`Peerlet`], [`Context`], [`About`], [`Task`]; to test one alone:
//!   [`TestPeer`].
//! - To put peers together: [`Peer`].
//! - To write a runtime: [`World`] and its four parts, and [`Host`].

mod about;
mod command;
mod context;
mod metric;
mod peer;
mod peerlet;
mod sibling;
mod task;

mod address;
mod map;
mod random;
mod seat_set;
mod text;
mod time;
mod turn;
pub mod wire;

mod column;
mod environment;
mod few;
mod host;
mod life;
mod place;
mod refusal;
mod registry;
mod room;
mod runtime;
mod tamper;
mod test_peer;
mod trust;

pub use about::{About, Need};
pub use address::{Address, AddressError, Contact, Identity, IdentityError, Seat};
pub use command::{Command, CommandError, Kind, Signature, TEXT_ESCAPES, Value};
pub use context::{Caller, Context, Secret, TimerId};
pub use environment::{Act, Directive};
pub use host::Host;
pub use life::{Depth, State};
pub use map::{FixedHasher, Map, Set};
pub use metric::{Metric, MetricKind, QUANTA_MAX};
pub use peer::{AnyPeerlet, Peer};
pub use peerlet::{Nothing, Peerlet};
pub use place::{Handler, Where};
pub use random::{Rng, Seed, mix};
pub use refusal::{Refusal, Refused};
pub use registry::{Entry, Registry, StackError};
pub use runtime::{
    Alarm, Body, Call, Class, Clock, Codec, Entropy, Header, MetricIndex, Network, Parcel, Port,
    Record, Seats, Swept, Undelivered, World,
};
pub use seat_set::SeatSet;
pub use sibling::Sibling;
pub use tamper::{Tampering, Tampers};
pub use task::{
    CallError, Either, JoinAll, Operation, Question, Race, Task, TaskId, WaitSet, join_all, race,
    race2,
};
pub use test_peer::TestPeer;
pub use text::{TextError, decode_text};
pub use time::{
    Duration, DurationError, HOUR, MICROSECOND, MILLISECOND, MINUTE, NANOSECOND, SECOND, Time,
};
pub use trust::{TRUSTED_MAX, TrustError, Trusted};
pub use turn::{RowOf, Turn, Turns};
pub use wire::{DATAGRAM_MAX, FRAME_MAX, MESSAGE_MAX, MESSAGE_MAX_LIMIT, Message};
