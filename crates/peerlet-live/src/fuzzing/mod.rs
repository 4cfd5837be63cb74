//! Checks of everything that reads what others send, for fuzzing: each takes bytes, and panics when
//! a promise is broken. `docs/FUZZING.md` lists the promises.
//!
//! `allocated` tells how many bytes this thread has allocated so far. Where nobody counts, it is
//! always zero.

mod choices;
mod keys;

use bytes::Bytes;
use peerlet_core::wire;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use choices::Choices;
pub use keys::keys;

use crate::frame::Frame;

/// Frames and packets: the first byte chooses between reading bytes, two sockets with a secret,
/// and the machine of reliable delivery.
pub fn frames(bytes: &[u8], allocated: fn() -> usize) {
    let Some((way, rest)) = bytes.split_first() else { return };
    match way % 3 {
        0 => read(rest, allocated),
        1 => crate::udp::fuzzing::sessions(&mut Choices::new(rest)),
        _ => crate::connection::fuzzing::connections(&mut Choices::new(rest)),
    }
}

/// Messages between processes: the first byte chooses between decoding bytes, the accounts of the
/// network, and the two machines that answer.
pub fn control(bytes: &[u8], allocated: fn() -> usize) {
    let Some((way, rest)) = bytes.split_first() else { return };
    match way % 4 {
        0 => crate::member::fuzzing::decode(rest, allocated),
        1 => crate::member::fuzzing::reports(&mut Choices::new(rest)),
        2 => crate::member::fuzzing::coordinator(&mut Choices::new(rest)),
        _ => crate::member::fuzzing::participant(&mut Choices::new(rest)),
    }
}

fn read(bytes: &[u8], allocated: fn() -> usize) {
    if let Ok(frame) = within(bytes.len(), allocated, || Frame::parse(bytes)) {
        assert_eq!(frame.to_vec(), bytes, "a frame has one encoding");
    }
    crate::udp::fuzzing::packet(&Bytes::copy_from_slice(bytes), allocated);
}

/// Decodes, and holds it to four times its input and 4 KiB.
pub(crate) fn within<T>(len: usize, allocated: fn() -> usize, decode: impl FnOnce() -> T) -> T {
    let before = allocated();
    let decoded = decode();
    let taken = allocated() - before;
    assert!(taken <= 4 * len + 4096, "{taken} bytes were allocated for {len}");
    decoded
}

/// Decodes a message of the codec, and encodes and decodes it again.
pub(crate) fn round_trip<T>(bytes: &[u8], allocated: fn() -> usize) -> Option<T>
where
    T: Serialize + DeserializeOwned,
{
    let decoded: T = within(bytes.len(), allocated, || wire::decode(bytes)).ok()?;
    let mut encoded = Vec::new();
    wire::encode(&decoded, &mut encoded).expect("what was decoded can be encoded");
    assert!(encoded.len() <= bytes.len(), "no encoding is shorter than the own one");
    let again: T = wire::decode(&encoded).expect("what was encoded can be decoded");
    let mut twice = Vec::new();
    wire::encode(&again, &mut twice).expect("what was decoded can be encoded");
    assert_eq!(encoded, twice);
    Some(decoded)
}
