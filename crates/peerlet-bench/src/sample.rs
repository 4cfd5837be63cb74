//! What one run says of itself.

use std::time::Duration;

use peerlet_bench_yardstick::Ran;
use serde::{Deserialize, Serialize};

/// What came out of one run, in the process that made it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// Timers that were due and messages that were delivered.
    pub events: u64,
    /// How long it took to make the peers.
    pub set_up_seconds: f64,
    /// How long the run took, without the set-up.
    pub wall_seconds: f64,
    /// The most memory that the process had: VmHWM.
    pub peak_bytes: u64,
    /// Over all that happened, or all that came of it: whatever the engine has.
    pub hash: String,
    /// The mean hops of lookups, where there are any.
    #[serde(default)]
    pub hops: Option<f64>,
}

impl Sample {
    /// A sample of this process, as it stands.
    pub fn new(events: u64, set_up: Duration, wall: Duration, hash: u64) -> Sample {
        Sample {
            events,
            set_up_seconds: set_up.as_secs_f64(),
            wall_seconds: wall.as_secs_f64(),
            peak_bytes: peak_bytes(),
            hash: format!("{hash:016x}"),
            hops: None,
        }
    }

    /// Events in a second of real time.
    pub fn rate(&self) -> f64 {
        self.events as f64 / self.wall_seconds
    }
}

impl From<Ran> for Sample {
    fn from(ran: Ran) -> Sample {
        let hops = (ran.answers > 0).then(|| ran.hops as f64 / ran.answers as f64);
        Sample { hops, ..Sample::new(ran.events, ran.set_up, ran.wall, ran.hash) }
    }
}

/// The most memory that this process had so far; zero where the system does not say.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_grows_with_what_is_used() {
        let before = peak_bytes();
        let used = vec![1u8; 64 << 20];
        assert!(used.contains(&1));
        assert!(peak_bytes() >= before.max(64 << 20), "{before}, then {}", peak_bytes());
    }
}
