//! How long a call into a live peer takes from outside, beside a bare round trip over channels.
//!
//! Both are measured in turns in one run: 10,000 calls each, one after the other, and as many from
//! 64 tasks at once.

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

/// How long each of some calls takes.
async fn timed<F: Future<Output = u64>>(calls: usize, call: impl Fn() -> F) -> Vec<Duration> {
    let mut took = Vec::with_capacity(calls);
    for _ in 0..calls {
        let begun = Instant::now();
        std::hint::black_box(call().await);
        took.push(begun.elapsed());
    }
    took
}

fn show(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |share: f64| took[(took.len() as f64 * share) as usize].as_nanos() as f64 / 1e3;
    println!("{what:<28} p50 {:8.1} us   p99 {:8.1} us", at(0.5), at(0.99));
}

#[tokio::main]
async fn main() {
    let experiment = Experiment::new("calls");
    let node = experiment.node(|_| Peer::new().with(Counter::default())).start().await;
    let node = node.expect("a port is free");
    let peer = node.peer(Seat(0));
    let (send, mut asked) = mpsc::channel::<oneshot::Sender<u64>>(1_024);
    tokio::spawn(async move {
        let mut count = 0;
        while let Some(asker) = asked.recv().await {
            count += 1;
            asker.send(count).ok();
        }
    });
    let with = || async {
        let counted = peer.with(|counter: &mut Counter, _ctx| {
            counter.count += 1;
            counter.count
        });
        counted.await.expect("it runs")
    };
    let bare = || async {
        let (tell, told) = oneshot::channel();
        send.send(tell).await.expect("it runs");
        told.await.expect("it answers")
    };
    let (mut called, mut asked) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        called.extend(timed(CALLS / 10, with).await);
        asked.extend(timed(CALLS / 10, bare).await);
    }
    show("with, one by one", called);
    show("channels, one by one", asked);
    let (mut called, mut asked) = (Vec::new(), Vec::new());
    for _ in 0..TASKS {
        let (peer, send) = (peer.clone(), send.clone());
        called.push(tokio::spawn(async move {
            let call = || async {
                let counted = peer.with(|counter: &mut Counter, _ctx| {
                    counter.count += 1;
                    counter.count
                });
                counted.await.expect("it runs")
            };
            timed(CALLS / TASKS, call).await
        }));
        asked.push(send);
    }
    let mut all = Vec::new();
    for task in called {
        all.extend(task.await.expect("no panic"));
    }
    show("with, from 64 tasks", all);
    let tasks: Vec<_> = asked
        .into_iter()
        .map(|send| {
            tokio::spawn(async move {
                let call = || async {
                    let (tell, told) = oneshot::channel();
                    send.send(tell).await.expect("it runs");
                    told.await.expect("it answers")
                };
                timed(CALLS / TASKS, call).await
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.expect("no panic"));
    }
    show("channels, from 64 tasks", all);
    node.stop().await.expect("nothing panicked");
}
