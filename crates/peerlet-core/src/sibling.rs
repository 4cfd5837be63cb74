//! Another peerlet of the same peer, borrowed.

use std::cell::RefMut;
use std::ops::{Deref, DerefMut};

use peerlet_memory::Lent;

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
