//! The frames between processes: one a message, coded by hand so that its size is known and its
//! parser is short. [`Frame`] has the layout; bodies are the codec's business.

use std::fmt;

use peerlet_core::DATAGRAM_MAX;
use peerlet_core::runtime::{Call, FRAME_MAX};
use ring::digest;

/// The version of the layout that this code speaks.
pub const VERSION: u8 = 1;

/// The largest datagram frame, head and all.
///
/// QUIC's smallest packet of 1,200 bytes leaves 1,162 for a datagram (1 flag, 8 connection id, 4
/// packet number, 16 tag and 9 for the datagram's own head): 1,134 of body. The QUIC transport
/// therefore asks for packets of 1,232 bytes, which every path that carries IPv6 does (RFC 8200:
/// 1,280 less 48). They leave 1,194, for 1,166 bytes of body.
pub const DATAGRAM_FRAME_MAX: usize = HEAD_LEN + MESSAGE_HEAD_MAX + DATAGRAM_MAX;

/// The largest frame on a stream, head and all: a piece of a large message.
pub const STREAM_FRAME_MAX: usize = DATA_HEAD_MAX + PART_LEN + FRAME_MAX;

/// The longest head of a message on a stream.
pub(crate) const DATA_HEAD_MAX: usize = HEAD_LEN + POSITION_LEN + MESSAGE_HEAD_MAX;
const HEAD_LEN: usize = 22;
const POSITION_LEN: usize = 12;
const PART_LEN: usize = 8;
const MESSAGE_HEAD_MAX: usize = 6;

/// Tells experiments apart, so that two of them never mix.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tag(pub u64);

impl Tag {
    /// The tag of what processes tell each other about a run: the same for all experiments, so that
    /// a process of another one gets an answer.
    pub const CONTROL: Tag = Tag(u64::from_be_bytes(*b"peerlet2"));

    /// The tag of an experiment with this name and these peerlets, in the order of their ports.
    ///
    /// ```
    /// use peerlet_live::Tag;
    /// assert_ne!(Tag::of("hello", &["a", "b"]), Tag::of("hello", &["ab"]));
    /// ```
    pub fn of(name: &str, peerlets: &[&str]) -> Tag {
        let mut hash = digest::Context::new(&digest::SHA256);
        for part in std::iter::once(&name).chain(peerlets) {
            // Lengths keep "a", "b" apart from "ab".
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut first = [0; 8];
        first.copy_from_slice(&hash.finish().as_ref()[..8]);
        Tag(u64::from_be_bytes(first))
    }
}

/// A message of one peerlet to the same peerlet of another peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<B> {
    /// Which peerlet: its place in the experiment's list.
    pub port: u16,
    /// Whether it asks or answers.
    pub call: Call,
    /// The encoded message: borrowed in a frame, owned while it waits.
    pub body: B,
}

/// The position of a frame in the connection of two lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectionPosition {
    /// The receiving peer's life; 0 when it is not known yet.
    pub life: u32,
    /// A sequence number; see [`Kind`] for whose.
    pub seq: u64,
}

/// The position of a piece in a message that is longer than [`FRAME_MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// How many bytes of the message come before the piece: a multiple of [`FRAME_MAX`].
    pub offset: u32,
    /// How long the whole message is.
    pub total: u32,
}

