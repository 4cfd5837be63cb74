//! A process that joins: it finds seat 0's process, learns when time is zero and who takes part.

use std::net::SocketAddr;

use peerlet_core::{Duration, MILLISECOND};

use crate::member::control::{Control, Process};
use crate::member::hub::{PROCESSES_MAX, beat};
use crate::member::report::Outbox;

/// Round trips of which the shortest says how the clocks differ.
const SAMPLES: usize = 8;
/// After this long a part of the map is asked for again.
const AGAIN: Duration = Duration::from_millis(250);
/// For this long a refusal is asked again: the process that had the seats may just have been
/// killed.
const REFUSED_FOR: Duration = Duration::from_secs(8);

/// Why a process cannot take part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum GuestError {
    /// Nobody answered in time.
    Unanswered,
    /// Seat 0's process said no.
    Refused(String),
}

/// The state of a process that joins; time is that of its own clock.
pub(crate) struct Guest {
    own: Process,
    asked: SocketAddr,
    start_within: Duration,
    began: Duration,
    spoke: Option<Duration>,
    welcomed: bool,
    refused: Option<(Duration, String)>,
    /// Round trips, with what is to be added to the own clock to get that of seat 0's process.
    samples: Vec<(Duration, i128)>,
    zero_there: Option<u64>,
    zero: Option<Duration>,
    version: u64,
    /// The map that is being read: its version, what is there, how many there are to be, when it
    /// was asked for last.
    reading: Option<(u64, Vec<Process>, u32, Duration)>,
    map: Vec<Process>,
    pub(crate) outbox: Outbox,
}

impl Guest {
    pub(crate) fn new(
        own: Process,
        asked: SocketAddr,
        start_within: Duration,
        now: Duration,
    ) -> Guest {
        Guest {
            own,
            asked,
            start_within,
            began: now,
            spoke: None,
            welcomed: false,
            refused: None,
            samples: Vec::new(),
            zero_there: None,
            zero: None,
            version: 0,
            reading: None,
            map: Vec::new(),
            outbox: Outbox::default(),
        }
    }

    /// Time zero by the own clock, once it is known; it may be long past.
    pub(crate) fn zero(&self) -> Option<Duration> {
        // A process that comes late has a zero before its own clock began: it starts at once.
        self.zero
    }

    /// How far time zero lies before the own clock's beginning, for a process that comes late.
    pub(crate) fn late_by(&self) -> Duration {
        let (Some(zero), Some((_, ahead))) = (self.zero_there, self.best()) else {
            return Duration::ZERO;
        };
        let before = ahead - i128::from(zero);
        Duration::from_nanos(u64::try_from(before).unwrap_or(0))
    }

    /// Half of the shortest round trip: how wrong the offset may be.
    pub(crate) fn offset_error(&self) -> Duration {
        self.best().map_or(Duration::ZERO, |(round_trip, _)| round_trip / 2)
    }

    /// All processes, once the map was read; and its version.
    pub(crate) fn map(&self) -> (u64, &[Process]) {
        (self.version, &self.map)
    }

    fn best(&self) -> Option<(Duration, i128)> {
        self.samples.iter().copied().min_by_key(|(round_trip, _)| *round_trip)
    }

    /// What is to be said now.
    ///
    /// # Errors
    /// When there is no hope of taking part any more.
    pub(crate) fn tick(&mut self, now: Duration) -> Result<Vec<Control>, GuestError> {
        if let Some((since, why)) = &self.refused
            && now.saturating_sub(*since) >= REFUSED_FOR
        {
            return Err(GuestError::Refused(why.clone()));
        }
        if !self.welcomed && now.saturating_sub(self.began) >= self.start_within {
            return Err(match self.refused.take() {
                Some((_, why)) => GuestError::Refused(why),
                None => GuestError::Unanswered,
            });
        }
        let mut said = Vec::new();
        let due = self.spoke.is_none_or(|at| now.saturating_sub(at) >= beat(self.zero.is_some()));
        if due {
            self.spoke = Some(now);
            let (process, asked) = (self.own.clone(), self.asked);
            said.push(Control::Join { process, asked, sent: now.as_nanos() });
        }
        if let Some((_, processes, _, at)) = &mut self.reading
            && now.saturating_sub(*at) >= AGAIN
        {
            *at = now;
            said.push(Control::ask_map(processes.len() as u32));
        }
        said.extend(self.outbox.due(now, self.own.nonce));
        Ok(said)
    }

    /// Takes what seat 0's process said; gives what to ask next.
    pub(crate) fn handle(&mut self, now: Duration, control: Control) -> Option<Control> {
        match control {
            Control::Welcome { sent, clock, zero, version, seen } => {
                self.welcomed = true;
                self.refused = None;
                if self.own.ip().is_unspecified() {
                    self.own.set_ip(seen.ip());
                }
                self.sample(now, sent, clock, zero);
                if version != self.version && self.reading.is_none() {
                    self.reading = Some((version, Vec::new(), 1, now));
                    return Some(Control::ask_map(0));
                }
            }
            Control::Refused { why } => {
                let since = self.refused.take().map_or(now, |(since, _)| since);
                self.refused = Some((since, why));
            }
            Control::Map { version, from, processes, total } => {
                return self.read(now, version, from, processes, total);
            }
            Control::Taken { report, piece } => self.outbox.taken(report, piece),
            // What only seat 0's process is told.
            Control::Join { .. } | Control::AskMap { .. } | Control::Piece { .. } => {}
        }
        None
    }

