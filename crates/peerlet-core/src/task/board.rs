//! Where a task and its peer exchange operations and answers.

use std::any::TypeId;
use std::mem;
use std::task::Waker;

use peerlet_memory::Value;

use super::listeners::Filter;
use super::listening::ListenError;
use super::wake::Kept;
use crate::address::Address;
use crate::context::Context;
use crate::parcel::Class;
use crate::peerlet::Peerlet;
use crate::small_map::SmallMap;
use crate::time::Duration;

/// Where a task and its peer exchange operations and answers. Both sides run on one thread at a
/// time.
pub(super) struct Board<P: Peerlet> {
    serial: u32,
    pub(super) requests: Vec<(u32, Request<P>)>,
    slots: SmallMap<u32, Slot>,
    /// Where the waker points to with which the task itself is polled, which wakes nothing.
    pub(super) anchor: usize,
    /// How many answers were taken, since the peer last looked, that had been counted as late.
    pub(super) timely: u64,
}

type Act<P> = Box<dyn FnOnce(&mut P, &mut Context<'_, '_, P>) -> Value + Send>;

/// A request of a task to its peer.
pub(super) enum Request<P: Peerlet> {
    Call {
        to: Address,
        message: P::Message,
        within: Duration,
        tries: u32,
        class: Class,
    },
    /// The call that had this number is waited for again, this long.
    Again {
        before: u32,
        within: Duration,
    },
    Sleep(Duration),
    With(Act<P>),
    /// A local event is waited for.
    Listen(Box<Listen<P>>),
    /// The operation is waited for at most this long from now on.
    Limit(Duration),
    /// The task no longer waits for the operation.
    Forget,
}

/// A request to wait for a local event.
pub(super) struct Listen<P: Peerlet> {
    pub(super) event: TypeId,
    pub(super) listen_for: ListenFor<P>,
    /// The result when it does not come.
    pub(super) fail: fn(ListenError) -> Value,
    pub(super) within: Option<Duration>,
}

/// The event that is waited for.
pub(super) enum ListenFor<P: Peerlet> {
    /// The first that the filter accepts.
    Accepted(Filter),
    /// The answer to what this asks.
    AnswerTo(Asking<P>),
}

pub(super) type Asking<P> =
    Box<dyn FnOnce(&mut P, &mut Context<'_, '_, P>) -> Option<Filter> + Send>;

/// The state of an operation.
enum Slot {
    /// Whom to wake when it is answered.
    Waits(Kept),
    Answered(Reply),
}

/// The result of an operation.
pub(super) struct Reply {
    pub(super) value: Value,
    /// Whether it was counted as late when it came.
    pub(super) is_late: bool,
}

/// The remains of an operation: to be dropped when the board is free again, since it may belong
/// to the same task.
pub(super) struct Removed {
    slot: Option<Slot>,
}

impl Removed {
    pub(super) fn was_answered(&self) -> bool {
        matches!(self.slot, Some(Slot::Answered(_)))
    }
}

impl<P: Peerlet> Board<P> {
    pub(super) fn new() -> Board<P> {
        let (requests, slots) = (Vec::with_capacity(1), SmallMap::default());
        Board { serial: 0, requests, slots, anchor: 0, timely: 0 }
    }

    /// Asks something of the peer, and waits for it; returns the task's own number of the
    /// operation.
    pub(super) fn ask(&mut self, request: Request<P>, waker: &Waker) -> u32 {
        let own = self.ask_unwatched(request);
        self.wait(own, waker);
        own
    }

    /// Asks something of the peer for which nobody waits yet.
    pub(super) fn ask_unwatched(&mut self, request: Request<P>) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.requests.push((self.serial, request));
        self.serial
    }

    /// Has somebody woken when the operation is answered, unless the task itself waits for it.
    pub(super) fn wait(&mut self, own: u32, waker: &Waker) {
        let is_own = waker.data().addr() == self.anchor;
        match self.slots.get(own) {
            None if is_own => {}
            Some(Slot::Waits(kept)) if kept.is(waker) => {}
            Some(_) if is_own => drop(self.slots.remove(own)),
            _ => self.slots.insert(own, Slot::Waits(Kept::new(waker))),
        }
    }

    /// Answers an operation.
    pub(super) fn post(&mut self, own: u32, value: Value, is_late: bool) {
        self.slots.insert(own, Slot::Answered(Reply { value, is_late }));
    }

    pub(super) fn is_answered(&self, own: u32) -> bool {
        matches!(self.slots.get(own), Some(Slot::Answered(_)))
    }

    /// Takes the answer, if it is there.
    pub(super) fn take(&mut self, own: u32) -> Option<Reply> {
        if !self.is_answered(own) {
            return None;
        }
        match self.slots.remove(own) {
            Some(Slot::Answered(reply)) => Some(reply),
            _ => None,
        }
    }

    /// Forgets an operation.
    #[must_use = "it is dropped when the board is free again"]
    pub(super) fn remove(&mut self, own: u32) -> Removed {
        Removed { slot: self.slots.remove(own) }
    }

    /// Takes the requests made since the last time, in exchange for room for more.
    pub(super) fn swap_requests(&mut self, room: &mut Vec<(u32, Request<P>)>) {
        mem::swap(&mut self.requests, room);
    }
}