/// The kind of a frame, with its contents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind<'a> {
    /// A message that may get lost.
    Datagram(Message<&'a [u8]>),
    /// Asks for a connection, or for news of it; `seq` is the first message that is not
    /// acknowledged.
    Open(ConnectionPosition),
    /// There is a connection; all messages up to `seq` have arrived.
    Opened(ConnectionPosition),
    /// There is no such connection; `seq` is that of the refused frame. The sender's life is the
    /// one that was looked for.
    Reset(ConnectionPosition),
    /// A message in its connection, with its number.
    Data(ConnectionPosition, Message<&'a [u8]>),
    /// All messages up to `seq` have arrived.
    Ack(ConnectionPosition),
    /// A piece of a message longer than [`FRAME_MAX`], in its connection, with a number of its own.
    /// All pieces but the last are of that length.
    Piece(ConnectionPosition, Part, Message<&'a [u8]>),
    /// Asks whether a message of this length may start with number `seq`.
    Ask(ConnectionPosition, u32),
    /// The message of this length that starts with number `seq` may come; where the length is 0,
    /// not yet: ask again later.
    Grant(ConnectionPosition, u32),
    /// The runtimes' own: membership, measurements.
    Control(&'a [u8]),
}

/// One frame.
///
/// All numbers are big-endian. Every frame starts alike:
///
/// | offset | bytes | what |
/// |---:|---:|---|
/// | 0 | 1 | version of this layout, now 1 |
/// | 1 | 1 | low four bits: kind; high four bits: call (0 none, 1 question, 2 answer, 3 no answer)
/// |
/// | 2 | 8 | experiment: a hash of its name and of the peerlets in it |
/// | 10 | 4 | slot of the sending peer |
/// | 14 | 4 | slot of the receiving peer |
/// | 18 | 4 | life of the sending peer |
///
/// The rest depends on the kind. A *message* is the peerlet it is for (port, 2 bytes), the
/// call's id (4 bytes, only when there is a call), and the body to the end of the frame. A
/// *position* is the life of the receiving peer (4 bytes) and a sequence number (8 bytes). A *part*
/// is an offset and a length (4 bytes each).
///
/// | kind | name | follows |
/// |---:|---|---|
/// | 0 | `Datagram` | message |
/// | 1 | `Open` | position |
/// | 2 | `Opened` | position |
/// | 3 | `Reset` | position |
/// | 4 | `Data` | position, message |
/// | 5 | `Ack` | position |
/// | 6 | `Piece` | position, part, message |
/// | 7 | `Ask` | position, length of a message (4 bytes) |
/// | 8 | `Grant` | position, length of a message (4 bytes) |
/// | 15 | `Control` | bytes that the runtimes understand among themselves |
///
/// ```
/// use peerlet_core::runtime::{Call};
/// use peerlet_live::{Frame, Kind, Message, Tag};
/// let message = Message { port: 2, call: Call::Question(9), body: &b"who?"[..] };
/// let kind = Kind::Datagram(message);
/// let frame = Frame { tag: Tag::of("hello", &[]), from: 1, to: 2, life: 1, kind };
/// let bytes = frame.to_vec();
/// assert_eq!(bytes.len(), 22 + 6 + 4);
/// assert_eq!(Frame::parse(&bytes), Ok(frame));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// The experiment.
    pub tag: Tag,
    /// The sending peer's slot.
    pub from: u32,
    /// The receiving peer's slot.
    pub to: u32,
    /// The sending peer's life.
    pub life: u32,
    /// The rest.
    pub kind: Kind<'a>,
}

impl<'a> Frame<'a> {
    /// Appends the frame's bytes. Bodies beyond their limit are the caller's to refuse: others
    /// would not read them.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let (kind, call) = match &self.kind {
            Kind::Datagram(message) => (0, message.call),
            Kind::Open(_) => (1, Call::None),
            Kind::Opened(_) => (2, Call::None),
            Kind::Reset(_) => (3, Call::None),
            Kind::Data(_, message) => (4, message.call),
            Kind::Ack(_) => (5, Call::None),
            Kind::Piece(_, _, message) => (6, message.call),
            Kind::Ask(..) => (7, Call::None),
            Kind::Grant(..) => (8, Call::None),
            Kind::Control(_) => (15, Call::None),
        };
        into.extend([VERSION, kind | call_bits(call) << 4]);
        into.extend(self.tag.0.to_be_bytes());
        for number in [self.from, self.to, self.life] {
            into.extend(number.to_be_bytes());
        }
        match &self.kind {
            Kind::Datagram(message) => encode_message(message, into),
            Kind::Open(position)
            | Kind::Opened(position)
            | Kind::Reset(position)
            | Kind::Ack(position) => {
                encode_position(position, into);
            }
            Kind::Data(position, message) => {
                encode_position(position, into);
                encode_message(message, into);
            }
            Kind::Piece(position, part, message) => {
                encode_position(position, into);
                into.extend(part.offset.to_be_bytes());
                into.extend(part.total.to_be_bytes());
                encode_message(message, into);
            }
            Kind::Ask(position, len) | Kind::Grant(position, len) => {
                encode_position(position, into);
                into.extend(len.to_be_bytes());
            }
            Kind::Control(bytes) => into.extend_from_slice(bytes),
        }
    }

    /// The frame's bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        let body = match &self.kind {
            Kind::Datagram(message) | Kind::Data(_, message) | Kind::Piece(_, _, message) => {
                message.body.len()
            }
            Kind::Control(bytes) => bytes.len(),
            _ => 0,
        };
        let mut bytes = Vec::with_capacity(DATA_HEAD_MAX + PART_LEN + body);
        self.encode(&mut bytes);
        bytes
    }

    /// Reads a frame that fills all of `bytes`, borrowing from them.
    ///
    /// # Errors
    /// When the bytes are no frame of this version, or larger than one may be.
    pub fn parse(bytes: &'a [u8]) -> Result<Frame<'a>, FrameError> {
        let mut rest = bytes;
        let [version] = take(&mut rest)?;
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        let [kind] = take(&mut rest)?;
        let (kind, call) = (kind & 0x0f, kind >> 4);
        let tag = Tag(u64::from_be_bytes(take(&mut rest)?));
        let [from, to, life] = [take_u32(&mut rest)?, take_u32(&mut rest)?, take_u32(&mut rest)?];
        if call != 0 && !matches!(kind, 0 | 4 | 6) {
            return Err(FrameError::Kind(kind | call << 4));
        }
        let kind = match kind {
            0 => Kind::Datagram(parse_message(call, rest, DATAGRAM_MAX)?),
            1 => Kind::Open(parse_position_alone(rest)?),
            2 => Kind::Opened(parse_position_alone(rest)?),
            3 => Kind::Reset(parse_position_alone(rest)?),
            4 => Kind::Data(parse_position(&mut rest)?, parse_message(call, rest, FRAME_MAX)?),
            5 => Kind::Ack(parse_position_alone(rest)?),
            6 => {
                let position = parse_position(&mut rest)?;
                let [offset, total] = [take_u32(&mut rest)?, take_u32(&mut rest)?];
                let message = parse_message(call, rest, FRAME_MAX)?;
                Kind::Piece(position, Part { offset, total }, message)
            }
            7 => parse_position_and_len(rest).map(|(position, len)| Kind::Ask(position, len))?,
            8 => parse_position_and_len(rest).map(|(position, len)| Kind::Grant(position, len))?,
            15 if rest.len() > FRAME_MAX => return Err(FrameError::TooLarge(rest.len())),
            15 => Kind::Control(rest),
            _ => return Err(FrameError::Kind(kind)),
        };
        Ok(Frame { tag, from, to, life, kind })
    }
}

