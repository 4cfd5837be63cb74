//! The roster of a run: seat 0's process decides which process has which seats.
//!
//! A process is known by its identity. What it says is compared with the identity of the connection
//! it came over, where sockets have identities. The seats of a process are its own until it is
//! replaced: by the same identity once its former self no longer answers, or, in a network with a
//! secret or a list of identities, by anybody who was let in, once nothing is heard from it any
//! more.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use peerlet_core::{Duration, Identity, MILLISECOND, SECOND};

use super::control::Speaker;
use crate::process::Process;
use crate::refusal::Refusal;
use crate::socket::network_of;

/// Processes that take part at most.
pub(crate) const PROCESSES_MAX: usize = 4_096;
/// Processes from one network (/24, or /56 of IPv6) at most: half of all, so that nobody who has
/// one network keeps all others out.
const PROCESSES_PER_NETWORK_MAX: usize = PROCESSES_MAX / 2;
/// After this long without a word a process is taken for gone.
pub(crate) const SILENT: Duration = Duration::from_secs(3);
/// How long a process has to answer when another one wants its seats.
const PROBED: Duration = SECOND;

/// A process that closed its link speaks up within a beat, over another one, if it goes on.
const RETURNS_WITHIN: Duration = Duration::from_millis(1_300);

/// One process that takes part.
pub(crate) struct RosterEntry {
    pub(crate) process: Process,
    /// The socket that it speaks from.
    pub(crate) socket: SocketAddr,
    pub(crate) heard: Duration,
    /// When it was taken in.
    pub(crate) joined: Duration,
    /// Whether it has sent its last report.
    pub(crate) closed: bool,
    /// Whether it has been told of as gone since it was heard last.
    gone: bool,
    /// Since when another process wants its seats and it has not answered.
    probed: Option<Duration>,
    /// When it closed its link, unless it was heard since.
    left: Option<Duration>,
}

/// A process that was let in, or was not, and what else follows from it.
#[derive(Default)]
pub(crate) struct Admission {
    /// The sockets of processes to ask whether they are still there.
    pub(crate) probes: Vec<SocketAddr>,
    /// The processes that have lost their seats.
    pub(crate) replaced: Vec<Process>,
}

/// Processes from which nothing is heard any more.
#[derive(Default)]
pub(crate) struct Gone {
    pub(crate) sockets: Vec<SocketAddr>,
    /// The seats of those that have neither sent their last report nor closed their link.
    pub(crate) seats: Vec<(u32, u32)>,
}

/// All processes that take part, by their identity; time is the own clock's.
pub(crate) struct Roster {
    own: Process,
    seats: u32,
    /// Whether only those take part who know a secret or are on a list.
    is_closed: bool,
    entries: BTreeMap<Identity, RosterEntry>,
    version: u64,
}

impl Roster {
    pub(crate) fn new(own: Process, seats: u32, is_closed: bool) -> Roster {
        Roster { own, seats, is_closed, entries: BTreeMap::new(), version: 1 }
    }

    pub(crate) fn own(&self) -> &Process {
        &self.own
    }

    pub(crate) fn set_own_ip(&mut self, ip: IpAddr) {
        self.own.set_ip(ip);
        self.version += 1;
    }

    /// The version of the map: it changes with every change of it.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// All processes that take part, the own one first.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        std::iter::once(&self.own).chain(self.entries.values().map(|entry| &entry.process))
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &RosterEntry> {
        self.entries.values()
    }

    pub(crate) fn entries_mut(&mut self) -> impl Iterator<Item = &mut RosterEntry> {
        self.entries.values_mut()
    }

    /// The entry of a speaker: by the connection's identity, or by the socket where there is none.
    pub(crate) fn of(&mut self, speaker: Speaker) -> Option<&mut RosterEntry> {
        match speaker.identity {
            Some(identity) => self.entries.get_mut(&identity),
            None => self.entries.values_mut().find(|entry| entry.socket == speaker.socket),
        }
    }

