//! The swing of peers' coming with the time of day.

use std::f64::consts::TAU;

use peerlet_core::Duration;

use crate::raw::Part;
use crate::reader::Reader;

/// How peers' coming swings: the rate at which absent peers come back is
/// `1 + amplitude * cos(2 pi (t - peak) / period)` times the usual one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Swing {
    /// The time from peak to peak; 24 h unless given.
    pub period: Duration,
    /// How far the rate goes up and down, from 0 to 1.
    pub amplitude: f64,
    /// The time of the run at which most peers come; the start unless given.
    pub peak: Duration,
}

impl Swing {
    /// How long an absence lasts that begins at this time of the run and would last so long at the
    /// usual rate.
    pub(super) fn stretched(&self, at: Duration, absence: Duration) -> Duration {
        let nanos = |duration: Duration| duration.as_nanos() as f64;
        let (at, absence, period) = (nanos(at), nanos(absence), nanos(self.period));
        let extra = self.amplitude * period / TAU;
        let angle =
            |time: f64| libm::sin(TAU * libm::fmod(time - nanos(self.peak), period) / period);
        // What the rate adds up to from `at` on.
        let usual = |length: f64| length + extra * (angle(at + length) - angle(at));
        let (mut from, mut to) = ((absence - 2.0 * extra).max(0.0), absence + 2.0 * extra);
        // 2^-64 of a span is below a nanosecond for any that fits.
        for _ in 0..64 {
            let middle = f64::midpoint(from, to);
            if usual(middle) < absence { from = middle } else { to = middle }
        }
        Duration::from_nanos((to as u64).max(1))
    }

    pub(super) fn read(part: &Part, reader: &mut Reader) -> Option<Swing> {
        let mut fields = reader.table(part, "`swing`")?;
        let [period, amplitude, peak] =
            ["period", "amplitude", "peak"].map(|name| fields.take(name));
        fields.finish(reader, &[]);
        let period = period.map(|part| reader.period(&part));
        let peak = peak.map(|part| reader.duration(&part));
        let Some(amplitude) = amplitude else {
            reader.missing(&part.raw.span, "amplitude", "`swing`", "amplitude = 0.5");
            return None;
        };
        let height = reader.number(&amplitude)?;
        if !(0.0..=1.0).contains(&height) {
            let message = format!("`amplitude` is {height}, which is out of range");
            reader.refuse(&amplitude.raw.span, message, "give a number from 0 to 1");
            return None;
        }
        Some(Swing {
            period: period.unwrap_or(Some(Duration::from_secs(24 * 3600)))?,
            amplitude: height,
            peak: peak.unwrap_or(Some(Duration::ZERO))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{SECOND, Seed};

    use crate::churn::SessionDistribution;

    use super::*;

    #[test]
    fn most_come_at_the_peak_and_as_many_as_without() {
        let swing = Swing { period: SECOND * 1_000, amplitude: 0.8, peak: SECOND * 300 };
        let absence = SessionDistribution::Exponential { mean: SECOND * 40 };
        let mut rng = Seed::new(3).rng();
        let mut hours = [0; 10];
        let (mut at, end) = (Duration::ZERO, SECOND * 1_000_000);
        while at < end {
            at = at + swing.stretched(at, absence.sample(&mut rng));
            hours[(at.as_nanos() / SECOND.as_nanos() % 1_000 / 100) as usize] += 1;
        }
        let all: i32 = hours.iter().sum();
        assert!(all.abs_diff(25_000) < 600, "{hours:?}");
        // A tenth of a period around the peak has 1 + 0.8 * 0.984 of the usual share.
        for (from, share) in [(2, 1.0 + 0.8 * 0.93), (7, 1.0 - 0.8 * 0.93)] {
            let found = f64::from(hours[from]) / 2_500.0;
            assert!((found - share).abs() < 0.12, "{from}: {found} {hours:?}");
        }
    }

    #[test]
    fn without_amplitude_nothing_changes() {
        let swing = Swing { period: SECOND * 10, amplitude: 0.0, peak: SECOND };
        for nanos in [1, 1_000, 7_000_000_000, 86_400_000_000_000] {
            let absence = Duration::from_nanos(nanos);
            let stretched = swing.stretched(SECOND * 3, absence).as_nanos();
            assert!(stretched.abs_diff(nanos) <= 1, "{nanos} {stretched}");
        }
    }
}
