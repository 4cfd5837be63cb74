//! Peers: their peerlets, context and lifecycle, and the interface that a runtime implements.
//!
//! A *peerlet* is a well-defined piece of message-passing functionality with its state. A *peer* is
//! the execution context of its peerlets: a clock, a network interface, randomness, siblings. A
//! peerlet decides, a runtime acts: peerlet code never reads a clock, opens a socket, spawns a
//! thread or draws ambient randomness; all of it comes through its [`Context`]. That is why the
//! same compiled peerlet runs in virtual time and on real sockets.
//!
//! - To write a peerlet: [`Peerlet`], [`Context`], [`Description`], [`Task`], and less by hand with
//!   [`commands`] and [`metrics!`]; to test one alone: [`TestPeer`].
//! - To put peers together: [`Peer`].
//! - To write a runtime, a network model or a tool: [`runtime`].

mod command;
mod context;
mod description;
mod macros;
mod metric;
mod peer;
mod peerlet;
mod picks;
mod role;
mod sibling;
mod task;

mod address;
mod map;
mod random;
mod seat_set;
mod text;
mod time;
pub mod wire;

mod column;
mod environment;
mod host;
mod life;
mod links;
mod location;
mod packed_event;
mod packet_drop;
mod parcel;
mod refusal;
mod registry;
mod room;
mod small_map;
mod tamper;
mod test_peer;
mod trust;
mod world;

pub mod property;
pub mod runtime;

pub use address::{Address, AddressError, Contact, Identity, IdentityError, Seat};
pub use command::{Argument, Command, CommandError, Kind, Signature, Value};
pub use context::{Caller, Context, Secret, TimerId};
pub use description::{CommandHandler, Commands, Description, Need};
pub use links::Links;
pub use macros::{commands, metrics};
pub use map::{Map, Set};
pub use metric::{Metric, MetricKind, MetricOf, Tag, Tagged};
pub use parcel::{Port, Undelivered};
pub use peer::{AnyPeerlet, Peer};
pub use peerlet::{Nothing, Peerlet};
pub use picks::Picks;
pub use property::Property;
pub use random::{Rng, Seed};
pub use refusal::{Refusal, Refused};
pub use role::{Role, RoleContext, RoleRef};
pub use sibling::Sibling;
pub use task::{
    CallError, Either, JoinAll, ListenError, Listening, Operation, Question, Race, Response, Task,
    TaskId, WaitSet, join_all, race, race2,
};
pub use test_peer::TestPeer;
pub use time::{
    Duration, DurationError, HOUR, MICROSECOND, MILLISECOND, MINUTE, NANOSECOND, SECOND, Time,
};
pub use trust::TrustError;
pub use wire::{Codec, DATAGRAM_MAX, MESSAGE_MAX, Message};
pub use world::Seats;

/// The examples in the page of the crate run as well.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Page;