    /// The link to this socket was closed from the other side: a process that does not speak up
    /// soon has ended, and is not waited for. Gives its seats, unless it has sent its last report.
    pub(crate) fn left(&mut self, now: Duration, socket: SocketAddr) -> Option<(u32, u32)> {
        let entry = self.entries.values_mut().find(|entry| entry.socket == socket)?;
        entry.left = Some(now);
        (!entry.closed).then_some(entry.process.seat_range())
    }

    /// The sockets of processes from which nothing is heard any more since the last call, and the
    /// seats of processes that should have reported more.
    pub(crate) fn gone(&mut self, now: Duration) -> Gone {
        let silent =
            |entry: &&mut RosterEntry| !entry.gone && now.saturating_sub(entry.heard) >= SILENT;
        let mut gone = Gone::default();
        for entry in self.entries.values_mut().filter(silent) {
            entry.gone = true;
            gone.sockets.extend(entry.process.sockets());
            // One that closed its link was told of.
            if !entry.closed && entry.left.is_none() {
                gone.seats.push(entry.process.seat_range());
            }
        }
        gone
    }

    /// A process says that it takes part, for the first time or again.
    ///
    /// # Errors
    /// When it cannot, or not yet.
    pub(crate) fn join(
        &mut self,
        now: Duration,
        speaker: Speaker,
        mut process: Process,
        admission: &mut Admission,
    ) -> Result<(), Refusal> {
        self.check(speaker, &mut process)?;
        let identity = process.identity();
        if let Some(entry) = self.entries.get_mut(&identity) {
            if entry.process.incarnation == process.incarnation {
                return self.hear_again(now, speaker, process, admission);
            }
            // Who speaks from the socket of its former self has taken its place there.
            if entry.socket != speaker.socket && !entry.yields(now, PROBED, admission) {
                return Err(Refusal::SameKey);
            }
        }
        self.check_overlap(now, &process, admission)?;
        match self.entries.remove(&identity) {
            Some(former) => admission.replaced.push(former.process),
            None => self.check_room(speaker.socket.ip())?,
        }
        let (heard, joined, socket) = (now, now, speaker.socket);
        let (closed, gone, probed, left) = (false, false, None, None);
        let entry = RosterEntry { process, socket, heard, joined, closed, gone, probed, left };
        self.entries.insert(identity, entry);
        self.version += 1;
        Ok(())
    }

    /// A process that takes part says so again, and perhaps that it is reached elsewhere.
    fn hear_again(
        &mut self,
        now: Duration,
        speaker: Speaker,
        process: Process,
        admission: &mut Admission,
    ) -> Result<(), Refusal> {
        let identity = process.identity();
        let entry = self.entries.get_mut(&identity).expect("it takes part");
        if entry.process.seat_range() != process.seat_range() {
            return Err(Refusal::Changed);
        }
        (entry.heard, entry.socket) = (now, speaker.socket);
        (entry.probed, entry.left) = (None, None);
        // Others are told again where it is: it may have been taken for gone.
        self.version += u64::from(std::mem::take(&mut entry.gone));
        if entry.process == process {
            return Ok(());
        }
        self.check_overlap(now, &process, admission)?;
        let entry = self.entries.get_mut(&identity).expect("it takes part");
        entry.process = process;
        self.version += 1;
        Ok(())
    }

    /// Whether the process can be what it says, seen by itself.
    fn check(&self, speaker: Speaker, process: &mut Process) -> Result<(), Refusal> {
        if process.ip().is_unspecified() {
            process.set_ip(speaker.socket.ip());
        }
        match speaker.identity {
            Some(identity) if identity != process.identity() => return Err(Refusal::Identity),
            None if process.sockets().next() != Some(speaker.socket) => {
                return Err(Refusal::Advertised { seen: speaker.socket });
            }
            _ => {}
        }
        if !process.is_sound(self.seats) {
            return Err(Refusal::Seats { count: self.seats });
        }
        Ok(())
    }

