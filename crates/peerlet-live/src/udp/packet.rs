//! The layout of sealed packets, and their authentication codes.
//!
//! | offset | bytes | field |
//! |---:|---:|---|
//! | 0 | 1 | version of this layout in the high four bits (9), kind in the low four |
//! | 1 | 8 | session |
//!
//! Every packet ends with a code of 16 bytes: HMAC-SHA256, cut short. Between session and code:
//!
//! | kind | name | bytes | fields |
//! |---:|---|---:|---|
//! | 0 | `Hello` | 24 | sender's endpoint (8), zeros (16) |
//! | 1 | `Cookie` | 24 | sender's endpoint (8), cookie (16) |
//! | 2 | `Proof` | 24 | sender's endpoint (8), cookie (16) |
//! | 3 | `Accept` | 24 | sender's endpoint (8), nonce (16) |
//! | 4 | `Lost` | 8 | sender's endpoint (8) |
//! | 5 | `Data` | 11 or more | counter (8, big-endian), frames as in a plain packet |
//!
//! A plain packet begins with the length of its first frame, whose high byte is below 5, so neither
//! sort of packet is ever taken for the other.

use ring::hmac;

use crate::counters::SocketDrop;
use crate::secret::Secret;

/// Bytes of an authentication code: 128 bits, as RFC 2104, section 5, allows.
pub(super) const CODE_LEN: usize = 16;
/// Bytes that sealing adds to the frames of a packet.
pub(super) const SEAL_LEN: usize = DATA_HEAD_LEN + CODE_LEN;
/// Bytes of a `Lost`: fewer than of any `Data` with a frame in it.
pub(super) const LOST_LEN: usize = HEAD_LEN + 8 + CODE_LEN;

const HEAD_LEN: usize = 9;
const DATA_HEAD_LEN: usize = HEAD_LEN + 8;
const VERSION: u8 = 0x90;
const _: () = assert!(LOST_LEN <= SEAL_LEN + 3);

/// A session: eight random bytes of the side that began it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct SessionId(pub(super) [u8; 8]);

/// A socket during one life of its process: eight random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Endpoint(pub(super) [u8; 8]);

/// The steps of a handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Hello,
    Cookie,
    Proof,
    Accept,
}

/// One packet of a handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Handshake {
    pub(super) step: Step,
    pub(super) session: SessionId,
    /// The sender.
    pub(super) endpoint: Endpoint,
    /// Zeros, a cookie or a nonce.
    pub(super) value: [u8; 16],
}

/// A packet whose code has not been checked yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Packet<'a> {
    Handshake(Handshake),
    /// The answer to data of a session that is not known.
    Lost {
        session: SessionId,
        endpoint: Endpoint,
    },
    Data {
        session: SessionId,
        counter: u64,
        frames: &'a [u8],
    },
}

/// Whether a packet is a greeting as a socket with a secret sends them, seen by one without.
pub(super) fn is_sealed(bytes: &[u8]) -> bool {
    matches!(Packet::parse(bytes), Ok(Packet::Handshake(Handshake { step: Step::Hello, .. })))
}

impl<'a> Packet<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Packet<'a>, SocketDrop> {
        let (first, rest) = bytes.split_first().ok_or(SocketDrop::Decode)?;
        if first & 0xf0 != VERSION {
            // A plain packet, or one of a later layout.
            return Err(if first & 0x80 == 0 { SocketDrop::Forged } else { SocketDrop::Version });
        }
        let kind = first & 0x0f;
        let (session, rest) = rest.split_first_chunk().ok_or(SocketDrop::Decode)?;
        let session = SessionId(*session);
        let (eight, rest) = rest.split_first_chunk::<8>().ok_or(SocketDrop::Decode)?;
        let (between, _code) = rest.split_last_chunk::<CODE_LEN>().ok_or(SocketDrop::Decode)?;
        let step = match kind {
            0 => Step::Hello,
            1 => Step::Cookie,
            2 => Step::Proof,
            3 => Step::Accept,
            4 if between.is_empty() => {
                return Ok(Packet::Lost { session, endpoint: Endpoint(*eight) });
            }
            5 => {
                let counter = u64::from_be_bytes(*eight);
                return Ok(Packet::Data { session, counter, frames: between });
            }
            _ => return Err(SocketDrop::Decode),
        };
        let value = between.try_into().map_err(|_| SocketDrop::Decode)?;
        Ok(Packet::Handshake(Handshake { step, session, endpoint: Endpoint(*eight), value }))
    }
}

