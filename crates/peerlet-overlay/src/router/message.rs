//! The messages of routers, and the payload they carry.

use std::fmt;

use peerlet_core::Address;
use peerlet_core::runtime::mix;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ring::RingId;

/// The longest payload in bytes: with the envelope it fits a datagram, with room for an overlay's
/// own header.
pub const PAYLOAD_MAX: usize = 800;

/// The messages of routers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum RouterMessage {
    /// Take this over.
    Route {
        /// The sender's number of this hop.
        hop: u32,
        /// The payload and its way.
        envelope: Envelope,
    },
    /// I took over the hop of this number.
    Ack(u32),
}

/// A payload on its way to the peer nearest to a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// Where it is going.
    pub key: RingId,
    /// The sender.
    pub origin: Address,
    /// The origin's random number for it, by which copies are recognized.
    pub id: u64,
    /// How many hops it made before it was sent to the receiver.
    pub hops: u32,
    /// The peerlet that it is for.
    pub user: UserTag,
    /// The payload.
    pub payload: Payload,
}

/// Which peerlet an envelope is for, at the peer that it reaches: four bytes of a hash of the
/// peerlet's name, so that programs with other stacks agree on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserTag([u8; 4]);

impl UserTag {
    /// All that hear [`Delivered`](crate::Delivered).
    pub const ALL: UserTag = UserTag([0; 4]);

    /// The peerlet with this name.
    pub fn of(name: &str) -> UserTag {
        let hash = name.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)));
        UserTag(((hash >> 32) as u32).max(1).to_le_bytes())
    }
}

/// Up to [`PAYLOAD_MAX`] bytes; longer ones cannot be made, nor decoded.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Payload(Vec<u8>);

impl Payload {
    /// These bytes as a payload.
    ///
    /// # Errors
    /// When there are more than [`PAYLOAD_MAX`].
    pub fn new(bytes: Vec<u8>) -> Result<Payload, PayloadError> {
        if bytes.len() > PAYLOAD_MAX {
            return Err(PayloadError::TooLong(bytes.len()));
        }
        Ok(Payload(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Why bytes are not a payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PayloadError {
    /// There are too many of them.
    TooLong(usize),
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PayloadError::TooLong(len) => {
                write!(f, "a payload of {len} bytes is too long; send up to {PAYLOAD_MAX}")
            }
        }
    }
}

impl std::error::Error for PayloadError {}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Payload, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Payload;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "up to {PAYLOAD_MAX} bytes")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Payload, E> {
                if bytes.len() > PAYLOAD_MAX {
                    return Err(E::custom(PayloadError::TooLong(bytes.len())));
                }
                Ok(Payload(bytes.to_vec()))
            }
            /// Formats for people have no bytes, only lists of numbers.
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Payload, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = list.next_element()? {
                    bytes.push(byte);
                    if bytes.len() > PAYLOAD_MAX {
                        return Err(A::Error::custom(PayloadError::TooLong(bytes.len())));
                    }
                }
                Ok(Payload(bytes))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{DATAGRAM_MAX, Seat, wire};

    use super::*;

    fn route(len: usize) -> RouterMessage {
        let envelope = Envelope {
            key: RingId(u64::MAX),
            origin: Address::simulated(Seat(7)),
            id: u64::MAX,
            hops: 300,
            user: UserTag::of("lookups"),
            payload: Payload(vec![9; len]),
        };
        RouterMessage::Route { hop: u32::MAX, envelope }
    }

    fn bytes(message: &RouterMessage) -> Vec<u8> {
        let mut bytes = Vec::new();
        wire::encode(message, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn golden_bytes() {
        let max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let hop = [0, 0xff, 0xff, 0xff, 0xff, 0x0f];
        let origin = Address::simulated(Seat(7)).to_bytes();
        let expected = [
            &hop[..],
            &max,
            &origin,
            &max,
            &[0xac, 0x02],
            &[0x6a, 0xac, 0x3a, 0xb3],
            &[3, 9, 9, 9],
        ]
        .concat();
        assert_eq!(bytes(&route(3)), expected);
        assert_eq!(bytes(&RouterMessage::Ack(5)), [1, 5]);
    }

    #[test]
    fn the_longest_payload_travels_and_a_longer_one_does_not() {
        let longest = bytes(&route(PAYLOAD_MAX));
        assert!(longest.len() <= DATAGRAM_MAX);
        assert_eq!(wire::decode(&longest), Ok(route(PAYLOAD_MAX)));
        let longer = bytes(&route(PAYLOAD_MAX + 1));
        assert_eq!(wire::decode::<RouterMessage>(&longer), Err(wire::DecodeError::Malformed));
        let json = serde_json::to_string(&route(PAYLOAD_MAX)).unwrap();
        assert_eq!(serde_json::from_str::<RouterMessage>(&json).unwrap(), route(PAYLOAD_MAX));
        let json = serde_json::to_string(&route(PAYLOAD_MAX + 1)).unwrap();
        assert!(serde_json::from_str::<RouterMessage>(&json).is_err());
        assert_eq!(
            Payload::new(vec![0; 801]).unwrap_err().to_string(),
            "a payload of 801 bytes is too long; send up to 800"
        );
    }
}
