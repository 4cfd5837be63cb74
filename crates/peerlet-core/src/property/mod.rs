//! Properties: what has to hold of the peers of a network while it runs.
//!
//! A [`Property`] is *always* true (safety), becomes true *eventually* (progress), or is true
//! *sometimes* (coverage). It looks at one peer at a time ([`each_peer`]) or at all peers at once
//! ([`whole_network`]), at cuts of a simulation: between two instants. What it sees it cannot
//! change. A property of one peer is checked on real sockets as well.
//!
//! A peerlet names the properties that it promises in its
//! [description](crate::Description::property); a program adds its own to its experiment.
//!
//! ```
//! use peerlet_core::property::{PeerView, Violation, WorldView, each_peer, whole_network};
//! use peerlet_core::{Address, Description, Nothing, Peerlet, Property, SECOND};
//!
//! /// Keeps a successor on a ring.
//! struct Ring { successor: Option<Address> }
//!
//! impl Peerlet for Ring {
//!     const NAME: &'static str = "ring";
//!     type Message = Nothing;
//!     type Timer = Nothing;
//!
//!     fn describe(about: &mut Description<Self>) {
//!         about
//!             .property(Property::always("nobody succeeds itself", each_peer(
//!                 |ring: &Ring, peer| ring.successor != Some(peer.address()),
//!             )))
//!             .property(Property::eventually("all have joined", whole_network(all_have_joined))
//!                 .within(SECOND * 60));
//!     }
//! }
//!
//! fn all_have_joined(world: &WorldView) -> Result<(), Violation> {
//!     let outside = world.peerlets::<Ring>().filter(|(_, ring)| ring.successor.is_none());
//!     Violation::of_peers("some have not joined", outside.map(|(seat, _)| (seat, "no successor")))
//! }
//! ```

mod view;
mod violation;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::peerlet::Peerlet;
use crate::time::Duration;

pub use view::{MessageCounts, PeerSource, PeerView, WorldSource, WorldView};
pub use violation::{Finding, PEERS_MAX, Violation};

/// When a property has to hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PropertyKind {
    /// At each check: safety.
    Always,
    /// At some check, and no later than it says: progress.
    Eventually,
    /// At some check: coverage. A run in which it never holds is reported, and does not fail.
    Sometimes,
}

impl PropertyKind {
    /// The kind in one word.
    pub const fn name(self) -> &'static str {
        match self {
            PropertyKind::Always => "always",
            PropertyKind::Eventually => "eventually",
            PropertyKind::Sometimes => "sometimes",
        }
    }
}

/// A check of a property: of each peer by itself, or of the whole network at once.
#[derive(Clone)]
pub struct Check(Scope);

