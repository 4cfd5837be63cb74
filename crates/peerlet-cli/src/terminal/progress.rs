//! The progress of a run, in words.

use std::collections::VecDeque;
use std::time::Duration;

use peerlet_core::Time;
use peerlet_report::grouped;

/// Rates are taken over so long.
const RECENT: Duration = Duration::from_secs(5);
/// Virtual time that stands for so long is worth a word.
const STALL: Duration = Duration::from_secs(5);
/// Without an event for so long, no event is about to come.
const QUIET: Duration = Duration::from_secs(2);

/// A look at a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// How long it had been running, in real time.
    pub(crate) after: Duration,
    /// The virtual time it had come to.
    pub(crate) now: Time,
    /// The events it had handled.
    pub(crate) events: u64,
}

const START: Sample = Sample { after: Duration::ZERO, now: Time::ZERO, events: 0 };

/// The progress of a run, from samples taken while it runs.
pub(crate) struct Progress {
    /// The name of the run, if it is one of several.
    name: Option<String>,
    end: Time,
    /// The recent looks, the oldest first; there is always one.
    samples: VecDeque<Sample>,
    /// The first look at the present virtual time.
    advanced: Sample,
    /// Whether this stall had its word.
    told: bool,
}

impl Progress {
    /// The progress of a run that is to end there and begins now.
    pub(crate) fn new(name: Option<String>, end: Time) -> Progress {
        Progress { name, end, samples: VecDeque::from([START]), advanced: START, told: false }
    }

    /// Takes in another look. Says once a stall that virtual time stands still, and what that
    /// means.
    pub(crate) fn look(&mut self, sample: Sample) -> Option<String> {
        self.samples.push_back(sample);
        while self.samples.get(1).is_some_and(|second| second.after + RECENT <= sample.after) {
            self.samples.pop_front();
        }
        if sample.now != self.advanced.now {
            self.advanced = sample;
            self.told = false;
        }
        let stands = sample.after - self.advanced.after;
        if self.told || stands < STALL || sample.now >= self.end {
            return None;
        }
        self.told = true;
        let word = format!("virtual time stands at {} for {} s", sample.now, stands.as_secs());
        let before = self.samples.iter().rev().find(|s| s.after + QUIET <= sample.after);
        Some(match before.is_some_and(|before| before.events < sample.events) {
            true => {
                let events = grouped(sample.events - self.advanced.events);
                format!("{word}; {events} events handled there so far")
            }
            false => {
                format!("{word}, and events for {} s: a handler is slow or stuck", QUIET.as_secs())
            }
        })
    }

    /// The last look at its run, and the rates of events and of virtual time, a second, since the
    /// oldest of the recent ones.
    fn rates(&self) -> (Sample, f64, f64) {
        let (first, last) = (self.samples[0], self.samples[self.samples.len() - 1]);
        let seconds = (last.after - first.after).as_secs_f64();
        let rate = |change: f64| if seconds > 0.0 { change / seconds } else { 0.0 };
        let advanced = (last.now - first.now).as_secs_f64();
        (last, rate((last.events - first.events) as f64), rate(advanced))
    }

    /// How much of the run is done, in percent.
    fn percent(&self, now: Time) -> String {
        let nanos = (now.as_nanos(), self.end.as_nanos());
        let per_mille = u128::from(nanos.0) * 1000 / u128::from(nanos.1.max(1));
        format!("{}.{} %", per_mille / 10, per_mille % 10)
    }
}

/// The line for the last look at each of these runs: virtual time, events per second, time to go,
/// memory.
pub(crate) fn line(runs: &[&Progress], rss_bytes: Option<u64>) -> String {
    let mut parts = Vec::new();
    let (mut events, mut left) = (0.0, Some(0.0_f64));
    for run in runs {
        let (last, rate, advance) = run.rates();
        events += rate;
        let to_go = run.end.as_nanos().saturating_sub(last.now.as_nanos()) as f64 / 1e9;
        left = left.filter(|_| advance > 0.0).map(|left| left.max(to_go / advance));
        let name = run.name.iter().map(|name| format!("{name}: ")).collect::<String>();
        let percent = run.percent(last.now);
        parts.push(match runs {
            [_] => format!("{name}{:.1}s of {} ({percent})", last.now.as_secs_f64(), run.end),
            _ => format!("{name}{percent}"),
        });
    }
    if runs.iter().any(|run| run.samples.len() > 1) {
        parts.push(format!("{} events/s", grouped(events as u64)));
    }
    if let Some(left) = left {
        parts.push(format!("{} to go", rough(left.ceil() as u64)));
    }
    if let Some(bytes) = rss_bytes {
        parts.push(format!("{} MiB", grouped(bytes >> 20)));
    }
    parts.join(", ")
}

