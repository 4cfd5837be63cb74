//! A peer's stack of peerlets, while it is being built.

use std::any::{Any, TypeId};
use std::fmt;

use crate::column::{Column, Rows};
use crate::peerlet::Peerlet;
use crate::picks::Picks;
use crate::registry::Entry;

/// A stack of peerlets, in order.
///
/// ```
/// use peerlet_core::{Nothing, Peer, Peerlet};
/// struct Idle;
/// impl Peerlet for Idle {
///     const NAME: &'static str = "idle";
///     type Message = Nothing;
///     type Timer = Nothing;
/// }
/// let peer = Peer::new().with(Idle);
/// assert_eq!(peer.names().collect::<Vec<_>>(), ["idle"]);
/// ```
#[derive(Default)]
pub struct Peer {
    pub(crate) peerlets: Vec<Box<dyn Boxed>>,
}

impl Peer {
    /// A peer without peerlets.
    pub fn new() -> Peer {
        Peer::default()
    }

    /// The same peer with one more peerlet on its stack.
    pub fn with<P: Peerlet>(mut self, peerlet: P) -> Peer {
        self.peerlets.push(Box::new(peerlet));
        self
    }

    /// Puts one more peerlet on the stack, its type forgotten.
    pub fn push(&mut self, peerlet: AnyPeerlet) {
        self.peerlets.push(peerlet.0);
    }

    /// The names of the peerlets in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.peerlets.iter().map(|p| p.name())
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// A peerlet of some type, on its way onto a stack.
pub struct AnyPeerlet(Box<dyn Boxed>);

impl AnyPeerlet {
    /// Forgets the type.
    pub fn new<P: Peerlet>(peerlet: P) -> AnyPeerlet {
        AnyPeerlet(Box::new(peerlet))
    }
}

impl fmt::Debug for AnyPeerlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

/// A boxed peerlet that knows its own type.
pub(crate) trait Boxed: Send {
    fn name(&self) -> &'static str;
    fn type_id(&self) -> TypeId;
    /// The registry's entry of the type.
    fn entry(&self) -> Entry;
    /// The siblings that this one picks for roles.
    fn picked(&self) -> Picks;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<P: Peerlet> Boxed for P {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn type_id(&self) -> TypeId {
        TypeId::of::<P>()
    }

    fn entry(&self) -> Entry {
        Entry::of::<P>(|| Box::new(Rows::<P>::new()) as Box<dyn Column>)
    }

    fn picked(&self) -> Picks {
        let mut picks = Picks::default();
        self.picks(&mut picks);
        picks
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
