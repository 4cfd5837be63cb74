//! What the processes of one run tell each other, beside what their peers do.
//!
//! Everything is a small datagram that may get lost: whoever wants an answer asks again. No answer
//! is larger than three times its question, so that nobody can be made to flood a third party.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use peerlet_core::{Identity, Seat};
use serde::{Deserialize, Serialize};

/// Sockets that one process has at most, one a shard.
pub(crate) const SHARDS_MAX: usize = 64;
/// Processes in one part of the map: what fits a datagram.
pub(crate) const PART_MAX: usize = 4;
/// Bytes of a report in one datagram.
pub(crate) const PIECE_MAX: usize = 900;
/// Pieces of one report: 3.6 MB, a thousand metrics with full histograms.
pub(crate) const PIECES_MAX: u32 = 4_096;
/// Bytes that are added to a question whose answer is long.
const PADDING: usize = 400;

/// One process of the run: its seats, and where they are reached.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Drawn when the process began: one that began again is another.
    pub(crate) nonce: u64,
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
        nonce: u64,
        (first, last): (u32, u32),
        ip: IpAddr,
        ports: Vec<u16>,
        identity: Identity,
    ) -> Process {
        let mut process = Process { nonce, first, last, ip: [0; 16], ports, identity };
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

    /// Whether it can be what it says: seats in the scenario, a bounded number of shards.
    pub(crate) fn is_sound(&self, seats: u32) -> bool {
        let shards = 1..=SHARDS_MAX;
        self.first <= self.last && self.last < seats && shards.contains(&self.ports.len())
    }

    pub(crate) fn overlaps(&self, other: &Process) -> bool {
        self.first <= other.last && other.first <= self.last
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

/// One datagram between processes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Control {
    /// To seat 0's process: this process takes part, and is there. Sent again and again.
    Join {
        process: Process,
        /// The address at which seat 0's process is asked.
        asked: SocketAddr,
        /// The sender's clock, in nanoseconds: comes back with the answer.
        sent: u64,
    },
    /// Yes; and how things stand.
    Welcome {
        /// The asker's clock, as it was sent.
        sent: u64,
        /// The clock of seat 0's process.
        clock: u64,
        /// Time zero by that clock, once it is set.
        zero: Option<u64>,
        /// The version of the map.
        version: u64,
        /// Where the asker is seen.
        seen: SocketAddr,
    },
    /// No, and why.
    Refused { why: String },
    /// Asks for the map from this process on.
    AskMap { from: u32, padding: Vec<u8> },
    /// A part of the map.
    Map { version: u64, from: u32, processes: Vec<Process>, total: u32 },
    /// A piece of a report.
    Piece { nonce: u64, report: u32, piece: u32, pieces: u32, bytes: Vec<u8> },
    /// The piece has arrived.
    Taken { report: u32, piece: u32 },
}

impl Control {
    pub(crate) fn ask_map(from: u32) -> Control {
        Control::AskMap { from, padding: vec![0; PADDING] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerlet_core::{DATAGRAM_MAX, wire};

    fn process(ports: usize) -> Process {
        let ports = (0..ports).map(|port| 60_000 + port as u16).collect();
        let ip = "192.0.2.1".parse().unwrap();
        Process::new(u64::MAX, (1_000_000, 2_000_000), ip, ports, Identity([255; 32]))
    }

    fn len(control: &Control) -> usize {
        wire::encoded_len(control).unwrap()
    }

    #[test]
    fn everything_fits_a_datagram_and_nothing_amplifies() {
        let processes = vec![process(SHARDS_MAX); PART_MAX];
        let map = Control::Map { version: u64::MAX, from: 0, processes, total: u32::MAX };
        let asked = "[2001:db8::1]:65535".parse().unwrap();
        let join = Control::Join { process: process(1), asked, sent: u64::MAX };
        let (sent, clock, zero) = (u64::MAX, u64::MAX, Some(u64::MAX));
        let welcome = Control::Welcome { sent, clock, zero, version: u64::MAX, seen: asked };
        let bytes = vec![0; PIECE_MAX];
        let (report, piece, pieces) = (u32::MAX, u32::MAX, u32::MAX);
        let part = Control::Piece { nonce: u64::MAX, report, piece, pieces, bytes };
        for control in [&map, &join, &welcome, &part] {
            assert!(len(control) <= DATAGRAM_MAX, "{} bytes", len(control));
        }
        assert!(len(&map) <= 3 * len(&Control::ask_map(0)));
        assert!(len(&welcome) <= 3 * len(&join));
    }

    #[test]
    fn seats_are_spread_over_shards() {
        let ip = "192.0.2.1".parse().unwrap();
        let process = Process::new(1, (3, 6), ip, vec![10, 11], Identity([0; 32]));
        let ports: Vec<_> = process.seats().map(|(seat, at)| (seat.0, at.port())).collect();
        assert_eq!(ports, [(3, 11), (4, 10), (5, 11), (6, 10)]);
        assert!(process.is_sound(7) && !process.is_sound(6));
    }
}
