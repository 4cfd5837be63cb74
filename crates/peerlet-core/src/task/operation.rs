//! What a task can wait for.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use peerlet_memory::{Value, prefetch_line};

use crate::address::Address;
use crate::context::Context;
use crate::few::Few;
use crate::peerlet::Peerlet;
use crate::refusal::Refusal;
use crate::runtime::{Class, Undelivered};
use crate::time::{Duration, SECOND};

/// Where a task and its peer exchange operations and answers. Both sides run on one thread at a
/// time.
pub(super) struct Board<P: Peerlet> {
    serial: u32,
    pub(super) requests: Vec<(u32, Request<P>)>,
    pub(super) answers: Few<u32, Value>,
}

type Act<P> = Box<dyn FnOnce(&mut P, &mut Context<'_, '_, P>) -> Value + Send>;

/// What a task asks of its peer.
pub(super) enum Request<P: Peerlet> {
    Call {
        to: Address,
        message: P::Message,
        within: Duration,
        tries: u32,
        class: Class,
    },
    Sleep(Duration),
    With(Act<P>),
    /// The operation is not waited for any more.
    Forget,
}

/// A task's hold on its peer: the argument of the closure given to
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
        let board = Board { serial: 0, requests: Vec::with_capacity(1), answers: Few::default() };
        Task { board: Arc::new(Mutex::new(board)) }
    }

    /// Asks the cache for the board.
    pub(super) fn prefetch(&self) {
        (0..size_of::<Board<P>>().div_ceil(64)).for_each(|line| prefetch_line(&*self.board, line));
    }

    pub(super) fn board(&self) -> MutexGuard<'_, Board<P>> {
        lock(&self.board)
    }

    /// Asks a peer a question and waits for the answer, which the other peerlet gives by
    /// [`Context::reply`](crate::Context::reply). One try by datagram within 1 s unless said
    /// otherwise.
    ///
    /// Question and answer have at most 1,150 encoded bytes each by datagram, and 16 MiB reliably
    /// unless the run sets another bound; a longer one fails the call at once. Over QUIC the first
    /// datagrams to a peer wait for a handshake: 64 of them. Further questions are dropped, the
    /// accounts say so under `queue`, and their calls time out. Spread first calls over time, give
    /// them [`tries`](Question::tries), or ask [`reliably`](Question::reliably).
    pub fn call(&self, to: Address, message: P::Message) -> Question<P> {
        let (task, class) = (self.clone(), Class::Datagram);
        Question { task, to, message, within: SECOND, tries: 1, class }
    }

    /// Waits this long, by the peer's clock.
    pub fn sleep(&self, duration: impl Into<Duration>) -> Operation<P, ()> {
        self.ask(Request::Sleep(duration.into()))
    }

    /// Runs a closure on the peerlet and its context between two events, and waits for what it
    /// returns. The peerlet is never borrowed across an `await`: this is the way to it.
    pub fn with<R, F>(&self, act: F) -> Operation<P, R>
    where
        R: Send + 'static,
        F: FnOnce(&mut P, &mut Context<'_, '_, P>) -> R + Send + 'static,
    {
        self.ask(Request::With(Box::new(move |me, ctx| Value::new(act(me, ctx)))))
    }

    fn ask<R>(&self, request: Request<P>) -> Operation<P, R> {
        let board = self.board.clone();
        Operation { board, stage: Stage::New(request), result: PhantomData }
    }
}

fn lock<P: Peerlet>(board: &Mutex<Board<P>>) -> MutexGuard<'_, Board<P>> {
    board.lock().expect("nothing panics while it holds a task's board")
}

/// A question that is about to be asked; `await` asks it.
#[must_use = "a question is asked when it is awaited"]
pub struct Question<P: Peerlet> {
    task: Task<P>,
    to: Address,
    message: P::Message,
    within: Duration,
    tries: u32,
    class: Class,
}

