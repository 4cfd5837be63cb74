//! Messages in the hands of a runtime: values whose types it need not know, with the data that
//! travels beside them.

use std::fmt;
use std::marker::PhantomData;

use peerlet_memory::Value;
use serde::{Deserialize, Serialize};

use crate::wire::{Codec, DecodeError, Message};

/// Which peerlet type a message, a timer or a command is for: its index in the run's
/// [`Registry`](crate::runtime::Registry). It is the same in all processes of a run, so it may be
/// part of a message; a peer that has no such peerlet tells nobody.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Port(pub u16);

/// Which metric a value belongs to: its index in the run's [`Registry`](crate::runtime::Registry).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MetricIndex(pub u16);

/// Whether a message is a question, an answer, or neither. The number is the caller's; it is the
/// same over all tries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Call {
    /// A message on its own.
    #[default]
    None,
    /// Somebody waits for an answer with this number.
    Question(u32),
    /// The answer to the question with this number.
    Answer(u32),
    /// There will be no answer to the question with this number: it is longer than a message may
    /// be. Carries no message.
    NoAnswer(u32),
}

/// The header of every message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Header {
    /// The peerlet it is from and for.
    pub port: Port,
    /// Its part in a call.
    pub call: Call,
}

/// The two classes of delivery.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// May be lost, duplicated and reordered; the sender is not notified.
    Datagram,
    /// In order, without loss while the connection lives; a failure is reported to the sender.
    Reliable,
}

impl Class {
    /// The class's name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Datagram => "datagram",
            Class::Reliable => "reliable",
        }
    }
}

/// Why a reliable message is not known to be delivered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Undelivered {
    /// The other peer stopped or lives another life.
    Reset,
    /// Nothing was heard for the connection's time-out.
    Timeout,
    /// Another identity than the one that the sender [trusts](crate::Context::trust) is at the
    /// address.
    Identity,
    /// Nothing was heard for the connection's time-out, since one of the two processes does not
    /// admit the other: it has another secret, or is not on the list. Live only.
    Admission,
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Undelivered::Reset => "the other peer stopped or lives another life",
            Undelivered::Timeout => "nothing was heard from the other peer in time",
            Undelivered::Identity => "another identity than the trusted one is at the address",
            Undelivered::Admission => "one of the two processes does not let the other one in",
        })
    }
}

/// A typed value that passes through a runtime, which neither knows nor needs its type.
///
/// It takes 24 bytes; values of up to 16 bytes are inside, larger ones in a box.
pub struct Body(Value);

/// Stands in a body for a value that was encoded.
struct Bytes(Vec<u8>);

impl Body {
    /// A body that carries the value itself.
    #[inline]
    pub fn value<T: Send + 'static>(value: T) -> Body {
        Body(Value::new(value))
    }

    /// A body that holds nothing.
    pub fn empty() -> Body {
        Body(Value::empty())
    }

    /// A body that carries an encoded message; it is decoded when it is delivered.
    pub fn encoded(bytes: Vec<u8>) -> Body {
        Body(Value::new(Bytes(bytes)))
    }

    /// Takes the message out, decoded by the run's codec if it is encoded.
    ///
    /// # Errors
    /// Fails when encoded bytes are no `M`.
    ///
    /// # Panics
    /// Panics when the body carries a value of another type: a runtime mixed up its ports.
    #[inline]
    pub(crate) fn message<M: Message>(&mut self, codec: Codec) -> Result<M, DecodeError> {
        match self.0.extract() {
            Some(message) => Ok(message),
            None => decode(&mut self.0, codec),
        }
    }

    /// The message as JSON, for a trace; `None` where encoded bytes are no `M`.
    pub(crate) fn json<M: Message>(&self, codec: Codec) -> Option<String> {
        match self.0.get::<Bytes>() {
            None => json::<M>(self),
            Some(bytes) => codec.decode::<M>(&bytes.0).ok().as_ref().map(json_of),
        }
    }

    /// Takes the value out, if it is a `T`.
    #[inline]
    pub fn extract<T: 'static>(&mut self) -> Option<T> {
        self.0.extract()
    }

    /// The value, to look at, if it is a `T`.
    #[inline]
    pub fn get<T: 'static>(&self) -> Option<&T> {
        self.0.get()
    }

    /// Whether there is nothing to drop: no value, or one of plain bytes.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.0.is_plain()
    }

    /// Takes the body out and leaves one that holds nothing.
    #[inline(always)]
    pub fn leave(&mut self) -> Body {
        Body(self.0.leave())
    }
}

