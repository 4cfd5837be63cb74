//! The parameters of `Neighbors`.

use peerlet_core::{Duration, HOUR, MILLISECOND, SECOND};
use peerlet_macros::OverlayParameters as Parameters;
use serde::{Deserialize, Serialize};

/// The most random links that may be asked for; a peer accepts twice as many.
const RANDOM_MAX: u32 = 16;
/// The most ring neighbors on each side that may be asked for: lists of them must fit a datagram.
const SIDE_MAX: u32 = 8;

/// The parameters of [`Neighbors`](crate::Neighbors).
#[derive(Clone, PartialEq, Debug, Parameters)]
pub struct NeighborsConfig {
    /// Random links that a peer seeks; it accepts twice as many. 0 to 16; default 5: when a third
    /// of all peers goes at once, one peer of 240 loses all five.
    #[parameter(default = 5, range = 0..=RANDOM_MAX)]
    pub random: u32,
    /// Ring neighbors on each side. 1 to 8; default 2: the ring holds while no two peers side by
    /// side are lost within the time it takes to notice.
    #[parameter(default = 2, range = 1..=SIDE_MAX)]
    pub ring: u32,
    /// Time between two heartbeats to a neighbor. Default 1 s, as is usual: it bounds the traffic
    /// to a message a second and neighbor.
    #[parameter(default = SECOND, range = MILLISECOND..=HOUR)]
    pub heartbeat: Duration,
    /// Heartbeats that a neighbor may miss before it is lost. They are in a row, 1 to 100. Default
    /// 3: with a loss of 5 % one of 8,000 heartbeats is the last of three that were lost.
    #[parameter(default = 3, range = 1..=100)]
    pub misses: u32,
    /// Time between two exchanges of peers with some neighbor. Default 1 s, as the heartbeat: the
    /// cost of one more neighbor.
    #[parameter(default = SECOND, range = MILLISECOND..=HOUR)]
    pub exchange: Duration,
    /// First neighbors: `grown`, found by bootstrap, or `ring`, laid out by the seed. Default
    /// `"grown"`.
    pub layout: LayoutConfig,
}

/// How a peer comes to its first neighbors.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayoutConfig {
    /// It finds them, through [`Bootstrap`](crate::Bootstrap).
    #[default]
    Grown,
    /// At its start it has the links that it would have in a long-lived overlay of all seats: the
    /// nearest on the ring, and random links by the scenario's seed. No peer could know them; this
    /// is for workloads that begin with a complete overlay, the same in every world. From then on
    /// it maintains neighbors as usual. Its choices are from a random stream of its own, so that
    /// the messages that it handles do not change its siblings' choices.
    Ring,
}

impl NeighborsConfig {
    /// How long a peer may be silent.
    pub(super) fn silence_max(&self) -> Duration {
        self.heartbeat * u64::from(self.misses)
    }

    /// How many random links a peer takes at most.
    pub(super) fn accepted_max(&self) -> usize {
        2 * self.random as usize
    }
}
