//! What a runtime must give the peers it runs.
//!
//! A peerlet decides, a runtime acts: everything a peerlet does goes through its
//! [`Context`](crate::Context), and the context hands it on to the four traits here. Whoever
//! implements [`World`] and drives a [`Host`](crate::Host) has written a runtime; the suite in
//! `peerlet-conformance` says whether it keeps the contract.

use std::fmt;

use peerlet_memory::Value;

use crate::address::{Address, Contact, Identity, Seat};
use crate::random::Seed;
use crate::refusal::Refusal;
use crate::time::Time;
use crate::trust::TrustError;
use crate::turn::Turn;

/// Which peerlet type a message, a timer or a command is for: its index in the run's
/// [`Registry`](crate::Registry).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Port(pub u16);

/// Which metric a value belongs to: its index in the run's [`Registry`](crate::Registry).
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

/// What travels with every message.
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
    /// May be lost, duplicated and reordered; the sender is not told.
    Datagram,
    /// In order, without loss while the connection lives; failure is told.
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
    /// Nothing was heard for the connection's time-out, since one of the two processes does not let
    /// the other one in: it has another secret, or is not on the list. Live only.
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

/// A typed value on its way through a runtime, which neither knows nor needs its type.
///
/// It takes 24 bytes; values of up to 16 bytes are inside, larger ones in a box.
pub struct Body(Value);

/// What a body holds in place of a value that was encoded.
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

    /// Takes the message out.
    ///
    /// # Errors
    /// Fails when encoded bytes are no `M`.
    ///
    /// # Panics
    /// Panics when the body carries a value of another type: a runtime mixed up its ports.
    #[inline]
    pub(crate) fn message<M: crate::wire::Message>(
        &mut self,
    ) -> Result<M, crate::wire::DecodeError> {
        match self.0.extract() {
            Some(message) => Ok(message),
            None => decode(&mut self.0),
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
fn decode<M: crate::wire::Message>(value: &mut Value) -> Result<M, crate::wire::DecodeError> {
    let bytes = value.extract::<Bytes>().expect("a body comes to its own port");
    crate::wire::decode(&bytes.0)
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get::<Bytes>() {
            None => f.write_str("Body(value)"),
            Some(bytes) => write!(f, "Body({} bytes)", bytes.0.len()),
        }
    }
}

/// What encodes the message of one parcel.
#[derive(Clone, Copy)]
pub struct Codec(fn(&Body, &mut Vec<u8>));

impl Codec {
    /// Appends the encoded message, which must be the one of the same parcel.
    ///
    /// # Panics
    /// Panics when it is of another type, or was taken out.
    pub fn encode(self, message: &Body, into: &mut Vec<u8>) {
        (self.0)(message, into);
    }
}

/// A message in the hands of a runtime that has not decided yet whether to encode it or to keep it
/// as a value.
pub struct Parcel {
    body: Body,
    size: usize,
    encode: fn(&Body, &mut Vec<u8>),
}

impl Parcel {
    /// A message, as a value.
    ///
    /// # Panics
    /// Panics when the codec cannot carry messages of this type.
    #[inline(always)]
    pub fn new<M: crate::wire::Message>(message: M) -> Parcel {
        let size = crate::wire::encoded_len(&message).unwrap_or_else(|error| panic!("{error}"));
        Parcel { size, body: Body::value(message), encode: encode::<M> }
    }

    /// A message that is encoded already: one that is sent again, or a copy.
    pub fn encoded(bytes: Vec<u8>) -> Parcel {
        Parcel { size: bytes.len(), body: Body::encoded(bytes), encode: copy }
    }

    /// How long the encoded message is.
    #[inline]
    pub fn encoded_len(&self) -> usize {
        self.size
    }

    /// Appends the encoded message.
    pub fn encode(&self, into: &mut Vec<u8>) {
        (self.encode)(&self.body, into);
    }

    /// Whether there is nothing to drop: no message, or one of plain bytes.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.body.is_plain()
    }

    /// Takes the message out, with what encodes it, and leaves nothing.
    #[inline(always)]
    pub fn take_with_codec(&mut self) -> (Body, Codec) {
        (self.body.leave(), Codec(self.encode))
    }

    /// Takes the message out and leaves nothing.
    #[inline(always)]
    pub fn take(&mut self) -> Body {
        self.body.leave()
    }

    /// The message that was put in, when nobody took it.
    pub(crate) fn take_back<M: crate::wire::Message>(mut self) -> M {
        self.body.extract().expect("a refused parcel is untouched")
    }
}

fn encode<M: crate::wire::Message>(body: &Body, into: &mut Vec<u8>) {
    let message: &M = body.get().expect("a parcel is encoded before it is taken");
    crate::wire::encode(message, into).unwrap_or_else(|error| panic!("{error}"));
}

