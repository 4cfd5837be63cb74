//! The parameters of `Lookups`.

use peerlet_core::{Duration, HOUR, MILLISECOND, SECOND};
use serde::{Deserialize, Serialize};

use super::rate::Rate;
use crate::configured::{ConfigError, check_range};

/// The parameters of [`Lookups`](crate::Lookups).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LookupsConfig {
    /// How often each peer looks up a key, on average, at random times. Default 1/s, one for each
    /// heartbeat to a neighbor; 0/s only answers.
    pub rate: Rate,
    /// How long after its start a peer begins to look up keys. Default 10 s: by then it has joined.
    pub warmup: Duration,
    /// How long to wait for an answer. Default 5 s: some thirty round trips of the King data set.
    pub timeout: Duration,
}

pub(super) const PARAMETERS: &[(&str, &str)] = &[
    ("rate", "lookups that each peer makes on average, per s, m or h"),
    ("warmup", "time from a peer's start to its first lookup"),
    ("timeout", "time after which a lookup has failed"),
];

impl Default for LookupsConfig {
    fn default() -> LookupsConfig {
        let rate = Rate::per_second(1.0).expect("once a second is a rate");
        LookupsConfig { rate, warmup: SECOND * 10, timeout: SECOND * 5 }
    }
}

impl LookupsConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        check_range("warmup", self.warmup, Duration::ZERO..=HOUR * 24)?;
        check_range("timeout", self.timeout, MILLISECOND..=HOUR)
    }
}