/// Whether these bytes are, if anything, what processes tell each other about a run.
pub(crate) fn is_control(bytes: &[u8]) -> bool {
    bytes.get(1).is_some_and(|kind| kind & 0x0f == 15)
        && bytes.get(2..10) == Some(&Tag::CONTROL.0.to_be_bytes())
}

/// Whether an encoded frame only answers frames of the other side: it may overtake whatever its
/// peer sends.
pub(crate) fn is_answer(bytes: &[u8]) -> bool {
    bytes.get(1).is_some_and(|kind| matches!(kind & 0x0f, 2 | 3 | 5 | 8))
}

fn call_bits(call: Call) -> u8 {
    match call {
        Call::None => 0,
        Call::Question(_) => 1,
        Call::Answer(_) => 2,
        Call::NoAnswer(_) => 3,
    }
}

fn encode_position(position: &ConnectionPosition, into: &mut Vec<u8>) {
    into.extend(position.life.to_be_bytes());
    into.extend(position.seq.to_be_bytes());
}

fn encode_message(message: &Message<&[u8]>, into: &mut Vec<u8>) {
    into.extend(message.port.to_be_bytes());
    if let Call::Question(id) | Call::Answer(id) | Call::NoAnswer(id) = message.call {
        into.extend(id.to_be_bytes());
    }
    into.extend_from_slice(message.body);
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], FrameError> {
    let (first, after) = rest.split_first_chunk::<N>().ok_or(FrameError::Short)?;
    *rest = after;
    Ok(*first)
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, FrameError> {
    take(rest).map(u32::from_be_bytes)
}

fn parse_position(rest: &mut &[u8]) -> Result<ConnectionPosition, FrameError> {
    Ok(ConnectionPosition { life: take_u32(rest)?, seq: u64::from_be_bytes(take(rest)?) })
}

fn parse_position_and_len(mut rest: &[u8]) -> Result<(ConnectionPosition, u32), FrameError> {
    let (position, len) = (parse_position(&mut rest)?, take_u32(&mut rest)?);
    if rest.is_empty() { Ok((position, len)) } else { Err(FrameError::Trailing(rest.len())) }
}

fn parse_position_alone(mut rest: &[u8]) -> Result<ConnectionPosition, FrameError> {
    let position = parse_position(&mut rest)?;
    if rest.is_empty() { Ok(position) } else { Err(FrameError::Trailing(rest.len())) }
}

fn parse_message(call: u8, mut rest: &[u8], max: usize) -> Result<Message<&[u8]>, FrameError> {
    let port = u16::from_be_bytes(take(&mut rest)?);
    let call = match call {
        0 => Call::None,
        1 => Call::Question(take_u32(&mut rest)?),
        2 => Call::Answer(take_u32(&mut rest)?),
        3 => Call::NoAnswer(take_u32(&mut rest)?),
        _ => return Err(FrameError::Call(call)),
    };
    if rest.len() > max {
        return Err(FrameError::TooLarge(rest.len()));
    }
    Ok(Message { port, call, body: rest })
}

/// Why bytes are no frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FrameError {
    /// They end too early.
    Short,
    /// They are of a version that this code does not speak.
    Version(u8),
    /// There is no frame of this kind.
    Kind(u8),
    /// A message is neither question nor answer nor plain.
    Call(u8),
    /// The body is larger than such a frame may carry.
    TooLarge(usize),
    /// This many bytes follow the end.
    Trailing(usize),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::Short => f.write_str("the frame ends too early; it was cut on its way"),
            FrameError::Version(version) => write!(
                f,
                "the frame has version {version}, not {VERSION}; run the same version everywhere"
            ),
            FrameError::Kind(kind) => write!(f, "there is no frame of kind {kind}; drop it"),
            FrameError::Call(call) => write!(f, "there is no call of kind {call}; drop the frame"),
            FrameError::TooLarge(len) => {
                write!(f, "a body of {len} bytes is beyond the limit; split the message")
            }
            FrameError::Trailing(len) => write!(f, "{len} bytes follow the frame; drop it"),
        }
    }
}

