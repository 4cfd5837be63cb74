//! Tasks: calls, tries, sleep, combination, and what happens to those who wait for something else.

use std::pin::Pin;
use std::task::Poll;

use peerlet_core::{
    Address, CallError, Context, Nothing, Peerlet, SECOND, Task, TestPeer, join_all, race,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
enum Message {
    Begin(Plan),
    Question(u32),
    Answer(u32),
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
enum Plan {
    Call,
    Both,
    First,
    Nap,
    Foreign,
    Kept,
}

/// Does what it is told to do as a task, and keeps what came out.
#[derive(Default)]
struct Worker {
    log: Vec<String>,
}

impl Peerlet for Worker {
    const NAME: &'static str = "worker";
    type Message = Message;
    type Timer = Nothing;

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: Message) {
        match message {
            Message::Begin(plan) => {
                ctx.spawn(move |task| work(task, from, plan));
                assert_eq!(self.log, [] as [&str; 0], "a task begins after the handler");
            }
            Message::Question(n) => ctx.reply(Message::Answer(n + 1)),
            Message::Answer(_) => self.log.push("unasked".into()),
        }
    }
}

async fn work(task: Task<Worker>, peer: Address, plan: Plan) {
    let note = match plan {
        Plan::Kept => return Keeper.await,
        Plan::Call => {
            let answer = task.call(peer, Message::Question(1)).within(SECOND).tries(3).await;
            format!("{answer:?}")
        }
        Plan::Both => {
            let ask = |n| task.call(peer, Message::Question(n)).within(SECOND * 2);
            format!("{:?}", join_all([ask(1), ask(2)]).await)
        }
        Plan::First => {
            let (place, ()) = race([task.sleep(SECOND * 5), task.sleep(SECOND)]).await;
            format!("{place}")
        }
        Plan::Nap => {
            task.sleep(SECOND).await;
            task.with(|_, ctx| ctx.now().to_string()).await
        }
        Plan::Foreign => {
            Pending.await;
            unreachable!("nobody wakes it")
        }
    };
    task.with(move |me, _| me.log.push(note)).await;
}

/// A future of somebody else's, which waits.
struct Pending;

impl Future for Pending {
    type Output = ();
    fn poll(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// A future of somebody else's, which is over at once, and whose waker stays with somebody.
struct Keeper;

impl Future for Keeper {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
        std::mem::forget(cx.waker().clone());
        Poll::Ready(())
    }
}

fn begin(plan: Plan) -> (TestPeer<Worker>, Address) {
    let mut peer = TestPeer::new(Worker::default());
    let other = peer.stranger(1);
    peer.deliver(other, Message::Begin(plan));
    (peer, other)
}

#[test]
fn an_answer_ends_the_call() {
    let (mut peer, other) = begin(Plan::Call);
    assert_eq!(peer.sent(), [(other, Message::Question(1))]);
    peer.answer(other, Message::Answer(2));
    assert_eq!(peer.peerlet().log, ["Ok(Answer(2))"]);
    peer.advance(SECOND * 9);
    assert_eq!(peer.sent(), [], "an answered call is not tried again");
    peer.answer(other, Message::Answer(2));
    assert_eq!(peer.peerlet().log.len(), 1, "a late answer is no message");
}

#[test]
fn a_call_is_tried_again_and_then_fails() {
    let (mut peer, other) = begin(Plan::Call);
    peer.advance(SECOND * 2);
    assert_eq!(peer.sent(), [(other, Message::Question(1)); 3]);
    assert_eq!(peer.peerlet().log, [] as [&str; 0]);
    peer.advance(SECOND);
    assert_eq!(peer.peerlet().log, [format!("Err({:?})", CallError::TimedOut)]);
    assert_eq!(peer.sent(), []);
}

#[test]
fn an_answer_from_elsewhere_is_not_taken() {
    let (mut peer, _) = begin(Plan::Call);
    let impostor = peer.stranger(2);
    peer.deliver(impostor, Message::Answer(2));
    assert_eq!(peer.peerlet().log, ["unasked"]);
}

#[test]
fn questions_are_answered() {
    let mut peer = TestPeer::new(Worker::default());
    let other = peer.stranger(1);
    peer.ask(other, Message::Question(4));
    assert_eq!(peer.sent(), [(other, Message::Answer(5))]);
}

#[test]
fn all_are_joined() {
    let (mut peer, other) = begin(Plan::Both);
    peer.advance(SECOND);
    peer.answer(other, Message::Answer(9));
    assert_eq!(peer.peerlet().log, [] as [&str; 0]);
    peer.advance(SECOND);
    assert_eq!(peer.peerlet().log, ["[Err(TimedOut), Ok(Answer(9))]"]);
}

#[test]
fn the_first_wins_and_the_others_are_forgotten() {
    let (mut peer, _) = begin(Plan::First);
    peer.advance(SECOND * 9);
    assert_eq!(peer.peerlet().log, ["1"]);
}

#[test]
fn tasks_sleep_by_the_peers_clock_and_die_with_the_life() {
    let (mut peer, other) = begin(Plan::Nap);
    peer.advance(SECOND);
    assert_eq!(peer.peerlet().log, ["1s"]);
    let (mut peer, _) = { (peer, other) };
    peer.stop();
    peer.start();
    peer.advance(SECOND * 9);
    assert_eq!(peer.peerlet().log, ["1s"]);
}

#[test]
fn a_waker_that_a_task_left_behind_is_not_the_next_ones_fault() {
    let (mut peer, other) = begin(Plan::Kept);
    peer.deliver(other, Message::Begin(Plan::Nap));
    peer.advance(SECOND);
    assert_eq!(peer.peerlet().log, ["1s"]);
}

#[test]
#[should_panic(expected = "awaits something that is not its peer's")]
fn foreign_futures_are_refused() {
    begin(Plan::Foreign);
}
