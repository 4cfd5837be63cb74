//! The seats of a live run: where they are reached, and which of them the scenario has running.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{OnceLock, RwLock};

use peerlet_core::runtime::{Act, Directive};
use peerlet_core::{Address, Identity, Map, Seat, Seats, Time};

use crate::process::Process;

/// The process that is expected behind a socket from now on; `None` is anybody.
pub(crate) type Pin = (SocketAddr, Option<Identity>);

/// Sockets whose former pin is remembered as lifted, so that every shard hears of it.
const LIFTED_MAX: usize = 1 << 14;

/// The processes that are expected behind sockets, with the version at which each was learned.
#[derive(Default)]
struct Pins {
    version: u64,
    by_socket: BTreeMap<SocketAddr, (u64, Option<Identity>)>,
    /// How many of them expect nobody any more.
    lifted: usize,
    /// Behind how many sockets each process is expected.
    processes: BTreeMap<Identity, u32>,
}

/// The socket at which a seat is reached, and the identity of its process.
#[derive(Clone, Copy, Default)]
struct Home {
    socket: Option<SocketAddr>,
    identity: Option<Identity>,
}

/// A process's view of all seats of the scenario, its own and those of other processes.
///
/// Whether a seat runs is read off the scenario, which every process expands alike: a process that
/// is killed from outside is not the scenario's doing.
pub(crate) struct SeatMap {
    homes: RwLock<Vec<Home>>,
    /// Each shard tells its transport.
    pins: RwLock<Pins>,
    /// By seat: who is on its local network. Nothing where there are none.
    local: OnceLock<Vec<Range<u32>>>,
    /// By seat: when it goes up or down, in order.
    transitions: Vec<Vec<(Time, bool)>>,
    /// Whether peers are known by their addresses only.
    is_free: bool,
}

impl SeatMap {
    pub(crate) fn new(seats: u32, directives: &[Directive]) -> SeatMap {
        let mut transitions = vec![Vec::new(); seats as usize];
        for Directive { at, seat, act } in directives {
            let up = match act {
                Act::Start => true,
                Act::Stop | Act::Crash => false,
                Act::Pause(_) | Act::Tamper(_) | Act::Command(..) => continue,
            };
            if let Some(transitions) = transitions.get_mut(seat.index()) {
                transitions.push((*at, up));
            }
        }
        let homes = RwLock::new(vec![Home::default(); seats as usize]);
        let (pins, local) = (RwLock::default(), OnceLock::new());
        SeatMap { homes, pins, local, transitions, is_free: false }
    }

    /// The map of a process whose peers know others by their addresses only: none of its seats is
    /// anybody's.
    pub(crate) fn free(seats: u32) -> SeatMap {
        SeatMap { is_free: true, ..SeatMap::new(seats, &[]) }
    }

    /// Learns where a process's seats are reached, and who it is.
    pub(crate) fn learn(&self, process: &Process) {
        let identity = Some(process.identity());
        for (seat, socket) in process.seats() {
            self.set_home(seat, Home { socket: Some(socket), identity });
        }
        process.sockets().for_each(|socket| self.pin(socket, identity));
    }

    /// From now on only this identity is expected behind the socket; with `None`, anybody.
    pub(crate) fn pin(&self, socket: SocketAddr, identity: Option<Identity>) {
        let mut pins = self.pins.write().expect("nobody panics while writing");
        let known = pins.by_socket.get(&socket).map(|(_, known)| *known);
        if known == Some(identity) || known.is_none() && identity.is_none() {
            return;
        }
        pins.version += 1;
        let version = pins.version;
        let before = pins.by_socket.insert(socket, (version, identity));
        if let Some((_, Some(before))) = before
            && let Some(count) = pins.processes.get_mut(&before)
        {
            *count -= 1;
            if *count == 0 {
                pins.processes.remove(&before);
            }
        }
        if let Some(now) = identity {
            *pins.processes.entry(now).or_default() += 1;
        }
        pins.lifted -= usize::from(matches!(before, Some((_, None))));
        pins.lifted += usize::from(identity.is_none());
        if pins.lifted > LIFTED_MAX {
            // Every shard looks many times a second: what was lifted long ago was seen by all.
            let before = version - LIFTED_MAX as u64;
            pins.by_socket.retain(|_, (at, identity)| identity.is_some() || *at > before);
            let lifted = pins.by_socket.values().filter(|(_, identity)| identity.is_none());
            pins.lifted = lifted.count();
        }
    }

