//! One process of a run: its seats, where they are reached, and who it is.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use peerlet_core::{Identity, Seat};
use serde::{Deserialize, Serialize};

/// Sockets that one process has at most, one a shard.
pub(crate) const SHARDS_MAX: usize = 64;

/// One process of the run: its seats, and where they are reached.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Tells the starts of one process apart: the nanoseconds since 1970 at which it began. It
    /// proves nothing; the identity does.
    pub(crate) incarnation: u64,
    pub(crate) first: u32,
    pub(crate) last: u32,
    ip: [u8; 16],
    ports: Vec<u16>,
    identity: Identity,
}

impl Process {
    /// A process with these seats behind these sockets; a socket without an address of its own has
    /// `ip`.
    pub(crate) fn new(
        incarnation: u64,
        (first, last): (u32, u32),
        ip: IpAddr,
        ports: Vec<u16>,
        identity: Identity,
    ) -> Process {
        let mut process = Process { incarnation, first, last, ip: [0; 16], ports, identity };
        process.set_ip(ip);
        process
    }

    pub(crate) fn set_ip(&mut self, ip: IpAddr) {
        self.ip = match ip {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
    }

    pub(crate) fn ip(&self) -> IpAddr {
        Ipv6Addr::from(self.ip).to_canonical()
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Whether it can be what it says: seats in the scenario, a bounded number of shards, each with
    /// a port.
    pub(crate) fn is_sound(&self, seats: u32) -> bool {
        let shards = 1..=SHARDS_MAX;
        self.first <= self.last
            && self.last < seats
            && shards.contains(&self.ports.len())
            && !self.ports.contains(&0)
            && !self.ip().is_multicast()
    }

    pub(crate) fn seat_range(&self) -> (u32, u32) {
        (self.first, self.last)
    }

    pub(crate) fn overlaps(&self, other: &Process) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Whether one of its sockets is another process's too.
    pub(crate) fn shares_socket(&self, other: &Process) -> bool {
        self.ip == other.ip && self.ports.iter().any(|port| other.ports.contains(port))
    }

    pub(crate) fn len(&self) -> u32 {
        self.last - self.first + 1
    }

    /// Its sockets, one a shard.
    pub(crate) fn sockets(&self) -> impl Iterator<Item = SocketAddr> {
        self.ports.iter().map(|port| SocketAddr::new(self.ip(), *port))
    }

    /// Its seats with the sockets behind which they live.
    pub(crate) fn seats(&self) -> impl Iterator<Item = (Seat, SocketAddr)> {
        let (ip, shards) = (self.ip(), self.ports.len() as u32);
        (self.first..=self.last).map(move |seat| {
            let port = self.ports[(seat % shards) as usize];
            (Seat(seat), SocketAddr::new(ip, port))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_spread_over_shards() {
        let ip = "192.0.2.1".parse().unwrap();
        let process = Process::new(1, (3, 6), ip, vec![10, 11], Identity([0; 32]));
        let ports: Vec<_> = process.seats().map(|(seat, at)| (seat.0, at.port())).collect();
        assert_eq!(ports, [(3, 11), (4, 10), (5, 11), (6, 10)]);
        assert!(process.is_sound(7) && !process.is_sound(6));
    }

    #[test]
    fn processes_share_what_they_share() {
        let process = |seats, ip: &str, ports: &[u16]| {
            Process::new(1, seats, ip.parse().unwrap(), ports.to_vec(), Identity([0; 32]))
        };
        let one = process((0, 9), "192.0.2.1", &[1, 2]);
        assert!(one.overlaps(&process((9, 12), "192.0.2.2", &[1])));
        assert!(!one.overlaps(&process((10, 12), "192.0.2.1", &[1])));
        assert!(one.shares_socket(&process((10, 12), "192.0.2.1", &[2, 3])));
        assert!(!one.shares_socket(&process((10, 12), "192.0.2.2", &[2])));
        assert!(!process((0, 9), "192.0.2.1", &[0]).is_sound(10), "nobody is reached at port 0");
        assert!(!process((0, 9), "224.0.0.1", &[7]).is_sound(10));
    }
}
