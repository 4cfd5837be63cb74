//! Contacts that peers trust: whom a simulated peer finds at an address, and what becomes of
//! messages to somebody else.
//!
//! A simulated process holds one peer, and its identity is drawn from the run's seed and the seat.
//! So whether a peer is mistaken in an address is known when it trusts a contact. It finds that out
//! as on real sockets: with the answer of the other end, at the cost of a round trip.

use peerlet_core::runtime::{Class, Trusted};
use peerlet_core::{Address, Identity, NANOSECOND, Seat, TrustError, Undelivered};
use peerlet_measure::DropCause;

use super::ends::Phase;
use crate::seat_state::identity_of;
use crate::sim_world::SimWorld;

impl SimWorld<'_> {
    /// Trusts an identity to be at an address, or takes that back.
    pub(crate) fn trust_at(
        &mut self,
        at: Address,
        identity: Option<Identity>,
    ) -> Result<(), TrustError> {
        if !self.worker.identities {
            return Err(TrustError::NoIdentities);
        }
        self.connections().trusted.set(at, identity)?;
        let is_mistaken = self.is_mistaken(at);
        // The common way of datagrams has no place where one could be refused.
        self.worker.plain &= !is_mistaken;
        let key = (at, self.seat_state().life);
        let Some(end) = self.end(key).filter(|end| end.is_mistaken != is_mistaken) else {
            return Ok(());
        };
        end.is_mistaken = is_mistaken;
        if !is_mistaken && matches!(end.phase, Phase::Open { .. }) {
            // What waited to be reported may depart after all.
            end.ticket = None;
            self.touch(key);
        }
        Ok(())
    }

    /// Whether the peer trusts another identity than is at the address.
    pub(crate) fn is_mistaken(&mut self, at: Address) -> bool {
        let trusted = self
            .seat_state()
            .connections()
            .and_then(|connections| connections.trusted.identity(at));
        let Some(trusted) = trusted else { return false };
        let there =
            self.worker.running_seats.seat_at(at).map(|seat| identity_of(self.worker.seed, seat));
        there.is_some_and(|there| there != trusted)
    }

    /// The peer's life ends: the next one trusts nobody.
    pub(super) fn forget_trusted(&mut self) {
        if let Some(connections) = self.seat_state().connections() {
            connections.trusted = Trusted::default();
        }
    }

    /// Drops a datagram to a peer that is another than its sender trusts.
    #[cold]
    pub(crate) fn refuse_datagram(&mut self, dest: Seat) {
        if !self.has_met(dest) {
            self.dial(dest);
        }
        self.worker.ledger.of(Class::Datagram).drop_for(DropCause::Identity);
    }

    /// Gives up a connection to another peer than its sender trusts, where it is time to try again
    /// and that peer is known by now; false where it is not.
    #[cold]
    pub(super) fn refuses(&mut self, key: (Address, u32)) -> bool {
        let phase = self.end(key).map(|end| end.phase);
        let dest = self.worker.running_seats.seat_at(key.0);
        match phase {
            Some(Phase::Open { .. }) => self.refuse_queue(key),
            // It may be mute, but has shaken hands.
            Some(Phase::Opening)
                if self.worker.handshakes && dest.is_some_and(|dest| self.has_met(dest)) =>
            {
                self.close(key, Undelivered::Identity);
            }
            _ => return false,
        }
        true
    }

    /// Gives up a connection that stands to another peer than its sender trusts by now: what
    /// departed before must be reported first, if it comes back at all.
    #[cold]
    pub(super) fn refuse_queue(&mut self, key: (Address, u32)) {
        let now = self.now.time;
        match self.settled(key).filter(|settled| *settled >= now) {
            Some(settled) => self.retry_at(key, settled + NANOSECOND),
            None => self.close(key, Undelivered::Identity),
        }
    }
}
