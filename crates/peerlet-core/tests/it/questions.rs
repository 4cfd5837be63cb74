//! Calls that are awaited more than once, and answers that come late.

use peerlet_core::{
    Address, CallError, Either, MILLISECOND, Question, SECOND, Task, TestPeer, race, race2,
};

use crate::runner::{Runner, begin, note};

/// Awaits a call twice: for one second, then for what the test says.
fn twice<F>(then: F) -> (TestPeer<Runner>, Address)
where
    F: FnOnce(Question<Runner>) -> Question<Runner> + Send + 'static,
{
    begin(move |task, peer| async move {
        let mut call = task.call(peer, 1).within(SECOND);
        note(&task, format!("{:?}", (&mut call).await)).await;
        task.sleep(SECOND).await;
        note(&task, format!("{:?}", then(call).await)).await;
    })
}

const TIMED_OUT: &str = "Err(TimedOut)";

#[test]
fn an_answer_that_comes_late_can_still_be_had() {
    let (mut peer, other) = twice(|call| call);
    peer.advance(SECOND);
    assert_eq!(peer.peerlet().log, [TIMED_OUT]);
    // Nobody awaits it when it comes.
    peer.answer(other, 5);
    assert_eq!(peer.late_answers(), 1);
    peer.advance(SECOND);
    assert_eq!(peer.peerlet().log, [TIMED_OUT, "Ok(5)"]);
    assert_eq!(peer.late_answers(), 0, "it was of use");
    assert_eq!(peer.sent(), [(other, 1)], "the question was asked once");
}

#[test]
fn it_is_waited_for_again_as_long() {
    let (mut peer, other) = twice(|call| call);
    peer.advance(SECOND * 2 + MILLISECOND * 900);
    assert_eq!(peer.peerlet().log, [TIMED_OUT]);
    peer.answer(other, 5);
    assert_eq!(peer.peerlet().log, [TIMED_OUT, "Ok(5)"]);
    let (mut peer, _) = twice(|call| call);
    peer.advance(SECOND * 3);
    assert_eq!(peer.peerlet().log, [TIMED_OUT, TIMED_OUT]);
}

#[test]
fn or_longer() {
    let (mut peer, other) = twice(|call| call.within(SECOND * 10));
    peer.advance(SECOND * 11);
    assert_eq!(peer.peerlet().log, [TIMED_OUT]);
    peer.answer(other, 5);
    assert_eq!(peer.peerlet().log, [TIMED_OUT, "Ok(5)"]);
    assert_eq!(peer.late_answers(), 0);
}

#[test]
fn an_answer_that_nobody_awaits_any_more_is_late() {
    // The call is dropped before or after the answer comes, or with its task.
    let (mut peer, other) = begin(|task, peer| async move {
        let mut call = task.call(peer, 1);
        note(&task, format!("{:?}", (&mut call).await)).await;
        task.sleep(SECOND).await;
        drop(call);
        task.sleep(SECOND).await;
    });
    peer.advance(SECOND);
    peer.answer(other, 5);
    assert_eq!(peer.late_answers(), 1);
    peer.advance(SECOND * 5);
    peer.answer(other, 5);
    assert_eq!(peer.late_answers(), 2, "a copy comes when all is over");
}

#[test]
fn a_wait_that_was_given_up_goes_on_beside() {
    let (mut peer, other) = begin(|task, peer| async move {
        let mut call = task.call(peer, 1).within(SECOND * 2);
        let first = race2(&mut call, task.sleep(SECOND)).await;
        assert!(matches!(first, Either::B(())));
        // Its first time is over at 2 s; the new one counts from now on.
        let call = call.within(SECOND * 4);
        note(&task, format!("{:?}", call.await)).await;
        note(&task, task.with(|_, ctx| ctx.now()).await).await;
    });
    peer.advance(SECOND * 9);
    assert_eq!(peer.peerlet().log, [TIMED_OUT, "5s"]);
    assert_eq!(peer.sent(), [(other, 1)]);
}

#[test]
fn its_first_time_holds_when_no_other_is_set() {
    let (mut peer, _) = begin(|task, peer| async move {
        let mut call = task.call(peer, 1).within(SECOND * 2).tries(2);
        _ = race2(&mut call, task.sleep(SECOND)).await;
        note(&task, format!("{:?}", (&mut call).await)).await;
        note(&task, task.with(|_, ctx| ctx.now()).await).await;
    });
    peer.advance(SECOND * 9);
    assert_eq!(peer.peerlet().log, [TIMED_OUT, "4s"]);
    assert_eq!(peer.sent().len(), 2, "it was asked twice, as said");
}

#[test]
fn the_first_of_an_old_call_and_a_new_one() {
    let (mut peer, other) = begin(|task, peer| async move {
        let mut old = task.call(peer, 1).within(SECOND);
        _ = (&mut old).await;
        let again = [old.within(SECOND * 5), task.call(peer, 2).within(SECOND * 5)];
        let (place, answer) = race(again).await;
        note(&task, format!("{place} {answer:?}")).await;
    });
    peer.advance(SECOND);
    assert_eq!(peer.sent(), [(other, 1), (other, 2)]);
    peer.answer(other, 9);
    assert_eq!(peer.peerlet().log, ["1 Ok(9)"]);
}

#[test]
fn what_failed_stays_failed() {
    let (mut peer, _) = begin(|task, peer| async move {
        task.sleep(SECOND).await;
        let mut call = task.call(peer, 1).reliably();
        for _ in 0..2 {
            note(&task, format!("{:?}", (&mut call).await)).await;
        }
    });
    peer.set_full(true);
    peer.advance(SECOND * 2);
    let full = format!("{:?}", Err::<u64, _>(CallError::Full));
    assert_eq!(peer.peerlet().log, [full.clone(), full]);
}

#[test]
#[should_panic(expected = "a question of `runner` is asked already; set `tries` before")]
fn tries_are_set_before() {
    let (mut peer, _) = twice(|call| call.tries(2));
    peer.advance(SECOND * 2);
}

/// However long calls may wait, what is over is not kept.
#[test]
fn calls_that_were_answered_are_not_kept() {
    let (mut peer, other) = begin(|task: Task<Runner>, peer| async move {
        for n in 0..50_000 {
            let call = task.call(peer, n).within(SECOND * 86_400);
            if call.await.is_err() {
                return note(&task, "an answer is missing").await;
            }
        }
        note(&task, "done").await;
    });
    let mut most = 0;
    for n in 0..50_000 {
        peer.answer(other, n);
        most = most.max(peer.waiting());
    }
    assert_eq!(peer.peerlet().log, ["done"]);
    assert!(most <= 1_025, "{most} waits were kept");
}
