//! The medium between the sockets of a run: the real network alone, faults on it, or an emulated
//! network.
//!
//! With a model between them, every peer has an [`EmulatedSocket`] of its own, so that a packet
//! names its pair. A packet that is sent goes to the *driver*, a thread that asks the model for the
//! packet's fate, keeps it for as long as the model says, and then hands it to the operating
//! system, which brings it to the other peer's socket. So the model acts on packets, below QUIC:
//! acknowledgements, handshakes and packets that are sent again included.
//!
//! The same driver applies the faults of a scenario to the real network: then the model is one
//! without delays, and packets go out as they are.
//!
//! In an emulation each peer has the address that it has in simulation, so that identifiers made of
//! addresses are the same in both worlds; the emulated sockets map them to sockets on loopback. A
//! packet carries the instant at which it was due in front of its bytes. The driver, and the socket
//! that receives it, note how late that is: an emulation is as good as its lateness is small.

mod account;
mod driver;
mod emulator;
mod error;
mod lateness;
mod limit;
mod link;
mod machine;
mod packet;
mod socket;

use peerlet_core::{Duration, MICROSECOND, MILLISECOND};
use peerlet_network::Model;

pub use account::Packets;
pub(crate) use emulator::Emulator;
pub use error::MediumError;
pub use lateness::Lateness;
pub use limit::{SocketLimit, make_room};
pub use machine::{Flaw, Lost, WarmUp};
pub(crate) use socket::EmulatedSocket;

/// The medium between the sockets of a run. With a model, each peer has a shard and a socket of its
/// own, so that a packet names its pair.
#[derive(Debug, Default)]
pub enum Medium {
    /// The real network and nothing else.
    #[default]
    Real,
    /// The real network, and on it what this model does to packets between time zero and the end:
    /// one that adds to the real delays.
    Faulty(Box<dyn Model>),
    /// This model, between sockets on loopback.
    Emulated(Box<dyn Model>),
}

impl Medium {
    /// Whether a broadcast reaches somebody.
    pub(crate) fn has_local_networks(&self) -> bool {
        matches!(self, Medium::Emulated(model) if model.has_local_networks())
    }
}

/// The niceness that an emulation asks for, since lateness spoils it: about ten times the share of
/// the processor that a process gets without asking.
const NICENESS: i32 = -10;

/// Peers that one process emulates at most, each with a socket of its own.
pub const EMULATED_MAX: u32 = 4_096;

/// An emulation whose 99th percentile of lateness is beyond this is void: what was measured is the
/// machine's haste, not the network's.
pub const LATENESS_MAX: Duration = Duration::from_nanos(500 * MICROSECOND.as_nanos());

/// An emulation in which a packet, the driver, a peer or a handler was later than this once is
/// void as well, its warm-up included, unless another value is given
/// ([`LiveSetup::late_max`](crate::LiveSetup::late_max)).
pub const LATE_MAX: Duration = Duration::from_nanos(100 * MILLISECOND.as_nanos());

/// Asks the system to prefer this thread, and the threads that it starts from now on, to others.
/// Whether they are: mostly it takes root for that; without, an emulation needs a machine with
/// little else to do.
pub fn ask_for_priority() -> bool {
    rustix::process::setpriority_process(None, NICENESS).is_ok()
}

/// The results of a model between the sockets: the fates of packets, and how late they were.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    /// The account of the packets.
    pub packets: Packets,
    /// Of an emulation: how late packets were handed to the operating system, from the end of the
    /// warm-up on. That is the emulator's own doing.
    pub lateness: Lateness,
    /// Likewise: how late they were read off the sockets, with what the system and the runtime need
    /// to wake up who reads them. That is part of what is emulated.
    pub read: Lateness,
    /// Both before the end of the warm-up.
    pub warm_up: WarmUp,
    /// Packets that this machine lost, not the network.
    pub lost: Lost,
    /// Datagrams of an emulation of which nobody knows: lost by the operating system, or by QUIC,
    /// to which a packet that overtakes the end of a handshake is noise. The accounts hold them as
    /// in flight.
    pub unaccounted: u64,
    /// Of an emulation: the longest time in which the driver did not get to run, from time zero
    /// on; zero where it always did.
    pub stalled: Duration,
    /// Of an emulation: the most by which a peer woke up late, from time zero on.
    pub woken: Duration,
    /// Of an emulation: the longest time that a peer's handler took.
    pub blocked: Duration,
    /// How late an emulation may be once.
    pub late_max: Duration,
}
