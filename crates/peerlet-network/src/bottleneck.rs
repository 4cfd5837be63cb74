//! A bottleneck link: a line that takes one byte after the other, and the queue before it.

use peerlet_core::{Duration, Time};

use crate::units::{Rate, Size};

/// The longest packet of a real network, in bytes: that of Ethernet. A longer one stands for a
/// train of packets that the sender's transport lets go as the queue takes them.
const PACKET_MAX: u64 = 1_500;

/// A line and its queue.
///
/// A packet that finds the line busy is dropped when it does not fit into the queue. A train
/// (a reliable message, or a piece of one) has congestion control: it fills three quarters of the
/// queue at most, and the rest of it waits at the sender, behind trains that came before. Cubic
/// over QUIC keeps a queue as full as that on average. So a packet that comes behind a train waits
/// for three quarters of a queue, and a train gets through a queue of any size.
#[derive(Default)]
pub(crate) struct Bottleneck {
    /// Until when the packets in the queue take the line.
    busy: Time,
    /// For how long those of trains take it that are not in the queue yet.
    outside: Duration,
}

/// How fast a line is, and how long its queue.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// How long a byte takes, in nanoseconds times 2^16.
    byte: u64,
    /// How long a full queue takes.
    queue: Duration,
}

impl Pace {
    pub(crate) fn new(rate: Rate, queue: Size) -> Pace {
        let byte = (8_000_000_000_u128 << 16) / u128::from(rate.as_bits());
        let mut pace =
            Pace { byte: u64::try_from(byte).unwrap_or(u64::MAX), queue: Duration::ZERO };
        pace.queue = pace.time(queue.as_bytes());
        pace
    }

    /// How long this many bytes take.
    #[inline]
    fn time(self, bytes: u64) -> Duration {
        let nanos = (u128::from(self.byte) * u128::from(bytes) + (1 << 15)) >> 16;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Bottleneck {
    /// Puts this many bytes on the line. How long until all of them are through; `None` when the
    /// queue is too full for them.
    #[inline]
    pub(crate) fn pass(&mut self, bytes: u64, pace: Pace, now: Time) -> Option<Duration> {
        let own = pace.time(bytes);
        if bytes > PACKET_MAX || self.outside > Duration::ZERO {
            return self.pass_train(bytes, own, pace, now);
        }
        let waiting = self.busy.since(now);
        if waiting > Duration::ZERO && waiting + own > pace.queue {
            return None;
        }
        self.busy = now + waiting + own;
        Some(waiting + own)
    }

    /// The same for a train, or behind one.
    fn pass_train(&mut self, bytes: u64, own: Duration, pace: Pace, now: Time) -> Option<Duration> {
        self.refill(pace, now);
        let waiting = self.busy.since(now);
        let first = pace.time(bytes.min(PACKET_MAX));
        if waiting > Duration::ZERO && waiting + first > pace.queue {
            return None;
        }
        if bytes <= PACKET_MAX {
            self.busy = now + waiting + own;
            return Some(waiting + own);
        }
        let through = waiting + self.outside + own;
        self.busy = now + waiting;
        self.outside = self.outside + own;
        self.refill(pace, now);
        Some(through)
    }

    /// Lets into the queue what waits outside, as far as trains fill it. While something waits, the
    /// line has not been idle.
    fn refill(&mut self, pace: Pace, now: Time) {
        let level = now + (pace.queue - pace.queue / 4);
        let enters = level.since(self.busy).min(self.outside);
        self.busy += enters;
        self.outside = self.outside - enters;
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{MILLISECOND, SECOND};

    use super::*;

    const MS: u64 = 1_000;

    /// A microsecond a byte, and a queue of 12 ms.
    fn pace() -> Pace {
        Pace::new(Rate::bits(8_000_000), Size::bytes(12 * MS))
    }

    fn ms(milliseconds: u64) -> Time {
        Time::ZERO + MILLISECOND * milliseconds
    }

    #[test]
    fn a_train_takes_its_time_and_no_queue_is_too_small_for_it() {
        let mut line = Bottleneck::default();
        assert_eq!(line.pass(MS, pace(), ms(0)), Some(MILLISECOND));
        // The line is busy, and the train is a hundred times as long as the queue.
        assert_eq!(line.pass(1_000 * MS, pace(), ms(0)), Some(SECOND + MILLISECOND));
        // The next one is behind it, and nothing is between them.
        assert_eq!(line.pass(500 * MS, pace(), ms(700)), Some(MILLISECOND * 801));
        assert_eq!(line.pass(MS, pace(), ms(1_600)), Some(MILLISECOND));
    }

    #[test]
    fn a_packet_behind_a_train_waits_for_three_quarters_of_a_queue() {
        let mut line = Bottleneck::default();
        assert_eq!(line.pass(100 * MS, pace(), ms(0)), Some(MILLISECOND * 100));
        assert_eq!(line.pass(MS, pace(), ms(0)), Some(MILLISECOND * 10));
        assert_eq!(line.pass(MS, pace(), ms(50)), Some(MILLISECOND * 10));
        // Where it ends, its last bytes are all that is before them: 100 ms and two packets.
        assert_eq!(line.pass(MS, pace(), ms(99)), Some(MILLISECOND * 4));
        assert_eq!(line.pass(MS, pace(), ms(200)), Some(MILLISECOND));
    }

    #[test]
    fn packets_that_fill_the_queue_are_dropped_behind_a_train_too() {
        let mut line = Bottleneck::default();
        line.pass(100 * MS, pace(), ms(0));
        let passed = (0..10).filter(|_| line.pass(MS, pace(), ms(0)).is_some()).count();
        assert_eq!(passed, 3);
        // Nor is there room for the first packet of a train.
        assert_eq!(line.pass(2 * MS, pace(), ms(0)), None);
    }

    /// The line is never idle while something waits, and never carries more than its rate.
    #[test]
    fn no_time_of_the_line_is_lost() {
        let mut rng = peerlet_core::Seed::new(7).rng();
        let (mut line, mut now, mut carried, mut busy) = (Bottleneck::default(), 0, 0, 0);
        for _ in 0..10_000 {
            now += rng.below(20_000) * 1_000;
            let bytes =
                if rng.below(4) == 0 { 1_501 + rng.below(40_000) } else { rng.below(1_500) };
            let at = Time::from_nanos(now);
            if line.pass(bytes, pace(), at).is_some() {
                carried += bytes * 1_000;
                // A line with a queue that takes all.
                busy = u64::max(busy, now) + bytes * 1_000;
                let left = line.busy.since(at) + line.outside;
                assert_eq!(left.as_nanos(), busy - now);
            }
        }
        assert!(carried > 10_000_000_000, "{carried}");
    }

    #[test]
    fn the_slowest_and_the_fastest_rates_do_not_overflow() {
        for (rate, bytes) in [(1, u64::MAX), (1, 1_500), (1_000_000_000_000, 1_500)] {
            let pace = Pace::new(Rate::bits(rate), Size::bytes(1 << 40));
            let wait = Bottleneck::default().pass(bytes, pace, Time::ZERO).unwrap();
            let exact = 8e9 * bytes as f64 / rate as f64;
            assert!(wait == Duration::MAX || (wait.as_nanos() as f64 / exact - 1.0).abs() < 0.01);
        }
    }
}
