//! The codec: how messages become bytes and bytes become messages.
//!
//! One interface for every world. A run has one [`Codec`], which is postcard unless it chooses
//! another one. The feature `bincode` adds bincode 2, for closed networks only: with its limit set,
//! a ten-byte frame can still cost it a mebibyte or seconds of work, and all its versions are
//! flagged unmaintained (RUSTSEC-2025-0141). With either, bytes are capped before they are
//! examined, lists and maps allocate room as their items come, and left-over bytes are refused.
//!
//! The functions of this module are the default codec, whatever a run has: for bytes that a peerlet
//! puts into its messages, and for those that processes exchange about a run.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The largest datagram message in encoded bytes, in every world: what fits a 1,200-byte packet
/// with our header.
pub const DATAGRAM_MAX: usize = 1_150;

/// The largest piece of a reliable message in encoded bytes: a quarter of a destination's queue.
/// Longer messages travel in pieces of this length.
pub const FRAME_MAX: usize = 256 * 1024;

/// The largest reliable message in encoded bytes, unless a run sets another bound.
pub const MESSAGE_MAX: usize = 16 * 1024 * 1024;

/// The highest bound that a run may set for reliable messages: the budget of messages that one
/// process reassembles at a time.
pub const MESSAGE_MAX_LIMIT: usize = 64 * 1024 * 1024;

/// How the messages of a run are encoded. All processes of a live run have the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
#[non_exhaustive]
pub enum Codec {
    /// The default.
    #[default]
    Postcard,
    /// For closed networks only.
    #[cfg(feature = "bincode")]
    Bincode,
}

impl Codec {
    /// Every codec that this program was built with.
    pub const ALL: &'static [Codec] = &[
        Codec::Postcard,
        #[cfg(feature = "bincode")]
        Codec::Bincode,
    ];

    /// The codec's name in summaries.
    pub const fn name(self) -> &'static str {
        match self {
            Codec::Postcard => "postcard",
            #[cfg(feature = "bincode")]
            Codec::Bincode => "bincode",
        }
    }

    /// Appends the encoded message to `into`.
    ///
    /// # Errors
    /// Fails for types that the codec cannot carry, such as sequences of unknown length.
    #[inline]
    pub fn encode<M: Serialize>(self, message: &M, into: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Codec::Postcard => by_postcard::encode(message, into),
            #[cfg(feature = "bincode")]
            Codec::Bincode => by_bincode::encode(message, into),
        }
    }

    /// How many bytes [`encode`](Codec::encode) would append.
    ///
    /// # Errors
    /// As for [`encode`](Codec::encode).
    #[inline]
    pub fn encoded_len<M: Serialize>(self, message: &M) -> Result<usize, EncodeError> {
        match self {
            Codec::Postcard => by_postcard::encoded_len(message),
            #[cfg(feature = "bincode")]
            Codec::Bincode => by_bincode::encoded_len(message),
        }
    }

    /// Reads one message from exactly these bytes.
    ///
    /// # Errors
    /// Says why the bytes are no such message. Never panics. A list or a map makes room for at most
    /// 32 items before they are there, and then grows with them, whatever length it claims.
    pub fn decode<M: DeserializeOwned>(self, bytes: &[u8]) -> Result<M, DecodeError> {
        if bytes.len() > MESSAGE_MAX_LIMIT {
            return Err(DecodeError::TooLarge);
        }
        match self {
            Codec::Postcard => by_postcard::decode(bytes),
            #[cfg(feature = "bincode")]
            Codec::Bincode => by_bincode::decode(bytes),
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A message of peerlets: any type that serde can carry both ways.
///
/// Message types are not recursive and hold no sequences of zero-sized items, so that no frame can
/// cost more than its own length to decode.
pub trait Message: Serialize + DeserializeOwned + Send + 'static {}
impl<T: Serialize + DeserializeOwned + Send + 'static> Message for T {}

/// Why a value cannot be encoded: its type uses a feature of serde that the codec lacks.
#[derive(Debug)]
pub struct EncodeError(String);

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the message type cannot be encoded ({}); use plain enums and structs", self.0)
    }
}

