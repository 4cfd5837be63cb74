//! The parameters of `Bootstrap`.

use peerlet_core::{Address, DATAGRAM_MAX, Duration, HOUR, MILLISECOND, SECOND};
use peerlet_macros::OverlayParameters as Parameters;

/// The largest sample that fits a datagram, behind a byte each for the message's kind and length.
pub(super) const SAMPLE_MAX: usize = (DATAGRAM_MAX - 2) / Address::ENCODED_LEN;

/// The most peers a server may be told to keep: 2^20, some 100 MB.
const KNOWN_MAX: u32 = 1 << 20;

/// The parameters of [`Bootstrap`](crate::Bootstrap).
#[derive(Clone, PartialEq, Debug, Parameters)]
pub struct BootstrapConfig {
    /// The seat that everybody announces itself to. Default 0, whose process live ones join, too.
    pub server: u32,
    /// Peers that an answer holds at most. 1 to 52; default 10: more than the random links that a
    /// peer wants, so that a few may be dead or full.
    #[parameter(default = 10, range = 1..=SAMPLE_MAX as u32)]
    pub sample: u32,
    /// Time until the first retry, doubled with every silence. Default 500 ms, three times the
    /// median round trip of the King data set (159 ms).
    #[parameter(default = MILLISECOND * 500, range = MILLISECOND..=HOUR)]
    pub retry: Duration,
    /// Longest time between retries. Default 8 s: a server that comes back is found within 10 s,
    /// jitter included.
    #[parameter(default = SECOND * 8, range = self.retry..=HOUR)]
    pub retry_max: Duration,
    /// Time between announcements of a peer that was answered. Default 30 s: 10,000 peers are then
    /// 333 announcements a second.
    #[parameter(default = SECOND * 30, range = self.retry_max..=HOUR)]
    pub refresh: Duration,
    /// Time after which the server forgets a silent peer. Default 90 s: two announcements in a row
    /// may be lost.
    #[parameter(default = SECOND * 90, range = self.refresh..=HOUR * 24)]
    pub forget: Duration,
    /// Peers that the server keeps at most. Beyond, a new one takes the place of any. Default
    /// 65,536, some 5 MB: a sample of those serves larger networks as well.
    #[parameter(default = 65_536, range = self.sample..=KNOWN_MAX)]
    pub known_max: u32,
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::Parameters as _;

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
