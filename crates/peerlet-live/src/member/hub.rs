//! Seat 0's process: who takes part, when time is zero, and what everybody reports.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use peerlet_core::{Duration, MILLISECOND, SECOND};

use crate::member::control::{Control, PART_MAX, Process};
use crate::member::report::Inbox;

/// Processes that take part at most.
pub(crate) const PROCESSES_MAX: usize = 4_096;
/// After this long without a word a process is taken for gone, and another one may have its seats.
const SILENT: Duration = Duration::from_secs(3);
/// From the moment everybody is there to time zero: enough for everybody to learn of it.
const LEAD: Duration = SECOND;
/// Text of a refusal, in bytes.
const WHY_MAX: usize = 200;

/// One process that takes part.
struct Guest {
    process: Process,
    heard: Duration,
    /// Whether it has sent its last report.
    closed: bool,
    /// Whether it has been told of as gone since it was heard last.
    gone: bool,
}

/// The state of seat 0's process; time is that of its own clock.
pub(crate) struct Hub {
    own: Process,
    seats: u32,
    guests: BTreeMap<u64, Guest>,
    version: u64,
    zero: Option<Duration>,
    start_within: Duration,
    /// Whether the own address is not known before somebody says at which it was asked.
    learns_ip: bool,
    inbox: Inbox,
}

impl Hub {
    pub(crate) fn new(own: Process, seats: u32, start_within: Duration, learns_ip: bool) -> Hub {
        Hub {
            own,
            seats,
            guests: BTreeMap::new(),
            version: 1,
            zero: None,
            start_within,
            learns_ip,
            inbox: Inbox::default(),
        }
    }

    /// Time zero by the own clock, once it is set.
    pub(crate) fn zero(&self) -> Option<Duration> {
        self.zero
    }

