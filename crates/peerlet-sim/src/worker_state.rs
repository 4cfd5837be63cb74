//! Per-worker engine state: seat states, the queue of events, the network model, the accounts.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use peerlet_core::runtime::{PackedEvent, Parcel, Port, Swept, Tampering, Tampers};
use peerlet_core::{Codec, Duration, Map, NANOSECOND, Seat, Seed, Time};
use peerlet_measure::{Ledger, Recorder};
use peerlet_memory::Table;
use peerlet_network::{Arrival, Departure, Model, Packet, SeatStates};

use crate::batch::Batch;
use crate::calendar_queue::CalendarQueue;
use crate::event::{Event, Key};
use crate::heap::Heap;
use crate::outbox::Outbox;
use crate::packed::Chunk;
use crate::pause::Pauses;
use crate::peer_counts::PeerCounts;
use crate::running_seats::{RunningSeats, WindowDirectives};
use crate::seat_state::SeatState;
use crate::story::Story;
use crate::trace::Handled;

/// An instant and the round within it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Moment {
    pub(crate) time: Time,
    pub(crate) round: u32,
}

/// The settings that all workers of a run share.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) seed: Seed,
    pub(crate) model: Arc<Box<dyn Model>>,
    pub(crate) running_seats: Arc<RunningSeats>,
    pub(crate) wire: bool,
    pub(crate) handshakes: bool,
    pub(crate) identities: bool,
    pub(crate) connection_timeout: Duration,
    pub(crate) message_max: usize,
    pub(crate) codec: Codec,
    pub(crate) warned: Arc<Warned>,
}

/// The state of one worker, besides its peers' peerlets.
pub(crate) struct WorkerState {
    pub(crate) seed: Seed,
    /// The worker's seats.
    pub(crate) seats: std::ops::Range<u32>,
    /// The number of all workers' seats.
    pub(crate) seats_of_all: u32,
    /// By row.
    pub(crate) seat_states: Table<SeatState>,
    /// The pending events.
    pub(crate) queue: CalendarQueue,
    /// The pending events, in the reference engine.
    pub(crate) heap: Option<Heap>,
    /// The events of the current block.
    pub(crate) batch: Batch,
    /// The chunks of the current block; none between blocks.
    pub(crate) chunks: Vec<Chunk>,
    /// The last sweep of obsolete events.
    pub(crate) swept: Swept,
    /// Datagrams whose fates are undecided.
    pub(crate) outbox: Outbox,
    pub(crate) model: Arc<Box<dyn Model>>,
    pub(crate) lookahead: Duration,
    /// Whether plain datagrams may wait in the outbox.
    pub(crate) plain: bool,
    /// Whether logs are on (`-v`), so that each event gets a tracing span.
    pub(crate) stamped: bool,
    pub(crate) has_arrival: bool,
    /// Whether a pair's first message waits for a handshake.
    pub(crate) handshakes: bool,
    /// Whether peers can verify who is at an address.
    pub(crate) identities: bool,
    pub(crate) outbound: SeatStates,
    inbound: SeatStates,
    /// The digests of the delivered payloads, by row; empty without `--wire`.
    pub(crate) payloads: Vec<u64>,
    pub(crate) running_seats: Arc<RunningSeats>,
    pub(crate) directives: WindowDirectives,
    /// The paused peers.
    pub(crate) pauses: Pauses,
    pub(crate) ledger: Ledger,
    pub(crate) recorder: Recorder,
    /// The time of the current event.
    pub(crate) at: Time,
    /// How many events its peers handled.
    pub(crate) events: u64,
    /// Whether there is work after each event: messages that it queued depart, or a trace sees it.
    pub(crate) is_attended: bool,
    /// The events that queued reliable messages which are still to depart.
    pub(crate) queued: Vec<(Seat, Moment)>,
    /// The events handled since the trace was taken last, if there is a trace.
    pub(crate) trace: Option<Vec<Handled>>,
    /// The messages of each peer, by row, where they are counted.
    pub(crate) peer_counts: Option<Vec<PeerCounts>>,
    /// The story that is told, in the reference engine only.
    pub(crate) story: Option<Story>,
    pub(crate) wire: bool,
    pub(crate) connection_timeout: Duration,
    /// The maximum size of a reliable message.
    pub(crate) message_max: usize,
    /// How messages are encoded.
    pub(crate) codec: Codec,
    pub(crate) warned: Arc<Warned>,
    /// The first peer that ran out of rounds.
    pub(crate) endless: Option<(Time, Seat)>,
    /// Peers that tamper with what they send.
    pub(crate) tampers: Map<Seat, Tampers>,
    /// The injected bug, if any.
    #[cfg(feature = "injected-bugs")]
    pub(crate) injected_bug: Option<crate::injected_bugs::InjectedBug>,
}

/// Warnings that any worker gave once.
#[derive(Default)]
pub(crate) struct Warned {
    /// A command that found no peerlet.
    pub(crate) command: AtomicBool,
    /// A broadcast that reached nobody.
    pub(crate) broadcast: AtomicBool,
    /// A contact that nobody could verify.
    pub(crate) trust: AtomicBool,
}

