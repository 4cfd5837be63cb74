//! The books of an event: its seat's digest, the account of messages, the count and the trace.
//!
//! Each engine path, for single events and for many at once, books an event here before it is
//! handled, and strikes it out here when nobody handled it. So all paths count the same.

use peerlet_core::runtime::{Call, Class, Port};
use peerlet_measure::DropCause;

use crate::digest::EventKind;
use crate::sim_world::SimWorld;
use crate::trace::Handled;
use crate::worker_state::Moment;

/// An event of the current peer, with the fields that the books need.
#[derive(Clone, Copy)]
pub(crate) struct Booked {
    pub(crate) kind: EventKind,
    /// 0 for the environment, seat + 1 for a peer.
    pub(crate) source: u32,
    pub(crate) seq: u64,
    pub(crate) port: Option<Port>,
    pub(crate) call: Call,
    pub(crate) payload: u64,
    /// The class of an arriving message.
    pub(crate) class: Option<Class>,
}

impl Booked {
    /// An event that concerns the whole peer.
    #[inline(always)]
    pub(crate) fn new(kind: EventKind, source: u32, seq: u64) -> Booked {
        let (port, call, payload, class) = (None, Call::None, 0, None);
        Booked { kind, source, seq, port, call, payload, class }
    }

    /// A datagram that is no part of a call, as a value.
    #[inline(always)]
    pub(crate) fn datagram(source: u32, seq: u64, port: Port) -> Booked {
        let class = Some(Class::Datagram);
        Booked { port: Some(port), class, ..Booked::new(EventKind::Deliver, source, seq) }
    }

    #[inline(always)]
    pub(crate) fn timer(source: u32, seq: u64, port: Port) -> Booked {
        Booked { port: Some(port), ..Booked::new(EventKind::Timer, source, seq) }
    }
}

impl SimWorld<'_> {
    /// Books an event. `SHOWN` is whether there may be a trace.
    #[inline(always)]
    pub(crate) fn book<const SHOWN: bool>(&mut self, booked: Booked) {
        let Booked { kind, source, seq, port, call, payload, class } = booked;
        let Moment { time, round } = self.now;
        let worker = &mut *self.worker;
        let Some(seat_state) = worker.seat_states.get_mut(self.row) else { return };
        let (seat, life) = (self.seat, seat_state.life);
        let event = Handled { time, round, seat, kind, source, seq, life, port, call, payload };
        self.before = seat_state.digest;
        seat_state.digest.add(&event);
        worker.events = worker.events.wrapping_add(1);
        if let Some(class) = class {
            let flow = worker.ledger.of(class);
            flow.delivered = flow.delivered.wrapping_add(1);
        }
        if SHOWN && let Some(trace) = &mut worker.trace {
            trace.push(event);
        }
        if SHOWN {
            if class.is_some() {
                worker.count_delivered(self.row, true);
            }
            self.tell_booked(&booked);
        }
    }

    /// Strikes out the event that was booked last: nobody handled it. A message was dropped then.
    #[cold]
    pub(crate) fn strike_out(&mut self, class: Option<Class>) {
        self.seat_state().digest = self.before;
        self.untell();
        let worker = &mut *self.worker;
        worker.events -= 1;
        if let Some(class) = class {
            let flow = worker.ledger.of(class);
            flow.delivered -= 1;
            flow.drop_for(DropCause::Decode);
            worker.count_delivered(self.row, false);
        }
        if let Some(trace) = &mut worker.trace {
            trace.pop();
        }
    }
}