    /// All processes that take part, the own one first.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        std::iter::once(&self.own).chain(self.guests.values().map(|guest| &guest.process))
    }

    /// The version of the map: it changes when a process comes.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// How many processes that were heard of lately have not sent their last report.
    pub(crate) fn open_guests(&self, now: Duration) -> usize {
        let open = |guest: &&Guest| !guest.closed && now.saturating_sub(guest.heard) < SILENT;
        self.guests.values().filter(open).count()
    }

    /// The sockets of processes that have fallen silent since the last call.
    pub(crate) fn gone(&mut self, now: Duration) -> Vec<SocketAddr> {
        let silent = |guest: &&mut Guest| !guest.gone && now.saturating_sub(guest.heard) >= SILENT;
        let mut sockets = Vec::new();
        for guest in self.guests.values_mut().filter(silent) {
            guest.gone = true;
            sockets.extend(guest.process.sockets());
        }
        sockets
    }

    /// A link to this socket was closed from the other side: a process that does not speak up at
    /// its next beat is taken for gone, and not waited for. Gives its seats, unless it has sent its
    /// last report.
    pub(crate) fn left(&mut self, now: Duration, socket: SocketAddr) -> Option<(u32, u32)> {
        let whose = |guest: &&mut Guest| guest.process.sockets().next() == Some(socket);
        let guest = self.guests.values_mut().find(whose)?;
        let last = now.saturating_sub(SILENT.saturating_sub(beat(true) + beat(false) * 2));
        guest.heard = guest.heard.min(last);
        (!guest.closed).then_some((guest.process.first, guest.process.last))
    }

    /// Sets time zero when all seats have a process, or when everybody had time enough.
    pub(crate) fn tick(&mut self, now: Duration) {
        let covered: u32 = self.processes().map(Process::len).sum();
        if self.zero.is_none() && (covered == self.seats || now >= self.start_within) {
            self.zero = Some(now + LEAD);
        }
    }

    /// Takes what a process said; gives the answer, and the reports that are whole now.
    pub(crate) fn handle(
        &mut self,
        now: Duration,
        from: SocketAddr,
        control: Control,
    ) -> (Option<Control>, Vec<Vec<u8>>) {
        match control {
            Control::Join { process, asked, sent } => {
                let answer = match self.join(now, from, process, asked) {
                    Ok(()) => Control::Welcome {
                        sent,
                        clock: now.as_nanos(),
                        zero: self.zero.map(Duration::as_nanos),
                        version: self.version,
                        seen: from,
                    },
                    Err(mut why) => {
                        why.truncate(WHY_MAX);
                        Control::Refused { why }
                    }
                };
                (Some(answer), Vec::new())
            }
            Control::AskMap { from, .. } => (Some(self.map(from)), Vec::new()),
            Control::Piece { nonce, report, piece, pieces, bytes } => {
                if !self.guests.contains_key(&nonce) {
                    return (None, Vec::new());
                }
                match self.inbox.take(nonce, report, piece, pieces, bytes) {
                    Some(whole) => (Some(Control::Taken { report, piece }), whole),
                    None => (None, Vec::new()),
                }
            }
            // What only guests are told.
            _ => (None, Vec::new()),
        }
    }

    /// A guest said that this was its last report.
    pub(crate) fn close(&mut self, nonce: u64) {
        if let Some(guest) = self.guests.get_mut(&nonce) {
            guest.closed = true;
        }
    }

    fn join(
        &mut self,
        now: Duration,
        from: SocketAddr,
        mut process: Process,
        asked: SocketAddr,
    ) -> Result<(), String> {
        if process.ip().is_unspecified() {
            process.set_ip(from.ip());
        }
        if !process.is_sound(self.seats) {
            return Err(format!("the seats are 0 to {}; mend --index", self.seats - 1));
        }
        if self.learns_ip {
            self.learns_ip = false;
            self.own.set_ip(asked.ip());
            self.version += 1;
        }
        if let Some(guest) = self.guests.get_mut(&process.nonce) {
            (guest.heard, guest.gone) = (now, false);
            if guest.process != process {
                guest.process = process;
                self.version += 1;
            }
            return Ok(());
        }
        let lives = |guest: &Guest| now.saturating_sub(guest.heard) < SILENT;
        let others = self.guests.values().filter(|guest| lives(guest)).map(|guest| &guest.process);
        if let Some(other) = others.chain([&self.own]).find(|other| other.overlaps(&process)) {
            let (first, last) = (other.first, other.last);
            return Err(format!(
                "seats {first} to {last} have a process already; give each its own --index"
            ));
        }
        if self.guests.len() >= PROCESSES_MAX {
            return Err(format!("{PROCESSES_MAX} processes take part already"));
        }
        // Whoever had these seats has gone.
        let gone: Vec<u64> = self
            .guests
            .values()
            .map(|guest| &guest.process)
            .filter(|other| other.overlaps(&process))
            .map(|other| other.nonce)
            .collect();
        for nonce in gone {
            self.guests.remove(&nonce);
            self.inbox.forget(nonce);
        }
        self.guests
            .insert(process.nonce, Guest { process, heard: now, closed: false, gone: false });
        self.version += 1;
        Ok(())
    }

    fn map(&self, from: u32) -> Control {
        let total = self.guests.len() as u32 + 1;
        let processes = self.processes().skip(from as usize).take(PART_MAX).cloned().collect();
        Control::Map { version: self.version, from, processes, total }
    }
}

