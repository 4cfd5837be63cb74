//! Several operations at once: what an answer costs, order, and futures of somebody else's.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use peerlet_core::{
    Duration, Either, MILLISECOND, Operation, SECOND, Task, WaitSet, join_all, race, race2,
};

use crate::runner::{Runner, begin, note};

/// A future that counts how often it is polled.
struct Counted<F> {
    future: F,
    polls: Arc<AtomicU64>,
}

impl<F: Future + Unpin> Future for Counted<F> {
    type Output = F::Output;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.polls.fetch_add(1, Relaxed);
        Pin::new(&mut self.future).poll(cx)
    }
}

type Nap = Counted<Operation<Runner, ()>>;

/// Sleeps of 1 ms, 2 ms and so on, that count their polls.
fn naps(task: &Task<Runner>, count: u64, polls: &Arc<AtomicU64>) -> Vec<Nap> {
    let nap = |n| Counted { future: task.sleep(MILLISECOND * n), polls: polls.clone() };
    (1..=count).map(nap).collect()
}

/// Runs a plan of naps for a minute; returns how often they were polled in all, and the log.
fn polls<F, T>(plan: F) -> (u64, Vec<String>)
where
    F: FnOnce(Task<Runner>, Arc<AtomicU64>) -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let polls: Arc<AtomicU64> = Arc::default();
    let count = polls.clone();
    let (mut peer, _) = begin(move |task, _| plan(task, count));
    peer.advance(SECOND * 60);
    let log = peer.peerlet().log.clone();
    (polls.load(Relaxed), log)
}

#[test]
fn an_answer_polls_only_the_future_that_waited_for_it() {
    let joined = polls(|task, polls| async move {
        let done = join_all(naps(&task, 4_000, &polls)).await;
        note(&task, done.len()).await;
    });
    assert_eq!(joined, (2 * 4_000, vec!["4000".to_owned()]));

    let raced = polls(|task, polls| async move {
        let (place, ()) = race(naps(&task, 4_000, &polls).into_iter().rev()).await;
        note(&task, place).await;
    });
    assert_eq!(raced, (4_000 + 1, vec!["3999".to_owned()]));

    let one_by_one = polls(|task, polls| async move {
        let mut set: WaitSet<Nap> = naps(&task, 4_000, &polls).into_iter().collect();
        let mut places = Vec::new();
        while let Some((place, ())) = set.next().await {
            places.push(place);
        }
        note(&task, places.is_sorted() && places.len() == 4_000).await;
    });
    assert_eq!(one_by_one, (2 * 4_000, vec!["true".to_owned()]));
}

#[test]
fn so_it_is_within_each_other() {
    let nested = polls(|task, polls| async move {
        let groups = (0..50).map(|_| {
            let (task, polls) = (task.clone(), polls.clone());
            async move {
                let mut set: WaitSet<_> = [join_all(naps(&task, 40, &polls))].into_iter().collect();
                set.next().await.expect("it is not empty").1.len()
            }
        });
        let sum: usize = join_all(groups).await.into_iter().sum();
        note(&task, sum).await;
    });
    assert_eq!(nested, (2 * 50 * 40, vec!["2000".to_owned()]));
}

#[test]
fn so_it_is_with_a_set_that_is_awaited_now_and_then() {
    let (count, log) = polls(|task, polls| async move {
        let mut set: WaitSet<Nap> = naps(&task, 1_000, &polls).into_iter().collect();
        let (mut done, mut rests) = (0, 0);
        while !set.is_empty() {
            match race2(set.next(), task.sleep(MILLISECOND / 2)).await {
                Either::A(_) => done += 1,
                Either::B(()) => rests += 1,
            }
            // Some are ready at once by then.
            if rests % 10 == 9 {
                task.sleep(MILLISECOND * 20).await;
            }
        }
        note(&task, done).await;
    });
    assert_eq!((count, log), (2 * 1_000, vec!["1000".to_owned()]));
}

#[test]
fn operations_that_are_answered_at_once_are_too() {
    let (_, log) = polls(|task, _| async move {
        let acts = (0..10_000usize).map(|n| task.with(move |_, _| n));
        let results = join_all(acts).await;
        note(&task, results.iter().enumerate().all(|(place, n)| place == *n)).await;
    });
    assert_eq!(log, ["true"]);
}

