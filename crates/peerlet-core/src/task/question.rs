//! Calls: questions to other peers whose answers a task waits for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::board::Request;
use super::operation::Task;
use crate::address::Address;
use crate::parcel::{Class, Undelivered};
use crate::peerlet::Peerlet;
use crate::refusal::Refusal;
use crate::time::{Duration, SECOND};

/// A question, which is asked when it is first awaited.
///
/// Await it as `&mut` to keep it: when its time is over, the answer may still come, and the next
/// `await` takes it or waits for it [`within`](Question::within) the same time again, or another
/// one. The question is not sent again. The peer forgets it when it is dropped.
///
/// ```
/// # use peerlet_core::*;
/// # #[derive(Default)] struct Patient { answer: u32, is_late: bool }
/// # impl Peerlet for Patient {
/// #     const NAME: &'static str = "patient"; type Message = u32; type Timer = Nothing;
/// #     fn message(&mut self, ctx: &mut Context<Self>, peer: Address, _: u32) {
/// ctx.spawn(move |task| async move {
///     let mut call = task.call(peer, 1).within(MILLISECOND * 200);
///     let answer = match (&mut call).await {
///         Err(CallError::TimedOut) => {
///             task.with(|me, _ctx| me.is_late = true).await;
///             call.within(SECOND * 5).await
///         }
///         answer => answer,
///     };
///     if let Ok(answer) = answer {
///         task.with(move |me, _ctx| me.answer = answer).await;
///     }
/// });
/// #     }
/// # }
/// # let mut peer = TestPeer::new(Patient::default());
/// # let other = peer.stranger(1);
/// # peer.deliver(other, 0);
/// # peer.advance(SECOND * 2);
/// # assert_eq!(peer.sent(), [(other, 1)]);
/// # peer.answer(other, 5);
/// # assert_eq!((peer.peerlet().is_late, peer.peerlet().answer), (true, 5));
/// ```
#[must_use = "a question is asked when it is awaited"]
pub struct Question<P: Peerlet> {
    task: Task<P>,
    stage: Stage<P>,
    within: Duration,
    /// Whether `within` was set since the peer last heard of it.
    is_new: bool,
    tries: u32,
    class: Class,
}

enum Stage<P: Peerlet> {
    New(Address, P::Message),
    Asked(u32),
    /// Its time was over; the answer may still come.
    TimedOut(u32),
    Failed(CallError),
    Over,
}

impl<P: Peerlet> Question<P> {
    pub(super) fn new(task: Task<P>, to: Address, message: P::Message) -> Question<P> {
        let (stage, class) = (Stage::New(to, message), Class::Datagram);
        Question { task, stage, within: SECOND, is_new: false, tries: 1, class }
    }

    /// Waits this long for the answer to each try. Set once the question is asked, it counts from
    /// the next `await` on.
    pub fn within(mut self, duration: impl Into<Duration>) -> Question<P> {
        (self.within, self.is_new) = (duration.into(), true);
        self
    }

    /// Asks up to this many times, with one number over all tries. Zero counts as one.
    ///
    /// # Panics
    /// Panics when the question is asked already.
    #[track_caller]
    pub fn tries(mut self, tries: u32) -> Question<P> {
        self.refuse_asked("tries");
        self.tries = tries.max(1);
        self
    }

    /// Asks by reliable delivery; the answer comes the same way.
    ///
    /// [`CallError::Undelivered`] is about the question alone. A peer that has taken it and then
    /// crashes or stops, or whose answer is not delivered, is not reported: the call ends with
    /// [`CallError::TimedOut`] when the time set by [`within`](Question::within) is over.
    ///
    /// # Panics
    /// Panics when the question is asked already.
    #[track_caller]
    pub fn reliably(mut self) -> Question<P> {
        self.refuse_asked("reliably");
        self.class = Class::Reliable;
        self
    }

    #[track_caller]
    fn refuse_asked(&self, setting: &str) {
        let is_asked = !matches!(self.stage, Stage::New(..));
        assert!(!is_asked, "a question of `{}` is asked already; set `{setting}` before", P::NAME);
    }

    /// Takes what the peer has to tell of the question it knows by this number.
    fn take(&mut self, own: u32) -> Option<Result<P::Message, CallError>> {
        let mut board = self.task.board();
        let reply = board.take(own)?;
        board.timely += u64::from(reply.is_late);
        drop(board);
        let Ok(result) = reply.value.take() else { panic!("it is answered by its type") };
        Some(result)
    }

    /// Has the peer wait for the answer again.
    fn ask_again(&mut self, before: u32, cx: &mut Context<'_>) -> Poll<<Self as Future>::Output> {
        let again = Request::Again { before, within: self.within };
        self.is_new = false;
        self.stage = Stage::Asked(self.task.board().ask(again, cx.waker()));
        Poll::Pending
    }
}

// Nothing in a question points into itself.
impl<P: Peerlet> Unpin for Question<P> {}

impl<P: Peerlet> Future for Question<P> {
    type Output = Result<P::Message, CallError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let me = self.get_mut();
        match std::mem::replace(&mut me.stage, Stage::Over) {
            Stage::New(to, message) => {
                let Question { within, tries, class, .. } = *me;
                let request = Request::Call { to, message, within, tries, class };
                me.is_new = false;
                me.stage = Stage::Asked(me.task.board().ask(request, cx.waker()));
                Poll::Pending
            }
            Stage::Asked(own) => match me.take(own) {
                Some(Err(CallError::TimedOut)) if me.is_new => me.ask_again(own, cx),
                Some(Err(CallError::TimedOut)) => {
                    me.stage = Stage::TimedOut(own);
                    Poll::Ready(Err(CallError::TimedOut))
                }
                Some(Err(why)) => {
                    me.stage = Stage::Failed(why);
                    Poll::Ready(Err(why))
                }
                Some(Ok(answer)) => Poll::Ready(Ok(answer)),
                None if me.is_new => me.ask_again(own, cx),
                None => {
                    me.task.board().wait(own, cx.waker());
                    me.stage = Stage::Asked(own);
                    Poll::Pending
                }
            },
            Stage::TimedOut(own) => match me.take(own) {
                Some(Err(why)) => {
                    me.stage = Stage::Failed(why);
                    Poll::Ready(Err(why))
                }
                Some(Ok(answer)) => Poll::Ready(Ok(answer)),
                None => me.ask_again(own, cx),
            },
            Stage::Failed(why) => {
                me.stage = Stage::Failed(why);
                Poll::Ready(Err(why))
            }
            Stage::Over => panic!("a question was polled after its answer"),
        }
    }
}

impl<P: Peerlet> Drop for Question<P> {
    fn drop(&mut self) {
        if let Stage::Asked(own) | Stage::TimedOut(own) = self.stage {
            let removed = {
                let mut board = self.task.board();
                board.requests.push((own, Request::Forget));
                board.remove(own)
            };
            drop(removed);
        }
    }
}

/// Why a call has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CallError {
    /// No answer came in time, over all tries. It may still come: see [`Question`].
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