/// How often a guest speaks up: often until time zero is known.
pub(crate) const fn beat(zero_known: bool) -> Duration {
    if zero_known { SECOND } else { Duration::from_nanos(MILLISECOND.as_nanos() * 150) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerlet_core::Identity;

    fn process(nonce: u64, seats: (u32, u32)) -> Process {
        let ip = "127.0.0.1".parse().unwrap();
        Process::new(nonce, seats, ip, vec![nonce as u16], Identity([nonce as u8; 32]))
    }

    fn join(hub: &mut Hub, now: Duration, process: Process) -> Control {
        let from = process.sockets().next().unwrap();
        let asked = "127.0.0.1:1".parse().unwrap();
        hub.handle(now, from, Control::Join { process, asked, sent: 7 }).0.unwrap()
    }

    fn hub() -> Hub {
        Hub::new(process(1, (0, 9)), 30, SECOND * 30, false)
    }

    #[test]
    fn time_is_zero_a_second_after_all_are_there() {
        let mut hub = hub();
        hub.tick(SECOND);
        assert!(matches!(join(&mut hub, SECOND, process(2, (10, 19))), Control::Welcome { .. }));
        hub.tick(SECOND);
        assert_eq!(hub.zero(), None);
        join(&mut hub, SECOND * 2, process(3, (20, 29)));
        hub.tick(SECOND * 2);
        assert_eq!(hub.zero(), Some(SECOND * 3));
        hub.tick(SECOND * 9);
        assert_eq!(hub.zero(), Some(SECOND * 3), "it is set once");
    }

    #[test]
    fn it_begins_without_those_who_do_not_come() {
        let mut hub = hub();
        hub.tick(SECOND * 30);
        assert_eq!(hub.zero(), Some(SECOND * 31));
    }

    #[test]
    fn overlapping_seats_are_refused_until_their_process_has_gone() {
        let mut hub = hub();
        join(&mut hub, SECOND, process(2, (10, 19)));
        assert_eq!(hub.gone(SECOND * 2), []);
        let refused = join(&mut hub, SECOND * 2, process(3, (15, 20)));
        let why = "seats 10 to 19 have a process already; give each its own --index".to_owned();
        assert_eq!(refused, Control::Refused { why });
        assert!(matches!(join(&mut hub, SECOND, process(4, (9, 9))), Control::Refused { .. }));
        assert!(matches!(join(&mut hub, SECOND, process(5, (29, 30))), Control::Refused { .. }));
        assert_eq!(hub.gone(SECOND * 5), ["127.0.0.1:2".parse().unwrap()]);
        assert_eq!(hub.gone(SECOND * 6), [], "told once");
        let welcome = join(&mut hub, SECOND * 5, process(3, (15, 20)));
        assert!(matches!(welcome, Control::Welcome { .. }), "{welcome:?}");
        assert_eq!(hub.processes().count(), 2);
    }

    #[test]
    fn a_process_that_closed_its_link_is_not_waited_for_long() {
        let mut hub = hub();
        join(&mut hub, SECOND, process(2, (10, 19)));
        let (socket, second) = ("127.0.0.1:2".parse().unwrap(), SECOND * 2);
        assert_eq!(hub.left(second, "127.0.0.1:9".parse().unwrap()), None, "nobody's");
        assert_eq!(hub.left(second, socket), Some((10, 19)));
        assert_eq!(hub.open_guests(second), 1, "it may speak up");
        assert_eq!(hub.open_guests(second + MILLISECOND * 1_400), 0);
        join(&mut hub, SECOND * 3, process(2, (10, 19)));
        assert_eq!(hub.open_guests(SECOND * 5), 1, "it does live");
        hub.close(2);
        assert_eq!(hub.left(SECOND * 5, socket), None, "its last report is there");
    }

    #[test]
    fn the_map_comes_in_parts() {
        let mut hub = Hub::new(process(1, (0, 0)), 30, SECOND, false);
        for nonce in 2..10 {
            join(&mut hub, SECOND, process(nonce, (nonce as u32, nonce as u32)));
        }
        let (mut seen, mut from) = (Vec::new(), 0);
        loop {
            let part = hub.map(from);
            let Control::Map { processes, total, .. } = part else { panic!("{part:?}") };
            seen.extend(processes.iter().map(|p| p.nonce));
            from = seen.len() as u32;
            if from >= total {
                break;
            }
        }
        assert_eq!(seen, (1..10).collect::<Vec<_>>());
        let Control::Map { processes, .. } = hub.map(u32::MAX) else { unreachable!() };
        assert_eq!(processes, []);
    }
}