/// Makes and checks the codes of packets that belong to no session yet.
pub(super) struct Codes {
    secret: Secret,
    /// Known to nobody: codes are compared by their codes under it, so how long it takes tells
    /// nothing of them.
    comparison: hmac::Key,
}

/// The endpoint that a packet is for, where it is not known.
const ANYBODY: Endpoint = Endpoint([0; 8]);

impl Codes {
    pub(super) fn new(secret: Secret, comparison: hmac::Key) -> Codes {
        Codes { secret, comparison }
    }

    /// A packet of a handshake for this endpoint.
    pub(super) fn handshake(&self, packet: &Handshake, to: Option<Endpoint>) -> Vec<u8> {
        let Handshake { step, session, endpoint, value } = packet;
        let head = [&[VERSION | *step as u8][..], &session.0, &endpoint.0, value].concat();
        self.close(head, to)
    }

    pub(super) fn lost(&self, session: SessionId, own: Endpoint) -> Vec<u8> {
        self.close([&[VERSION | 4][..], &session.0, &own.0].concat(), None)
    }

    fn close(&self, mut packet: Vec<u8>, to: Option<Endpoint>) -> Vec<u8> {
        let code = self.code(&packet, to);
        packet.extend_from_slice(&code);
        packet
    }

    fn code(&self, packet: &[u8], to: Option<Endpoint>) -> [u8; CODE_LEN] {
        let to = to.unwrap_or(ANYBODY).0;
        cut(&self.secret.tag("peerlet udp 1 handshake", &[packet, &to]))
    }

    /// Whether a packet was made by a holder of the secret, for this endpoint.
    pub(super) fn are_right(&self, packet: &[u8], to: Option<Endpoint>) -> bool {
        packet
            .split_last_chunk()
            .is_some_and(|(content, code)| self.are_same(&self.code(content, to), code))
    }

    /// Whether the code at the end of a packet is that of the packet under a key.
    pub(super) fn fits(&self, packet: &[u8], key: &hmac::Key) -> bool {
        packet
            .split_last_chunk()
            .is_some_and(|(content, code)| self.are_same(&code_under(key, content), code))
    }

    /// Compares in constant time.
    pub(super) fn are_same(&self, one: &[u8; CODE_LEN], other: &[u8; CODE_LEN]) -> bool {
        let one = hmac::sign(&self.comparison, one);
        hmac::verify(&self.comparison, other, one.as_ref()).is_ok()
    }

    /// The keys of a session: for packets of the side that began it, and of the other.
    pub(super) fn keys(
        &self,
        session: SessionId,
        (began, accepted): (Endpoint, Endpoint),
        nonce: &[u8; 16],
    ) -> (hmac::Key, hmac::Key) {
        let key = |side: &[u8]| {
            let parts = [side, &session.0, &began.0, &accepted.0, nonce];
            let tag = self.secret.tag("peerlet udp 1 session", &parts);
            hmac::Key::new(hmac::HMAC_SHA256, &tag)
        };
        (key(b"began"), key(b"accepted"))
    }
}

/// Frames with this number in a session.
pub(super) fn seal(key: &hmac::Key, session: SessionId, counter: u64, frames: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(frames.len() + SEAL_LEN);
    packet.push(VERSION | 5);
    packet.extend_from_slice(&session.0);
    packet.extend_from_slice(&counter.to_be_bytes());
    packet.extend_from_slice(frames);
    let code = code_under(key, &packet);
    packet.extend_from_slice(&code);
    packet
}

/// The code of these bytes.
pub(super) fn code_under(key: &hmac::Key, bytes: &[u8]) -> [u8; CODE_LEN] {
    cut(hmac::sign(key, bytes).as_ref())
}

