//! The worlds that a plan can run in, and the services that each provides to peerlets.

use peerlet_core::Need;
use peerlet_sim::Setup;

use crate::transport::Transport;

/// The worlds that a plan can run in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum World {
    /// Virtual time.
    Sim,
    /// Real sockets, with the scenario's network between them.
    Emulate,
    /// Real sockets and the real network.
    Live,
}

impl World {
    /// The name, which is that of the command.
    pub const fn name(self) -> &'static str {
        match self {
            World::Sim => "sim",
            World::Emulate => "emulate",
            World::Live => "live",
        }
    }

    /// The transport that messages go over: the one asked for, or the one that the scenario names.
    /// Where neither says one, it is QUIC on real sockets, and none in a simulation.
    pub(crate) fn transport(
        self,
        asked: Option<Transport>,
        written: Option<Transport>,
    ) -> Option<Transport> {
        let default = match self {
            World::Sim => None,
            World::Emulate | World::Live => Some(Transport::Quic),
        };
        asked.or(written).or(default)
    }

    /// The needs of peerlets that this world meets over a transport, or over none: broadcast where
    /// its network is the scenario's, which may have local ones.
    pub fn gives(self, transport: Option<Transport>) -> Vec<Need> {
        let Some(transport) = transport else { return Setup::gives().to_vec() };
        let mut gives = transport.gives().to_vec();
        gives.extend((self != World::Live).then_some(Need::Broadcast));
        gives
    }
}
