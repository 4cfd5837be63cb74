//! The parameters of `Bootstrap`.

use peerlet_core::{Address, DATAGRAM_MAX, Duration, HOUR, MILLISECOND, SECOND};
use serde::{Deserialize, Serialize};

use crate::configured::{ConfigError, check_range};

/// The largest sample that fits a datagram, behind a byte each for the message's kind and length.
pub(super) const SAMPLE_MAX: usize = (DATAGRAM_MAX - 2) / Address::ENCODED_LEN;

/// The most peers a server may be told to keep: 2^20, some 100 MB.
const KNOWN_MAX: u32 = 1 << 20;

/// The parameters of [`Bootstrap`](crate::Bootstrap).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BootstrapConfig {
    /// The server's seat. Default 0, whose process others join in a live run.
    pub server: u32,
    /// How many peers an answer holds at most, 1 to 52. Default 10: more than the random links that
    /// a peer wants, so that a few may be dead or full.
    pub sample: u32,
    /// How long to wait for the first answer; doubled each time none comes. Default 500 ms, three
    /// times the median round trip of the King data set (159 ms).
    pub retry: Duration,
    /// The longest wait for an answer. Default 8 s: a server that comes back is found within 10 s,
    /// jitter included.
    pub retry_max: Duration,
    /// How often a peer that was answered announces itself again. Default 30 s: 10,000 peers then
    /// make 333 announcements a second.
    pub refresh: Duration,
    /// How long the server keeps a peer that is silent. Default 90 s: two announcements in a row
    /// may be lost.
    pub forget: Duration,
    /// How many peers the server keeps at most; beyond that, a new one replaces any other. Default
    /// 65,536, some 5 MB: a sample of these serves larger networks as well.
    pub known_max: u32,
}

pub(super) const PARAMETERS: &[(&str, &str)] = &[
    ("server", "the seat that everybody announces itself to"),
    ("sample", "peers that an answer holds at most"),
    ("retry", "time until the first retry, doubled with every silence"),
    ("retry_max", "longest time between retries"),
    ("refresh", "time between announcements of a peer that was answered"),
    ("forget", "time after which the server forgets a silent peer"),
    ("known_max", "peers that the server keeps at most"),
];

impl Default for BootstrapConfig {
    fn default() -> BootstrapConfig {
        BootstrapConfig {
            server: 0,
            sample: 10,
            retry: MILLISECOND * 500,
            retry_max: SECOND * 8,
            refresh: SECOND * 30,
            forget: SECOND * 90,
            known_max: 65_536,
        }
    }
}

impl BootstrapConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        check_range("sample", self.sample, 1..=SAMPLE_MAX as u32)?;
        check_range("retry", self.retry, MILLISECOND..=HOUR)?;
        check_range("retry_max", self.retry_max, self.retry..=HOUR)?;
        check_range("refresh", self.refresh, self.retry_max..=HOUR)?;
        check_range("forget", self.forget, self.refresh..=HOUR * 24)?;
        check_range("known_max", self.known_max, self.sample..=KNOWN_MAX)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(json: &str, expected: Expect) {
        let config: BootstrapConfig = serde_json::from_str(json).unwrap();
        expected.assert_eq(&config.check().unwrap_err().to_string());
    }

    #[test]
    fn ranges_are_told() {
        check(r#"{ "sample": 53 }"#, expect!["`sample` is 53; give 1 to 52"]);
        check(r#"{ "retry": "0s" }"#, expect!["`retry` is 0s; give 1ms to 3600s"]);
        check(r#"{ "forget": "20s" }"#, expect!["`forget` is 20s; give 30s to 86400s"]);
        check(r#"{ "known_max": 3 }"#, expect!["`known_max` is 3; give 10 to 1048576"]);
    }
}