    /// The pins that were set or lifted after this version, and the version now.
    pub(crate) fn pins_since(&self, version: u64) -> (u64, Vec<Pin>) {
        let pins = self.pins.read().expect("nobody panics while writing");
        if pins.version == version {
            return (version, Vec::new());
        }
        let mut news: Vec<_> = pins
            .by_socket
            .iter()
            .filter(|(_, (at, _))| *at > version)
            .map(|(socket, (at, identity))| (*at, (*socket, *identity)))
            .collect();
        news.sort_unstable_by_key(|(at, _)| *at);
        (pins.version, news.into_iter().map(|(_, pin)| pin).collect())
    }

    /// Whether a process that takes part speaks here: by its identity, where the connection has
    /// one, and by the socket that it is reached at otherwise.
    pub(crate) fn is_process(&self, socket: SocketAddr, identity: Option<Identity>) -> bool {
        let pins = self.pins.read().expect("nobody panics while writing");
        match identity {
            Some(identity) => pins.processes.contains_key(&identity),
            None => pins.by_socket.get(&socket).is_some_and(|(_, identity)| identity.is_some()),
        }
    }

    /// Learns behind which socket a seat lives; in whose process, nobody knows.
    pub(crate) fn set(&self, seat: Seat, socket: SocketAddr) {
        self.set_home(seat, Home { socket: Some(socket), identity: None });
    }

    fn set_home(&self, seat: Seat, home: Home) {
        let mut homes = self.homes.write().expect("nobody panics while writing");
        if let Some(known) = homes.get_mut(seat.index()) {
            *known = home;
        }
    }

    /// The sender's address of a frame of this seat, by which everybody knows it; `None` when it
    /// cannot be from there. The identity of the connection decides, where sockets have identities;
    /// a process may be seen at another address than it is known by. Otherwise the socket does.
    pub(crate) fn origin(
        &self,
        seat: Seat,
        from: SocketAddr,
        identity: Option<Identity>,
    ) -> Option<SocketAddr> {
        if self.is_free {
            return Some(from);
        }
        let homes = self.homes.read().expect("nobody panics while writing");
        let home = homes.get(seat.index())?;
        let is_there = match (home.identity, identity) {
            (Some(known), Some(shown)) => known == shown,
            _ => home.socket == Some(from),
        };
        home.socket.filter(|_| is_there)
    }

    /// Learns who is on whose local network; once.
    pub(crate) fn set_local(&self, of: impl Fn(Seat) -> Range<u32>) {
        let all = (0..self.count()).map(Seat).map(of).collect();
        self.local.set(all).expect("a run has one network");
    }

    /// The seats on this one's local network, itself included; `None` where there are none.
    pub(crate) fn local_network(&self, seat: Seat) -> Option<Range<u32>> {
        self.local.get()?.get(seat.index()).cloned()
    }

    /// How many seats there are.
    pub(crate) fn count(&self) -> u32 {
        self.transitions.len() as u32
    }

    /// Which seat lives behind which socket, of those that are known.
    pub(crate) fn by_socket(&self) -> Map<SocketAddr, Seat> {
        let homes = self.homes.read().expect("nobody panics while writing");
        let known = homes.iter().zip(0..).map(|(home, seat)| Some((home.socket?, Seat(seat))));
        known.flatten().collect()
    }

    pub(crate) fn socket(&self, seat: Seat) -> Option<SocketAddr> {
        let homes = self.homes.read().expect("nobody panics while writing");
        homes.get(seat.index())?.socket
    }

