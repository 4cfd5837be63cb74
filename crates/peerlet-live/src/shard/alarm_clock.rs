//! The alarm clock that wakes a shard on time: the runtime's own timers are up to two milliseconds
//! late.

use std::time::Instant;

#[cfg(target_os = "linux")]
use kernel::Clock;

/// Wakes its shard at one instant at a time.
pub(crate) struct AlarmClock {
    /// The operating system's, if it has one to give.
    #[cfg(target_os = "linux")]
    clock: Option<Clock>,
}

impl AlarmClock {
    /// A clock that is not set; must be made within a tokio runtime.
    pub(crate) fn new() -> AlarmClock {
        AlarmClock {
            #[cfg(target_os = "linux")]
            clock: Clock::new().ok(),
        }
    }

    /// Waits until then. Nothing is lost when that is dropped before.
    pub(crate) async fn wait_until(&mut self, at: Instant) {
        #[cfg(target_os = "linux")]
        if let Some(clock) = &mut self.clock
            && clock.wait_until(at).await.is_ok()
        {
            return;
        }
        tokio::time::sleep_until(at.into()).await;
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::io;
    use std::time::{Duration, Instant};

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::net::unix::pipe::Receiver;

    /// A timer of the kernel's, which rings within some microseconds.
    pub(super) struct Clock {
        /// A timer is read like a pipe: it has something when it has rung.
        timer: Receiver,
        /// The instant that it is set to.
        rings: Option<Instant>,
    }

    impl Clock {
        pub(super) fn new() -> io::Result<Clock> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            let timer = Receiver::from_owned_fd_unchecked(timer)?;
            Ok(Clock { timer, rings: None })
        }

        pub(super) async fn wait_until(&mut self, at: Instant) -> io::Result<()> {
            let wait = at.saturating_duration_since(Instant::now());
            if wait == Duration::ZERO {
                return Ok(());
            }
            if self.rings != Some(at) {
                self.set(wait)?;
                self.rings = Some(at);
            }
            loop {
                self.timer.readable().await?;
                match self.timer.try_read(&mut [0; 8]) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    rung => {
                        self.rings = None;
                        return rung.map(drop);
                    }
                }
            }
        }

        fn set(&mut self, wait: Duration) -> io::Result<()> {
            let once = Timespec { tv_sec: 0, tv_nsec: 0 };
            let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
            let value = Timespec { tv_sec: seconds, tv_nsec: wait.subsec_nanos().into() };
            let set = Itimerspec { it_interval: once, it_value: value };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &set)?;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;
    use std::time::Duration;

    use super::*;

    /// Polls once and gives up.
    async fn begin(alarm: &mut AlarmClock, at: Instant) -> bool {
        let mut waits = std::pin::pin!(alarm.wait_until(at));
        std::future::poll_fn(|cx| Poll::Ready(waits.as_mut().poll(cx).is_ready())).await
    }

    /// It may be late on a busy machine, but never early, and never silent.
    #[tokio::test]
    async fn it_rings_at_what_it_was_set_to_last() {
        let mut alarm = AlarmClock::new();
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        for millis in [0, 3, 6, 9] {
            alarm.wait_until(at(millis)).await;
            assert!(Instant::now() >= at(millis), "{millis}");
        }
        // Set, and set anew before it rings, to a later and to an earlier time.
        for (first, then) in [(40, 60), (900_000, 80)] {
            begin(&mut alarm, at(first)).await;
            alarm.wait_until(at(then)).await;
            let now = Instant::now();
            assert!(now >= at(then) && now < at(900_000), "{then}");
        }
        // One that rang while nobody listened.
        for _ in 0..2 {
            begin(&mut alarm, at(90)).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        alarm.wait_until(at(150)).await;
        assert!(Instant::now() >= at(150));
    }
}