impl WorkerState {
    pub(crate) fn new(
        common: Common,
        seats: std::ops::Range<u32>,
        recorder: Recorder,
        mut queue: CalendarQueue,
        heap: Option<Heap>,
    ) -> WorkerState {
        let Common { seed, model, running_seats, wire, handshakes, connection_timeout, .. } =
            common;
        let Common { identities, message_max, codec, warned, .. } = common;
        let rows = seats.len();
        let has_arrival = model.has_arrival();
        let network = seed.named("network");
        let (mut seat_states, mut all) = (Table::with_room(rows), seats.clone());
        seat_states.resize_with(rows, || {
            let seat = all.next().expect("each row has a seat");
            SeatState::new(network.at(u64::from(seat)))
        });
        let stamped = tracing::level_filters::LevelFilter::current() >= tracing::Level::INFO;
        if stamped {
            queue.go_singly();
        }
        WorkerState {
            seed,
            seats_of_all: running_seats.seats(),
            seat_states,
            batch: Batch::new(*queue.grid(), seats.start),
            chunks: Vec::new(),
            swept: Swept::default(),
            outbox: Outbox::new(),
            lookahead: model.lookahead().max(NANOSECOND),
            plain: heap.is_none() && !wire && !has_arrival && !handshakes,
            queue,
            heap,
            stamped,
            has_arrival,
            handshakes,
            identities,
            outbound: SeatStates::new(seats.clone(), |seat| model.outbound(seat)),
            inbound: SeatStates::new(seats.clone(), |seat| model.inbound(seat)),
            seats,
            payloads: if wire { vec![0; rows] } else { Vec::new() },
            model,
            running_seats,
            directives: WindowDirectives::default(),
            pauses: Pauses::default(),
            ledger: Ledger::default(),
            recorder,
            at: Time::ZERO,
            events: 0,
            is_attended: false,
            queued: Vec::new(),
            trace: None,
            peer_counts: None,
            story: None,
            wire,
            connection_timeout,
            message_max,
            codec,
            warned,
            endless: None,
            tampers: Map::default(),
            #[cfg(feature = "injected-bugs")]
            injected_bug: None,
        }
    }

    /// The seat's row among those of this worker.
    #[inline(always)]
    pub(crate) fn row(&self, seat: Seat) -> usize {
        seat.0.wrapping_sub(self.seats.start) as usize
    }

    pub(crate) fn push(&mut self, key: Key, event: Event) {
        match &mut self.heap {
            None => self.queue.push(key, event),
            Some(heap) => heap.push(key, event),
        }
    }

    /// Whether the batch's next event is a common one, and may be handled without a look at
    /// anything else.
    pub(crate) fn is_common_next(&self) -> bool {
        let is_common = |event: &PackedEvent| {
            event.is_common() && self.batch.view().at(event).1 < self.queue.common_until()
        };
        self.batch.first().is_some_and(is_common)
    }

    #[cold]
    pub(crate) fn give_up(&mut self, seat: Seat, at: Time) {
        self.endless = self.endless.into_iter().chain([(at, seat)]).min();
    }

    /// Asks the model for its smallest delay, again after each cut.
    pub(crate) fn ask_lookahead(&mut self) {
        self.lookahead = self.model.lookahead().max(NANOSECOND);
    }

    /// Takes another model, or the same one after it took a fault.
    pub(crate) fn set_model(&mut self, model: Arc<Box<dyn Model>>) {
        self.model = model;
        self.has_arrival = self.model.has_arrival();
        self.plain &= !self.has_arrival;
    }

    /// Asks the model for the fate of a packet that departs now.
    pub(crate) fn depart(&mut self, packet: &Packet) -> Departure {
        debug_assert!(self.outbox.is_empty(), "what was sent before departs before");
        let fate = self.outbound.with(packet.from, |state| self.model.depart(packet, state));
        self.checked(fate)
    }

    /// Asks the receiving side of the model whether an arriving packet is accepted.
    pub(crate) fn arrive(&mut self, packet: &Packet) -> Arrival {
        self.inbound.with(packet.to, |state| self.model.arrive(packet, state))
    }

    /// Makes a delay of zero one nanosecond. Any other delay shorter than the lookahead is a bug of
    /// the model.
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
            Departure::Damaged { after, bits } => Departure::Damaged { after: check(after), bits },
            Departure::Drop(_) => fate,
        }
    }

    /// Sets how a peer tampers with what it sends.
    pub(crate) fn set_tampering(&mut self, seat: Seat, tampering: Tampering) {
        // The fast path of datagrams cannot alter them.
        self.plain = false;
        let seed = self.seed.named("tamper").at(u64::from(seat.0));
        self.tampers.entry(seat).or_insert_with(|| Tampers::new(seed)).set(tampering);
    }

    /// The messages that a tampering peer sends instead of one; `None` where it is unaltered.
    pub(crate) fn tamper(
        &mut self,
        seat: Seat,
        port: Port,
        parcel: &Parcel,
    ) -> Option<Vec<Vec<u8>>> {
        self.tampers.get_mut(&seat)?.tamper(port, parcel)
    }

    /// Counts the messages that are still in flight.
    pub(crate) fn count_in_flight(&mut self) {
        let ledger = &mut self.ledger;
        let mut message = |class| ledger.of(class).in_flight += 1;
        self.pauses.events().filter_map(Event::class).for_each(&mut message);
        match &self.heap {
            None => self.queue.count(message),
            Some(heap) => heap.iter().filter_map(Event::class).for_each(message),
        }
    }
}
