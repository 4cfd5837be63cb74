//! A value that is lent to a handler and stays with its thread.

use std::ops::{Deref, DerefMut};

/// Something that may outlive the handler that it was lent to: nothing that is [`Lent`] does.
#[diagnostic::on_unimplemented(
    note = "a task outlives the handler that spawns it, so it cannot hold what that handler is \
            lent: `ctx` and siblings; write `task.with(|peerlet, ctx| ..).await` inside the task \
            to get at the peerlet and its context, or copy out what the task needs before it is \
            spawned"
)]
#[doc(hidden)]
pub trait OutlivesHandler {}

/// A value that is lent to a handler: it is never [`Send`], whatever it is made of, and the
/// compiler says in one sentence why.
pub struct Lent<T>(pub T);

// SAFETY: nothing implements `OutlivesHandler` for a `Lent`, and no other crate can, so these never
// apply. They only keep the compiler from looking into the value and naming each of its parts.
unsafe impl<T> Send for Lent<T> where Lent<T>: OutlivesHandler {}
// SAFETY: as above.
unsafe impl<T> Sync for Lent<T> where Lent<T>: OutlivesHandler {}

impl<T> Deref for Lent<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Lent<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lent_is_used_as_itself() {
        let (mut value, mut other) = (3, 4);
        let mut lent = Lent(&mut value);
        **lent += 1;
        assert_eq!(**lent, 4);
        *lent = &mut other;
        assert_eq!((**lent, value), (4, 4));
    }
}
