//! The medium between the sockets of a run: the real network alone, faults on it, or an emulated
//! network; and the results of one with a model. [`emulation`](crate::emulation) is how it works.

mod account;
mod carried;
mod error;
mod lateness;
mod limit;
mod machine;

use peerlet_network::Model;

pub use account::Packets;
pub use carried::{Carried, Flaw};
pub use error::MediumError;
pub use lateness::{LATE_MAX, LATENESS_MAX, Lateness};
pub use limit::{EMULATED_MAX, SocketLimit, ask_for_priority, make_room};
pub use machine::{Lost, WarmUp};

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
