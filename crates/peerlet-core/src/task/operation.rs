//! A task's handle on its peer, and the operations it can wait for.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use peerlet_memory::{Value, prefetch_line};

use super::board::{Board, Request};
use super::question::Question;
use crate::address::Address;
use crate::context::Context;
use crate::peerlet::Peerlet;
use crate::time::Duration;

/// A task's handle on its peer: the argument of the closure given to
/// [`Context::spawn`](crate::Context::spawn).
pub struct Task<P: Peerlet> {
    board: Arc<Mutex<Board<P>>>,
}

impl<P: Peerlet> Clone for Task<P> {
    fn clone(&self) -> Task<P> {
        Task { board: self.board.clone() }
    }
}

impl<P: Peerlet> Task<P> {
    pub(super) fn new() -> Task<P> {
        Task { board: Arc::new(Mutex::new(Board::new())) }
    }

    /// Asks the cache for the board.
    pub(super) fn prefetch(&self) {
        (0..size_of::<Board<P>>().div_ceil(64)).for_each(|line| prefetch_line(&*self.board, line));
    }

    pub(super) fn board(&self) -> MutexGuard<'_, Board<P>> {
        self.board.lock().expect("nothing panics while it holds a task's board")
    }

    /// Asks a peer a question and waits for the answer, which the other peerlet gives by
    /// [`Context::reply`](crate::Context::reply). By default, one try by datagram within 1 s.
    ///
    /// Question and answer have at most 1,150 encoded bytes each by datagram, and 16 MiB reliably
    /// unless the run sets another bound; a longer one fails the call at once. Over QUIC the first
    /// 64 datagrams to a peer wait for a handshake. Further questions are dropped, the accounts say
    /// so under `queue`, and their calls time out. Spread first calls over time, give them
    /// [`tries`](Question::tries), or ask [`reliably`](Question::reliably).
    pub fn call(&self, to: Address, message: P::Message) -> Question<P> {
        Question::new(self.clone(), to, message)
    }

    /// Waits this long, by the peer's clock.
    pub fn sleep(&self, duration: impl Into<Duration>) -> Operation<P, ()> {
        self.ask(Request::Sleep(duration.into()))
    }

    /// Runs a closure on the peerlet and its context between two events, and waits for its result.
    /// The peerlet is never borrowed across an `await`: this is how to access it.
    pub fn with<R, F>(&self, act: F) -> Operation<P, R>
    where
        R: Send + 'static,
        F: FnOnce(&mut P, &mut Context<'_, '_, P>) -> R + Send + 'static,
    {
        self.ask(Request::With(Box::new(move |me, ctx| Value::new(act(me, ctx)))))
    }

    pub(super) fn ask<R>(&self, request: Request<P>) -> Operation<P, R> {
        Operation { task: self.clone(), stage: Stage::New(request), result: PhantomData }
    }

    /// An operation that begins at once, and not only when it is awaited.
    pub(super) fn ask_now<R>(&self, request: Request<P>) -> Operation<P, R> {
        let stage = Stage::Asked(self.board().ask_unwatched(request));
        Operation { task: self.clone(), stage, result: PhantomData }
    }
}

/// An operation that a task waits for. If it is dropped before its answer is there, the peer
/// forgets it as well.
#[must_use = "an operation begins when it is awaited"]
pub struct Operation<P: Peerlet, R> {
    task: Task<P>,
    stage: Stage<P>,
    result: PhantomData<fn() -> R>,
}

enum Stage<P: Peerlet> {
    New(Request<P>),
    Asked(u32),
    Over,
}

impl<P: Peerlet, R> Operation<P, R> {
    /// Sets a limit to the wait for a local event.
    pub(super) fn limit(&mut self, within: Duration) {
        match &mut self.stage {
            Stage::New(Request::Listen(listen)) => {
                listen.within = Some(listen.within.map_or(within, |known| known.min(within)));
            }
            Stage::Asked(own) => self.task.board().requests.push((*own, Request::Limit(within))),
            Stage::New(_) | Stage::Over => {}
        }
    }
}

// Nothing in an operation points into itself.
impl<P: Peerlet, R> Unpin for Operation<P, R> {}

impl<P: Peerlet, R: 'static> Future for Operation<P, R> {
    type Output = R;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<R> {
        let me = self.get_mut();
        match std::mem::replace(&mut me.stage, Stage::Over) {
            Stage::New(request) => {
                me.stage = Stage::Asked(me.task.board().ask(request, cx.waker()));
                Poll::Pending
            }
            Stage::Asked(own) => {
                let mut board = me.task.board();
                let Some(reply) = board.take(own) else {
                    board.wait(own, cx.waker());
                    me.stage = Stage::Asked(own);
                    return Poll::Pending;
                };
                let Ok(result) = reply.value.take() else { panic!("it is answered by its type") };
                Poll::Ready(result)
            }
            Stage::Over => panic!("an operation was polled after its answer"),
        }
    }
}

impl<P: Peerlet, R> Drop for Operation<P, R> {
    fn drop(&mut self) {
        if let Stage::Asked(own) = self.stage {
            let removed = {
                let mut board = self.task.board();
                let removed = board.remove(own);
                if !removed.was_answered() {
                    board.requests.push((own, Request::Forget));
                }
                removed
            };
            drop(removed);
        }
    }
}
