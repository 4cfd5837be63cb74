//! The traits that a runtime implements.
//!
//! A peerlet decides, a runtime acts: everything a peerlet does goes through its
//! [`Context`](crate::Context), and the context passes it to the four traits here. A runtime
//! implements [`World`] and drives a [`Host`](crate::runtime::Host); the suite in
//! `peerlet-conformance` says whether it keeps the contract.

use crate::address::{Address, Contact, Identity, Seat};
use crate::packed_event::PackedEvent;
use crate::parcel::{Body, Header, MetricIndex, Parcel, Port};
use crate::random::Seed;
use crate::refusal::Refusal;
use crate::time::Time;
use crate::trust::TrustError;

/// A notification that a peer requested for a certain time.
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
    /// The last sweep of this peer's obsolete alarms.
    fn swept(&self) -> Swept {
        Swept::default()
    }
}

/// A sweep of the waiting alarms: those of timers that had been canceled before `at` and were due
/// after `beyond` are gone. By default there was none yet.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Swept {
    /// When.
    pub at: Time,
    /// Alarms due up to this time were not examined: not before `at`.
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
    /// When there are no identities, or the peer trusts
    /// [`TRUSTED_MAX`](crate::runtime::TRUSTED_MAX) others.
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

/// The seats of the scenario: for workloads and scenarios, which may know more than an overlay.
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

/// The services of a runtime for one peer while it handles one event.
pub trait World: Clock + Network + Entropy + Record {
    /// The peer's own seat.
    fn seat(&self) -> Seat;
    /// All seats.
    fn seats(&self) -> &dyn Seats;
    /// From now on this is the world of the peer in this row, whose event it is, and the event
    /// counts as handled. False when this event and all behind it must wait. `later` is a row whose
    /// event comes before long. A world that is never asked to [run
    /// many](crate::runtime::Host::run) has no use for it.
    fn take_event(&mut self, _event: &PackedEvent, _row: u32, _later: u32) -> bool {
        false
    }
    /// The event that was taken last was not handled after all: there is no such peerlet, or the
    /// timer was canceled.
    fn pass_event(&mut self, _event: &PackedEvent) {}
}