    /// Whether nobody else has its seats or its sockets. In a closed network, whoever has them and
    /// is gone loses them.
    fn check_overlap(
        &mut self,
        now: Duration,
        process: &Process,
        admission: &mut Admission,
    ) -> Result<(), Refusal> {
        let identity = process.identity();
        if self.own.identity() == identity {
            return Err(Refusal::SameKey);
        }
        let taken = |other: &Process, can_change| {
            let (first, last) = other.seat_range();
            if other.overlaps(process) {
                return Err(Refusal::Taken { first, last, can_change });
            }
            match other.shares_socket(process) {
                true => Err(Refusal::SameSocket { at: shared(other, process) }),
                false => Ok(()),
            }
        };
        taken(&self.own, false)?;
        let mut gone = Vec::new();
        let is_closed = self.is_closed;
        for (other, entry) in self.entries.iter_mut().filter(|(other, _)| **other != identity) {
            let Err(refusal) = taken(&entry.process, is_closed) else { continue };
            let silent = now.saturating_sub(entry.heard) >= SILENT;
            if !(is_closed && silent && entry.yields(now, PROBED, admission)) {
                return Err(refusal);
            }
            gone.push(*other);
        }
        for other in gone {
            let entry = self.entries.remove(&other).expect("it was found above");
            admission.replaced.push(entry.process);
            self.version += 1;
        }
        Ok(())
    }

    /// Whether there is room for one more that is seen at this address: what it says of its own
    /// address may be any.
    fn check_room(&self, seen: IpAddr) -> Result<(), Refusal> {
        let network = network_of(seen);
        let near = |entry: &&RosterEntry| network_of(entry.socket.ip()) == network;
        let is_full = self.entries.len() >= PROCESSES_MAX
            || self.entries.len() >= PROCESSES_PER_NETWORK_MAX
                && self.entries.values().filter(near).count() >= PROCESSES_PER_NETWORK_MAX;
        if is_full { Err(Refusal::Full) } else { Ok(()) }
    }
}

impl RosterEntry {
    /// Whether it has had its time to answer since somebody first wanted its seats, and has not.
    /// The first time it is asked.
    fn yields(&mut self, now: Duration, within: Duration, admission: &mut Admission) -> bool {
        let since = *self.probed.get_or_insert(now);
        let patience = now.saturating_sub(since);
        if patience < within {
            admission.probes.push(self.socket);
        }
        patience >= within
    }

    /// Whether it may still say something: it has not said its last, and was heard lately.
    pub(crate) fn is_open(&self, now: Duration, patience: Duration) -> bool {
        let has_left = self.left.is_some_and(|at| now.saturating_sub(at) >= RETURNS_WITHIN);
        !self.closed && !has_left && now.saturating_sub(self.heard) < patience
    }
}

/// A socket that both processes have.
fn shared(one: &Process, other: &Process) -> SocketAddr {
    let found = one.sockets().find(|socket| other.sockets().any(|theirs| theirs == *socket));
    found.expect("they share a socket")
}

