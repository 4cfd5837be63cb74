//! Locations of events in the terms of a peerlet's author, and the tracing of a panic back to its
//! handler.
//!
//! A guard surrounds every call of a handler. It is forgotten when the handler returns, so it costs
//! nothing; only a panic that unwinds through it runs its destructor, which notes the row, the
//! peerlet and the handler.

use std::fmt;
use std::mem;

use crate::address::Seat;
use crate::context::{Env, HostShared};
use crate::time::Time;

/// A kind of handler, or another part of a user's program that a runtime calls.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Handler {
    /// The function that builds the stack of a seat's peer.
    Build,
    /// `Peerlet::init`.
    Init,
    /// `Peerlet::start`.
    Start,
    /// `Peerlet::stop`.
    Stop,
    /// `Peerlet::message`, the decoding of the message included.
    Message,
    /// `Peerlet::timer`.
    Timer,
    /// `Peerlet::undelivered`.
    Undelivered,
    /// `Peerlet::writable`.
    Writable,
    /// A command of the environment.
    Command,
    /// A handler of local events.
    Event,
    /// A task.
    Task,
    /// A closure that the program around the run called on a peerlet.
    Closure,
    /// The destructor of a peerlet or a task.
    Drop,
}

impl Handler {
    /// Its name as a peerlet's author writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Handler::Build => "build",
            Handler::Init => "init",
            Handler::Start => "start",
            Handler::Stop => "stop",
            Handler::Message => "message",
            Handler::Timer => "timer",
            Handler::Undelivered => "undelivered",
            Handler::Writable => "writable",
            Handler::Command => "command",
            Handler::Event => "event",
            Handler::Task => "task",
            Handler::Closure => "closure",
            Handler::Drop => "drop",
        }
    }
}

/// The location of an event: the peer, its peerlet and handler, and the time.
///
/// ```
/// use peerlet_core::{SECOND, Seat, Time};
/// use peerlet_core::runtime::{Handler, Location};
/// let place = Location {
///     seat: Seat(3),
///     life: 1,
///     peerlet: Some("chord"),
///     handler: Handler::Timer,
///     time: Time::ZERO + SECOND * 2,
/// };
/// assert_eq!(place.to_string(), "peer 3 (life 1), peerlet `chord`, handler `timer`, at 2s");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Location {
    /// The peer's seat.
    pub seat: Seat,
    /// Its life; 0 before the first.
    pub life: u32,
    /// The name of the peerlet; `None` where several share the handler, or none has it.
    pub peerlet: Option<&'static str>,
    /// The handler.
    pub handler: Handler,
    /// The time of the event, in the engine's time.
    pub time: Time,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Location { seat, life, peerlet, handler, time } = self;
        write!(f, "peer {} (life {life}), ", seat.0)?;
        if let Some(peerlet) = peerlet {
            write!(f, "peerlet `{peerlet}`, ")?;
        }
        write!(f, "handler `{}`, at {time}", handler.name())
    }
}

/// The handler that a panic unwound through.
#[derive(Clone, Copy)]
pub(crate) struct Unwound {
    pub(crate) row: usize,
    pub(crate) peerlet: Option<&'static str>,
    pub(crate) handler: Handler,
}

/// Calls a peerlet's handler. A panic in it is noted on its way out.
#[inline(always)]
pub(crate) fn guarded<'e, R>(
    env: &mut Env<'e>,
    peerlet: &'static str,
    handler: Handler,
    act: impl FnOnce(&mut Env<'e>) -> R,
) -> R {
    let guard = Guard { env, peerlet, handler };
    let result = act(&mut *guard.env);
    mem::forget(guard);
    result
}

struct Guard<'g, 'e> {
    env: &'g mut Env<'e>,
    peerlet: &'static str,
    handler: Handler,
}

impl Drop for Guard<'_, '_> {
    #[cold]
    fn drop(&mut self) {
        let (row, peerlet, handler) = (self.env.row(), Some(self.peerlet), self.handler);
        self.env.house.note_unwinding(Unwound { row, peerlet, handler });
    }
}

/// The same around what has no environment.
pub(crate) struct RowGuard<'a>(&'a HostShared, Unwound);

impl<'a> RowGuard<'a> {
    pub(crate) fn new(
        house: &'a HostShared,
        row: usize,
        peerlet: Option<&'static str>,
        handler: Handler,
    ) -> RowGuard<'a> {
        RowGuard(house, Unwound { row, peerlet, handler })
    }

    /// It came back.
    pub(crate) fn done(self) {
        mem::forget(self);
    }
}

impl Drop for RowGuard<'_> {
    fn drop(&mut self) {
        self.0.note_unwinding(self.1);
    }
}
