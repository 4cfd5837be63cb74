//! Several operations at once.
//!
//! An answer costs the same, however many operations are awaited: only the future that waited for
//! it is polled again.

use std::future::{Future, IntoFuture, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use super::branches::Branches;

/// Waits for all of them; the results are in the order of the arguments.
///
/// ```
/// # use peerlet_core::*;
/// # #[derive(Default)] struct Poll { sum: u32 }
/// # impl Peerlet for Poll {
/// #     const NAME: &'static str = "poll"; type Message = u32; type Timer = Nothing;
/// #     fn message(&mut self, ctx: &mut Context<Self>, from: Address, _: u32) {
/// #         let peers = vec![from, from];
/// ctx.spawn(move |task| async move {
///     let calls = peers.iter().map(|peer| task.call(*peer, 1).tries(2));
///     let answers = join_all(calls).await;
///     let sum = answers.into_iter().flatten().sum();
///     task.with(move |me, _ctx| me.sum = sum).await;
/// });
/// #     }
/// # }
/// # let mut peer = TestPeer::new(Poll::default());
/// # let other = peer.stranger(1);
/// # peer.deliver(other, 0);
/// # assert_eq!(peer.sent().len(), 2);
/// # peer.answer(other, 5);
/// # peer.advance(SECOND * 2);
/// # assert_eq!(peer.peerlet().sum, 5);
/// ```
pub fn join_all<I>(futures: I) -> JoinAll<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator,
    I::Item: IntoFuture,
{
    let branches = branches(futures);
    JoinAll { outputs: (0..branches.len()).map(|_| None).collect(), branches }
}

/// Waits for the first of them: its index and its result. The others are dropped, and so forgotten
/// by the peer. Where several are ready at once, the first in order wins. For futures of two types
/// there is [`race2`]; to keep the others going, a [`WaitSet`].
///
/// # Panics
/// Panics without any future: there would never be a first one.
#[track_caller]
pub fn race<I>(futures: I) -> Race<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator,
    I::Item: IntoFuture,
{
    let branches = branches(futures);
    assert!(!branches.is_empty(), "a race without runners has no winner");
    Race(branches)
}

fn branches<I>(futures: I) -> Branches<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator,
    I::Item: IntoFuture,
{
    let mut branches = Branches::new();
    for future in futures {
        branches.push(future.into_future());
    }
    branches
}

/// The future of [`join_all`].
#[must_use = "futures do nothing until they are awaited"]
pub struct JoinAll<F: Future> {
    branches: Branches<F>,
    outputs: Vec<Option<F::Output>>,
}

// Nothing in it points into itself.
impl<F: Future> Unpin for JoinAll<F> {}

impl<F: Future> Future for JoinAll<F> {
    type Output = Vec<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let JoinAll { branches, outputs } = self.get_mut();
        branches.begin();
        while let Some((place, output)) = branches.next_ready() {
            outputs[place as usize] = Some(output);
        }
        if !branches.is_empty() {
            branches.wait(cx);
            return Poll::Pending;
        }
        let output = |output: Option<_>| output.expect("`join_all` is not polled after its end");
        Poll::Ready(outputs.iter_mut().map(|place| output(place.take())).collect())
    }
}

/// The future of [`race`].
#[must_use = "futures do nothing until they are awaited"]
pub struct Race<F>(Branches<F>);

impl<F: Future> Future for Race<F> {
    type Output = (usize, F::Output);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let branches = &mut self.get_mut().0;
        branches.begin();
        let Some((place, output)) = branches.next_ready() else {
            branches.wait(cx);
            return Poll::Pending;
        };
        Poll::Ready((place as usize, output))
    }
}

/// Which of two futures was first, and its result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Either<A, B> {
    /// The first argument's.
    A(A),
    /// The second argument's.
    B(B),
}

