//! Tasks that wait for local events: for the answer of a sibling, or for any event.

use std::any::{Any, TypeId};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Polled, Poll};

use peerlet_memory::Value;

use super::board::{Listen, ListenFor, Request};
use super::listeners::Filter;
use super::operation::{Operation, Task};
use crate::context::Context;
use crate::peerlet::Peerlet;
use crate::time::Duration;

/// A local event that answers a request. Its ticket says which one.
///
/// ```
/// use peerlet_core::{Address, Response};
///
/// #[derive(Clone)]
/// struct Found { ticket: u64, peer: Option<Address> }
///
/// impl Response for Found {
///     type Ticket = u64;
///     fn ticket(&self) -> u64 {
///         self.ticket
///     }
/// }
/// ```
pub trait Response: Clone + Send + 'static {
    /// The number of a request, or another value that tells it apart from others.
    type Ticket: PartialEq + Send + 'static;

    /// The ticket of the request that this answers.
    fn ticket(&self) -> Self::Ticket;
}

/// Why a task has not heard an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ListenError {
    /// It did not come in time.
    TimedOut,
    /// The request was not made: its closure returned no ticket.
    NotAsked,
    /// The tasks of this peer wait for 4,096 events already.
    TooMany,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ListenError::TimedOut => "no event came in time",
            ListenError::NotAsked => "the request was not made; see why its closure has no ticket",
            ListenError::TooMany => {
                "the tasks of this peer wait for 4096 events already; let some of them end first"
            }
        })
    }
}

impl std::error::Error for ListenError {}

/// A task's wait for a local event, from [`Task::request`] or [`Task::hear`]. The peer forgets it
/// when it is dropped.
#[must_use = "a task waits for an event when it awaits it"]
pub struct Listening<P: Peerlet, E> {
    operation: Operation<P, Result<E, ListenError>>,
}

impl<P: Peerlet, E> Listening<P, E> {
    /// Waits at most this long. It counts from the moment at which listening began, or from now if
    /// that was before. Where it is set more than once, the earliest end applies.
    pub fn within(mut self, duration: impl Into<Duration>) -> Listening<P, E> {
        self.operation.limit(duration.into());
        self
    }
}

impl<P: Peerlet, E: 'static> Future for Listening<P, E> {
    type Output = Result<E, ListenError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Polled<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.get_mut().operation).poll(cx)
    }
}

impl<P: Peerlet> Task<P> {
    /// Makes a request of a sibling and waits for the event that answers it, by default without
    /// limit; see [`within`](Listening::within).
    ///
    /// The closure runs on the peerlet and its context, as in [`with`](Task::with), and returns the
    /// request's ticket, or `None` where no request could be made. The task listens before the
    /// closure runs, so an answer that the sibling gives at once, from what it has, is heard.
    ///
    /// ```
    /// # use peerlet_core::*;
    /// # #[derive(Clone)] struct Found { ticket: u64, value: u32 }
    /// # impl Response for Found {
    /// #     type Ticket = u64;
    /// #     fn ticket(&self) -> u64 { self.ticket }
    /// # }
    /// # struct Cache;
    /// # impl Cache {
    /// #     fn find(&mut self, ctx: &mut Context<Self>, key: u32) -> u64 {
    /// #         ctx.emit(Found { ticket: 7, value: key * 2 });
    /// #         7
    /// #     }
    /// # }
    /// # impl Peerlet for Cache {
    /// #     const NAME: &'static str = "cache"; type Message = Nothing; type Timer = Nothing;
    /// # }
    /// # #[derive(Default)] struct Reader { value: u32 }
    /// # impl Peerlet for Reader {
    /// #     const NAME: &'static str = "reader"; type Message = Nothing; type Timer = Nothing;
    /// #     fn start(&mut self, ctx: &mut Context<Self>) {
    /// ctx.spawn(|task| async move {
    ///     let found = task.request::<Found, _>(|_, ctx| {
    ///         let mut cache = ctx.sibling::<Cache>()?;
    ///         Some(cache.find(&mut ctx.of::<Cache>(), 21))
    ///     });
    ///     if let Ok(found) = found.within(SECOND * 5).await {
    ///         task.with(move |me, _ctx| me.value = found.value).await;
    ///     }
    /// });
    /// #     }
    /// # }
    /// # let peer = TestPeer::beside(Peer::new().with(Cache), Reader::default());
    /// # assert_eq!(peer.peerlet().value, 42);
    /// ```
    pub fn request<E: Response, T: Into<Option<E::Ticket>>>(
        &self,
        ask: impl FnOnce(&mut P, &mut Context<'_, '_, P>) -> T + Send + 'static,
    ) -> Listening<P, E> {
        let ask = move |me: &mut P, ctx: &mut Context<'_, '_, P>| {
            let ticket = ask(me, ctx).into()?;
            Some(filter(move |event: &E| event.ticket() == ticket))
        };
        let listen = Listen {
            event: TypeId::of::<E>(),
            listen_for: ListenFor::AnswerTo(Box::new(ask)),
            fail: fail::<E>,
            within: None,
        };
        Listening { operation: self.ask(Request::Listen(Box::new(listen))) }
    }

    /// Waits for the first local event of type `E` that the filter accepts, by default without
    /// limit; see [`within`](Listening::within).
    ///
    /// The task listens from this call on, not only from its `await`: an event that comes in
    /// between is kept.
    ///
    /// ```
    /// # use peerlet_core::*;
    /// # #[derive(Clone)] struct Joined { peers: usize }
    /// # #[derive(Default)] struct Walker { peers: usize }
    /// # impl Peerlet for Walker {
    /// #     const NAME: &'static str = "walker"; type Message = Nothing; type Timer = Nothing;
    /// #     fn start(&mut self, ctx: &mut Context<Self>) {
    /// ctx.spawn(|task| async move {
    ///     let joined = task.hear(|joined: &Joined| joined.peers >= 3).within(MINUTE);
    /// #     task.with(|_, ctx| ctx.emit(Joined { peers: 4 })).await;
    ///     if let Ok(Joined { peers }) = joined.await {
    ///         task.with(move |me, _ctx| me.peers = peers).await;
    ///     }
    /// });
    /// #     }
    /// # }
    /// # assert_eq!(TestPeer::new(Walker::default()).peerlet().peers, 4);
    /// ```
    pub fn hear<E: Clone + Send + 'static>(
        &self,
        accepts: impl FnMut(&E) -> bool + Send + 'static,
    ) -> Listening<P, E> {
        let listen = Listen {
            event: TypeId::of::<E>(),
            listen_for: ListenFor::Accepted(filter(accepts)),
            fail: fail::<E>,
            within: None,
        };
        Listening { operation: self.ask_now(Request::Listen(Box::new(listen))) }
    }
}

/// Makes a task's result of an event that it waits for.
fn filter<E: Clone + Send + 'static>(
    mut accepts: impl FnMut(&E) -> bool + Send + 'static,
) -> Filter {
    Box::new(move |event: &dyn Any| {
        let event: &E = event.downcast_ref()?;
        accepts(event).then(|| Value::new(Ok::<E, ListenError>(event.clone())))
    })
}

fn fail<E: Send + 'static>(why: ListenError) -> Value {
    Value::new(Err::<E, ListenError>(why))
}
