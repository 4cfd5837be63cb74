//! The transports that messages go over, on real sockets or simulated.

use peerlet_core::Need;
#[cfg(feature = "live")]
use peerlet_live::Sockets;
use peerlet_scenario::{Problem, Scenario, suggest};

/// A transport, by its name on the command line and in run folders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// Both classes of delivery, and identities.
    Quic,
    /// Datagrams only.
    Udp,
}

impl Transport {
    /// All of them.
    pub const ALL: [Transport; 2] = [Transport::Quic, Transport::Udp];

    /// The transport with this name.
    pub fn named(name: &str) -> Option<Transport> {
        Transport::ALL.into_iter().find(|transport| transport.name() == name)
    }

    /// The transport of these sockets.
    #[cfg(feature = "live")]
    pub const fn of(sockets: Sockets) -> Transport {
        match sockets {
            Sockets::Quic => Transport::Quic,
            Sockets::Udp { .. } => Transport::Udp,
        }
    }

    /// The name, as on the command line and in run folders.
    pub const fn name(self) -> &'static str {
        match self {
            Transport::Quic => "quic",
            Transport::Udp => "udp",
        }
    }

    /// The needs of peerlets that it meets.
    pub const fn gives(self) -> &'static [Need] {
        match self {
            Transport::Quic => &[Need::Reliable, Need::Identity],
            Transport::Udp => &[],
        }
    }

    #[cfg(feature = "live")]
    /// The sockets, of which only a closed network's are reached from beyond this machine.
    pub const fn sockets(self, closed_network: bool) -> Sockets {
        match self {
            Transport::Quic => Sockets::Quic,
            Transport::Udp => Sockets::Udp { closed_network },
        }
    }
}

/// The transport that the scenario names under `[run]`, if any.
///
/// # Errors
/// When there is none of that name.
pub fn written(scenario: &Scenario) -> Result<Option<Transport>, Problem> {
    let Some((name, span)) = &scenario.run.transport else { return Ok(None) };
    Transport::named(name).map(Some).ok_or_else(|| {
        let names = Transport::ALL.map(Transport::name);
        let help = match suggest(name, &names) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the transports are: {}", names.join(", ")),
        };
        scenario.sources.problem(span, format!("no transport is named `{name}`"), help)
    })
}

#[cfg(all(test, feature = "live"))]
mod tests {
    use super::*;

    #[test]
    fn transports_give_as_much_as_their_sockets() {
        for transport in Transport::ALL {
            let sockets = transport.sockets(false);
            assert_eq!((transport.gives(), transport), (sockets.gives(), Transport::of(sockets)));
        }
    }
}
