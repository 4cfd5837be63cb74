//! The transports that messages go over, on real sockets or simulated.

use peerlet_live::Sockets;

/// A transport, by its name on the command line and in run folders.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transport {
    Quic,
    Udp,
}

impl Transport {
    pub(crate) const fn of(sockets: Sockets) -> Transport {
        match sockets {
            Sockets::Quic => Transport::Quic,
            Sockets::Udp { .. } => Transport::Udp,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Transport::Quic => "quic",
            Transport::Udp => "udp",
        }
    }

    /// The sockets, of which only a closed network's are reached from beyond this machine.
    pub(crate) const fn sockets(self, closed_network: bool) -> Sockets {
        match self {
            Transport::Quic => Sockets::Quic,
            Transport::Udp => Sockets::Udp { closed_network },
        }
    }
}
