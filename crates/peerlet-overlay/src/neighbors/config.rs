//! The parameters of `Neighbors`.

use peerlet_core::{Duration, HOUR, MILLISECOND, SECOND};
use serde::{Deserialize, Serialize};

use crate::configured::{ConfigError, check_range};

/// The most random links that may be asked for; a peer accepts twice as many.
const RANDOM_MAX: u32 = 16;
/// The most ring neighbors on each side that may be asked for: lists of them must fit a datagram.
const SIDE_MAX: u32 = 8;

/// The parameters of [`Neighbors`](crate::Neighbors).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NeighborsConfig {
    /// How many random links a peer seeks, 0 to 16; it accepts up to twice as many. Default 5: when
    /// a third of all peers leave at once, one peer in 240 loses all five.
    pub random: u32,
    /// How many ring neighbors a peer keeps on each side, 1 to 8. Default 2: the ring stays intact
    /// unless two adjacent peers are lost within the detection time.
    pub ring: u32,
    /// How often each neighbor is told that this peer lives. Default 1 s, as is usual: it bounds
    /// the traffic to one message per second and neighbor.
    pub heartbeat: Duration,
    /// How many heartbeats in a row a neighbor may miss, 1 to 100. Default 3: with a loss of 5 %,
    /// one heartbeat in 8,000 is the last of three that were lost.
    pub misses: u32,
    /// How often lists of peers are exchanged with one neighbor. Default 1 s, like the heartbeat:
    /// the cost of one more neighbor.
    pub exchange: Duration,
    /// How a peer comes to its first neighbors. Default `"grown"`.
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

pub(super) const PARAMETERS: &[(&str, &str)] = &[
    ("random", "random links that a peer seeks; it accepts twice as many"),
    ("ring", "ring neighbors on each side"),
    ("heartbeat", "time between two heartbeats to a neighbor"),
    ("misses", "heartbeats that a neighbor may miss before it is lost"),
    ("exchange", "time between two exchanges of peers with some neighbor"),
    ("layout", "first neighbors: `grown`, found by bootstrap, or `ring`, laid out by the seed"),
];

impl Default for NeighborsConfig {
    fn default() -> NeighborsConfig {
        NeighborsConfig {
            random: 5,
            ring: 2,
            heartbeat: SECOND,
            misses: 3,
            exchange: SECOND,
            layout: LayoutConfig::Grown,
        }
    }
}

impl NeighborsConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        check_range("random", self.random, 0..=RANDOM_MAX)?;
        check_range("ring", self.ring, 1..=SIDE_MAX)?;
        check_range("heartbeat", self.heartbeat, MILLISECOND..=HOUR)?;
        check_range("misses", self.misses, 1..=100)?;
        check_range("exchange", self.exchange, MILLISECOND..=HOUR)
    }

    /// How long a peer may be silent.
    pub(super) fn silence_max(&self) -> Duration {
        self.heartbeat * u64::from(self.misses)
    }

    /// How many random links a peer takes at most.
    pub(super) fn accepted_max(&self) -> usize {
        2 * self.random as usize
    }
}
