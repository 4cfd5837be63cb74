//! Lines about a wait for others: at once or after a moment, and then every few seconds.

use std::net::SocketAddr;

use peerlet_core::{Duration, SECOND};

use super::coordinator::ranges;

/// How long a wait is nobody's business.
const FIRST: Duration = Duration::from_nanos(2 * SECOND.as_nanos());
/// How often a long wait is mentioned.
const EVERY: Duration = Duration::from_nanos(5 * SECOND.as_nanos());
/// Processes that one line names.
const NAMED_MAX: usize = 4;

/// Says when a wait is to be told of.
#[derive(Default)]
pub(super) struct Reminder {
    next: Option<Duration>,
}

impl Reminder {
    /// Whether it is time to tell of a wait that began then; `at_once` where it is not going to be
    /// a short one.
    pub(super) fn is_due(&mut self, now: Duration, began: Duration, at_once: bool) -> bool {
        let next = self.next.unwrap_or(if at_once { began } else { began + FIRST });
        let is_due = now >= next;
        if is_due {
            self.next = Some(now + EVERY);
        }
        is_due
    }
}

/// A process that is waited for.
pub(super) struct Awaited {
    pub(super) seats: (u32, u32),
    pub(super) socket: SocketAddr,
    /// For how long nothing came from it.
    pub(super) silent: Duration,
}

impl Awaited {
    fn words(&self) -> String {
        let Awaited { seats, socket, silent } = self;
        format!("{} at {socket} (nothing heard from it for {})", ranges(&[*seats]), passed(*silent))
    }
}

/// Seat 0's process waits for the last reports of these processes, for at most this long.
pub(super) fn for_reports(awaited: &[Awaited], left: Duration) -> String {
    let mut words: Vec<_> = awaited.iter().take(NAMED_MAX).map(Awaited::words).collect();
    if awaited.len() > NAMED_MAX {
        words.push(format!("{} more", awaited.len() - NAMED_MAX));
    }
    let (of, s) = if awaited.len() == 1 { ("", "") } else { ("es", "s") };
    let (left, words) = (whole(left), words.join(", "));
    format!("waiting at most {left} for the last report{s} of the process{of} of {words}")
}

/// The whole seconds that have passed.
pub(super) fn passed(time: Duration) -> String {
    format!("{} s", time.as_nanos() / SECOND.as_nanos())
}

/// A whole number of seconds, rounded up.
pub(super) fn whole(time: Duration) -> String {
    format!("{} s", time.as_nanos().div_ceil(SECOND.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_of_at_once_or_after_a_moment_and_then_now_and_then() {
        let told = |at_once| {
            let mut reminder = Reminder::default();
            let is_due = |second: &u64| reminder.is_due(SECOND * *second, SECOND * 10, at_once);
            (10..24).filter(is_due).collect::<Vec<_>>()
        };
        assert_eq!(told(true), [10, 15, 20]);
        assert_eq!(told(false), [12, 17, 22]);
    }

    #[test]
    fn a_line_names_a_few_processes_with_their_silence_and_the_time_that_is_left() {
        let awaited = |first: u32| Awaited {
            seats: (first, first + 2),
            socket: SocketAddr::from(([127, 0, 0, 1], first as u16)),
            silent: SECOND * 4,
        };
        let one = for_reports(&[awaited(3)], SECOND * 26);
        let expected = "waiting at most 26 s for the last report of the process of seats 3 to 5 at \
                        127.0.0.1:3 (nothing heard from it for 4 s)";
        assert_eq!(one, expected);
        let many: Vec<_> = (0..10).map(|i| awaited(i * 3)).collect();
        let many = for_reports(&many, SECOND);
        assert!(many.starts_with("waiting at most 1 s for the last reports of the processes of "));
        assert!(many.ends_with(", 6 more"), "{many}");
    }
}