fn cut(tag: &[u8]) -> [u8; CODE_LEN] {
    *tag.first_chunk().expect("a tag of HMAC-SHA256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use peerlet_core::Seed;

    use super::*;

    fn codes() -> Codes {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"comparison");
        Codes::new(Secret::from_bytes(&[7; 32]).unwrap(), key)
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The codes were computed by Python's `hmac`.
    #[test]
    fn golden_bytes() {
        let (codes, session) = (codes(), SessionId([0xA1; 8]));
        let (a, b) = (Endpoint([0xB2; 8]), Endpoint([0xC3; 8]));
        let hello = Handshake { step: Step::Hello, session, endpoint: a, value: [0; 16] };
        let accept = Handshake { step: Step::Accept, session, endpoint: b, value: [0xD4; 16] };
        let (key, _) = codes.keys(session, (a, b), &[0xD4; 16]);
        let head = |kind| format!("{kind}a1a1a1a1a1a1a1a1");
        let (zeros, nonce) = ("00".repeat(16), "d4".repeat(16));
        for (packet, content, code) in [
            (
                codes.handshake(&hello, None),
                format!("{}{}{zeros}", head("90"), "b2".repeat(8)),
                "cbbdcf2724f1e9b73c7329e6e07c1834",
            ),
            (
                codes.handshake(&accept, Some(a)),
                format!("{}{}{nonce}", head("93"), "c3".repeat(8)),
                "0620a7d9df629a983c9940cb7d1b8c7c",
            ),
            (
                codes.lost(session, b),
                format!("{}{}", head("94"), "c3".repeat(8)),
                "d1d3d7458454ce1e9f4ded47662f07a9",
            ),
            (
                seal(&key, session, 2, b"\0\x01a"),
                format!("{}0000000000000002000161", head("95")),
                "e16dcb23a17d1c806c9c22f9b1a36da6",
            ),
        ] {
            assert_eq!(hex(&packet), content + code);
        }
    }

    #[test]
    fn packets_are_read_as_they_were_written() {
        let (codes, session, endpoint) = (codes(), SessionId([1; 8]), Endpoint([2; 8]));
        for step in [Step::Hello, Step::Cookie, Step::Proof, Step::Accept] {
            let packet = Handshake { step, session, endpoint, value: [3; 16] };
            let bytes = codes.handshake(&packet, Some(Endpoint([4; 8])));
            assert_eq!(bytes.len(), 49, "all steps have the same length");
            assert_eq!(Packet::parse(&bytes), Ok(Packet::Handshake(packet)));
            assert!(codes.are_right(&bytes, Some(Endpoint([4; 8]))));
            assert!(!codes.are_right(&bytes, Some(Endpoint([5; 8]))), "for another endpoint");
        }
        let bytes = codes.lost(session, endpoint);
        assert_eq!(bytes.len(), LOST_LEN);
        assert_eq!(Packet::parse(&bytes), Ok(Packet::Lost { session, endpoint }));
        let (key, other) = codes.keys(session, (endpoint, endpoint), &[0; 16]);
        let bytes = seal(&key, session, u64::MAX, b"frames");
        assert_eq!(bytes.len(), 6 + SEAL_LEN);
        let data = Packet::Data { session, counter: u64::MAX, frames: b"frames" };
        assert_eq!(Packet::parse(&bytes), Ok(data));
        assert!(codes.fits(&bytes, &key) && !codes.fits(&bytes, &other), "one key a direction");
    }

    #[test]
    fn strange_bytes_are_refused_and_changed_ones_do_not_fit() {
        let seed = std::env::var("PEERLET_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
        let mut rng = Seed::new(seed).named("sealed").rng();
        let codes = codes();
        for (bytes, cause) in [
            (&b""[..], SocketDrop::Decode),
            (b"\0\x01a", SocketDrop::Forged),
            (b"\xa0", SocketDrop::Version),
            (b"\x90", SocketDrop::Decode),
            (&[0x96; 60], SocketDrop::Decode),
            (&[0x94; 34], SocketDrop::Decode),
            (&[0x90; 50], SocketDrop::Decode),
        ] {
            assert_eq!(Packet::parse(bytes), Err(cause), "{bytes:?}");
        }
        let (session, endpoint) = (SessionId([1; 8]), Endpoint([2; 8]));
        let (key, _) = codes.keys(session, (endpoint, endpoint), &[0; 16]);
        let whole = seal(&key, session, 5, b"frames");
        for round in 0..2_000 {
            let mut bytes = whole.clone();
            bytes[rng.index(whole.len())] ^= 1 << rng.below(8);
            assert!(!codes.fits(&bytes, &key), "seed {seed}, round {round}");
            bytes.truncate(rng.index(whole.len()));
            assert!(!codes.fits(&bytes, &key), "seed {seed}, round {round}");
            let noise: Vec<u8> = (0..rng.index(60)).map(|_| rng.bits() as u8).collect();
            if let Ok(Packet::Data { frames, .. }) = Packet::parse(&noise) {
                assert!(frames.len() + SEAL_LEN == noise.len());
            }
        }
    }
}