/// Waits for the first of two, which may be of different types. The other one is dropped, and so
/// forgotten by the peer; one that is passed as `&mut` can be awaited again. Where both are ready
/// at once, the first argument wins.
///
/// ```
/// # use peerlet_core::*;
/// # struct Hedge { answer: Option<u32> }
/// # impl Peerlet for Hedge {
/// #     const NAME: &'static str = "hedge"; type Message = u32; type Timer = Nothing;
/// #     fn message(&mut self, ctx: &mut Context<Self>, from: Address, _: u32) {
/// #         let (near, far) = (from, from);
/// ctx.spawn(move |task| async move {
///     let mut first = task.call(near, 1);
///     let answer = match race2(&mut first, task.sleep(MILLISECOND * 200)).await {
///         Either::A(answer) => answer,
///         // It takes its time: ask another peer as well, and take the answer that comes first.
///         Either::B(()) => race([first, task.call(far, 1)]).await.1,
///     };
///     task.with(move |me, _ctx| me.answer = answer.ok()).await;
/// });
/// #     }
/// # }
/// # let mut peer = TestPeer::new(Hedge { answer: None });
/// # let other = peer.stranger(1);
/// # peer.deliver(other, 0);
/// # peer.advance(MILLISECOND * 200);
/// # assert_eq!(peer.sent().len(), 2);
/// # peer.answer(other, 5);
/// # assert_eq!(peer.peerlet().answer, Some(5));
/// ```
pub async fn race2<A, B>(a: A, b: B) -> Either<A::Output, B::Output>
where
    A: IntoFuture,
    B: IntoFuture,
{
    let (mut a, mut b) = (pin!(a.into_future()), pin!(b.into_future()));
    poll_fn(|cx| match a.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Either::A(output)),
        Poll::Pending => b.as_mut().poll(cx).map(Either::B),
    })
    .await
}

/// Futures that are awaited together, whose results are taken one by one as they become ready. More
/// can be added at any time.
///
/// ```
/// # use peerlet_core::*;
/// # #[derive(Default)] struct Crawl { seen: Vec<u32> }
/// # impl Peerlet for Crawl {
/// #     const NAME: &'static str = "crawl"; type Message = u32; type Timer = Nothing;
/// #     fn message(&mut self, ctx: &mut Context<Self>, from: Address, _: u32) {
/// #         let mut peers = vec![from; 5].into_iter();
/// ctx.spawn(move |task| async move {
///     // Three calls are open at any time.
///     let mut open: WaitSet<_> = peers.by_ref().take(3).map(|peer| task.call(peer, 1)).collect();
///     while let Some((_, answer)) = open.next().await {
///         if let Some(peer) = peers.next() {
///             open.push(task.call(peer, 1));
///         }
///         if let Ok(answer) = answer {
///             task.with(move |me, _ctx| me.seen.push(answer)).await;
///         }
///     }
/// });
/// #     }
/// # }
/// # let mut peer = TestPeer::new(Crawl::default());
/// # let other = peer.stranger(1);
/// # peer.deliver(other, 0);
/// # assert_eq!(peer.sent().len(), 3);
/// # peer.answer(other, 5);
/// # assert_eq!((peer.sent().len(), peer.peerlet().seen.len()), (1, 1));
/// # peer.advance(SECOND);
/// # assert_eq!(peer.sent().len(), 1);
/// ```
pub struct WaitSet<F>(Branches<F>);

impl<F> WaitSet<F> {
    /// An empty set.
    pub fn new() -> WaitSet<F> {
        WaitSet(Branches::new())
    }

    /// Adds a future; returns its place: the number of futures added before. It begins when the set
    /// is awaited next.
    pub fn push(&mut self, future: impl IntoFuture<IntoFuture = F>) -> usize {
        self.0.push(future.into_future()) as usize
    }

    /// How many have no result yet.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<F: Future> WaitSet<F> {
    /// Waits for the next result, and gives it with its future's place; `None` when no future is
    /// left. Where several are ready at once, the one that was added first comes first.
    pub async fn next(&mut self) -> Option<(usize, F::Output)> {
        poll_fn(|cx| {
            if self.0.is_empty() {
                return Poll::Ready(None);
            }
            self.0.begin();
            let Some((place, output)) = self.0.next_ready() else {
                self.0.wait(cx);
                return Poll::Pending;
            };
            Poll::Ready(Some((place as usize, output)))
        })
        .await
    }
}

impl<F> Default for WaitSet<F> {
    fn default() -> WaitSet<F> {
        WaitSet::new()
    }
}

impl<T: IntoFuture> FromIterator<T> for WaitSet<T::IntoFuture> {
    fn from_iter<I: IntoIterator<Item = T>>(futures: I) -> Self {
        WaitSet(branches(futures))
    }
}
