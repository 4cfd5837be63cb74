//! Brings a payload to the peer nearest to a key, hop by hop over neighbors, each nearer than the
//! one before. Every hop is acknowledged; peers that stay silent are bypassed.

mod config;
pub(crate) mod message;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use peerlet_core::{
    Address, Context, Description, Metric, Peerlet, RoleContext, commands, metrics,
};

pub use config::RouterConfig;
pub use message::{Envelope, PAYLOAD_MAX, Payload, PayloadError, RouterMessage, UserTag};

use crate::configured::Configured;
use crate::neighbors::Neighbors;
use crate::ring::RingId;
use crate::roles::KeyRouter;

metrics! {
    METRICS for Router {
        /// Envelopes passed on, retries included.
        FORWARDED: counter,
        /// Envelopes of others dropped by command set_drop_messages.
        DROPPED: counter,
        /// Envelopes dropped after too many hops.
        EXPIRED: counter,
        /// Envelopes that arrived.
        DELIVERED: counter,
        /// Hops of the envelopes that arrived.
        HOPS: histogram.quantum(1.0),
    }
}

/// How many hops may wait for their acknowledgement; beyond, envelopes are passed on unwatched.
const PENDING_MAX: usize = 1_024;
/// How many envelopes are kept in mind to know copies, which come within seconds.
const SEEN_MAX: usize = 256;

/// An envelope arrived at the peer nearest to its key.
///
/// A sibling hears this for payloads that its own type sent by the role [`KeyRouter`]. All siblings
/// that listen hear it for a payload that was sent by [`Router::route`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivered {
    /// The key it was sent to.
    pub key: RingId,
    /// The sender; maybe this peer.
    pub origin: Address,
    /// The number of hops it made.
    pub hops: u32,
    /// The payload.
    pub payload: Payload,
}

/// Brings payloads to the peer that is nearest to a key, as far as its neighbors know.
///
/// ```
/// use peerlet_core::{Description, Context, Nothing, Peer, Peerlet, TestPeer};
/// use peerlet_overlay::{Bootstrap, Delivered, KeyRouter, Neighbors, Payload, RingId, Router};
///
/// /// Sends a greeting to a key and collects those that come.
/// #[derive(Default)]
/// struct Postcards { got: Vec<String> }
///
/// impl Peerlet for Postcards {
///     const NAME: &'static str = "postcards";
///     type Message = Nothing;
///     type Timer = Nothing;
///
///     fn describe(about: &mut Description<Self>) {
///         about.wants::<dyn KeyRouter>().hears(Postcards::delivered);
///     }
///     fn start(&mut self, ctx: &mut Context<Self>) {
///         let greeting = Payload::new(b"hello".to_vec()).expect("five bytes are few");
///         let mut router = ctx.role::<dyn KeyRouter>(None).expect("the router does not call us");
///         let port = router.port();
///         router.route(&mut ctx.acting(port), RingId(7), greeting);
///     }
/// }
///
/// impl Postcards {
///     fn delivered(&mut self, _: &mut Context<Self>, delivered: &Delivered) {
///         self.got.push(String::from_utf8_lossy(delivered.payload.as_bytes()).into_owned());
///     }
/// }
///
/// let siblings = Peer::new()
///     .with(Bootstrap::default())
///     .with(Neighbors::default())
///     .with(Router::default());
/// let alone = TestPeer::beside(siblings, Postcards::default());
/// assert_eq!(alone.peerlet().got, ["hello"], "who is alone is nearest to every key");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Router {
    config: RouterConfig,
    /// Whether what comes from others and is for others is dropped.
    drops: bool,
    /// The number of the next hop.
    hop_next: u32,
    /// Hops that are not acknowledged yet.
    pending: BTreeMap<u32, Pending>,
    /// The numbers of the envelopes that were taken over last, and their order.
    seen: BTreeSet<u64>,
    seen_order: VecDeque<u64>,
}

/// An envelope that was passed on.
#[derive(Clone, Debug)]
struct Pending {
    envelope: Envelope,
    /// To whom, the last one at the end.
    tried: Vec<Address>,
}

/// The hop of this number had time to be acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RouterTimer(u32);

impl Peerlet for Router {
    const NAME: &'static str = "router";
    const METRICS: &'static [Metric] = METRICS;
    const VERSION: u16 = 2;
    type Message = RouterMessage;
    type Timer = RouterTimer;

    fn describe(about: &mut Description<Self>) {
        about
            .help("brings payloads to the peer nearest to a key")
            .uses::<Neighbors>()
            .plays::<dyn KeyRouter>(|me| me)
            .commands();
    }

    fn start(&mut self, _: &mut Context<Self>) {
        self.pending.clear();
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: RouterMessage) {
        match message {
            RouterMessage::Route { hop, envelope } => {
                // A peer that drops envelopes acknowledges them, too, as a malicious one would.
                ctx.send(from, RouterMessage::Ack(hop));
                self.take_over(ctx, envelope);
            }
            RouterMessage::Ack(hop) => {
                if self.pending.get(&hop).is_some_and(|hop| hop.tried.last() == Some(&from)) {
                    self.pending.remove(&hop);
                }
            }
        }
    }