/// How often a process speaks up: often until time zero is known.
pub(crate) const fn beat(zero_known: bool) -> Duration {
    if zero_known { SECOND } else { Duration::from_nanos(MILLISECOND.as_nanos() * 150) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: bool = false;
    const CLOSED: bool = true;

    fn process(incarnation: u64, who: u8, seats: (u32, u32)) -> Process {
        let ip = "127.0.0.1".parse().unwrap();
        Process::new(incarnation, seats, ip, vec![u16::from(who)], Identity([who; 32]))
    }

    fn roster(is_closed: bool) -> Roster {
        Roster::new(process(1, 1, (0, 9)), 30, is_closed)
    }

    /// Has a process join from this port over a connection with this identity; gives the answer and
    /// whom it led to ask or to replace.
    fn join_from(
        roster: &mut Roster,
        now: Duration,
        (port, who): (u16, u8),
        process: Process,
    ) -> (Result<(), Refusal>, Vec<u16>, usize) {
        let mut admission = Admission::default();
        let socket = SocketAddr::from(([127, 0, 0, 1], port));
        let speaker = Speaker { socket, identity: Some(Identity([who; 32])) };
        let answer = roster.join(now, speaker, process, &mut admission);
        let probes = admission.probes.iter().map(SocketAddr::port).collect();
        (answer, probes, admission.replaced.len())
    }

    fn join(roster: &mut Roster, now: Duration, process: Process) -> Result<(), Refusal> {
        let who = process.identity().0[0];
        join_from(roster, now, (u16::from(who), who), process).0
    }

    #[test]
    fn nobody_speaks_for_another() {
        let mut roster = roster(OPEN);
        assert_eq!(join(&mut roster, SECOND, process(7, 2, (10, 19))), Ok(()));
        let version = roster.version();
        let forged = join_from(&mut roster, SECOND, (99, 99), process(7, 2, (10, 12))).0;
        assert_eq!(forged, Err(Refusal::Identity));
        let own = join_from(&mut roster, SECOND, (99, 99), process(7, 1, (20, 22))).0;
        assert_eq!(own, Err(Refusal::Identity));
        assert_eq!(join(&mut roster, SECOND, process(7, 1, (20, 22))), Err(Refusal::SameKey));
        assert_eq!(roster.version(), version, "nothing has changed");
    }

    #[test]
    fn a_process_keeps_its_seats_and_may_not_take_those_of_others() {
        let mut roster = roster(OPEN);
        join(&mut roster, SECOND, process(7, 2, (10, 19))).unwrap();
        assert_eq!(join(&mut roster, SECOND, process(7, 2, (10, 12))), Err(Refusal::Changed));
        let taken = |first, last| Err(Refusal::Taken { first, last, can_change: false });
        assert_eq!(join(&mut roster, SECOND, process(7, 3, (15, 20))), taken(10, 19));
        assert_eq!(join(&mut roster, SECOND, process(7, 3, (9, 9))), taken(0, 9));
        let beyond = join(&mut roster, SECOND, process(7, 3, (29, 30)));
        assert_eq!(beyond, Err(Refusal::Seats { count: 30 }));
        // The socket of another one, seat 0's process included, is not to be had either.
        for port in [1, 2] {
            let ip = "127.0.0.1".parse().unwrap();
            let thief = Process::new(7, (20, 29), ip, vec![port], Identity([3; 32]));
            let at = SocketAddr::from(([127, 0, 0, 1], port));
            assert_eq!(join(&mut roster, SECOND, thief), Err(Refusal::SameSocket { at }));
        }
        // A change is looked at as closely as a first word.
        join(&mut roster, SECOND, process(7, 3, (20, 29))).unwrap();
        let ip = "127.0.0.1".parse().unwrap();
        let moved = Process::new(7, (20, 29), ip, vec![2], Identity([3; 32]));
        assert!(matches!(join(&mut roster, SECOND, moved), Err(Refusal::SameSocket { .. })));
    }

    #[test]
    fn in_an_open_network_seats_change_hands_never() {
        let mut roster = roster(OPEN);
        join(&mut roster, SECOND, process(7, 2, (10, 19))).unwrap();
        for secs in [2, 5, 9, 99] {
            let refused = join(&mut roster, SECOND * secs, process(7, 3, (10, 19)));
            assert_eq!(refused, Err(Refusal::Taken { first: 10, last: 19, can_change: false }));
        }
    }

    #[test]
    fn in_a_closed_network_the_silent_lose_their_seats_unless_they_answer() {
        let mut roster = roster(CLOSED);
        join(&mut roster, SECOND, process(7, 2, (10, 19))).unwrap();
        let wants = |roster: &mut Roster, secs| {
            join_from(roster, SECOND * secs, (3, 3), process(7, 3, (10, 19)))
        };
        let taken = Err(Refusal::Taken { first: 10, last: 19, can_change: true });
        assert_eq!(wants(&mut roster, 2), (taken.clone(), vec![], 0), "it was heard lately");
        assert_eq!(wants(&mut roster, 5), (taken.clone(), vec![2], 0), "it is asked first");
        join(&mut roster, SECOND * 5, process(7, 2, (10, 19))).unwrap();
        assert_eq!(wants(&mut roster, 7), (taken.clone(), vec![], 0), "it has answered");
        assert_eq!(wants(&mut roster, 8), (taken, vec![2], 0));
        assert_eq!(wants(&mut roster, 9), (Ok(()), vec![], 1), "it has not");
        let back = join(&mut roster, SECOND * 10, process(7, 2, (10, 19)));
        assert!(matches!(back, Err(Refusal::Taken { .. })), "{back:?}");
        assert_eq!(roster.processes().count(), 2);
    }

    #[test]
    fn the_same_key_takes_its_seats_again_once_its_former_self_is_gone() {
        for is_closed in [OPEN, CLOSED] {
            let mut roster = roster(is_closed);
            join(&mut roster, SECOND, process(7, 2, (10, 19))).unwrap();
            let again = |roster: &mut Roster, now, port| {
                join_from(roster, now, (port, 2), process(8, 2, (10, 19)))
            };
            // From another port: its former self is asked, and answers.
            let refused = again(&mut roster, SECOND * 2, 22);
            assert_eq!(refused, (Err(Refusal::SameKey), vec![2], 0));
            join(&mut roster, SECOND * 2, process(7, 2, (10, 19))).unwrap();
            assert_eq!(again(&mut roster, SECOND * 4, 22).0, Err(Refusal::SameKey));
            assert_eq!(again(&mut roster, SECOND * 5, 22), (Ok(()), vec![], 1), "no answer");
            // What its former self still says is refused.
            let late = join(&mut roster, SECOND * 5, process(7, 2, (10, 19)));
            assert_eq!(late, Err(Refusal::SameKey));
            // From the socket of its former self: at once.
            let socket = roster.entries().next().unwrap().socket.port();
            let third = join_from(&mut roster, SECOND * 5, (socket, 2), process(9, 2, (10, 19)));
            assert_eq!(third, (Ok(()), vec![], 1));
        }
    }

    #[test]
    fn who_falls_silent_is_told_of_once_and_is_known_again_when_heard() {
        let mut roster = roster(OPEN);
        join(&mut roster, SECOND, process(7, 2, (10, 19))).unwrap();
        let version = roster.version();
        assert_eq!(roster.gone(SECOND * 2).sockets, []);
        let gone = roster.gone(SECOND * 5);
        assert_eq!(gone.sockets, ["127.0.0.1:2".parse().unwrap()]);
        assert_eq!(gone.seats, [(10, 19)]);
        assert_eq!(roster.gone(SECOND * 6).sockets, [], "told once");
        join(&mut roster, SECOND * 7, process(7, 2, (10, 19))).unwrap();
        assert!(roster.version() > version, "others learn again where it is");
    }

    #[test]
    fn a_process_that_closed_its_link_is_not_waited_for_long() {
        let mut roster = roster(OPEN);
        join(&mut roster, SECOND, process(7, 2, (10, 19))).unwrap();
        let (socket, second) = ("127.0.0.1:2".parse().unwrap(), SECOND * 2);
        assert_eq!(roster.left(second, "127.0.0.1:9".parse().unwrap()), None, "nobody's");
        assert_eq!(roster.left(second, socket), Some((10, 19)));
        let is_open =
            |roster: &Roster, now| roster.entries().next().unwrap().is_open(now, SECOND * 30);
        assert!(is_open(&roster, second), "it may speak up");
        assert!(!is_open(&roster, second + RETURNS_WITHIN));
        join(&mut roster, SECOND * 5, process(7, 2, (10, 19))).unwrap();
        assert!(is_open(&roster, SECOND * 9), "it does live");
        roster.entries_mut().for_each(|entry| entry.closed = true);
        assert_eq!(roster.left(SECOND * 9, socket), None, "its last report is there");
    }

    #[test]
    fn without_identities_the_socket_speaks_for_a_process() {
        let mut roster = roster(OPEN);
        let mut say = |port, process| {
            let socket = SocketAddr::from(([127, 0, 0, 1], port));
            let speaker = Speaker { socket, identity: None };
            roster.join(SECOND, speaker, process, &mut Admission::default())
        };
        assert_eq!(say(2, process(7, 2, (10, 19))), Ok(()));
        let seen = "127.0.0.1:9".parse().unwrap();
        let elsewhere = say(9, process(7, 2, (10, 19)));
        assert_eq!(elsewhere, Err(Refusal::Advertised { seen }));
    }
}