/// A time of this many seconds, in its two largest units.
fn rough(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{}d{:02}h", grouped(days), hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use peerlet_core::{MILLISECOND, SECOND};

    /// A look after this many real milliseconds, at a virtual time in milliseconds.
    fn sample(after: u64, now: u64, events: u64) -> Sample {
        let now = Time::ZERO + MILLISECOND * now;
        Sample { after: Duration::from_millis(after), now, events }
    }

    /// Checks what is shown of a run of three virtual minutes after these looks.
    fn check(name: Option<&str>, samples: &[(u64, u64, u64)], rss: Option<u64>, shown: Expect) {
        let end = Time::ZERO + SECOND * 180;
        let mut progress = Progress::new(name.map(str::to_owned), end);
        let mut lines = String::new();
        for (after, now, events) in samples {
            if let Some(word) = progress.look(sample(*after, *now, *events)) {
                lines += &format!("{word}\n");
            }
        }
        lines += &line(&[&progress], rss);
        shown.assert_eq(&lines);
    }

    #[test]
    fn a_line_says_how_far_how_fast_how_long_and_how_big() {
        let shown = expect!["12.3s of 180s (6.8 %), 1,639,783 events/s, 14s to go, 23 MiB"];
        check(None, &[(1_000, 12_340, 1_639_783)], Some(25_000_000), shown);
        let shown = expect!["seed 3: 0.0s of 180s (0.0 %), 250 events/s, 1h40m to go"];
        check(Some("seed 3"), &[(200, 6, 50)], None, shown);
        check(None, &[], None, expect!["0.0s of 180s (0.0 %)"]);
        let shown = expect!["180.0s of 180s (100.0 %), 10 events/s, 0s to go"];
        check(None, &[(1_000, 180_000, 10)], None, shown);
    }

    #[test]
    fn rates_are_of_the_last_seconds() {
        // A slow start, then a hundred times as fast.
        let samples = [(10_000, 1_000, 100), (12_000, 3_000, 2_100), (15_000, 6_000, 5_100)];
        check(None, &samples, None, expect!["6.0s of 180s (3.3 %), 1,000 events/s, 2m54s to go"]);
    }

    #[test]
    fn a_stall_with_events_is_told_from_one_without() {
        let busy: Vec<_> = (1..60).map(|i| (i * 200, 3_200, i * 1_000)).collect();
        check(
            None,
            &busy,
            None,
            expect![[r#"
            virtual time stands at 3.2s for 5 s; 25,000 events handled there so far
            3.2s of 180s (1.7 %), 5,000 events/s"#]],
        );
        let stuck: Vec<_> = (1..60).map(|i| (i * 200, 3_200, 1_000)).collect();
        check(
            None,
            &stuck,
            None,
            expect![[r#"
            virtual time stands at 3.2s for 5 s, and events for 2 s: a handler is slow or stuck
            3.2s of 180s (1.7 %), 0 events/s"#]],
        );
        // Events went on for a while after virtual time stood, and then no more.
        let late: Vec<_> = (1..60).map(|i| (i * 200, 3_200, i.min(15) * 1_000)).collect();
        check(
            None,
            &late,
            None,
            expect![[r#"
            virtual time stands at 3.2s for 5 s, and events for 2 s: a handler is slow or stuck
            3.2s of 180s (1.7 %), 0 events/s"#]],
        );
    }

    #[test]
    fn each_stall_has_its_word_and_the_end_has_none() {
        let times = |from: u64, now: u64| (0..40).map(move |i| (from + i * 200, now, from + i));
        let twice: Vec<_> = times(200, 1_000).chain(times(8_200, 2_000)).collect();
        check(
            None,
            &twice,
            None,
            expect![[r#"
            virtual time stands at 1s for 5 s; 25 events handled there so far
            virtual time stands at 2s for 5 s; 25 events handled there so far
            2.0s of 180s (1.1 %), 5 events/s"#]],
        );
        let over: Vec<_> = times(200, 180_000).collect();
        check(None, &over, None, expect!["180.0s of 180s (100.0 %), 5 events/s"]);
    }

    #[test]
    fn long_times_are_rough() {
        for (seconds, text) in
            [(0, "0s"), (59, "59s"), (102, "1m42s"), (7_500, "2h05m"), (90_000, "1d01h")]
        {
            assert_eq!(rough(seconds), text);
        }
    }
}