impl std::error::Error for EncodeError {}

/// Why bytes are not a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DecodeError {
    /// More than [`MESSAGE_MAX_LIMIT`] bytes.
    TooLarge,
    /// The bytes end early or say something impossible.
    Malformed,
    /// A message, and then bytes left over.
    Trailing,
    /// The peer that it came to has no such peerlet.
    NoPeerlet,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DecodeError::TooLarge => "longer than a message may be",
            DecodeError::Malformed => "no message of this type",
            DecodeError::Trailing => "bytes left over behind the message",
            DecodeError::NoPeerlet => "a message for a peerlet that this peer does not have",
        })
    }
}

impl std::error::Error for DecodeError {}

/// Appends the encoded message to `into`, by the default codec.
///
/// # Errors
/// Fails for types that the codec cannot carry, such as sequences of unknown length.
///
/// ```
/// use peerlet_core::wire;
/// let mut bytes = Vec::new();
/// wire::encode(&(1u8, "peer".to_owned()), &mut bytes)?;
/// assert_eq!(bytes.len(), wire::encoded_len(&(1u8, "peer".to_owned()))?);
/// assert_eq!(wire::decode::<(u8, String)>(&bytes)?, (1, "peer".to_owned()));
/// bytes.push(0);
/// assert_eq!(wire::decode::<(u8, String)>(&bytes), Err(wire::DecodeError::Trailing));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn encode<M: Serialize>(message: &M, into: &mut Vec<u8>) -> Result<(), EncodeError> {
    Codec::Postcard.encode(message, into)
}

/// How many bytes [`encode`] would append.
///
/// # Errors
/// As for [`encode`].
#[inline]
pub fn encoded_len<M: Serialize>(message: &M) -> Result<usize, EncodeError> {
    Codec::Postcard.encoded_len(message)
}

/// Reads one message from exactly these bytes, by the default codec.
///
/// # Errors
/// As for [`Codec::decode`].
pub fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, DecodeError> {
    Codec::Postcard.decode(bytes)
}

mod by_postcard {
    use postcard::Deserializer;
    use postcard::de_flavors::Slice;

    use super::{DecodeError, DeserializeOwned, EncodeError, Serialize};
    use crate::room::sparing;

    pub(super) fn encode<M: Serialize>(message: &M, into: &mut Vec<u8>) -> Result<(), EncodeError> {
        let bytes = std::mem::take(into);
        *into = postcard::to_extend(message, bytes).map_err(|e| EncodeError(e.to_string()))?;
        Ok(())
    }

    #[inline]
    pub(super) fn encoded_len<M: Serialize>(message: &M) -> Result<usize, EncodeError> {
        let size = postcard::ser_flavors::Size::default();
        postcard::serialize_with_flavor(message, size).map_err(|e| EncodeError(e.to_string()))
    }

    pub(super) fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, DecodeError> {
        let mut from = Deserializer::from_flavor(Slice::new(bytes));
        let message = sparing().decode(&mut from).map_err(|_| DecodeError::Malformed)?;
        match from.finalize() {
            Ok([]) => Ok(message),
            _ => Err(DecodeError::Trailing),
        }
    }
}

#[cfg(feature = "bincode")]
mod by_bincode {
    use super::{
        DecodeError, DeserializeOwned, EncodeError, FRAME_MAX, MESSAGE_MAX_LIMIT, Serialize,
    };
    use crate::room::sparing;

    type Limited<const MAX: usize> = bincode::config::Configuration<
        bincode::config::LittleEndian,
        bincode::config::Varint,
        bincode::config::Limit<MAX>,
    >;

