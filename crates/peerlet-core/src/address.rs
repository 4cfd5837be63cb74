//! Where a peer is reached, and who it is.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A peer's index in the scenario, from 0 to peers - 1.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seat(pub u32);

impl Seat {
    /// The seat as an index into a vector.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a peer is reached: an IP address, a port, and a slot that tells apart the peers behind one
/// socket.
///
/// Always 22 bytes on the wire, so that message sizes agree in every world. An overlay gets
/// addresses from messages and from its siblings; it never makes one up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The two halves of an IPv6 address, as numbers: they compare like the bytes, and faster.
    ip: [u64; 2],
    slot: u32,
    port: u16,
}

impl Address {
    /// How many bytes an address takes in a message.
    pub const ENCODED_LEN: usize = 22;

    /// The peer in `slot` behind this socket. For runtimes; IPv4 addresses are kept as IPv4-mapped
    /// IPv6.
    pub fn new(socket: SocketAddr, slot: u32) -> Address {
        let ip = match socket.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        Address { ip: halves(ip), slot, port: socket.port() }
    }

    /// The address of a simulated peer: a unique local IPv6 address (RFC 4193) that names its seat.
    #[inline]
    pub const fn simulated(seat: Seat) -> Address {
        const HIGH: u64 = u64::from_be_bytes([0xfd, b'p', b'e', b'e', b'r', 0, 0, 0]);
        Address { ip: [HIGH, seat.0 as u64], slot: seat.0, port: 7000 }
    }

    /// The socket behind which the peer lives.
    pub fn socket(&self) -> SocketAddr {
        SocketAddr::new(Ipv6Addr::from(self.octets()).to_canonical(), self.port)
    }

    /// Which of the peers behind the socket it is.
    #[inline]
    pub const fn slot(&self) -> u32 {
        self.slot
    }

    /// The address in its wire form: IP, port, slot, each big-endian.
    pub const fn to_bytes(&self) -> [u8; Address::ENCODED_LEN] {
        let (ip, port, slot) = (self.octets(), self.port.to_be_bytes(), self.slot.to_be_bytes());
        let mut bytes = [0; Address::ENCODED_LEN];
        let mut i = 0;
        while i < 16 {
            bytes[i] = ip[i];
            i += 1;
        }
        [bytes[16], bytes[17]] = port;
        [bytes[18], bytes[19], bytes[20], bytes[21]] = slot;
        bytes
    }

    /// The address with this wire form: every 22 bytes are one.
    pub fn from_bytes(bytes: [u8; Address::ENCODED_LEN]) -> Address {
        let mut ip = [0; 16];
        ip.copy_from_slice(&bytes[..16]);
        let port = u16::from_be_bytes([bytes[16], bytes[17]]);
        let slot = u32::from_be_bytes([bytes[18], bytes[19], bytes[20], bytes[21]]);
        Address { ip: halves(ip), slot, port }
    }

    const fn octets(&self) -> [u8; 16] {
        ((self.ip[0] as u128) << 64 | self.ip[1] as u128).to_be_bytes()
    }
}

const fn halves(ip: [u8; 16]) -> [u64; 2] {
    let ip = u128::from_be_bytes(ip);
    [(ip >> 64) as u64, ip as u64]
}

impl fmt::Display for Address {
    /// Writes `socket/slot`, for example `192.0.2.1:7000/3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.socket(), self.slot)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no address; one looks like `192.0.2.1:7000/3`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressError;

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no address of a peer; write IP:PORT/SLOT, such as `192.0.2.1:7000/3`")
    }
}

impl std::error::Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Address, AddressError> {
        let (socket, slot) = text.rsplit_once('/').ok_or(AddressError)?;
        let socket = socket.parse().map_err(|_| AddressError)?;
        Ok(Address::new(socket, slot.parse().map_err(|_| AddressError)?))
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.to_bytes().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse().map_err(de::Error::custom)
        } else {
            <[u8; Address::ENCODED_LEN]>::deserialize(deserializer).map(Address::from_bytes)
        }
    }
}

/// The identity of a process: the SHA-256 of its public key (the SubjectPublicKeyInfo of its
/// certificate).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identity(pub [u8; 32]);

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("..")
    }
}

/// The text is no identity; one is 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdentityError;

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no identity; write the 64 hexadecimal digits that the process prints at start")
    }
}

impl std::error::Error for IdentityError {}

impl FromStr for Identity {
    type Err = IdentityError;
    fn from_str(text: &str) -> Result<Identity, IdentityError> {
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(IdentityError);
        }
        let mut bytes = [0; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            let digits = &text[2 * i..2 * i + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| IdentityError)?;
        }
        Ok(Identity(bytes))
    }
}

/// An address with the identity of whoever is to be found there. A peer that
/// [trusts](crate::Context::trust) it reaches that address at that identity only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Contact {
    /// Where the peer is reached.
    pub address: Address,
    /// Whose process it lives in.
    pub identity: Identity,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_and_round_trips() {
        assert!(size_of::<Address>() <= 24);
        for text in ["192.0.2.1:7000/3", "[2001:db8::1]:1/4294967295"] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(Address::from_bytes(address.to_bytes()), address);
            assert_eq!(postcard::to_stdvec(&address).unwrap().len(), Address::ENCODED_LEN);
            let json = serde_json::to_string(&address).unwrap();
            assert_eq!(serde_json::from_str::<Address>(&json).unwrap(), address);
        }
        for bad in ["", "1.2.3.4:5", "1.2.3.4/5", "1.2.3.4:5/x"] {
            assert_eq!(bad.parse::<Address>(), Err(AddressError));
        }
    }

    #[test]
    fn simulated_addresses_differ() {
        let (a, b) = (Address::simulated(Seat(1)), Address::simulated(Seat(258)));
        assert_eq!(a.to_string(), "[fd70:6565:7200::1]:7000/1");
        assert_ne!(a.socket(), b.socket());
    }

    #[test]
    fn identities_are_hexadecimal() {
        let text = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        let identity: Identity = text.parse().unwrap();
        assert_eq!(identity.to_string(), text);
        assert_eq!(format!("{identity:?}"), "00112233..");
        assert_eq!("0011".parse::<Identity>(), Err(IdentityError));
    }
}
