//! How late packets are.

use std::fmt;

use peerlet_core::{Duration, MICROSECOND, MILLISECOND};
use peerlet_measure::Histogram;

/// An emulation whose 99th percentile of lateness is beyond this is void: what was measured is the
/// machine's haste, not the network's.
pub const LATENESS_MAX: Duration = Duration::from_nanos(500 * MICROSECOND.as_nanos());

/// An emulation in which a packet, the driver, a peer or a handler was later than this once is
/// void as well, its warm-up included, unless another value is given
/// ([`LiveSetup::late_max`](crate::LiveSetup::late_max)).
pub const LATE_MAX: Duration = Duration::from_nanos(100 * MILLISECOND.as_nanos());

/// How much later than due things happened: packets were handed over or read, shards woke up.
#[derive(Clone, Default)]
pub struct Lateness {
    nanos: Histogram,
    max: Duration,
}

impl Lateness {
    /// Notes something that was this late.
    pub(crate) fn note(&mut self, late: Duration) {
        self.nanos.record(late.as_nanos().min(i64::MAX as u64) as i64);
        self.max = self.max.max(late);
    }

    /// Takes in another's notes.
    pub(crate) fn merge(&mut self, other: &Lateness) {
        self.nanos.merge(&other.nanos);
        self.max = self.max.max(other.max);
    }

    /// The `q`-quantile, to 1/256 of it; `None` when there was nothing.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        // A bucket's value may lie above the largest that is in it.
        let value = |nanos: i64| Duration::from_nanos(nanos.unsigned_abs()).min(self.max);
        self.nanos.quantile(q).map(value)
    }

    /// The largest.
    pub fn max(&self) -> Duration {
        self.max
    }

    /// How many were noted.
    pub fn count(&self) -> u64 {
        self.nanos.count()
    }
}

impl fmt::Debug for Lateness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lateness({self})")
    }
}

impl fmt::Display for Lateness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((half, most)) = self.quantile(0.5).zip(self.quantile(0.99)) else {
            return f.write_str("no packets");
        };
        let micros = |time: Duration| time.as_nanos() as f64 / 1e3;
        let (half, most, max) = (micros(half), micros(most), micros(self.max));
        write!(f, "p50 {half:.0} us, p99 {most:.0} us, max {max:.0} us")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_told_in_microseconds() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.to_string(), "no packets");
        assert_eq!(lateness.quantile(0.99), None);
        (1..=100).for_each(|micros| lateness.note(Duration::from_micros(micros)));
        assert_eq!(lateness.to_string(), "p50 50 us, p99 99 us, max 100 us");
        assert_eq!(lateness.count(), 100);
    }
}