    const CONFIG: Limited<MESSAGE_MAX_LIMIT> =
        bincode::config::standard().with_limit::<MESSAGE_MAX_LIMIT>();
    /// For messages that come in one piece, so that they cannot claim to be longer.
    const SMALL: Limited<FRAME_MAX> = bincode::config::standard().with_limit::<FRAME_MAX>();

    #[inline(never)]
    pub(super) fn encode<M: Serialize>(message: &M, into: &mut Vec<u8>) -> Result<(), EncodeError> {
        bincode::serde::encode_into_std_write(message, into, CONFIG)
            .map(drop)
            .map_err(|e| EncodeError(e.to_string()))
    }

    #[inline(never)]
    pub(super) fn encoded_len<M: Serialize>(message: &M) -> Result<usize, EncodeError> {
        bincode::serde::encode_into_std_write(message, &mut std::io::sink(), CONFIG)
            .map_err(|e| EncodeError(e.to_string()))
    }

    pub(super) fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, DecodeError> {
        let decoded = match bytes.len() <= FRAME_MAX {
            true => bincode::serde::seed_decode_from_slice(sparing::<M>(), bytes, SMALL),
            false => bincode::serde::seed_decode_from_slice(sparing::<M>(), bytes, CONFIG),
        };
        match decoded {
            Ok((message, used)) if used == bytes.len() => Ok(message),
            Ok(_) => Err(DecodeError::Trailing),
            Err(_) => Err(DecodeError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    enum Sample {
        Empty,
        Words(Vec<String>),
        Pair { left: u64, right: i32 },
    }

    #[test]
    fn every_prefix_and_every_bomb_is_refused() {
        for codec in Codec::ALL {
            let message = Sample::Words(vec!["a".into(), "bc".into()]);
            let mut bytes = Vec::new();
            codec.encode(&message, &mut bytes).unwrap();
            assert_eq!(codec.encoded_len(&message).unwrap(), bytes.len(), "{codec}");
            assert_eq!(codec.decode::<Sample>(&bytes).unwrap(), message);
            for end in 0..bytes.len() {
                assert_eq!(codec.decode::<Sample>(&bytes[..end]), Err(DecodeError::Malformed));
            }
            bytes.push(0);
            assert_eq!(codec.decode::<Sample>(&bytes), Err(DecodeError::Trailing), "{codec}");
            // A length of 2^63 - 1 words, and nothing behind it.
            let bomb = [1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
            assert_eq!(codec.decode::<Sample>(&bomb), Err(DecodeError::Malformed), "{codec}");
            let endless = vec![0; MESSAGE_MAX_LIMIT + 1];
            assert_eq!(codec.decode::<Sample>(&endless), Err(DecodeError::TooLarge), "{codec}");
        }
    }

    #[test]
    fn encoding_appends() {
        for codec in Codec::ALL {
            let mut bytes = vec![9];
            codec.encode(&Sample::Empty, &mut bytes).unwrap();
            codec.encode(&Sample::Pair { left: 1, right: -1 }, &mut bytes).unwrap();
            assert_eq!(bytes[..2], [9, 0], "{codec}");
            let read = codec.decode::<Sample>(&bytes[2..]).unwrap();
            assert_eq!(read, Sample::Pair { left: 1, right: -1 }, "{codec}");
        }
    }

    #[cfg(feature = "bincode")]
    #[test]
    fn codecs_stand_side_by_side() {
        // Above 127 postcard takes two bytes, bincode a mark and two bytes.
        let lens = Codec::ALL.iter().map(|codec| codec.encoded_len(&300u16).unwrap());
        assert_eq!(lens.collect::<Vec<_>>(), [2, 3]);
        let mut bytes = Vec::new();
        Codec::Bincode.encode(&300u16, &mut bytes).unwrap();
        assert_eq!(Codec::Bincode.decode::<u16>(&bytes), Ok(300));
        assert_ne!(decode::<u16>(&bytes), Ok(300), "it is no postcard");
    }
}
