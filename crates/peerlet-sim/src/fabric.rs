//! Everything between the peers of one worker and all others: its queue of events, the network
//! model, the accounts.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use peerlet_core::{Duration, NANOSECOND, Seat, Seed, Time};
use peerlet_measure::{DropCause, Ledger, Recorder};
use peerlet_network::{Arrival, Cause, Departure, Model, Packet};

use crate::chart::{Chart, Doings};
use crate::event::{Event, Key};
use crate::heap::Heap;
use crate::ring::Ring;

/// An instant and the round within it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Moment {
    pub(crate) time: Time,
    pub(crate) round: u32,
}

/// The events that wait.
pub(crate) enum Queue {
    Heap(Heap),
    Ring(Ring),
}

/// What every worker of a run is given.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) seed: Seed,
    pub(crate) model: Arc<Box<dyn Model>>,
    pub(crate) chart: Arc<Chart>,
    pub(crate) wire: bool,
    pub(crate) connection_timeout: Duration,
    /// Whether somebody was warned of a command that found no peerlet.
    pub(crate) warned: Arc<AtomicBool>,
}

/// What lies between the peers of one worker and all others.
pub(crate) struct Fabric {
    pub(crate) seed: Seed,
    pub(crate) queue: Queue,
    pub(crate) model: Arc<Box<dyn Model>>,
    pub(crate) lookahead: Duration,
    /// Whether a datagram needs nothing but itself.
    pub(crate) plain: bool,
    pub(crate) has_arrival: bool,
    /// The worker's seats.
    pub(crate) seats: std::ops::Range<u32>,
    /// The models' states, by row; nothing where models have none.
    outbound: Vec<peerlet_network::State>,
    inbound: Vec<peerlet_network::State>,
    /// The digests over the payloads that were delivered, by row; nothing without `--wire`.
    pub(crate) payloads: Vec<u64>,
    pub(crate) chart: Arc<Chart>,
    pub(crate) doings: Doings,
    pub(crate) ledger: Ledger,
    pub(crate) recorder: Recorder,
    pub(crate) wire: bool,
    pub(crate) connection_timeout: Duration,
    /// The first peer that ran out of rounds.
    pub(crate) endless: Option<(Time, Seat)>,
}

impl Fabric {
    pub(crate) fn new(
        common: Common,
        seats: std::ops::Range<u32>,
        recorder: Recorder,
        queue: Queue,
    ) -> Fabric {
        let Common { seed, model, chart, wire, connection_timeout, .. } = common;
        let rows = seats.len();
        let has_arrival = model.has_arrival();
        Fabric {
            seed,
            queue,
            lookahead: model.lookahead().max(NANOSECOND),
            plain: !wire && !has_arrival,
            has_arrival,
            outbound: states(seats.clone().map(|seat| model.outbound(Seat(seat)))),
            inbound: states(seats.clone().map(|seat| model.inbound(Seat(seat)))),
            seats,
            payloads: if wire { vec![0; rows] } else { Vec::new() },
            model,
            chart,
            doings: Doings::default(),
            ledger: Ledger::default(),
            recorder,
            wire,
            connection_timeout,
            endless: None,
        }
    }

    /// The seat's row among those of this worker.
    #[inline(always)]
    pub(crate) fn row(&self, seat: Seat) -> usize {
        seat.0.wrapping_sub(self.seats.start) as usize
    }

    pub(crate) fn push(&mut self, key: Key, event: Event) {
        match &mut self.queue {
            Queue::Ring(ring) => ring.push(key, event),
            Queue::Heap(heap) => heap.push(key, event),
        }
    }

    #[cold]
    pub(crate) fn give_up(&mut self, seat: Seat, at: Time) {
        self.endless = self.endless.into_iter().chain([(at, seat)]).min();
    }

    /// What the model says of a packet that departs, not checked yet.
    #[inline(always)]
    pub(crate) fn ask(&mut self, packet: &Packet) -> Departure {
        if !self.outbound.is_empty() {
            let row = self.row(packet.from);
            return self.model.depart(packet, &mut self.outbound[row]);
        }
        let mut state = None;
        let fate = self.model.depart(packet, &mut state);
        if state.is_some() {
            keep(&mut self.outbound, state, packet.from, &self.seats);
        }
        fate
    }

    /// Asks the receiving side of the model whether a packet that arrives gets through.
    pub(crate) fn arrive(&mut self, packet: &Packet) -> Arrival {
        if !self.inbound.is_empty() {
            let row = self.row(packet.to);
            return self.model.arrive(packet, &mut self.inbound[row]);
        }
        let mut state = None;
        let fate = self.model.arrive(packet, &mut state);
        if state.is_some() {
            keep(&mut self.inbound, state, packet.to, &self.seats);
        }
        fate
    }

    /// A delay of nothing becomes one of a nanosecond; any other that is shorter than the lookahead
    /// is a mistake of the model's.
    pub(crate) fn checked(&self, fate: Departure) -> Departure {
        let check = |after: Duration| {
            assert!(
                after >= self.lookahead || after.as_nanos() == 0 && self.lookahead <= NANOSECOND,
                "the network model says {after}, less than its own lookahead of {}",
                self.lookahead
            );
            after.max(NANOSECOND)
        };
        match fate {
            Departure::Arrive { after } => Departure::Arrive { after: check(after) },
            Departure::Twice { first, second } => {
                Departure::Twice { first: check(first), second: check(second) }
            }
            Departure::Drop(_) => fate,
        }
    }

    /// Counts the messages that are still on their way.
    pub(crate) fn count_in_flight(&mut self) {
        let ledger = &mut self.ledger;
        let message = |class| ledger.of(class).in_flight += 1;
        match &self.queue {
            Queue::Ring(ring) => ring.count(message),
            Queue::Heap(heap) => heap.iter().filter_map(Event::class).for_each(message),
        }
    }
}

/// Keeps a state that a model made for a peer to which it gave none at the start.
#[cold]
fn keep(
    states: &mut Vec<peerlet_network::State>,
    state: peerlet_network::State,
    seat: Seat,
    seats: &std::ops::Range<u32>,
) {
    states.resize_with(seats.len(), || None);
    states[(seat.0 - seats.start) as usize] = state;
}

/// The states that a model gives its peers; none at all where it gives nothing to anybody.
fn states(given: impl Iterator<Item = peerlet_network::State>) -> Vec<peerlet_network::State> {
    let states: Vec<_> = given.collect();
    if states.iter().any(Option::is_some) { states } else { Vec::new() }
}

/// The ledger's name for why a model dropped something.
pub(crate) fn drop_cause(cause: Cause) -> DropCause {
    match cause {
        Cause::Loss => DropCause::Loss,
        Cause::Queue => DropCause::Queue,
        Cause::Partition => DropCause::Partition,
        Cause::Nat => DropCause::Nat,
    }
}