fn copy(body: &Body, into: &mut Vec<u8>) {
    let bytes: &Bytes = body.get().expect("a parcel is encoded before it is taken");
    into.extend_from_slice(&bytes.0);
}

/// Something that a peer asked to be told at a time.
#[derive(Debug)]
pub enum Alarm {
    /// A peerlet's timer.
    Timer {
        /// Whose it is.
        port: Port,
        /// The life's own number of this timer.
        handle: u32,
        /// The timer's value.
        body: Body,
    },
    /// A task's operation has waited long enough.
    Wake {
        /// Which task.
        task: u32,
        /// Which of its operations, by the task's own number.
        operation: u32,
    },
}

/// Time, as one peer sees it.
pub trait Clock {
    /// The peer's local time.
    fn now(&self) -> Time;
    /// Brings the alarm back to the peer, in its present life, when its clock shows `at`; at once
    /// where that is past.
    fn set_alarm(&mut self, at: Time, alarm: Alarm);
    /// As [`set_alarm`](Clock::set_alarm) with an [`Alarm::Timer`]: most alarms are.
    fn set_timer(&mut self, at: Time, port: Port, handle: u32, body: Body) {
        self.set_alarm(at, Alarm::Timer { port, handle, body });
    }
    /// Every alarm of the peer that was due before this instant has been brought to it. A world
    /// that may be late with alarms says how late; one that cannot tell says [`Time::ZERO`].
    fn settled(&self) -> Time {
        self.now()
    }
    /// The last look through this peer's alarms for those that are of no use.
    fn swept(&self) -> Swept {
        Swept::default()
    }
}

/// A look through the alarms that wait: those of timers that had been taken back before `at` and
/// were due after `beyond` are gone. By default there was none yet.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Swept {
    /// When.
    pub at: Time,
    /// How near alarms may be due that were not looked at: not before `at`.
    pub beyond: Time,
}

/// The network, as one peer sees it.
pub trait Network {
    /// Where this peer is reached, and who it is.
    fn contact(&self) -> Contact;
    /// Where this peer is reached.
    fn address(&self) -> Address {
        self.contact().address
    }
    /// Sends a datagram.
    fn send(&mut self, to: Address, header: Header, parcel: Parcel);
    /// Sends a datagram to each of the others on this peer's local network.
    fn broadcast(&mut self, header: Header, parcel: Parcel);
    /// Queues a message for reliable delivery.
    ///
    /// # Errors
    /// When the destination's queue is full or the message too large; the parcel is then untouched.
    fn send_reliably(
        &mut self,
        to: Address,
        header: Header,
        parcel: &mut Parcel,
    ) -> Result<(), Refusal>;
    /// From now on, until its life ends, this peer reaches the address at this identity only; with
    /// `None`, at any. Other peers are not affected. Default: there are no identities.
    ///
    /// # Errors
    /// When there are no identities, or the peer trusts [`TRUSTED_MAX`](crate::TRUSTED_MAX) others.
    fn trust(&mut self, _at: Address, _identity: Option<Identity>) -> Result<(), TrustError> {
        Err(TrustError::NoIdentities)
    }
}

/// Randomness, as one peer sees it.
pub trait Entropy {
    /// Where the randomness of this life of the peer begins.
    fn seed(&self, life: u32) -> Seed;
    /// Fills the buffer with bytes that others cannot guess.
    fn secret(&mut self, into: &mut [u8]);
}

/// The measurements, as one peer sees them.
pub trait Record {
    /// Records a value in quanta of its metric. Gauges keep the last one.
    fn record(&mut self, metric: MetricIndex, quanta: i64);
}

/// The seats of the scenario: for workloads and scenarios, which may know what no overlay knows.
pub trait Seats {
    /// How many seats there are.
    fn count(&self) -> u32;
    /// Where the peer in this seat is reached; `None` while that is not known or there is no such
    /// seat.
    fn address(&self, seat: Seat) -> Option<Address>;
    /// Whether the scenario has this seat running now. A process killed from outside is not the
    /// scenario's doing.
    fn running(&self, seat: Seat) -> bool;
}

/// Everything that a runtime gives one peer while it handles one event.
pub trait World: Clock + Network + Entropy + Record {
    /// The peer's own seat.
    fn seat(&self) -> Seat;
    /// All seats.
    fn seats(&self) -> &dyn Seats;
    /// From now on this is the world of the peer in this row, whose turn it is, and the turn counts
    /// as handled. False when that one and all behind it are to wait. `later` is a row whose turn
    /// comes before long. A world that is never asked to [run many](crate::Host::run) has no use
    /// for it.
    fn take_turn(&mut self, _turn: &Turn, _row: u32, _later: u32) -> bool {
        false
    }
    /// The turn that was taken last was not handled after all: there is no such peerlet, or the
    /// timer was taken back.
    fn pass_turn(&mut self, _turn: &Turn) {}
}
