//! The send queues of connections: their bounds, and telling peerlets of room.

use std::mem;

use peerlet_core::runtime::{Class, Header, Parcel, Port, State};
use peerlet_core::{Address, Refusal};
use peerlet_measure::DropCause;

use super::ends::Outgoing;
use crate::event::{Event, RareEvent};
use crate::signal::Queued;
use crate::sim_world::SimWorld;

/// How many messages may wait for one destination.
const QUEUE_MESSAGES: usize = 256;
/// How many encoded bytes may wait for one destination.
const QUEUE_BYTES: usize = 1 << 20;

impl Outgoing {
    fn is_full(&self, size: usize) -> bool {
        let bytes_full = self.bytes + size > QUEUE_BYTES && !self.queue.is_empty();
        self.queue.len() >= QUEUE_MESSAGES || bytes_full
    }

    fn is_half_free(&self) -> bool {
        self.queue.len() <= QUEUE_MESSAGES / 2 && self.bytes <= QUEUE_BYTES / 2
    }

    /// Whether a message that met a full queue fits now.
    fn has_room(&self) -> bool {
        self.queue.is_empty() || self.bytes + self.wanted <= QUEUE_BYTES
    }
}

impl SimWorld<'_> {
    /// Queues a message; it departs when the event that sends it has been handled.
    pub(crate) fn queue_reliably(
        &mut self,
        to: Address,
        header: Header,
        parcel: &mut Parcel,
    ) -> Result<(), Refusal> {
        let (size, max) = (parcel.encoded_len(), self.worker.message_max);
        if size > max {
            return Err(Refusal::TooLarge { size, max });
        }
        let (state, life) = (self.seat_state().state, self.seat_state().life);
        let (own, runs) = (Address::simulated(self.seat), state == State::Running);
        if runs && to != own {
            let is_mistaken = self.is_mistaken(to);
            let connections = self.connections();
            connections.last_number += 1;
            let number = connections.last_number;
            let end =
                connections.outgoing.entry((to, life)).or_insert_with(|| Outgoing::new(number));
            end.is_mistaken = is_mistaken;
            if end.is_full(size) {
                let told = connections.telling.contains(&((to, life), header.port));
                if !told && !end.refused.contains(&header.port) {
                    end.refused.push(header.port);
                }
                end.wanted = end.wanted.max(size);
                return Err(Refusal::QueueFull);
            }
        }
        self.worker.account_sent(Class::Reliable, self.seat, size);
        let (dest, of) = (self.worker.running_seats.seat_at(to), (header, Class::Reliable));
        if !runs {
            self.worker.ledger.reliable.drop_for(DropCause::Stopped);
            self.tell_sent(dest, of, parcel, None);
            self.tell_dropped(dest, of, (parcel, DropCause::Stopped), None);
            return Ok(());
        }
        if to != own {
            self.tell_sent(dest, of, parcel, None);
        }
        if to != own
            && let Some(instead) = self.worker.tamper(self.seat, header.port, parcel)
        {
            self.queue_tampered((to, life), header, instead);
            return Ok(());
        }
        if to == own {
            self.send_to_self(Class::Reliable, header, parcel, size as u32);
            return Ok(());
        }
        #[cfg(feature = "injected-bugs")]
        let copy = self.injected_copy((to, life), header, parcel);
        let ((body, payload), size) = (self.body(parcel), size as u32);
        if let Some(end) = self.end((to, life)) {
            end.bytes += size as usize;
            end.queue.push_back(Queued { header, body, size, payload });
            #[cfg(feature = "injected-bugs")]
            if let Some(copy) = copy {
                end.bytes += copy.size as usize;
                end.queue.push_back(copy);
            }
        }
        self.touch((to, life));
        Ok(())
    }

    /// Queues the messages that a tampering peer sends instead of one that is in the accounts.
    fn queue_tampered(&mut self, key: (Address, u32), header: Header, instead: Vec<Vec<u8>>) {
        if instead.is_empty() {
            return self.worker.ledger.of(Class::Reliable).drop_for(DropCause::Filtered);
        }
        for bytes in instead.iter().skip(1) {
            self.worker.account_sent(Class::Reliable, self.seat, bytes.len());
        }
        for bytes in instead {
            let mut parcel = Parcel::encoded(bytes);
            let size = parcel.encoded_len() as u32;
            let (body, payload) = self.body(&mut parcel);
            if let Some(end) = self.end(key) {
                end.bytes += size as usize;
                end.queue.push_back(Queued { header, body, size, payload });
            }
        }
        self.touch(key);
    }

    /// Has a connection's queue sent when the current event has been handled.
    pub(super) fn touch(&mut self, key: (Address, u32)) {
        let queued = (self.seat, self.now);
        if self.worker.queued.last() != Some(&queued) {
            self.worker.queued.push(queued);
            self.worker.is_attended = true;
        }
        let touched = &mut self.connections().touched;
        if !touched.contains(&key) {
            touched.push(key);
        }
    }

    /// Tells the peerlets that met a full queue once half of it is free.
    pub(super) fn tell_writable(&mut self, key: (Address, u32)) {
        let Some(end) = self.end(key) else { return };
        if end.refused.is_empty() || !end.is_half_free() || !end.has_room() {
            return;
        }
        end.wanted = 0;
        for port in mem::take(&mut end.refused) {
            self.connections().telling.push((key, port));
            let event = RareEvent::Writable { life: key.1, port, to: key.0 };
            self.post(self.seat, self.now.time, Event::Rare(Box::new(event)));
        }
    }

    /// Whether there is still room when a peerlet is told so; otherwise it is told later.
    pub(crate) fn is_writable(&mut self, key: (Address, u32), port: Port) -> bool {
        let connections = self.connections();
        connections.telling.retain(|told| *told != (key, port));
        let full = connections.outgoing.get_mut(&key).filter(|end| !end.is_half_free());
        let Some(end) = full else { return true };
        end.refused.push(port);
        false
    }
}