    fn sample(&mut self, now: Duration, sent: u64, clock: u64, zero: Option<u64>) {
        let round_trip = now.saturating_sub(Duration::from_nanos(sent));
        let there = i128::from(clock) + i128::from(round_trip.as_nanos() / 2);
        let ahead = there - i128::from(now.as_nanos());
        if self.samples.len() < SAMPLES {
            self.samples.push((round_trip, ahead));
        }
        self.zero_there = zero.or(self.zero_there);
        let Some(zero) = self.zero_there.filter(|_| self.zero.is_none()) else { return };
        let Some((_, ahead)) = self.best() else { return };
        let here = i128::from(zero) - ahead;
        let soon = here < i128::from((now + MILLISECOND * 400).as_nanos());
        if self.samples.len() == SAMPLES || soon {
            let here = u64::try_from(here).unwrap_or(0);
            self.zero = Some(Duration::from_nanos(here));
        }
    }

    fn read(
        &mut self,
        now: Duration,
        version: u64,
        from: u32,
        processes: Vec<Process>,
        total: u32,
    ) -> Option<Control> {
        let (reading, seen, expected, at) = self.reading.as_mut()?;
        if version != *reading {
            // It changed while it was read: begin again.
            (*reading, *at) = (version, now);
            seen.clear();
            return Some(Control::ask_map(0));
        }
        if from as usize != seen.len() || total as usize > PROCESSES_MAX + 1 {
            return None;
        }
        seen.extend(processes);
        (*expected, *at) = (total, now);
        if seen.len() < total as usize {
            return Some(Control::ask_map(seen.len() as u32));
        }
        let (version, map, ..) = self.reading.take()?;
        (self.version, self.map) = (version, map);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::hub::Hub;
    use peerlet_core::{Identity, SECOND};

    fn process(nonce: u64, seats: (u32, u32)) -> Process {
        let ip = "127.0.0.1".parse().unwrap();
        Process::new(nonce, seats, ip, vec![nonce as u16], Identity([nonce as u8; 32]))
    }

    /// A hub and guests whose clocks began at different times, over a line with this delay that
    /// loses every third datagram.
    fn meet(guests: &mut [(Guest, Duration)], hub: &mut Hub, delay: Duration, until: Duration) {
        let mut now = Duration::ZERO;
        let mut count = 0;
        while now < until {
            hub.tick(now);
            for (guest, behind) in guests.iter_mut().filter(|(_, behind)| *behind <= now) {
                let clock = |now: Duration| now.saturating_sub(*behind);
                let mut said = guest.tick(clock(now)).expect("it is welcome");
                while let Some(control) = said.pop() {
                    count += 1;
                    if count % 3 == 0 {
                        continue;
                    }
                    let from = "127.0.0.1:9".parse().unwrap();
                    let (answer, _) = hub.handle(now + delay, from, control);
                    let there = answer.and_then(|a| guest.handle(clock(now + delay * 2), a));
                    said.extend(there);
                }
            }
            now = now + MILLISECOND * 50;
        }
    }

    #[test]
    fn all_agree_on_time_zero_and_on_the_map() {
        let mut hub = Hub::new(process(1, (0, 9)), 30, SECOND * 30, false);
        let asked = "127.0.0.1:1".parse().unwrap();
        let guest =
            |nonce, seats| Guest::new(process(nonce, seats), asked, SECOND * 30, Duration::ZERO);
        let behind = [SECOND * 2, SECOND * 3];
        let mut guests = [(guest(2, (10, 19)), behind[0]), (guest(3, (20, 29)), behind[1])];
        meet(&mut guests, &mut hub, MILLISECOND * 7, SECOND * 10);
        let zero = hub.zero().expect("all are there");
        for ((guest, _), behind) in guests.iter().zip(behind) {
            let here = guest.zero().expect("it knows") + behind;
            let error = here.saturating_sub(zero) + zero.saturating_sub(here);
            assert!(error <= guest.offset_error(), "{error}");
            assert_eq!(guest.late_by(), Duration::ZERO);
            let (_, map) = guest.map();
            assert_eq!(map.iter().map(|p| p.nonce).collect::<Vec<_>>(), [1, 2, 3]);
        }
    }

    #[test]
    fn a_late_process_knows_how_late_it_is() {
        let mut hub = Hub::new(process(1, (0, 9)), 20, SECOND, false);
        let asked = "127.0.0.1:1".parse().unwrap();
        let guest = Guest::new(process(2, (10, 19)), asked, SECOND * 30, Duration::ZERO);
        let mut guests = [(guest, SECOND * 20)];
        meet(&mut guests, &mut hub, MILLISECOND * 7, SECOND * 25);
        let late = guests[0].0.late_by();
        // Time zero was at 2 s, and the guest's clock began at 20 s.
        let error = late.saturating_sub(SECOND * 18) + (SECOND * 18).saturating_sub(late);
        assert!(error < MILLISECOND * 20, "{late}");
        assert_eq!(guests[0].0.zero(), Some(Duration::ZERO));
    }

    #[test]
    fn nobody_there_and_a_no_are_told_apart() {
        let asked = "127.0.0.1:1".parse().unwrap();
        let mut guest = Guest::new(process(2, (1, 1)), asked, SECOND * 5, Duration::ZERO);
        assert_eq!(guest.tick(SECOND * 4).map(|said| said.len()), Ok(1));
        assert_eq!(guest.tick(SECOND * 5), Err(GuestError::Unanswered));
        let mut guest = Guest::new(process(2, (1, 1)), asked, SECOND * 60, Duration::ZERO);
        guest.handle(SECOND, Control::Refused { why: "no".into() });
        assert!(guest.tick(SECOND * 8).is_ok(), "the one who had the seats may be gone soon");
        assert_eq!(guest.tick(SECOND * 9), Err(GuestError::Refused("no".into())));
    }
}