    fn running_at(&self, seat: Seat, now: Time) -> bool {
        let Some(transitions) = self.transitions.get(seat.index()) else { return false };
        let past = transitions.partition_point(|(at, _)| *at <= now);
        past.checked_sub(1).is_some_and(|last| transitions[last].1)
    }
}

/// The seats as they are at one instant.
pub(crate) struct SeatsNow<'a> {
    pub(crate) map: &'a SeatMap,
    pub(crate) now: Time,
}

impl Seats for SeatsNow<'_> {
    fn count(&self) -> u32 {
        if self.map.is_free { 0 } else { self.map.count() }
    }

    fn address(&self, seat: Seat) -> Option<Address> {
        if self.map.is_free {
            return None;
        }
        self.map.socket(seat).map(|socket| Address::new(socket, seat.0))
    }

    fn running(&self, seat: Seat) -> bool {
        self.map.running_at(seat, self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerlet_core::SECOND;

    #[test]
    fn a_frame_is_from_the_identity_that_its_seat_has() {
        let map = SeatMap::new(20, &[]);
        let (known, seen) = ("192.0.2.1:7".parse().unwrap(), "198.51.100.1:9".parse().unwrap());
        let (own, other) = (Identity([1; 32]), Identity([2; 32]));
        let ip = "192.0.2.1".parse().unwrap();
        map.learn(&Process::new(1, (0, 9), ip, vec![7], own));
        assert_eq!(map.origin(Seat(3), seen, Some(own)), Some(known), "behind another address");
        assert_eq!(map.origin(Seat(3), known, Some(other)), None, "not even from its address");
        assert_eq!(map.origin(Seat(12), known, Some(own)), None, "nobody's seat");
        // Without identities the socket decides.
        assert_eq!(map.origin(Seat(3), known, None), Some(known));
        assert_eq!(map.origin(Seat(3), seen, None), None);
    }

    #[test]
    fn pins_are_told_once_and_take_no_more_room_than_there_are_sockets() {
        let map = SeatMap::new(1, &[]);
        let at = |i: u32| SocketAddr::from(([10, (i >> 16) as u8, (i >> 8) as u8, i as u8], 7));
        let (one, other) = (Identity([1; 32]), Identity([2; 32]));
        map.pin(at(1), Some(one));
        map.pin(at(1), Some(one));
        map.pin(at(2), None);
        let (version, pins) = map.pins_since(0);
        assert_eq!(pins, [(at(1), Some(one))]);
        map.pin(at(1), Some(other));
        assert_eq!(map.pins_since(version).1, [(at(1), Some(other))]);
        assert!(map.is_process(at(1), None) && !map.is_process(at(2), None));
        assert!(map.is_process(at(9), Some(other)), "it may be seen elsewhere");
        assert!(!map.is_process(at(1), Some(one)));
        for i in 0..100_000 {
            map.pin(at(i), Some(one));
            map.pin(at(i), None);
        }
        assert!(map.pins.read().unwrap().by_socket.len() <= LIFTED_MAX + 2);
        assert!(map.pins.read().unwrap().processes.is_empty());
        let (version, _) = map.pins_since(version);
        assert_eq!(map.pins_since(version).1, []);
    }

    #[test]
    fn seats_run_as_the_scenario_says() {
        let at = |secs| Time::ZERO + SECOND * secs;
        let act = |secs, act| Directive { at: at(secs), seat: Seat(1), act };
        let map = SeatMap::new(2, &[act(1, Act::Start), act(5, Act::Crash), act(7, Act::Start)]);
        let up = |secs| map.running_at(Seat(1), at(secs));
        assert_eq!([0, 1, 4, 5, 6, 7, 9].map(up), [false, true, true, false, false, true, true]);
        assert!(!map.running_at(Seat(0), at(3)) && !map.running_at(Seat(9), at(3)));
    }
}