/// Decodes a message that is no value, which is what real sockets and `--wire` bring.
#[cold]
fn decode<M: Message>(value: &mut Value, codec: Codec) -> Result<M, DecodeError> {
    let bytes = value.extract::<Bytes>().expect("a body comes to its own port");
    codec.decode(&bytes.0)
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get::<Bytes>() {
            None => f.write_str("Body(value)"),
            Some(bytes) => write!(f, "Body({} bytes)", bytes.0.len()),
        }
    }
}

/// The functions of a message type, for messages whose type has been erased.
struct Coding {
    encode: fn(&Body, &mut Vec<u8>),
    json: fn(&Body) -> Option<String>,
}

/// The coding of messages of one type.
struct Of<M>(PhantomData<M>);

impl<M: Message> Of<M> {
    const POSTCARD: &'static Coding = &Coding { encode: by_postcard::<M>, json: json::<M> };
    #[cfg(feature = "bincode")]
    const BINCODE: &'static Coding = &Coding { encode: by_bincode::<M>, json: json::<M> };
}

/// The coding of messages that are encoded already.
const ENCODED: &Coding = &Coding { encode: copy, json: |_| None };

/// The encoder of one parcel's message.
#[derive(Clone, Copy)]
pub struct Encoder(&'static Coding);

impl Encoder {
    /// Appends the encoded message, which must be the one of the same parcel.
    ///
    /// # Panics
    /// Panics when it is of another type, or was taken out.
    pub fn encode(self, message: &Body, into: &mut Vec<u8>) {
        (self.0.encode)(message, into);
    }
}

/// A message in the hands of a runtime that has not decided yet whether to encode it or to keep it
/// as a value.
pub struct Parcel {
    body: Body,
    size: usize,
    coding: &'static Coding,
}

impl Parcel {
    /// A message, as a value.
    ///
    /// # Panics
    /// Panics when the codec cannot carry messages of this type.
    #[inline(always)]
    pub fn new<M: Message>(message: M, codec: Codec) -> Parcel {
        let size = codec.encoded_len(&message).unwrap_or_else(|error| panic!("{error}"));
        let coding = match codec {
            Codec::Postcard => Of::<M>::POSTCARD,
            #[cfg(feature = "bincode")]
            Codec::Bincode => Of::<M>::BINCODE,
        };
        Parcel { size, body: Body::value(message), coding }
    }

    /// A message that is encoded already: one that is sent again, or a copy.
    pub fn encoded(bytes: Vec<u8>) -> Parcel {
        Parcel { size: bytes.len(), body: Body::encoded(bytes), coding: ENCODED }
    }

    /// How long the encoded message is.
    #[inline]
    pub fn encoded_len(&self) -> usize {
        self.size
    }

    /// Appends the encoded message.
    pub fn encode(&self, into: &mut Vec<u8>) {
        (self.coding.encode)(&self.body, into);
    }

    /// The message as JSON, for a trace; `None` where it is encoded already.
    pub fn json(&self) -> Option<String> {
        (self.coding.json)(&self.body)
    }

    /// Whether there is nothing to drop: no message, or one of plain bytes.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.body.is_plain()
    }

    /// Takes the message out, with what encodes it, and leaves nothing.
    #[inline(always)]
    pub fn take_with_encoder(&mut self) -> (Body, Encoder) {
        (self.body.leave(), Encoder(self.coding))
    }

    /// Takes the message out and leaves nothing.
    #[inline(always)]
    pub fn take(&mut self) -> Body {
        self.body.leave()
    }

    /// The message that was put in, when nobody took it.
    pub(crate) fn take_back<M: Message>(mut self) -> M {
        self.body.extract().expect("a refused parcel is untouched")
    }
}

/// A message as JSON; a text that says why where JSON has no place for it.
fn json_of<M: Message>(message: &M) -> String {
    let cannot =
        |error: serde_json::Error| format!("\"{}\"", error.to_string().replace(['"', '\\'], "'"));
    serde_json::to_string(message).unwrap_or_else(cannot)
}

fn json<M: Message>(body: &Body) -> Option<String> {
    body.get::<M>().map(json_of)
}

fn by_postcard<M: Message>(body: &Body, into: &mut Vec<u8>) {
    encode::<M>(body, Codec::Postcard, into);
}

#[cfg(feature = "bincode")]
fn by_bincode<M: Message>(body: &Body, into: &mut Vec<u8>) {
    encode::<M>(body, Codec::Bincode, into);
}

#[inline(always)]
fn encode<M: Message>(body: &Body, codec: Codec, into: &mut Vec<u8>) {
    let message: &M = body.get().expect("a parcel is encoded before it is taken");
    codec.encode(message, into).unwrap_or_else(|error| panic!("{error}"));
}

fn copy(body: &Body, into: &mut Vec<u8>) {
    let bytes: &Bytes = body.get().expect("a parcel is encoded before it is taken");
    into.extend_from_slice(&bytes.0);
}
