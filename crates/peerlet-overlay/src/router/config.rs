//! The parameters of `Router`.

use peerlet_core::{Duration, HOUR, MILLISECOND};
use peerlet_macros::OverlayParameters as Parameters;

/// The parameters of [`Router`](crate::Router).
#[derive(Clone, PartialEq, Debug, Parameters)]
pub struct RouterConfig {
    /// Hops that an envelope makes at most. 1 to 10,000; default 64, as IP's: four times the hops
    /// measured among 1,000 peers (14). Hops grow with the square root of the number of peers:
    /// beyond 2,000 ask for more neighbors (random = 16, ring = 8: 7 hops among 10,000).
    #[parameter(default = 64, range = 1..=10_000)]
    pub ttl: u32,
    /// Time that a hop's acknowledgement is waited for. Default 500 ms, three times the median
    /// round trip of the King data set (159 ms).
    #[parameter(default = MILLISECOND * 500, range = MILLISECOND..=HOUR)]
    pub ack: Duration,
    /// Times that a peer passes an envelope on until somebody acknowledges it. 1 to 10; then it
    /// takes itself for the nearest that lives. Default 5: with a loss of 20 % each way, one hop of
    /// 160 is given up falsely.
    #[parameter(default = 5, range = 1..=10)]
    pub tries: u32,
}