/// `None` where the peer has no such peerlet.
type CheckPeer = dyn Fn(&PeerView<'_>) -> Option<Result<(), Violation>> + Send + Sync;
type CheckWorld = dyn Fn(&WorldView<'_>) -> Result<(), Violation> + Send + Sync;

#[derive(Clone)]
enum Scope {
    Peer(Arc<CheckPeer>),
    World(Arc<CheckWorld>),
}

/// A check of each running peer that has a peerlet of type `P`. It returns whether the property
/// holds of that peer: a `bool`, or a `Result` with a sentence that says what is wrong.
pub fn each_peer<P: Peerlet, F: Into<Finding>>(
    check: impl Fn(&P, &PeerView<'_>) -> F + Send + Sync + 'static,
) -> Check {
    Check(Scope::Peer(Arc::new(move |peer: &PeerView<'_>| {
        let peerlet = peer.peerlet::<P>()?;
        Some(check(&peerlet, peer).into().0)
    })))
}

/// A check of the whole network. It returns whether the property holds: a `bool`, or a `Result`
/// with a sentence or a [`Violation`], which names peers.
pub fn whole_network<F: Into<Finding>>(
    check: impl Fn(&WorldView<'_>) -> F + Send + Sync + 'static,
) -> Check {
    Check(Scope::World(Arc::new(move |world: &WorldView<'_>| check(world).into().0)))
}

/// Something that has to hold while a network runs. See the [module](self).
#[derive(Clone)]
pub struct Property {
    name: Cow<'static, str>,
    kind: PropertyKind,
    check: Check,
    within: Option<Duration>,
    stays: bool,
}

impl Property {
    /// A property that holds at each check.
    pub fn always(name: impl Into<Cow<'static, str>>, check: Check) -> Property {
        Property::of(name, PropertyKind::Always, check)
    }

    /// A property that comes to hold: at some check before the run is over, or
    /// [within](Property::within) a time. One of [each peer](each_peer) comes to hold in each life
    /// of each peer, and its time begins with that life.
    pub fn eventually(name: impl Into<Cow<'static, str>>, check: Check) -> Property {
        Property::of(name, PropertyKind::Eventually, check)
    }

    /// A property that holds at some check: of one peer at least, where it is one of
    /// [each peer](each_peer). It shows that a run comes to a state that is worth testing.
    pub fn sometimes(name: impl Into<Cow<'static, str>>, check: Check) -> Property {
        Property::of(name, PropertyKind::Sometimes, check)
    }

    fn of(name: impl Into<Cow<'static, str>>, kind: PropertyKind, check: Check) -> Property {
        Property { name: name.into(), kind, check, within: None, stays: false }
    }

    /// Sets how long the property may take to hold, from the start of the run or from where the
    /// scenario says; where it is one of [each peer](each_peer), from the first check of a life.
    /// Without it, until the end of the run. Only progress has such a time.
    #[must_use]
    pub fn within(mut self, time: impl Into<Duration>) -> Property {
        self.within = Some(time.into());
        self
    }

    /// Demands that the property still holds at each check after its time, and at the end of the
    /// run; where it has no time, at each check after the first at which it held. Only progress has
    /// that.
    #[must_use]
    pub fn and_stays(mut self) -> Property {
        self.stays = true;
        self
    }

    /// Its name, which is unique among those of its peerlet or its experiment.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it has to hold.
    pub fn kind(&self) -> PropertyKind {
        self.kind
    }

    /// How long it may take to hold, where that is said.
    pub fn time(&self) -> Option<Duration> {
        self.within
    }

    /// Whether it has to go on holding.
    pub fn stays(&self) -> bool {
        self.stays
    }

    /// Whether it comes to hold in each life of each peer by itself.
    pub fn is_of_each_life(&self) -> bool {
        self.kind == PropertyKind::Eventually && !self.is_of_the_whole_network()
    }

    /// Whether it looks at all peers at once, which only a simulation can.
    pub fn is_of_the_whole_network(&self) -> bool {
        matches!(self.check.0, Scope::World(_))
    }

    /// Checks it on the whole network. For runtimes.
    ///
    /// # Errors
    /// Says what is wrong, and of which peers.
    pub fn check(&self, world: &WorldView<'_>) -> Result<(), Violation> {
        match &self.check.0 {
            Scope::World(check) => check(world),
            Scope::Peer(_) => self.check_peers(world.peers()),
        }
    }

    /// Checks it on one peer, where it is one of each peer; `None` where this one has no such
    /// peerlet. For runtimes.
    pub fn check_peer(&self, peer: &PeerView<'_>) -> Option<Result<(), Violation>> {
        match &self.check.0 {
            Scope::Peer(check) => check(peer),
            Scope::World(_) => None,
        }
    }

    /// Checks it on these peers, where it is one of each peer. For runtimes.
    ///
    /// # Errors
    /// Says what is wrong, and of which peers.
    pub fn check_peers<'a>(
        &self,
        peers: impl IntoIterator<Item = PeerView<'a>>,
    ) -> Result<(), Violation> {
        let Scope::Peer(check) = &self.check.0 else { return Ok(()) };
        let mut peers = peers.into_iter();
        if self.kind == PropertyKind::Sometimes {
            return match peers.any(|peer| matches!(check(&peer), Some(Ok(())))) {
                true => Ok(()),
                false => Err(Violation::new("it holds of no peer")),
            };
        }
        let mut all: Option<Violation> = None;
        for peer in peers {
            if let Some(Err(own)) = check(&peer) {
                all.get_or_insert_with(Violation::of_each).add(peer.seat(), own);
            }
        }
        all.map_or(Ok(()), Err)
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Property { name, kind, within, stays, .. } = self;
        f.debug_struct("Property")
            .field("name", name)
            .field("kind", kind)
            .field("within", within)
            .field("stays", stays)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Property {
    /// Its kind and when it has to hold, without its name: `eventually, within 60s, and stays`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some(time) = self.within {
            write!(f, ", within {time}")?;
        }
        f.write_str(if self.stays { ", and stays" } else { "" })
    }
}
