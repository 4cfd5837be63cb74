//! Injected bugs, to test that bug finders find them. They exist only with the feature
//! `injected-bugs`, and each acts only if a setup asks for it.

use peerlet_core::runtime::{Body, Header, PackedEvent, Parcel};
use peerlet_core::{Address, Seat};

use crate::batch::Batch;
use crate::egress::payload_hash;
use crate::event::Event;
use crate::packed::rank;
use crate::signal::Queued;
use crate::sim_world::SimWorld;
use crate::worker_state::WorkerState;

/// A bug that a simulation is to have. Each strikes rarely, like bugs that survive tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InjectedBug {
    /// Of two successive wake-ups of a paused peer, the second is lost.
    LostWakeUp,
    /// A reliable message that was delayed on arrival is not checked again for its life.
    LifeMixUp,
    /// Where three events of one peer, made by three others, share an instant, the windowed engine
    /// swaps the last two.
    WrongTieBreak,
    /// The first event of a life is numbered one too low: the last timer of the life before still
    /// fires.
    LeakedTimer,
    /// A message for a connection that is being opened for the fourth time is queued twice.
    DoubleDelivery,
    /// Of canceled timers that come due in a batch, one of four stays in the books: it counts as
    /// handled there, and does not when it is handled alone.
    UnevenBooks,
}

impl WorkerState {
    /// Whether the run has this bug.
    pub(crate) fn has_bug(&self, bug: InjectedBug) -> bool {
        self.injected_bug == Some(bug)
    }

    /// Whether an event that nobody handled stays in the books.
    pub(crate) fn keeps(&self, event: &PackedEvent) -> bool {
        let is_chosen = event.kind() == PackedEvent::TIMER && event.mark().is_multiple_of(4);
        is_chosen && self.has_bug(InjectedBug::UnevenBooks)
    }

    /// Whether an event is lost.
    pub(crate) fn loses(&self, seat: Seat, event: &Event) -> bool {
        let is_wake = |event: &Event| matches!(event, Event::Wake { .. });
        self.has_bug(InjectedBug::LostWakeUp)
            && is_wake(event)
            && self.pauses.last_of(seat).is_some_and(is_wake)
    }
}

impl Batch {
    /// Breaks ties of three in the wrong order.
    pub(crate) fn break_ties(&mut self) {
        let view = *self.view();
        let source = |event: &PackedEvent| rank(event, view.at(event).0).0;
        for lane in self.lanes_mut() {
            let mut from = 0;
            while let Some(first) = lane.get(from) {
                let at = first.place_high();
                let count =
                    lane[from..].iter().take_while(|event| event.place_high() == at).count();
                let tie = &lane[from..from + count];
                if count == 3
                    && source(&tie[0]) < source(&tie[1])
                    && source(&tie[1]) < source(&tie[2])
                {
                    lane.swap(from + 1, from + 2);
                }
                from += count;
            }
        }
    }
}

impl SimWorld<'_> {
    /// A copy of a message that is to be queued, if it is to be queued twice.
    pub(crate) fn injected_copy(
        &mut self,
        key: (Address, u32),
        header: Header,
        parcel: &Parcel,
    ) -> Option<Queued> {
        if !self.worker.has_bug(InjectedBug::DoubleDelivery) || !self.opens_again(key) {
            return None;
        }
        let mut bytes = Vec::new();
        parcel.encode(&mut bytes);
        let (size, payload) = (bytes.len() as u32, payload_hash(&bytes));
        // In the accounts it looks like a copy made by the network.
        self.worker.ledger.reliable.duplicated += 1;
        Some(Queued { header, body: Body::encoded(bytes), size, payload })
    }
}
