//! Messages that are not known to be delivered, and messages that peers send when they stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use peerlet_core::runtime::{Act, Directive, Tampering};
use peerlet_core::{Address, Context, MILLISECOND, Peer, Peerlet, Seat, Time, Undelivered};
use peerlet_live::{Join, LiveSetup, ProcessKey, SocketDrop};
use peerlet_measure::DropCause;
use tokio::sync::watch;

use crate::runs::{LONG, Lines, PATIENCE, run, run_until_stopped, runtime, starts};

/// Sends when it starts or stops, and counts what came and what did not.
#[derive(Clone, Default)]
struct Sender {
    at_start: usize,
    at_stop: usize,
    to: Vec<Address>,
    came: Arc<AtomicUsize>,
    lost: Arc<AtomicUsize>,
}

/// Bytes that were changed are mostly no such message.
type Flags = [bool; 32];

impl Sender {
    fn send(&self, ctx: &mut Context<Self>, count: usize) {
        let seat = ctx.seats().address(Seat(1));
        let to = if self.to.is_empty() { seat.into_iter().collect() } else { self.to.clone() };
        for to in to {
            (0..count).for_each(|_| ctx.send_reliably(to, [true; 32]).expect("there is room"));
        }
    }
}

impl Peerlet for Sender {
    const NAME: &'static str = "sender";
    type Message = Flags;
    type Timer = ();

    fn start(&mut self, ctx: &mut Context<Self>) {
        // After what the environment does at time zero.
        ctx.after(MILLISECOND * 20, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        self.send(ctx, self.at_start);
    }

    fn stop(&mut self, ctx: &mut Context<Self>) {
        self.send(ctx, self.at_stop);
    }

    fn message(&mut self, _: &mut Context<Self>, _: Address, _: Flags) {
        self.came.fetch_add(1, Ordering::Relaxed);
    }

    fn undelivered(&mut self, _: &mut Context<Self>, _: Address, _: Flags, _: Undelivered) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }
}

async fn wait_for(count: &AtomicUsize, expected: usize) {
    let reached = async {
        while count.load(Ordering::Relaxed) < expected {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, reached).await;
    let count = count.load(Ordering::Relaxed);
    waited.unwrap_or_else(|_| panic!("{count} of {expected}"));
}

/// What a peer that tampers sends cannot be told back to it when it is no message.
#[test]
fn what_was_tampered_with_is_dropped_and_counted() {
    let sender = Sender { at_start: 100, ..Sender::default() };
    let lost = sender.lost.clone();
    let build = move |_| Peer::new().with(sender.clone());
    let setup =
        LiveSetup { seed: Some(1), ..LiveSetup::new("tamper", 2, MILLISECOND * 800, build) };
    let act = Act::Tamper(Tampering::Mutate(1.0));
    let tamper = Directive { at: Time::ZERO, seat: Seat(0), act };
    // The other peer is never started.
    let directives = vec![tamper, starts(0..1).remove(0)];
    let outcome = run(setup, directives).expect("it comes to its end");
    let told = lost.load(Ordering::Relaxed) as u64;
    assert_eq!(outcome.ledger.reliable.dropped(DropCause::Undelivered), 100);
    assert_eq!(told + outcome.counters.get(SocketDrop::Decode), 100, "{told} were messages");
    assert!(told < 100, "bytes were changed");
}

/// More messages than an iteration has room for are told of, with no other event to wake the shard.
#[test]
fn all_that_is_undelivered_is_told() {
    const QUEUE: usize = 256;
    let nowhere: Vec<_> =
        (0..60).map(|slot| Address::new(([127, 0, 0, 1], 9).into(), slot)).collect();
    let all = QUEUE * nowhere.len();
    let sender = Sender { at_start: QUEUE, to: nowhere, ..Sender::default() };
    let lost = sender.lost.clone();
    let setup = LiveSetup {
        connection_timeout: MILLISECOND * 300,
        ..LiveSetup::new("nowhere", 1, LONG, move |_| Peer::new().with(sender.clone()))
    };
    runtime().block_on(async move {
        let (stopping, stop) = watch::channel(false);
        let run = tokio::spawn(run_until_stopped(setup, starts(0..1), stop));
        wait_for(&lost, all).await;
        stopping.send_replace(true);
        run.await.expect("no panic").expect("it comes to its end");
    });
}

/// Messages that peers send when their process is stopped arrive at the other one, the first that
/// it hears of them included.
#[test]
fn what_is_sent_at_the_stop_arrives() {
    for (at_start, at_stop) in [(0, 100), (50, 200)] {
        let sender = Sender { at_start, at_stop, ..Sender::default() };
        let came = sender.came.clone();
        let setup = |index, sender: Sender| LiveSetup {
            index: Some(index),
            ..LiveSetup::new("stopping", 2, LONG, move |_| Peer::new().with(sender.clone()))
        };
        let key = ProcessKey::generate();
        let (identity, lines) = (Some(key.identity()), Lines::default());
        runtime().block_on(async {
            let (stop_first, first_stops) = watch::channel(false);
            let (stop_second, second_stops) = watch::channel(false);
            let (key, notice) = (Some(key), lines.notice());
            let first = LiveSetup { key, notice, ..setup((0, 0), sender.clone()) };
            let first = tokio::spawn(run_until_stopped(first, starts(0..2), first_stops));
            let told = lines.wait_for("reached as ").await;
            let at = told.rsplit_once('@').expect("an identity and an address").1;
            let join = Join::at(at.parse().expect("an address"));
            let join = Some(match identity {
                Some(identity) => join.of(identity),
                None => join,
            });
            let silent = Sender { at_start: 1, at_stop: 0, ..sender.clone() };
            let second = LiveSetup { join, ..setup((1, 1), silent) };
            let second = tokio::spawn(run_until_stopped(second, starts(0..2), second_stops));
            // The second one's message to itself: it lives.
            wait_for(&came, at_start + 1).await;
            stop_first.send_replace(true);
            wait_for(&came, at_start + 1 + at_stop).await;
            stop_second.send_replace(true);
            for run in [first, second] {
                run.await.expect("no panic").expect("it comes to its end");
            }
        });
    }
}
