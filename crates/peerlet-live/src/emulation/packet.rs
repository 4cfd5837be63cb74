//! Packets on their way between the sockets and the driver, and the stamp on them.
//!
//! A socket hands an [`Order`] to the driver. A packet of an emulation has a stamp in front of its
//! bytes, by which its receiver's socket knows how late it is.

use std::net::SocketAddr;
use std::time::Instant;

use peerlet_core::{Duration, Seat, Time};

/// An order to the driver's thread.
pub(super) enum Order {
    Carry(Load),
    Finish,
}

/// A packet that a socket was given.
pub(super) struct Load {
    pub(super) at: Instant,
    pub(super) from: Seat,
    pub(super) to: SocketAddr,
    /// With room for the stamp in front.
    pub(super) bytes: Vec<u8>,
    pub(super) datagrams: u32,
}

/// The length of the stamp before an emulated packet: when it was due, in nanoseconds after the
/// run's epoch, and in which part of the run that is.
pub(super) const STAMP_LEN: usize = 8;
/// The lower bits of a stamp, which say the part.
const PART_BITS: u32 = 2;

/// A part of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RunPart {
    /// From time zero until `measure.from`.
    WarmUp,
    /// From there to the end.
    Measured,
}

/// The stamp of a packet that is due then, in this part of the run or after its end.
pub(super) fn stamp(due: Time, part: Option<RunPart>) -> [u8; STAMP_LEN] {
    let part = match part {
        None => 0,
        Some(RunPart::WarmUp) => 1,
        Some(RunPart::Measured) => 2,
    };
    (due.as_nanos() << PART_BITS | part).to_be_bytes()
}

/// Reads a stamp: when the packet was due since the epoch, and in which part of the run.
pub(super) fn read_stamp(stamp: [u8; STAMP_LEN]) -> (Duration, Option<RunPart>) {
    let stamp = u64::from_be_bytes(stamp);
    let part = match stamp & ((1 << PART_BITS) - 1) {
        1 => Some(RunPart::WarmUp),
        2 => Some(RunPart::Measured),
        _ => None,
    };
    (Duration::from_nanos(stamp >> PART_BITS), part)
}
