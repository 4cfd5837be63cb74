//! The seats of a live run: where they are reached, and which of them the scenario has running.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{OnceLock, RwLock};

use peerlet_core::{Act, Address, Directive, Identity, Map, Seat, Seats, Time};

use crate::member::Process;

/// Who is expected behind a socket from now on: one process, or anybody.
pub(crate) type Pin = (SocketAddr, Option<Identity>);

/// What a process knows of all seats of the scenario, its own and those of other processes.
///
/// Whether a seat runs is read off the scenario, which every process expands alike: a process that
/// is killed from outside is not the scenario's doing.
pub(crate) struct SeatMap {
    sockets: RwLock<Vec<Option<SocketAddr>>>,
    /// Who is expected behind which socket, in the order in which it was learned. Each shard tells
    /// its transport.
    pins: RwLock<Vec<Pin>>,
    /// By seat: who is on its local network. Nothing where there are none.
    local: OnceLock<Vec<Range<u32>>>,
    /// By seat: when it goes up or down, in order.
    turns: Vec<Vec<(Time, bool)>>,
}

impl SeatMap {
    pub(crate) fn new(seats: u32, directives: &[Directive]) -> SeatMap {
        let mut turns = vec![Vec::new(); seats as usize];
        for Directive { at, seat, act } in directives {
            let up = match act {
                Act::Start => true,
                Act::Stop | Act::Crash => false,
                Act::Pause(_) | Act::Tamper(_) | Act::Command(..) => continue,
            };
            if let Some(turns) = turns.get_mut(seat.index()) {
                turns.push((*at, up));
            }
        }
        let sockets = RwLock::new(vec![None; seats as usize]);
        SeatMap { sockets, pins: RwLock::default(), local: OnceLock::new(), turns }
    }

    /// Learns where a process's seats are reached, and who it is.
    pub(crate) fn learn(&self, process: &Process) {
        process.seats().for_each(|(seat, socket)| self.set(seat, socket));
        process.sockets().for_each(|socket| self.pin(socket, Some(process.identity())));
    }

    /// From now on only this identity is expected behind the socket; with `None`, anybody.
    pub(crate) fn pin(&self, socket: SocketAddr, identity: Option<Identity>) {
        let mut pins = self.pins.write().expect("nobody panics while writing");
        let known = pins.iter().rev().find(|(known, _)| *known == socket);
        if known != Some(&(socket, identity)) {
            pins.push((socket, identity));
        }
    }

    /// The pins from this place on.
    pub(crate) fn pins_from(&self, place: usize) -> Vec<Pin> {
        let pins = self.pins.read().expect("nobody panics while writing");
        pins.get(place..).map(<[_]>::to_vec).unwrap_or_default()
    }

    /// Learns behind which socket a seat lives.
    pub(crate) fn set(&self, seat: Seat, socket: SocketAddr) {
        let mut sockets = self.sockets.write().expect("nobody panics while writing");
        if let Some(place) = sockets.get_mut(seat.index()) {
            *place = Some(socket);
        }
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
        self.turns.len() as u32
    }

    /// Which seat lives behind which socket, of those that are known.
    pub(crate) fn by_socket(&self) -> Map<SocketAddr, Seat> {
        let sockets = self.sockets.read().expect("nobody panics while writing");
        let known = sockets.iter().zip(0..).map(|(socket, seat)| Some(((*socket)?, Seat(seat))));
        known.flatten().collect()
    }

    pub(crate) fn socket(&self, seat: Seat) -> Option<SocketAddr> {
        let sockets = self.sockets.read().expect("nobody panics while writing");
        sockets.get(seat.index()).copied().flatten()
    }

    fn running_at(&self, seat: Seat, now: Time) -> bool {
        let Some(turns) = self.turns.get(seat.index()) else { return false };
        let past = turns.partition_point(|(at, _)| *at <= now);
        past.checked_sub(1).is_some_and(|last| turns[last].1)
    }
}

/// The seats as they are at one instant.
pub(crate) struct SeatsNow<'a> {
    pub(crate) map: &'a SeatMap,
    pub(crate) now: Time,
}

impl Seats for SeatsNow<'_> {
    fn count(&self) -> u32 {
        self.map.count()
    }

    fn address(&self, seat: Seat) -> Option<Address> {
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
    fn seats_run_as_the_scenario_says() {
        let at = |secs| Time::ZERO + SECOND * secs;
        let act = |secs, act| Directive { at: at(secs), seat: Seat(1), act };
        let map = SeatMap::new(2, &[act(1, Act::Start), act(5, Act::Crash), act(7, Act::Start)]);
        let up = |secs| map.running_at(Seat(1), at(secs));
        assert_eq!([0, 1, 4, 5, 6, 7, 9].map(up), [false, true, true, false, false, true, true]);
        assert!(!map.running_at(Seat(0), at(3)) && !map.running_at(Seat(9), at(3)));
    }
}
