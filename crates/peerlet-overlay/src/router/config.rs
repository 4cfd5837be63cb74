//! The parameters of `Router`.

use peerlet_core::{Duration, HOUR, MILLISECOND};
use serde::{Deserialize, Serialize};

use crate::configured::{ConfigError, check_range};

/// The parameters of [`Router`](crate::Router).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouterConfig {
    /// How many hops an envelope makes at most, 1 to 10,000. Default 64, like IP's: four times the
    /// hops measured among 1,000 peers (14). Hops grow with the square root of the number of peers:
    /// beyond 2,000 ask for more neighbors (random = 16, ring = 8: 7 hops among 10,000).
    pub ttl: u32,
    /// How long to wait for a hop's acknowledgement. Default 500 ms, three times the median round
    /// trip of the King data set (159 ms).
    pub ack: Duration,
    /// How many times a peer passes an envelope on before it considers itself the nearest living
    /// peer, 1 to 10. Default 5: with a loss of 20 % each way, one hop in 160 is given up falsely.
    pub tries: u32,
}

pub(super) const PARAMETERS: &[(&str, &str)] = &[
    ("ttl", "hops that an envelope makes at most"),
    ("ack", "time that a hop's acknowledgement is waited for"),
    ("tries", "times that a peer passes an envelope on until somebody acknowledges it"),
];

impl Default for RouterConfig {
    fn default() -> RouterConfig {
        RouterConfig { ttl: 64, ack: MILLISECOND * 500, tries: 5 }
    }
}

impl RouterConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        check_range("ttl", self.ttl, 1..=10_000)?;
        check_range("ack", self.ack, MILLISECOND..=HOUR)?;
        check_range("tries", self.tries, 1..=10)
    }
}
