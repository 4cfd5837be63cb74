//! Another peerlet of the same peer, borrowed.

use std::any::TypeId;
use std::cell::RefMut;
use std::ops::{Deref, DerefMut};

use peerlet_memory::Lent;

use crate::column::Rows;
use crate::context::Context;
use crate::parcel::Port;
use crate::peerlet::Peerlet;

/// A sibling peerlet, from [`Context::sibling`](crate::Context::sibling). It is free for others
/// again when this is dropped.
pub struct Sibling<'a, Q>(pub(crate) Lent<RefMut<'a, Q>>);

impl<Q> Deref for Sibling<'_, Q> {
    type Target = Q;
    fn deref(&self) -> &Q {
        &self.0.0
    }
}

impl<Q> DerefMut for Sibling<'_, Q> {
    fn deref_mut(&mut self) -> &mut Q {
        &mut self.0.0
    }
}

impl<'e, P: Peerlet> Context<'_, 'e, P> {
    /// The sibling of type `Q`: `None` when the stack has none or when it is already on the call
    /// stack.
    ///
    /// The guard borrows the peer, not the context, so both can be used side by side:
    /// `near.any(ctx.rng())`. To act as the sibling, pass it its own context:
    /// `near.forget(&mut ctx.of::<Near>(), peer)`.
    pub fn sibling<Q: Peerlet>(&self) -> Option<Sibling<'e, Q>> {
        let port = self.env_ref().house.registry.port_of(TypeId::of::<Q>())?;
        let rows: &'e Rows<Q> = self.env_ref().house.column(port).as_any().downcast_ref()?;
        rows.borrow_mut(self.env_ref().row()).map(|sibling| Sibling(Lent(sibling)))
    }

    /// Whether this peer has a peerlet of type `Q`, on the call stack or not: where groups have
    /// stacks of their own, some peers have one and others have none.
    pub fn has<Q: Peerlet>(&self) -> bool {
        self.port_of::<Q>().is_some()
    }

    /// The context as the sibling of type `Q` sees it: its timers and tasks, its messages, its
    /// metrics.
    ///
    /// # Panics
    /// Panics when this peer has no `Q`, whether or not other peers of the run have one. Declare
    /// [`uses`](crate::Description::uses) where it is always there, and ask [`has`](Context::has)
    /// where it may not be.
    ///
    /// ```
    /// # use peerlet_core::*;
    /// # struct Cache;
    /// # impl Peerlet for Cache {
    /// #     const NAME: &'static str = "cache"; type Message = Nothing; type Timer = ();
    /// # }
    /// # struct Reader;
    /// # impl Peerlet for Reader {
    /// #     const NAME: &'static str = "reader"; type Message = Nothing; type Timer = Nothing;
    /// #     fn start(&mut self, ctx: &mut Context<Self>) {
    /// if ctx.has::<Cache>() {
    ///     // The cache's own timer: `Cache::timer` handles it.
    ///     ctx.of::<Cache>().after(SECOND, ());
    /// }
    /// #     }
    /// # }
    /// # TestPeer::new(Reader);
    /// # TestPeer::beside(Peer::new().with(Cache), Reader).advance(SECOND);
    /// ```
    #[track_caller]
    pub fn of<Q: Peerlet>(&mut self) -> Context<'_, 'e, Q> {
        let Some(port) = self.port_of::<Q>() else { self.refuse(Q::NAME) };
        Context::acting_as(self.env(), port)
    }

    /// The number of this peer's peerlet of type `Q`.
    pub fn port_of<Q: Peerlet>(&self) -> Option<Port> {
        let house = self.env_ref().house;
        let port = house.registry.port_of(TypeId::of::<Q>())?;
        house.column(port).has(self.env_ref().row()).then_some(port)
    }

    /// Ends the run: nobody can act for a sibling that is not there.
    #[cold]
    #[track_caller]
    pub(crate) fn refuse(&mut self, sibling: &str) -> ! {
        let (seat, life, now) = (self.seat(), self.env().life().number, self.now());
        panic!(
            "peer {seat} (life {life}) has no `{sibling}`, and its `{}` acts as `{sibling}` at \
             {now}; put `{sibling}` on the stack of this seat and say `about.uses`, or ask \
             `ctx.has` before `ctx.of`",
            P::NAME
        );
    }
}