    fn timer(&mut self, ctx: &mut Context<Self>, RouterTimer(hop): RouterTimer) {
        let Some(Pending { envelope, tried }) = self.pending.remove(&hop) else { return };
        if let (Some(mut near), Some(silent)) = (ctx.sibling::<Neighbors>(), tried.last()) {
            near.suspect(*silent);
        }
        // Nearer peers do not answer: this peer is the nearest that lives, as far as it knows.
        match self.next_hop(ctx, envelope.key, &tried) {
            Some(next) if tried.len() < self.config.tries as usize => {
                self.pass_on(ctx, envelope, next, tried);
            }
            Some(_) | None => self.deliver(ctx, envelope),
        }
    }
}

#[commands]
impl Router {
    /// Drops, or no longer drops, what is to be passed on for others.
    #[command]
    fn set_drop_messages(&mut self, drop: bool) {
        self.drops = drop;
    }
}

impl Router {
    /// Whether it drops envelopes that it should forward for others.
    pub fn drops_messages(&self) -> bool {
        self.drops
    }

    /// Sends a payload to the peer nearest to the key, where all siblings that listen will hear
    /// [`Delivered`]. It may be lost without notice.
    pub fn route(&mut self, ctx: &mut Context<Self>, key: RingId, payload: Payload) {
        self.route_for(UserTag::ALL, ctx, key, payload);
    }

    fn route_for(&mut self, user: UserTag, ctx: &mut Context<Self>, key: RingId, payload: Payload) {
        let (origin, id) = (ctx.address(), ctx.rng().bits());
        let envelope = Envelope { key, origin, id, hops: 0, user, payload };
        match self.next_hop(ctx, key, &[]) {
            Some(next) => self.pass_on(ctx, envelope, next, Vec::new()),
            None => self.deliver(ctx, envelope),
        }
    }

    /// Passes on what came from another peer, or delivers it.
    ///
    /// Copies end here: acknowledgements get lost, and then an envelope that was taken over is sent
    /// again, by several ways.
    fn take_over(&mut self, ctx: &mut Context<Self>, mut envelope: Envelope) {
        if !self.is_new(envelope.id) {
            return;
        }
        envelope.hops = envelope.hops.saturating_add(1);
        match self.next_hop(ctx, envelope.key, &[]) {
            None => self.deliver(ctx, envelope),
            Some(_) if self.drops => ctx.measure(DROPPED, 1.0),
            Some(_) if envelope.hops >= self.config.ttl => ctx.measure(EXPIRED, 1.0),
            Some(next) => self.pass_on(ctx, envelope, next, Vec::new()),
        }
    }

    /// Whether the envelope of this number was not seen yet; it is now.
    fn is_new(&mut self, id: u64) -> bool {
        if !self.seen.insert(id) {
            return false;
        }
        self.seen_order.push_back(id);
        if self.seen_order.len() > SEEN_MAX {
            let oldest = self.seen_order.pop_front().expect("more than none were seen");
            self.seen.remove(&oldest);
        }
        debug_assert_eq!(self.seen.len(), self.seen_order.len(), "each was seen once");
        true
    }

    /// The best neighbor that is nearer to the key than this peer: one that was tried less often
    /// and is not suspected goes first, then the nearest.
    fn next_hop(&self, ctx: &Context<Self>, key: RingId, tried: &[Address]) -> Option<Address> {
        let near = ctx.sibling::<Neighbors>()?;
        let me = RingId::of(ctx.address());
        let nearer = near.all().filter(|neighbor| neighbor.id.is_nearer(key, me));
        let best = nearer.min_by_key(|neighbor| {
            let tries = tried.iter().filter(|peer| **peer == neighbor.address).count();
            (tries, neighbor.suspected, neighbor.id.closeness(key))
        });
        best.map(|neighbor| neighbor.address)
    }

    fn pass_on(
        &mut self,
        ctx: &mut Context<Self>,
        envelope: Envelope,
        next: Address,
        mut tried: Vec<Address>,
    ) {
        let hop = self.hop_next;
        self.hop_next = hop.wrapping_add(1);
        if self.pending.len() < PENDING_MAX {
            tried.push(next);
            self.pending.insert(hop, Pending { envelope: envelope.clone(), tried });
            ctx.after(self.config.ack, RouterTimer(hop));
        }
        debug_assert!(next != ctx.address(), "nobody passes on to themselves");
        ctx.measure(FORWARDED, 1.0);
        ctx.send(next, RouterMessage::Route { hop, envelope });
    }

    fn deliver(&self, ctx: &mut Context<Self>, envelope: Envelope) {
        let Envelope { key, origin, hops, user, payload, .. } = envelope;
        ctx.measure(DELIVERED, 1.0);
        ctx.measure(HOPS, f64::from(hops));
        let delivered = Delivered { key, origin, hops, payload };
        if user == UserTag::ALL {
            return ctx.emit(delivered);
        }
        // Where this peer has no such peerlet, nobody hears of it.
        if let Some((port, _)) = ctx.stack().find(|(_, name)| UserTag::of(name) == user) {
            ctx.emit_to(port, delivered);
        }
    }
}

impl KeyRouter for Router {
    fn route(&mut self, ctx: &mut RoleContext, key: RingId, payload: Payload) {
        let user = UserTag::of(ctx.caller_name());
        self.route_for(user, &mut ctx.typed::<Self>(), key, payload);
    }
}

impl Configured for Router {
    type Config = RouterConfig;

    fn with_config(config: RouterConfig) -> Router {
        Router { config, ..Router::default() }
    }
}
