//! Panics within a run: caught, traced to their source, and reported to the caller of the run.
//!
//! Each part of a run that calls a user's program catches its panics and tells them by
//! [`Failures`]. The first one ends the run at once: see [`live`](crate::live).

use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use peerlet_core::runtime::Location;
use tokio::sync::mpsc;

use crate::notice::Notice;

/// The value that a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

/// The part of a run in which something panicked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PanicPlace {
    /// A handler of a peer, the function that builds it, or one of its destructors.
    Peer(Location),
    /// A shard, outside of its peers' handlers.
    Shard(u32),
    /// The network between the sockets: its model, or the thread that carries its packets.
    Network,
    /// The part that speaks with the other processes of the run.
    Member,
    /// The function that takes notices ([`LiveSetup::notice`](crate::LiveSetup::notice)).
    Notice,
    /// The function that takes epochs ([`LiveSetup::on_epoch`](crate::LiveSetup::on_epoch)).
    Epoch,
    /// The beginning of the run, before any peer lived.
    Setup,
}

impl fmt::Display for PanicPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PanicPlace::Peer(place) => place.fmt(f),
            PanicPlace::Shard(shard) => write!(f, "shard {shard}, outside of its peers"),
            PanicPlace::Network => f.write_str("the network model, or what carries its packets"),
            PanicPlace::Member => f.write_str("the exchange with the other processes"),
            PanicPlace::Notice => f.write_str("the function that takes notices"),
            PanicPlace::Epoch => f.write_str("the function that takes epochs"),
            PanicPlace::Setup => f.write_str("the beginning of the run"),
        }
    }
}

/// A panic, as the part that caught it tells of it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) place: PanicPlace,
    pub(crate) message: String,
}

/// The sender by which all parts of a run report panics.
#[derive(Clone, Debug)]
pub(crate) struct Failures {
    send: mpsc::UnboundedSender<Failure>,
    first: FirstPanic,
}

/// The first panic of a run in words, for those who call its peers.
pub(crate) type FirstPanic = Arc<OnceLock<String>>;

impl Failures {
    pub(crate) fn new() -> (Failures, mpsc::UnboundedReceiver<Failure>) {
        let (send, hear) = mpsc::unbounded_channel();
        (Failures { send, first: FirstPanic::default() }, hear)
    }

    pub(crate) fn tell(&self, place: PanicPlace, payload: &Payload) {
        let message = message_of(payload);
        self.first.get_or_init(|| format!("{place}: {message}"));
        // Without a receiver the run has ended.
        self.send.send(Failure { place, message }).ok();
    }

    pub(crate) fn first(&self) -> FirstPanic {
        self.first.clone()
    }

    /// The function that takes notices, with its panics caught.
    pub(crate) fn guarding(&self, notice: Notice) -> Notice {
        let failures = self.clone();
        Arc::new(move |line| {
            if let Err(payload) = caught_now(|| notice(line)) {
                failures.tell(PanicPlace::Notice, &payload);
            }
        })
    }
}

/// Calls a function and catches its panic. Its surroundings are of no further use then.
pub(crate) fn caught_now<R>(act: impl FnOnce() -> R) -> Result<R, Payload> {
    catch_unwind(AssertUnwindSafe(act))
}

/// Drives a future and catches its panic.
pub(crate) async fn caught<F: Future>(future: F) -> Result<F::Output, Payload> {
    let mut future = pin!(future);
    poll_fn(|cx| match caught_now(|| future.as_mut().poll(cx)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(payload) => Poll::Ready(Err(payload)),
    })
    .await
}

/// The text that a panic carries.
pub(crate) fn message_of(payload: &Payload) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_are_told_with_their_message() {
        let (failures, mut heard) = Failures::new();
        let notice = failures.guarding(Arc::new(|line| assert!(line.is_empty(), "not {line}")));
        notice("");
        notice("this");
        let failure = heard.try_recv().unwrap();
        assert_eq!((failure.place, &*failure.message), (PanicPlace::Notice, "not this"));
        assert!(heard.try_recv().is_err());
        let payload = caught_now(|| std::panic::panic_any(7)).unwrap_err();
        assert_eq!(message_of(&payload), "a panic without a message");
    }

    #[tokio::test]
    async fn a_future_is_caught_at_any_step() {
        let stepping = |fails: bool| async move {
            tokio::task::yield_now().await;
            assert!(!fails, "on purpose");
            5
        };
        assert_eq!(caught(stepping(false)).await.unwrap(), 5);
        assert_eq!(message_of(&caught(stepping(true)).await.unwrap_err()), "on purpose");
    }
}
