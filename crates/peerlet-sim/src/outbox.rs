//! Datagrams that wait for the network model, which decides the fates of many at a time.

use std::mem;

use peerlet_core::Time;
use peerlet_core::runtime::{Body, Encoder, PackedEvent, Parcel, Port};
use peerlet_memory::{forget_all, push_within};
use peerlet_network::{Departure, Packet, damage};

use crate::event::{Event, Key};
use crate::worker_state::WorkerState;

/// The capacity: small enough to stay in the first-level cache.
const OUTBOX_MAX: usize = 64;

/// Plain datagrams that were sent in the running window, in order. None arrives before the window
/// is over, so they may wait for each other.
pub(crate) struct Outbox {
    packets: Vec<Packet>,
    cargo: Vec<Cargo>,
    fates: Vec<Departure>,
}

/// The content of a packet.
pub(crate) struct Cargo {
    body: Body,
    encoder: Encoder,
    seq: u32,
    port: Port,
}

/// Room for one more datagram.
pub(crate) struct Room<'a>(&'a mut Outbox);

impl Outbox {
    pub(crate) fn new() -> Outbox {
        Outbox {
            packets: Vec::with_capacity(OUTBOX_MAX),
            cargo: Vec::with_capacity(OUTBOX_MAX),
            fates: Vec::with_capacity(OUTBOX_MAX),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Room for one more, if there is any.
    #[inline(always)]
    pub(crate) fn room(&mut self) -> Option<Room<'_>> {
        (self.packets.len() < OUTBOX_MAX).then_some(Room(self))
    }
}

impl Room<'_> {
    /// Adds a datagram.
    #[inline(always)]
    pub(crate) fn put(self, packet: Packet, parcel: &mut Parcel, seq: u32, port: Port) {
        let Outbox { packets, cargo, .. } = self.0;
        let packed = push_within(packets, || packet).is_ok();
        let loaded = push_within(cargo, || {
            let (body, encoder) = parcel.take_with_encoder();
            Cargo { body, encoder, seq, port }
        });
        debug_assert!(packed && loaded.is_ok(), "there is room");
    }
}

impl WorkerState {
    /// Asks the model for the fates of all datagrams, and queues or drops them.
    #[inline(never)]
    pub(crate) fn empty_outbox(&mut self) {
        if self.outbox.is_empty() {
            return;
        }
        // Nothing is sent in the meantime.
        let Outbox { packets, cargo, fates } = &mut self.outbox;
        let (mut packets, mut cargo, mut fates) =
            (mem::take(packets), mem::take(cargo), mem::take(fates));
        self.model.depart_all(&packets, &mut self.outbound, &mut fates);
        assert_eq!(fates.len(), packets.len(), "a network model has one fate for each packet");
        for ((packet, cargo), fate) in packets.iter().zip(&mut cargo).zip(&fates) {
            let Cargo { seq, port, .. } = *cargo;
            if let Departure::Arrive { after } = *fate
                && after >= self.lookahead
                && let Some((chunk, key_bits)) = self.queue.room_at(packet.to, packet.at + after)
            {
                let datagram =
                    || PackedEvent::datagram(key_bits, port, packet.from, seq, cargo.body.leave());
                let pushed = push_within(chunk, datagram);
                debug_assert!(pushed.is_ok(), "the chunk has room");
            } else {
                self.depart_rarely(packet, cargo, *fate);
            }
        }
        debug_assert!(cargo.iter().all(|cargo| cargo.body.is_plain()), "all were taken out");
        packets.clear();
        fates.clear();
        forget_all(&mut cargo);
        self.outbox = Outbox { packets, cargo, fates };
    }

    /// Carries out a less common fate.
    #[inline(never)]
    fn depart_rarely(&mut self, packet: &Packet, cargo: &mut Cargo, fate: Departure) {
        let Cargo { body, encoder, port, seq } = cargo;
        let arrive = |worker: &mut WorkerState, at: Time, body: Body| {
            let (seat, source) = (packet.to, packet.from.0 + 1);
            let key = Key { time: at, round: 0, seat, source, seq: u64::from(*seq) };
            worker.push(key, Event::Plain { port: *port, body });
        };
        match self.checked(fate) {
            Departure::Arrive { after } => arrive(self, packet.at + after, body.leave()),
            Departure::Drop(cause) => {
                self.ledger.datagram.drop_for(cause.into());
                drop(body.leave());
            }
            Departure::Damaged { after, bits } => {
                let mut bytes = Vec::new();
                encoder.encode(body, &mut bytes);
                drop(body.leave());
                damage(&mut bytes, bits, packet.random);
                arrive(self, packet.at + after, Body::encoded(bytes));
            }
            Departure::Twice { first, second } => {
                self.ledger.datagram.duplicated += 1;
                let mut bytes = Vec::new();
                encoder.encode(body, &mut bytes);
                arrive(self, packet.at + first, Body::encoded(bytes));
                arrive(self, packet.at + second, body.leave());
            }
        }
    }
}
