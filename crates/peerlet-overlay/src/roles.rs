//! The roles that overlays play for their siblings: traits by which a peerlet uses whichever
//! overlay does the job.

use peerlet_core::{Address, Rng, Role, RoleContext};

use crate::ring::RingId;
use crate::router::message::Payload;

/// Gives peers at random. [`Neighbors`](crate::Neighbors) plays it.
///
/// A gossip over whichever sampler its scenario names:
///
/// ```
/// use peerlet_core::{Context, Description, Peer, Peerlet, Picks, SECOND, TestPeer};
/// use peerlet_overlay::{Neighbors, NeighborsMessage, PeerSampler};
///
/// struct Gossip { fanout: usize, sampler: Option<String> }
///
/// impl Peerlet for Gossip {
///     const NAME: &'static str = "gossip";
///     type Message = String;
///     type Timer = ();
///
///     fn describe(about: &mut Description<Self>) {
///         about.wants::<dyn PeerSampler>();
///     }
///     fn picks(&self, picks: &mut Picks) {
///         picks.role::<dyn PeerSampler>("sampler", self.sampler.as_deref());
///     }
///     fn start(&mut self, ctx: &mut Context<Self>) {
///         ctx.every(SECOND, ());
///     }
///     fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
///         let Some(near) = ctx.role::<dyn PeerSampler>(self.sampler.as_deref()) else { return };
///         let mut to = Vec::new();
///         near.sample(ctx.rng(), self.fanout, &mut to);
///         for peer in to {
///             ctx.send(peer, "news".to_owned());
///         }
///     }
/// }
///
/// let gossip = Gossip { fanout: 2, sampler: Some("neighbors".to_owned()) };
/// let mut peer = TestPeer::beside(Peer::new().with(Neighbors::default()), gossip);
/// for number in 1..=3 {
///     let other = peer.stranger(number);
///     peer.deliver_to::<Neighbors>(other, NeighborsMessage::Connect);
/// }
/// peer.advance(SECOND);
/// assert_eq!(peer.sent().len(), 2);
/// ```
pub trait PeerSampler {
    /// Adds up to this many of the peers known to the list: different ones, chosen uniformly, never
    /// this peer. Sends nothing.
    fn sample(&self, rng: &mut Rng, count: usize, into: &mut Vec<Address>);

    /// How many peers are known.
    fn known(&self) -> usize;

    /// A sibling waits in vain for this peer.
    fn suspect(&mut self, ctx: &mut RoleContext, peer: Address);
}

impl Role for dyn PeerSampler {
    const NAME: &'static str = "peer sampler";
}

/// Brings payloads to the peer that is nearest to a key. [`Router`](crate::Router) plays it.
pub trait KeyRouter {
    /// Sends a payload to the peer nearest to the key. There the peerlet of the caller's name, and
    /// no other, hears [`Delivered`](crate::Delivered). It may be lost without notice.
    fn route(&mut self, ctx: &mut RoleContext, key: RingId, payload: Payload);
}

impl Role for dyn KeyRouter {
    const NAME: &'static str = "key router";
}