/// Those that are ready at one instant come in the order of their places, whatever woke them first.
#[test]
fn places_decide_where_several_are_ready() {
    let (_, log) = polls(|task, _| async move {
        let nap = |n: u64| task.sleep(MILLISECOND * n);
        let mut set = WaitSet::new();
        [3, 1, 2].into_iter().for_each(|n| _ = set.push(nap(n)));
        let mut order = Vec::new();
        order.push(set.next().await.expect("three wait").0);
        task.sleep(SECOND).await;
        set.push(nap(0));
        while let Some((place, ())) = set.next().await {
            order.push(place);
        }
        note(&task, format!("{order:?}")).await;
    });
    assert_eq!(log, ["[1, 0, 2, 3]"]);
}

#[test]
fn the_first_of_two_wins_and_the_other_can_go_on() {
    let (_, log) = polls(|task, _| async move {
        let mut long = task.sleep(SECOND * 3);
        let first = race2(&mut long, task.sleep(SECOND)).await;
        note(&task, format!("{first:?}")).await;
        // Its time comes while nobody looks at it.
        task.sleep(SECOND * 5).await;
        let second = race2(task.with(|_, ctx| ctx.now()), long).await;
        note(&task, format!("{second:?}")).await;
    });
    assert_eq!(log, ["B(())", "B(())"]);
}

#[test]
fn a_future_that_nothing_would_wake_is_looked_at_every_time() {
    let (_, log) = polls(|task, _| async move {
        let flag: Arc<AtomicU64> = Arc::default();
        let seen = flag.clone();
        let waits = std::future::poll_fn(move |_| match seen.load(Relaxed) {
            0 => Poll::Pending,
            n => Poll::Ready(n),
        });
        let sets = async {
            task.sleep(SECOND).await;
            flag.store(7, Relaxed);
            task.sleep(SECOND).await;
            0
        };
        let both: [Pin<Box<dyn Future<Output = u64> + Send>>; 2] =
            [Box::pin(waits), Box::pin(sets)];
        note(&task, format!("{:?}", join_all(both).await)).await;
        let never = race2(std::future::pending::<()>(), task.sleep(SECOND)).await;
        note(&task, format!("{never:?}")).await;
    });
    assert_eq!(log, ["[7, 0]", "B(())"]);
}

/// A future of somebody else's, which keeps the waker and waits.
struct Foreign(Option<Waker>);

impl Future for Foreign {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0 = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn beside_a_nap<T>(plan: impl FnOnce(Task<Runner>, Foreign) -> T + Send + 'static)
where
    T: Future<Output = ()> + Send + 'static,
{
    begin(move |task, _| plan(task, Foreign(None)));
}

#[test]
#[should_panic(expected = "a task of `runner` awaits something that is not its peer's")]
fn a_foreign_future_is_refused_beside_an_operation() {
    beside_a_nap(|task, foreign| async move { _ = race2(task.sleep(SECOND), foreign).await });
}

#[test]
#[should_panic(expected = "a task of `runner` awaits something that is not its peer's")]
fn a_foreign_future_is_refused_within_others() {
    beside_a_nap(|task, foreign| async move {
        let branch = |foreign: Option<Foreign>| {
            let task = task.clone();
            async move {
                match foreign {
                    Some(foreign) => _ = join_all([foreign]).await,
                    None => task.sleep(SECOND).await,
                }
            }
        };
        join_all([branch(None), branch(Some(foreign))]).await;
    });
}

#[test]
fn calls_are_joined_from_an_iterator() {
    let (mut peer, _) = begin(|task, peer| async move {
        let peers = [peer; 3];
        let answers = join_all(peers.iter().map(|peer| task.call(*peer, 7).within(SECOND))).await;
        let (first, _) = race(peers.iter().map(|peer| task.call(*peer, 8))).await;
        note(&task, format!("{} {first}", answers.len())).await;
    });
    assert_eq!(peer.sent().len(), 3);
    peer.advance(Duration::from_secs(2));
    assert_eq!(peer.peerlet().log, ["3 0"]);
}

#[test]
#[should_panic(expected = "a race without runners has no winner")]
fn a_race_needs_runners() {
    drop(race::<[Operation<Runner, ()>; 0]>([]));
}

/// A task that ends itself goes no further, and leaves nothing behind.
#[test]
fn a_task_can_be_its_own_end() {
    let (mut peer, _) = begin(|task, peer| async move {
        let end = task.with(|me, ctx| ctx.abort(me.id.expect("it was spawned")));
        race2(end, task.call(peer, 1)).await;
        note(&task, "it goes on").await;
    });
    peer.advance(SECOND * 9);
    assert_eq!(peer.peerlet().log, [] as [&str; 0]);
    assert_eq!(peer.sent(), []);
}
