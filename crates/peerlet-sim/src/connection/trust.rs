//! Trusted contacts: the identity at an address, and the fate of messages to another identity.
//!
//! A simulated process holds one peer, and its identity is derived from the run's seed and the
//! seat. So whether a peer is mistaken about an address is known when it trusts a contact. The peer
//! finds out as on real sockets: with the answer of the other end, after a round trip.

use peerlet_core::runtime::{Class, Trusted};
use peerlet_core::{Address, Identity, NANOSECOND, Seat, TrustError, Undelivered};
use peerlet_measure::DropCause;

use super::ends::Phase;
use crate::seat_state::identity_of;
use crate::sim_world::SimWorld;

impl SimWorld<'_> {
    /// Trusts an identity to be at an address, or revokes that.
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
        // The fast path of datagrams cannot refuse one.
        self.worker.plain &= !is_mistaken;
        let key = (at, self.seat_state().life);
        let Some(end) = self.end(key).filter(|end| end.is_mistaken != is_mistaken) else {
            return Ok(());
        };
        end.is_mistaken = is_mistaken;
        if !is_mistaken && matches!(end.phase, Phase::Open { .. }) {
            // Messages that waited to be reported may depart after all.
            end.ticket = None;
            self.touch(key);
        }
        Ok(())
    }

    /// Whether the peer trusts an identity other than the one at the address.
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

    /// Forgets the trusted contacts at the end of a life.
    pub(super) fn forget_trusted(&mut self) {
        if let Some(connections) = self.seat_state().connections() {
            connections.trusted = Trusted::default();
        }
    }

    /// Drops a datagram to a peer with an identity that its sender does not trust.
    #[cold]
    pub(crate) fn refuse_datagram(&mut self, dest: Seat) {
        if !self.has_met(dest) {
            self.dial(dest);
        }
        self.worker.ledger.of(Class::Datagram).drop_for(DropCause::Identity);
    }

    /// On a retry, closes a connection to an identity that its sender does not trust, if that
    /// identity is known by now; false if it is not.
    #[cold]
    pub(super) fn refuses(&mut self, key: (Address, u32)) -> bool {
        let phase = self.end(key).map(|end| end.phase);
        let dest = self.worker.running_seats.seat_at(key.0);
        match phase {
            Some(Phase::Open { .. }) => self.refuse_queue(key),
            // It may be silent, but has completed the handshake.
            Some(Phase::Opening)
                if self.worker.handshakes && dest.is_some_and(|dest| self.has_met(dest)) =>
            {
                self.close(key, Undelivered::Identity);
            }
            _ => return false,
        }
        true
    }

    /// Closes an open connection to an identity that its sender no longer trusts. Messages that
    /// departed before must be reported first, if they come back at all.
    #[cold]
    pub(super) fn refuse_queue(&mut self, key: (Address, u32)) {
        let now = self.now.time;
        match self.settled(key).filter(|settled| *settled >= now) {
            Some(settled) => self.retry_at(key, settled + NANOSECOND),
            None => self.close(key, Undelivered::Identity),
        }
    }
}
