//! Names for peerlets and their programs: `use peerlet::prelude::*;`.

pub use crate::experiment::Experiment;
pub use crate::macros::{Parameters, commands, metrics};
pub use peerlet_core::property::{PeerView, Violation, WorldView, each_peer, whole_network};
pub use peerlet_core::{
    Address, Argument, CallError, Caller, Codec, Command, Contact, Context, Description, Duration,
    Either, HOUR, Identity, Kind, ListenError, MICROSECOND, MILLISECOND, MINUTE, Map, Metric,
    NANOSECOND, Need, Nothing, Operation, Peer, Peerlet, Picks, Port, Property, Question, Refusal,
    Refused, Response, Rng, Role, RoleContext, SECOND, Seat, Seats, Seed, Set, Sibling, Signature,
    Task, TaskId, TestPeer, Time, TimerId, TrustError, Undelivered, Value, WaitSet, join_all, race,
    race2,
};
pub use peerlet_overlay::__macros::Parameters;
pub use peerlet_overlay::{
    Alone, Bootstrap, Bootstrapped, ConfigError, Configured, Introducer, KeyRouter, Lookups,
    Neighbors, Parameter, PeerSampler, RingId, Router, check_range,
};
#[cfg(feature = "live")]
pub use peerlet_run::Node;
pub use peerlet_run::{Results, RunError, SimRun};
pub use serde::{Deserialize, Serialize};
pub use std::process::ExitCode;
