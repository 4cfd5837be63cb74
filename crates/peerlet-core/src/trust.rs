//! The contacts that a peer trusts: addresses that it reaches at one identity only.

use std::collections::BTreeMap;
use std::fmt;

use crate::address::{Address, Contact, Identity};
use crate::context::Context;
use crate::peerlet::Peerlet;

/// Contacts that one life of a peer trusts at a time: the routing table of a large overlay several
/// times over, at less than half a megabyte.
pub const TRUSTED_MAX: usize = 4096;

/// Why a contact is not trusted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum TrustError {
    /// The peer trusts [`TRUSTED_MAX`] other contacts.
    TooMany,
    /// This world has no identities: any process at the address is reached.
    NoIdentities,
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrustError::TooMany => write!(
                f,
                "the peer trusts {TRUSTED_MAX} contacts already; take trust back with `untrust`"
            ),
            TrustError::NoIdentities => f.write_str(
                "there are no identities here; run over QUIC, and declare \
                 `about.needs(Need::Identity)`",
            ),
        }
    }
}

impl std::error::Error for TrustError {}

impl<P: Peerlet> Context<'_, '_, P> {
    /// Trusts a contact: from now on, until this life ends, the peer reaches the address at this
    /// identity only. Where another one is there, a datagram is dropped and counted as `identity`,
    /// and a reliable message or a call comes back as
    /// [`Undelivered::Identity`](crate::Undelivered::Identity). Messages of other peers, those of
    /// the same process included, are not affected, and neither are messages from the address. A
    /// contact with the same address replaces the one before. Messages to oneself are not affected.
    ///
    /// Declare [`Need::Identity`](crate::Need::Identity) to use it: a world without identities,
    /// which UDP is, then refuses to run.
    ///
    /// # Errors
    /// Trusts nobody new when the peer trusts [`TRUSTED_MAX`](crate::runtime::TRUSTED_MAX) other
    /// contacts, and nobody at all where there are no identities: any process there is reached
    /// then.
    ///
    /// ```
    /// use peerlet_core::*;
    ///
    /// /// Sends its report to a collector that it was told of, and to nobody else.
    /// struct Reporter { collector: Contact, impostors: u32 }
    ///
    /// impl Peerlet for Reporter {
    ///     const NAME: &'static str = "reporter";
    ///     type Message = String;
    ///     type Timer = Nothing;
    ///
    ///     fn describe(about: &mut Description<Self>) {
    ///         about.needs(Need::Reliable).needs(Need::Identity);
    ///     }
    ///
    ///     fn start(&mut self, ctx: &mut Context<Self>) {
    ///         ctx.trust(self.collector).expect("it is the only one");
    ///         ctx.send_reliably(self.collector.address, "all is well".into()).ok();
    ///     }
    ///
    ///     fn undelivered(
    ///         &mut self, _: &mut Context<Self>, _: Address, _: String, why: Undelivered,
    ///     ) {
    ///         self.impostors += u32::from(why == Undelivered::Identity);
    ///     }
    /// }
    ///
    /// let address = Address::simulated(Seat(1));
    /// let collector = Contact { address, identity: Identity([7; 32]) };
    /// let mut peer = TestPeer::new(Reporter { collector, impostors: 0 });
    /// assert_eq!(peer.trusted(), [collector]);
    /// peer.undelivered(address, "all is well".into(), Undelivered::Identity);
    /// assert_eq!(peer.peerlet().impostors, 1);
    /// ```
    pub fn trust(&mut self, contact: Contact) -> Result<(), TrustError> {
        self.env().world.trust(contact.address, Some(contact.identity))
    }

    /// Revokes trust: from now on any process at the address is reached. Nothing happens where
    /// nobody was trusted.
    pub fn untrust(&mut self, address: Address) {
        // Where there are no identities, nobody was trusted.
        self.env().world.trust(address, None).ok();
    }
}

/// The contacts that one life of a peer trusts: for runtimes.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Trusted(BTreeMap<Address, Identity>);

impl Trusted {
    /// Expects this identity at an address, or with `None` any.
    ///
    /// # Errors
    /// When there are [`TRUSTED_MAX`] others; nothing has changed then.
    pub fn set(&mut self, at: Address, identity: Option<Identity>) -> Result<(), TrustError> {
        match identity {
            None => {
                self.0.remove(&at);
            }
            Some(_) if self.0.len() >= TRUSTED_MAX && !self.0.contains_key(&at) => {
                return Err(TrustError::TooMany);
            }
            Some(identity) => {
                self.0.insert(at, identity);
            }
        }
        Ok(())
    }

    /// The identity that is expected at an address, if one is.
    pub fn identity(&self, at: Address) -> Option<Identity> {
        self.0.get(&at).copied()
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All contacts, by address.
    pub fn contacts(&self) -> impl Iterator<Item = Contact> + '_ {
        self.0.iter().map(|(address, identity)| Contact { address: *address, identity: *identity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Seat;

    #[test]
    fn no_more_is_trusted_than_stated() {
        let (mut trusted, at) = (Trusted::default(), |i: usize| Address::simulated(Seat(i as u32)));
        let one = Some(Identity([1; 32]));
        (0..TRUSTED_MAX).for_each(|i| trusted.set(at(i), one).unwrap());
        assert_eq!(trusted.set(at(TRUSTED_MAX), one), Err(TrustError::TooMany));
        assert_eq!(trusted.identity(at(TRUSTED_MAX)), None);
        // One that is known may change, and one that goes makes room.
        let other = Some(Identity([2; 32]));
        trusted.set(at(3), other).unwrap();
        assert_eq!(trusted.identity(at(3)), other);
        trusted.set(at(4), None).unwrap();
        trusted.set(at(TRUSTED_MAX), one).unwrap();
        assert_eq!((trusted.identity(at(4)), trusted.contacts().count()), (None, TRUSTED_MAX));
    }
}
