//! Several operations at once.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Waits for all of them; the results are in the order of the arguments.
///
/// ```
/// # use peerlet_core::*;
/// # async fn example<P: Peerlet>(task: Task<P>, a: Question<P>, b: Question<P>) {
/// let answers = join_all([a, b]).await;
/// assert_eq!(answers.len(), 2);
/// # }
/// ```
pub async fn join_all<I>(futures: I) -> Vec<<I::Item as IntoFuture>::Output>
where
    I: IntoIterator,
    I::Item: IntoFuture,
{
    JoinAll(futures.into_iter().map(|f| Slot::Waiting(Box::pin(f.into_future()))).collect()).await
}

/// Waits for the first of them: its place and its result. The others are dropped, and so forgotten
/// by the peer. Where several are ready at once, the first in order wins.
///
/// # Panics
/// Panics without any future: there would be no first one, ever.
pub async fn race<I>(futures: I) -> (usize, <I::Item as IntoFuture>::Output)
where
    I: IntoIterator,
    I::Item: IntoFuture,
{
    let futures: Vec<_> = futures.into_iter().map(|f| Box::pin(f.into_future())).collect();
    assert!(!futures.is_empty(), "a race without runners has no winner");
    Race(futures).await
}

enum Slot<F: Future> {
    Waiting(Pin<Box<F>>),
    Ready(F::Output),
    Taken,
}

struct JoinAll<F: Future>(Vec<Slot<F>>);

// Futures are pinned in their own boxes; results are never pinned.
impl<F: Future> Unpin for JoinAll<F> {}

impl<F: Future> Future for JoinAll<F> {
    type Output = Vec<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let slots = &mut self.get_mut().0;
        let mut waiting = false;
        for slot in slots.iter_mut() {
            if let Slot::Waiting(future) = slot {
                match future.as_mut().poll(cx) {
                    Poll::Ready(output) => *slot = Slot::Ready(output),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting {
            return Poll::Pending;
        }
        let take = |slot| match std::mem::replace(slot, Slot::Taken) {
            Slot::Ready(output) => output,
            Slot::Waiting(_) | Slot::Taken => panic!("`join_all` was polled after its end"),
        };
        Poll::Ready(slots.iter_mut().map(take).collect())
    }
}

struct Race<F: Future>(Vec<Pin<Box<F>>>);

impl<F: Future> Future for Race<F> {
    type Output = (usize, F::Output);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        for (place, future) in self.get_mut().0.iter_mut().enumerate() {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready((place, output));
            }
        }
        Poll::Pending
    }
}
