//! Names for peerlets and their programs: `use peerlet::prelude::*;`.

pub use crate::experiment::Experiment;
pub use peerlet_core::{
    Address, CallError, Caller, Codec, Command, Contact, Context, Description, Duration, Either,
    HOUR, Identity, Kind, MICROSECOND, MILLISECOND, MINUTE, Map, Metric, NANOSECOND, Need, Nothing,
    Operation, Peer, Peerlet, Question, Refusal, Refused, Rng, SECOND, Seat, Seats, Seed, Set,
    Sibling, Signature, Task, TaskId, TestPeer, Time, TimerId, TrustError, Undelivered, Value,
    WaitSet, join_all, race, race2,
};
pub use peerlet_overlay::{
    Alone, Bootstrap, Bootstrapped, ConfigError, Configured, Lookups, Neighbors, RingId, Router,
    check_range,
};
pub use serde::{Deserialize, Serialize};
pub use std::process::ExitCode;
