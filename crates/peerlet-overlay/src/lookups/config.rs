//! The parameters of `Lookups`.

use peerlet_core::{Duration, HOUR, MILLISECOND, SECOND};
use peerlet_macros::OverlayParameters as Parameters;

use super::rate::Rate;

/// The parameters of [`Lookups`](crate::Lookups).
#[derive(Clone, PartialEq, Debug, Parameters)]
pub struct LookupsConfig {
    /// Lookups that each peer makes on average, per s, m or h. They are at random times. Default
    /// 1/s, which is what is one for each heartbeat to a neighbor; 0/s only answers.
    #[parameter(default = Rate::per_second(1.0).expect("once a second is a rate"))]
    pub rate: Rate,
    /// Time from a peer's start to its first lookup. Default 10 s: by then it has found its place.
    #[parameter(default = SECOND * 10, range = Duration::ZERO..=HOUR * 24)]
    pub warmup: Duration,
    /// Time after which a lookup has failed. Default 5 s: some thirty round trips of the King data
    /// set.
    #[parameter(default = SECOND * 5, range = MILLISECOND..=HOUR)]
    pub timeout: Duration,
}
