//! How long a call into a live peer takes from outside, beside a bare round trip over channels.
//!
//! Both are measured in turns in one run: 10,000 calls each, one after the other, and as many from
//! 64 tasks at once.

#![allow(clippy::disallowed_types, reason = "a benchmark reads the real time")]

use std::future::Future;
use std::time::{Duration, Instant};

use peerlet::prelude::*;
use tokio::sync::{mpsc, oneshot};

const CALLS: usize = 10_000;
const TASKS: usize = 64;

#[derive(Default)]
struct Counter {
    count: u64,
}

impl Peerlet for Counter {
    const NAME: &'static str = "counter";
    type Message = Nothing;
    type Timer = Nothing;
}

/// A call, made anew each time.
trait Call: Fn() -> Self::Made + Clone + Send + Sync + 'static {
    type Made: Future<Output = u64> + Send;
}

impl<F: Future<Output = u64> + Send, C: Fn() -> F + Clone + Send + Sync + 'static> Call for C {
    type Made = F;
}

/// How long each of some calls takes, one after the other.
async fn timed(calls: usize, call: &impl Call) -> Vec<Duration> {
    let mut took = Vec::with_capacity(calls);
    for _ in 0..calls {
        let begun = Instant::now();
        std::hint::black_box(call().await);
        took.push(begun.elapsed());
    }
    took
}

/// How long each takes when many tasks call at once.
async fn timed_at_once(call: impl Call) -> Vec<Duration> {
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let call = call.clone();
            tokio::spawn(async move { timed(CALLS / TASKS, &call).await })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.expect("no panic"));
    }
    all
}

fn show(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |share: f64| took[(took.len() as f64 * share) as usize].as_nanos() as f64 / 1e3;
    println!("{what:<28} p50 {:8.1} us   p99 {:8.1} us", at(0.5), at(0.99));
}

/// A task that answers over channels.
fn answering() -> mpsc::Sender<oneshot::Sender<u64>> {
    let (send, mut asked) = mpsc::channel::<oneshot::Sender<u64>>(1_024);
    tokio::spawn(async move {
        let mut count = 0;
        while let Some(asker) = asked.recv().await {
            count += 1;
            asker.send(count).ok();
        }
    });
    send
}

#[tokio::main]
async fn main() {
    let experiment = Experiment::new("calls");
    let node = experiment.node(|_| Peer::new().with(Counter::default())).start().await;
    let node = node.expect("a port is free");
    let (peer, channel) = (node.peer(Seat(0)), answering());
    let with = move || {
        let peer = peer.clone();
        async move {
            let counted = peer.with(|counter: &mut Counter, _ctx| {
                counter.count += 1;
                counter.count
            });
            counted.await.expect("it runs")
        }
    };
    let bare = move || {
        let channel = channel.clone();
        async move {
            let (tell, told) = oneshot::channel();
            channel.send(tell).await.expect("it runs");
            told.await.expect("it answers")
        }
    };
    let (mut called, mut asked) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        called.extend(timed(CALLS / 10, &with).await);
        asked.extend(timed(CALLS / 10, &bare).await);
    }
    show("with, one by one", called);
    show("channels, one by one", asked);
    show("with, from 64 tasks", timed_at_once(with).await);
    show("channels, from 64 tasks", timed_at_once(bare).await);
    node.stop().await.expect("nothing panicked");
}