impl<P: Peerlet> Question<P> {
    /// Waits this long for the answer to each try.
    pub fn within(mut self, duration: impl Into<Duration>) -> Question<P> {
        self.within = duration.into();
        self
    }

    /// Asks up to this many times, with one number over all tries. Zero counts as one.
    pub fn tries(mut self, tries: u32) -> Question<P> {
        self.tries = tries.max(1);
        self
    }

    /// Asks by reliable delivery; the answer comes the same way.
    pub fn reliably(mut self) -> Question<P> {
        self.class = Class::Reliable;
        self
    }
}

impl<P: Peerlet> IntoFuture for Question<P> {
    type Output = Result<P::Message, CallError>;
    type IntoFuture = Operation<P, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Question { task, to, message, within, tries, class } = self;
        task.ask(Request::Call { to, message, within, tries, class })
    }
}

/// Why a call has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CallError {
    /// No answer came in time, over all tries.
    TimedOut,
    /// The question is not known to be delivered (reliable calls only).
    Undelivered(Undelivered),
    /// The queue to the destination is full (reliable calls only).
    Full,
    /// The question is longer than a message of its class may be; it cannot be delivered.
    TooLarge {
        /// How long it is, in encoded bytes.
        size: usize,
        /// How long it may be, in encoded bytes.
        max: usize,
    },
    /// The answer is longer than a message of the question's class may be, as the other peer says.
    AnswerTooLarge,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            CallError::TimedOut => f.write_str("no answer came in time"),
            CallError::Undelivered(why) => write!(f, "the question was not delivered: {why}"),
            CallError::Full => f.write_str("the queue to the peer is full; wait for `writable`"),
            CallError::TooLarge { size, max } => {
                write!(f, "the question was not sent: {}", Refusal::TooLarge { size, max })
            }
            CallError::AnswerTooLarge => f.write_str(
                "the answer is longer than a message may be; ask reliably, or for less at a time",
            ),
        }
    }
}

impl std::error::Error for CallError {}

impl From<Refusal> for CallError {
    fn from(why: Refusal) -> CallError {
        match why {
            Refusal::QueueFull => CallError::Full,
            Refusal::TooLarge { size, max } => CallError::TooLarge { size, max },
        }
    }
}

/// Something that a task waits for. Dropped before its answer is there, it is forgotten by the peer
/// as well.
#[must_use = "an operation begins when it is awaited"]
pub struct Operation<P: Peerlet, R> {
    board: Arc<Mutex<Board<P>>>,
    stage: Stage<P>,
    result: PhantomData<fn() -> R>,
}

enum Stage<P: Peerlet> {
    New(Request<P>),
    Asked(u32),
    Over,
}

// Nothing in an operation points into itself.
impl<P: Peerlet, R> Unpin for Operation<P, R> {}

impl<P: Peerlet, R: 'static> Future for Operation<P, R> {
    type Output = R;

    fn poll(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<R> {
        let me = self.get_mut();
        match std::mem::replace(&mut me.stage, Stage::Over) {
            Stage::New(request) => {
                let mut board = lock(&me.board);
                board.serial += 1;
                let id = board.serial;
                board.requests.push((id, request));
                me.stage = Stage::Asked(id);
                Poll::Pending
            }
            Stage::Asked(id) => match lock(&me.board).answers.remove(id) {
                Some(answer) => {
                    let Ok(result) = answer.take() else { panic!("it is answered by its type") };
                    Poll::Ready(result)
                }
                None => {
                    me.stage = Stage::Asked(id);
                    Poll::Pending
                }
            },
            Stage::Over => panic!("an operation was polled after its answer"),
        }
    }
}

impl<P: Peerlet, R> Drop for Operation<P, R> {
    fn drop(&mut self) {
        if let Stage::Asked(id) = self.stage {
            let mut board = lock(&self.board);
            if board.answers.remove(id).is_none() {
                board.requests.push((id, Request::Forget));
            }
        }
    }
}
