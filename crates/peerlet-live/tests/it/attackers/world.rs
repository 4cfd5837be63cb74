//! The networks that are attacked, as their honest processes are set up.

use peerlet_live::{Admission, LiveSetup, ProcessKey, Secret, Sockets};

/// The secret of networks that have one.
pub const SECRET: &[u8; 32] = b"thirty-two bytes that are shared";

/// A network that is attacked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum World {
    /// QUIC, open to everybody.
    Open,
    /// The same; seat 0's process is bound to an unspecified address.
    Everywhere,
    /// QUIC with a secret.
    Secret,
    /// QUIC with a list of identities.
    List,
    /// UDP without a secret.
    Udp,
    /// UDP with a secret.
    UdpSecret,
}

impl World {
    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            World::Open => "QUIC, open",
            World::Everywhere => "QUIC, open, own address unknown",
            World::Secret => "QUIC, secret",
            World::List => "QUIC, list",
            World::Udp => "UDP",
            World::UdpSecret => "UDP, secret",
        }
    }

    /// Makes the honest process with this number, 0 or 1, one of this network.
    pub fn set_up(self, number: u32, setup: &mut LiveSetup) {
        let secret = || Secret::from_bytes(SECRET).expect("it is long enough");
        match self {
            World::Open => {}
            World::Everywhere if number == 0 => {
                setup.bind = "0.0.0.0:0".parse().expect("an address");
            }
            World::Everywhere => {}
            World::Secret => setup.admission.secret = Some(secret()),
            World::List => {
                let list = [key(0), key(1)].map(|key| key.identity().to_string());
                setup.admission = Admission::of_list(&list.join("\n")).expect("a list");
                setup.key = Some(key(number));
            }
            World::Udp => setup.sockets = Sockets::Udp { closed_network: false },
            World::UdpSecret => {
                setup.sockets = Sockets::Udp { closed_network: false };
                setup.admission.secret = Some(secret());
            }
        }
    }
}

/// The key of an honest process, the same in every process of an attack.
fn key(number: u32) -> ProcessKey {
    const HEAD: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let pkcs8 = [HEAD, &[0x11 * (number as u8 + 1); 32]].concat();
    ProcessKey::from_pkcs8(&pkcs8).expect("a key")
}