impl std::error::Error for FrameError {}

#[cfg(test)]
mod tests {
    use peerlet_core::Seed;

    use super::*;

    fn frame(kind: Kind<'_>) -> Frame<'_> {
        Frame { tag: Tag(0x0102_0304_0506_0708), from: 0xA1, to: 0xB2, life: 3, kind }
    }

    fn every_kind() -> Vec<Frame<'static>> {
        let position = ConnectionPosition { life: 7, seq: 0x99 };
        let message = |call| Message { port: 0x0405, call, body: &b"hi"[..] };
        [
            Kind::Datagram(message(Call::None)),
            Kind::Open(position),
            Kind::Opened(position),
            Kind::Reset(position),
            Kind::Data(position, message(Call::Question(6))),
            Kind::Ack(position),
            Kind::Control(b"hi"),
            Kind::Datagram(message(Call::Answer(5))),
            Kind::Piece(position, Part { offset: 0x40000, total: 0x40002 }, message(Call::None)),
            Kind::Ask(position, 0x40002),
            Kind::Grant(position, 0),
            Kind::Data(position, Message { body: b"", ..message(Call::NoAnswer(8)) }),
        ]
        .map(frame)
        .to_vec()
    }

    #[test]
    fn golden_bytes() {
        let head = "01020304050607080000 00a1 0000 00b2 0000 0003".replace(' ', "");
        let position = "00000007 0000000000000099".replace(' ', "");
        let expected = [
            format!("0100{head}04056869"),
            format!("0101{head}{position}"),
            format!("0102{head}{position}"),
            format!("0103{head}{position}"),
            format!("0114{head}{position}0405000000066869"),
            format!("0105{head}{position}"),
            format!("010f{head}6869"),
            format!("0120{head}0405000000056869"),
            format!("0106{head}{position}000400000004000204056869"),
            format!("0107{head}{position}00040002"),
            format!("0108{head}{position}00000000"),
            format!("0134{head}{position}040500000008"),
        ];
        for (frame, expected) in every_kind().iter().zip(expected) {
            let bytes = frame.to_vec();
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected);
            assert_eq!(Frame::parse(&bytes), Ok(*frame));
        }
    }

    /// Questions and messages keep their order: an answer says whether the messages before its
    /// question have arrived.
    #[test]
    fn answers_are_told_from_all_else() {
        for frame in every_kind() {
            let answers = matches!(
                frame.kind,
                Kind::Opened(_) | Kind::Reset(_) | Kind::Ack(_) | Kind::Grant(..)
            );
            assert_eq!(is_answer(&frame.to_vec()), answers, "{:?}", frame.kind);
        }
    }

    #[test]
    fn limits_hold_to_the_byte() {
        let body = vec![7; FRAME_MAX + 1];
        let message = |len| Message { port: 1, call: Call::Question(1), body: &body[..len] };
        let position = ConnectionPosition { life: 1, seq: 1 };
        let largest = frame(Kind::Datagram(message(DATAGRAM_MAX))).to_vec();
        assert_eq!(largest.len(), DATAGRAM_FRAME_MAX);
        assert!(Frame::parse(&largest).is_ok());
        let part = Part { offset: 0, total: u32::MAX };
        let largest = frame(Kind::Data(position, message(FRAME_MAX))).to_vec();
        assert_eq!(largest.len(), STREAM_FRAME_MAX - PART_LEN);
        assert!(Frame::parse(&largest).is_ok());
        let largest = frame(Kind::Piece(position, part, message(FRAME_MAX))).to_vec();
        assert_eq!(largest.len(), STREAM_FRAME_MAX);
        assert!(Frame::parse(&largest).is_ok());
        for (kind, len) in [
            (Kind::Datagram(message(DATAGRAM_MAX + 1)), DATAGRAM_MAX + 1),
            (Kind::Data(position, message(FRAME_MAX + 1)), FRAME_MAX + 1),
            (Kind::Piece(position, part, message(FRAME_MAX + 1)), FRAME_MAX + 1),
            (Kind::Control(&body), FRAME_MAX + 1),
        ] {
            assert_eq!(Frame::parse(&frame(kind).to_vec()), Err(FrameError::TooLarge(len)));
        }
    }

    #[test]
    fn what_is_no_frame_is_refused_by_cause() {
        for frame in every_kind() {
            let bytes = frame.to_vec();
            // Bodies may be shorter; heads may not.
            let head = bytes.len() - if bytes.ends_with(b"hi") { 2 } else { 0 };
            for len in 0..head {
                assert_eq!(Frame::parse(&bytes[..len]), Err(FrameError::Short), "{frame:?}");
            }
            let mut other = bytes.clone();
            other[0] = 2;
            assert_eq!(Frame::parse(&other), Err(FrameError::Version(2)));
            for kind in 9..15 {
                other[..2].copy_from_slice(&[VERSION, kind]);
                assert_eq!(Frame::parse(&other), Err(FrameError::Kind(kind)));
            }
            let longer = [&bytes[..], b"!"].concat();
            if matches!(bytes[1], 1..=3 | 5 | 7..=8) {
                assert_eq!(Frame::parse(&longer), Err(FrameError::Trailing(1)));
                other[..2].copy_from_slice(&[VERSION, bytes[1] | 0x10]);
                assert_eq!(Frame::parse(&other), Err(FrameError::Kind(bytes[1] | 0x10)));
            }
        }
        let mut bytes = every_kind()[0].to_vec();
        bytes[1] = 0x40;
        assert_eq!(Frame::parse(&bytes), Err(FrameError::Call(4)));
    }

    /// A frame that parses is written back to the same bytes: each has one encoding.
    #[test]
    fn strange_bytes_never_panic_and_are_canonical() {
        let seed = std::env::var("PEERLET_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
        let mut rng = Seed::new(seed).named("frames").rng();
        let (kinds, mut parsed) = (every_kind(), 0);
        for round in 0..100_000 {
            let mut bytes = rng.choose(&kinds).unwrap().to_vec();
            bytes.resize(rng.index(bytes.len() + 8), 0x55);
            for _ in 0..rng.below(4) {
                if !bytes.is_empty() {
                    let at = rng.index(bytes.len());
                    bytes[at] = rng.bits() as u8;
                }
            }
            if let Ok(frame) = Frame::parse(&bytes) {
                parsed += 1;
                assert_eq!(frame.to_vec(), bytes, "seed {seed}, round {round}");
            }
        }
        assert!(parsed > 1_000, "seed {seed}: only {parsed} of the strange frames were frames");
    }

    #[test]
    fn tags_differ_by_name_and_peerlets() {
        let tags = [
            Tag::of("a", &[]),
            Tag::of("b", &[]),
            Tag::of("a", &["b"]),
            Tag::of("ab", &[]),
            Tag::of("a", &["b", "c"]),
            Tag::of("a", &["c", "b"]),
        ];
        for (i, tag) in tags.iter().enumerate() {
            assert!(tags[..i].iter().all(|other| other != tag));
        }
    }
}
