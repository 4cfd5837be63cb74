//! What a runtime must give the peers it runs.
//!
//! A peerlet decides, a runtime acts: everything a peerlet does goes through its
//! [`Context`](crate::Context), and the context hands it on to the four traits here. Whoever
//! implements [`World`] and drives a [`Host`](crate::Host) has written a runtime; the suite in
//! `peerlet-conformance` says whether it keeps the contract.

use std::any::Any;
use std::fmt;

use crate::address::{Address, Contact, Seat};
use crate::random::Seed;
use crate::time::Time;

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
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Undelivered::Reset => "the other peer stopped or lives another life",
            Undelivered::Timeout => "nothing was heard from the other peer in time",
        })
    }
}

/// A typed value on its way through a runtime, which neither knows nor needs its type.
pub struct Body(Content);

enum Content {
    Value(Box<dyn Any + Send>),
    Encoded(Vec<u8>),
}

impl Body {
    /// A body that carries the value itself.
    pub fn value<T: Send + 'static>(value: T) -> Body {
        Body(Content::Value(Box::new(value)))
    }

    /// A body that carries an encoded message; it is decoded when it is delivered.
    pub fn encoded(bytes: Vec<u8>) -> Body {
        Body(Content::Encoded(bytes))
    }

    /// The message inside.
    ///
    /// # Errors
    /// Fails when encoded bytes are no `M`.
    ///
    /// # Panics
    /// Panics when the body carries a value of another type: a runtime mixed up its ports.
    pub(crate) fn message<M: crate::wire::Message>(self) -> Result<M, crate::wire::DecodeError> {
        match self.0 {
            Content::Value(value) => Ok(*value.downcast().expect("a body comes to its own port")),
            Content::Encoded(bytes) => crate::wire::decode(&bytes),
        }
    }

    /// The value inside, which never travelled.
    pub(crate) fn into_value<T: 'static>(self) -> T {
        match self.0 {
            Content::Value(value) => *value.downcast().expect("a body comes to its own port"),
            Content::Encoded(_) => panic!("a timer was encoded: only messages travel"),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Content::Value(_) => f.write_str("Body(value)"),
            Content::Encoded(bytes) => write!(f, "Body({} bytes)", bytes.len()),
        }
    }
}

/// A message in the hands of a runtime that has not decided yet whether to encode it or to keep it
/// as a value.
pub trait Parcel {
    /// How long the encoded message is.
    fn encoded_len(&self) -> usize;
    /// Appends the encoded message.
    fn encode(&self, into: &mut Vec<u8>);
    /// Takes the value out. A parcel is taken at most once.
    fn take(&mut self) -> Body;
}

/// A message that is encoded already: one that is sent again, or a copy.
pub struct Encoded(pub Vec<u8>);

impl Parcel for Encoded {
    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.0);
    }

    fn take(&mut self) -> Body {
        Body::encoded(std::mem::take(&mut self.0))
    }
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
        /// When it is due, by the peer's clock.
        due: Time,
        /// The timer's value.
        body: Body,
    },
    /// A task's operation has waited long enough.
    Wake {
        /// Which task.
        task: u32,
        /// Which of its operations.
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
}

/// The queue to this destination is full; `writable` is called once when half of it is free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue to this peer is full; wait for `writable`")
    }
}

impl std::error::Error for Full {}

/// The network, as one peer sees it.
pub trait Network {
    /// Where this peer is reached, and who it is.
    fn contact(&self) -> Contact;
    /// Sends a datagram.
    fn send(&mut self, to: Address, header: Header, parcel: &mut dyn Parcel);
    /// Queues a message for reliable delivery.
    ///
    /// # Errors
    /// When the destination's queue is full; the parcel is then untouched.
    fn send_reliably(
        &mut self,
        to: Address,
        header: Header,
        parcel: &mut dyn Parcel,
    ) -> Result<(), Full>;
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
}
